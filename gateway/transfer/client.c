#include "transfer/client.h"

#include "base/clock.h"
#include "smtp/data.h"
#include "transfer/dialogue.h"

#include <stdio.h>
#include <string.h>

enum { RCPT_BATCH = 50, QUIT_MS = 2000, VERDICT_MS = 1000 };

void client_init(struct client *c, const struct stream *stream, int64_t timeout)
{
    *c = (struct client){.stream = *stream, .timeout = timeout};
}

static bool offers(const struct client *c, enum client_extension extension)
{
    return (c->extensions & (unsigned)extension) != 0;
}

/* That the last chunk has a reply for each recipient no RFC says. */
static bool may_chunk(const struct client *c)
{
    return offers(c, CLIENT_CHUNKING) && !c->lmtp;
}

static bool takes_utf8(const struct client *c)
{
    return c->as_is || offers(c, CLIENT_SMTPUTF8);
}

/* ADDRESS as this server can take it: an internationalized domain has an ASCII form, a local part has none (RFC 6531 section 3.5). */
static bool format_address(const struct client *c, struct str address, char *to, size_t size)
{
    char host[DOMAIN_SIZE];
    size_t at = address.length;

    if (str_is_ascii(address) || takes_utf8(c))
        return str_copy(address, to, size);
    while (at > 0 && address.data[at - 1] != '@')
        at--;
    if (at == 0 || !str_is_ascii(str_part(address, 0, at)) || !domain_normalize(str_from(address, at), host))
        return false;
    return (size_t)snprintf(to, size, "%.*s%s", (int)at, address.data, host) < size;
}

static int64_t size_of(const struct client_message *m)
{
    return (int64_t)m->fields.length + m->size;
}

static struct str sender_of(const struct client_message *m)
{
    return m->sender.data != NULL ? m->sender : m->envelope->sender;
}

/* SMTPUTF8 must be said at MAIL when any address of the transaction needs it. */
static bool needs_smtputf8(const struct client_message *m)
{
    if (m->envelope->smtputf8 || !str_is_ascii(sender_of(m)))
        return true;
    for (size_t i = 0; i < m->count; i++)
        if (!str_is_ascii(m->recipients[i].recipient->address))
            return true;
    return false;
}

static void put_mail(struct client *c, const struct client_message *m, const char *sender)
{
    const struct envelope *e = m->envelope;
    char params[400] = "";
    size_t length = 0;

    if (offers(c, CLIENT_SIZE))
        length += (size_t)snprintf(params + length, sizeof params - length, " SIZE=%lld", (long long)size_of(m));
    if (e->body == BODY_8BITMIME && offers(c, CLIENT_8BITMIME))
        length += (size_t)snprintf(params + length, sizeof params - length, " BODY=8BITMIME");
    if (needs_smtputf8(m) && offers(c, CLIENT_SMTPUTF8))
        length += (size_t)snprintf(params + length, sizeof params - length, " SMTPUTF8");
    if (c->logged_in && e->auth) /* RFC 4954 section 5: we vouch for nobody */
        length += (size_t)snprintf(params + length, sizeof params - length, " AUTH=<>");
    if (offers(c, CLIENT_DSN) && e->ret != RET_NONE)
        length += (size_t)snprintf(params + length, sizeof params - length, " RET=%s", e->ret == RET_FULL ? "FULL" : "HDRS");
    if (offers(c, CLIENT_DSN) && e->envid.length > 0)
        snprintf(params + length, sizeof params - length, " ENVID=%.*s", STR_ARG(e->envid));
    dialogue_put(c, "MAIL FROM:<%s>%s", sender, params);
}

static void put_rcpt(struct client *c, const struct recipient *r, const char *address)
{
    char params[700] = "", notify[PARAMS_NOTIFY_SIZE];
    size_t length = 0;

    params_notify_text(r->notify, notify);
    if (offers(c, CLIENT_DSN) && r->notify != 0)
        length = (size_t)snprintf(params, sizeof params, " NOTIFY=%s", notify);
    if (offers(c, CLIENT_DSN) && r->orcpt.length > 0)
        snprintf(params + length, sizeof params - length, " ORCPT=%.*s", STR_ARG(r->orcpt));
    dialogue_put(c, "RCPT TO:<%s>%s", address, params);
}

/* What it says of us says nothing of the mail (RFC 4954 section 6, RFC 3207 section 4): others may be welcome, or we are later. */
static void mind_welcome(struct client *c, struct status *s)
{
    if (s->code != 530 && s->code != 534 && s->code != 535 && s->code != 538)
        return;
    s->code = 454;
    s->class = 4;
    c->unwelcome = true;
}

