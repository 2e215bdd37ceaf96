#include "admin/change.h"
#include "admin/create.h"
#include "admin/groups.h"
#include "parent.h"

static const struct option_spec options[] = {CHANGE_OPTION_CREATE, {0}};

static int run(struct invocation *i)
{
    if (!invocation_has(i, "create") && !create_allowed(i->conf->db_driver, i->conf->db_path))
        return EXIT_FAILED;
    return parent_run(i->conf);
}

static const struct command commands[] = {
    {.options = options, .keeps_identity = true, .run = run,
     .help = "Run the gateway in the foreground.  SIGTERM stops it: sessions end after their current message, deliveries finish or go back to the queue.  "
             "SIGHUP reads the configuration again; a bad one changes nothing and is told in the log."},
};

const struct command_group run_group = {
    .noun = "run",
    .help = "the gateway itself",
    .commands = commands,
    .count = sizeof commands / sizeof commands[0],
};
