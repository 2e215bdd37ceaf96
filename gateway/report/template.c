#include "report/template.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "report/template_parts.h"
#include "report/template_values.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { ERROR_SIZE = 1024, SUBJECT_MAX = 500 };

struct bounce_template *template_parse(const char *name, struct str content, char *error, size_t error_size)
{
    struct bounce_template *t = memory_new(sizeof *t);

    arena_init(&t->arena);
    if (!template_parts_read(t, name, content, error, error_size))
        template_free(&t);
    return t;
}

struct bounce_template *template_read(const char *path, char *error, size_t error_size)
{
    struct bounce_template *t = NULL;
    struct buf content;

    if (path[0] == '\0')
        return template_parse("(built in)", str_of(template_english), error, error_size);
    buf_init(&content, TEMPLATE_SIZE_MAX);
    if (file_read(path, &content))
        t = template_parse(path, buf_str(&content), error, error_size);
    else if (errno == EFBIG)
        snprintf(error, error_size, "%s:1: this file is larger than %d KB; make it smaller", path, TEMPLATE_SIZE_MAX >> 10);
    else
        snprintf(error, error_size, "%s:1: cannot be read: %s; make it readable for TMAIL_USER", path, strerrordesc_np(errno));
    buf_done(&content);
    return t;
}

struct bounce_template *template_open(const char *path)
{
    char error[ERROR_SIZE];
    struct bounce_template *t = template_read(path, error, sizeof error);

    if (t != NULL)
        return t;
    log_message(LOG_LEVEL_ERROR, "template", "%s. The report has the built-in text.", error);
    return template_read("", error, sizeof error);
}

void template_free(struct bounce_template **t)
{
    if (*t != NULL)
        arena_done(&(*t)->arena);
    memory_free(t);
}

bool template_check(const char *path, char *error, size_t error_size)
{
    struct bounce_template *t = template_read(path, error, error_size);
    bool ok = t != NULL;

    template_free(&t);
    return ok;
}

struct str template_language(const struct bounce_template *t)
{
    return t->language;
}

static void add_lines(struct str text, struct buf *to)
{
    struct str line;

    while (text.length > 0) {
        bool ended = str_has(text, '\n');

        str_cut(&text, '\n', &line);
        buf_add(to, line);
        if (ended)
            buf_add_text(to, "\r\n");
    }
}

/* The parts of RANGE; R: the recipient of the block, NULL outside of one. */
static void show(const struct bounce_template *t, struct template_range range, const struct template_scene *scene,
                 const struct dsn_recipient *r, struct buf *to);

static void show_if(const struct bounce_template *t, size_t place, const struct template_scene *scene, const struct dsn_recipient *r,
                    struct buf *to)
{
    const struct template_part *part = &t->parts[place], *other = &t->parts[part->next];
    struct buf value = {0};

    template_value(part->what, scene, r, &value);
    if (value.length > 0)
        show(t, (struct template_range){place + 1, part->next}, scene, r, to);
    else if (other->kind == TEMPLATE_ELSE)
        show(t, (struct template_range){part->next + 1, other->next}, scene, r, to);
    buf_done(&value);
}

static void show_each(const struct bounce_template *t, size_t place, const struct template_scene *scene, struct buf *to)
{
    const struct template_part *part = &t->parts[place];
    int counts[DSN_ACTIONS] = {0};

    for (const struct dsn_recipient *r = scene->dsn->recipients; r != NULL && !to->full; r = r->next)
        if ((part->what == TEMPLATE_ANY_ACTION || part->what == r->action) && ++counts[r->action] <= TEMPLATE_LISTED_MAX)
            show(t, (struct template_range){place + 1, part->next}, scene, r, to);
}

/* Behind the block that starts at PLACE. */
static size_t behind(const struct bounce_template *t, size_t place)
{
    size_t next = t->parts[place].next;

    return t->parts[next].kind == TEMPLATE_ELSE ? t->parts[next].next + 1 : next + 1;
}

static void show(const struct bounce_template *t, struct template_range range, const struct template_scene *scene,
                 const struct dsn_recipient *r, struct buf *to)
{
    size_t place = range.from;

    while (place < range.to && !to->full) {
        const struct template_part *part = &t->parts[place];

        if (part->kind == TEMPLATE_IF)
            show_if(t, place, scene, r, to);
        else if (part->kind == TEMPLATE_EACH)
            show_each(t, place, scene, to);
        else if (part->kind == TEMPLATE_VALUE)
            template_value(part->what, scene, r, to);
        else
            add_lines(part->text, to);
        place = part->kind == TEMPLATE_IF || part->kind == TEMPLATE_EACH ? behind(t, place) : place + 1;
    }
}

static struct template_range subject_of(const struct bounce_template *t, enum dsn_action action)
{
    return t->subjects[action].to > 0 ? t->subjects[action] : t->subjects[DSN_ACTIONS];
}

void template_subject(const struct bounce_template *t, const struct template_scene *scene, struct buf *to)
{
    static const char *const plain[DSN_ACTIONS] = {"Undelivered mail", "Delayed mail", "Delivered mail", "Relayed mail"};
    enum dsn_action action = dsn_first_action(scene->dsn);
    struct buf subject;

    buf_init(&subject, SUBJECT_MAX);
    show(t, subject_of(t, action), scene, NULL, &subject);
    if (str_trim(buf_str(&subject)).length > 0)
        buf_add(to, str_trim(buf_str(&subject)));
    else
        buf_add_text(to, plain[action]);
    buf_done(&subject);
}

void template_text(const struct bounce_template *t, const struct template_scene *scene, struct buf *to)
{
    struct buf text;

    buf_init(&text, TEMPLATE_TEXT_MAX);
    show(t, t->text, scene, NULL, &text);
    buf_add(to, buf_str(&text));
    if (text.full)
        buf_add_text(to, "\r\n[...]\r\n");
    else if (!str_ends(buf_str(&text), STR("\r\n")))
        buf_add_text(to, "\r\n");
    buf_done(&text);
}
