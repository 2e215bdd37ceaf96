#include "lmtp/probe.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"
#include "lmtp/probe_cache.h"
#include "transfer/dialogue.h"

/* What is being asked; whoever asks for the same waits for it. */
struct question {
    struct question *next;
    struct str address; /* of the thread that asks */
    bool done;
    struct status status;
    int users;
};

struct server {
    bool fails;          /* it did not answer when it was last asked */
    int64_t quiet_until; /* it is not asked before */
};

struct probe {
    struct lmtp_means means;
    struct arena arena;
    struct endpoints endpoints;
    struct lock lock;
    struct signal changed;
    struct probe_cache cache;
    struct question *questions; /* that are not done */
    int connections;
    struct server servers[ENDPOINTS_MAX]; /* the endpoints */
};

bool probe_is_for(const struct conf *conf, struct str domain)
{
    struct str rest = str_of(conf->lmtp_probe_domains), item;

    while (str_cut(&rest, ';', &item))
        if (str_equal(item, domain) || str_equal(item, STR("*")))
            return true;
    return false;
}

struct probe *probe_new(const struct lmtp_means *means)
{
    struct probe *p = memory_new(sizeof *p);

    p->means = *means;
    for (size_t i = 0; i < ENDPOINTS_MAX; i++)
        p->servers[i].quiet_until = INT64_MIN;
    arena_init(&p->arena);
    endpoints_parse(&p->endpoints, str_of(means->conf->lmtp_address), &p->arena);
    lock_init(&p->lock);
    signal_init(&p->changed);
    return p;
}

void probe_free(struct probe **p)
{
    if (*p == NULL)
        return;
    probe_cache_done(&(*p)->cache);
    signal_done(&(*p)->changed);
    lock_done(&(*p)->lock);
    arena_done(&(*p)->arena);
    memory_free(p);
}

static int64_t patience(const struct probe *p)
{
    return p->means.conf->deliverd_connect_timeout + PROBE_REPLY_MS;
}

/* What the answer means */

/* Commands, parameters, logins and TLS: the other side speaks of us (RFC 5321 sections 4.1.1.11 and 4.2.2, RFC 4954 section 6). */
static bool is_about_us(const struct status *s)
{
    return s->code < 510 || (s->code >= 520 && s->code < 550) || s->code == 555 || s->subject == 5;
}

static struct status unclear(const struct status *s)
{
    return status_make(451, "4.3.0", "Cannot look up the recipient now, try again later (%d %s)", s->code, s->text);
}

/* Where the server is, and what is wrong with it, is for the log. */
static struct status nobody_answers(void)
{
    return status_make(451, "4.4.1", "Cannot look up the recipient now, try again later");
}

static struct status judge_reply(const struct status *s, struct str address)
{
    if (s->code >= 200 && s->code < 300)
        return status_ok();
    if (!status_is_permanent(s) || is_about_us(s))
        return unclear(s);
    if (s->subject > 1)
        return *s;
    return status_make(550, "5.1.1", "<%.*s>: No such user here (%s)", STR_ARG(address), s->text);
}

static bool is_unknown(const struct status *s)
{
    return status_is_permanent(s) && s->subject == 1;
}

/* The question */

/* A local part has no other form (RFC 6531 section 3.5). */
static bool can_take(const struct client *c, struct str address)
{
    return str_is_ascii(address) || (c->extensions & CLIENT_SMTPUTF8) != 0;
}

static void put_mail(struct client *c, struct str address)
{
    dialogue_put(c, "MAIL FROM:<>%s", str_is_ascii(address) ? "" : " SMTPUTF8");
}

static struct status ask_pipelined(struct client *c, struct str address, struct status *mail)
{
    struct status rcpt;

    put_mail(c, address);
    dialogue_put(c, "RCPT TO:<%.*s>", STR_ARG(address));
    dialogue_put(c, "RSET");
    *mail = dialogue_command(c, "MAIL");
    rcpt = dialogue_command(c, "RCPT");
    dialogue_command(c, "RSET");
    return rcpt;
}

static struct status ask_in_turn(struct client *c, struct str address, struct status *mail)
{
    struct status rcpt;

    put_mail(c, address);
    *mail = dialogue_command(c, "MAIL");
    dialogue_put(c, "RCPT TO:<%.*s>", STR_ARG(address));
    rcpt = dialogue_command(c, "RCPT");
    dialogue_put(c, "RSET");
    dialogue_command(c, "RSET");
    return rcpt;
}

/* False when the server gave no answer, with the reason in *STATUS. */
static bool ask_server(struct client *c, struct str address, struct status *status)
{
    bool pipelining = (c->extensions & CLIENT_PIPELINING) != 0;
    struct status mail, rcpt;

    if (!can_take(c, address)) {
        *status = status_make(550, "5.6.7", "<%.*s>: Its mailbox server does not know internationalized addresses", STR_ARG(address));
        return true;
    }
    rcpt = pipelining ? ask_pipelined(c, address, &mail) : ask_in_turn(c, address, &mail);
    *status = rcpt;
    if (!rcpt.from_peer || rcpt.code == 421)
        return false;
    *status = status_is_ok(&mail) ? judge_reply(&rcpt, address) : unclear(&mail);
    return true;
}

/* Of one that fails, one question at a time finds out whether it still does. */
static bool may_ask(struct probe *p, struct server *s)
{
    int64_t now = clock_now();
    bool may;

    lock_take(&p->lock);
    may = now >= s->quiet_until;
    if (may && s->fails)
        s->quiet_until = now + patience(p);
    lock_release(&p->lock);
    return may;
}

