/* What a session asks the DNS: the client's name, and whether the sender's domain takes mail.  Nobody is refused because the DNS fails. */
#include "base/clock.h"
#include "net/reverse.h"
#include "route/mx.h"
#include "smtpd/session.h"

static int64_t deadline_of(const struct session *s)
{
    return clock_now() + s->smtpd->conf->smtpd_dns_timeout;
}

/* That a loopback address is this host says the address itself. */
void session_find_name(struct session *s)
{
    if (s->smtpd->dns != NULL && !address_is_loopback(&s->stream.peer))
        reverse_name(s->smtpd->dns, &s->stream.peer, deadline_of(s), s->client_name);
}

/* The last answer is kept: senders come in series, and a DNS that is silent is waited for once. */
static bool takes_no_mail(struct session *s, struct str domain)
{
    if (!str_equal(domain, str_of(s->asked))) {
        str_copy(domain, s->asked, sizeof s->asked);
        s->asked_is_null = mx_is_null(s->smtpd->dns, s->asked, deadline_of(s));
    }
    return s->asked_is_null;
}

struct status session_ask_sender(struct session *s, const struct path *sender)
{
    struct address literal;

    if (s->smtpd->dns == NULL || sender->host.length == 0 || domain_is_literal(sender->host, &literal) || !takes_no_mail(s, sender->host))
        return status_ok();
    return status_make(550, "5.7.27", "<%.*s>: Sender domain does not accept mail (null MX)", STR_ARG(sender->address));
}
