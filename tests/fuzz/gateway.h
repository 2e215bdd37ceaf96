/*
 * gateway - a whole smtpd session for a fuzz target, with a directory that knows a few names and a real queue in a folder of its own.
 *
 * gateway_session plays one client that has said INPUT and hangs up, and checks what must hold whatever it said: replies are replies, a
 * message is in the queue if and only if it was answered 250, and nothing in the queue could end a DATA early.
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include "../unit/data_model.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/schema.h"
#include "smtpd/session.h"

#include "wire.h"

#include <signal.h>
#include <sys/stat.h>

static const char gateway_settings[] = "TMAIL_ME=mx.example.org\nTMAIL_SMTPD_MAX_DATABYTES=4096\nTMAIL_SMTPD_MAX_COMMAND_LENGTH=512\nTMAIL_SMTP_MAX_RCPT=5\n"
                                       "TMAIL_SMTPD_MAX_HOPS=3\nTMAIL_SMTPD_MAX_ERRORS=50\nTMAIL_SMTPD_MAX_COMMANDS=300\nTMAIL_SMTPD_SERVER_TIMEOUT=10s\n"
                                       "TMAIL_SMTPD_AUTH_PLAIN_TEXT=true\nTMAIL_SMTPD_AUTH_FAILURE_DELAY=0\nTMAIL_SMTPD_AUTH_MAX_FAILURES=0\nTMAIL_SMTPD_SENDER_LOGIN=enforce\n"
                                       "TMAIL_SRS_DOMAIN=srs.example\nTMAIL_SRS_SECRET=a-secret-of-the-fuzzer\nTMAIL_SMTPD_MAX_TEXT_LENGTH=2000\nTMAIL_SMTPD_CONCURRENCY_INCOMING=2\nTMAIL_TEMPDIR=/tmp\n";

static enum answer gateway_rcpthost(void *self, struct str domain, struct rcpthost *host)
{
    (void)self;
    *host = (struct rcpthost){.is_local = !str_equal(domain, STR("relay.example"))};
    if (str_equal(domain, STR("broken.example")))
        return ANSWER_FAILED;
    return str_equal(domain, STR("local.example")) || str_equal(domain, STR("relay.example")) ? ANSWER_YES : ANSWER_NO;
}

/* alias and loop stand for others, list is a mini-list, run has a command; others are mailboxes, with a detail or without. */
static const struct {
    const char *local;
    struct local found;
} gateway_aliases[] = {
    {"alias", {.alias = {"alias@local.example", 19}, .count = 2, .targets = (struct str[]){{"x@relay.example", 15}, {"user+d@local.example", 20}}}},
    {"loop", {.alias = {"loop@local.example", 18}, .count = 2, .targets = (struct str[]){{"x@relay.example", 15}, {"loop@local.example", 18}}}},
    {"list", {.alias = {"list@local.example", 18}, .count = 1, .is_list = true, .targets = (struct str[]){{"y@else.example", 14}}}},
    {"run", {.alias = {"run@local.example", 17}, .command = {"true", 4}}},
};

static enum answer gateway_local(void *self, struct str local, struct str domain, char delimiter, struct arena *arena, struct local *found)
{
    size_t end = delimiter != '\0' ? str_find(local, delimiter, 1) : local.length;

    (void)self;
    *found = (struct local){0};
    for (size_t i = 0; i < sizeof gateway_aliases / sizeof gateway_aliases[0]; i++)
        if (str_equal(local, str_of(gateway_aliases[i].local))) {
            *found = gateway_aliases[i].found;
            return ANSWER_YES;
        }
    if (str_equal(local, STR("nobody")) || str_equal(local, STR("broken")))
        return str_equal(local, STR("broken")) ? ANSWER_FAILED : ANSWER_NO;
    found->mailbox = path_format(arena_lower(arena, str_part(local, 0, end)), domain, arena);
    if (end < local.length)
        found->detail = arena_str(arena, str_from(local, end + 1));
    return ANSWER_YES;
}

