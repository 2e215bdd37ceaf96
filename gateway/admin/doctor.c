#include "admin/doctor.h"

#include "admin/groups.h"
#include "admin/listing.h"
#include "dovecot/setup.h"
#include "dovecot/userdb.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of homes that are wrong as many are named; the others are counted. */
enum { HOMES_NAMED = 5 };

const struct doctor_check doctor_checks[] = {
    {"configuration", AS_STARTED, doctor_configuration},
    {"users", AS_STARTED, doctor_users},
    {"files", AS_STARTED, doctor_files},
    {"listeners", AS_STARTED, doctor_listeners},
    {"queue", AS_GATEWAY, doctor_queue},
    {"database", AS_GATEWAY, doctor_database},
    {"domains", AS_GATEWAY, doctor_domains},
    {"mailboxes", AS_GATEWAY, doctor_mailboxes},
    {"aliases", AS_GATEWAY, doctor_aliases},
    {"postmaster", AS_GATEWAY, doctor_postmaster},
    {"relay", AS_GATEWAY, doctor_relay},
    {"lmtp", AS_GATEWAY, doctor_lmtp},
    {"auth", AS_GATEWAY, doctor_auth},
    {"homes", AS_MAIL, doctor_home_base},
    {"lda", AS_MAIL, doctor_lda},
    {"userdb", AS_MAIL, doctor_userdb},
    {"quota-status", AS_GATEWAY, doctor_quota_status},
    {"login", AS_GATEWAY, doctor_login},
    {"delivery", AS_GATEWAY, doctor_deliver},
    {0},
};

/* A report is lines of these, each: a letter, the check, the sentence, with tabs between. */
enum { TOLD_OK = 'o', TOLD_NOTE = 'n', TOLD_WRONG = 'w', TOLD_MAILBOX = 'm' };

/* In a child */

static void tell(struct doctor *d, char kind, struct str text)
{
    struct buf line = {0};
    size_t done = 0;

    buf_print(&line, "%c\t%s\t", kind, d->check);
    for (size_t i = 0; i < text.length; i++)
        buf_add_byte(&line, text.data[i] == '\n' || text.data[i] == '\0' ? '?' : text.data[i]);
    buf_add_byte(&line, '\n');
    while (done < line.length) {
        ssize_t put = write(d->report, line.data + done, line.length - done);

        if (put <= 0 && errno != EINTR)
            break;
        done += put > 0 ? (size_t)put : 0;
    }
    buf_done(&line);
}

__attribute__((format(printf, 3, 0))) static void tell_args(struct doctor *d, char kind, const char *format, va_list args)
{
    struct buf text = {0};

    buf_print_args(&text, format, args);
    tell(d, kind, buf_str(&text));
    buf_done(&text);
}

void doctor_ok(struct doctor *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell_args(d, TOLD_OK, format, args);
    va_end(args);
}

void doctor_note(struct doctor *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell_args(d, TOLD_NOTE, format, args);
    va_end(args);
}

void doctor_wrong(struct doctor *d, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tell_args(d, TOLD_WRONG, format, args);
    va_end(args);
}

void doctor_mailbox(struct doctor *d, struct str login, struct str home)
{
    struct buf text = {0};

    buf_print(&text, "%.*s\t%.*s", STR_ARG(login), STR_ARG(home));
    tell(d, TOLD_MAILBOX, buf_str(&text));
    buf_done(&text);
}

static const char *name_of(const struct doctor *d, enum doctor_as as)
{
    return as == AS_MAIL ? d->mail_user : d->conf->user;
}

static bool become(struct doctor *d, enum doctor_as as)
{
    const char *name = name_of(d, as);
    const struct passwd *user;

    if (as == AS_STARTED || geteuid() != 0)
        return true;
    user = getpwnam(name);
    if (user == NULL)
        return false; /* which another check says */
    if (initgroups(name, user->pw_gid) == 0 && setresgid(user->pw_gid, user->pw_gid, user->pw_gid) == 0 &&
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) == 0)
        return true;
    doctor_wrong(d, "cannot become the user %s: %s", name, strerror(errno));
    return false;
}

