/*
 * template_parts - a template as it was read: a row of parts (template.h has the language).
 */
#ifndef REPORT_TEMPLATE_PARTS_H
#define REPORT_TEMPLATE_PARTS_H

#include "base/arena.h"
#include "report/dsn_facts.h"

enum template_kind { TEMPLATE_TEXT, TEMPLATE_VALUE, TEMPLATE_IF, TEMPLATE_ELSE, TEMPLATE_EACH, TEMPLATE_END };

enum { TEMPLATE_ANY_ACTION = DSN_ACTIONS };

struct template_part {
    enum template_kind kind;
    struct str text;  /* TEXT; lines end with LF */
    size_t what;      /* VALUE, IF: the place of the placeholder; EACH: the action, or TEMPLATE_ANY_ACTION */
    size_t next;      /* IF: the place of its ELSE or END; ELSE, EACH: of the END */
};

/* From one part up to another, without it. */
struct template_range {
    size_t from, to;
};

struct bounce_template {
    struct arena arena;
    struct template_part *parts;
    size_t count;
    struct str language;
    struct template_range subjects[DSN_ACTIONS + 1]; /* by action; the last stands for those that are empty */
    struct template_range text;
};

/* Reads CONTENT, a copy of which lives in T's arena, into a zeroed T; false with the reason in ERROR. */
bool template_parts_read(struct bounce_template *t, const char *name, struct str content, char *error, size_t error_size);

#endif
