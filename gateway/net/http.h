/*
 * http - one HTTPS request, bounded in time and size, by libcurl, which only this file knows.
 *
 * https only; the server's certificate and name are verified; redirects are not followed; no cookies, no proxy from the environment.  The
 * host is found by net/dns where the request brings one, else by the system's resolver.  Blocks up to the deadline.  http_start is called
 * once, before threads.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"
#include "net/dns.h"

enum { HTTP_BODY_MAX = 64 << 10, HTTP_ERROR_SIZE = 256, HTTP_TYPE_SIZE = 128 };

struct http_request {
    const char *url;
    const char *content_type; /* of what is posted; NULL: a GET */
    struct str content;
    const char *ca_file;      /* "": the system's CAs */
    struct dns *dns;          /* NULL: the system's resolver */
    int64_t deadline;
    bool heed_stop;           /* ends when the process is told to stop, not only when the grace is over */
};

enum http_fault { HTTP_FINE, HTTP_NOT_FOUND_HOST, HTTP_UNREACHABLE, HTTP_CERTIFICATE, HTTP_TIMEOUT, HTTP_TOO_LONG, HTTP_OTHER };

struct http_answer {
    int code; /* 200, …; 0: there was no answer, `fault` and `error` say why */
    char type[HTTP_TYPE_SIZE]; /* media type in lower case, without parameters; "" */
    struct buf body;
    enum http_fault fault;
    char error[HTTP_ERROR_SIZE];
};

bool http_start(void);
/* The caller frees answer->body, also when it holds the page of an error. */
void http_ask(const struct http_request *request, struct http_answer *answer);
/* Adds NAME=VALUE to a form (application/x-www-form-urlencoded), encoded, with & in front where one is needed. */
void http_add_field(struct buf *form, const char *name, struct str value);

#endif
