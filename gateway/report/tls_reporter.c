#include "report/tls_reporter.h"

#include "base/clock.h"
#include "base/gzip.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"
#include "net/http.h"
#include "queue/queue.h"
#include "queue/wake.h"
#include "report/tls_due.h"
#include "report/tls_report.h"
#include "report/tls_report_address.h"
#include "report/tls_report_mail.h"

#include <stdio.h>

enum { LOOK_MS = 5 * 60 * 1000, POST_MS = 30 * 1000, LAST_MS = 5000 };
/* RFC 8460 section 5.5: for up to 24 hours, each wait twice the one before: 20 minutes, …, 21 hours in all. */
enum { ATTEMPTS_MOST = 7, RETRY_MS = 20 * 60 * 1000 };

struct reporter {
    const struct conf *conf;
    struct dns *dns;
    struct tables *tables;
    struct queue queue;
    bool queue_open;
    struct buf contact;
    tls_report_listener listener;
    void *context;
};

/* One row that is in hand. */
struct task {
    struct reporter *reporter;
    struct arena arena;
    struct tls_due due;
    struct tls_report report;
    struct buf json, archive;
};

void tls_reporter_contact(const struct conf *conf, struct buf *to)
{
    if (conf->tlsrpt_contact[0] != '\0')
        buf_add_text(to, conf->tlsrpt_contact);
    else
        buf_print(to, "postmaster@%s", conf->me);
}

static void tell(const struct task *k, const char *where, enum tls_report_step step, const char *reason)
{
    const struct tls_report_news news = {k->due.day, k->due.domain, where, step, reason};

    k->reporter->listener(k->reporter->context, &news);
}

static struct status finish(struct task *k, const char *const *https, size_t count)
{
    return tls_due_done(k->reporter->tables, &k->due, https, count, clock_wall());
}

/* It did not work for REASON. */
static struct status put_off(struct task *k, const char *reason)
{
    if (stop_seen())
        return tls_due_give_back(k->reporter->tables, &k->due);
    if (k->due.attempts >= ATTEMPTS_MOST) {
        tell(k, k->due.uri, TLS_REPORT_GIVEN_UP, reason);
        return finish(k, NULL, 0);
    }
    tell(k, k->due.uri, TLS_REPORT_LATER, reason);
    return tls_due_later(k->reporter->tables, &k->due, clock_wall() + ((int64_t)RETRY_MS << (k->due.attempts - 1)));
}

/* Into `json` and `archive`, which stay empty when nothing is left to report. */
static struct status make_report(struct task *k)
{
    const struct reporter *r = k->reporter;
    struct status s = status_ok();

    if (tls_report_init(&k->report, str_of(k->due.day), str_of(k->due.domain), r->conf->me, r->contact.data))
        s = tls_report_write(&k->report, r->tables, &k->json);
    if (status_is_ok(&s) && k->json.length > 0)
        gzip_write(buf_str(&k->json), &k->archive);
    return s;
}

static struct status open_queue(struct reporter *r)
{
    char error[1024];

    if (!r->queue_open && !queue_open(&r->queue, r->conf->store_source, error, sizeof error))
        return status_make(451, "4.3.0", "%s", error);
    r->queue_open = true;
    return status_ok();
}

static struct status put(struct queue *q, const struct envelope *e, struct body *body)
{
    struct status s = status_ok();
    bool ok;

    if (!queue_begin(q))
        return db_status(q->db);
    ok = queue_put(q, e, body);
    if (!ok)
        s = db_status(q->db);
    if (!ok)
        queue_rollback(q);
    else if (!queue_commit(q))
        s = db_status(q->db);
    return s;
}

static void wake_deliverers(const char *folder)
{
    struct wake w;

    wake_open(&w, folder);
    wake_send(&w);
    wake_close(&w);
}

static struct status queue_message(struct reporter *r, const struct envelope *e, struct str message)
{
    struct status s = open_queue(r);
    struct body body;

