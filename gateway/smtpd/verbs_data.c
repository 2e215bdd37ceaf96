/* DATA and BDAT: a message's content, and what becomes of it. */
#include "base/clock.h"
#include "base/log.h"
#include "message/mailboxes.h"
#include "message/trace.h"
#include "smtpd/verbs.h"

#include <stdio.h>

enum { READ_AHEAD = 64 << 10 };

/* RFC 3848, RFC 6531 section 4.3: the name of the protocol says whether TLS was on and whether somebody had logged in. */
static void name_protocol(const struct session *s, char *to, size_t size)
{
    bool has_login = s->login[0] != '\0';
    const char *base = s->transaction->smtputf8 ? "UTF8SMTP" : s->extended || s->has_tls || has_login ? "ESMTP" : "SMTP";

    snprintf(to, size, "%s%s%s", base, s->has_tls ? "S" : "", has_login ? "A" : "");
}

static bool may_normalize(const struct session *s)
{
    const struct directory *d = s->smtpd->directory;

    return s->smtpd->conf->smtpd_bare_newline == BARE_NEWLINE_NORMALIZE && d->relayip(d->self, &s->stream.peer) == ANSWER_YES;
}

static void put_trace(const struct session *s, struct buf *to)
{
    struct transaction *t = s->transaction;
    char protocol[16], tls[sizeof s->tls_info.version + sizeof s->tls_info.cipher + 64] = "", via[sizeof tls + sizeof protocol];
    const struct trace trace = {
        .client = &s->stream.peer, .client_name = s->client_name, .me = s->smtpd->conf->me, .protocol = protocol, .tls = tls};

    name_protocol(s, protocol, sizeof protocol);
    if (s->has_tls)
        snprintf(tls, sizeof tls, "using %s with cipher %s, client certificate %s", s->tls_info.version, s->tls_info.cipher,
                 session_client_certificate(s));
    snprintf(via, sizeof via, "%s%s%s", protocol, s->has_tls ? " " : "", tls);
    t->envelope.via = arena_str(&t->arena, str_of(via));
    trace_received(to, &t->envelope, &trace);
}

static void begin_body(struct session *s, bool dots)
{
    struct transaction *t = s->transaction;
    const struct conf *conf = s->smtpd->conf;
    struct buf trace = {0};

    t->envelope.id = queue_id_new();
    t->envelope.arrived = clock_wall();
    put_trace(s, &trace);
    if (s->listener->mode == LISTENER_SUBMISSION)
        transaction_complete(t, conf->me);
    if (s->login[0] != '\0' && conf->smtpd_sender_login != SENDER_LOGIN_OFF)
        transaction_keep_from(t);
    transaction_begin_body(t, dots, may_normalize(s), conf, buf_str(&trace));
    buf_done(&trace);
}

static bool read_more(struct session *s)
{
    s->stream.heed_stop = false;
    s->stream.deadline = clock_earlier(clock_now() + s->smtpd->conf->smtpd_server_timeout, s->transaction->deadline);
    if (s->stream.deadline > clock_now() && stream_fill(&s->stream, READ_AHEAD))
        return true;
    if (s->stream.fault == STREAM_FINE)
        s->stream.fault = STREAM_TIMEOUT;
    session_end_by_fault(s);
    return false;
}

static void log_queued(struct session *s, const char *id)
{
    const struct envelope *e = &s->transaction->envelope;
    struct log_line l;

    log_begin(&l, LOG_LEVEL_INFO, "queued");
    log_text(&l, "session", s->id);
    log_text(&l, "queue", id);
    log_text(&l, "client", s->client);
    log_text(&l, "helo", s->helo);
    log_str(&l, "sender", e->sender);
    if (e->user.length > 0)
        log_str(&l, "login", e->user);
    log_number(&l, "recipients", e->recipient_count);
    log_str(&l, "recipient", e->recipients->address);
    log_number(&l, "size", s->transaction->size);
    log_end(&l);
}

static struct status unreadable_from(const struct field_scan *from)
{
    return status_make(553, "5.7.1", from->count > 1 ? "More than one From field" : "The From field holds no list of addresses that can be read");
}

/* What people will see as the author must be the login's, too (TMAIL_SMTPD_SENDER_LOGIN). */
static struct status check_from(struct session *s)
{
    struct transaction *t = s->transaction;
    struct mailboxes list;
    struct status status = status_ok();

    if (!t->keeps_from || t->from.count == 0)
        return status;
    if (t->from.count > 1 || t->from.text.full || !mailboxes_read(&list, buf_str(&t->from.text), &t->arena)) {
        status = unreadable_from(&t->from);
        return session_refuse_sender(s, buf_str(&t->from.text), &status);
    }
    for (size_t i = 0; i < list.count && status_is_ok(&status); i++)
        status = session_check_sender(s, &list.items[i], &t->arena);
    return status;
}

