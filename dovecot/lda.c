#include "dovecot/lda.h"

#include "message/handover.h"
#include "smtp/path.h"
#include "transfer/sysexits.h"

#include <string.h>

enum { REFUSED = 77 };

static const char who[] = "dovecot-lda";

/* It has one exit status for all that it refuses. */
struct status lda_status(int exit_status, const char *reason)
{
    struct status s = sysexits_status(who, exit_status, reason);

    if (exit_status == REFUSED && strcasestr(reason, "quota") != NULL)
        return status_make(552, "5.2.2", "%s", s.text);
    return s;
}

/* ADDRESS as -a takes it, in *FORM.  It ends with a usage error for anything but an address in ASCII without a dot at the end, and the mail
 * would wait for ever. */
static bool take_form(struct str address, struct arena *arena, struct str *form)
{
    struct path path;

    if (path_parse_address(&path, address, arena) != PATH_OK || path.host.length == 0 || !str_is_ascii(path.local))
        return false;
    *form = path_format(path.local, path.host, arena);
    return true;
}

static struct str original_for(const struct command_mail *mail, struct str user, struct arena *arena)
{
    struct str form;
    char *copy;

    if (take_form(mail->original, arena, &form) || take_form(mail->recipient->address, arena, &form))
        return form;
    copy = arena_new(arena, user.length);
    for (size_t i = 0; i < user.length; i++)
        copy[i] = (unsigned char)user.data[i] > 127 ? '_' : user.data[i];
    return (struct str){copy, user.length};
}

static bool was_delivered_before(const struct command_means *means, const struct command_mail *mail, struct str user)
{
    struct handover h = {.tempdir = means->conf->tempdir, .content = mail->content, .body = mail->body};

    return handover_has_field(&h, "delivered-to", user);
}

struct status lda_deliver(const struct command_means *means, const struct command_mail *mail, struct str user)
{
    struct errand errand = {.kind = ERRAND_LDA, .recipient = user};
    struct command_mail own = *mail;
    struct arena arena = {0};
    struct buf fields = {0};
    struct command_end end;
    struct status s;

    if (user.length == 0 || str_has_control(user))
        return status_make(550, "5.1.1", "there is no such mailbox");
    if (was_delivered_before(means, mail, user))
        return status_make(554, "5.4.6", "the message was delivered to %.*s before: it goes round in a loop", STR_ARG(user));
    buf_print(&fields, "Delivered-To: %.*s\r\n", STR_ARG(user));
    buf_add(&fields, mail->fields);
    own.fields = buf_str(&fields);
    own.original = original_for(mail, user, &arena);
    s = command_run(means, &own, &errand, who, &end);
    buf_done(&fields);
    arena_done(&arena);
    return status_is_ok(&s) ? lda_status(end.exit_status, end.reason) : s;
}
