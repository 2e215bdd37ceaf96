/*
 * docgen - prints the documents that are made from the tables of the program.
 *
 *     docgen tmail.1 | tmail.cfg.5 | tmail.cfg | completion
 *
 * It is built with the program and not installed.  The manual pages are mdoc(7).
 */
#include "admin/groups.h"
#include "conf/schema.h"
#include "conf/shell.h"
#include "queue/views.h"
#include "report/template.h"

#include <stdio.h>
#include <string.h>

#define DOCUMENT_DATE "November 21, 2026"

/* TEXT as lines of mdoc text, a sentence a line. */
static void put_text(const char *text)
{
    bool line_starts = true;

    for (const char *c = text; *c != '\0'; c++) {
        if (line_starts && (*c == '.' || *c == '\''))
            fputs("\\&", stdout);
        line_starts = strncmp(c, ".  ", 3) == 0;
        if (*c == '\\')
            fputs("\\e", stdout);
        else
            putchar(*c);
        if (line_starts) {
            putchar('\n');
            c += 2;
        }
    }
    putchar('\n');
}

/* TEXT as one argument of a macro. */
static void put_argument(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++)
        if (*text == '"')
            fputs("\\(dq", stdout);
        else if (*text == '\\')
            fputs("\\e", stdout);
        else
            putchar(*text);
    putchar('"');
}

static void put_item(const char *macro, const char *text)
{
    printf(".It %s ", macro);
    put_argument(text);
    putchar('\n');
}

static void put_options(const struct option_spec *option)
{
    if (option == NULL || option->name == NULL)
        return;
    puts(".Bl -tag -width Ds");
    for (; option->name != NULL; option++) {
        fputs(".It", stdout);
        if (option->short_name != NULL)
            printf(" Fl %s ,", option->short_name);
        printf(" Fl -%s", option->name);
        if (option->value != NULL)
            printf(" Ar %s", option->value);
        putchar('\n');
        put_text(option->help);
    }
    puts(".El");
}

static void put_command(const struct command_group *group, const struct command *command)
{
    struct buf usage = {0};

    command_usage(group, command, &usage);
    put_item("Ic", buf_text(&usage) + strlen("tmail "));
    put_text(command->help);
    put_options(command->options);
    buf_done(&usage);
}

static void put_group(const struct command_group *group)
{
    printf(".Ss %s\n", group->noun);
    put_text(group->help);
    if (group->also != NULL)
        printf("The word may also be\n.Ic %s .\n", group->also);
    puts(".Bl -tag -width Ds");
    for (size_t i = 0; i < group->count; i++)
        put_command(group, &group->commands[i]);
    puts(".El");
}

static void put_view(const struct view *view)
{
    printf(".Ss %s\n", view->name);
    printf("A row is %s.\n.Bl -tag -width Ds -compact\n", view->help);
    for (const struct view_column *column = view->columns; column < view->columns + VIEW_COLUMNS_MAX && column->name != NULL; column++) {
        put_item("Li", column->name);
        if (column->help != NULL)
            put_text(column->help);
    }
    puts(".El");
}

