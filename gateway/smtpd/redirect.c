#include "smtpd/redirect.h"

#include "base/clock.h"
#include "base/log.h"
#include "policy/expand.h"
#include "policy/lists.h"
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

struct policy_verdict redirect_judge(const struct smtpd *smtpd, const struct policy_client *client, const struct path *path,
                                     struct arena *arena)
{
    struct policy_verdict v = policy_recipient(smtpd->directory, client, smtpd->conf, path);

    mailboxes_find(smtpd->mailboxes, path, &v, arena);
    return v;
}

/* Its domain is one of ours, or else somebody's to whom we sent mail on. */
static struct policy_verdict judge_original(const struct smtpd *smtpd, const struct path *original, struct arena *arena)
{
    const struct directory *d = smtpd->directory;
    struct rcpthost host;

    switch (d->rcpthost(d->self, original->host, &host)) {
    case ANSWER_YES:
        return redirect_judge(smtpd, &(struct policy_client){0}, original, arena);
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
        *v = judge_original(smtpd, path, arena);
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

static bool is_same(const struct path *a, const struct path *b)
{
    return str_equal(a->host, b->host) && str_equal_nocase(a->local, b->local);
}

/* What goes to a member comes from the list, so that it hears of failures; a report stays one. */
static void take_from_list(const struct envelope *e, struct recipient *r, struct str list)
{
    r->list = arena_str(e->arena, list);
    if (e->sender.length > 0)
        r->sender = policy_list_sender(list, e->arena);
}

static void note_loop(const struct envelope *e, struct str asked, const struct expansion *x)
{
    struct log_line l;

    if (x->loop.length == 0)
        return;
    log_begin(&l, LOG_LEVEL_WARNING, "note");
    log_str(&l, "session", e->session);
    log_str(&l, "recipient", asked);
    log_str(&l, "alias", x->loop);
    log_text(&l, "message", "the alias goes round in a circle, or too deep");
    log_end(&l);
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

/* Whether the one mailbox that all of it comes to has room; of several some may have. */
static struct status ask_for_room(const struct smtpd *smtpd, const struct envelope *e, const struct expansion *x)
{
    if (x->count != 1 || x->targets->mailbox.length == 0)
        return x->status;
    return mailboxes_have_room(smtpd->mailboxes, x->targets->mailbox, e->announced);
}

struct status redirect_add(const struct smtpd *smtpd, struct envelope *e, struct str asked, const struct path *path,
                           const struct rcpt_params *params, const struct policy_verdict *v, struct arena *arena)
{
    struct target itself = {.path = *path, .is_outside = v->rule == POLICY_SRS};
    struct expansion x = {.status = v->status, .targets = &itself, .count = 1};
    struct rcpt_params further = *params;

    if (v->is_local || v->rule == POLICY_POSTMASTER)
        policy_expand(&x, smtpd->directory, smtpd->conf, path, arena);
    if (v->rule == POLICY_MAILBOX)
        itself.mailbox = path_format(path->local, path->host, arena);
    if (status_is_ok(&x.status))
        x.status = ask_for_room(smtpd, e, &x);
    if (!status_is_ok(&x.status)) {
        note_loop(e, asked, &x);
        return x.status;
    }
    if (further.orcpt.length == 0)
        further.orcpt = original_recipient(asked, arena);
    for (const struct target *t = x.targets; t != NULL; t = t->next) {
        bool is_other = v->rule == POLICY_SRS || !is_same(&t->path, path);
        struct rcpt_params given = is_other ? further : *params;

        if (t->list.length > 0)
            given.notify &= NOTIFY_NEVER; /* reports go to the list, and it did not ask for any (RFC 3461 section 5.2.7.3) */
        if (!envelope_add(e, &t->path, &given))
            continue;
        e->last->taken = is_other ? taken_text(v, asked, e->arena) : str_of(policy_rule_text(v->rule));
        if (t->list.length > 0)
            take_from_list(e, e->last, t->list);
        else if (is_other && t->is_outside)
            rewrite_sender(smtpd, e, e->last);
    }
    return v->status;
}
