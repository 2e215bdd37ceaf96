/*
 * schema - every key of the configuration, once.
 *
 * A row says what a key is called, where in struct conf its value goes, how it is written, what it may be, and what it is for.  The loader,
 * `tmail config`, the sample file, the manual page and the shell completion are made from the rows and from nothing else.  Rows of a
 * section stand together.  A rule is about two keys and is asked when both hold a good value.
 */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "conf/conf.h"

enum conf_type { CONF_BOOL, CONF_NUMBER, CONF_SIZE, CONF_TIME, CONF_WORD, CONF_TEXT };

struct conf_key {
    const char *name;
    const char *section;
    enum conf_type type;
    size_t place;         /* of the field in struct conf */
    const char *standard; /* the default, as the file has it; NULL: find_standard finds it */
    const char *expected; /* what a text may be, for messages and the manual; the other types say it by themselves */
    int64_t min, max;     /* of a number, bytes or milliseconds */
    int64_t unit;         /* of a time: milliseconds that a bare number counts */
    const char *const *words; /* NULL-closed; a word by its place, or what a text may be */
    bool secret;          /* is not printed; may come from the file that KEY_FILE names */
    /* For texts: true when VALUE may stand, *KEEP (VALUE at first) being what is stored; otherwise a line for each problem goes to
     * PROBLEMS. */
    bool (*check)(const char *value, const char **keep, struct arena *arena, struct buf *problems);
    const char *(*find_standard)(struct arena *arena, struct buf *problems); /* NULL, with a line in PROBLEMS, when it finds none */
    const char *standard_help; /* with find_standard: what it finds */
    const char *help;     /* one line */
    const char *manual;   /* a longer paragraph behind it, NULL: none */
};

struct conf_rule {
    const char *keys[2]; /* the first is the one to blame */
    bool (*holds)(const struct conf *c);
    const char *problem;
};

struct conf_schema {
    const struct conf_key *keys;
    size_t count;
    const struct conf_rule *rules;
    size_t rule_count;
};

extern const struct conf_schema tmail_schema;

/* The place of NAME in the table, schema->count when it is not there. */
size_t schema_find(const struct conf_schema *schema, struct str name);
/* The key that NAME, which is none, may have been meant for; TMAIL_ may be missing.  NULL: none is near. */
const char *schema_near_miss(const struct conf_schema *schema, struct str name);
/* What a value of KEY looks like: "true or false", "a time from 1s to 1d, such as 30s, 5m, 4h or 7d". */
void schema_expected(const struct conf_key *key, struct buf *to);

#endif
