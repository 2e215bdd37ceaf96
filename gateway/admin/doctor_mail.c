#include "admin/doctor.h"

#include "base/base64.h"
#include "base/clock.h"
#include "directory/logins.h"
#include "dovecot/auth.h"
#include "dovecot/setup.h"
#include "message/id.h"
#include "transfer/dialogue.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { ERROR_SIZE = 1024, LOGIN_PATIENCE = 30000 /* Dovecot delays failures */ };

/* A login */

static void judge_login(struct doctor *d, enum sasl_result result, const char *judge, const char *reason)
{
    if (result == SASL_DONE)
        doctor_ok(d, "%s can log in (%s)", d->login, judge);
    else if (result == SASL_REFUSED)
        doctor_wrong(d, "%s refuses the login of %s: the password is wrong, or there is no such active user (tmail user list, tmail user update %s)",
                     judge, d->login, d->login);
    else
        doctor_wrong(d, "%s cannot check the login of %s (%s): see its log", judge, d->login, reason);
}

static enum sasl_result try_plain(struct dovecot_auth *auth, const struct doctor *d)
{
    struct address here = {0};
    const struct dovecot_client client = {.peer = &here, .local = &here, .tls = true, .session = "doctor"};
    struct buf plain = {0}, initial = {0}, challenge = {0};
    enum sasl_result result;

    address_parse(&here, STR("127.0.0.1"));
    buf_add_byte(&plain, '\0');
    buf_add_text(&plain, d->login);
    buf_add_byte(&plain, '\0');
    buf_add_text(&plain, d->password);
    base64_encode(buf_str(&plain), &initial);
    result = dovecot_auth_begin(auth, "PLAIN", &client, buf_str(&initial), clock_now() + LOGIN_PATIENCE, &challenge);
    explicit_bzero(plain.data, plain.length);
    explicit_bzero(initial.data, initial.length);
    buf_done(&plain);
    buf_done(&initial);
    buf_done(&challenge);
    return result;
}

static void log_in_at_dovecot(struct doctor *d)
{
    char error[ERROR_SIZE];
    struct dovecot_auth *auth = dovecot_auth_open(d->conf->dovecot_auth, clock_now() + DOCTOR_PATIENCE, error, sizeof error);
    enum sasl_result result;

    if (auth == NULL) {
        judge_login(d, SASL_UNAVAILABLE, "Dovecot", error);
        return;
    }
    result = try_plain(auth, d);
    judge_login(d, result, "Dovecot", result == SASL_MALFORMED ? "it does not offer PLAIN" : dovecot_auth_reason(auth));
    dovecot_auth_close(&auth);
}

static enum answer check_password(const struct login_row *row, struct str password)
{
    struct logins *logins = logins_new();
    enum answer answer = logins != NULL ? logins_check(logins, row, password) : ANSWER_FAILED;

    logins_free(&logins);
    return answer;
}

static void log_in_here(struct doctor *d)
{
    static const enum sasl_result results[] = {
        [ANSWER_NO] = SASL_REFUSED, [ANSWER_YES] = SASL_DONE, [ANSWER_FAILED] = SASL_UNAVAILABLE};
    char error[ERROR_SIZE] = "the database cannot be asked";
    struct tables *t = tables_open_read(d->conf->db_path, error, sizeof error);
    struct login_row row = {0};
    enum answer answer = t != NULL ? logins_find(t, str_of(d->login), &row) : ANSWER_FAILED;

    if (answer != ANSWER_FAILED)
        answer = check_password(answer == ANSWER_YES ? &row : NULL, str_of(d->password));
    judge_login(d, results[answer], "tmail", error);
    login_row_done(&row);
    tables_close(&t);
}

void doctor_login(struct doctor *d)
{
    if (d->login == NULL)
        return;
    if (d->conf->dovecot_auth[0] != '\0')
        log_in_at_dovecot(d);
    else
        log_in_here(d);
}

/* A delivery */

static struct status ask_recipient(struct client *c, const char *address)
{
    struct status mail, rcpt;

    dialogue_put(c, "MAIL FROM:<>");
    mail = dialogue_command(c, "MAIL");
    if (!status_is_ok(&mail))
        return mail;
    dialogue_put(c, "RCPT TO:<%s>", address);
    rcpt = dialogue_command(c, "RCPT");
    dialogue_put(c, "RSET");
    dialogue_command(c, "RSET");
    return rcpt;
}

static void write_message(const struct doctor *d, struct buf *to)
{
    char date[CLOCK_DATE_SIZE], id[SESSION_ID_SIZE];

    clock_date(clock_wall(), date);
    session_id_new(id);
    buf_print(to, "From: tmail doctor <postmaster@%s>\r\nTo: <%s>\r\nSubject: tmail doctor\r\nDate: %s\r\nMessage-ID: <%s@%s>\r\n"
                  "Auto-Submitted: auto-generated\r\n\r\nThis message was sent by tmail doctor, to see whether mail arrives.\r\n",
              d->conf->me, d->deliver, date, id, d->conf->me);
}

