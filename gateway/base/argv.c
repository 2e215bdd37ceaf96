#include "base/argv.h"

#include "base/buf.h"

struct splitter {
    struct buf word;
    bool inside; /* a word has begun */
    bool escaped;
    char quote; /* that is open; '\0': none */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool end_word(struct splitter *s, struct arena *arena, struct argv *argv)
{
    if (!s->inside)
        return true;
    if (argv->count == ARGV_WORDS)
        return false;
    argv->words[argv->count++] = arena_str(arena, buf_str(&s->word));
    buf_clear(&s->word);
    s->inside = false;
    return true;
}

static void add(struct splitter *s, char c)
{
    buf_add_byte(&s->word, c);
    s->inside = true;
    s->escaped = false;
}

/* True when C, outside of quotes and backslashes, ends a word. */
static bool take(struct splitter *s, char c)
{
    if (s->escaped) {
        add(s, c);
        return false;
    }
    if (c == '\\' && s->quote != '\'') {
        s->escaped = true;
    } else if (c == s->quote) {
        s->quote = '\0'; /* also where there was none: C is no NUL */
    } else if (s->quote == '\0' && (c == '\'' || c == '"')) {
        s->quote = c;
        s->inside = true;
    } else if (s->quote == '\0' && is_blank(c)) {
        return true;
    } else {
        add(s, c);
    }
    return false;
}

static const char *split(struct splitter *s, struct str command, struct arena *arena, struct argv *argv)
{
    bool room = true;

    if (command.length > ARGV_SIZE)
        return "it is too long";
    for (size_t i = 0; i < command.length && room; i++) {
        if (str_has_control(str_part(command, i, 1)) && command.data[i] != '\t')
            return "it has a control character";
        if (take(s, command.data[i]))
            room = end_word(s, arena, argv);
    }
    if (room && s->quote != '\0')
        return "a quote is not closed";
    if (room && s->escaped)
        return "nothing stands behind its last backslash";
    if (!room || !end_word(s, arena, argv))
        return "it has too many words";
    return argv->count == 0 || argv->words[0].length == 0 ? "it names no program" : NULL;
}

bool argv_split(struct str command, struct arena *arena, struct argv *argv, const char **why)
{
    struct splitter s = {0};

    *argv = (struct argv){.count = 0};
    *why = split(&s, command, arena, argv);
    buf_done(&s.word);
    return *why == NULL;
}
