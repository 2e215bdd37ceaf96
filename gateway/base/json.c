#include "base/json.h"

#include "base/memory.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

struct json {
    json_t *root;
};

/* jansson allocates with malloc, and says NULL where base/memory would have ended the process. */
static json_t *must(json_t *value)
{
    if (value == NULL)
        abort();
    return value;
}

/* jansson recurses: how deep a stranger's text goes is known before it does. */
static bool is_flat_enough(struct str text)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];

        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '[') && ++depth > JSON_DEPTH_MAX)
            return false;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return true;
}

struct json *json_parse_object(struct str text)
{
    struct json *j;
    json_t *root;

    if (text.length == 0 || !is_flat_enough(text))
        return NULL;
    root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    j = memory_new(sizeof *j);
    j->root = root;
    return j;
}

void json_free(struct json **j)
{
    if (*j == NULL)
        return;
    json_decref((*j)->root);
    memory_free(j);
}

bool json_get_str(const struct json *j, const char *name, struct str *value)
{
    const json_t *member = json_object_get(j->root, name);

    if (!json_is_string(member))
        return false;
    *value = (struct str){json_string_value(member), json_string_length(member)};
    return true;
}

bool json_get_number(const struct json *j, const char *name, int64_t *value)
{
    const json_t *member = json_object_get(j->root, name);
    struct str text;
    uint64_t number;

    if (json_is_integer(member)) {
        *value = json_integer_value(member);
        return true;
    }
    if (!json_get_str(j, name, &text) || !str_number(text, INT64_MAX, &number))
        return false;
    *value = (int64_t)number;
    return true;
}

struct json *json_new_object(void)
{
    struct json *j = memory_new(sizeof *j);

    j->root = must(json_object());
    return j;
}

static void put(struct json *j, const char *name, json_t *value)
{
    if (json_object_set_new(j->root, name, must(value)) != 0)
        abort();
}

static json_t *make_str(struct str value)
{
    struct buf text = {0};
    json_t *made;

    while (value.length > 0) {
        size_t length = str_character(value);

        buf_add(&text, length > 0 ? str_part(value, 0, length) : STR("\xef\xbf\xbd"));
        value = str_from(value, length > 0 ? length : 1);
    }
    made = must(json_stringn(buf_text(&text), text.length));
    buf_done(&text);
    return made;
}

void json_put_str(struct json *j, const char *name, struct str value)
{
    put(j, name, make_str(value));
}

static json_t *take(struct json **j)
{
    json_t *root = (*j)->root;

    memory_free(j);
    return root;
}

void json_put(struct json *j, const char *name, struct json **value)
{
    put(j, name, take(value));
}

struct json *json_new_list(void)
{
    struct json *j = memory_new(sizeof *j);

    j->root = must(json_array());
    return j;
}

void json_add(struct json *list, struct json **value)
{
    if (json_array_append_new(list->root, take(value)) != 0)
        abort();
}

void json_add_str(struct json *list, struct str value)
{
    if (json_array_append_new(list->root, make_str(value)) != 0)
        abort();
}

void json_put_number(struct json *j, const char *name, int64_t value)
{
    put(j, name, json_integer(value));
}

void json_put_real(struct json *j, const char *name, double value)
{
    put(j, name, isfinite(value) ? json_real(value) : json_null());
}

void json_put_bool(struct json *j, const char *name, bool value)
{
    put(j, name, json_boolean(value));
}

void json_put_null(struct json *j, const char *name)
{
    put(j, name, json_null());
}

static int append(const char *text, size_t length, void *to)
{
    struct str rest = {text, length}, part;
    bool first = true;

    /* DEL is a control that jansson leaves as it is. */
    for (; str_cut(&rest, '\x7f', &part); first = false) {
        buf_add_text(to, first ? "" : "\\u007F");
        buf_add(to, part);
    }
    return 0;
}

void json_write(const struct json *j, struct buf *to)
{
    if (json_dump_callback(j->root, append, to, JSON_ENSURE_ASCII) != 0)
        abort();
}