/* True when that is news. */
static bool note_outcome(struct probe *p, struct server *s, bool fails)
{
    bool news;

    lock_take(&p->lock);
    news = s->fails != fails;
    s->fails = fails;
    s->quiet_until = fails ? clock_now() + PROBE_PAUSE_MS : INT64_MIN;
    lock_release(&p->lock);
    return news;
}

static void log_outcome(const struct endpoint *e, bool fails, const struct status *s)
{
    char name[LMTP_NAME_SIZE];
    struct log_line l;

    lmtp_name(e, name);
    log_begin(&l, fails ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "lmtp-probe");
    log_text(&l, "server", name);
    log_text(&l, "message", fails ? "recipients cannot be looked up there" : "recipients can be looked up again");
    if (fails)
        log_status(&l, s);
    log_end(&l);
}

static bool open_and_ask(const struct probe *p, const struct endpoint *e, struct client *c, struct str address, struct status *status)
{
    *status = lmtp_open(c, e, &p->means, PROBE_REPLY_MS);
    if (!status_is_ok(status))
        return false;
    if (ask_server(c, address, status))
        return true;
    client_close(c);
    return false;
}

/* The servers in order until one answers; that one is left open in C. */
static bool ask_servers(struct probe *p, struct client *c, struct str address, struct status *status)
{
    int64_t deadline = clock_now() + patience(p);

    for (size_t i = 0; i < p->endpoints.count && clock_now() < deadline && !stop_seen(); i++) {
        const struct endpoint *e = &p->endpoints.items[i];
        bool answered;

        if (!may_ask(p, &p->servers[i]))
            continue;
        answered = open_and_ask(p, e, c, address, status);
        if (note_outcome(p, &p->servers[i], !answered) && !stop_seen())
            log_outcome(e, !answered, status);
        if (answered)
            return true;
    }
    *status = nobody_answers();
    return false;
}

/* Who shares it; with the lock taken, as all that follows */

static struct question *find_question(const struct probe *p, struct str address)
{
    struct question *q = p->questions;

    while (q != NULL && !str_equal(q->address, address))
        q = q->next;
    return q;
}

static struct question *add_question(struct probe *p, struct str address)
{
    struct question *q = memory_new(sizeof *q);

    q->address = address;
    q->next = p->questions;
    p->questions = q;
    return q;
}

static void settle_question(struct probe *p, struct question *q, const struct status *status)
{
    struct question **place = &p->questions;

    while (*place != q)
        place = &(*place)->next;
    *place = q->next;
    q->status = *status;
    q->done = true;
    signal_all(&p->changed);
}

static void leave_question(struct question *q)
{
    if (--q->users == 0)
        memory_free(&q);
}

static void keep(struct probe *p, struct str address, const struct status *s)
{
    const struct conf *conf = p->means.conf;

    if (!status_is_temporary(s))
        probe_cache_keep(&p->cache, address, s, status_is_ok(s) ? conf->lmtp_probe_ttl : conf->lmtp_probe_negative_ttl);
}

static bool all_are_quiet(const struct probe *p)
{
    int64_t now = clock_now();

    for (size_t i = 0; i < p->endpoints.count; i++)
        if (now >= p->servers[i].quiet_until)
            return false;
    return true;
}

/* The lock is taken before and after, and not while the network is waited for; nor is the server's goodbye by those who wait as well. */
static void ask(struct probe *p, struct question *q)
{
    struct status status;
    struct client client;
    bool answered;

    p->connections++;
    lock_release(&p->lock);
    answered = ask_servers(p, &client, q->address, &status);
    lock_take(&p->lock);
    keep(p, q->address, &status);
    settle_question(p, q, &status);
    lock_release(&p->lock);
    if (answered)
        client_close(&client);
    lock_take(&p->lock);
    p->connections--;
    signal_all(&p->changed);
}

static struct status wait_for_others(struct probe *p, struct question *q, int64_t deadline)
{
    while (!q->done)
        if (!signal_wait(&p->changed, &p->lock, deadline))
            return nobody_answers();
    return q->status;
}

static struct status ask_myself(struct probe *p, struct str address)
{
    struct question *q = add_question(p, address);
    struct status s;

    q->users = 1;
    ask(p, q);
    s = q->status;
    leave_question(q);
    return s;
}

static struct status join(struct probe *p, struct question *q, int64_t deadline)
{
    struct status s;

    q->users++;
    s = wait_for_others(p, q, deadline);
    leave_question(q);
    return s;
}

static struct status find_out(struct probe *p, struct str address)
{
    int64_t deadline = clock_now() + patience(p);

    for (;;) {
        struct question *q;
        struct status s;

        if (probe_cache_find(&p->cache, address, &s))
            return s;
        if (all_are_quiet(p))
            return nobody_answers();
        if ((q = find_question(p, address)) != NULL)
            return join(p, q, deadline);
        if (p->connections < PROBE_MOST)
            return ask_myself(p, address);
        if (!signal_wait(&p->changed, &p->lock, deadline))
            return nobody_answers();
    }
}

struct status probe_ask(struct probe *p, struct str address, bool *unknown)
{
    struct status s;

    lock_take(&p->lock);
    s = find_out(p, address);
    lock_release(&p->lock);
    *unknown = is_unknown(&s);
    return s;
}
