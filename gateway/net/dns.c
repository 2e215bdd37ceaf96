#include "net/dns.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"
#include "net/dns_forward.h"
#include "net/dns_hosts.h"
#include "net/dns_library.h"
#include "net/dns_name.h"
#include "net/dns_reply.h"
#include "net/dns_silence.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    TYPE_DNSKEY = 48,
    UNDER_WAY_MOST = 4096,
    PREFETCH_MOST = 1024,
    SILENT_MOST = 64, /* under way, while the resolvers are silent */
    SILENT_MS = 500,  /* waited for then */
    LOOK_MS = 250, /* how often a waiter looks whether the program stops */
    FAIR_MS = 500, /* a question that had less time says nothing of the resolvers */
    SLOW_SERVFAIL_MS = 5000,
    ANCHOR_CHECK_MS = 60000,
    ANCHOR_WAIT_MS = 2000,
};

/* A question that libunbound has.  Whoever comes last frees it: the waiter who takes the answer, or the answer that finds nobody. */
struct question {
    struct dns *dns;
    struct question *next, *previous;
    struct signal wake;
    struct ub_result *result;
    int64_t asked;
    int error;
    bool answered, left;
    bool in_silence; /* asked while the resolvers were silent */
};

struct dns {
    struct ub_ctx *context;
    struct dns_hosts *hosts; /* NULL: that file does not count */
    int wake; /* eventfd: the dispatcher shall end */
    struct lock lock; /* of all that follows, and of the questions */
    struct signal ended;
    bool dispatching;
    struct question *questions;
    int under_way;
    struct dns_silence silence;
    int64_t anchor_check; /* when the trust anchor may be looked at again */
    bool anchor_fails;
};

static void link_question(struct dns *d, struct question *q)
{
    q->next = d->questions;
    if (q->next != NULL)
        q->next->previous = q;
    d->questions = q;
    d->under_way++;
}

static void unlink_question(struct dns *d, struct question *q)
{
    *(q->previous != NULL ? &q->previous->next : &d->questions) = q->next;
    if (q->next != NULL)
        q->next->previous = q->previous;
    d->under_way--;
}

static void free_question(struct question *q)
{
    dns_library_free(q->result);
    signal_done(&q->wake);
    memory_free(&q);
}

/* SERVFAIL is what libunbound says, too, when nobody answers it: after many seconds, and then at once for as long as it remembers that.  It
 * never proves that a resolver lives.  Nor does bogus: the keys may be what nobody answered. */
static void note_answer(struct dns *d, const struct question *q)
{
    const int64_t now = clock_now(), took = now - q->asked;
    struct dns_reply reply;

    if (q->result == NULL)
        return;
    dns_library_read(q->result, &reply);
    if (reply.rcode != DNS_SERVFAIL && !reply.bogus)
        dns_silence_answer(&d->silence, now, took);
    else if (took >= SLOW_SERVFAIL_MS && !reply.bogus && !q->left)
        dns_silence_timeout(&d->silence, now);
}

static void take_answer(void *argument, int error, struct ub_result *result)
{
    struct question *q = argument;
    struct dns *d = q->dns;
    bool left;

    lock_take(&d->lock);
    unlink_question(d, q);
    q->error = error;
    q->result = result;
    q->answered = true;
    note_answer(d, q);
    left = q->left;
    if (!left)
        signal_one(&q->wake);
    lock_release(&d->lock);
    if (left)
        free_question(q);
}

/* No answer would ever come again.  The parent starts another process. */
static void give_up(void)
{
    log_message(LOG_LEVEL_ERROR, "dns", "libunbound's answers cannot be read any more");
    abort();
}

static void dispatch(void *argument)
{
    struct dns *d = argument;
    struct pollfd p[2] = {{.fd = dns_library_fd(d->context), .events = POLLIN}, {.fd = d->wake, .events = POLLIN}};

    while (p[1].revents == 0) {
        if (poll(p, 2, -1) < 0)
            continue;
        if (p[0].revents != 0 && !dns_library_process(d->context))
            give_up();
    }
    lock_take(&d->lock);
    d->dispatching = false;
    signal_one(&d->ended);
    lock_release(&d->lock);
}

/* The lock is taken. */
static struct question *new_question(struct dns *d, int64_t now)
{
    struct question *q = memory_new(sizeof *q);

    q->dns = d;
    q->asked = now;
    q->in_silence = dns_silence_is(&d->silence, now);
    signal_init(&q->wake);
    link_question(d, q);
    return q;
}

static const char silent_text[] = "the resolvers do not answer";

static struct question *admit(struct dns *d, struct dns_answer *answer)
{
    struct question *q = NULL;
    const int64_t now = clock_now();

