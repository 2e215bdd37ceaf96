#include "admin/command.h"

#include "admin/help.h"
#include "admin/identity.h"
#include "base/memory.h"
#include "conf/near_miss.h"
#include "conf/value.h"

#include <stdio.h>
#include <string.h>

const struct option_spec command_general_options[] = {
    {"config", "c", "FILE", "configuration file (default: $TMAIL_CONFIG, else /etc/tmail/tmail.cfg)"},
    {"help", "h", NULL, "show what can be typed here"},
    {"version", "v", NULL, "show the version"},
    {0},
};

enum { GENERAL_CONFIG, GENERAL_HELP, GENERAL_VERSION, GENERAL_COUNT };

/* A command line on its way to an invocation. */
struct reading {
    const struct command_table *table;
    int argc, at;
    char **argv;
    bool options_ended;
    const char *general[GENERAL_COUNT];
    struct invocation invocation;
};

const char *invocation_value(const struct invocation *i, const char *name)
{
    for (size_t k = 0; k < COMMAND_OPTIONS_MAX && i->command->options != NULL && i->command->options[k].name != NULL; k++)
        if (strcmp(i->command->options[k].name, name) == 0)
            return i->values[k];
    return NULL;
}

bool invocation_has(const struct invocation *i, const char *name)
{
    return invocation_value(i, name) != NULL;
}

/* MESSAGE may quote what somebody typed or sent. */
__attribute__((format(printf, 2, 0))) static void complain(const struct invocation *i, const char *format, va_list args)
{
    struct buf text = {0};

    buf_add_text(&text, "tmail");
    if (i->group != NULL)
        buf_print(&text, " %s", i->group->noun);
    if (i->command != NULL && i->command->verb != NULL)
        buf_print(&text, " %s", i->command->verb);
    buf_add_text(&text, ": ");
    buf_print_args(&text, format, args);
    for (size_t k = 0; k < text.length; k++)
        if ((unsigned char)text.data[k] < 32 || text.data[k] == 127)
            text.data[k] = '?';
    fprintf(stderr, "%s\n", buf_text(&text));
    buf_done(&text);
}

int invocation_fail(const struct invocation *i, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    complain(i, format, args);
    va_end(args);
    return EXIT_FAILED;
}

__attribute__((format(printf, 2, 3))) static bool misuse(struct reading *r, const char *format, ...)
{
    struct buf help = {0};
    va_list args;

    va_start(args, format);
    complain(&r->invocation, format, args);
    va_end(args);
    help_hint(r->invocation.group, r->invocation.command, &help);
    fputs(buf_text(&help), stderr);
    buf_done(&help);
    return false;
}

/* misuse for a WORD that is none of those that MISS was shown. */
static bool unknown(struct reading *r, const char *kind, struct str word, const struct near_miss *miss, const char *dashes)
{
    struct buf quoted = {0};

    value_quote(&quoted, word);
    if (miss->word != NULL)
        misuse(r, "unknown %s %s, did you mean \"%s%s\"?", kind, buf_text(&quoted), dashes, miss->word);
    else
        misuse(r, "unknown %s %s", kind, buf_text(&quoted));
    buf_done(&quoted);
    return false;
}

/* The place of NAME in OPTIONS, -1 when it is not there. */
static int find_option(const struct option_spec *options, struct str name)
{
    for (int k = 0; options != NULL && options[k].name != NULL; k++)
        if (str_equal(name, str_of(options[k].name)) || (options[k].short_name != NULL && str_equal(name, str_of(options[k].short_name))))
            return k;
    return -1;
}

static void try_options(struct near_miss *miss, const struct option_spec *options)
{
    for (; options != NULL && options->name != NULL; options++)
        near_miss_try(miss, options->name);
}

/* Keeps the option SPEC in *VALUE; TEXT is what stood behind its =, NULL when there was none. */
static bool keep_option(struct reading *r, const struct option_spec *spec, const char *text, const char **value)
{
    if (*value != NULL && spec->value != NULL)
        return misuse(r, "option --%s is given twice", spec->name);
    if (spec->value == NULL && text != NULL)
        return misuse(r, "option --%s takes no value", spec->name);
    if (spec->value != NULL && text == NULL && r->at == r->argc)
        return misuse(r, "option --%s needs a value, %s", spec->name, spec->value);
    if (spec->value == NULL)
        *value = "";
    else
        *value = text != NULL ? text : r->argv[r->at++];
    if (spec->value != NULL && (*value)[0] == '\0') /* a script's variable that was not set, say */
        return misuse(r, "option --%s is empty (expected %s)", spec->name, spec->value);
    return true;
}

static bool take_option(struct reading *r, const char *argument)
{
    const struct option_spec *own = r->invocation.command != NULL ? r->invocation.command->options : NULL;
    struct str rest = str_of(argument + (argument[1] == '-' ? 2 : 1)), name;
    const char *text;
    struct near_miss miss;
    int place;

    str_cut(&rest, '=', &name);
    text = rest.data;
    if ((place = find_option(own, name)) >= 0 && place < COMMAND_OPTIONS_MAX)
        return keep_option(r, &own[place], text, &r->invocation.values[place]);
    if (str_equal(name, STR("json")) && text == NULL) {
        r->invocation.json = true;
        return true;
    }
    if ((place = find_option(command_general_options, name)) >= 0)
        return keep_option(r, &command_general_options[place], text, &r->general[place]);
    miss = near_miss_of(name);
    try_options(&miss, own);
    try_options(&miss, command_general_options);
    if (r->invocation.command != NULL && r->invocation.command->listing)
        near_miss_try(&miss, "json");
    return unknown(r, "option", str_of(argument), &miss, "--");
}

