#include "admin/help.h"

enum { WIDTH = 79, COLUMN = 26 };

struct str help_first_sentence(const char *text)
{
    struct str s = str_of(text);

    for (size_t i = 0; i < s.length; i++)
        if (s.data[i] == '.' && (i + 1 == s.length || s.data[i + 1] == ' '))
            return str_part(s, 0, i);
    return s;
}

static void add_option_usage(const struct option_spec *option, struct buf *to)
{
    buf_print(to, " [%s%s", option->short_name != NULL ? "-" : "--", option->short_name != NULL ? option->short_name : option->name);
    if (option->value != NULL)
        buf_print(to, " %s", option->value);
    buf_add_byte(to, ']');
}

void command_usage(const struct command_group *group, const struct command *command, struct buf *to)
{
    buf_print(to, "tmail %s", group->noun);
    if (command->verb != NULL)
        buf_print(to, " %s", command->verb);
    for (const struct option_spec *option = command->options; option != NULL && option->name != NULL; option++)
        add_option_usage(option, to);
    if (command->listing)
        buf_add_text(to, " [--json]");
    if (command->words != NULL)
        buf_print(to, " %s", command->words);
}

static void pad(struct buf *to, size_t line_start, size_t column)
{
    while (to->length - line_start < column)
        buf_add_byte(to, ' ');
}

/* TEXT from COLUMN on, broken between words. */
static void add_wrapped(struct buf *to, size_t line_start, size_t column, struct str text)
{
    struct str word;

    while (str_cut(&text, ' ', &word)) {
        size_t used = to->length - line_start;

        if (used > column && used + 1 + word.length > WIDTH) {
            buf_add_byte(to, '\n');
            line_start = to->length;
        }
        if (to->length - line_start > column)
            buf_add_byte(to, ' ');
        pad(to, line_start, column);
        buf_add(to, word);
    }
    buf_add_byte(to, '\n');
}

/* "  NAME      TEXT", TEXT in the next line where NAME is long. */
static void add_entry(struct buf *to, const char *name, struct str text)
{
    size_t line_start = to->length;

    buf_print(to, "  %s", name);
    if (to->length - line_start > COLUMN - 2) {
        buf_add_byte(to, '\n');
        line_start = to->length;
    }
    pad(to, line_start, COLUMN);
    add_wrapped(to, line_start, COLUMN, text);
}

static void add_paragraph(struct buf *to, const char *text)
{
    buf_add_byte(to, '\n');
    add_wrapped(to, to->length, 0, str_of(text));
}

static void add_options(struct buf *to, const struct option_spec *option)
{
    for (; option != NULL && option->name != NULL; option++) {
        struct buf name = {0};

        if (option->short_name != NULL)
            buf_print(&name, "-%s, ", option->short_name);
        buf_print(&name, "--%s%s%s", option->name, option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
        add_entry(to, buf_text(&name), str_of(option->help));
        buf_done(&name);
    }
}

static void write_application(const struct command_table *table, struct buf *to)
{
    buf_add_text(to, "Usage: tmail [-c FILE] COMMAND [OPTION]... [WORD]...\n");
    add_paragraph(to, "An SMTP gateway: it takes mail in, keeps it safe, and brings it to its next hop.");
    buf_add_text(to, "\nCommands:\n");
    for (size_t i = 0; i < table->count; i++)
        add_entry(to, table->groups[i]->noun, help_first_sentence(table->groups[i]->help));
    buf_add_text(to, "\nOptions:\n");
    add_options(to, command_general_options);
    add_paragraph(to, "\"tmail COMMAND --help\" tells more; so do the manual pages tmail(1) and tmail.cfg(5).");
}

static void write_group(const struct command_group *group, struct buf *to)
{
    buf_print(to, "Usage: tmail %s VERB [OPTION]... [WORD]...\n", group->noun);
    add_paragraph(to, group->help);
    if (group->also != NULL)
        buf_print(to, "\"%s\" is the same word.\n", group->also);
    buf_add_text(to, "\nVerbs:\n");
    for (size_t i = 0; i < group->count; i++) {
        const struct command *command = &group->commands[i];
        struct buf name = {0};

        buf_add_text(&name, command->verb != NULL ? command->verb : "");
        if (command->words != NULL)
            buf_print(&name, "%s%s", command->verb != NULL ? " " : "", command->words);
        add_entry(to, buf_text(&name), help_first_sentence(command->help));
        buf_done(&name);
    }
    buf_print(to, "\n\"tmail %s VERB --help\" shows the options of a verb.\n", group->noun);
}

static void write_command(const struct command_group *group, const struct command *command, struct buf *to)
{
    struct buf usage = {0};

    command_usage(group, command, &usage);
    buf_add_text(to, "Usage: ");
    add_wrapped(to, to->length - 7, 7, buf_str(&usage));
    add_paragraph(to, command->help);
    if (command->listing || command->options != NULL) {
        buf_add_text(to, "\nOptions:\n");
        add_options(to, command->options);
    }
    if (command->listing)
        add_entry(to, "--json", STR("a JSON array instead of lines"));
    buf_done(&usage);
}

void help_write(const struct command_table *table, const struct command_group *group, const struct command *command, struct buf *to)
{
    if (group == NULL)
        write_application(table, to);
    else if (command == NULL)
        write_group(group, to);
    else
        write_command(group, command, to);
}

void help_hint(const struct command_group *group, const struct command *command, struct buf *to)
{
    struct buf usage = {0};

    if (command != NULL) {
        command_usage(group, command, &usage);
        buf_print(to, "usage: %s\n", buf_text(&usage));
    } else {
        buf_print(to, "\"tmail%s%s --help\" lists what there is.\n", group != NULL ? " " : "", group != NULL ? group->noun : "");
    }
    buf_done(&usage);
}
