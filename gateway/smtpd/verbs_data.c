/* DATA and BDAT: a message's content, and what becomes of it. */
#include "base/clock.h"
#include "base/log.h"
#include "message/trace.h"
#include "smtpd/verbs.h"

enum { READ_AHEAD = 64 << 10 };

/* RFC 3848, RFC 6531 section 4.3. */
static const char *protocol_of(const struct session *s)
{
    if (s->transaction->smtputf8)
        return "UTF8SMTP";
    return s->extended ? "ESMTP" : "SMTP";
}

static bool may_normalize(const struct session *s)
{
    const struct directory *d = s->smtpd->directory;

    return s->smtpd->conf->smtpd_bare_newline == BARE_NEWLINE_NORMALIZE && d->relayip(d->self, &s->stream.peer) == ANSWER_YES;
}

static void begin_body(struct session *s, bool dots)
{
    struct transaction *t = s->transaction;
    struct buf trace = {0};

    t->envelope.id = queue_id_new();
    t->envelope.arrived = clock_wall();
    trace_received(&trace, &t->envelope, &s->stream.peer, s->smtpd->conf->me, protocol_of(s));
    transaction_begin_body(t, dots, may_normalize(s), s->smtpd->conf, buf_str(&trace));
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
    log_number(&l, "recipients", e->recipient_count);
    log_str(&l, "recipient", e->recipients->address);
    log_number(&l, "size", s->transaction->size);
    log_end(&l);
}

/* The content is complete: judge it, make it durable, answer.  RFC 5321 section 6.1: a 250 means that we are responsible now. */
static void finish(struct session *s, const char *verb)
{
    struct transaction *t = s->transaction;
    struct status status = transaction_verdict(t);
    char id[QUEUE_ID_SIZE];

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
