#include "route/mx.h"

#include "base/crypto.h"
#include "net/dns_records.h"

#include <stdlib.h>
#include <string.h>

/* A record while the hosts are put in order. */
struct candidate {
    struct dns_mx mx;
    uint64_t lot;
};

static int compare(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->mx.preference != y->mx.preference)
        return x->mx.preference < y->mx.preference ? -1 : 1;
    return x->lot < y->lot ? -1 : x->lot > y->lot;
}

/* Those that can be read and name a host; a "." beside others names none (RFC 7505 section 3). */
static size_t read_records(const struct dns_answer *answer, struct candidate *to)
{
    size_t count = 0;

    for (size_t i = 0; i < answer->count; i++)
        if (dns_read_mx(answer->records[i], &to[count].mx) && to[count].mx.host[0] != '\0') {
            crypto_random(&to[count].lot, sizeof to[count].lot);
            count++;
        }
    return count;
}

static bool says_null(const struct dns_answer *answer)
{
    struct dns_mx mx;

    return answer->outcome == DNS_FOUND && answer->count == 1 && dns_read_mx(answer->records[0], &mx) && mx.host[0] == '\0';
}

static void add_host(struct mx *mx, const char *name, unsigned preference, struct arena *arena)
{
    mx->hosts[mx->count].name = arena_text(arena, str_of(name));
    mx->hosts[mx->count++].preference = preference;
}

/* We are one of them: what is not preferred to us would send the mail in circles. */
static void cut_at_ourselves(struct mx *mx, const char *me)
{
    for (size_t i = 0; i < mx->count; i++) {
        if (strcmp(mx->hosts[i].name, me) != 0)
            continue;
        while (i > 0 && mx->hosts[i - 1].preference == mx->hosts[i].preference)
            i--;
        mx->count = i;
        mx->was_cut = true;
    }
}

static void take_records(struct mx *mx, const struct dns_answer *answer, struct arena *arena)
{
    struct candidate *candidates = arena_new(arena, (answer->count + 1) * sizeof *candidates);
    size_t count = read_records(answer, candidates);

    qsort(candidates, count, sizeof *candidates, compare);
    for (size_t i = 0; i < count && i < MX_MOST; i++)
        add_host(mx, candidates[i].mx.host, candidates[i].mx.preference, arena);
}

static void take_hosts(struct mx *mx, const char *domain, const char *me, const struct dns_answer *answer, struct arena *arena)
{
    mx->hosts = arena_new(arena, MX_MOST * sizeof *mx->hosts);
    mx->implicit = answer->outcome == DNS_NO_DATA;
    if (mx->implicit)
        add_host(mx, domain, 0, arena);
    else
        take_records(mx, answer, arena);
    if (mx->count == 0)
        mx->status = status_make(451, "4.4.4", "No MX record of %s names a host", domain);
    cut_at_ourselves(mx, me);
    if (mx->count == 0 && mx->was_cut)
        mx->status = status_make(554, "5.4.6", "Mail for %s loops back to %s", domain, me);
}

void mx_read(struct mx *mx, const char *domain, const char *me, const struct dns_answer *answer, struct arena *arena)
{
    *mx = (struct mx){.status = status_ok(), .secure = answer->secure, .null = says_null(answer),
                      .canonical = answer->canonical != NULL ? answer->canonical : domain};
    if (answer->outcome == DNS_FAILED)
        mx->status = status_make(451, "4.4.3", "Cannot find the MX of %s: %s", domain, answer->reason);
    else if (answer->outcome == DNS_NO_NAME)
        mx->status = status_make(550, "5.1.2", "The domain %s does not exist", domain);
    else if (mx->null)
        mx->status = status_make(556, "5.1.10", "The domain %s accepts no mail (null MX)", domain);
    else
        take_hosts(mx, domain, me, answer, arena);
}

void mx_find(struct mx *mx, struct dns *dns, const char *domain, const char *me, int64_t deadline, struct arena *arena)
{
    struct dns_answer answer;

    dns_ask(dns, domain, DNS_MX, deadline, arena, &answer);
    mx_read(mx, domain, me, &answer, arena);
}

bool mx_is_null(struct dns *dns, const char *domain, int64_t deadline)
{
    struct arena arena = {0};
    struct dns_answer answer;
    bool null;

    dns_ask(dns, domain, DNS_MX, deadline, &arena, &answer);
    null = says_null(&answer);
    arena_done(&arena);
    return null;
}
