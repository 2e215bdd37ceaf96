/*
 * driver - what the programs of this folder have in common: commands on standard input, a line each with its words between tabs, each
 * answered with a line on standard output.
 */
#ifndef DRIVER_H
#define DRIVER_H

#include "base/memory.h"
#include "directory/tables.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRIVER_LINE = 32768, DRIVER_WORDS = 8 };

struct driver_verb {
    const char *verb;
    void (*run)(char **words);
    int words; /* the verb among them */
};

static inline void driver_run(const struct driver_verb *verbs, size_t count, char *line)
{
    char *words[DRIVER_WORDS] = {NULL};
    int found = 0;

    line[strcspn(line, "\n")] = '\0';
    while (found < DRIVER_WORDS && line != NULL)
        words[found++] = strsep(&line, "\t");
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[0], verbs[i].verb) == 0 && found == verbs[i].words) {
            verbs[i].run(words);
            return;
        }
    puts("no such command");
}

/* Until standard input ends. */
static inline void driver_serve(const struct driver_verb *verbs, size_t count)
{
    char *line = memory_new(DRIVER_LINE);

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, DRIVER_LINE, stdin) != NULL)
        driver_run(verbs, count, line);
    memory_free(&line);
}

/* Makes the database if need be; a failure ends the program. */
static inline struct tables *driver_tables(const char *path)
{
    char error[256];
    struct tables *t = tables_open(path, error, sizeof error);

    if (t == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return t;
}

#endif
