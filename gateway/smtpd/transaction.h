/*
 * transaction - one message on its way in (RFC 5321 section 3.3), from an accepted MAIL to the end of its data.
 *
 * It owns its arena, its envelope and its content; transaction_end frees all.  Content is taken as the DATA reader hands it on: counted,
 * its header scanned, kept while it can still be accepted.  transaction_verdict says whether it was, before the queue is asked.
 */
#ifndef SMTPD_TRANSACTION_H
#define SMTPD_TRANSACTION_H

#include "conf/conf.h"
#include "message/body.h"
#include "message/completion.h"
#include "message/envelope.h"
#include "message/field.h"
#include "message/header.h"
#include "smtp/data.h"

struct transaction {
    struct arena arena;
    struct envelope envelope;
    bool smtputf8; /* MAIL said SMTPUTF8 */
    bool refused_recipients;
    bool has_body; /* the content has begun */
    bool chunked;  /* by BDAT */
    int64_t size;  /* octets of content as the client counts them */
    int64_t deadline; /* for the whole of the content */
    int64_t max_size, max_hops;
    struct data_reader reader;
    struct header_scan header;
    bool completes; /* missing fields are added */
    struct completion completion;
    bool keeps_from; /* the From fields are kept */
    struct field_scan from;
    struct body body;
};

struct transaction *transaction_begin(const struct conf *conf);
void transaction_end(struct transaction **t);

/* Before the content begins: what shall happen to it beside. */
void transaction_complete(struct transaction *t, const char *me);
void transaction_keep_from(struct transaction *t);
/* The content begins: TRACE goes on top of it. */
void transaction_begin_body(struct transaction *t, bool dots, bool normalize, const struct conf *conf, struct str trace);
/* A data_sink; CONTEXT is the transaction. */
void transaction_take(void *context, struct str content);
/* The content is over. */
void transaction_end_body(struct transaction *t);
bool transaction_is_too_big(const struct transaction *t);
/* 250 when nothing speaks against the whole content. */
struct status transaction_verdict(const struct transaction *t);

#endif
