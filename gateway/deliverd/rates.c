#include "deliverd/rates.h"

#include "base/crypto.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { SETS = 2048, WAYS = 16, KEY_SIZE = 16, KEY_TEXT_SIZE = 512, ANSWER_MS = 1000 };

#define NS_A_MS INT64_C(1000000)
#define NEVER (INT64_MIN / 2) /* before all times */

/* One hop or domain.  Times are of clock_now; those in ns are 0 together with it. */
struct place {
    unsigned char key[KEY_SIZE];
    bool used;
    struct rate rate;
    int64_t asked; /* ms: the rate is the directory's of then */
    int64_t slot;  /* ns: when the last message should have gone, the earlier ones evenly spaced; it went up to the slack before */
    int64_t line;  /* ns: the last place in the line that was given away */
    int64_t flushed; /* clock_wall: the last flush that is known of */
};

struct rates {
    const struct conf *conf;
    const struct directory *directory;
    struct place places[SETS][WAYS]; /* 2 MB */
};

struct rates *rates_new(const struct conf *conf, const struct directory *directory)
{
    struct rates *r = memory_new(sizeof *r);

    r->conf = conf;
    r->directory = directory;
    return r;
}

void rates_free(struct rates **r)
{
    memory_free(r);
}

bool rates_find(const struct conf *conf, const struct directory *directory, const struct limit_question *question, struct rate *rate)
{
    const char *const defaults[] = {[LIMIT_HOP] = conf->deliverd_destination_rate, [LIMIT_DOMAIN] = conf->deliverd_domain_rate};

    switch (directory->limit(directory->self, question, rate)) {
    case ANSWER_YES:
        return true;
    case ANSWER_NO:
        return rate_parse(rate, str_of(defaults[question->kind]));
    case ANSWER_FAILED:
        break;
    }
    return false;
}

/* Of a digest, so that nobody can pick domains that meet in one place. */
static void make_key(const struct limit_question *q, unsigned char key[KEY_SIZE])
{
    unsigned char digest[CRYPTO_SHA256];
    char text[KEY_TEXT_SIZE];
    int length = snprintf(text, sizeof text, "%d %d %.*s", (int)q->kind, q->port, STR_ARG(q->name));

    crypto_sha256(str_part((struct str){text, sizeof text - 1}, 0, (size_t)length), digest);
    memcpy(key, digest, KEY_SIZE);
}

static struct place *set_of(struct rates *r, const unsigned char key[KEY_SIZE])
{
    return r->places[(key[0] << 8 | key[1]) % SETS];
}

static struct place *find(struct rates *r, const unsigned char key[KEY_SIZE])
{
    struct place *set = set_of(r, key);

    for (int i = 0; i < WAYS; i++)
        if (set[i].used && memcmp(set[i].key, key, KEY_SIZE) == 0)
            return &set[i];
    return NULL;
}

static int64_t spacing(const struct rate *rate)
{
    return ((rate->ms + RATES_SLACK_MS) * NS_A_MS + rate->count - 1) / rate->count;
}

/* When the next may go if none is early; what is not limited, or was not used, is free. */
static int64_t next_slot(const struct place *p)
{
    return p != NULL && p->used && p->rate.count > 0 ? p->slot + spacing(&p->rate) : NEVER;
}

/* Which of two is to be forgotten: the one that is free before the other, or, when both are, the one that was asked for before it. */
static bool goes_first(const struct place *a, const struct place *b, int64_t now_ns)
{
    const int64_t a_free = next_slot(a) > now_ns ? next_slot(a) : NEVER, b_free = next_slot(b) > now_ns ? next_slot(b) : NEVER;

    return a_free != b_free ? a_free < b_free : a->asked < b->asked;
}

/* A place for KEY, not that of OTHER. */
static struct place *make_place(struct rates *r, const unsigned char key[KEY_SIZE], const struct place *other, int64_t now)
{
    struct place *set = set_of(r, key), *oldest = &set[0] != other ? &set[0] : &set[1];

    for (int i = 0; i < WAYS && oldest->used; i++)
        if (&set[i] != other && (!set[i].used || goes_first(&set[i], oldest, now * NS_A_MS)))
            oldest = &set[i];
    *oldest = (struct place){.used = true, .asked = now, .slot = NEVER, .line = NEVER};
    memcpy(oldest->key, key, KEY_SIZE);
    return oldest;
}

static bool same_rate(const struct rate *a, const struct rate *b)
{
    return a->count == b->count && a->ms == b->ms;
}

/* Another rate counts from the last message on; the line that stood for the old one does not. */
static void set_rate(struct place *p, const struct rate *rate, int64_t now)
{
    if (!same_rate(&p->rate, rate))
        p->line = NEVER;
    p->rate = *rate;
    p->asked = now;
}