    lock_take(&d->lock);
    if (d->under_way >= UNDER_WAY_MOST)
        dns_reply_fail(answer, "too many questions are under way");
    else if (d->under_way >= SILENT_MOST && dns_silence_is(&d->silence, now))
        dns_reply_fail_timeout(answer, silent_text);
    else
        q = new_question(d, now);
    lock_release(&d->lock);
    return q;
}

/* 0, or the error; then Q is gone. */
static int hand_over(struct dns *d, const char *name, int type, struct question *q)
{
    const int error = dns_library_ask(d->context, name, type, take_answer, q);

    if (error == 0)
        return 0;
    lock_take(&d->lock);
    unlink_question(d, q);
    lock_release(&d->lock);
    free_question(q);
    return error;
}

static struct question *start(struct dns *d, const char *name, int type, struct dns_answer *answer)
{
    struct question *q = admit(d, answer);
    const int error = q != NULL ? hand_over(d, name, type, q) : 0;

    if (error == 0)
        return q;
    dns_reply_fail(answer, dns_library_error(error));
    return NULL;
}

/* Until when Q is waited for.  The end of the silence gives back the time that it took. */
static int64_t patience(const struct question *q, int64_t deadline, int64_t now)
{
    if (q->in_silence && dns_silence_is(&q->dns->silence, now))
        deadline = clock_earlier(deadline, q->asked + SILENT_MS);
    return clock_earlier(deadline, stop_deadline());
}

/* The lock is taken. */
static void leave(struct question *q, int64_t deadline, struct dns_answer *answer)
{
    const int64_t now = clock_now();
    const bool silent = dns_silence_is(&q->dns->silence, now);

    q->left = true;
    if (now >= stop_deadline()) {
        dns_reply_fail_timeout(answer, "stopping");
        return;
    }
    if (now - q->asked >= FAIR_MS)
        dns_silence_timeout(&q->dns->silence, now);
    dns_reply_fail_timeout(answer, silent && now < deadline ? silent_text : "no answer in time");
}

/* False when the answer did not come in time: then Q is no longer the caller's. */
static bool wait_for(struct question *q, int64_t deadline, struct dns_answer *answer)
{
    struct dns *d = q->dns;
    bool answered;
    int64_t now = clock_now();

    lock_take(&d->lock);
    while (!q->answered && now < patience(q, deadline, now)) {
        signal_wait(&q->wake, &d->lock, clock_earlier(patience(q, deadline, now), now + LOOK_MS));
        now = clock_now();
    }
    answered = q->answered;
    if (!answered)
        leave(q, deadline, answer);
    lock_release(&d->lock);
    return answered;
}

static bool is_silent(struct dns *d)
{
    bool silent;

    lock_take(&d->lock);
    silent = dns_silence_is(&d->silence, clock_now());
    lock_release(&d->lock);
    return silent;
}

static bool anchor_is_due(struct dns *d, bool *fails)
{
    const int64_t now = clock_now();
    bool due;

    lock_take(&d->lock);
    due = now >= d->anchor_check;
    if (due)
        d->anchor_check = now + ANCHOR_CHECK_MS;
    *fails = d->anchor_fails;
    lock_release(&d->lock);
    return due;
}

/* Whether not even the keys of the root pass: then it is not one zone that is broken. */
static bool anchor_fails(struct dns *d, int64_t deadline)
{
    struct dns_answer answer = {0};
    struct dns_reply reply = {0};
    struct question *q;
    bool fails;

    if (!anchor_is_due(d, &fails))
        return fails;
    q = start(d, ".", TYPE_DNSKEY, &answer);
    if (q != NULL && wait_for(q, clock_earlier(deadline, clock_now() + ANCHOR_WAIT_MS), &answer)) {
        if (q->result != NULL)
            dns_library_read(q->result, &reply);
        free_question(q);
    }
    lock_take(&d->lock);
    d->anchor_fails = reply.bogus;
    lock_release(&d->lock);
    return reply.bogus;
}

static void read_bogus(struct dns *d, const struct dns_reply *reply, int64_t deadline, struct dns_answer *answer)
{
    const bool general = anchor_fails(d, deadline);

    dns_reply_fail(answer, general ? "the resolvers pass no DNSSEC records on, or the trust anchor or the clock is wrong "
                                     "(TMAIL_DNS_FORWARD, TMAIL_DNS_TRUST_ANCHOR, TMAIL_DNSSEC)"
                                   : "DNSSEC validation failed");
    answer->bogus = true;
    if (reply->why_bogus != NULL) {
        dns_reply_add_reason(answer, ": ");
        dns_reply_add_reason(answer, reply->why_bogus);
    }
}

static void read_answer(const struct question *q, int64_t deadline, struct arena *arena, struct dns_answer *answer)
{
    struct dns_reply reply = {0};

    if (q->result == NULL) {
        dns_reply_fail(answer, dns_library_error(q->error));
        return;
    }
    dns_library_read(q->result, &reply);
    if (reply.bogus)
        read_bogus(q->dns, &reply, deadline, answer);
    else
        dns_reply_read(&reply, arena, answer);
    if (reply.rcode == DNS_SERVFAIL && !reply.bogus && is_silent(q->dns))
        dns_reply_fail_timeout(answer, silent_text);
}

