#include "conf/conf.h"

#include "base/file.h"
#include "conf/field.h"
#include "conf/gather.h"
#include "conf/value.h"

#include <errno.h>
#include <string.h>

enum { ERRORS_MAX = 500, SECRET_MAX = 64 << 10 };

void conf_errors_add(struct conf_errors *e, const char *format, ...)
{
    va_list args;

    if (e->count == ERRORS_MAX)
        buf_add_text(&e->lines, "there are more errors, not shown\n");
    if (e->count++ >= ERRORS_MAX)
        return;
    va_start(args, format);
    buf_print_args(&e->lines, format, args);
    va_end(args);
    buf_add_byte(&e->lines, '\n');
}

void conf_errors_done(struct conf_errors *e)
{
    buf_done(&e->lines);
    e->count = 0;
}

/* Puts the content of the file that KEY_FILE names in the place of the value. */
static bool read_secret(struct loading *l, const struct conf_key *key, struct gathered *said, struct buf *problems)
{
    const char *path = arena_text(&l->conf->arena, said->file.text);
    struct buf content = {.limit = SECRET_MAX};
    struct str text;
    bool ok = false;

    if (file_read(path, &content)) {
        text = buf_str(&content);
        if (str_ends(text, STR("\n")))
            text.length--;
        if (str_ends(text, STR("\r")))
            text.length--;
        said->value = (struct said){true, arena_str(&l->conf->arena, text), said->file.source};
        ok = text.length > 0;
        if (!ok)
            buf_print(problems, "the file is empty (expected the value of %s)\n", key->name);
    } else {
        value_quote(problems, said->file.text);
        buf_print(problems, " cannot be read: %s\n", strerror(errno));
    }
    buf_done(&content);
    return ok;
}

static bool resolve_secret(struct loading *l, const struct conf_key *key, struct gathered *said)
{
    struct buf problems = {0}, name = {0};
    bool ok = !said->value.is_set;

    buf_print(&name, "%s_FILE", key->name);
    if (ok) {
        ok = read_secret(l, key, said, &problems);
    } else {
        buf_print(&problems, "%s is set too, by ", key->name);
        field_source(l->conf, said->value.source, &problems);
        buf_add_text(&problems, " (expected one of the two)\n");
    }
    gather_report(l, said->file.source, buf_text(&name), &problems);
    buf_done(&problems);
    buf_done(&name);
    return ok;
}

static bool set_standard(struct loading *l, const struct conf_key *key, struct buf *problems)
{
    const char *standard = key->standard != NULL ? key->standard : key->find_standard(&l->conf->arena, problems);

    return standard != NULL && field_set(l->conf, key, str_of(standard), problems);
}

static void set_key(struct loading *l, size_t place)
{
    const struct conf_key *key = &l->conf->schema->keys[place];
    struct gathered *said = &l->keys[place];
    struct buf problems = {0};

    if (said->file.is_set && !resolve_secret(l, key, said))
        return;
    if (said->value.is_set) {
        l->conf->sources[place] = said->value.source;
        l->good[place] = field_set(l->conf, key, said->value.text, &problems);
    } else {
        l->good[place] = set_standard(l, key, &problems);
    }
    gather_report(l, l->conf->sources[place], key->name, &problems);
    buf_done(&problems);
}

static void apply_rule(struct loading *l, const struct conf_rule *rule)
{
    const struct conf_schema *schema = l->conf->schema;
    struct conf_source sources[2];
    struct buf problem = {0};

    for (size_t i = 0; i < 2; i++) {
        size_t place = schema_find(schema, str_of(rule->keys[i]));

        if (place == schema->count || !l->good[place])
            return;
        sources[i] = l->conf->sources[place];
    }
    if (rule->holds(l->conf))
        return;
    buf_print(&problem, "%s\n", rule->problem);
    /* Named by its first key, placed where one of the two was set. */
    gather_report(l, sources[sources[0].origin != CONF_DEFAULT ? 0 : 1], rule->keys[0], &problem);
    buf_done(&problem);
}

static struct loading begin(struct conf *c, const struct conf_schema *schema, struct conf_errors *errors)
{
    struct loading l = {.conf = c, .errors = errors};

    field_clear_all(c, schema);
    l.keys = arena_new(&c->arena, schema->count * sizeof *l.keys);
    l.good = arena_new(&c->arena, schema->count * sizeof *l.good);
    return l;
}

static bool finish(struct loading *l, size_t errors_before)
{
    const struct conf_schema *schema = l->conf->schema;

    for (size_t i = 0; i < schema->count; i++)
        set_key(l, i);
    for (size_t i = 0; i < schema->rule_count; i++)
        apply_rule(l, &schema->rules[i]);
    field_derive_all(l->conf);
    return l->errors->count == errors_before;
}

bool conf_load_schema(struct conf *c, const struct conf_schema *schema, const char *file, char **environment, struct conf_errors *errors)
{
    size_t before = errors->count;
    const char *variable = gather_variable(environment, STR("TMAIL_CONFIG"));
    struct loading l = begin(c, schema, errors);

    if (file == NULL && variable != NULL && variable[0] != '\0')
        file = variable;
    gather_file(&l, file);
    gather_environment(&l, environment);
    return finish(&l, before);
}

bool conf_load_content(struct conf *c, const struct conf_schema *schema, const char *name, struct str content, char **environment,
                       struct conf_errors *errors)
{
    size_t before = errors->count;
    struct loading l = begin(c, schema, errors);

    c->file = arena_text(&c->arena, str_of(name));
    gather_content(&l, content);
    gather_environment(&l, environment);
    return finish(&l, before);
}

bool conf_load(struct conf *c, const char *file, char **environment, struct conf_errors *errors)
{
    return conf_load_schema(c, &tmail_schema, file, environment, errors);
}

bool conf_reload(struct conf *c, const struct conf *old, char **environment, struct conf_errors *errors)
{
    return conf_load_schema(c, old->schema, old->named[0] != '\0' ? old->named : NULL, environment, errors);
}

void conf_done(struct conf *c)
{
    arena_done(&c->arena);
    *c = (struct conf){0};
}
