/* From the banner to the first MAIL: EHLO, TLS, EHLO again, login. */
#include "base/clock.h"
#include "sasl/mechanism.h"
#include "transfer/client.h"
#include "transfer/dialogue.h"

#include <string.h>

static const struct {
    const char *keyword;
    unsigned extension;
} extensions[] = {
    {"PIPELINING", CLIENT_PIPELINING}, {"SIZE", CLIENT_SIZE}, {"8BITMIME", CLIENT_8BITMIME}, {"CHUNKING", CLIENT_CHUNKING},
    {"SMTPUTF8", CLIENT_SMTPUTF8},     {"DSN", CLIENT_DSN},   {"STARTTLS", CLIENT_STARTTLS},
};

static void take_mechanisms(struct client *c, struct str names)
{
    struct str name;
    enum sasl_mechanism m;

    while (str_cut(&names, ' ', &name))
        if (sasl_mechanism_find(name, &m))
            c->mechanisms |= 1U << m;
}

static void take_extension(void *context, struct str text)
{
    struct client *c = context;
    size_t space = str_find(text, ' ', 0);
    struct str keyword = str_part(text, 0, space), rest = str_trim(str_from(text, space));

    if (!c->introduced) {
        c->introduced = true; /* RFC 5321 section 4.1.1.1: the first line is the server's name and greeting */
        return;
    }
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        if (str_equal_nocase(keyword, str_of(extensions[i].keyword)))
            c->extensions |= extensions[i].extension;
    if (str_equal_nocase(keyword, STR("SIZE")))
        str_number(rest, INT64_MAX, &c->size_limit);
    if (str_equal_nocase(keyword, STR("AUTH")))
        take_mechanisms(c, rest);
}

/* Of all positive replies only CODE means yes. */
static struct status only(struct status s, int code, const char *to)
{
    return !status_is_ok(&s) || s.code == code ? s : status_make(451, "4.5.0", "Unexpected reply %d to %s", s.code, to);
}

static void forget(struct client *c)
{
    c->introduced = false;
    c->extensions = c->mechanisms = 0;
    c->size_limit = 0;
}

static struct status introduce(struct client *c, const char *me)
{
    const char *hello = c->lmtp ? "LHLO" : "EHLO"; /* RFC 2033 section 4.1: HELO and EHLO are not for LMTP */
    struct status s;

    forget(c);
    dialogue_put(c, "%s %s", hello, me);
    s = only(dialogue_read(c, hello, c->timeout, take_extension, c), 250, hello);
    if (c->broken || c->lmtp || !status_is_permanent(&s))
        return s;
    forget(c);
    dialogue_put(c, "HELO %s", me);
    return only(dialogue_command(c, "HELO"), 250, "HELO");
}

/* Shakes hands; what lies unread in the buffer, which the server has said before, is a fault. */
static struct status start_tls(struct client *c, const struct client_security *security)
{
    struct tls *tls = tls_connect(security->tls, c->stream.fd, &security->wanted);

    c->stream.deadline = clock_now() + c->timeout;
    if (!stream_start_tls(&c->stream, &tls)) {
        c->tls_failed = c->stream.fault != STREAM_STOPPED;
        c->tls_trouble = c->stream.tls != NULL ? tls_trouble(c->stream.tls) : TLS_TROUBLE_NONE;
        return dialogue_give_up(c, status_make(451, "4.7.5", "TLS with %s: %s", security->wanted.host, stream_fault_text(&c->stream)));
    }
    c->has_tls = true;
    tls_info(c->stream.tls, &c->tls_info);
    return status_ok();
}

static struct status not_offered(const struct client_security *security)
{
    return status_make(451, "4.7.4", "%s does not offer STARTTLS, and %s needs TLS", security->wanted.host, security->wanted_by);
}

/* The server refused STARTTLS: the connection is as good as before, for those who may go on without. */
static struct status do_without(struct client *c, const struct client_security *security, const struct status *refusal)
{
    c->tls_missing = true;
    if (security->plain_after) {
        c->weakened = true;
        return status_ok();
    }
    return status_make(451, "4.7.4", "%s refused STARTTLS: %d %s", security->wanted.host, refusal->code, refusal->text);
}

/* In the middle of TLS; a server that is busy (421), or slow, is another matter. */
static bool broke_off(const struct client *c)
{
    return c->broken && (c->stream.fault == STREAM_TLS || c->stream.fault == STREAM_CLOSED);
}

static struct status protect(struct client *c, const char *me, const struct client_security *security)
{
    struct status s;

    if (c->has_tls || security->policy == TLS_NONE)
        return status_ok();
    c->tls_missing = (c->extensions & CLIENT_STARTTLS) == 0;
    if (c->tls_missing)
        return security->policy > TLS_MAY ? not_offered(security) : status_ok();
    dialogue_put(c, "STARTTLS");
    s = dialogue_command(c, "STARTTLS");
    c->tls_failed = broke_off(c);
    if (c->broken)
        return s;
    if (s.code != 220)
        return do_without(c, security, &s);
    s = start_tls(c, security);
    if (!status_is_ok(&s))
        return s;
    s = introduce(c, me);
    /* With TLS 1.3 a server that does not like us says so when we believe the handshake done. */
    c->tls_failed = broke_off(c);
    return s;
}

struct status client_greet(struct client *c, const char *me, const struct client_security *security)
{
    struct status s = status_ok();

    c->expected = 0;
    c->weakened = security->weakened;
    if (security->from_first_byte)
        s = start_tls(c, security);
    if (!status_is_ok(&s))
        return s;
    c->expected = 1; /* the banner */
    s = only(dialogue_command(c, "connect"), 220, "connect");
    c->greeted = !c->broken;
    if (!c->broken && status_is_ok(&s))
        s = introduce(c, me);
    if (!c->broken && status_is_ok(&s))
        s = protect(c, me, security);
    return s;
}
