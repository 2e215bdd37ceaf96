#include "smtpd/transaction.h"

#include "base/clock.h"
#include "base/memory.h"

struct transaction *transaction_begin(const struct conf *conf)
{
    struct transaction *t = memory_new(sizeof *t);

    arena_init(&t->arena);
    envelope_init(&t->envelope, &t->arena);
    body_init(&t->body, conf->tempdir);
    t->max_size = conf->smtpd_max_databytes > 0 ? conf->smtpd_max_databytes : BODY_MOST;
    t->max_hops = conf->smtpd_max_hops;
    return t;
}

void transaction_end(struct transaction **t)
{
    if (*t == NULL)
        return;
    field_scan_done(&(*t)->from);
    body_done(&(*t)->body);
    arena_done(&(*t)->arena);
    memory_free(t);
}

void transaction_complete(struct transaction *t, const char *me)
{
    t->completes = true;
    completion_init(&t->completion, t->envelope.id, t->envelope.arrived, me);
}

void transaction_keep_from(struct transaction *t)
{
    t->keeps_from = true;
    field_scan_init(&t->from, "from");
}

void transaction_begin_body(struct transaction *t, bool dots, bool normalize, const struct conf *conf, struct str trace)
{
    t->has_body = true;
    t->chunked = !dots;
    t->deadline = clock_now() + conf->smtpd_data_timeout;
    data_reader_init(&t->reader, dots);
    t->reader.normalize = normalize;
    t->reader.line_max = (size_t)conf->smtpd_max_text_length;
    header_scan_init(&t->header);
    body_append(&t->body, trace);
}

bool transaction_is_too_big(const struct transaction *t)
{
    return t->size > t->max_size;
}

static void keep(void *context, struct str content)
{
    struct transaction *t = context;

    body_append(&t->body, content);
}

/* What will be refused need not be kept. */
static bool is_worth_keeping(const struct transaction *t)
{
    return t->reader.flaws == 0 && !transaction_is_too_big(t);
}

void transaction_take(void *context, struct str content)
{
    struct transaction *t = context;

    /* It would be read as a line of the field that we put on top: there is no header then. */
    if (t->size == 0 && !t->completes && (str_starts(content, STR(" ")) || str_starts(content, STR("\t")))) {
        header_scan(&t->header, STR("\r\n"));
        keep(t, STR("\r\n"));
    }
    t->size += (int64_t)content.length;
    header_scan(&t->header, content);
    if (t->keeps_from)
        field_scan(&t->from, content);
    if (!is_worth_keeping(t))
        return;
    if (t->completes)
        completion_take(&t->completion, content, keep, t);
    else
        keep(t, content);
}

void transaction_end_body(struct transaction *t)
{
    if (t->completes && is_worth_keeping(t))
        completion_end(&t->completion, keep, t);
}

static struct status flaw_status(const struct transaction *t)
{
    if ((t->reader.flaws & DATA_NUL) != 0)
        return status_make(550, "5.5.2", "Message has a NUL byte");
    if ((t->reader.flaws & DATA_BARE_LF) != 0)
        return status_make(550, "5.5.2", "Message has a bare LF; lines end with CR LF (RFC 5321 section 2.3.8)");
    if ((t->reader.flaws & DATA_BARE_CR) != 0)
        return status_make(550, "5.5.2", "Message has a bare CR; lines end with CR LF (RFC 5321 section 2.3.8)");
    return status_make(554, "5.6.0", "Line of text too long (limit %zu octets)", t->reader.line_max);
}

struct status transaction_verdict(const struct transaction *t)
{
    struct status status;

    if (transaction_is_too_big(t))
        return status_make(552, "5.3.4", "Message too big (limit %lld octets)", (long long)t->max_size);
    if (t->reader.flaws != 0)
        return flaw_status(t);
    if (t->header.received > t->max_hops)
        return status_make(554, "5.4.6", "Too many hops, this message is looping (limit %lld)", (long long)t->max_hops);
    if (body_failed(&t->body, &status))
        return status;
    return status_ok();
}