/* 503 says that we are out of step, not what becomes of the mail: this connection is of no more use, and another will be. */
static void mind_sequence(struct client *c, struct status *s)
{
    if (s->code != 503)
        return;
    s->code = 451;
    s->class = 4;
    c->answered = c->answered && c->messages == 0; /* it was our doing before: a fresh connection is due */
    dialogue_give_up(c, *s);
}

static void settle_open(struct client_message *m, const struct status *s)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->recipients[i].status.code == 0)
            m->recipients[i].status = *s;
}

static size_t count_accepted(const struct client_message *m)
{
    size_t count = 0;

    for (size_t i = 0; i < m->count; i++)
        count += m->recipients[i].accepted && m->recipients[i].status.code == 0;
    return count;
}

/* What can be refused before a word is said. */
static bool refuse_early(struct client *c, struct client_message *m, char *sender, size_t size)
{
    struct status s = {0};

    if (!format_address(c, sender_of(m), sender, size) || (m->envelope->smtputf8 && !takes_utf8(c)))
        s = status_make(550, "5.6.7", "The message needs SMTPUTF8, which the next hop does not offer");
    else if (c->size_limit > 0 && (uint64_t)size_of(m) > c->size_limit)
        s = status_make(552, "5.3.4", "The message has %lld octets, the next hop takes %llu", (long long)size_of(m),
                        (unsigned long long)c->size_limit);
    if (s.code == 0)
        return false;
    if (c->weakened) { /* under TLS it might offer more */
        s.code = 454;
        s.class = 4;
    }
    settle_open(m, &s);
    for (size_t i = 0; i < m->count; i++)
        m->recipients[i].ours = true;
    return true;
}

static void take_rcpt_reply(struct client *c, struct client_recipient *r)
{
    struct status s = dialogue_command(c, "RCPT");

    mind_welcome(c, &s);
    r->accepted = s.code == 250 || s.code == 251 || s.code == 252;
    /* RFC 5321 section 4.5.3.1.10: 552 once meant "too many recipients"; a full mailbox says X.2.2. */
    if (s.code == 552 && s.subject != 2) {
        s.code = 452;
        s.class = 4;
    }
    r->deferred = status_is_temporary(&s) && s.from_peer;
    if (!r->accepted)
        r->status = status_is_ok(&s) ? status_make(451, "4.5.0", "Unexpected reply %d to RCPT", s.code) : s;
}

/* RCPT for recipients START up to END; with `pipelined` the replies are read by the caller. */
static void put_recipients(struct client *c, struct client_message *m, size_t start, size_t end, bool pipelined)
{
    char address[2 * PATH_MAX_OCTETS];

    for (size_t i = start; i < end; i++) {
        struct client_recipient *r = &m->recipients[i];

        if (!format_address(c, r->recipient->address, address, sizeof address)) {
            r->status = status_make(550, "5.6.7", "The address needs SMTPUTF8, which the next hop does not offer");
            r->ours = true;
            continue;
        }
        put_rcpt(c, r->recipient, address);
        if (!pipelined && !c->broken)
            take_rcpt_reply(c, r);
    }
}

static void take_rcpt_replies(struct client *c, struct client_message *m, size_t start, size_t end)
{
    for (size_t i = start; i < end && !c->broken; i++)
        if (m->recipients[i].status.code == 0)
            take_rcpt_reply(c, &m->recipients[i]);
}

static struct status take_mail_reply(struct client *c)
{
    struct status s = dialogue_command(c, "MAIL");

    mind_welcome(c, &s);
    mind_sequence(c, &s);
    if (s.code >= 300 && s.code < 400)
        s = status_make(451, "4.5.0", "Unexpected reply %d to MAIL", s.code);
    return s;
}

/* MAIL and all RCPT, and DATA when it can ride along.  A server's answers to a batch fit its socket buffer, so neither side waits for the
 * other. */