static _Noreturn void run_checks(struct doctor *d, const struct doctor_check *first, const struct doctor_check *end)
{
    d->check = first->name;
    if (become(d, first->as))
        for (const struct doctor_check *c = first; c < end; c++) {
            d->check = c->name;
            c->run(d);
        }
    _exit(0);
}

/* In the command itself */

struct visit {
    struct doctor *doctor;
    struct listing *listing;
    size_t wrong;
    size_t homes, homes_wrong;
};

static void print(struct visit *v, char kind, struct str check, struct str text)
{
    static const struct {
        char kind;
        const char *word;
    } words[] = {{TOLD_OK, "ok"}, {TOLD_NOTE, "note"}, {TOLD_WRONG, "wrong"}};
    const char *word = "?";

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].kind == kind)
            word = words[i].word;
    v->wrong += kind == TOLD_WRONG;
    listing_text(v->listing, "result", word);
    listing_str(v->listing, "check", check);
    listing_str(v->listing, "text", text);
    listing_line(v->listing, "%-5s %.*s: %.*s", word, STR_ARG(check), STR_ARG(text));
    listing_end_row(v->listing);
}

static void take_mailbox(struct visit *v, struct str text)
{
    struct str login;
    struct buf sentence = {0};

    if (!str_cut(&text, '\t', &login))
        return;
    if (v->doctor->sample[0] == '\0')
        str_copy(login, v->doctor->sample, sizeof v->doctor->sample);
    v->homes++;
    if (!doctor_judge_home(v->doctor, login, text, &sentence) && v->homes_wrong++ < HOMES_NAMED)
        print(v, TOLD_WRONG, STR("mailboxes"), buf_str(&sentence));
    buf_done(&sentence);
}

static void end_mailboxes(struct visit *v)
{
    struct buf text = {0};

    if (v->homes_wrong > HOMES_NAMED) {
        buf_print(&text, "and %zu mailboxes more have such a home", v->homes_wrong - HOMES_NAMED);
        print(v, TOLD_WRONG, STR("mailboxes"), buf_str(&text));
    } else if (v->homes > 0 && v->homes_wrong == 0) {
        buf_print(&text, "%zu, their homes are below %s", v->homes, v->doctor->conf->users_home_base);
        print(v, TOLD_OK, STR("mailboxes"), buf_str(&text));
    }
    v->homes = v->homes_wrong = 0;
    buf_done(&text);
}

static void take_line(struct visit *v, struct str line)
{
    struct str kind, check;

    if (!str_cut(&line, '\t', &kind) || kind.length != 1 || !str_cut(&line, '\t', &check))
        return;
    if (kind.data[0] == TOLD_MAILBOX)
        take_mailbox(v, line);
    else
        print(v, kind.data[0], check, line);
}

