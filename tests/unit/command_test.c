#include "test.h"

#include "admin/command.h"
#include "admin/groups.h"
#include "admin/help.h"
#include "admin/identity.h"
#include "admin/listing.h"
#include "conf/field.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/tmail-command-test.XXXXXX";

/* ---- what was printed ---- */

static struct buf printed, complained;
static int kept_stdout, kept_stderr;

static int divert(int fd, int *kept)
{
    int to = memfd_create("printed", MFD_CLOEXEC);

    fflush(NULL);
    *kept = fcntl(fd, F_DUPFD_CLOEXEC, 10);
    dup2(to, fd);
    return to;
}

static void restore(int fd, int kept, int from, struct buf *text)
{
    ssize_t got;

    fflush(NULL);
    dup2(kept, fd);
    close(kept);
    lseek(from, 0, SEEK_SET);
    buf_clear(text);
    while ((got = read(from, buf_room(text, 4096), 4096)) > 0)
        buf_grew(text, (size_t)got);
    close(from);
}

/* ---- commands that tell what they were given ---- */

static struct {
    int count;
    const char *name;
    char words[4][64];
    int word_count;
    char local[64], port[64];
    bool has_local, has_port, json;
    char me[64];
} ran;

static void keep(char to[64], const char *text)
{
    snprintf(to, 64, "%s", text != NULL ? text : "(null)");
}

static int note(struct invocation *i)
{
    ran.count++;
    ran.name = i->command->verb != NULL ? i->command->verb : i->group->noun;
    ran.word_count = i->word_count;
    for (int k = 0; k < i->word_count && k < 4; k++)
        keep(ran.words[k], i->words[k]);
    ran.has_local = invocation_has(i, "local");
    ran.has_port = invocation_has(i, "remotePort");
    keep(ran.local, invocation_value(i, "local"));
    keep(ran.port, invocation_value(i, "remotePort"));
    ran.json = i->json;
    keep(ran.me, i->conf->me);
    return 0;
}

static int note_identity(struct invocation *i)
{
    note(i);
    printf("%d %d %d\n", (int)getuid(), (int)getgid(), setuid(0) == 0);
    return EXIT_DONE;
}

static int fail(struct invocation *i)
{
    return invocation_fail(i, "no %s\nhere \x1b[31m", i->words[0]);
}

static const struct option_spec add_options[] = {
    {"local", "l", NULL, "for local mailboxes"},
    {"remotePort", "rp", "PORT", "port of the next hop"},
    {0},
};

static const struct command host_commands[] = {
    {.verb = "add", .words = "DOMAIN [NOTE]", .words_min = 1, .words_max = 2, .options = add_options, .run = note, .keeps_identity = true,
     .help = "Add a domain.  It is served at once."},
    {.verb = "fail", .words = "DOMAIN", .words_min = 1, .words_max = 1, .run = fail, .keeps_identity = true, .help = "Always fail."},
    {.verb = "list", .listing = true, .run = note, .keeps_identity = true, .help = "List the domains."},
    {.verb = "whoami", .run = note_identity, .help = "Show who works."},
};
static const struct command_group host_group = {
    .noun = "host", .also = "hosts", .help = "domains to serve", .commands = host_commands, .count = 4};

static const struct command serve_commands[] = {
    {.words = "[KEY...]", .words_max = -1, .run = note, .keeps_identity = true, .help = "Serve."},
};
static const struct command_group serve_group = {.noun = "serve", .help = "run the daemon", .commands = serve_commands, .count = 1};

static const struct command_group *const groups[] = {&host_group, &serve_group, &config_group};
static const struct command_table table = {groups, 3, "1.2.3"};

static char *plain_environment[] = {(char *)"TMAIL_ME=mx.example.org", NULL};
static char **environment = plain_environment;

