#include "policy/senders.h"

struct status policy_sender(const struct directory *d, struct str login, const struct path *sender, struct arena *arena)
{
    if (path_is_null(sender))
        return status_ok();
    switch (d->may_send_as(d->self, login, path_format(sender->local, sender->host, arena))) {
    case ANSWER_YES:
        return status_ok();
    case ANSWER_NO:
        return status_make(553, "5.7.1", "<%.*s>: not a sender address of %.*s", STR_ARG(sender->address), STR_ARG(login));
    case ANSWER_FAILED:
        break;
    }
    return status_make(451, "4.3.0", "Cannot look up the sender now, try again later");
}
