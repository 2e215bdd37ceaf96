#include "conf/shell.h"

#include <string.h>

struct reader {
    struct str line;
    size_t at;
    bool foreign; /* the value is of no interest and may hold what we refuse */
    struct buf *value;
    const char *problem;
};

static char peek(const struct reader *r)
{
    return r->at < r->line.length ? r->line.data[r->at] : '\0';
}

static bool at_end(const struct reader *r)
{
    return r->at >= r->line.length;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct reader *r)
{
    while (is_blank(peek(r)))
        r->at++;
}

static bool at_end_or_comment(const struct reader *r)
{
    return at_end(r) || peek(r) == '#';
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static struct str take_name(struct reader *r)
{
    size_t start = r->at;

    while (is_name_byte(peek(r)))
        r->at++;
    if (r->at > start && r->line.data[start] >= '0' && r->line.data[start] <= '9')
        r->at = start;
    return str_part(r->line, start, r->at - start);
}

static bool fail(struct reader *r, const char *problem)
{
    r->problem = problem;
    return false;
}

static bool is_expansion(const struct reader *r, char c)
{
    return !r->foreign && (c == '$' || c == '`');
}

static bool take_single_quoted(struct reader *r)
{
    size_t end = str_find(r->line, '\'', r->at + 1);

    if (end == r->line.length)
        return fail(r, "a single quote is not closed on this line");
    buf_add(r->value, str_part(r->line, r->at + 1, end - r->at - 1));
    r->at = end + 1;
    return true;
}

static bool take_double_quoted(struct reader *r)
{
    for (r->at++; !at_end(r) && peek(r) != '"'; r->at++) {
        char c = peek(r);

        if (is_expansion(r, c))
            return fail(r, "$ and ` are not expanded: put the value in single quotes, or a backslash before them");
        if (c == '\\' && r->at + 1 < r->line.length && strchr("$`\"\\", r->line.data[r->at + 1]) != NULL)
            c = r->line.data[++r->at];
        buf_add_byte(r->value, c);
    }
    if (at_end(r))
        return fail(r, "a double quote is not closed on this line");
    r->at++;
    return true;
}

static bool take_bare(struct reader *r)
{
    while (!at_end(r) && strchr(" \t'\"", peek(r)) == NULL) {
        char c = peek(r);

        if (is_expansion(r, c))
            return fail(r, "$ and ` are not expanded: put the value in single quotes");
        if (c == '\\' && r->at + 1 == r->line.length)
            return fail(r, "a line cannot be continued on the next");
        if (c == '\\')
            c = r->line.data[++r->at];
        buf_add_byte(r->value, c);
        r->at++;
    }
    return true;
}

static bool take_word(struct reader *r)
{
    while (!at_end(r) && !is_blank(peek(r))) {
        bool ok = peek(r) == '\'' ? take_single_quoted(r) : peek(r) == '"' ? take_double_quoted(r) : take_bare(r);

        if (!ok)
            return false;
    }
    return true;
}

static bool take_value(struct reader *r)
{
    bool has_word = !at_end(r) && !is_blank(peek(r));

    if (!take_word(r))
        return false;
    skip_blanks(r);
    while (r->foreign && !at_end_or_comment(r)) {
        if (!take_word(r))
            return false;
        skip_blanks(r);
    }
    if (!at_end_or_comment(r))
        return fail(r, has_word ? "more text follows the value (a value with blanks needs quotes)" : "a blank stands behind the =");
    return true;
}

enum shell_line shell_read(struct str line, struct str prefix, struct str *key, struct buf *value, const char **problem)
{
    struct reader r = {.line = line, .value = value};
    bool exported = false;

    *key = STR("");
    buf_clear(value);
    if (str_has(line, '\0')) {
        *problem = "a NUL byte stands in the line";
        return SHELL_BAD;
    }
    skip_blanks(&r);
    if (at_end_or_comment(&r))
        return SHELL_NOTHING;
    *key = take_name(&r);
    if (str_equal(*key, STR("export")) && is_blank(peek(&r))) {
        exported = true;
        skip_blanks(&r);
        *key = take_name(&r);
    }
    if (key->length > 0 && peek(&r) == '=') {
        r.at++;
        r.foreign = !str_starts(*key, prefix);
        if (take_value(&r))
            return SHELL_ASSIGNMENT;
    } else if (key->length > 0) {
        skip_blanks(&r);
        if (exported && at_end_or_comment(&r))
            return SHELL_NOTHING;
        fail(&r, peek(&r) == '=' ? "a blank stands before the =" : "expected KEY=value");
    } else {
        fail(&r, "expected KEY=value");
    }
    *problem = r.problem;
    return SHELL_BAD;
}

static bool is_safe(struct str value)
{
    for (size_t i = 0; i < value.length; i++)
        if (!is_name_byte(value.data[i]) && (value.data[i] == '\0' || strchr("./:@%+,=-", value.data[i]) == NULL))
            return false;
    return true;
}

void shell_write(struct buf *to, struct str value)
{
    if (is_safe(value)) {
        buf_add(to, value);
        return;
    }
    buf_add_byte(to, '\'');
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] == '\'')
            buf_add_text(to, "'\\''");
        else
            buf_add_byte(to, value.data[i]);
    buf_add_byte(to, '\'');
}
