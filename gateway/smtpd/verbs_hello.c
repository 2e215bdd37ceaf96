/* HELO, EHLO and the verbs that change nothing. */
#include "smtpd/verbs.h"

static bool is_fully_qualified(struct str argument)
{
    char host[DOMAIN_SIZE];
    struct address address;

    return domain_is_literal(argument, &address) || address_parse(&address, argument) ||
           (domain_normalize(argument, host) && str_has(str_of(host), '.'));
}

/* True when the client has introduced itself; a second introduction resets the transaction (RFC 5321 section 4.1.4). */
static bool introduce(struct session *s, struct str argument)
{
    if (s->smtpd->conf->rfc_helo_need_fqn && !is_fully_qualified(argument)) {
        session_error(s, 504, "5.5.2", "Need a fully qualified host name or an address literal");
        return false;
    }
    if (!str_is_utf8(argument)) {
        session_error(s, 501, "5.5.4", "Host name is neither ASCII nor UTF-8");
        return false;
    }
    if (!str_copy(argument, s->helo, sizeof s->helo)) {
        session_error(s, 501, "5.5.4", "Host name too long (limit %d octets)", DOMAIN_MAX);
        return false;
    }
    session_end_transaction(s);
    s->follows_refusal = false;
    s->greeted = true;
    return true;
}

void verb_helo(struct session *s, struct str argument)
{
    if (!introduce(s, argument))
        return;
    s->extended = false;
    session_reply(s, 250, "", "%s", s->smtpd->conf->me);
}

static void offer_logins(struct session *s)
{
    struct buf list = {0};

    auth_offer(s, &list);
    if (list.length > 0)
        session_reply_more(s, 250, "AUTH%s", buf_text(&list));
    buf_done(&list);
}

void verb_ehlo(struct session *s, struct str argument)
{
    const struct conf *conf = s->smtpd->conf;

    if (!introduce(s, argument))
        return;
    s->extended = true;
    session_reply_more(s, 250, "%s", conf->me);
    session_reply_more(s, 250, "PIPELINING");
    session_reply_more(s, 250, "SIZE %lld", (long long)conf->smtpd_max_databytes);
    session_reply_more(s, 250, "8BITMIME");
    session_reply_more(s, 250, "ENHANCEDSTATUSCODES");
    session_reply_more(s, 250, "CHUNKING");
    session_reply_more(s, 250, "SMTPUTF8");
    session_reply_more(s, 250, "DSN");
    if (session_offers_tls(s))
        session_reply_more(s, 250, "STARTTLS");
    offer_logins(s);
    session_reply_more(s, 250, "LIMITS RCPTMAX=%lld", (long long)conf->smtp_max_rcpt);
    session_reply(s, 250, "", "HELP");
}

void verb_rset(struct session *s, struct str argument)
{
    (void)argument;
    session_end_transaction(s);
    s->follows_refusal = false;
    session_reply(s, 250, "2.0.0", "ok");
}

void verb_noop(struct session *s, struct str argument)
{
    (void)argument;
    session_reply(s, 250, "2.0.0", "ok");
}

/* The same words for everybody: who exists is nobody's business before RCPT (RFC 5321 section 7.3). */
void verb_vrfy(struct session *s, struct str argument)
{
    (void)argument;
    session_reply(s, 252, "2.1.5", "Cannot verify, send RCPT to learn whether mail is taken");
}

void verb_help(struct session *s, struct str argument)
{
    (void)argument;
    verbs_list(s);
}

void verb_quit(struct session *s, struct str argument)
{
    (void)argument;
    session_reply(s, 221, "2.0.0", "Bye");
    session_end(s, "quit");
}