/* Runs `tmail LINE`, LINE cut at its blanks; a _ stands for an empty word. */
static int tmail(const char *line)
{
    static char copy[512];
    char *argv[32] = {(char *)"tmail"};
    int argc = 1, status, out, complaints;

    memset(&ran, 0, sizeof ran);
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = copy; *word != '\0';) {
        char *end = word + strcspn(word, " ");
        bool last = *end == '\0';

        *end = '\0';
        argv[argc++] = strcmp(word, "_") == 0 ? end : word;
        word = last ? end : end + 1;
    }
    out = divert(STDOUT_FILENO, &kept_stdout);
    complaints = divert(STDERR_FILENO, &kept_stderr);
    status = command_main(&table, argc, argv, environment);
    restore(STDERR_FILENO, kept_stderr, complaints, &complained);
    restore(STDOUT_FILENO, kept_stdout, out, &printed);
    return status;
}

static void nothing_typed_shows_help(void)
{
    check_number(tmail(""), EXIT_USAGE);
    check_text(buf_text(&printed), "");
    check_has(buf_text(&complained), "Usage: tmail [-c FILE] COMMAND");
    check_has(buf_text(&complained), "\n  host  ");
    check_number(tmail("host"), EXIT_USAGE);
    check_has(buf_text(&complained), "Usage: tmail host VERB");
}

static void help_is_everywhere(void)
{
    static const struct {
        const char *line, *shown;
    } lines[] = {
        {"--help", "Usage: tmail [-c FILE] COMMAND"},
        {"-h", "Usage: tmail [-c FILE] COMMAND"},
        {"-help", "Usage: tmail [-c FILE] COMMAND"},
        {"help", "Usage: tmail [-c FILE] COMMAND"},
        {"host --help", "Usage: tmail host VERB"},
        {"host -h", "Usage: tmail host VERB"},
        {"host help", "Usage: tmail host VERB"},
        {"help host", "Usage: tmail host VERB"},
        {"--help host", "Usage: tmail host VERB"},
        {"help hosts", "\"hosts\" is the same word."},
        {"host add --help", "Usage: tmail host add [-l] [-rp PORT] DOMAIN [NOTE]\n"},
        {"host add -h", "  -rp, --remotePort PORT  port of the next hop"},
        {"help host add", "Usage: tmail host add"},
        {"host help add", "Usage: tmail host add"},
        {"host add example.org --help", "It is served at once."},
        {"host list help", "Usage: tmail host list [--json]"},
        {"serve --help", "Usage: tmail serve [KEY...]"},
        {"serve help", "Usage: tmail serve"},
        {"help serve", "Usage: tmail serve"},
        {"config --help", "--all"},
    };

    for (size_t i = 0; i < TEST_COUNT(lines); i++) {
        check_number(tmail(lines[i].line), EXIT_DONE);
        if (!check_has(buf_text(&printed), lines[i].shown))
            printf("#   tmail %s\n", lines[i].line);
        check_text(buf_text(&complained), "");
        check_number(ran.count, 0);
    }
    /* A word of the verb's own, not a cry for help. */
    check_number(tmail("host add help"), EXIT_DONE);
    check_text(ran.words[0], "help");
}

static void lists_show_one_sentence(void)
{
    tmail("host --help");
    check_has(buf_text(&printed), "  add DOMAIN [NOTE]       Add a domain\n");
    check(strstr(buf_text(&printed), "served at once") == NULL);
}

static void version_is_shown(void)
{
    static const char *const lines[] = {"--version", "-v", "-version", "host add -v"};

    for (size_t i = 0; i < TEST_COUNT(lines); i++) {
        check_number(tmail(lines[i]), EXIT_DONE);
        check_text(buf_text(&printed), "tmail 1.2.3\n");
    }
}

static void unknown_words_are_misuse(void)
{
    static const struct {
        const char *line, *complaint;
    } lines[] = {
        {"hots", "tmail: unknown command \"hots\", did you mean \"host\"?\n"},
        {"zebra", "tmail: unknown command \"zebra\"\n"},
        {"_", "tmail: unknown command \"\"\n"},
        {"host ad", "tmail host: unknown verb \"ad\", did you mean \"add\"?\n"},
        {"host remove", "tmail host: unknown verb \"remove\"\n"},
        {"help hots", "unknown command \"hots\""},
        {"host add x --remoteport 5", "tmail host add: unknown option \"--remoteport\", did you mean \"--remotePort\"?\n"},
        {"host add x -z", "tmail host add: unknown option \"-z\"\n"},
        {"host add x -lrp", "unknown option \"-lrp\""},
        {"--verzion", "tmail: unknown option \"--verzion\", did you mean \"--version\"?\n"},
        {"-l host add x", "tmail: unknown option \"-l\"\n"},
        {"host list --jsno", "did you mean \"--json\"?"},
        {"host ---add", "unknown option"},
    };

    for (size_t i = 0; i < TEST_COUNT(lines); i++) {
        if (!check_number(tmail(lines[i].line), EXIT_USAGE))
            printf("#   tmail %s\n", lines[i].line);
        check_has(buf_text(&complained), lines[i].complaint);
        check_text(buf_text(&printed), "");
        check_number(ran.count, 0);
    }
}

