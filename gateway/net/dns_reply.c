#include "net/dns_reply.h"

#include "net/dns_name.h"

#include <string.h>

void dns_reply_add_reason(struct dns_answer *answer, const char *text)
{
    size_t length = strlen(answer->reason);

    for (; *text != '\0' && length < DNS_REASON_SIZE - 1; text++)
        answer->reason[length++] = (*text >= ' ' && *text <= '~') ? *text : '?';
    answer->reason[length] = '\0';
}

void dns_reply_fail(struct dns_answer *answer, const char *reason)
{
    *answer = (struct dns_answer){.outcome = DNS_FAILED, .canonical = answer->canonical};
    dns_reply_add_reason(answer, reason);
}

void dns_reply_fail_timeout(struct dns_answer *answer, const char *reason)
{
    dns_reply_fail(answer, reason);
    answer->timed_out = true;
}

static const char *rcode_text(int rcode)
{
    static const char *const names[] = {
        "NOERROR", "FORMERR", "SERVFAIL: the servers failed, or none of them answered", "NXDOMAIN", "NOTIMP", "REFUSED",
    };

    return rcode >= 0 && rcode < (int)(sizeof names / sizeof names[0]) ? names[rcode] : "an unknown code";
}

static void copy_records(const struct dns_reply *reply, struct arena *arena, struct dns_answer *answer)
{
    size_t count = 0;

    while (count < DNS_RECORDS_MOST && reply->data[count] != NULL)
        count++;
    answer->records = arena_new(arena, (count + 1) * sizeof *answer->records);
    answer->count = count;
    for (size_t i = 0; i < count; i++)
        answer->records[i] = arena_str(arena, (struct str){reply->data[i], (size_t)reply->lengths[i]});
}

void dns_reply_read(const struct dns_reply *reply, struct arena *arena, struct dns_answer *answer)
{
    char canonical[DNS_NAME_SIZE];

    if (reply->rcode != 0 && reply->rcode != DNS_NXDOMAIN) {
        dns_reply_fail(answer, rcode_text(reply->rcode));
        return;
    }
    answer->outcome = reply->rcode != 0 ? DNS_NO_NAME : reply->data != NULL ? DNS_FOUND : DNS_NO_DATA;
    answer->secure = reply->secure;
    answer->ttl = reply->ttl;
    if (reply->canonical != NULL && dns_name_normalize(reply->canonical, canonical))
        answer->canonical = arena_text(arena, str_of(canonical));
    if (answer->outcome == DNS_FOUND)
        copy_records(reply, arena, answer);
}