/* Who stood in the line asks now, and leaves his place in it empty. */
static void note_flush(struct place *p, int64_t flushed)
{
    if (flushed > p->flushed) {
        p->flushed = flushed;
        p->line = NEVER;
    }
}

/* An administrator who changed a limit and asked for a flush is not answered with the old one. */
static bool is_fresh(const struct place *p, int64_t flushed, int64_t now)
{
    return now - p->asked < ANSWER_MS && flushed <= p->flushed;
}

/* The place of what Q names, with its rate; NULL when that is not known and cannot be asked. */
static struct place *look_up(struct rates *r, const struct limit_question *q, const struct place *other, int64_t flushed, int64_t now)
{
    unsigned char key[KEY_SIZE];
    struct place *p;
    struct rate rate;

    make_key(q, key);
    p = find(r, key);
    if (p != NULL && is_fresh(p, flushed, now))
        return p;
    if (!rates_find(r->conf, r->directory, q, &rate)) {
        if (p != NULL)
            p->asked = now; /* what was known counts */
        return p;
    }
    if (p == NULL)
        p = make_place(r, key, other, now);
    set_rate(p, &rate, now);
    note_flush(p, flushed);
    return p;
}

static void take(struct place *p, int64_t now_ns)
{
    int64_t next = next_slot(p);

    if (p != NULL && p->rate.count > 0)
        p->slot = next > now_ns ? next : now_ns;
}

static int64_t random_up_to(int64_t most)
{
    uint64_t random = 0;

    if (getrandom(&random, sizeof random, 0) < 0)
        random = 0;
    return (int64_t)(random % ((uint64_t)most + 1));
}

/* When one that P refused comes again, in ms. */
static int64_t line_up(struct place *p, int64_t now)
{
    const int64_t first = next_slot(p), most = RATES_LINE_MS * NS_A_MS;
    int64_t at;

    if (p->line < p->slot)
        p->line = p->slot;
    at = p->line + spacing(&p->rate);
    if (at > first + most)
        at = first + random_up_to(most);
    else if (random_up_to(1) == 0)
        p->line = at;
    else
        at = first + random_up_to(at - first);
    at = (at + NS_A_MS - 1) / NS_A_MS;
    return at > now ? at : now + 1;
}

static void explain(struct rates_wait *wait, const struct place *p, const struct limit_question *q)
{
    char text[RATE_TEXT_SIZE];

    rate_text(&p->rate, text);
    wait->why = status_make(451, "4.4.5", "held back: the limit of the %s %.*s is %s", q->kind == LIMIT_HOP ? "next hop" : "domain",
                            STR_ARG(q->name), text);
}

static bool refuse_unasked(struct rates_wait *wait, int64_t now)
{
    wait->until = now + ANSWER_MS;
    wait->why = status_make(451, "4.3.0", "Cannot look up the limits now");
    return false;
}

static struct limit_question hop_question(const struct rates_way *way)
{
    return (struct limit_question){.kind = LIMIT_HOP, .name = str_of(way->host), .port = way->port};
}

static struct limit_question domain_question(const struct rates_way *way)
{
    return (struct limit_question){.kind = LIMIT_DOMAIN, .name = way->domain};
}

bool rates_take(struct rates *r, const struct rates_way *way, int64_t now, struct rates_wait *wait)
{
    const struct limit_question for_hop = hop_question(way), for_domain = domain_question(way);
    const int64_t now_ns = now * NS_A_MS, latest = now_ns + RATES_SLACK_MS * NS_A_MS;
    struct place *hop = way->host != NULL ? look_up(r, &for_hop, NULL, way->flushed, now) : NULL, *domain, *later;

    if (way->host != NULL && hop == NULL)
        return refuse_unasked(wait, now);
    domain = look_up(r, &for_domain, hop, way->flushed, now);
    if (domain == NULL)
        return refuse_unasked(wait, now);
    later = hop != NULL && next_slot(hop) > next_slot(domain) ? hop : domain;
    if (next_slot(later) > latest) {
        explain(wait, later, later == hop ? &for_hop : &for_domain);
        wait->until = line_up(later, now);
        return false;
    }
    take(hop, now_ns);
    take(domain, now_ns);
    return true;
}

static void give_back(struct rates *r, const struct limit_question *q)
{
    unsigned char key[KEY_SIZE];
    struct place *p;

    make_key(q, key);
    p = find(r, key);
    if (p != NULL && p->rate.count > 0 && p->slot != NEVER)
        p->slot -= spacing(&p->rate);
}

void rates_give_back(struct rates *r, const struct rates_way *way)
{
    const struct limit_question for_hop = hop_question(way), for_domain = domain_question(way);

    if (way->host != NULL)
        give_back(r, &for_hop);
    give_back(r, &for_domain);
}
