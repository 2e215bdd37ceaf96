#include "conf/field.h"

#include "conf/value.h"

#include <string.h>

static void *field_of(struct conf *c, const struct conf_key *key)
{
    return (char *)c + key->place;
}

static const void *field_in(const struct conf *c, const struct conf_key *key)
{
    return (const char *)c + key->place;
}

_Static_assert(sizeof(enum log_format) == sizeof(unsigned) && sizeof(enum conf_bare_newline) == sizeof(unsigned),
               "words are stored as unsigned");

static void store_number(struct conf *c, const struct conf_key *key, int64_t value)
{
    bool flag = value != 0;
    unsigned word = (unsigned)value;

    if (key->type == CONF_BOOL)
        memcpy(field_of(c, key), &flag, sizeof flag);
    else if (key->type == CONF_WORD)
        memcpy(field_of(c, key), &word, sizeof word);
    else
        memcpy(field_of(c, key), &value, sizeof value);
}

static int64_t stored_number(const struct conf *c, const struct conf_key *key)
{
    bool flag;
    unsigned word;
    int64_t value;

    if (key->type == CONF_BOOL) {
        memcpy(&flag, field_in(c, key), sizeof flag);
        value = flag;
    } else if (key->type == CONF_WORD) {
        memcpy(&word, field_in(c, key), sizeof word);
        value = word;
    } else {
        memcpy(&value, field_in(c, key), sizeof value);
    }
    return value;
}

static void store_text(struct conf *c, const struct conf_key *key, const char *text)
{
    memcpy(field_of(c, key), &text, sizeof text);
}

static const char *stored_text(const struct conf *c, const struct conf_key *key)
{
    const char *text;

    memcpy(&text, field_in(c, key), sizeof text);
    return text != NULL ? text : "";
}

static bool find_word(const struct conf_key *key, struct str text, int64_t *value)
{
    for (*value = 0; key->words[*value] != NULL; ++*value)
        if (str_equal_nocase(text, str_of(key->words[*value])))
            return true;
    return false;
}

/* What a value of the type is not. */
static const char *read_number(const struct conf_key *key, struct str text, int64_t *value)
{
    static const char *const complaints[] = {
        [CONF_BOOL] = "is neither true nor false", [CONF_NUMBER] = "is no number", [CONF_SIZE] = "is no size",
        [CONF_TIME] = "is no time",                [CONF_WORD] = "is not known",
    };
    bool ok, flag = false;

    switch (key->type) {
    case CONF_BOOL:
        ok = value_read_bool(text, &flag);
        *value = flag;
        break;
    case CONF_SIZE:
        ok = value_read_size(text, value);
        break;
    case CONF_TIME:
        ok = value_read_time(text, key->unit, value);
        break;
    case CONF_WORD:
        ok = find_word(key, text, value);
        break;
    default:
        ok = value_read_number(text, value);
        break;
    }
    if (!ok)
        return complaints[key->type];
    if (key->type != CONF_BOOL && key->type != CONF_WORD && (*value < key->min || *value > key->max))
        return "is out of range";
    return NULL;
}

static bool complain(const struct conf_key *key, struct str text, const char *complaint, struct buf *problems)
{
    if (key->secret)
        buf_add_text(problems, "the value");
    else
        value_quote(problems, text);
    buf_print(problems, " %s (expected ", complaint);
    schema_expected(key, problems);
    buf_add_text(problems, ")\n");
    return false;
}

static bool set_text(struct conf *c, const struct conf_key *key, struct str text, struct buf *problems)
{
    const char *value = arena_text(&c->arena, text), *keep = value;
    struct buf hidden = {0};
    int64_t unused;
    bool ok = true;

    if (key->words != NULL && !find_word(key, text, &unused))
        return complain(key, text, "is not known", problems);
    if (key->words != NULL)
        keep = key->words[unused];
    if (key->check != NULL && !key->check(value, &keep, &c->arena, key->secret ? &hidden : problems))
        ok = key->secret ? complain(key, text, "is not valid", problems) : false;
    buf_done(&hidden);
    if (ok)
        store_text(c, key, keep);
    return ok;
}