static struct status send_message(struct doctor *d, struct client *c)
{
    struct client_recipient recipient = {.status = status_make(451, "4.3.0", "nothing was said of it")};
    struct client_message m = {.recipients = &recipient, .count = 1};
    const struct rcpt_params params = {0};
    struct buf content = {0};
    struct envelope envelope;
    struct arena arena;
    struct path path;

    arena_init(&arena);
    envelope_init(&envelope, &arena);
    if (path_parse_address(&path, str_of(d->deliver), &arena) == PATH_OK && envelope_add(&envelope, &path, &params)) {
        write_message(d, &content);
        recipient.recipient = envelope.recipients;
        m.envelope = &envelope;
        m.content = buf_str(&content);
        m.size = (int64_t)content.length;
        client_send(c, &m);
    }
    buf_done(&content);
    arena_done(&arena);
    return recipient.status;
}

static void judge_delivery(struct doctor *d, const char *where, const struct status *s)
{
    char quoted[STATUS_QUOTED_SIZE];

    status_quote(s, quoted);
    if (status_is_ok(s))
        doctor_ok(d, "%s %s for %s: %s", where, d->send ? "took a message" : "would take mail", d->deliver, quoted);
    else if (status_is_permanent(s))
        doctor_wrong(d, "%s refuses mail for %s: %s: see tmail user list, and whether Dovecot's userdb is the database of tmail", where, d->deliver,
                     quoted);
    else
        doctor_wrong(d, "%s takes no mail for %s now: %s: see its log", where, d->deliver, quoted);
}

/* The gateway itself, as Dovecot's own mail comes in; false when it does not listen. */
static bool open_gateway(struct doctor *d, struct client *c, struct status *s)
{
    const struct client_security security = {.policy = TLS_NONE};
    const struct setup_wish wish = {0};
    struct address address = {0};
    struct stream stream;
    struct setup setup;
    bool connected = false;

    if (setup_init(&setup, d->conf, &wish) && address_parse(&address, str_of(setup.relayip))) {
        struct str port = str_of(strrchr(setup.values[SETUP_SUBMISSION], ':') + 1);
        uint64_t number = 0;

        str_number(port, UINT16_MAX, &number);
        address.port = (uint16_t)number;
        connected = stream_connect(&stream, &address, NULL, clock_now() + DOCTOR_PATIENCE);
    }
    setup_done(&setup);
    if (!connected)
        return false;
    client_init(c, &stream, DOCTOR_PATIENCE);
    *s = client_greet(c, d->conf->me, &security);
    return true;
}

static bool deliver_by_gateway(struct doctor *d)
{
    struct client client;
    struct status s;

    if (!d->send || !open_gateway(d, &client, &s))
        return false;
    if (status_is_ok(&s))
        s = send_message(d, &client);
    judge_delivery(d, "the gateway", &s);
    if (status_is_ok(&s))
        doctor_note(d, "tmail trace, with the ID behind \"queued\", shows what becomes of it");
    client_close(&client);
    return true;
}

/* By the first that greets. */
static struct status open_lmtp(const struct doctor_means *m, struct client *c)
{
    struct status s = status_make(451, "4.4.1", "no server is named");

    for (size_t i = 0; i < m->endpoints.count; i++) {
        s = lmtp_open(c, &m->endpoints.items[i], &m->means, DOCTOR_PATIENCE);
        if (status_is_ok(&s))
            break;
    }
    return s;
}

static void deliver_by_lmtp(struct doctor *d)
{
    struct doctor_means m;
    struct client client;
    struct status s;

    if (doctor_means_open(d, &m)) {
        s = open_lmtp(&m, &client);
        if (status_is_ok(&s)) {
            s = d->send ? send_message(d, &client) : ask_recipient(&client, d->deliver);
            client_close(&client);
        }
        judge_delivery(d, "Dovecot", &s);
    }
    doctor_means_close(&m);
}

void doctor_deliver(struct doctor *d)
{
    if (d->deliver == NULL || deliver_by_gateway(d))
        return;
    if (d->conf->local_delivery == LOCAL_DELIVERY_LMTP)
        deliver_by_lmtp(d);
    else if (d->send)
        doctor_wrong(d, "the gateway does not answer, and dovecot-lda is run by nobody else: start tmail (systemctl start tmail)");
    else
        doctor_note(d, "with TMAIL_LOCAL_DELIVERY=lda nobody can be asked beforehand but userdb, above; --send sends a message");
}
