/*
 * template - the words for people in a report (dsn.h), from a text that administrators may edit.
 *
 * A template is UTF-8.  It starts with a head: comments, which begin with #, and fields - Language, Subject-Failed, Subject-Delayed,
 * Subject-Delivered, Subject-Relayed, and Subject for those that are not given.  An empty line ends the head; the text follows.  In text and
 * subjects
 *     {{NAME}}                             stands for a value (template_placeholders),
 *     {{if NAME}} … {{else}} … {{end}}     shows one of two sides, by whether NAME is empty; {{else}} may be missing,
 *     {{each}} … {{end}}                   is repeated for every recipient, {{each failed}} for those with that action.
 * A line that holds nothing but if, each, else and end leaves no line behind.  What a value brings along is one line without control bytes.
 * A template is read whole and then only looked at; what it makes is bounded whatever is in it.
 */
#ifndef REPORT_TEMPLATE_H
#define REPORT_TEMPLATE_H

#include "report/dsn.h"

enum {
    TEMPLATE_SIZE_MAX = 64 << 10,
    TEMPLATE_PARTS_MAX = 2000,
    TEMPLATE_DEPTH_MAX = 8,
    TEMPLATE_LISTED_MAX = 100,    /* recipients of each action that {{each}} goes through */
    TEMPLATE_TEXT_MAX = 256 << 10 /* of what it makes */
};

struct bounce_template;

/* The built-in one, which is contrib/bounce/english.tpl. */
extern const char template_english[];

/* CONTENT is called NAME in the error, which reads FILE:LINE: what is wrong; what to do.  NULL when it is no template. */
struct bounce_template *template_parse(const char *name, struct str content, char *error, size_t error_size);
/* The one in the file at PATH, "": the built-in one.  Blocks for the file. */
struct bounce_template *template_read(const char *path, char *error, size_t error_size);
/* The same; if it cannot be read, that is logged and it is the built-in one.  Never NULL. */
struct bounce_template *template_open(const char *path);
void template_free(struct bounce_template **t);

/* For those who check a configuration: true when template_read takes it. */
bool template_check(const char *path, char *error, size_t error_size);

/* What a report knows beside its struct dsn. */
struct template_scene {
    const struct dsn *dsn;
    struct str subject; /* of the original, UTF-8 */
    bool whole;         /* the original is attached whole */
    int64_t counts[DSN_RELAYED + 1]; /* of recipients, by action */
};
void template_scene_init(struct template_scene *scene, const struct dsn *d, struct str subject, bool whole);

struct str template_language(const struct bounce_template *t); /* RFC 5646; empty: not said */
/* Append UTF-8: one line without its end; lines that end with CRLF. */
void template_subject(const struct bounce_template *t, const struct template_scene *scene, struct buf *to);
void template_text(const struct bounce_template *t, const struct template_scene *scene, struct buf *to);

/* What may stand in braces, for documents. */
struct template_placeholder {
    const char *name;
    const char *help;
    bool in_each;   /* it is about a recipient: only inside of each */
    bool condition; /* only behind if */
};
extern const struct template_placeholder template_placeholders[];
extern const size_t template_placeholder_count;

#endif