    if (!status_is_ok(&s))
        return s;
    if (!queue_has_space(r->conf->store_source, (int64_t)message.length, r->conf->store_min_free))
        return status_make(452, "4.3.1", "Insufficient storage");
    body_init(&body, r->conf->tempdir);
    body_append(&body, message);
    if (!body_failed(&body, &s))
        s = put(&r->queue, e, &body);
    body_done(&body);
    if (status_is_ok(&s))
        wake_deliverers(r->conf->store_source);
    return s;
}

static struct status queue_mail(struct task *k, const struct tls_report_addresses *to)
{
    const int64_t now = clock_wall();
    struct buf message = {0};
    struct envelope e;
    struct status s;

    if (to->mail_count == 0)
        return status_ok();
    tls_report_mail_address(&k->report, to, now, &k->arena, &e);
    tls_report_mail_write(&k->report, to, buf_str(&k->archive), now, &message);
    s = queue_message(k->reporter, &e, buf_str(&message));
    buf_done(&message);
    return s;
}

static struct status send_to(struct task *k, const struct tls_report_addresses *to)
{
    struct status s = queue_mail(k, to);

    if (!status_is_ok(&s))
        return put_off(k, s.text);
    s = finish(k, to->https, to->https_count);
    for (size_t i = 0; status_is_ok(&s) && i < to->mail_count; i++)
        tell(k, arena_text(&k->arena, to->mail[i].address), TLS_REPORT_QUEUED, NULL);
    return s;
}

/* The row without an address: where does it go? */
static struct status address_report(struct task *k)
{
    struct reporter *r = k->reporter;
    struct tls_report_addresses *to = arena_new(&k->arena, sizeof *to);
    char reason[DNS_REASON_SIZE];

    switch (tls_report_address_ask(r->dns, k->report.domain, clock_now() + r->conf->dns_timeout, &k->arena, to, reason)) {
    case TLS_REPORT_WANTED:
        return send_to(k, to);
    case TLS_REPORT_UNKNOWN:
        return put_off(k, reason);
    case TLS_REPORT_NOT_WANTED:
        break;
    }
    tell(k, "", TLS_REPORT_NO_ADDRESS, NULL);
    return finish(k, NULL, 0);
}

static struct status post_report(struct task *k)
{
    const struct reporter *r = k->reporter;
    const struct http_request request = {.url = k->due.uri,
                                         .content_type = "application/tlsrpt+gzip",
                                         .content = buf_str(&k->archive),
                                         .ca_file = r->conf->tls_ca_file,
                                         .dns = r->dns,
                                         .deadline = clock_now() + POST_MS};
    struct http_answer answer;
    struct status s;

    http_ask(&request, &answer);
    if (answer.code >= 200 && answer.code < 300) {
        tell(k, k->due.uri, TLS_REPORT_POSTED, NULL);
        s = finish(k, NULL, 0);
    } else {
        if (answer.code != 0)
            snprintf(answer.error, sizeof answer.error, "the server answered %d", answer.code);
        s = put_off(k, answer.error);
    }
    buf_done(&answer.body);
    return s;
}

static struct status work(struct task *k)
{
    struct status s = make_report(k);

    if (!status_is_ok(&s))
        return s;
    if (k->json.length == 0)
        return finish(k, NULL, 0);
    return k->due.uri[0] == '\0' ? address_report(k) : post_report(k);
}

/* *AFTER is the row before, and becomes the one that was worked on. */
static struct status work_on_next(struct reporter *r, const struct tls_due_wish *wish, int64_t *after, bool *found)
{
    struct task k = {.reporter = r};
    struct status s;

    arena_init(&k.arena);
    s = tls_due_claim(r->tables, wish, *after, &k.arena, &k.due, found);
    if (status_is_ok(&s) && *found) {
        *after = k.due.id;
        s = work(&k);
    }
    buf_done(&k.json);
    buf_done(&k.archive);
    arena_done(&k.arena);
    return s;
}

/* Everything that fulfils WISH, each row once; rows that come to be on the way are among them. */
static struct status work_all(struct reporter *r, struct tls_due_wish wish)
{
    struct status s = tls_due_plan(r->tables, wish.now, r->conf->me);
    int64_t after = 0;
    bool found = true;

