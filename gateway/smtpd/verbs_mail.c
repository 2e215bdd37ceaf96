/* MAIL and RCPT. */
#include "base/log.h"
#include "policy/recipients.h"
#include "policy/senders.h"
#include "smtpd/redirect.h"
#include "smtpd/verbs.h"

/* The path behind KEYWORD ("FROM:"), and what follows it.  False when it was refused with CODE (RFC 3463: 5.1.7 sender, 5.1.3 recipient).
 * */
static bool read_path(struct session *s, const char *verb, struct str keyword, struct str *argument, size_t local_max, const char *code,
                      struct arena *arena, struct path *path)
{
    struct status status = {0};

    if (!str_starts_nocase(*argument, keyword)) {
        session_error(s, 501, "5.5.4", "Syntax: %s %.*s<address> [parameters]", verb, STR_ARG(keyword));
        return false;
    }
    *argument = str_trim(str_from(*argument, keyword.length));
    switch (path_parse(path, argument, local_max, arena)) {
    case PATH_OK:
        break;
    case PATH_SYNTAX:
        status = status_make(501, code, "Bad address syntax");
        break;
    case PATH_TOO_LONG:
        status = status_make(501, code, "Address too long (limit %d octets)", PATH_MAX_OCTETS);
        break;
    case PATH_LOCAL_TOO_LONG:
        status = status_make(501, code, "Local part too long (limit %zu octets)", local_max);
        break;
    case PATH_BAD_DOMAIN:
        status = status_make(501, code, "Bad domain in address");
        break;
    }
    if (status.code == 0 && argument->length > 0 && argument->data[0] != ' ')
        status = status_make(501, "5.5.4", "Syntax: %s %.*s<address> [parameters]", verb, STR_ARG(keyword));
    if (status.code == 0)
        return true;
    s->errors++;
    session_refuse(s, verb, &status);
    return false;
}

static struct status check_sender(const struct session *s, const struct path *path, const struct mail_params *params)
{
    int64_t limit = s->smtpd->conf->smtpd_max_databytes;

    if (path->domain.length == 0 && !path_is_null(path))
        return status_make(501, "5.1.7", "Sender address needs a domain");
    if (path->utf8 && !params->smtputf8)
        return status_make(553, "5.6.7", "Non-ASCII sender address needs SMTPUTF8");
    if (limit > 0 && params->size > (uint64_t)limit)
        return status_make(552, "5.3.4", "Message too big (limit %lld octets)", (long long)limit);
    if (params->size > 0)
        return committer_check_space(s->smtpd->committer, (int64_t)params->size);
    return status_ok();
}

struct status session_refuse_sender(const struct session *s, struct str sender, const struct status *status)
{
    struct log_line l;

    if (s->smtpd->conf->smtpd_sender_login == SENDER_LOGIN_ENFORCE)
        return *status;
    log_begin(&l, LOG_LEVEL_WARNING, "sender-not-owned");
    log_text(&l, "session", s->id);
    log_text(&l, "login", s->login);
    log_str(&l, "sender", sender);
    log_status(&l, status);
    log_end(&l);
    return status_ok();
}

struct status session_check_sender(const struct session *s, const struct path *sender, struct arena *arena)
{
    struct status status;

    if (s->smtpd->conf->smtpd_sender_login == SENDER_LOGIN_OFF || s->login[0] == '\0')
        return status_ok();
    status = policy_sender(s->smtpd->directory, str_of(s->login), sender, arena);
    return status_is_permanent(&status) ? session_refuse_sender(s, sender->address, &status) : status;
}

static void fill_envelope(struct session *s, struct transaction *t, const struct path *path, const struct mail_params *params)
{
    struct envelope *e = &t->envelope;

    e->session = str_of(s->id);
    e->sender = path->address;
    e->sender_host = path->host;
    e->client = str_of(s->client);
    e->user = str_of(s->login);
    e->helo = arena_str(&t->arena, str_of(s->helo)); /* as it is now: a later HELO ends the transaction */
    e->body = params->body;
    e->announced = params->size;
    e->auth = params->auth;
    e->ret = params->ret;
    e->envid = arena_str(&t->arena, params->envid);
    t->smtputf8 = params->smtputf8;
}

