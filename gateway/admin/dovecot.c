#include "admin/groups.h"
#include "dovecot/setup.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    enum setup_version version;
} versions[] = {{"2.3", SETUP_2_3}, {"2.4", SETUP_2_4}};

/* 2.4 wants this word in its configuration, and Debian's has it. */
static bool looks_like_2_4(const char *path)
{
    FILE *file = fopen(path, "r");
    char line[512];
    bool found = false;

    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = strncmp(line, "dovecot_config_version", strlen("dovecot_config_version")) == 0;
    if (file != NULL)
        fclose(file);
    return found;
}

static bool read_version(struct invocation *i, enum setup_version *version)
{
    const char *word = invocation_value(i, "version");

    *version = looks_like_2_4(SETUP_MAIN_PATH) ? SETUP_2_4 : SETUP_2_3;
    if (word == NULL)
        return true;
    for (size_t k = 0; k < sizeof versions / sizeof versions[0]; k++)
        if (strncmp(word, versions[k].word, strlen(versions[k].word)) == 0 && strchr(".", word[strlen(versions[k].word)]) != NULL) {
            *version = versions[k].version;
            return true;
        }
    (void)invocation_fail(i, "\"%s\" is no version of Dovecot that I know (expected 2.3 or 2.4)", word);
    return false;
}

static void print_notes(struct invocation *i, const struct setup *s)
{
    struct str rest = buf_str(&s->notes), line;

    while (str_cut(&rest, '\n', &line))
        if (line.length > 0)
            (void)invocation_fail(i, "%.*s", STR_ARG(line));
}

static void print_placing(const struct setup *s)
{
    if (s->version == SETUP_2_3)
        fprintf(stderr, "- Write this to " SETUP_MAIN_PATH ", in place of what is there (keep a copy), and the output of the same command with\n"
                        "  --sql to %s; both may be read by everybody.  Packages: dovecot-imapd dovecot-pop3d dovecot-lmtpd\n"
                        "  dovecot-sqlite dovecot-sieve.\n", s->values[SETUP_SQL_FILE]);
    else
        fprintf(stderr, "- Write this to " SETUP_MAIN_PATH ", in place of what is there (keep a copy); it may be read by everybody.\n"
                        "  Packages: dovecot-imapd dovecot-pop3d dovecot-lmtpd dovecot-sqlite dovecot-sieve.\n");
}

static void print_homes(const struct setup *s)
{
    fprintf(stderr, "- Mailboxes belong to %s: install -d -o %s -g %s -m 0700 %s\n", s->values[SETUP_MAIL_USER], s->values[SETUP_MAIL_USER],
            s->values[SETUP_GID], s->values[SETUP_HOME_BASE]);
    if (strcmp(s->values[SETUP_MAIL_USER], s->values[SETUP_GATEWAY]) != 0)
        fprintf(stderr, "  %s must be able to enter the folders above it, too.\n", s->values[SETUP_MAIL_USER]);
}

/* Keys whose values go together with this text. */
static void print_keys(const struct conf *c, const struct setup *s)
{
    if (!c->dovecot_support_enabled)
        fprintf(stderr, "- Say TMAIL_DOVECOT_SUPPORT_ENABLED=true in tmail.cfg; until then the mail of local domains waits.\n");
    if (c->local_delivery == LOCAL_DELIVERY_LDA && strcmp(setup_mail_user(c), s->values[SETUP_MAIL_USER]) != 0)
        fprintf(stderr, "- Say TMAIL_DOVECOT_LDA_USER=%s in tmail.cfg.\n", s->values[SETUP_MAIL_USER]);
    if (c->postmaster[0] == '\0')
        fprintf(stderr, "- Say TMAIL_POSTMASTER=ADDRESS in tmail.cfg: somebody has to read the mail for postmaster.\n");
    if (s->relayip[0] != '\0')
        fprintf(stderr, "- tmail relayip add %s, so that tmail sends on what sieve scripts send.\n", s->relayip);
}

static void print_advice(struct invocation *i, const struct setup *s)
{
    fprintf(stderr, "What to do with it:\n");
    print_placing(s);
    print_homes(s);
    print_keys(i->conf, s);
    fprintf(stderr, "- Then systemctl restart dovecot tmail, and tmail doctor.\n");
}

static int print(struct invocation *i, const struct setup *s)
{
    const bool sql = invocation_has(i, "sql");
    struct buf text = {0};
    bool ok;

    setup_write(s, sql ? SETUP_SQL : SETUP_MAIN, &text);
    ok = fwrite(buf_text(&text), 1, text.length, stdout) == text.length && fflush(stdout) == 0;
    buf_done(&text);
    print_notes(i, s);
    if (!ok)
        return invocation_fail(i, "standard output could not be written");
    if (!sql)
        print_advice(i, s);
    return EXIT_DONE;
}

static int run_config(struct invocation *i)
{
    struct setup_wish wish = {.user = invocation_value(i, "user"), .sql_file = invocation_value(i, "sql-file")};
    struct setup s;
    int result = EXIT_FAILED;

    if (!read_version(i, &wish.version))
        return EXIT_USAGE;
    if (wish.version == SETUP_2_4 && (invocation_has(i, "sql") || wish.sql_file != NULL))
        return invocation_fail(i, "Dovecot 2.4 has its SQL in the one file: do without --sql and --sql-file");
    if (setup_init(&s, i->conf, &wish))
        result = print(i, &s);
    else
        print_notes(i, &s);
    setup_done(&s);
    return result;
}

static const struct option_spec config_options[] = {
    {"version", NULL, "2.3|2.4", "of Dovecot; without this it is that of the configuration in /etc/dovecot"},
    {"user", NULL, "NAME", "the system user to whom the mailboxes belong; TMAIL_DOVECOT_LDA_USER, else TMAIL_USER, without this"},
    {"sql", NULL, NULL, "the second file, which 2.3 has its SQL in"},
    {"sql-file", NULL, "PATH", "where that will be; " SETUP_SQL_PATH " without this"},
    {0},
};

static const struct command commands[] = {
    {.verb = "config", .options = config_options, .run = run_config, .keeps_identity = true,
     .help = "Print a configuration for Dovecot that goes with the one of tmail: its users are those of the database, its sockets are where"
             " tmail looks for them, what its scripts send comes back here.  Standard error says what to do with it and what does not fit."
             "  Nothing is changed."},
};

const struct command_group dovecot_group = {
    .noun = "dovecot",
    .help = "mailboxes in Dovecot",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};