static bool is_address(enum dns_type type)
{
    return type == DNS_A || type == DNS_AAAA;
}

static void ask(struct dns *d, const char *name, enum dns_type type, int64_t deadline, struct arena *arena, struct dns_answer *answer)
{
    struct question *q = start(d, name, (int)type, answer);

    if (q == NULL || !wait_for(q, deadline, answer))
        return;
    read_answer(q, deadline, arena, answer);
    free_question(q);
}

/* That the DNS does not know a name of /etc/hosts does not make it go away. */
static void ask_beside_hosts(struct dns *d, const char *name, enum dns_type type, int64_t deadline, struct arena *arena,
                             struct dns_answer *answer)
{
    const char *canonical = answer->canonical;

    if (is_address(type)) {
        dns_hosts_answer(d->hosts, name, type, arena, answer);
        return;
    }
    ask(d, name, type, deadline, arena, answer);
    if (answer->outcome == DNS_NO_NAME)
        *answer = (struct dns_answer){.outcome = DNS_NO_DATA, .canonical = canonical};
}

void dns_ask(struct dns *d, const char *name, enum dns_type type, int64_t deadline, struct arena *arena, struct dns_answer *answer)
{
    char wanted[DNS_NAME_SIZE];

    *answer = (struct dns_answer){.outcome = DNS_NO_NAME};
    if (!dns_name_normalize(name, wanted)) {
        answer->canonical = arena_text(arena, str_of(name));
        dns_reply_add_reason(answer, "this cannot be a name in the DNS");
        return;
    }
    answer->canonical = arena_text(arena, str_of(wanted));
    if (clock_now() >= clock_earlier(deadline, stop_deadline())) {
        dns_reply_fail_timeout(answer, "no time was left to ask");
        return;
    }
    if (dns_hosts_has(d->hosts, wanted))
        ask_beside_hosts(d, wanted, type, deadline, arena, answer);
    else
        ask(d, wanted, type, deadline, arena, answer);
}

/* A question that nobody waits for. */
void dns_prefetch(struct dns *d, const char *name, enum dns_type type)
{
    char wanted[DNS_NAME_SIZE];
    struct question *q = NULL;
    const int64_t now = clock_now();

    if (!dns_name_normalize(name, wanted) || now >= stop_deadline() || (is_address(type) && dns_hosts_has(d->hosts, wanted)))
        return;
    lock_take(&d->lock);
    if (d->under_way < PREFETCH_MOST && !dns_silence_is(&d->silence, now)) {
        q = new_question(d, now);
        q->left = true;
    }
    lock_release(&d->lock);
    if (q != NULL)
        hand_over(d, wanted, (int)type, q);
}

static void free_dns(struct dns *d)
{
    dns_library_close(d->context);
    dns_hosts_close(&d->hosts);
    while (d->questions != NULL) {
        struct question *q = d->questions;

        unlink_question(d, q);
        free_question(q);
    }
    if (d->wake >= 0)
        close(d->wake);
    signal_done(&d->ended);
    lock_done(&d->lock);
    memory_free(&d);
}

static bool start_dispatching(struct dns *d)
{
    bool good;

    lock_take(&d->lock);
    good = d->dispatching = d->wake >= 0 && thread_start(dispatch, d);
    lock_release(&d->lock);
    return good;
}

struct dns *dns_open(const struct dns_settings *settings, char *error, size_t error_size)
{
    const struct dns_host_files host = {"/etc/resolv.conf", "/etc/hosts", dns_find_trust_anchor()};
    const struct dns_host_files *files = settings->host != NULL ? settings->host : &host;
    struct ub_ctx *context = dns_library_open(settings, files, error, error_size);
    struct dns *d;

    if (context == NULL)
        return NULL;
    d = memory_new(sizeof *d);
    d->context = context;
    if (dns_forward_is_host(str_of(settings->forward)))
        d->hosts = dns_hosts_open(files->hosts);
    lock_init(&d->lock);
    signal_init(&d->ended);
    d->wake = eventfd(0, EFD_CLOEXEC);
    if (start_dispatching(d))
        return d;
    snprintf(error, error_size, "no thread for the DNS: %s", strerror(errno));
    free_dns(d);
    return NULL;
}

void dns_close(struct dns **d)
{
    const uint64_t one = 1;

    if (*d == NULL)
        return;
    while (write((*d)->wake, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    lock_take(&(*d)->lock);
    while ((*d)->dispatching)
        signal_wait(&(*d)->ended, &(*d)->lock, CLOCK_NEVER);
    lock_release(&(*d)->lock);
    free_dns(*d);
    *d = NULL;
}
