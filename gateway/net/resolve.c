#include "net/resolve.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "net/dns_records.h"

/* What one family has. */
struct family {
    enum dns_type type;
    struct dns_answer answer;
    struct address addresses[RESOLVE_MOST];
    size_t count;
    bool has_unusable;
};

static void shuffle(struct address *list, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        uint32_t random;
        struct address kept = list[i - 1];
        size_t other;

        crypto_random(&random, sizeof random);
        other = random % i;
        list[i - 1] = list[other];
        list[other] = kept;
    }
}

/* 0.0.0.0 and :: would be this host under another name. */
static void take_addresses(struct family *f, int port)
{
    for (size_t i = 0; i < f->answer.count && f->count < RESOLVE_MOST; i++) {
        struct address *to = &f->addresses[f->count];

        if (!dns_read_address(f->answer.records[i], f->type, to))
            continue;
        to->port = (uint16_t)port;
        if (address_is_any(to))
            f->has_unusable = true;
        else
            f->count++;
    }
    shuffle(f->addresses, f->count);
}

/* A family that nobody answers for leaves the other one half of the time. */
static void ask(struct dns *dns, const char *host, int64_t deadline, struct arena *arena, struct family *families, size_t count)
{
    const int64_t now = clock_now();

    for (size_t f = 1; f < count; f++)
        dns_prefetch(dns, host, families[f].type);
    for (size_t f = 0; f < count; f++)
        dns_ask(dns, host, families[f].type, f + 1 < count ? now + (deadline - now) / 2 : deadline, arena, &families[f].answer);
}

static void take_turns(const struct family *families, size_t count, struct resolved *to)
{
    for (size_t i = 0; i < RESOLVE_MOST; i++)
        for (size_t f = 0; f < count; f++)
            if (i < families[f].count && to->count < RESOLVE_MOST)
                to->addresses[to->count++] = families[f].addresses[i];
}

static struct status without_usable(const struct family *families, size_t count, const char *host)
{
    bool has_unusable = false;

    for (size_t f = 0; f < count; f++)
        has_unusable = has_unusable || families[f].has_unusable;
    return status_make(550, "5.1.2", "%s has no address%s", host, has_unusable ? " that can be connected to" : "");
}

/* Of the other family nothing is known where the configuration does not want it. */
static struct status without_wanted(const struct family *wanted, const char *host)
{
    return status_make(451, "4.4.4", "%s has no %s address, and TMAIL_DELIVERD_IP_PREFERENCE wants no other", host,
                       wanted->type == DNS_A ? "IPv4" : "IPv6");
}

static struct status without_address(const struct family *families, size_t count, const char *host)
{
    bool exists = false;

    for (size_t f = 0; f < count; f++) {
        if (families[f].answer.outcome == DNS_FAILED)
            return status_make(451, "4.4.3", "Cannot find the address of %s: %s", host, families[f].answer.reason);
        exists = exists || families[f].answer.outcome != DNS_NO_NAME;
    }
    if (!exists)
        return status_make(550, "5.1.2", "There is no host %s", host);
    return count == 1 ? without_wanted(&families[0], host) : without_usable(families, count, host);
}

/* A family whose question failed takes nothing from what the other one's answer proves. */
static void judge(const struct family *families, size_t count, const char *host, struct resolved *to)
{
    bool answered = false;

    to->secure = true;
    for (size_t f = 0; f < count; f++) {
        const struct dns_answer *answer = &families[f].answer;

        if (answer->outcome == DNS_FAILED)
            continue;
        if (!answered || answer->outcome == DNS_FOUND)
            to->canonical = answer->canonical;
        to->secure = to->secure && answer->secure;
        answered = true;
    }
    to->secure = to->secure && answered;
    to->status = to->count > 0 ? status_ok() : without_address(families, count, host);
}

/* False when HOST is no address. */
static bool take_literal(const char *host, int port, struct resolved *to)
{
    if (!address_parse(&to->addresses[0], str_of(host)))
        return false;
    to->addresses[0].port = (uint16_t)port;
    to->secure = true;
    if (address_is_any(&to->addresses[0]))
        to->status = status_make(550, "5.1.2", "%s is no address that can be connected to", host);
    else
        to->count = 1;
    return true;
}

void resolve(struct dns *dns, const char *host, int port, enum resolve_families families, int64_t deadline, struct arena *arena,
             struct resolved *to)
{
    const bool ipv4_first = families == RESOLVE_IPV4_FIRST || families == RESOLVE_IPV4_ONLY;
    const size_t count = families == RESOLVE_IPV6_ONLY || families == RESOLVE_IPV4_ONLY ? 1 : 2;
    struct family *asked;

    *to = (struct resolved){.canonical = arena_text(arena, str_of(host)), .status = status_ok()};
    if (take_literal(host, port, to))
        return;
    asked = arena_new(arena, 2 * sizeof *asked);
    asked[0].type = ipv4_first ? DNS_A : DNS_AAAA;
    asked[1].type = ipv4_first ? DNS_AAAA : DNS_A;
    ask(dns, host, deadline, arena, asked, count);
    for (size_t f = 0; f < count; f++)
        take_addresses(&asked[f], port);
    take_turns(asked, count, to);
    judge(asked, count, host, to);
}
