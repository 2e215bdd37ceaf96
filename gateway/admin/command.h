/*
 * command - the words of the command line, as tables.
 *
 * Each file of admin/ exports one struct command_group: a noun, its verbs, their options and words.  The parser, `--help`, the manual page
 * and the shell completion are made from these tables and from nothing else.  Options may stand before or after the words and take one dash
 * or two.  run() gets what was typed, checked against the table, and returns an exit status: EXIT_DONE, EXIT_FAILED (it has said why on
 * standard error), EXIT_USAGE, EXIT_AGAIN, EXIT_CONFIG.
 */
#ifndef ADMIN_COMMAND_H
#define ADMIN_COMMAND_H

#include "base/str.h"
#include "conf/conf.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 64, EXIT_AGAIN = 75, EXIT_CONFIG = 78 };
enum { COMMAND_OPTIONS_MAX = 16 };

struct option_spec {
    const char *name;       /* long name without dashes, "local" */
    const char *short_name; /* "l", "rh"; NULL: none */
    const char *value;      /* what its value is called in help, "HOST"; NULL: a switch */
    const char *help;
};

struct invocation;

struct command {
    const char *verb;  /* NULL: the noun alone is the command (`tmail run`) */
    const char *words; /* "DOMAIN", "LOGIN [PASSWORD]", "[ID|DOMAIN]", "FILE..." ; NULL: none */
    int words_min, words_max; /* words_max -1: any number */
    bool listing;      /* takes --json */
    const struct option_spec *options; /* ends with a zeroed one; NULL: none */
    const char *help;  /* one sentence; more sentences are shown by the verb's own --help and in the manual page */
    int (*run)(struct invocation *i);
    bool keeps_identity; /* as root: run() starts as root and not as TMAIL_USER (admin/identity.h) */
};

struct command_group {
    const char *noun;
    const char *also; /* another word for the same ("route"), NULL: none */
    const char *help;
    const struct command *commands;
    size_t count;
};

struct invocation {
    struct conf *conf; /* loaded and valid */
    const struct command_group *group;
    const struct command *command;
    const char **words;
    int word_count;
    const char *values[COMMAND_OPTIONS_MAX]; /* by place in the table; "" for a switch that was given, NULL when not given */
    bool json;
};

struct command_table {
    const struct command_group *const *groups;
    size_t count;
    const char *version;
};

/* Reads the command line, loads the configuration, becomes TMAIL_USER, runs the command; returns the exit status of the process. */
int command_main(const struct command_table *table, int argc, char **argv, char **environment);

/* "tmail rcpthost add [-l] DOMAIN" */
void command_usage(const struct command_group *group, const struct command *command, struct buf *to);

/* The options that stand anywhere in a command line, beside --json of listings; ends with a zeroed one. */
extern const struct option_spec command_general_options[];

/* The value of the option with that long name, NULL when it was not given. */
const char *invocation_value(const struct invocation *i, const char *name);
bool invocation_has(const struct invocation *i, const char *name);

/* "tmail rcpthost add: MESSAGE" on standard error; returns EXIT_FAILED. */
int invocation_fail(const struct invocation *i, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