void verb_mail(struct session *s, struct str argument)
{
    const struct conf *conf = s->smtpd->conf;
    struct transaction *t;
    struct path path;
    struct mail_params params;
    struct status status;

    if (conf->rfc_helo_mandatory && !s->greeted) {
        session_error(s, 503, "5.5.1", "Send HELO or EHLO first");
        return;
    }
    s->follows_refusal = true; /* until it is taken */
    if (s->listener->mode == LISTENER_SUBMISSION && s->login[0] == '\0') {
        session_error(s, 530, "5.7.0", "Authentication required"); /* RFC 4954 section 6 */
        return;
    }
    t = transaction_begin(conf);
    if (!read_path(s, "MAIL", STR("FROM:"), &argument, conf->rfc_mailfrom_localpart_size ? PATH_LOCAL_MAX : 0, "5.1.7", &t->arena, &path)) {
        transaction_end(&t);
        return;
    }
    status = params_parse_mail(&params, argument);
    if (!status_is_ok(&status)) {
        s->errors++;
    } else {
        status = check_sender(s, &path, &params);
    }
    if (status_is_ok(&status))
        status = session_check_sender(s, &path, &t->arena);
    if (status_is_ok(&status))
        status = session_ask_sender(s, &path);
    if (status_is_ok(&status)) {
        fill_envelope(s, t, &path, &params);
        s->transaction = t;
        s->follows_refusal = false;
        session_reply(s, 250, "", "ok");
    } else {
        transaction_end(&t);
        session_refuse(s, "MAIL", &status);
    }
}

/* The recipients of one transaction are bounded in number, and so is what they may cost in lookups. */
static bool has_room(struct session *s)
{
    int64_t limit = s->smtpd->conf->smtp_max_rcpt;

    if (limit == 0 || s->transaction->envelope.recipient_count < limit)
        return true;
    session_reply(s, 452, "4.5.3", "Too many recipients (limit %lld)", (long long)limit);
    return false;
}

static struct policy_verdict judge(struct session *s, struct path *path, struct arena *arena)
{
    const struct policy_client client = {
        .address = &s->stream.peer, .login = str_of(s->login), .vouched = judge_vouches(s->smtpd->judge)};
    struct policy_verdict v;

    if (redirect_reverse(s->smtpd, path, &v, arena))
        return v;
    v = redirect_judge(s->smtpd, &client, path, arena);
    if (path_is_postmaster(path))
        policy_complete_postmaster(path, s->smtpd->conf->me, arena);
    return v;
}

static void run_rcpt(struct session *s, struct str argument, struct arena *arena)
{
    struct transaction *t = s->transaction;
    struct path path;
    int count;
    struct str asked;
    struct rcpt_params params;
    struct policy_verdict v = {0};

    if (!read_path(s, "RCPT", STR("TO:"), &argument, 0, "5.1.3", arena, &path))
        return;
    count = t->envelope.recipient_count;
    asked = path.domain.length > 0 ? path.address : STR(""); /* <postmaster> has none yet */
    v.status = params_parse_rcpt(&params, argument, t->smtputf8);
    if (!status_is_ok(&v.status))
        s->errors++;
    else if (path.domain.length == 0 && !path_is_postmaster(&path))
        v.status = status_make(501, "5.1.3", "Recipient address needs a domain");
    else if (path.utf8 && !t->smtputf8)
        v.status = status_make(553, "5.6.7", "Non-ASCII recipient address needs SMTPUTF8 at MAIL");
    else
        v = judge(s, &path, arena);
    if (status_is_ok(&v.status))
        v.status = redirect_add(s->smtpd, &t->envelope, asked.length > 0 ? asked : path.address, &path, &params, &v, arena);
    if (status_is_ok(&v.status)) {
        if (t->envelope.recipient_count > count)
            s->commands--; /* bounded by its own limit */
        session_reply_status(s, &v.status);
    } else {
        t->refused_recipients = true;
        if (s->smtpd->conf->history > 0)
            envelope_refuse(&t->envelope, path.address, &v.status);
        s->unknown_recipients += v.unknown_recipient;
        session_refuse(s, "RCPT", &v.status);
    }
}

/* What is parsed of a recipient lives for this command only: refused ones leave nothing behind. */
void verb_rcpt(struct session *s, struct str argument)
{
    struct arena scratch;

    if (!has_room(s))
        return;
    arena_init(&scratch);
    run_rcpt(s, argument, &scratch);
    arena_done(&scratch);
}
