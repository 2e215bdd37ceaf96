/* conf_write and conf_read: how a process hands its configuration to a child.
 *
 * A head line, then for each key `NAME ORIGIN LINE LENGTH:VALUE` and a newline, then `end`.  VALUE is the plain one of field_plain.  A
 * child may be a newer program than its parent (an upgrade is a reload): keys that it does not know are passed over, keys that it was not
 * told have their default. */
#include "conf/conf.h"

#include "base/file.h"
#include "conf/field.h"

#include <errno.h>
#include <string.h>

static const char head[] = "tmail configuration 1\n", tail[] = "end\n";

enum { TRANSFER_MAX = 16 << 20 };

static void write_field(struct buf *to, const char *name, struct conf_source source, struct str value)
{
    buf_print(to, "%s %d %d %zu:", name, (int)source.origin, source.line, value.length);
    buf_add(to, value);
    buf_add_byte(to, '\n');
}

void conf_write(const struct conf *c, struct buf *to)
{
    struct buf value = {0};

    buf_add_text(to, head);
    write_field(to, "file", (struct conf_source){CONF_DEFAULT, 0}, str_of(c->file));
    write_field(to, "named", (struct conf_source){CONF_DEFAULT, 0}, str_of(c->named));
    for (size_t i = 0; i < c->schema->count; i++) {
        buf_clear(&value);
        field_plain(c, &c->schema->keys[i], &value);
        write_field(to, c->schema->keys[i].name, c->sources[i], buf_str(&value));
    }
    buf_add_text(to, tail);
    buf_done(&value);
}

static bool take_number(struct str *rest, char end, uint64_t max, uint64_t *value)
{
    struct str digits;

    return str_cut(rest, end, &digits) && str_number(digits, max, value) && rest->data != NULL;
}

static bool take_field(struct str *rest, struct str *name, struct conf_source *source, struct str *value)
{
    uint64_t origin, line, length;

    if (!str_cut(rest, ' ', name) || !take_number(rest, ' ', INT32_MAX, &origin) || origin > CONF_ENVIRONMENT ||
        !take_number(rest, ' ', INT32_MAX, &line) || !take_number(rest, ':', TRANSFER_MAX, &length) || rest->length <= length ||
        rest->data[length] != '\n')
        return false;
    *source = (struct conf_source){(enum conf_origin)origin, (int)line};
    *value = str_part(*rest, 0, length);
    *rest = str_from(*rest, length + 1);
    return true;
}

static bool store_field(struct conf *c, bool *told, struct str name, struct conf_source source, struct str value)
{
    size_t place = schema_find(c->schema, name);

    if (str_equal(name, STR("file")))
        c->file = arena_text(&c->arena, value);
    else if (str_equal(name, STR("named")))
        c->named = arena_text(&c->arena, value);
    if (place == c->schema->count)
        return true;
    c->sources[place] = source;
    told[place] = true;
    return field_set_plain(c, &c->schema->keys[place], value);
}

static bool read_fields(struct conf *c, struct str rest, struct buf *problems)
{
    bool *told = arena_new(&c->arena, c->schema->count * sizeof *told);
    struct str name, value;
    struct conf_source source;

    if (!str_starts(rest, str_of(head)))
        return false;
    rest = str_from(rest, sizeof head - 1);
    while (!str_equal(rest, str_of(tail)))
        if (!take_field(&rest, &name, &source, &value) || !store_field(c, told, name, source, value))
            return false;
    for (size_t i = 0; i < c->schema->count; i++) {
        const struct conf_key *key = &c->schema->keys[i];

        if (!told[i] && (key->standard == NULL || !field_set(c, key, str_of(key->standard), problems)))
            return false;
    }
    return true;
}

bool conf_read_schema(struct conf *c, const struct conf_schema *schema, int fd, struct conf_errors *errors)
{
    struct buf content = {.limit = TRANSFER_MAX}, problems = {0};
    bool ok;

    field_clear_all(c, schema);
    ok = file_read_fd(fd, &content);
    if (!ok) {
        conf_errors_add(errors, "the configuration cannot be read from the parent: %s", strerror(errno));
    } else if (!(ok = read_fields(c, buf_str(&content), &problems))) {
        conf_errors_add(errors, "the configuration from the parent is damaged");
    }
    field_derive_all(c);
    buf_done(&content);
    buf_done(&problems);
    return ok;
}

bool conf_read(struct conf *c, int fd, struct conf_errors *errors)
{
    return conf_read_schema(c, &tmail_schema, fd, errors);
}
