/*
 * trace - the Received field that every relay puts on top (RFC 5321 section 4.4).
 *
 *     Received: from HELO (NAME [IP])
 *     	(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384, client certificate verified)
 *     	by ME with ESMTP id QUEUEID
 *     	for <RECIPIENT>; DATE
 *
 * NAME stands there where the DNS has a name for the client.  What the client said of itself is shown as what it can be in a field: a HELO
 * that is no domain and no address literal is written inside a comment, with every byte that could end it replaced; a NAME that is no domain
 * in ASCII is left out.  Lines stay within 78 octets where their words allow it.
 */
#ifndef MESSAGE_TRACE_H
#define MESSAGE_TRACE_H

#include "base/buf.h"
#include "message/envelope.h"

struct trace {
    const struct address *client;
    const char *client_name; /* verified; "": none */
    const char *me;
    const char *protocol; /* SMTP, ESMTP, … (RFC 3848, RFC 6531 section 4.3) */
    const char *tls;      /* words for a comment; "": none */
};

/* `for` is written when there is one recipient, who then learns nothing new. */
void trace_received(struct buf *to, const struct envelope *e, const struct trace *trace);

#endif
