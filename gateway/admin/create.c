#include "admin/create.h"

#include "base/str.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_missing(const char *path)
{
    struct stat st;

    return stat(path, &st) != 0 || st.st_size == 0;
}

bool create_allowed(const char *driver, const char *path)
{
    char line[64];

    if (!isatty(STDIN_FILENO) || !is_missing(path))
        return true;
    fprintf(stderr, "Database 'driver: %s, source: %s' misses some tables.\n", driver, path);
    for (;;) {
        struct str answer;

        fprintf(stderr, "Should i create them ? (y/n): ");
        if (fgets(line, sizeof line, stdin) == NULL)
            return false;
        answer = str_of(line);
        if (str_ends(answer, STR("\n")))
            answer.length--;
        answer = str_trim(answer);
        if (str_equal_nocase(answer, STR("y")))
            return true;
        if (str_equal_nocase(answer, STR("n"))) {
            fprintf(stderr, "See you soon...\n");
            return false;
        }
    }
}