/* The command that is the noun alone, NULL when there is none. */
static const struct command *verbless(const struct command_group *group)
{
    for (size_t k = 0; k < group->count; k++)
        if (group->commands[k].verb == NULL)
            return &group->commands[k];
    return NULL;
}

static bool take_noun(struct reading *r, const char *word)
{
    struct near_miss miss = near_miss_of(str_of(word));

    for (size_t k = 0; k < r->table->count; k++) {
        const struct command_group *group = r->table->groups[k];

        if (strcmp(word, group->noun) == 0 || (group->also != NULL && strcmp(word, group->also) == 0)) {
            r->invocation.group = group;
            if (group->count == 1)
                r->invocation.command = verbless(group);
            return true;
        }
        near_miss_try(&miss, group->noun);
        if (group->also != NULL)
            near_miss_try(&miss, group->also);
    }
    return unknown(r, "command", miss.typed, &miss, "");
}

static bool take_verb(struct reading *r, const char *word)
{
    const struct command_group *group = r->invocation.group;
    struct near_miss miss = near_miss_of(str_of(word));

    for (size_t k = 0; k < group->count; k++) {
        if (group->commands[k].verb == NULL)
            continue;
        if (strcmp(word, group->commands[k].verb) == 0) {
            r->invocation.command = &group->commands[k];
            return true;
        }
        near_miss_try(&miss, group->commands[k].verb);
    }
    return unknown(r, "verb", miss.typed, &miss, "");
}

/* `help` is a word like others where a verb expects words of its own. */
static bool is_help(const struct reading *r, const char *word)
{
    const struct command *command = r->invocation.command;
    bool stands_first = command == NULL || (r->invocation.word_count == 0 && (command->verb == NULL || command->words_max == 0));

    return stands_first && strcmp(word, "help") == 0;
}

static bool take_word(struct reading *r, const char *word)
{
    if (is_help(r, word)) {
        r->general[GENERAL_HELP] = "";
        return true;
    }
    if (r->invocation.group == NULL)
        return take_noun(r, word);
    if (r->invocation.command == NULL)
        return take_verb(r, word);
    r->invocation.words[r->invocation.word_count++] = word;
    return true;
}

static bool read_arguments(struct reading *r)
{
    bool ok = true;

    for (r->at = 1; ok && r->at < r->argc;) {
        const char *argument = r->argv[r->at++];

        if (!r->options_ended && strcmp(argument, "--") == 0)
            r->options_ended = true;
        else if (!r->options_ended && argument[0] == '-' && argument[1] != '\0')
            ok = take_option(r, argument);
        else
            ok = take_word(r, argument);
    }
    return ok;
}

static bool is_complete(struct reading *r)
{
    const struct command *command = r->invocation.command;
    int count = r->invocation.word_count;

    if (r->invocation.json && !command->listing)
        return misuse(r, "option --json is for listings");
    if (count < command->words_min)
        return misuse(r, "a word is missing (expected %s)", command->words);
    if (command->words_max >= 0 && count > command->words_max)
        return misuse(r, "too many words (expected %s)", command->words != NULL ? command->words : "none");
    return true;
}

static int run(struct reading *r, char **environment)
{
    struct invocation *i = &r->invocation;
    struct conf conf;
    struct conf_errors errors = {0};
    char error[IDENTITY_ERROR_SIZE];
    int status = EXIT_CONFIG;

    i->conf = &conf;
    if (!conf_load(&conf, r->general[GENERAL_CONFIG], environment, &errors))
        fputs(buf_text(&errors.lines), stderr);
    else if (!i->command->keeps_identity && !identity_become(&conf, error, sizeof error))
        invocation_fail(i, "%s", error);
    else
        status = i->command->run(i);
    conf_errors_done(&errors);
    conf_done(&conf);
    i->conf = NULL;
    return status;
}

static int show_help(const struct reading *r, FILE *to, int status)
{
    struct buf text = {0};

    help_write(r->table, r->invocation.group, r->invocation.command, &text);
    fputs(buf_text(&text), to);
    buf_done(&text);
    return fflush(to) == 0 ? status : EXIT_FAILED;
}

static int answer(struct reading *r, char **environment)
{
    if (!read_arguments(r))
        return EXIT_USAGE;
    if (r->general[GENERAL_HELP] != NULL)
        return show_help(r, stdout, EXIT_DONE);
    if (r->general[GENERAL_VERSION] != NULL)
        return printf("tmail %s\n", r->table->version) > 0 && fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
    if (r->invocation.group != NULL && r->invocation.command == NULL)
        r->invocation.command = verbless(r->invocation.group);
    if (r->invocation.command == NULL)
        return show_help(r, stderr, EXIT_USAGE);
    return is_complete(r) ? run(r, environment) : EXIT_USAGE;
}

int command_main(const struct command_table *table, int argc, char **argv, char **environment)
{
    struct reading r = {.table = table, .argc = argc, .argv = argv};
    int status;

    r.invocation.words = memory_new((size_t)(argc > 0 ? argc : 1) * sizeof *r.invocation.words);
    status = answer(&r, environment);
    memory_free(&r.invocation.words);
    return status;
}
