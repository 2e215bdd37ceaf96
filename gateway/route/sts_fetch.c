#include "route/sts_fetch.h"

#include "base/stop.h"
#include "net/http.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { OK = 200, URL_SIZE = DNS_NAME_SIZE + 64 };

/* Others' words are in it. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

static void fail(struct sts_fetched *f, enum sts_trouble trouble, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void fail(struct sts_fetched *f, enum sts_trouble trouble, const char *format, ...)
{
    va_list args;

    f->trouble = trouble;
    va_start(args, format);
    vsnprintf(f->reason, sizeof f->reason, format, args);
    va_end(args);
    make_printable(f->reason);
}

static void read_body(struct sts_fetched *f, const struct http_answer *http, struct arena *arena)
{
    const char *problem;

    if (strcmp(http->type, "text/plain") != 0)
        fail(f, STS_INVALID, "the policy is of media type \"%s\", not text/plain", http->type);
    else if (!sts_read_policy(&f->policy, buf_str(&http->body), arena, &problem))
        fail(f, STS_INVALID, "the policy is invalid: %s", problem);
}

/* Whatever is not 200 is a failure, redirects too. */
static void read_answer(struct sts_fetched *f, const struct http_answer *http, struct arena *arena)
{
    if (http->code == OK)
        read_body(f, http, arena);
    else if (http->code != 0)
        fail(f, STS_FETCH, "the policy cannot be fetched: HTTP status %d", http->code);
    else if (http->fault == HTTP_TIMEOUT && stop_seen())
        *f = (struct sts_fetched){.trouble = STS_FETCH, .stopping = true, .reason = "stopping"};
    else
        fail(f, http->fault == HTTP_CERTIFICATE ? STS_WEBPKI : STS_FETCH, "the policy cannot be fetched: %s", http->error);
}

void sts_fetch(const char *domain, struct dns *dns, const char *ca_file, int64_t deadline, struct arena *arena, struct sts_fetched *f)
{
    char url[URL_SIZE];
    const struct http_request request = {.url = url, .ca_file = ca_file, .dns = dns, .deadline = deadline, .heed_stop = true};
    struct http_answer http;

    *f = (struct sts_fetched){.trouble = STS_FINE};
    snprintf(url, sizeof url, "https://mta-sts.%s/.well-known/mta-sts.txt", domain);
    http_ask(&request, &http);
    read_answer(f, &http, arena);
    buf_done(&http.body);
}