static void typed_bytes_are_harmless(void)
{
    check_number(tmail("\x1b[31m"), EXIT_USAGE);
    check(strchr(buf_text(&complained), 0x1b) == NULL);
    check_has(buf_text(&complained), "\\x1b[31m");
    check_number(tmail("host fail \x1b[31m\n"), EXIT_FAILED);
    check_text(buf_text(&complained), "tmail host fail: no ?[31m??here ?[31m\n");
}

static void options_stand_anywhere(void)
{
    static const char *const lines[] = {
        "host add -l -rp 25 example.org",      "host add example.org -l -rp 25",     "host add -l example.org --rp 25",
        "host add --local --remotePort=25 example.org", "host add -local example.org -remotePort 25", "host add -rp=25 example.org --l",
        "host add --remotePort 25 -l -- example.org",
    };

    for (size_t i = 0; i < TEST_COUNT(lines); i++) {
        if (!check_number(tmail(lines[i]), EXIT_DONE))
            printf("#   tmail %s: %s\n", lines[i], buf_text(&complained));
        check_number(ran.word_count, 1);
        check_text(ran.words[0], "example.org");
        check(ran.has_local && ran.has_port);
        check_text(ran.local, "");
        check_text(ran.port, "25");
    }
    check_number(tmail("host add example.org"), EXIT_DONE);
    check(!ran.has_local && !ran.has_port);
    check_text(ran.port, "(null)");
}

static void option_values_are_taken_as_they_are(void)
{
    check_number(tmail("host add x -rp -5"), EXIT_DONE);
    check_text(ran.port, "-5");
    check_number(tmail("host add x -rp --"), EXIT_DONE);
    check_text(ran.port, "--");
    check_number(tmail("host add x -rp="), EXIT_USAGE); /* a script's variable that was not set */
    check_number(tmail("host add x -rp=a=b"), EXIT_DONE);
    check_text(ran.port, "a=b");
    check_number(tmail("host add x -rp _"), EXIT_USAGE);
}

static void two_dashes_end_options(void)
{
    check_number(tmail("host add -- -l -rp"), EXIT_DONE);
    check_number(ran.word_count, 2);
    check_text(ran.words[0], "-l");
    check_text(ran.words[1], "-rp");
    check(!ran.has_local);
    check_number(tmail("host add -- --"), EXIT_DONE);
    check_text(ran.words[0], "--");
    check_number(tmail("host add -"), EXIT_DONE);
    check_text(ran.words[0], "-");
    check_number(tmail("-- host add x"), EXIT_DONE);
}

static void options_are_checked(void)
{
    check_number(tmail("host add x -rp"), EXIT_USAGE);
    check_has(buf_text(&complained), "tmail host add: option --remotePort needs a value, PORT\n");
    check_has(buf_text(&complained), "usage: tmail host add [-l] [-rp PORT] DOMAIN [NOTE]\n");
    check_number(tmail("host add x -rp 1 --remotePort 2"), EXIT_USAGE);
    check_has(buf_text(&complained), "option --remotePort is given twice");
    check_number(tmail("host add x -l=yes"), EXIT_USAGE);
    check_has(buf_text(&complained), "option --local takes no value");
    check_number(tmail("host add x -l -l"), EXIT_DONE);
    check_number(tmail("-c"), EXIT_USAGE);
    check_has(buf_text(&complained), "option --config needs a value, FILE");
}

