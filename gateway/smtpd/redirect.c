#include "smtpd/redirect.h"

#include "base/clock.h"
#include "base/log.h"
#include "policy/expand.h"
#include "smtp/srs.h"
#include "smtp/xtext.h"

enum { DAY_MS = 86400000 };

static struct srs srs_of(const struct conf *conf)
{
    return (struct srs){str_of(conf->srs_domain), str_of(conf->srs_secret)};
}

static int64_t today(void)
{
    return clock_wall() / DAY_MS;
}

static struct policy_verdict unknown(const struct path *path, const char *why)
{
    return (struct policy_verdict){.status = status_make(550, "5.1.1", "<%.*s>: No such user here (%s)", STR_ARG(path->address), why),
                                   .unknown_recipient = true};
}

/* Its domain is one of ours, or else somebody's to whom we sent mail on. */
static struct policy_verdict judge_original(const struct smtpd *smtpd, const struct path *original)
{
    const struct directory *d = smtpd->directory;
    struct rcpthost host;

    switch (d->rcpthost(d->self, original->host, &host)) {
    case ANSWER_YES:
        return policy_recipient(d, &(struct policy_client){0}, smtpd->conf->me, original);
    case ANSWER_NO:
        return (struct policy_verdict){.status = status_make(250, "", "ok"), .rule = POLICY_SRS};
    case ANSWER_FAILED:
        break;
    }
    return (struct policy_verdict){.status = status_make(451, "4.3.0", "Cannot look up the recipient now, try again later")};
}

bool redirect_reverse(const struct smtpd *smtpd, struct path *path, struct policy_verdict *v, struct arena *arena)
{
    const struct srs srs = srs_of(smtpd->conf);
    struct str address;

    if (srs.domain.length == 0 || !str_equal(path->host, srs.domain))
        return false;
    switch (srs_reverse(&srs, path->local, today(), arena, &address)) {
    case SRS_FOREIGN:
        return false;
    case SRS_FORGED:
        *v = unknown(path, "this address was not made here");
        return true;
    case SRS_EXPIRED:
        *v = unknown(path, "this address has expired");
        return true;
    case SRS_OK:
        break;
    }
    if (path_parse_address(path, address, arena) == PATH_OK)
        *v = judge_original(smtpd, path);
    else
        *v = unknown(path, "this address was not made here");
    return true;
}

/* ORCPT for those that the client gave none: ADDRESS in the form of RFC 3461 section 4.2.  Empty: it does not fit, or is not ASCII. */
static struct str original_recipient(struct str address, struct arena *arena)
{
    struct buf text = {0};
    struct str copy = STR("");

    buf_add_text(&text, "rfc822;");
    xtext_write(address, &text);
    if (xtext_is_orcpt(buf_str(&text), false))
        copy = arena_str(arena, buf_str(&text));
    buf_done(&text);
    return copy;
}

static void note_sender_that_stays(const struct envelope *e, const struct recipient *r)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_INFO, "note");
    log_str(&l, "session", e->session);
    log_str(&l, "sender", e->sender);
    log_str(&l, "recipient", r->address);
    log_text(&l, "message", "the sender stays as it is: rewritten (SRS) it would be too long");
    log_end(&l);
}

/* Senders of our own domains stay: who looks at SPF expects us. */
static bool is_foreign_sender(const struct smtpd *smtpd, const struct envelope *e)
{
    const struct directory *d = smtpd->directory;
    struct rcpthost host;

    return e->sender.length > 0 && !(d->rcpthost(d->self, e->sender_host, &host) == ANSWER_YES && host.is_local);
}

static void rewrite_sender(const struct smtpd *smtpd, struct envelope *e, struct recipient *r)
{
    const struct srs srs = srs_of(smtpd->conf);
    struct str sender;

    if (srs.domain.length == 0 || !is_foreign_sender(smtpd, e))
        return;
    if (!srs_forward(&srs, e->sender, today(), e->arena, &sender))
        note_sender_that_stays(e, r);
    else if (!str_equal(sender, e->sender))
        r->sender = sender;
}

static struct str taken_text(const struct policy_verdict *v, struct str asked, struct arena *arena)
{
    struct buf text = {0};
    struct str copy;

    buf_print(&text, "%s %.*s", v->rule == POLICY_SRS ? "returned to" : "alias", STR_ARG(asked));
    copy = arena_str(arena, buf_str(&text));
    buf_done(&text);
    return copy;
}

struct status redirect_add(const struct smtpd *smtpd, struct envelope *e, struct str asked, const struct path *path,
                           const struct rcpt_params *params, const struct policy_verdict *v, struct arena *arena)
{
    struct target itself = {.path = *path, .is_outside = v->rule == POLICY_SRS};
    struct expansion x = {.status = v->status, .targets = &itself};
    struct rcpt_params further = *params;

    if (v->is_local || v->rule == POLICY_POSTMASTER)
        policy_expand(&x, smtpd->directory, path, arena);
    if (!status_is_ok(&x.status))
        return x.status;
    if (further.orcpt.length == 0)
        further.orcpt = original_recipient(asked, arena);
    for (const struct target *t = x.targets; t != NULL; t = t->next) {
        bool is_other = !str_equal(t->path.address, asked);

        if (!envelope_add(e, &t->path, is_other ? &further : params))
            continue;
        e->last->taken = is_other ? taken_text(v, asked, e->arena) : str_of(policy_rule_text(v->rule));
        if (is_other && t->is_outside)
            rewrite_sender(smtpd, e, e->last);
    }
    return v->status;
}
