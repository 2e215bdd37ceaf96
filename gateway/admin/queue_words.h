/*
 * queue_words - what the verbs of `tmail queue` share: the options that select, getting at the queue, and saying how it went.
 *
 * The table of the verbs is in queue.c; each run function is in the file that has its name in it.
 */
#ifndef ADMIN_QUEUE_WORDS_H
#define ADMIN_QUEUE_WORDS_H

#include "admin/command.h"
#include "queue/queue.h"
#include "queue/selection.h"

/* For a table of options; TO is the option that names recipients, "to" but where that is taken. */
#define QUEUE_SELECTION_OPTIONS(to) \
    {"from", NULL, "ADDRESS", "of this sender, an address, a domain, or <> for the null sender"}, \
    {to, NULL, "ADDRESS", "to this recipient, an address or a domain"}, \
    {"domain", NULL, "DOMAIN", "to this destination"}, \
    {"status", NULL, "STATUS", "scheduled, in-progress, held, failed or done, or several with commas between"}, \
    {"older", NULL, "TIME", "that arrived longer ago than this: 30m, 4h, 2d"}, \
    {"newer", NULL, "TIME", "that arrived less long ago than this"}, \
    {"route", NULL, "ID", "that go by this route because an administrator chose it, or none for those without"}
#define QUEUE_YES_OPTION {"yes", NULL, NULL, "do not ask"}

/* EXIT_DONE and the open queue, or another exit status after the complaint. */
int queue_words_open(struct invocation *i, struct queue *q);
/* OK: the database answered.  Closes Q and returns the exit status; what was printed is done only when standard output took it. */
int queue_words_close(struct invocation *i, struct queue *q, bool ok);

/* S as the options say; selection_done frees it in any case.  EXIT_DONE, or EXIT_USAGE after the complaint. */
int queue_words_select(struct invocation *i, struct selection *s);
/* False after the complaint. */
bool queue_words_id(struct invocation *i, const char *word, int64_t *id);

/* `queue stats`, `queue sql`, `queue check`: each returns the exit status. */
extern const struct option_spec queue_stats_options[];
int queue_stats(struct invocation *i);
int queue_sql(struct invocation *i);
int queue_check(struct invocation *i);

int queue_show(struct invocation *i);
int queue_export(struct invocation *i);
int queue_flush(struct invocation *i);
int queue_hold(struct invocation *i);
int queue_release(struct invocation *i);
int queue_discard(struct invocation *i);
int queue_bounce(struct invocation *i);
int queue_reroute(struct invocation *i);
int queue_purge(struct invocation *i);

#endif