static void words_are_counted(void)
{
    check_number(tmail("host add"), EXIT_USAGE);
    check_has(buf_text(&complained), "tmail host add: a word is missing (expected DOMAIN [NOTE])\n");
    check_number(tmail("host add a b"), EXIT_DONE);
    check_number(tmail("host add a b c"), EXIT_USAGE);
    check_has(buf_text(&complained), "too many words (expected DOMAIN [NOTE])");
    check_number(tmail("host list a"), EXIT_USAGE);
    check_has(buf_text(&complained), "too many words (expected none)");
    check_number(tmail("serve a b c d"), EXIT_DONE);
    check_number(ran.word_count, 4);
    check_number(tmail("serve"), EXIT_DONE);
    check_number(ran.count, 1);
    check_number(tmail("hosts add _"), EXIT_DONE);
    check_text(ran.words[0], "");
}

static void json_is_for_listings(void)
{
    check_number(tmail("host list --json"), EXIT_DONE);
    check(ran.json);
    check_number(tmail("host --json list"), EXIT_DONE);
    check(ran.json);
    check_number(tmail("host list"), EXIT_DONE);
    check(!ran.json);
    check_number(tmail("host add x --json"), EXIT_USAGE);
    check_has(buf_text(&complained), "option --json is for listings");
    check_number(ran.count, 0);
}

static const char *write_file(const char *name, const char *content)
{
    static char path[256];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    if (file == NULL || fputs(content, file) < 0 || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    return path;
}

static void configuration_is_named_anywhere(void)
{
    char *none[] = {NULL};
    char line[300];
    const char *path = write_file("good.cfg", "TMAIL_ME=file.example\n");
    static const char *const forms[] = {"-c %s serve", "serve -c %s", "--config=%s serve", "host --config %s list", "host list -c=%s"};

    environment = none;
    for (size_t i = 0; i < TEST_COUNT(forms); i++) {
        const char *mark = strstr(forms[i], "%s");

        snprintf(line, sizeof line, "%.*s%s%s", (int)(mark - forms[i]), forms[i], path, mark + 2);
        check_number(tmail(line), EXIT_DONE);
        check_text(ran.me, "file.example");
    }
    environment = plain_environment;
}

static void bad_configuration_stops_commands(void)
{
    char line[300];

    snprintf(line, sizeof line, "-c %s serve", write_file("bad.cfg", "TMAIL_SMTPD_DNS=x\nTMAIL_SMTPD_MAX_HOPS=x\n"));
    check_number(tmail(line), EXIT_CONFIG);
    check_number(ran.count, 0);
    check_text(buf_text(&printed), "");
    check_has(buf_text(&complained), "bad.cfg:1: unknown key TMAIL_SMTPD_DNS, did you mean TMAIL_SMTPD_DSNS?\n");
    check_has(buf_text(&complained), "bad.cfg:2: TMAIL_SMTPD_MAX_HOPS: \"x\" is no number");
    check_number(tmail("-c /nonexistent/tmail.cfg serve"), EXIT_CONFIG);
    check_has(buf_text(&complained), "/nonexistent/tmail.cfg: the file cannot be read: No such file or directory\n");
    /* Help needs no configuration. */
    check_number(tmail("-c /nonexistent/tmail.cfg serve --help"), EXIT_DONE);
}

/* ---- who works ---- */

static char source_variable[300], store_variable[300], user_variable[100];
static char *identity_environment[] = {(char *)"TMAIL_ME=mx.example.org", source_variable, store_variable, user_variable, NULL};

static void prepare_identity(const char *user, const char *base)
{
    snprintf(source_variable, sizeof source_variable, "TMAIL_DB_SOURCE=%s/%s/db/tmail.db?_busy_timeout=1", folder, base);
    snprintf(store_variable, sizeof store_variable, "TMAIL_STORE_SOURCE=%s/%s/deep/store", folder, base);
    snprintf(user_variable, sizeof user_variable, "TMAIL_USER=%s", user);
    environment = identity_environment;
}

/* In a child: there is no way back from what identity_become does. */
static int tmail_in_child(const char *line)
{
    int ends[2], status = 0;
    char text[2048] = "";
    ssize_t got;
    pid_t child;

    if (pipe(ends) != 0)
        return -1;
    fflush(NULL);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        char *argv[] = {(char *)"tmail", (char *)"host", (char *)line, NULL};
        status = command_main(&table, 3, argv, environment);
        fflush(NULL);
        _exit(status);
    }
    close(ends[1]);
    buf_clear(&printed);
    while ((got = read(ends[0], text, sizeof text)) > 0)
        buf_add(&printed, (struct str){text, (size_t)got});
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_folder(const char *name, uid_t owner)
{
    char path[300];
    struct stat s;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!check(stat(path, &s) == 0 && S_ISDIR(s.st_mode)))
        return;
    check_number(s.st_mode & 07777, 0750);
    check_number(s.st_uid, owner);
}

