/*
 * http - one HTTPS request, bounded in time and size, by libcurl, which only this file knows.
 *
 * https only; the server's certificate and name are verified; redirects are not followed; no cookies, no proxy from the environment.
 * Blocks up to the deadline.  http_start is called once, before threads.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include "base/buf.h"

enum { HTTP_BODY_MAX = 64 << 10, HTTP_ERROR_SIZE = 256 };

struct http_answer {
    int code; /* 200, …; 0: there was no answer, and `error` says why */
    struct buf body;
    char error[HTTP_ERROR_SIZE];
};

bool http_start(void);
/* POSTs FORM (application/x-www-form-urlencoded).  CA_FILE "": the system's CAs.  The caller frees answer->body, also when it holds the
 * page of an error. */
void http_post_form(const char *url, struct str form, const char *ca_file, int64_t deadline, struct http_answer *answer);
/* Adds NAME=VALUE to a form, encoded, with & in front where one is needed. */
void http_add_field(struct buf *form, const char *name, struct str value);

#endif