static int print_command_page(void)
{
    puts(".Dd " DOCUMENT_DATE "\n.Dt TMAIL 1\n.Os\n"
         ".Sh NAME\n.Nm tmail\n.Nd SMTP gateway\n"
         ".Sh SYNOPSIS\n.Nm\n.Op Fl c Ar FILE\n.Ar COMMAND\n.Op Ar OPTION ...\n.Op Ar WORD ...\n"
         ".Sh DESCRIPTION\n.Nm\naccepts mail by SMTP for the domains and clients that it is told to serve, puts it on stable storage "
         "before it says so,\n"
         "and relays it to the next hop that its routes name.\n.Pp\n"
         ".Ic tmail run\nis the daemon.\nThe other commands look at what it works with and change it;\n"
         "a change is in force for the next SMTP command, without a restart.\n.Pp\n"
         "Options may stand before or after the words of a command, with one dash or two, their value behind a blank or an equals sign;\n"
         ".Fl -\nends them.\nThese stand in every command:");
    put_options(command_general_options);
    puts(".Pp\nA listing prints a JSON array with\n.Fl -json .\n.Sh COMMANDS");
    for (size_t i = 0; i < command_group_count; i++)
        put_group(command_groups[i]);
    puts(".Sh VIEWS OF THE QUEUE\nThese are made for\n.Ic tmail queue sql ,\nand for any SQLite client that opens\n.Pa queue.db\nin the folder of\n"
         ".Ev TMAIL_STORE_SOURCE .\nTimes are text in UTC, such as 2026-11-21T12:00:00Z.");
    for (size_t i = 0; i < queue_view_count; i++)
        put_view(&queue_views[i]);
    puts(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev TMAIL_CONFIG\nThe configuration file, where\n.Fl c\nnames none.\n"
         ".It Ev TMAIL_*\nEvery key of\n.Xr tmail.cfg 5\nmay be set in the environment, which has the last word.\n.El\n"
         ".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/tmail/tmail.cfg\nThe configuration.\n.El\n"
         ".Sh EXIT STATUS\n.Bl -tag -width Ds -compact\n.It 0\nDone.\n.It 1\nIt could not be done; the message says why.\n"
         ".It 64\nWrong usage.\n.It 75\nTry again.\n.It 78\nBad configuration.\n.El\n"
         ".Sh EXAMPLES\nAccept mail for a domain, send it on to its server, and see what waits:\n.Bd -literal -offset indent\n"
         "tmail rcpthost add example.com\ntmail routes add -d example.com -rh mail.example.com\ntmail queue list\n.Ed\n"
         ".Sh SEE ALSO\n.Xr tmail.cfg 5");
    return 0;
}

/* The help and the manual of KEY as sentences. */
static void add_description(const struct conf_key *key, struct buf *to)
{
    size_t start = to->length;

    buf_print(to, "%s.", key->help);
    if (to->data[start] >= 'a' && to->data[start] <= 'z')
        to->data[start] = (char)(to->data[start] - 'a' + 'A');
    if (key->manual != NULL)
        buf_print(to, "  %s", key->manual);
}

static const char *standard_of(const struct conf_key *key)
{
    const char *standard = key->standard != NULL ? key->standard : key->standard_help;

    return standard[0] != '\0' ? standard : "empty";
}

static void put_key(const struct conf_key *key)
{
    struct buf facts = {0};

    put_item("Ev", key->name);
    add_description(key, &facts);
    put_text(buf_text(&facts));
    buf_clear(&facts);
    if (key->secret)
        printf("It is a secret: it is never shown, and\n.Ev %s_FILE\nmay name a file that holds it instead.\n", key->name);
    buf_add_text(&facts, "Value: ");
    schema_expected(key, &facts);
    buf_print(&facts, ".  Default: %s.", standard_of(key));
    put_text(buf_text(&facts));
    buf_done(&facts);
}

static bool starts_section(size_t place)
{
    return place == 0 || strcmp(tmail_schema.keys[place - 1].section, tmail_schema.keys[place].section) != 0;
}

/* The language of report/template.h. */
static void put_template(void)
{
    puts(".Sh REPORTS\nThe words of the reports that senders get about their mail are those of a template;\n"
         ".Ev TMAIL_BOUNCE_TEMPLATE\nnames its file.\nOne in English, which is built in, and one in French come with the program, to be copied and changed.\n"
         "A template is UTF-8.\nIt starts with a head: comments, which begin with\n.Li # ,\nand the fields\n"
         ".Li Language , Subject-Failed , Subject-Delayed , Subject-Delivered , Subject-Relayed\nand, for those of them that are missing,\n.Li Subject .\n"
         "An empty line ends the head; the text follows.\nIn the text and in subjects\n.Bl -tag -width Ds\n"
         ".It Li {{NAME}}\nstands for a value;\n"
         ".It Li {{if NAME}} ... {{else}} ... {{end}}\nshows the first side where NAME holds or is not empty, else the second, which may be missing;\n"
         ".It Li {{each}} ... {{end}}\nin the text, is repeated for every recipient;\n.Li {{each failed}}\nfor those whose action that is:\n"
         ".Li failed , delayed , delivered\nor\n.Li relayed .\n.El\n.Pp\n"
         "A line with nothing but\n.Li if , each , else\nand\n.Li end\nleaves no line behind.\nThe names are:\n.Bl -tag -width Ds");
    for (size_t i = 0; i < template_placeholder_count; i++) {
        const struct template_placeholder *p = &template_placeholders[i];

        printf(".It Li %s\n", p->name);
        put_text(p->help);
        if (p->in_each)
            puts("Only inside of\n.Li each .");
        if (p->condition)
            puts("Only behind\n.Li if .");
    }
    puts(".El");
}