bool field_set(struct conf *c, const struct conf_key *key, struct str text, struct buf *problems)
{
    const char *complaint;
    int64_t value;

    if (str_has_control(text))
        return complain(key, text, "holds a control character", problems);
    if (key->type == CONF_TEXT)
        return set_text(c, key, text, problems);
    complaint = read_number(key, text, &value);
    if (complaint != NULL)
        return complain(key, text, complaint, problems);
    store_number(c, key, value);
    return true;
}

void field_text(const struct conf *c, const struct conf_key *key, struct buf *to)
{
    int64_t value;

    if (key->type == CONF_TEXT) {
        buf_add_text(to, stored_text(c, key));
        return;
    }
    value = stored_number(c, key);
    if (key->type == CONF_BOOL)
        buf_add_text(to, value != 0 ? "true" : "false");
    else if (key->type == CONF_WORD)
        buf_add_text(to, key->words[value]);
    else if (key->type == CONF_SIZE)
        value_write_size(to, value);
    else if (key->type == CONF_TIME)
        value_write_time(to, value);
    else
        buf_add_number(to, value);
}

static bool is_word_number(const struct conf_key *key, uint64_t number)
{
    for (uint64_t i = 0; key->words[i] != NULL; i++)
        if (i == number)
            return true;
    return false;
}

bool field_set_plain(struct conf *c, const struct conf_key *key, struct str plain)
{
    uint64_t number;

    if (key->type == CONF_TEXT) {
        store_text(c, key, arena_text(&c->arena, plain));
        return !str_has(plain, '\0');
    }
    if (!str_number(plain, INT64_MAX, &number) || (key->type == CONF_WORD && !is_word_number(key, number)))
        return false;
    store_number(c, key, (int64_t)number);
    return true;
}

void field_plain(const struct conf *c, const struct conf_key *key, struct buf *to)
{
    if (key->type == CONF_TEXT)
        buf_add_text(to, stored_text(c, key));
    else
        buf_add_number(to, stored_number(c, key));
}

void field_source(const struct conf *c, struct conf_source source, struct buf *to)
{
    if (source.origin == CONF_FILE)
        buf_print(to, "%s:%d", c->file, source.line);
    else
        buf_add_text(to, source.origin == CONF_ENVIRONMENT ? "environment" : "default");
}

void field_clear_all(struct conf *c, const struct conf_schema *schema)
{
    *c = (struct conf){.db_path = "", .tls_cert_path = "", .tls_key_path = "", .secret_key_path = "", .file = "", .named = "", .schema = schema};
    c->sources = arena_new(&c->arena, schema->count * sizeof *c->sources);
    for (size_t i = 0; i < schema->count; i++)
        if (schema->keys[i].type == CONF_TEXT)
            store_text(c, &schema->keys[i], "");
}

/* What stands in front of the last / of PATH, with it. */
static struct str folder_of(const char *path)
{
    struct str folder = str_of(path);

    while (folder.length > 0 && folder.data[folder.length - 1] != '/')
        folder.length--;
    return folder;
}

static const char *path_in(struct conf *c, struct str folder, const char *path)
{
    struct buf b = {0};
    const char *whole;

    if (!str_starts(str_of(path), STR("/")))
        buf_add(&b, folder);
    buf_add(&b, str_of(path));
    whole = arena_text(&c->arena, buf_str(&b));
    buf_done(&b);
    return whole;
}

void field_derive_all(struct conf *c)
{
    struct str source = str_of(c->db_source), folder = c->named[0] != '\0' ? folder_of(c->named) : STR("/etc/tmail/");

    c->db_path = arena_text(&c->arena, str_part(source, 0, str_find(source, '?', 0)));
    c->tls_cert_path = path_in(c, folder, c->tls_cert);
    c->tls_key_path = path_in(c, folder, c->tls_key);
    c->secret_key_path = path_in(c, folder_of(c->db_path), str_of(c->secret_key_file).length > 0 ? c->secret_key_file : "secret.key");
}
