#include "dovecot/quota_status.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"
#include "net/resolve.h"
#include "net/stream.h"

struct quota_status {
    const struct endpoint *endpoint;
    struct dns *dns;
    struct lock lock;
    int64_t quiet_until;
};

/* The protocol */

static void add_attribute(struct buf *to, const char *name, struct str value)
{
    buf_add_text(to, name);
    buf_add_byte(to, '=');
    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i];

        buf_add_byte(to, c == '\n' || c == '\r' || c == '\0' ? '?' : c);
    }
    buf_add_byte(to, '\n');
}

void quota_status_write(struct str address, uint64_t size, struct buf *to)
{
    add_attribute(to, "request", STR("smtpd_access_policy"));
    add_attribute(to, "protocol_state", STR("RCPT"));
    add_attribute(to, "protocol_name", STR("ESMTP"));
    add_attribute(to, "recipient", address);
    buf_print(to, "size=%llu\n\n", (unsigned long long)size);
}

/* The one action; false when there is none, or more than one, or what is no attribute. */
static bool find_action(struct str answer, struct str *action)
{
    static const struct str name = {"action=", 7};
    struct str line;
    bool found = false;

    while (str_cut(&answer, '\n', &line) && line.length > 0) {
        if (!str_has(line, '=') || str_has(line, '\0'))
            return false;
        if (!str_starts(line, name))
            continue;
        if (found)
            return false;
        *action = str_trim(str_from(line, name.length));
        found = true;
    }
    return found;
}

static bool read_code(struct str word, uint64_t *code)
{
    return word.length == 3 && str_number(word, 559, code) && *code >= 400 && word.data[1] <= '5';
}

/* Without an enhanced code, or with one of another class, it is about the mailbox (RFC 3463 section 3.3). */
static void take_enhanced(struct status *s, struct str *text)
{
    short class = (short)(s->code / 100);
    size_t length = status_parse_enhanced(*text, s);

    *text = str_trim(str_from(*text, length));
    if (length > 0 && s->class == class)
        return;
    s->class = class;
    s->subject = 2;
    s->detail = s->code % 100 == 52 ? 2 : 0;
    s->coined = true;
}

static void take_refusal(struct status *s, uint64_t code, struct str text)
{
    *s = (struct status){.code = (short)code, .from_peer = true};
    take_enhanced(s, &text);
    if (code == 421) /* says of a connection that it ends: ours to the client does not */
        s->code = 450;
    status_set_text(s, text.length > 0 ? text : STR("The mailbox takes no mail now"));
}

static void take_words(struct status *s, struct str action)
{
    *s = status_ok();
    status_set_text(s, action);
}

enum quota_answer quota_status_read(struct str answer, struct status *status)
{
    struct str action, word;
    uint64_t code;

    *status = status_ok();
    if (!find_action(answer, &action) || action.length == 0)
        return QUOTA_NONE;
    word = str_part(action, 0, str_find(action, ' ', 0));
    if (str_equal_nocase(word, STR("OK")) || str_equal_nocase(word, STR("DUNNO")))
        return QUOTA_ROOM;
    if (!read_code(word, &code)) {
        take_words(status, action);
        return QUOTA_OTHER;
    }
    take_refusal(status, code, str_trim(str_from(action, word.length)));
    return QUOTA_REFUSED;
}

/* The service */

struct quota_status *quota_status_new(const struct endpoint *e, struct dns *dns)
{
    struct quota_status *q = memory_new(sizeof *q);

    q->endpoint = e;
    q->dns = dns;
    q->quiet_until = INT64_MIN;
    lock_init(&q->lock);
    return q;
}

void quota_status_free(struct quota_status **q)
{
    if (*q == NULL)
        return;
    lock_done(&(*q)->lock);
    memory_free(q);
}

static bool is_quiet(struct quota_status *q)
{
    bool quiet;

    lock_take(&q->lock);
    quiet = clock_now() < q->quiet_until;
    lock_release(&q->lock);
    return quiet;
}

/* True for the first who comes to know it: the line in the log is theirs. */
static bool begin_pause(struct quota_status *q)
{
    int64_t now = clock_now();
    bool first;

    lock_take(&q->lock);
    first = now >= q->quiet_until;
    if (first)
        q->quiet_until = now + QUOTA_STATUS_PAUSE_MS;
    lock_release(&q->lock);
    return first;
}

static void log_answer(struct str address, const char *message, const char *reason)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_WARNING, "quota-status");
    log_str(&l, "mailbox", address);
    log_text(&l, "message", message);
    log_text(&l, "reason", reason);
    log_end(&l);
}

static bool connect_host(const struct quota_status *q, struct stream *s, int64_t deadline, struct status *why)
{
    struct resolved found;
    struct arena arena;
    bool ok = false;

    arena_init(&arena);
    resolve(q->dns, q->endpoint->host, q->endpoint->port, RESOLVE_IPV6_FIRST, deadline, &arena, &found);
    *why = found.status;
    for (size_t i = 0; i < found.count && !ok; i++)
        if (!(ok = stream_connect(s, &found.addresses[i], NULL, deadline)))
            *why = status_make(451, "", "%s", stream_fault_text(s));
    arena_done(&arena);
    return ok;
}

static bool connect_to(const struct quota_status *q, struct stream *s, int64_t deadline, struct status *why)
{
    if (q->endpoint->path == NULL)
        return connect_host(q, s, deadline, why);
    if (stream_connect_path(s, q->endpoint->path, deadline))
        return true;
    *why = status_make(451, "", "%s", stream_fault_text(s));
    return false;
}

/* Up to and with the empty line. */
static bool read_answer(struct stream *s, struct str *answer, struct status *why)
{
    static const struct str end = {"\n\n", 2};

    while (!str_contains(*answer = stream_input(s), end)) {
        if (answer->length >= QUOTA_STATUS_ANSWER_MAX) {
            *why = status_make(451, "", "the answer is too long");
            return false;
        }
        if (!stream_fill(s, QUOTA_STATUS_ANSWER_MAX)) {
            *why = status_make(451, "", "%s", stream_fault_text(s));
            return false;
        }
    }
    return true;
}

/* False, with the reason in *STATUS, when nobody answered. */
static bool ask(const struct quota_status *q, struct str address, uint64_t size, enum quota_answer *result, struct status *status)
{
    int64_t deadline = clock_now() + QUOTA_STATUS_MS;
    struct buf question = {0};
    struct stream s;
    struct str answer;
    bool ok;

    if (!connect_to(q, &s, deadline, status))
        return false;
    s.deadline = deadline;
    s.heed_stop = true;
    quota_status_write(address, size, &question);
    stream_put(&s, buf_str(&question));
    buf_done(&question);
    ok = read_answer(&s, &answer, status);
    if (ok)
        *result = quota_status_read(answer, status);
    stream_done(&s);
    return ok;
}

struct status quota_status_ask(struct quota_status *q, struct str address, uint64_t size)
{
    enum quota_answer result = QUOTA_NONE;
    struct status status;
    bool answered;

    if (is_quiet(q))
        return status_ok();
    answered = ask(q, address, size, &result, &status);
    if (result == QUOTA_REFUSED)
        return status;
    if (result == QUOTA_OTHER)
        log_answer(address, "Dovecot does not say whether there is room; the mail is taken", status.text);
    else if (result == QUOTA_NONE && !stop_seen() && begin_pause(q))
        log_answer(address, "Dovecot does not answer; the mail is taken", answered ? "what it says is no answer" : status.text);
    return status_ok();
}