/* The content is complete: judge it, make it durable, answer.  RFC 5321 section 6.1: a 250 means that we are responsible now. */
static void finish(struct session *s, const char *verb)
{
    struct transaction *t = s->transaction;
    struct status status;
    char id[QUEUE_ID_SIZE];

    transaction_end_body(t);
    status = transaction_verdict(t);
    if (status_is_ok(&status))
        status = check_from(s);
    t->envelope.smtputf8 = t->smtputf8 && t->header.eight_bit;
    if (status_is_ok(&status))
        status = committer_put(s->smtpd->committer, &t->envelope, &t->body);
    if (status_is_ok(&status)) {
        queue_id_text(t->envelope.id, id);
        s->messages++;
        s->commands = 0;
        log_queued(s, id);
        session_reply(s, 250, "2.0.0", "Ok: queued %s", id);
    } else {
        session_refuse(s, verb, &status);
    }
    session_end_transaction(s);
}

void verb_data(struct session *s, struct str argument)
{
    struct transaction *t = s->transaction;

    (void)argument;
    begin_body(s, true);
    session_reply(s, 354, "", "End data with <CR><LF>.<CR><LF>");
    while (!t->reader.ended) {
        struct str input = stream_input(&s->stream);

        if (input.length == 0 && !read_more(s))
            return;
        stream_consume(&s->stream, data_read(&t->reader, stream_input(&s->stream), transaction_take, t));
    }
    finish(s, "DATA");
}

static bool parse_bdat(struct str argument, uint64_t *octets, bool *last)
{
    size_t space = str_find(argument, ' ', 0);
    struct str word = str_trim(str_from(argument, space));

    *last = str_equal_nocase(word, STR("LAST"));
    return str_number(str_part(argument, 0, space), INT64_MAX, octets) && (*last || word.length == 0);
}

/* The chunk's octets, to SINK or nowhere.  False when the session is over. */
static bool read_chunk(struct session *s, uint64_t octets, bool keep)
{
    struct transaction *t = s->transaction;

    while (octets > 0) {
        struct str input = stream_input(&s->stream);

        if (input.length == 0) {
            if (!read_more(s))
                return false;
            continue;
        }
        input = str_part(input, 0, octets < input.length ? (size_t)octets : input.length);
        if (keep)
            data_read(&t->reader, input, transaction_take, t);
        stream_consume(&s->stream, input.length);
        octets -= input.length;
    }
    return true;
}

/* How many octets follow is unknown: what comes next could be taken for commands. */
static bool read_size(struct session *s, struct str argument, uint64_t *octets, bool *last)
{
    if (parse_bdat(argument, octets, last))
        return true;
    session_reply(s, 421, "4.5.4", "Syntax: BDAT octets [LAST]; cannot stay in step without a size");
    session_end(s, "BDAT without a size");
    return false;
}

/* Without a transaction there is no deadline that bounds the swallowing: one is made for it. */
void verb_bdat_refused(struct session *s, struct str argument, const struct status *status)
{
    const struct conf *conf = s->smtpd->conf;
    bool borrowed = s->transaction == NULL, last;
    uint64_t octets;

    if (!read_size(s, argument, &octets, &last))
        return;
    if (borrowed)
        s->transaction = transaction_begin(conf);
    if (s->transaction->deadline == 0)
        s->transaction->deadline = clock_now() + conf->smtpd_data_timeout;
    if (read_chunk(s, octets, false))
        session_reply_status(s, status);
    if (borrowed)
        session_end_transaction(s);
}

void verb_bdat(struct session *s, struct str argument)
{
    struct transaction *t = s->transaction;
    uint64_t octets;
    bool last;

    if (!read_size(s, argument, &octets, &last))
        return;
    if (!t->has_body)
        begin_body(s, false);
    if (!read_chunk(s, octets, true))
        return;
    if (clock_now() >= t->deadline) {
        s->stream.fault = STREAM_TIMEOUT;
        session_end_by_fault(s);
        return;
    }
    if (octets > 0)
        s->commands--; /* bounded by the size and the time of the message */
    if (last)
        data_read_end(&t->reader, transaction_take, t);
    /* RFC 3030 section 2: after a chunk that failed the transaction is over; what else is on its way is refused as it comes. */
    s->follows_refusal = !last;
    if (last || transaction_is_too_big(t))
        finish(s, "BDAT");
    else
        session_reply(s, 250, "2.0.0", "%llu octets received", (unsigned long long)octets);
}