static int print_file_page(void)
{
    puts(
        ".Dd " DOCUMENT_DATE "\n.Dt TMAIL.CFG 5\n.Os\n"
        ".Sh NAME\n.Nm tmail.cfg\n.Nd configuration of the tmail SMTP gateway\n"
        ".Sh DESCRIPTION\nThe file has lines of the form\n.Ar KEY Ns = Ns Ar value .\n"
        "It is the one that\n.Xr tmail 1\nis given by\n.Fl c ,\nelse the one that\n.Ev TMAIL_CONFIG\nnames, else\n.Pa /etc/tmail/tmail.cfg "
        ".\n"
        "A shell can source it and systemd can read it as an\n.Li EnvironmentFile :\n"
        "a line may start with\n.Li export ,\na value may be bare, in single quotes or in double quotes,\nand a comment starts with\n.Li # "
        ".\n"
        "A value with blanks needs quotes; for a shell, one with a semicolon, & or | needs them too.\n"
        "Nothing is expanded: a dollar sign or a backquote outside single quotes is an error unless a backslash stands before it.\n.Pp\n"
        "A variable of the environment takes the place of a line of the file.\n"
        "Keys that do not start with\n.Li TMAIL_\nare other programs' and are ignored.\n"
        "A key that starts so and is not known, a key that stands twice, and a value that does not fit stop the start;\n"
        "all of them are listed.\n"
        ".Ic tmail config\nshows the values in force.\n.Pp\n"
        "Times take the units\n.Li s , m , h\nand\n.Li d ;\nsizes take\n.Li K , M\nand\n.Li G\n(powers of 1024).\n"
        "Booleans are\n.Li true , yes , on , 1\nor\n.Li false , no , off , 0 .\nItems of lists are separated by\n.Li \\&;\nor\n.Li \\&, .\n"
        ".Sh KEYS");
    for (size_t i = 0; i < tmail_schema.count; i++) {
        if (starts_section(i))
            printf("%s.Ss %s\n.Bl -tag -width Ds\n", i > 0 ? ".El\n" : "", tmail_schema.keys[i].section);
        put_key(&tmail_schema.keys[i]);
    }
    puts(".El");
    put_template();
    puts(".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/tmail/tmail.cfg\nThe configuration, where nothing else is named.\n.El\n"
         ".Sh EXAMPLES\n.Bd -literal -offset indent\nTMAIL_ME=mx.example.org\n"
         "TMAIL_SMTPD_DSNS='0.0.0.0:25:false;[::]:25:false'\nTMAIL_DELIVERD_QUEUE_LIFETIME=3d\n.Ed\n.Sh SEE ALSO\n.Xr tmail 1");
    return 0;
}

enum { COMMENT_WIDTH = 100 };

/* TEXT as comment lines. */
static void put_comment(const char *text)
{
    struct str rest = str_of(text), word;
    size_t used = 0;

    while (str_cut(&rest, ' ', &word)) {
        if (word.length == 0)
            continue;
        if (used == 0 || used + 1 + word.length > COMMENT_WIDTH) {
            fputs(used > 0 ? "\n#" : "#", stdout);
            used = 1;
        }
        printf(" %.*s", STR_ARG(word));
        used += 1 + word.length;
    }
    putchar('\n');
}

static void put_sample_key(const struct conf_key *key)
{
    struct buf line = {0};

    add_description(key, &line);
    put_comment(buf_text(&line));
    buf_clear(&line);
    buf_add_text(&line, "Value: ");
    schema_expected(key, &line);
    if (key->standard == NULL)
        buf_print(&line, "; default: %s", key->standard_help);
    put_comment(buf_text(&line));
    buf_clear(&line);
    if (key->standard != NULL)
        shell_write(&line, str_of(key->standard));
    printf("#%s=%s\n\n", key->name, buf_text(&line));
    buf_done(&line);
}

static int print_sample(void)
{
    put_comment("Configuration of tmail, see tmail.cfg(5).  Every key is here with its default; take the # away from a line to change it.  "
                "\"tmail config\" shows what is in force.");
    for (size_t i = 0; i < tmail_schema.count; i++) {
        if (starts_section(i))
            printf("\n# ---- %s ----\n\n", tmail_schema.keys[i].section);
        put_sample_key(&tmail_schema.keys[i]);
    }
    return 0;
}

