#include "deliverd/program.h"

#include "dovecot/lda.h"
#include "lmtp/probe.h"
#include "smtp/xtext.h"
#include "transfer/pipe.h"

bool program_serves(const struct route_plan *plan)
{
    return plan->hops[0].kind == HOP_LDA || plan->hops[0].kind == HOP_COMMAND;
}

/* Whom the sender meant: what ORCPT has as an address of mail (RFC 3461 section 4.2), else the recipient. */
static struct str original_of(const struct recipient *r, struct arena *arena)
{
    static const char type[] = "rfc822;";
    struct str text = str_from(r->orcpt, sizeof type - 1), copy = r->address;
    struct buf address = {0};

    if (str_equal_nocase(str_part(r->orcpt, 0, sizeof type - 1), STR(type)) && xtext_read(text, &address) && !str_has_control(buf_str(&address)))
        copy = arena_str(arena, buf_str(&address));
    buf_done(&address);
    return copy;
}

/* As Dovecot cuts it where it takes mail by LMTP; dovecot-lda wants the user. */
static struct str without_detail(struct str local, char delimiter)
{
    size_t place = delimiter != '\0' ? str_find(local, delimiter, 1) : local.length;

    return str_part(local, 0, place);
}

/* The mailbox that the recipient has now. */
static struct status deliver_to_mailbox(const struct attempt_context *context, const struct command_mail *mail, struct arena *arena)
{
    const struct command_means means = {context->conf, context->errands};
    const struct directory *d = context->directory;
    const struct recipient *r = mail->recipient;
    struct local found = {0};
    enum answer answer;
    struct path path;

    if (path_parse_address(&path, r->address, arena) != PATH_OK)
        return status_make(550, "5.1.1", "\"%.*s\" is no address", STR_ARG(r->address));
    answer = d->local(d->self, path.local, r->domain, context->conf->recipient_delimiter[0], arena, &found);
    if (answer == ANSWER_FAILED)
        return status_make(451, "4.3.0", "Cannot look up the recipient now");
    if (answer == ANSWER_NO && probe_is_for(context->conf, r->domain))
        return lda_deliver(&means, mail, path_format(without_detail(path.local, context->conf->recipient_delimiter[0]), r->domain, arena));
    if (answer == ANSWER_NO || found.mailbox.length == 0)
        return status_make(550, "5.1.1", "<%.*s>: there is no such mailbox any more", STR_ARG(r->address));
    return lda_deliver(&means, mail, found.mailbox);
}

static struct status deliver(const struct attempt_context *context, const struct hop *hop, const struct command_mail *mail, struct arena *arena)
{
    const struct command_means means = {context->conf, context->errands};

    if (hop->kind == HOP_LDA)
        return deliver_to_mailbox(context, mail, arena);
    return pipe_deliver(&means, mail, str_of(hop->command));
}

static void note_outcome(struct delivery *d, const struct hop *hop, struct status status)
{
    d->status = status;
    d->at_home = true;
    d->relayed = status_is_ok(&status) && (d->recipient.notify & NOTIFY_SUCCESS) != 0;
    str_copy(str_of(hop->kind == HOP_LDA ? "dovecot-lda" : "command"), d->host, sizeof d->host);
}

void program_run(const struct attempt_context *context, struct job *job, struct str fields, struct body *body)
{
    const struct claimed *claimed = job->message->claimed;
    const struct hop *hop = &job->plan.hops[0];
    struct arena arena;

    arena_init(&arena);
    for (struct delivery *d = job->deliveries; d != NULL; d = d->next) {
        const struct recipient *r = &d->recipient;
        const struct command_mail mail = {.envelope = &claimed->envelope,
                                          .recipient = r,
                                          .sender = r->sender.length > 0 ? r->sender : claimed->envelope.sender,
                                          .original = original_of(r, &arena),
                                          .fields = fields,
                                          .content = claimed->content,
                                          .body = claimed->has_content ? NULL : body,
                                          .size = claimed->size};

        note_outcome(d, hop, deliver(context, hop, &mail, &arena));
    }
    job->hop_answered = true; /* what it says of one says nothing of the others */
    arena_done(&arena);
}
