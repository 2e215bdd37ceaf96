/* AUTH (RFC 4954): the exchange with the client, failures, and what a login changes. */
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/stop.h"
#include "smtp/line.h"
#include "smtpd/verbs.h"

#include <string.h>

/* This host or one of ours, through which many may log in: a webmail, say. */
static bool is_ours(const struct session *s)
{
    const struct directory *d = s->smtpd->directory;

    return address_is_loopback(&s->stream.peer) || d->relayip(d->self, &s->stream.peer) == ANSWER_YES;
}

static bool may_show_secret(const struct session *s)
{
    return s->has_tls || (s->smtpd->conf->smtpd_auth_plain_text && is_ours(s));
}

/* This session may use it now. */
static bool is_usable(const struct session *s, const struct judge_mechanism *m)
{
    if (m->needs_binding)
        return s->binding_length > 0;
    return !m->shows_secret || may_show_secret(s);
}

void auth_offer(struct session *s, struct buf *to)
{
    struct judge_mechanism list[JUDGE_MECHANISMS];
    size_t count = judge_mechanisms(s->smtpd->judge, list);

    for (size_t i = 0; i < count; i++)
        if (is_usable(s, &list[i]))
            buf_print(to, " %s", list[i].name);
}

static bool find_mechanism(struct session *s, struct str name, struct judge_mechanism *found, bool *offers_plus)
{
    struct judge_mechanism list[JUDGE_MECHANISMS];
    size_t count = judge_mechanisms(s->smtpd->judge, list);
    bool is_found = false;

    *offers_plus = false;
    for (size_t i = 0; i < count; i++) {
        *offers_plus = *offers_plus || (list[i].needs_binding && is_usable(s, &list[i]));
        if (str_equal_nocase(name, str_of(list[i].name))) {
            *found = list[i];
            is_found = true;
        }
    }
    return is_found;
}

/* The client's next line of the exchange.  False when the exchange cannot go on: the client has been told, or has gone. */
static bool read_response(struct session *s, struct str *response)
{
    s->stream.heed_stop = true;
    s->stream.deadline = clock_now() + s->smtpd->conf->smtpd_server_timeout;
    switch (line_read(&s->stream, AUTH_LINE_MAX, response)) {
    case LINE_READ:
        session_log_masked(s, "in");
        if (!str_equal(*response, STR("*")))
            return true;
        session_error(s, 501, "5.7.0", "Authentication cancelled");
        return false;
    case LINE_BARE_LF:
        s->poisoned = true;
        session_error(s, 500, "5.5.2", "Bare LF, lines end with CR LF");
        return false;
    case LINE_TOO_LONG:
        session_error(s, 500, "5.5.6", "Authentication line too long (limit %d octets)", AUTH_LINE_MAX);
        return false;
    case LINE_ENDLESS:
        session_reply(s, 421, "4.7.0", "Line without end");
        session_end(s, "line without end");
        return false;
    case LINE_FAULT:
        session_end_by_fault(s);
        return false;
    }
    return false;
}

static void put_challenge(struct session *s, struct str challenge)
{
    stream_put(&s->stream, STR("334 "));
    stream_put(&s->stream, challenge);
    stream_put(&s->stream, STR("\r\n"));
    session_log_masked(s, "out");
}

static void log_login(const struct session *s, const char *mechanism)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_INFO, "login");
    log_text(&l, "session", s->id);
    log_text(&l, "client", s->client);
    log_text(&l, "login", s->login);
    log_text(&l, "mechanism", mechanism);
    log_text(&l, "tls", s->has_tls ? "yes" : "no");
    log_end(&l);
}

static void log_failure(const struct session *s, const char *event, const char *login, const char *mechanism, const struct guard_count *c)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_WARNING, event);
    log_text(&l, "session", s->id);
    log_text(&l, "client", s->client);
    log_text(&l, "login", login);
    log_text(&l, "mechanism", mechanism);
    log_number(&l, "failures_of_client", c->of_client);
    log_number(&l, "failures_of_login", c->of_login);
    log_end(&l);
}