static void put_option_words(const struct option_spec *option)
{
    for (; option != NULL && option->name != NULL; option++) {
        if (option->short_name != NULL)
            printf(" -%s", option->short_name);
        printf(" --%s", option->name);
    }
}

/* The cases of "NOUN VERB": its options, and whether files are among its words. */
static void put_completion_cases(const struct command_group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        const struct command *command = &group->commands[i];

        printf("    '%s %s'", group->noun, command->verb != NULL ? command->verb : "");
        if (group->also != NULL)
            printf(" | '%s %s'", group->also, command->verb != NULL ? command->verb : "");
        fputs(") options=\"$options", stdout);
        put_option_words(command->options);
        printf("%s\"%s ;;\n", command->listing ? " --json" : "",
               command->words != NULL && strstr(command->words, "FILE") != NULL ? " files=yes" : "");
    }
}

static bool is_verbless(const struct command_group *group)
{
    return group->count == 1 && group->commands[0].verb == NULL;
}

/* The nouns that are commands by themselves: what stands behind them is no verb. */
static void put_verbless(void)
{
    for (size_t i = 0; i < command_group_count; i++)
        if (is_verbless(command_groups[i]))
            printf("    %s) verb= ;;\n", command_groups[i]->noun);
}

static void put_verbs(const struct command_group *group)
{
    printf("    %s%s%s) words=\"", group->noun, group->also != NULL ? " | " : "", group->also != NULL ? group->also : "");
    for (size_t i = 0; i < group->count; i++)
        if (group->commands[i].verb != NULL)
            printf("%s ", group->commands[i].verb);
    puts("help\" ;;");
}

static int print_completion(void)
{
    fputs("# bash completion of tmail\n_tmail()\n{\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} noun= verb= words= files= options=\"",
          stdout);
    put_option_words(command_general_options);
    puts("\" i\n\n    COMPREPLY=()\n"
         "    if [[ $previous == -c || $previous == --config ]]; then\n        compopt -o filenames 2>/dev/null\n"
         "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n        return\n    fi\n"
         "    for ((i = 1; i < COMP_CWORD; i++)); do\n        case ${COMP_WORDS[i]} in\n        -c | --config) ((i++)) ;;\n        -*) ;;\n"
         "        *) if [[ -z $noun ]]; then noun=${COMP_WORDS[i]}; elif [[ -z $verb ]]; then verb=${COMP_WORDS[i]}; fi ;;\n        esac\n "
         "   done\n"
         "    case $noun in");
    put_verbless();
    puts("    esac\n    case \"$noun $verb\" in");
    for (size_t i = 0; i < command_group_count; i++)
        put_completion_cases(command_groups[i]);
    fputs("    esac\n    case $verb$noun in\n    '') words=\"", stdout);
    for (size_t i = 0; i < command_group_count; i++)
        printf("%s ", command_groups[i]->noun);
    fputs("help\" ;;\n    config) words=\"", stdout);
    for (size_t i = 0; i < tmail_schema.count; i++)
        printf("%s%s", i > 0 ? " " : "", tmail_schema.keys[i].name);
    puts("\" ;;");
    for (size_t i = 0; i < command_group_count; i++)
        if (!is_verbless(command_groups[i]))
            put_verbs(command_groups[i]);
    puts("    esac\n    if [[ $current == -* ]]; then\n        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
         "    elif [[ -n $files ]]; then\n        compopt -o filenames 2>/dev/null\n        mapfile -t COMPREPLY < <(compgen -f -- "
         "\"$current\")\n"
         "    else\n        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n    fi\n}\ncomplete -F _tmail tmail");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*print)(void);
    } documents[] = {
        {"tmail.1", print_command_page}, {"tmail.cfg.5", print_file_page}, {"tmail.cfg", print_sample}, {"completion", print_completion}};

    for (size_t i = 0; argc == 2 && i < sizeof documents / sizeof documents[0]; i++)
        if (strcmp(argv[1], documents[i].name) == 0)
            return documents[i].print() == 0 && fflush(stdout) == 0 && !ferror(stdout) ? EXIT_DONE : EXIT_FAILED;
    fputs("usage: docgen tmail.1 | tmail.cfg.5 | tmail.cfg | completion\n", stderr);
    return EXIT_USAGE;
}
