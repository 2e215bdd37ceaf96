#include "transfer/pipe.h"

#include "base/argv.h"
#include "transfer/sysexits.h"

static const char who[] = "the alias's command";

struct status pipe_status(int exit_status, const char *reason)
{
    struct status s = sysexits_status(who, exit_status, reason);

    if (exit_status != 5)
        return s;
    return status_make(550, "5.7.1", "%s", s.text); /* 4 is as unknown as all others, and so temporary */
}

static struct status deliver(const struct command_means *means, const struct command_mail *mail, const struct argv *argv)
{
    struct errand errand = {.kind = ERRAND_PIPE, .recipient = mail->recipient->address, .count = argv->count};
    struct command_end end;
    struct status s;

    for (size_t i = 0; i < argv->count; i++)
        errand.words[i] = argv->words[i];
    s = command_run(means, mail, &errand, who, &end);
    return status_is_ok(&s) ? pipe_status(end.exit_status, end.reason) : s;
}

struct status pipe_deliver(const struct command_means *means, const struct command_mail *mail, struct str command)
{
    struct arena arena = {0};
    struct argv argv;
    const char *why;
    struct status s = argv_split(command, &arena, &argv, &why) ? deliver(means, mail, &argv)
                                                                : status_make(451, "4.3.5", "%s cannot be run: %s", who, why);

    arena_done(&arena);
    return s;
}