static enum answer gateway_relayip(void *self, const struct address *client)
{
    (void)self;
    return address_is_loopback(client) ? ANSWER_YES : ANSWER_NO;
}

static enum answer gateway_routes(void *self, const struct route_question *question, struct arena *arena, struct route **routes, size_t *count)
{
    (void)self;
    (void)question;
    (void)arena;
    *routes = NULL;
    *count = 0;
    return ANSWER_NO;
}

static enum answer gateway_check_password(void *self, struct str login, struct str password)
{
    (void)self;
    return str_equal(login, STR("broken")) ? ANSWER_FAILED : str_equal(password, STR("secret")) ? ANSWER_YES : ANSWER_NO;
}

static enum answer gateway_keys(void *self, struct str login, struct sasl_keys *keys)
{
    (void)self;
    *keys = (struct sasl_keys){.has_cram = true};
    return str_equal(login, STR("broken")) ? ANSWER_FAILED : str_equal(login, STR("user")) ? ANSWER_YES : ANSWER_NO;
}

static enum answer gateway_user(void *self, struct str login, struct user *user)
{
    (void)self;
    *user = (struct user){.relay = true, .active = true};
    return str_equal(login, STR("nobody")) ? ANSWER_NO : ANSWER_YES;
}

static enum answer gateway_may_send_as(void *self, struct str login, struct str sender)
{
    (void)self;
    (void)login;
    return str_starts(sender, STR("broken")) ? ANSWER_FAILED : str_starts(sender, STR("own")) ? ANSWER_YES : ANSWER_NO;
}

static void gateway_close(void *self)
{
    (void)self;
}

static struct {
    bool open;
    char folder[64];
    struct conf conf;
    struct directory directory;
    struct smtpd smtpd;
    struct queue queue;
    struct db_query *messages, *recipients, *forget_messages, *forget_recipients;
} gateway;

static const struct listener_spec gateway_listener = {.mode = LISTENER_RELAY};

static void gateway_clean_up(void)
{
    static const char *const names[] = {"queue.db", "queue.db-wal", "queue.db-shm", "wake", "turn"};
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", gateway.folder, names[i]);
        unlink(path);
    }
    rmdir(gateway.folder);
}