static void commands_run_as_the_user(void)
{
    char expected[64];
    bool root = geteuid() == 0;

    prepare_identity("nobody", "who");
    check_number(tmail_in_child("whoami"), EXIT_DONE);
    snprintf(expected, sizeof expected, "%d %d 0\n", root ? 65534 : (int)getuid(), root ? 65534 : (int)getgid());
    check_text(buf_text(&printed), expected);
    check_folder("who/db", root ? 65534 : getuid());
    check_folder("who/deep", root ? 65534 : getuid());
    check_folder("who/deep/store", root ? 65534 : getuid());
    environment = plain_environment;
}

static void existing_folders_are_left_alone(void)
{
    char path[300];
    struct stat s;

    prepare_identity("nobody", "there");
    snprintf(path, sizeof path, "%s/there", folder);
    check(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/there/db", folder);
    check(mkdir(path, 0711) == 0);
    check_number(tmail_in_child("whoami"), EXIT_DONE);
    check(stat(path, &s) == 0);
    check_number(s.st_mode & 07777, 0711);
    check_number(s.st_uid, getuid());
    environment = plain_environment;
}

static void impossible_identities_stop(void)
{
    char path[300];

    prepare_identity("no-such-user", "none");
    if (geteuid() != 0) {
        /* The key is ignored. */
        check_number(tmail_in_child("whoami"), EXIT_DONE);
    } else {
        check_number(tmail_in_child("whoami"), EXIT_CONFIG);
        check_has(buf_text(&printed), "TMAIL_USER: no user \"no-such-user\" on this host: create it with \"useradd --system ");
        prepare_identity("root", "none");
        check_number(tmail_in_child("whoami"), EXIT_CONFIG);
        check_has(buf_text(&printed), "TMAIL_USER: \"root\" is root");
        prepare_identity("nobody", "file");
        snprintf(path, sizeof path, "%s", write_file("file", ""));
        check_number(tmail_in_child("whoami"), EXIT_CONFIG);
        check_has(buf_text(&printed), "TMAIL_DB_SOURCE: the folder ");
    }
    environment = plain_environment;
}

/* ---- tmail config ---- */

static void config_can_be_read_again(void)
{
    char *changed[] = {(char *)"TMAIL_ME=mx.example.org", (char *)"TMAIL_SMTPD_MAX_HOPS=77", (char *)"TMAIL_DB_SOURCE=/a b/it's $x#.db",
                       NULL};
    char *none[] = {NULL};
    struct buf first = {0};
    char line[300];
    char *shell;

    environment = changed;
    check_number(tmail("config"), EXIT_DONE);
    check_has(buf_text(&printed), "\nTMAIL_SMTPD_MAX_HOPS=77 # from environment\n");
    check_has(buf_text(&printed), "\nTMAIL_SMTPD_LAUNCH=true # from default\n");
    check_has(buf_text(&printed), "\nTMAIL_DB_SOURCE='/a b/it'\\''s $x#.db' # from environment\n");
    buf_add(&first, buf_str(&printed));
    snprintf(line, sizeof line, "-c %s config", write_file("again.cfg", buf_text(&first)));
    environment = none;
    check_number(tmail(line), EXIT_DONE);
    check_has(buf_text(&printed), "TMAIL_SMTPD_MAX_HOPS=77 # from ");
    check_has(buf_text(&printed), "TMAIL_DB_SOURCE='/a b/it'\\''s $x#.db' # from ");
    check_has(buf_text(&printed), "again.cfg:1\n");
    /* And a shell reads the same. */
    shell = strdup(line);
    snprintf(line, sizeof line, ". '%s' && test \"$TMAIL_DB_SOURCE\" = \"/a b/it's \\$x#.db\" && test \"$TMAIL_SMTPD_MAX_HOPS\" = 77",
             write_file("again.cfg", buf_text(&first)));
    check_number(system(line), 0);
    free(shell);
    environment = plain_environment;
    buf_done(&first);
}

static void config_shows_what_was_asked_for(void)
{
    check_number(tmail("config TMAIL_ME smtpd_launch SMTPD_MAX_HOPS"), EXIT_USAGE);
    check_text(buf_text(&complained), "tmail config: unknown key smtpd_launch, did you mean TMAIL_SMTPD_LAUNCH?\n");
    check_text(buf_text(&printed), "");
    check_number(tmail("config TMAIL_ME SMTPD_MAX_HOPS"), EXIT_DONE);
    check_text(buf_text(&printed), "TMAIL_ME=mx.example.org # from environment\nTMAIL_SMTPD_MAX_HOPS=50 # from default\n");
    check_number(tmail("config zebra ZEBRA2"), EXIT_USAGE);
    check_text(buf_text(&complained), "tmail config: unknown key zebra\ntmail config: unknown key ZEBRA2\n");
    check_number(tmail("config --all TMAIL_SMTPD_MAX_HOPS"), EXIT_DONE);
    check_has(buf_text(&printed), "# TMAIL_SMTPD_MAX_HOPS: Received fields before a message counts as looping\n");
    check_has(buf_text(&printed), "a number from 1 to 10000; default 50\nTMAIL_SMTPD_MAX_HOPS=50 # from default\n");
}

static void config_speaks_json(void)
{
    check_number(tmail("config --json TMAIL_SMTPD_MAX_HOPS"), EXIT_DONE);
    check_has(buf_text(&printed), "[\n{\"key\": \"TMAIL_SMTPD_MAX_HOPS\", \"value\": \"50\", \"source\": \"default\", \"default\": \"50\"");
    check_has(buf_text(&printed), "}\n]\n");
}

static int run_config(const struct conf_schema *schema, const char *content, bool json)
{
    static const char *no_words[1];
    char *none[] = {NULL};
    struct conf conf;
    struct conf_errors errors = {0};
    struct invocation i = {.conf = &conf, .group = &config_group, .command = config_group.commands, .words = no_words, .json = json};
    int status = -1, out;

    out = divert(STDOUT_FILENO, &kept_stdout);
    if (conf_load_content(&conf, schema, "tmail.cfg", str_of(content), none, &errors))
        status = config_group.commands[0].run(&i);
    restore(STDOUT_FILENO, kept_stdout, out, &printed);
    conf_done(&conf);
    conf_errors_done(&errors);
    return status;
}

static void config_hides_secrets(void)
{
    static const struct conf_key keys[] = {{.name = "TMAIL_PASSWORD",
                                            .section = "S",
                                            .type = CONF_TEXT,
                                            .place = offsetof(struct conf, user),
                                            .standard = "",
                                            .secret = true,
                                            .expected = "a word",
                                            .help = "a secret"}};
    static const struct conf_schema schema = {.keys = keys, .count = 1};

    check_number(run_config(&schema, "TMAIL_PASSWORD=hunter2", false), EXIT_DONE);
    check_text(buf_text(&printed), "#TMAIL_PASSWORD=(set) # from tmail.cfg:1\n");
    check_number(run_config(&schema, "TMAIL_PASSWORD=hunter2", true), EXIT_DONE);
    check_has(buf_text(&printed), "\"value\": \"(set)\"");
    check(strstr(buf_text(&printed), "hunter") == NULL);
    check_number(run_config(&schema, "", false), EXIT_DONE);
    check_text(buf_text(&printed), "TMAIL_PASSWORD= # from default\n");
}

/* ---- listings ---- */

static bool list(bool json, struct str hostile)
{
    int out = divert(STDOUT_FILENO, &kept_stdout);
    struct listing *l = listing_open(json);
    bool ok;

    listing_str(l, "name", hostile);
    listing_text(l, "none", NULL);
    listing_number(l, "size", INT64_MIN);
    listing_bool(l, "good", true);
    listing_line(l, "%.*s end", STR_ARG(hostile));
    listing_end_row(l);
    listing_text(l, "name", "two");
    listing_line(l, "two");
    listing_end_row(l);
    ok = listing_close(&l);
    restore(STDOUT_FILENO, kept_stdout, out, &printed);
    return ok && l == NULL;
}

static void listings_are_lines_or_json(void)
{
    check(list(false, STR("one")));
    check_text(buf_text(&printed), "one end\ntwo\n");
    check(list(true, STR("one")));
    check_text(buf_text(&printed),
               "[\n{\"name\": \"one\", \"none\": null, \"size\": -9223372036854775808, \"good\": true},\n{\"name\": \"two\"}\n]\n");
}

static void listings_escape(void)
{
    check(list(false, STR("a\x1b[31m\r\n\t\x7f\xc2\x9b\xff\xc3\xa9z")));
    check_text(buf_text(&printed), "a?[31m??????\xc3\xa9z end\ntwo\n");
    check(list(true, STR("\"\\\x1b\n\xff\xc3\xa9\xc2\x9b\xed\xa0\x80")));
    check_has(buf_text(&printed), "\"name\": \"\\\"\\\\\\u001B\\n\\uFFFD\\u00E9\\u009B\\uFFFD\\uFFFD\\uFFFD\"");
    check(list(true, STR("a\0b")));
    check_has(buf_text(&printed), "\"a\\u0000b\"");
}

static void empty_listings_are_empty(void)
{
    int out = divert(STDOUT_FILENO, &kept_stdout);
    struct listing *l = listing_open(true);

    listing_close(&l);
    restore(STDOUT_FILENO, kept_stdout, out, &printed);
    check_text(buf_text(&printed), "[]\n");
    check(listing_close(&l));
}

static void full_output_is_noticed(void)
{
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), kept;
    struct listing *l;
    bool ok;

    fflush(NULL);
    kept = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(full, STDOUT_FILENO);
    l = listing_open(false);
    listing_line(l, "lost");
    ok = listing_close(&l);
    dup2(kept, STDOUT_FILENO);
    clearerr(stdout);
    close(kept);
    close(full);
    check(!ok);
}

