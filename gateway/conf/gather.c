#include "conf/gather.h"

#include "base/file.h"
#include "conf/field.h"
#include "conf/shell.h"
#include "conf/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char default_file[] = "/etc/tmail/tmail.cfg";

enum { FILE_MAX = 4 << 20, LINE_MAX_LENGTH = 64 << 10, NAME_SHOWN = 100 };

void gather_report(struct loading *l, struct conf_source source, const char *name, struct buf *problems)
{
    struct str rest = buf_str(problems), line;
    struct buf where = {0};

    field_source(l->conf, source, &where);
    while (str_cut(&rest, '\n', &line))
        if (line.length > 0)
            conf_errors_add(l->errors, "%s: %s: %.*s", buf_text(&where), name, STR_ARG(line));
    buf_clear(problems);
    buf_done(&where);
}

static void report_unknown(struct loading *l, struct conf_source source, struct str name)
{
    const char *near = schema_near_miss(l->conf->schema, name);
    struct buf where = {0}, quoted = {0};

    field_source(l->conf, source, &where);
    value_quote(&quoted, str_part(name, 0, NAME_SHOWN)); /* any byte may come from the environment; without the quotes */
    conf_errors_add(l->errors, "%s: unknown key %.*s%s%s%s", buf_text(&where), (int)(quoted.length - 2), buf_text(&quoted) + 1,
                    near != NULL ? ", did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
    buf_done(&where);
    buf_done(&quoted);
}

/* Where the value of NAME is to be kept, NULL when there is no such key. */
static struct said *said_of(const struct loading *l, struct str name)
{
    const struct conf_schema *schema = l->conf->schema;
    const struct str tail = STR("_FILE");
    size_t place = schema_find(schema, name);

    if (place < schema->count)
        return &l->keys[place].value;
    if (!str_ends(name, tail))
        return NULL;
    place = schema_find(schema, str_part(name, 0, name.length - tail.length));
    return place < schema->count && schema->keys[place].secret ? &l->keys[place].file : NULL;
}

static bool is_ours(struct str name)
{
    return str_starts(name, STR("TMAIL_")) && !str_equal(name, STR("TMAIL_CONFIG"));
}

static void take_assignment(struct loading *l, int line, struct str name, struct str value)
{
    struct conf_source source = {CONF_FILE, line};
    struct said *said;

    if (!is_ours(name))
        return;
    said = said_of(l, name);
    if (said == NULL)
        report_unknown(l, source, name);
    else if (said->is_set)
        conf_errors_add(l->errors, "%s:%d: %.*s: is set in line %d already (expected one value)", l->conf->file, line, STR_ARG(name),
                        said->source.line);
    else
        *said = (struct said){true, arena_str(&l->conf->arena, value), source};
}

void gather_content(struct loading *l, struct str content)
{
    struct buf value = {0};
    struct str line, key;
    const char *problem;
    int number = 0;

    while (content.length > 0 && str_cut(&content, '\n', &line)) {
        number++;
        if (str_ends(line, STR("\r")))
            line.length--;
        if (line.length > LINE_MAX_LENGTH) {
            conf_errors_add(l->errors, "%s:%d: the line is longer than %d bytes", l->conf->file, number, LINE_MAX_LENGTH);
            continue;
        }
        switch (shell_read(line, STR("TMAIL_"), &key, &value, &problem)) {
        case SHELL_ASSIGNMENT:
            take_assignment(l, number, key, buf_str(&value));
            break;
        case SHELL_BAD:
            conf_errors_add(l->errors, "%s:%d: %.*s%s%s", l->conf->file, number, STR_ARG(key), key.length > 0 ? ": " : "", problem);
            break;
        case SHELL_NOTHING:
            break;
        }
    }
    buf_done(&value);
}

static const char *absolute_path(const char *path, struct arena *arena)
{
    struct buf absolute = {0};
    char *folder = path[0] != '/' ? getcwd(NULL, 0) : NULL;
    const char *result;

    if (folder != NULL)
        buf_print(&absolute, "%s/", folder);
    buf_add_text(&absolute, path);
    result = arena_text(arena, buf_str(&absolute));
    buf_done(&absolute);
    free(folder);
    return result;
}

void gather_file(struct loading *l, const char *file)
{
    const char *path = file != NULL ? file : default_file;
    struct conf *c = l->conf;
    struct buf content = {.limit = FILE_MAX};

    c->file = arena_text(&c->arena, str_of(path));
    if (file != NULL)
        c->named = absolute_path(path, &c->arena);
    if (file_read(path, &content))
        gather_content(l, buf_str(&content));
    else if (file == NULL && (errno == ENOENT || errno == ENOTDIR))
        c->file = "";
    else if (errno == EFBIG)
        conf_errors_add(l->errors, "%s: the file is larger than %d bytes", path, FILE_MAX);
    else
        conf_errors_add(l->errors, "%s: the file cannot be read: %s", path, strerror(errno));
    buf_done(&content);
}

void gather_environment(struct loading *l, char **environment)
{
    struct conf_source source = {CONF_ENVIRONMENT, 0};

    for (; environment != NULL && *environment != NULL; environment++) {
        struct str value = str_of(*environment), name;
        struct said *said;

        if (!str_has(value, '=') || !str_cut(&value, '=', &name) || !is_ours(name))
            continue;
        said = said_of(l, name);
        if (said == NULL)
            report_unknown(l, source, name);
        else if (!said->is_set || said->source.origin != CONF_ENVIRONMENT) /* of two, the first counts: getenv(3) */
            *said = (struct said){true, arena_str(&l->conf->arena, value), source};
    }
}

const char *gather_variable(char **environment, struct str name)
{
    for (; environment != NULL && *environment != NULL; environment++) {
        struct str entry = str_of(*environment);

        if (str_starts(entry, name) && entry.length > name.length && entry.data[name.length] == '=')
            return *environment + name.length + 1;
    }
    return NULL;
}