static void gateway_open(void)
{
    char *environment[] = {NULL};
    struct conf_errors errors = {0};
    char error[512];
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    gateway.open = true;
    snprintf(gateway.folder, sizeof gateway.folder, "%.40s/tmail-fuzz-XXXXXX", getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp");
    if (mkdtemp(gateway.folder) == NULL || !log_open("/dev", nowhere, LOG_FORMAT_LOGFMT, true, "fuzz", error, sizeof error))
        abort();
    atexit(gateway_clean_up);
    if (!conf_load_content(&gateway.conf, &tmail_schema, "fuzz.cfg", str_of(gateway_settings), environment, &errors)) {
        fprintf(stderr, "%s", buf_text(&errors.lines));
        abort();
    }
    gateway.directory = (struct directory){.rcpthost = gateway_rcpthost, .local = gateway_local, .relayip = gateway_relayip,
                                           .routes = gateway_routes, .check_password = gateway_check_password, .keys = gateway_keys,
                                           .user = gateway_user, .may_send_as = gateway_may_send_as, .close = gateway_close};
    gateway.smtpd = (struct smtpd){.conf = &gateway.conf, .directory = &gateway.directory,
                                   .committer = committer_open(gateway.folder, 0, error, sizeof error)};
    gateway.smtpd.judge = judge_new(&gateway.conf, &gateway.directory);
    gateway.smtpd.guard = guard_new(0, 1000, 0);
    gateway.smtpd.mailboxes = mailboxes_open(&gateway.conf, NULL, error, sizeof error);
    if (gateway.smtpd.committer == NULL || !queue_open(&gateway.queue, gateway.folder, error, sizeof error)) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    db_run(gateway.queue.db, "PRAGMA synchronous=OFF");
    gateway.messages = db_prepare(gateway.queue.db, "SELECT id, sender, content FROM message ORDER BY id");
    gateway.recipients = db_prepare(gateway.queue.db, "SELECT address, domain FROM recipient WHERE message = ?");
    gateway.forget_messages = db_prepare(gateway.queue.db, "DELETE FROM message");
    gateway.forget_recipients = db_prepare(gateway.queue.db, "DELETE FROM recipient");
}

/* RFC 5321 section 4.2: every line is a reply line, and a continued reply is finished unless the connection broke.  Returns the number of
 * "queued". */
static size_t gateway_check_replies(struct str said)
{
    size_t queued = 0;

    fuzz_check(!data_model_has_bare(said));
    while (said.length > 0) {
        size_t end = str_find(said, '\n', 0);
        struct str line = str_part(said, 0, end > 0 ? end - 1 : 0);

        fuzz_check(end < said.length);
        fuzz_check(line.length >= 4 && line.length <= 510);
        fuzz_check(line.data[0] >= '2' && line.data[0] <= '5' && line.data[1] >= '0' && line.data[1] <= '9' && line.data[2] >= '0' && line.data[2] <= '9');
        fuzz_check(line.data[3] == ' ' || line.data[3] == '-');
        fuzz_check(!str_has_control(line));
        queued += str_starts(line, STR("250 2.0.0 Ok: queued "));
        said = str_from(said, end + 1);
    }
    return queued;
}

static void gateway_check_message(int64_t id, struct str sender, struct str content)
{
    struct path path;
    struct arena arena = {0};
    int recipients = 0;

    fuzz_check(str_starts(content, STR("Received: from")));
    fuzz_check(!data_model_has_bare(content) && !str_has(content, '\0'));
    fuzz_check(sender.length == 0 || path_parse_address(&path, sender, &arena) == PATH_OK);
    db_bind_int(gateway.recipients, 1, id);
    while (db_step(gateway.recipients)) {
        struct str domain = db_str(gateway.recipients, 1);

        recipients++;
        fuzz_check(path_parse_address(&path, db_str(gateway.recipients, 0), &arena) == PATH_OK);
        fuzz_check(str_equal(path.host, domain));
        fuzz_check(str_equal(domain, STR("local.example")) || str_equal(domain, STR("relay.example")) || str_equal(domain, STR("mx.example.org")));
        fuzz_check(!str_equal(domain, STR("local.example")) || (!str_equal(path.local, STR("nobody")) && !str_equal(path.local, STR("broken"))));
    }
    fuzz_check(db_finish(gateway.recipients));
    fuzz_check(recipients >= 1 && recipients <= 6); /* the fifth may be an alias, which stands for two */
    arena_done(&arena);
}

static size_t gateway_check_queue(void)
{
    size_t messages = 0;

    while (db_step(gateway.messages)) {
        messages++;
        gateway_check_message(db_int(gateway.messages, 0), db_str(gateway.messages, 1), db_str(gateway.messages, 2));
    }
    fuzz_check(db_finish(gateway.messages));
    if (messages > 0)
        fuzz_check(queue_begin(&gateway.queue) && db_execute(gateway.forget_messages) && db_execute(gateway.forget_recipients) &&
                   queue_commit(&gateway.queue));
    return messages;
}

static inline void gateway_session(struct str input)
{
    struct address client;
    struct buf said = {0};
    int other, fd;

    if (!gateway.open)
        gateway_open();
    if (!address_parse(&client, STR("192.0.2.1")))
        abort();
    fd = wire_open(input, &other);
    session_run(&gateway.smtpd, &gateway_listener, fd, &client);
    wire_read(other, &said);
    close(other);
    fuzz_check(gateway_check_replies(buf_str(&said)) == gateway_check_queue());
    buf_done(&said);
}

#endif
