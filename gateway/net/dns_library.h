/*
 * dns_library - libunbound behind a few calls; dns_library.c is the only file that includes its header.
 *
 * A context has a thread of libunbound's own from the first question on.  Answers come by a pipe: when the descriptor of the context is
 * readable, dns_library_process calls the function that each question was asked with, in the calling thread.
 */
#ifndef NET_DNS_LIBRARY_H
#define NET_DNS_LIBRARY_H

#include "net/dns.h"

struct ub_ctx;
struct ub_result;

enum { DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3 };

/* What a result holds, borrowed from it. */
struct dns_reply {
    int rcode;
    bool secure, bogus; /* a bogus one has data and any rcode */
    int64_t ttl;
    const char *canonical, *why_bogus; /* may be NULL */
    char **data;                       /* ends with NULL; NULL when there is none */
    const int *lengths;
};

/* As dns_open says; of HOST the hosts file is left to the caller. */
struct ub_ctx *dns_library_open(const struct dns_settings *settings, const struct dns_host_files *host, char *error, size_t error_size);
/* Questions that are under way are forgotten: TAKE is not called for them. */
void dns_library_close(struct ub_ctx *context);

/* 0, or an error; TAKE may be called before this returns.  What it gets is RESULT, the caller's from then on, or NULL with an ERROR. */
int dns_library_ask(struct ub_ctx *context, const char *name, int type, void (*take)(void *argument, int error, struct ub_result *result),
                    void *argument);
int dns_library_fd(struct ub_ctx *context);
bool dns_library_process(struct ub_ctx *context); /* false: no more answers will come */

void dns_library_read(const struct ub_result *result, struct dns_reply *reply);
void dns_library_free(struct ub_result *result); /* NULL, too */
const char *dns_library_error(int error);

#endif
