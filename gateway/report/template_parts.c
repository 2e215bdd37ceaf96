#include "report/template_parts.h"

#include "base/memory.h"
#include "conf/near_miss.h"
#include "report/template_values.h"

#include <stdarg.h>
#include <stdio.h>

enum { SHOWN_MAX = 60, LANGUAGE_MAX = 35 /* RFC 5646 section 4.4.1 */ };

/* A block that waits for its end. */
struct open_block {
    size_t part;
    size_t pointer; /* the part whose `next` the end is, an IF, ELSE or EACH */
    int line;
    struct str tag;
};

struct parser {
    struct bounce_template *t;
    const char *name;
    int line;
    bool is_subject;
    struct open_block open[TEMPLATE_DEPTH_MAX];
    size_t depth;
    char *error;
    size_t error_size;
};

static bool wrong(const struct parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(const struct parser *p, const char *format, ...)
{
    struct buf text = {0};
    va_list args;

    va_start(args, format);
    buf_print_args(&text, format, args);
    va_end(args);
    snprintf(p->error, p->error_size, "%s:%d: %s", p->name, p->line, buf_text(&text));
    buf_done(&text);
    return false;
}

static struct str shown(struct str text)
{
    return str_part(text, 0, SHOWN_MAX);
}

static bool add_part(struct parser *p, struct template_part part)
{
    struct bounce_template *t = p->t;

    if (t->count >= TEMPLATE_PARTS_MAX)
        return wrong(p, "this template has more than %d parts; make it simpler", TEMPLATE_PARTS_MAX);
    t->parts[t->count++] = part;
    return true;
}

static bool add_text(struct parser *p, struct str text)
{
    return text.length == 0 || add_part(p, (struct template_part){.kind = TEMPLATE_TEXT, .text = text});
}

static bool is_in_each(const struct parser *p)
{
    for (size_t i = 0; i < p->depth; i++)
        if (p->t->parts[p->open[i].part].kind == TEMPLATE_EACH)
            return true;
    return false;
}

static bool unknown_name(const struct parser *p, struct str name)
{
    struct near_miss miss = near_miss_of(name);

    for (size_t i = 0; i < template_placeholder_count; i++)
        near_miss_try(&miss, template_placeholders[i].name);
    if (miss.word != NULL)
        return wrong(p, "there is no placeholder \"%.*s\"; did you mean \"%s\"? tmail.cfg(5) lists them", STR_ARG(shown(name)), miss.word);
    return wrong(p, "there is no placeholder \"%.*s\"; tmail.cfg(5) lists them", STR_ARG(shown(name)));
}

/* The placeholder NAME, as it may be used here. */
static bool find_placeholder(const struct parser *p, struct str name, bool as_value, size_t *place)
{
    const struct template_placeholder *found;

    *place = template_find(name);
    if (*place == template_placeholder_count)
        return unknown_name(p, name);
    found = &template_placeholders[*place];
    if (as_value && found->condition)
        return wrong(p, "\"%s\" has no value; write {{if %s}} … {{end}}", found->name, found->name);
    if (found->in_each && !is_in_each(p))
        return wrong(p, "\"%s\" is about one recipient; write it between {{each}} and {{end}}", found->name);
    return true;
}

static bool open_block(struct parser *p, struct str tag, struct template_part part)
{
    if (p->depth == TEMPLATE_DEPTH_MAX)
        return wrong(p, "blocks are nested more than %d deep; make it simpler", TEMPLATE_DEPTH_MAX);
    if (!add_part(p, part))
        return false;
    p->open[p->depth++] = (struct open_block){.part = p->t->count - 1, .pointer = p->t->count - 1, .line = p->line, .tag = tag};
    return true;
}

static bool take_value(struct parser *p, struct str tag, struct str name)
{
    size_t place;

    (void)tag;
    return find_placeholder(p, name, true, &place) && add_part(p, (struct template_part){.kind = TEMPLATE_VALUE, .what = place});
}

static bool take_if(struct parser *p, struct str tag, struct str name)
{
    size_t place;

    if (name.length == 0)
        return wrong(p, "{{if}} without a name; write {{if NAME}}, as in {{if failed}}");
    return find_placeholder(p, name, false, &place) && open_block(p, tag, (struct template_part){.kind = TEMPLATE_IF, .what = place});
}

static bool take_each(struct parser *p, struct str tag, struct str name)
{
    size_t action = 0;

    if (p->is_subject)
        return wrong(p, "a subject is about the message; {{each}} belongs into the text");
    if (is_in_each(p))
        return wrong(p, "{{each}} inside of {{each}}; write {{end}} before it");
    while (action < DSN_ACTIONS && !str_equal(name, str_of(dsn_action_name((enum dsn_action)action))))
        action++;
    if (name.length > 0 && action == DSN_ACTIONS)
        return wrong(p, "{{each %.*s}}: there is no such action; it is failed, delayed, delivered or relayed", STR_ARG(shown(name)));
    return open_block(p, tag, (struct template_part){.kind = TEMPLATE_EACH, .what = action});
}

static bool take_else(struct parser *p, struct str tag, struct str name)
{
    struct open_block *b = p->depth > 0 ? &p->open[p->depth - 1] : NULL;
    size_t place = p->t->count;

    (void)tag;
    if (name.length > 0)
        return wrong(p, "{{else}} takes no word; write {{else}} alone");
    if (b == NULL || p->t->parts[b->pointer].kind != TEMPLATE_IF)
        return wrong(p, "{{else}} without an {{if}} of its own; take it away or write {{if NAME}} before it");
    if (!add_part(p, (struct template_part){.kind = TEMPLATE_ELSE}))
        return false;
    p->t->parts[b->pointer].next = place;
    b->pointer = place;
    return true;
}

static bool take_end(struct parser *p, struct str tag, struct str name)
{
    size_t place = p->t->count;

    (void)tag;
    if (name.length > 0)
        return wrong(p, "{{end}} takes no word; it ends the block that was opened last");
    if (p->depth == 0)
        return wrong(p, "{{end}} ends nothing; take it away or write {{if NAME}} or {{each}} before it");
    if (!add_part(p, (struct template_part){.kind = TEMPLATE_END}))
        return false;
    p->t->parts[p->open[--p->depth].pointer].next = place;
    return true;
}

/* What stands between the braces; *BLOCK: it leaves nothing in the text. */
static bool take_tag(struct parser *p, struct str tag, bool *block)
{
    static const struct {
        const char *word;
        bool (*take)(struct parser *p, struct str tag, struct str name);
    } words[] = {{"if", take_if}, {"each", take_each}, {"else", take_else}, {"end", take_end}};
    struct str inner = str_trim(tag), word = str_part(inner, 0, str_find(inner, ' ', 0));

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (str_equal(word, str_of(words[i].word))) {
            *block = true;
            return words[i].take(p, tag, str_trim(str_from(inner, word.length)));
        }
    *block = false;
    return take_value(p, tag, inner);
}

static const struct str opening = {"{{", 2}, closing = {"}}", 2};

static size_t find(struct str s, struct str what)
{
    size_t place = 0;

    while (place < s.length && !str_starts(str_from(s, place), what))
        place++;
    return place;
}

/* Whether LINE has blocks and nothing else that could be seen. */
static bool is_blocks_only(struct str line)
{
    bool any = false;

    for (;;) {
        size_t start = find(line, opening), end = find(line, closing);
        struct str tag = str_trim(str_part(line, start + 2, end > start + 2 ? end - start - 2 : 0));

        if (start == line.length)
            return any && str_trim(line).length == 0;
        if (end < start || str_trim(str_part(line, 0, start)).length > 0 ||
            !(str_equal(tag, STR("else")) || str_equal(tag, STR("end")) || str_equal(tag, STR("each")) || str_starts(tag, STR("if ")) ||
              str_starts(tag, STR("each "))))
            return false;
        any = true;
        line = str_from(line, end + 2);
    }
}

/* LINE, and LINE_END if it leaves a line. */
static bool take_line(struct parser *p, struct str line, struct str line_end)
{
    bool silent = !p->is_subject && is_blocks_only(line), block;

    while (line.length > 0) {
        size_t start = find(line, opening), end;

        if (!silent && !add_text(p, str_part(line, 0, start)))
            return false;
        if (start == line.length)
            break;
        line = str_from(line, start + 2);
        end = find(line, closing);
        if (end == line.length)
            return wrong(p, "{{ without }} in the same line; write {{NAME}}");
        if (!take_tag(p, str_part(line, 0, end), &block))
            return false;
        line = str_from(line, end + 2);
    }
    return silent || add_text(p, line_end);
}

static bool check_closed(struct parser *p)
{
    if (p->depth == 0)
        return true;
    p->line = p->open[p->depth - 1].line;
    return wrong(p, "{{%.*s}} is not closed; write {{end}} where it ends", STR_ARG(shown(p->open[p->depth - 1].tag)));
}

static bool take_subject(struct parser *p, struct template_range *subject, struct str value)
{
    bool ok;

    subject->from = p->t->count;
    p->is_subject = true;
    ok = take_line(p, value, STR("")) && check_closed(p);
    p->is_subject = false;
    subject->to = p->t->count;
    return ok && (subject->to > subject->from || wrong(p, "this subject is empty; write one, or take the line away"));
}

static bool take_language(struct parser *p, struct str value)
{
    bool ok = value.length > 0 && value.length <= LANGUAGE_MAX;

    for (size_t i = 0; i < value.length; i++) {
        char c = ascii_lower(value.data[i]);

        ok = ok && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
    }
    if (!ok)
        return wrong(p, "this is no language; write one like \"en\" or \"pt-BR\"");
    p->t->language = value;
    return true;
}

static bool take_head_field(struct parser *p, struct str name, struct str value)
{
    static const char *const subjects[DSN_ACTIONS + 1] = {"Subject-Failed", "Subject-Delayed", "Subject-Delivered", "Subject-Relayed",
                                                          "Subject"};

    if (str_equal_nocase(name, STR("Language")))
        return p->t->language.length == 0 ? take_language(p, value) : wrong(p, "a second Language; take one away");
    for (size_t i = 0; i <= DSN_ACTIONS; i++)
        if (str_equal_nocase(name, str_of(subjects[i])) && p->t->subjects[i].to > 0)
            return wrong(p, "a second %s; take one away", subjects[i]);
        else if (str_equal_nocase(name, str_of(subjects[i])))
            return take_subject(p, &p->t->subjects[i], value);
    return wrong(p,
                 "there is no field \"%.*s\" in the head of a template; write Language, Subject, Subject-Failed, Subject-Delayed, "
                 "Subject-Delivered or Subject-Relayed, and an empty line before the text",
                 STR_ARG(shown(name)));
}

static bool take_head_line(struct parser *p, struct str line)
{
    size_t colon = str_find(line, ':', 0);

    if (line.data[0] == '#')
        return true;
    if (colon == line.length)
        return wrong(p, "no field of the head of a template; write \"Subject: …\", and an empty line before the text");
    return take_head_field(p, str_trim(str_part(line, 0, colon)), str_trim(str_from(line, colon + 1)));
}

/* The next line without its end. */
static bool next_line(struct parser *p, struct str *rest, struct str *line)
{
    if (rest->length == 0)
        return false;
    str_cut(rest, '\n', line);
    p->line++;
    if (str_ends(*line, STR("\r")))
        line->length--;
    return true;
}

static bool check_line(const struct parser *p, struct str line)
{
    if (!str_is_utf8(line))
        return wrong(p, "this line is not UTF-8; save the file as UTF-8");
    for (size_t i = 0; i < line.length; i++)
        if (line.data[i] != '\t' && str_has_control(str_part(line, i, 1)))
            return wrong(p, "a control byte in this line; take it away");
    return true;
}

static bool take_content(struct parser *p, struct str rest)
{
    struct str line;
    bool in_head = true;

    while (next_line(p, &rest, &line)) {
        if (!check_line(p, line))
            return false;
        if (in_head && str_trim(line).length == 0) {
            in_head = false;
            p->t->text.from = p->t->count;
        } else if (!(in_head ? take_head_line(p, line) : take_line(p, line, STR("\n")))) {
            return false;
        }
    }
    p->t->text.to = p->t->count;
    p->line = p->line > 0 ? p->line : 1;
    if (in_head || p->t->text.to == p->t->text.from)
        return wrong(p, "there is no text; write it behind the head and an empty line");
    return check_closed(p);
}

bool template_parts_read(struct bounce_template *t, const char *name, struct str content, char *error, size_t error_size)
{
    struct parser p = {.t = t, .name = name, .line = 1, .error = error, .error_size = error_size};
    struct str kept;

    t->parts = arena_new(&t->arena, TEMPLATE_PARTS_MAX * sizeof *t->parts);
    if (content.length > TEMPLATE_SIZE_MAX)
        return wrong(&p, "this file is larger than %d KB; make it smaller", TEMPLATE_SIZE_MAX >> 10);
    kept = arena_str(&t->arena, content);
    p.line = 0;
    return take_content(&p, str_starts(kept, STR("\xef\xbb\xbf")) ? str_from(kept, 3) : kept);
}
