#include "test.h"

#include "base/argv.h"
#include "base/buf.h"

static struct arena arena;

/* The words of COMMAND, each in [ ], or the reason why there are none. */
static const char *words(struct str command)
{
    static struct buf all;
    struct argv argv;
    const char *why;

    buf_clear(&all);
    if (!argv_split(command, &arena, &argv, &why))
        return why;
    for (size_t i = 0; i < argv.count; i++) {
        check_number(argv.words[i].data[argv.words[i].length], 0);
        buf_print(&all, "[%.*s]", STR_ARG(argv.words[i]));
    }
    check(why == NULL);
    return buf_text(&all);
}

static void a_command_is_cut_into_words(void)
{
    static const struct {
        const char *command, *words;
    } table[] = {
        {"/usr/bin/vacation", "[/usr/bin/vacation]"},
        {"  a \t b  ", "[a][b]"},
        {"a 'b c' \"d e\"", "[a][b c][d e]"},
        {"a b'c d'e\"f g\"h", "[a][bc def gh]"},
        {"a '' \"\" b", "[a][][][b]"},
        {"a \\\" \\' \\\\ b\\ c", "[a][\"]['][\\][b c]"},
        {"a 'it is \\ so' \"a \\\"quote\\\" \\\\ \\x\"", "[a][it is \\ so][a \"quote\" \\ x]"},
        {"a \"it's\" '\"'", "[a][it's][\"]"},
        {"a $HOME `id` $(id) * ~ ; rm -rf x | y > z & #", "[a][$HOME][`id`][$(id)][*][~][;][rm][-rf][x][|][y][>][z][&][#]"},
        {"a -oX --", "[a][-oX][--]"},
        {"caf\xc3\xa9 \xff", "[caf\xc3\xa9][\xff]"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        check_text(words(str_of(table[i].command)), table[i].words);
}

static void what_is_no_command_is_refused(void)
{
    static const struct {
        const char *command, *why;
    } table[] = {
        {"", "it names no program"},
        {"  \t ", "it names no program"},
        {"'' a", "it names no program"},
        {"a 'b", "a quote is not closed"},
        {"a \"b\\\"", "a quote is not closed"},
        {"a b\\", "nothing stands behind its last backslash"},
        {"a\nb", "it has a control character"},
        {"a '\n'", "it has a control character"},
        {"a \\\r", "it has a control character"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        check_text(words(str_of(table[i].command)), table[i].why);
    check_text(words(STR("a\0b")), "it has a control character");
}

static void a_command_has_bounds(void)
{
    struct buf command = {0};

    for (int i = 0; i < ARGV_WORDS; i++)
        buf_add_text(&command, "a ");
    check_number(strlen(words(buf_str(&command))), 3 * ARGV_WORDS);
    buf_add_text(&command, "a");
    check_text(words(buf_str(&command)), "it has too many words");
    buf_clear(&command);
    for (int i = 0; i < ARGV_SIZE; i++)
        buf_add_byte(&command, 'a');
    check_number(strlen(words(buf_str(&command))), ARGV_SIZE + 2);
    buf_add_byte(&command, 'a');
    check_text(words(buf_str(&command)), "it is too long");
    buf_done(&command);
}

static const struct test_case cases[] = {
    TEST_CASE(a_command_is_cut_into_words),
    TEST_CASE(what_is_no_command_is_refused),
    TEST_CASE(a_command_has_bounds),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
