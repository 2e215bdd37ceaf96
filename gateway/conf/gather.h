/*
 * gather - what the file and the environment say about each key, before anybody asks what it means.
 *
 * A variable of the environment takes the place of a line of the file.  Texts live in the conf's arena.  Unknown keys, keys that stand
 * twice in the file and lines that are none are reported here.  Files are read to a bound; nothing else blocks.
 */
#ifndef CONF_GATHER_H
#define CONF_GATHER_H

#include "conf/conf.h"

/* What was said by one name. */
struct said {
    bool is_set;
    struct str text;
    struct conf_source source;
};

struct gathered {
    struct said value; /* by KEY */
    struct said file;  /* by KEY_FILE, secrets only */
};

/* What one load works with; `keys` and `good` go by place in the schema. */
struct loading {
    struct conf *conf;
    struct gathered *keys;
    bool *good; /* the field holds a good value */
    struct conf_errors *errors;
};

/* FILE NULL: the default file, which need not exist. */
void gather_file(struct loading *l, const char *file);
void gather_content(struct loading *l, struct str content);
void gather_environment(struct loading *l, char **environment);

/* The value of NAME in ENVIRONMENT, NULL when it is not there. */
const char *gather_variable(char **environment, struct str name);

/* "tmail.cfg:12: TMAIL_X: PROBLEM" for each line of PROBLEMS, which is empty again after that. */
void gather_report(struct loading *l, struct conf_source source, const char *name, struct buf *problems);

#endif
