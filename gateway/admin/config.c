#include "admin/groups.h"
#include "admin/listing.h"
#include "conf/field.h"
#include "conf/shell.h"

#include <string.h>

/* What is shown of a row: never a secret. */
struct shown {
    const struct conf_key *key;
    struct buf value, source;
    bool hidden;
};

static struct shown show(const struct conf *c, size_t place)
{
    struct shown s = {.key = &c->schema->keys[place]};

    field_text(c, s.key, &s.value);
    s.hidden = s.key->secret && s.value.length > 0;
    if (s.hidden) {
        memset(s.value.data, 0, s.value.length);
        buf_clear(&s.value);
        buf_add_text(&s.value, "(set)");
    }
    field_source(c, c->sources[place], &s.source);
    return s;
}

static void shown_done(struct shown *s)
{
    buf_done(&s->value);
    buf_done(&s->source);
}

static void list_help(struct listing *l, const struct conf_key *key, const char *section)
{
    struct buf expected = {0};

    if (section == NULL || strcmp(section, key->section) != 0)
        listing_line(l, "# ---- %s", key->section);
    schema_expected(key, &expected);
    listing_line(l, "# %s: %s", key->name, key->help);
    listing_line(l, "#   %s; default %s", buf_text(&expected), key->standard != NULL ? key->standard : key->standard_help);
    buf_done(&expected);
}

/* A secret's line is a comment: to source "(set)" would set it. */
static void list_row(struct listing *l, struct shown *s)
{
    struct buf line = {0};

    buf_print(&line, "%s%s=", s->hidden ? "#" : "", s->key->name);
    if (s->hidden)
        buf_add(&line, buf_str(&s->value));
    else
        shell_write(&line, buf_str(&s->value));
    listing_line(l, "%s # from %s", buf_text(&line), buf_text(&s->source));
    buf_done(&line);
}

static void list_key(struct listing *l, const struct conf *c, size_t place, bool with_help, const char *section)
{
    struct shown s = show(c, place);

    if (with_help)
        list_help(l, s.key, section);
    listing_str(l, "key", str_of(s.key->name));
    listing_str(l, "value", buf_str(&s.value));
    listing_str(l, "source", buf_str(&s.source));
    listing_text(l, "default", s.key->standard);
    listing_bool(l, "secret", s.key->secret);
    listing_text(l, "section", s.key->section);
    listing_text(l, "help", s.key->help);
    list_row(l, &s);
    listing_end_row(l);
    shown_done(&s);
}

/* KEY as the table has it; TMAIL_ may be left out. */
static size_t find_key(const struct conf_schema *schema, const char *word)
{
    struct buf name = {0};
    size_t place = schema_find(schema, str_of(word));

    if (place == schema->count) {
        buf_print(&name, "TMAIL_%s", word);
        place = schema_find(schema, buf_str(&name));
    }
    buf_done(&name);
    return place;
}

static void refuse_key(const struct invocation *i, const char *word)
{
    const char *near = schema_near_miss(i->conf->schema, str_of(word));

    if (near != NULL)
        invocation_fail(i, "unknown key %s, did you mean %s?", word, near);
    else
        invocation_fail(i, "unknown key %s", word);
}

static bool are_keys(const struct invocation *i)
{
    bool ok = true;

    for (int k = 0; k < i->word_count; k++)
        if (find_key(i->conf->schema, i->words[k]) == i->conf->schema->count) {
            refuse_key(i, i->words[k]);
            ok = false;
        }
    return ok;
}

static int list_config(struct invocation *i)
{
    const struct conf_schema *schema = i->conf->schema;
    bool with_help = invocation_has(i, "all");
    const char *section = NULL;
    struct listing *l;

    if (!are_keys(i))
        return EXIT_USAGE;
    l = listing_open(i->json);
    for (int k = 0; k < i->word_count; k++)
        list_key(l, i->conf, find_key(schema, i->words[k]), with_help, NULL);
    for (size_t k = 0; k < schema->count && i->word_count == 0; k++) {
        list_key(l, i->conf, k, with_help, section);
        section = schema->keys[k].section;
    }
    return listing_close(&l) ? EXIT_DONE : invocation_fail(i, "standard output could not be written");
}

static const struct option_spec options[] = {
    {"all", NULL, NULL, "with what each key is for, may be, and is by default"},
    {0},
};

static const struct command commands[] = {
    {.words = "[KEY...]",
     .words_max = -1,
     .listing = true,
     .options = options,
     .run = list_config,
     .keeps_identity = true,
     .help = "show the values in force, each with where it came from.  The lines can be read by a shell and by tmail; a secret is shown as "
             "(set)."},
};

const struct command_group config_group = {
    .noun = "config", .help = "show the configuration in force", .commands = commands, .count = sizeof commands / sizeof commands[0]};