static bool put_envelope(struct client *c, struct client_message *m, const char *sender, bool *data_sent)
{
    bool pipelining = offers(c, CLIENT_PIPELINING);
    struct status s;

    put_mail(c, m, sender);
    *data_sent = false;
    if (!pipelining) {
        s = take_mail_reply(c);
        if (!status_is_ok(&s)) {
            settle_open(m, &s);
            return false;
        }
        put_recipients(c, m, 0, m->count, false);
        return true;
    }
    for (size_t start = 0; start < m->count && !c->broken; start += RCPT_BATCH) {
        size_t end = start + RCPT_BATCH < m->count ? start + RCPT_BATCH : m->count;

        put_recipients(c, m, start, end, true);
        if (m->count <= RCPT_BATCH && !may_chunk(c)) {
            dialogue_put(c, "DATA");
            *data_sent = true;
        }
        if (start == 0) {
            s = take_mail_reply(c);
            if (!status_is_ok(&s)) {
                /* The answers to what was pipelined behind it are on their way all the same. */
                take_rcpt_replies(c, m, start, end);
                if (count_accepted(m) > 0) /* into a transaction that we do not know of: its content would be empty */
                    dialogue_give_up(c, s);
                for (size_t i = 0; i < m->count; i++)
                    m->recipients[i].status = s;
                return false;
            }
        }
        take_rcpt_replies(c, m, start, end);
    }
    return true;
}

static void send_bytes(void *context, struct str bytes)
{
    struct client *c = context;

    c->stream.deadline = clock_now() + c->timeout;
    stream_put(&c->stream, bytes);
}

static void send_nothing(void *context, struct str bytes)
{
    (void)context;
    (void)bytes;
}

/* Runs the content through the DATA writer into SINK; false when it holds what must not be sent on, or could not be read. */
static bool write_content(struct client *c, const struct client_message *m, bool whole, data_sink sink)
{
    struct data_writer w;
    int64_t offset = 0;

    data_writer_init(&w);
    data_write(&w, m->fields, sink, c);
    if (m->body == NULL) {
        data_write(&w, m->content, sink, c);
        offset = (int64_t)m->content.length;
    } else {
        char scratch[BODY_PIECE];
        struct str piece;

        while (!w.flawed && (piece = body_piece(m->body, offset, scratch)).length > 0) {
            data_write(&w, piece, sink, c);
            offset += (int64_t)piece.length;
        }
    }
    if (offset < m->size)
        return false;
    if (whole)
        data_write_end(&w, sink, c);
    return !w.flawed && w.state != DATA_CR;
}

static void send_raw(struct client *c, const struct client_message *m)
{
    send_bytes(c, m->fields);
    if (m->body == NULL) {
        send_bytes(c, m->content);
    } else {
        char scratch[BODY_PIECE];
        struct str piece;
        int64_t offset = 0;

        while (offset < m->size && (piece = body_piece(m->body, offset, scratch)).length > 0) {
            send_bytes(c, piece);
            offset += (int64_t)piece.length;
        }
        if (offset < m->size)
            dialogue_give_up(c, status_make(451, "4.3.0", "The content could not be read"));
    }
}

static const char unsendable[] = "The content has a bare CR or LF, or could not be read";

/* From here on it may have the message, whatever becomes of the connection: nobody else is asked. */
static struct status read_verdict(struct client *c, const char *to, int64_t timeout)
{
    struct status s = dialogue_read(c, to, timeout, NULL, NULL);

    mind_welcome(c, &s);
    c->unwelcome = false;
    c->uncertain = c->broken && !s.from_peer; /* a 421 is a verdict */
    return s;
}

/* One of several: a server that says 421 of a recipient may have answers for the others before it goes. */
static struct status read_one_verdict(struct client *c, int64_t deadline, struct status *goodbye)
{
    int64_t left = deadline - clock_now();
    struct status s = read_verdict(c, "the end of data", left > 0 ? left : 0);

    if (s.code >= 300 && s.code < 400)
        return status_make(451, "4.5.0", "Unexpected reply %d to the data", s.code);
    if (c->broken && s.code == 421 && s.from_peer && c->stream.fault == STREAM_FINE) {
        *goodbye = s;
        c->broken = false;
    } else if (c->broken && goodbye->code != 0) {
        return *goodbye;
    }
    return s;
}

/* RFC 2033 section 4.2: a reply for each recipient that was accepted, in their order.  All have the time of one, and a little for each: until
 * the last has come nothing is recorded, and a crash would repeat them. */
static struct status read_verdicts(struct client *c, struct client_message *m)
{
    const int64_t deadline = clock_now() + 2 * c->timeout + (int64_t)count_accepted(m) * VERDICT_MS;
    struct status goodbye = {0};