static const struct test_case cases[] = {
    TEST_CASE(nothing_typed_shows_help),
    TEST_CASE(help_is_everywhere),
    TEST_CASE(lists_show_one_sentence),
    TEST_CASE(version_is_shown),
    TEST_CASE(unknown_words_are_misuse),
    TEST_CASE(typed_bytes_are_harmless),
    TEST_CASE(options_stand_anywhere),
    TEST_CASE(option_values_are_taken_as_they_are),
    TEST_CASE(two_dashes_end_options),
    TEST_CASE(options_are_checked),
    TEST_CASE(words_are_counted),
    TEST_CASE(json_is_for_listings),
    TEST_CASE(configuration_is_named_anywhere),
    TEST_CASE(bad_configuration_stops_commands),
    TEST_CASE(commands_run_as_the_user),
    TEST_CASE(existing_folders_are_left_alone),
    TEST_CASE(impossible_identities_stop),
    TEST_CASE(config_can_be_read_again),
    TEST_CASE(config_shows_what_was_asked_for),
    TEST_CASE(config_speaks_json),
    TEST_CASE(config_hides_secrets),
    TEST_CASE(listings_are_lines_or_json),
    TEST_CASE(listings_escape),
    TEST_CASE(empty_listings_are_empty),
    TEST_CASE(full_output_is_noticed),
};

static void remove_files(void)
{
    static const char *const names[] = {
        "who/db",  "who/deep/store",  "who/deep",  "who",  "there/db", "there/deep/store", "there/deep", "there",
        "none/db", "none/deep/store", "none/deep", "none", "file",     "good.cfg",         "bad.cfg",    "again.cfg"};
    char path[300];

    for (size_t i = 0; i < TEST_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        remove(path);
    }
    rmdir(folder);
}

int main(int argc, char **argv)
{
    int status;

    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    remove_files();
    buf_done(&printed);
    buf_done(&complained);
    return status;
}