    while (status_is_ok(&s) && found && !stop_seen()) {
        wish.now = clock_wall();
        s = work_on_next(r, &wish, &after, &found);
    }
    if (r->queue_open)
        queue_close(&r->queue);
    r->queue_open = false;
    return s;
}

static void reporter_init(struct reporter *r, const struct conf *conf, struct dns *dns, tls_report_listener listener, void *context)
{
    *r = (struct reporter){.conf = conf, .dns = dns, .listener = listener, .context = context};
    tls_reporter_contact(conf, &r->contact);
    buf_text(&r->contact);
}

struct status tls_reporter_send(const struct conf *conf, struct dns *dns, struct tables *t, const char *domain, tls_report_listener listener,
                                void *context)
{
    struct reporter r;
    struct status s;

    reporter_init(&r, conf, dns, listener, context);
    r.tables = t;
    s = work_all(&r, (struct tls_due_wish){.now = clock_wall(), .domain = domain, .early = true});
    buf_done(&r.contact);
    return s;
}

static void log_news(void *context, const struct tls_report_news *news)
{
    static const struct {
        enum log_level level;
        const char *name;
    } steps[] = {
        [TLS_REPORT_QUEUED] = {LOG_LEVEL_INFO, "queued"},
        [TLS_REPORT_POSTED] = {LOG_LEVEL_INFO, "posted"},
        [TLS_REPORT_NO_ADDRESS] = {LOG_LEVEL_DEBUG, "not-wanted"},
        [TLS_REPORT_LATER] = {LOG_LEVEL_INFO, "later"},
        [TLS_REPORT_GIVEN_UP] = {LOG_LEVEL_WARNING, "given-up"},
    };
    struct log_line l;

    (void)context;
    log_begin(&l, steps[news->step].level, "tls-report");
    log_text(&l, "step", steps[news->step].name);
    log_text(&l, "day", news->day);
    log_text(&l, "domain", news->domain);
    if (news->where[0] != '\0')
        log_text(&l, "to", news->where);
    if (news->reason != NULL)
        log_text(&l, "reason", news->reason);
    log_end(&l);
}

static void look(struct reporter *r)
{
    char error[1024] = "";
    struct status s;

    r->tables = tables_open(r->conf->db_path, error, sizeof error);
    s = r->tables != NULL ? work_all(r, (struct tls_due_wish){.now = clock_wall(), .domain = ""}) : status_make(451, "4.3.0", "%s", error);
    if (!status_is_ok(&s))
        log_message(LOG_LEVEL_WARNING, "tls-report", "%s", s.text);
    tables_close(&r->tables);
}

/* Never freed: it belongs to two threads until the process ends. */
struct tls_reporter {
    struct reporter reporter;
    struct lock lock;
    struct signal end;
    bool ended;
};

static void run(void *argument)
{
    struct tls_reporter *r = argument;

    do
        look(&r->reporter);
    while (!stop_wait(clock_now() + LOOK_MS));
    lock_take(&r->lock);
    r->ended = true;
    signal_all(&r->end);
    lock_release(&r->lock);
}

struct tls_reporter *tls_reporter_start(const struct conf *conf, struct dns *dns)
{
    struct tls_reporter *r;

    if (!conf->tlsrpt)
        return NULL;
    r = memory_new(sizeof *r);
    reporter_init(&r->reporter, conf, dns, log_news, NULL);
    lock_init(&r->lock);
    signal_init(&r->end);
    r->ended = !thread_start(run, r);
    if (r->ended)
        log_message(LOG_LEVEL_WARNING, "tls-report", "no thread is left: TLS reports wait");
    return r;
}

void tls_reporter_wait(struct tls_reporter *r)
{
    const int64_t deadline = clock_earlier(clock_now() + LAST_MS, stop_deadline());

    if (r == NULL)
        return;
    lock_take(&r->lock);
    while (!r->ended && signal_wait(&r->end, &r->lock, deadline))
        ;
    lock_release(&r->lock);
}