/* The answer comes a fixed time after the question, whatever was wrong, and however long finding out took. */
static void refuse(struct session *s, const char *login, const char *mechanism, int64_t asked)
{
    struct guard_count c = guard_failed(s->smtpd->guard, &s->stream.peer, str_of(login));

    log_failure(s, "login-failed", login, mechanism, &c);
    if (c.locked && !is_ours(s))
        log_failure(s, "login-locked", login, mechanism, &c);
    stop_wait(asked + c.delay);
    session_error(s, 535, "5.7.8", "Login or password is wrong, or the login may not be used");
}

/* Who has heard a challenge for a login has learned something, perhaps that the password is right: that counts like a failure. */
static void note_cancelled(struct session *s, const char *login, const char *mechanism)
{
    struct guard_count c;

    if (login[0] == '\0')
        return;
    c = guard_failed(s->smtpd->guard, &s->stream.peer, str_of(login));
    log_failure(s, "login-cancelled", login, mechanism, &c);
}

static void answer(struct session *s, enum sasl_result result, const char *login, const char *mechanism, int64_t asked)
{
    switch (result) {
    case SASL_DONE:
        str_copy(str_of(login), s->login, sizeof s->login);
        log_login(s, mechanism);
        session_reply(s, 235, "2.7.0", "Logged in");
        break;
    case SASL_REFUSED:
        refuse(s, login, mechanism, asked);
        break;
    case SASL_CONTINUE:
    case SASL_MALFORMED:
        session_error(s, 501, "5.5.2", "That is no response of %s, or no base64", mechanism);
        break;
    case SASL_UNAVAILABLE:
        session_reply(s, 454, "4.7.0", "Cannot look up logins now, try again later");
        break;
    }
}

/* Says the challenges and hears the responses until there is a result; false when the client ended it. */
static bool converse(struct session *s, struct exchange *x, enum sasl_result *result, int64_t *asked)
{
    struct str response;

    while (*result == SASL_CONTINUE) {
        put_challenge(s, exchange_challenge(x));
        if (!read_response(s, &response))
            return false;
        *asked = clock_now();
        *result = exchange_step(x, response);
    }
    return true;
}

static void run(struct session *s, const struct judge_mechanism *m, bool offers_plus, struct str initial)
{
    const struct judge_client client = {.peer = &s->stream.peer,
                                        .local = &s->stream.local,
                                        .session = s->id,
                                        .tls = s->has_tls,
                                        .binding = {(const char *)s->binding, s->binding_length},
                                        .offers_plus = offers_plus};
    struct exchange *x;
    int64_t asked = clock_now();
    enum sasl_result result = judge_begin(s->smtpd->judge, m->name, &client, initial, &x);
    bool ended = !converse(s, x, &result, &asked);

    if (ended || result == SASL_MALFORMED)
        note_cancelled(s, exchange_login(x), m->name);
    if (!ended)
        answer(s, result, exchange_login(x), m->name, asked);
    exchange_end(&x);
}

/* Minutes, never 0. */
static bool is_locked(struct session *s)
{
    int64_t left = guard_locked(s->smtpd->guard, &s->stream.peer);

    if (left == 0 || is_ours(s))
        return false;
    session_error(s, 454, "4.7.0", "Too many failed logins from your address, try again in %lld minutes", (long long)left / 60000 + 1);
    return true;
}

void verb_auth(struct session *s, struct str argument)
{
    size_t space = str_find(argument, ' ', 0);
    struct str name = str_part(argument, 0, space);
    struct str initial = space < argument.length ? str_trim(str_from(argument, space)) : (struct str){NULL, 0};
    struct judge_mechanism m;
    bool offers_plus;

    if (s->login[0] != '\0')
        session_error(s, 503, "5.5.1", "You have logged in already");
    else if (!s->extended)
        session_error(s, 503, "5.5.1", "Send EHLO first");
    else if (!find_mechanism(s, name, &m, &offers_plus))
        session_error(s, 504, "5.5.4", "Mechanism unknown, see the answer to EHLO");
    else if (!is_usable(s, &m))
        session_error(s, 538, "5.7.11", "%s needs %s", m.name, m.needs_binding ? "TLS 1.3" : "TLS: send STARTTLS first");
    else if (!is_locked(s))
        run(s, &m, offers_plus, initial);
}