    c->expected += (int)count_accepted(m);
    for (size_t i = 0; i < m->count; i++)
        if (m->recipients[i].accepted && m->recipients[i].status.code == 0)
            m->recipients[i].status = read_one_verdict(c, deadline, &goodbye);
    if (goodbye.code != 0 && !c->broken)
        dialogue_give_up(c, goodbye);
    return status_ok();
}

/* An unfinished DATA can only be undone by dropping the connection (RFC 5321 section 4.1.1.10). */
static struct status send_data(struct client *c, struct client_message *m)
{
    if (!dialogue_is_in_step(c))
        return c->failure;
    if (!write_content(c, m, true, send_bytes))
        return dialogue_give_up(c, status_make(554, "5.6.0", unsendable));
    if (c->lmtp)
        return read_verdicts(c, m);
    c->expected++;
    return read_verdict(c, "the end of data", 2 * c->timeout);
}

static struct status send_chunk(struct client *c, const struct client_message *m)
{
    if (!write_content(c, m, false, send_nothing))
        return status_make(554, "5.6.0", unsendable);
    dialogue_put(c, "BDAT %lld LAST", (long long)size_of(m));
    if (!c->broken)
        send_raw(c, m);
    return read_verdict(c, "BDAT", 2 * c->timeout);
}

static void reset(struct client *c)
{
    if (c->broken)
        return;
    dialogue_put(c, "RSET");
    dialogue_command(c, "RSET");
}

/* DATA was pipelined but nobody is left to take the message: an empty one closes it (RFC 2920 section 3.1). */
static void close_data(struct client *c)
{
    struct status s = dialogue_command(c, "DATA");

    if (c->broken)
        return;
    if (s.code != 354) {
        reset(c); /* RFC 5321 section 4.1.1.4: DATA that is refused ends nothing, and the next MAIL would come too early */
        return;
    }
    if (c->lmtp) { /* nobody says how many answers its end would have */
        dialogue_give_up(c, status_make(451, "4.5.0", "The server asks for content that has no recipient"));
        return;
    }
    stream_put(&c->stream, STR(".\r\n"));
    c->expected++;
    dialogue_command(c, "the end of data");
}

static struct status send_content(struct client *c, struct client_message *m, bool data_sent)
{
    struct status s;

    if (!data_sent && may_chunk(c))
        return send_chunk(c, m);
    if (!data_sent)
        dialogue_put(c, "DATA");
    s = dialogue_command(c, "DATA");
    if (s.code == 354)
        return send_data(c, m);
    if (!c->broken && status_is_ok(&s))
        return dialogue_give_up(c, status_make(451, "4.5.0", "Unexpected reply %d to DATA", s.code));
    mind_welcome(c, &s);
    return s;
}

void client_send(struct client *c, struct client_message *m)
{
    char sender[2 * PATH_MAX_OCTETS];
    bool data_sent, enveloped;
    struct status s;

    c->answered = c->unwelcome = c->uncertain = false;
    c->stream.deadline = clock_now() + c->timeout;
    for (size_t i = 0; i < m->count; i++) {
        m->recipients[i].status = (struct status){0};
        m->recipients[i].accepted = m->recipients[i].deferred = m->recipients[i].ours = false;
    }
    if (!dialogue_is_in_step(c)) {
        settle_open(m, &c->failure);
        return;
    }
    if (refuse_early(c, m, sender, sizeof sender))
        return;
    enveloped = put_envelope(c, m, sender, &data_sent);
    if (c->broken) {
        s = c->failure;
    } else if (!enveloped || count_accepted(m) == 0) {
        if (data_sent)
            close_data(c);
        else
            reset(c);
        s = status_make(451, "4.5.0", "No answer for this recipient");
    } else {
        s = send_content(c, m, data_sent);
        if (s.code >= 300 && s.code < 400)
            s = status_make(451, "4.5.0", "Unexpected reply %d to the data", s.code);
        if (!status_is_ok(&s) && !c->broken)
            reset(c);
    }
    settle_open(m, &s);
    c->messages++;
    /* Some have been taken: that it wants TLS of the others is no reason to say all again elsewhere. */
    for (size_t i = 0; i < m->count; i++)
        c->unwelcome = c->unwelcome && !status_is_ok(&m->recipients[i].status) && !status_is_permanent(&m->recipients[i].status);
}

void client_close(struct client *c)
{
    if (!c->broken && c->stream.fault == STREAM_FINE) {
        dialogue_put(c, "QUIT");
        c->timeout = QUIT_MS;
        dialogue_command(c, "QUIT");
    }
    stream_done(&c->stream);
}
