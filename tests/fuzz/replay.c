/*
 * replay - runs a target over its corpus without libFuzzer.
 *
 * NAME_replay [FILE|FOLDER...]; without words: the folder corpus/NAME that came with the source.  Prints `ok fuzz-NAME N inputs`.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static char current[1024];
static int inputs;

static void name_the_input(int number)
{
    (void)!write(STDOUT_FILENO, "not ok fuzz # dies of ", 22);
    (void)!write(STDOUT_FILENO, current, strlen(current));
    (void)!write(STDOUT_FILENO, "\n", 1);
    signal(number, SIG_DFL);
    raise(number);
}

static void run_file(const char *path)
{
    struct buf content = {0};
    FILE *file = fopen(path, "rb");
    size_t n;

    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    snprintf(current, sizeof current, "%s", path);
    do {
        n = fread(buf_room(&content, 4096), 1, 4096, file);
        buf_grew(&content, n);
    } while (n > 0);
    fclose(file);
    char *exact = fuzz_exact(buf_str(&content));
    LLVMFuzzerTestOneInput((const uint8_t *)exact, content.length);
    free(exact);
    buf_done(&content);
    inputs++;
}

static void run(const char *path)
{
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);

    if (count < 0) {
        run_file(path);
        return;
    }
    for (int i = 0; i < count; i++) {
        char below[1024];

        snprintf(below, sizeof below, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.')
            run_file(below);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    static const int deadly[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
    const char *base = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 : argv[0];
    const char *end = strrchr(base, '_');
    int length = (int)(end != NULL ? (size_t)(end - base) : strlen(base));
    char folder[1024];

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++)
        signal(deadly[i], name_the_input);
    snprintf(folder, sizeof folder, "%s/%.*s", FUZZ_CORPUS, length, base);
    if (argc < 2)
        run(folder);
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    printf("%s fuzz-%.*s %d inputs\n", inputs > 0 ? "ok" : "not ok", length, base, inputs);
    return inputs > 0 ? 0 : 1;
}