static void read_report(struct visit *v, int fd)
{
    FILE *file = fdopen(fd, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    while (file != NULL && (length = getline(&line, &size, file)) > 0)
        take_line(v, (struct str){line, (size_t)length - (line[length - 1] == '\n')});
    free(line);
    if (file != NULL)
        fclose(file);
    else
        close(fd);
}

static void end_group(struct visit *v, pid_t child, const char *name)
{
    struct buf text = {0};
    int status = 0;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    end_mailboxes(v);
    if (status == 0)
        return;
    buf_print(&text, "the checks from here on ended before their time (wait status %d): tell the authors of tmail", status);
    print(v, TOLD_WRONG, str_of(name), buf_str(&text));
    buf_done(&text);
}

/* Those that run as the same user share a child. */
static bool visit_group(struct visit *v, const struct doctor_check *first, const struct doctor_check *end)
{
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    fflush(NULL); /* what has not been written yet is ours to write, once */
    child = fork();
    if (child == 0) {
        close(ends[0]);
        v->doctor->report = ends[1];
        run_checks(v->doctor, first, end);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return false;
    }
    read_report(v, ends[0]);
    end_group(v, child, first->name);
    return true;
}

static bool visit_groups(struct visit *v)
{
    const struct doctor_check *first = doctor_checks, *end;
    bool ok = true;

    for (; ok && first->name != NULL; first = end) {
        for (end = first; end->name != NULL && end->as == first->as; end++)
            ;
        ok = visit_group(v, first, end);
    }
    return ok;
}

/* The address that was typed, as the tables have it; NULL, after a complaint, for what is none. */
static const char *read_name(struct invocation *i, const char *option, bool (*read)(struct str text, char *to), char *to)
{
    const char *typed = invocation_value(i, option);

    if (typed != NULL && !read(str_of(typed), to)) {
        (void)invocation_fail(i, "\"%s\" cannot be a login", typed);
        return NULL;
    }
    return to;
}

static bool read_password(struct invocation *i, struct doctor *d)
{
    const char *problem = "no password was given";

    if (d->login == NULL || (secret_read_once("Password: ", d->password, sizeof d->password, &problem) && d->password[0] != '\0'))
        return true;
    (void)invocation_fail(i, "%s", problem);
    return false;
}

static int examine(struct invocation *i, struct doctor *d)
{
    struct visit v = {.doctor = d, .listing = listing_open(i->json)};
    bool ran = visit_groups(&v);

    if (!listing_close(&v.listing))
        return invocation_fail(i, "standard output could not be written");
    if (!ran)
        return invocation_fail(i, "no child process could be made: %s", strerror(errno));
    return v.wrong > 0 ? EXIT_FAILED : EXIT_DONE;
}

static int run(struct invocation *i)
{
    const char *userdb = invocation_value(i, "userdb");
    struct doctor d = {.conf = i->conf, .mail_user = setup_mail_user(i->conf), .userdb = userdb != NULL ? userdb : USERDB_PATH,
                       .userdb_named = userdb != NULL, .send = invocation_has(i, "send")};
    char login[NAME_SIZE] = "", deliver[NAME_SIZE] = "";
    int result;

    if (d.send && !invocation_has(i, "deliver"))
        return invocation_fail(i, "--send needs --deliver LOGIN");
    if (read_name(i, "login", name_login, login) == NULL || read_name(i, "deliver", name_address, deliver) == NULL)
        return EXIT_FAILED;
    d.login = login[0] != '\0' ? login : NULL;
    d.deliver = deliver[0] != '\0' ? deliver : NULL;
    if (d.deliver != NULL)
        memcpy(d.sample, deliver, sizeof d.sample);
    if (!read_password(i, &d))
        return EXIT_FAILED;
    result = examine(i, &d);
    explicit_bzero(d.password, sizeof d.password);
    return result;
}

static const struct option_spec options[] = {
    {"login", NULL, "LOGIN", "log in as that user, too; the password is read from the terminal or standard input"},
    {"deliver", NULL, "LOGIN", "ask whether mail for that mailbox would be taken; nothing is sent"},
    {"send", NULL, NULL, "with --deliver: send a small message, through the queue where tmail runs, else to Dovecot itself"},
    {"userdb", NULL, "PATH", "Dovecot's socket auth-userdb; " USERDB_PATH " without this"},
    {0},
};

static const struct command commands[] = {
    {.options = options, .listing = true, .run = run, .keeps_identity = true,
     .help = "Look at all that has to be right for mail to arrive, with the rights of those who do the work: configuration, files, database,"
             " queue, listeners, Dovecot's sockets, domains and mailboxes.  A line each begins with ok, note or wrong; what is wrong is"
             " followed by what to do.  The exit status is 1 when something is wrong.  Nothing is changed.  As root it sees most."},
};

const struct command_group doctor_group = {
    .noun = "doctor", .help = "what is wrong, and what to do about it", .commands = commands, .count = sizeof commands / sizeof commands[0]};
