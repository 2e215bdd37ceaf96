/* STARTTLS (RFC 3207), and TLS from the first byte (RFC 8314). */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "smtpd/verbs.h"

static const char *const peers[] = {[TLS_PEER_NONE] = "none", [TLS_PEER_UNVERIFIED] = "not verified", [TLS_PEER_VERIFIED] = "verified"};

const char *session_client_certificate(const struct session *s)
{
    return peers[s->tls_info.peer];
}

static void log_tls(const struct session *s)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_INFO, "tls");
    log_text(&l, "session", s->id);
    log_text(&l, "client", s->client);
    log_text(&l, "version", s->tls_info.version);
    log_text(&l, "cipher", s->tls_info.cipher);
    log_text(&l, "client_certificate", session_client_certificate(s));
    if (s->tls_info.peer == TLS_PEER_UNVERIFIED)
        log_text(&l, "problem", s->tls_info.peer_problem);
    log_text(&l, "resumed", s->tls_info.resumed ? "yes" : "no");
    log_end(&l);
}

static void log_failure(const struct session *s)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_INFO, "tls-failed");
    log_text(&l, "session", s->id);
    log_text(&l, "client", s->client);
    log_text(&l, "reason", stream_fault_text(&s->stream));
    log_end(&l);
}

bool session_start_tls(struct session *s)
{
    struct tls *tls = tls_accept(s->smtpd->tls, s->stream.fd);

    s->stream.heed_stop = true;
    s->stream.deadline = clock_now() + s->smtpd->conf->smtpd_server_timeout;
    if (!stream_start_tls(&s->stream, &tls)) {
        log_failure(s);
        session_end(s, "TLS handshake failed");
        return false;
    }
    s->has_tls = true;
    tls_info(s->stream.tls, &s->tls_info);
    s->binding_length = tls_binding(s->stream.tls, s->binding) ? sizeof s->binding : 0;
    log_tls(s);
    return true;
}

/* RFC 3207 section 4.2: what was said before counts for nothing. */
static void forget(struct session *s)
{
    session_end_transaction(s);
    s->helo[0] = s->login[0] = '\0';
    s->greeted = s->extended = s->follows_refusal = s->poisoned = false;
}

void verb_starttls(struct session *s, struct str argument)
{
    (void)argument;
    if (s->has_tls) {
        session_error(s, 503, "5.5.1", "TLS is active already");
    } else if (!session_offers_tls(s)) {
        session_error(s, 502, "5.5.1", "STARTTLS is not available");
    } else if (stream_input(&s->stream).length > 0) {
        /* Whoever stands in between may have put it there, to be taken for what was said under TLS. */
        session_reply(s, 421, "4.7.0", "Commands behind STARTTLS are not executed, the session ends here");
        session_end(s, "pipelined behind STARTTLS");
    } else {
        session_reply(s, 220, "2.0.0", "Ready to start TLS");
        if (session_start_tls(s))
            forget(s);
    }
}
