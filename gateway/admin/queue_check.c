#include "admin/listing.h"
#include "admin/progress.h"
#include "admin/queue_words.h"
#include "base/clock.h"
#include "message/id.h"
#include "queue/check.h"
#include "queue/look.h"

#include <stdio.h>

enum { DAY_MS = 86400000 };

struct findings {
    struct listing *listing;
    struct progress *progress;
    int64_t count;
};

static void take_step(void *context, const char *name)
{
    struct findings *f = context;

    progress_step(f->progress, name);
}

static void put_number(struct listing *l, const char *key, int64_t number)
{
    if (number > 0)
        listing_number(l, key, number);
    else
        listing_text(l, key, NULL);
}

static void take_problem(void *context, const struct check_problem *p)
{
    struct findings *f = context;
    char id[QUEUE_ID_SIZE] = "", number[32] = "";

    f->count++;
    if (p->message != 0)
        queue_id_text(p->message, id);
    if (p->number > 0)
        snprintf(number, sizeof number, " recipient %lld", (long long)p->number);
    listing_text(f->listing, "id", id[0] != '\0' ? id : NULL);
    put_number(f->listing, "recipient", p->number);
    listing_str(f->listing, "problem", p->what);
    listing_text(f->listing, "advice", p->advice);
    listing_bool(f->listing, "more", p->more);
    listing_line(f->listing, "%s%s: %.*s%s (%s)", id[0] != '\0' ? id : "queue.db", number, STR_ARG(p->what),
                 p->more ? ", as others that are not listed" : "", p->advice);
    listing_end_row(f->listing);
}

static int check(struct invocation *i, struct db *db)
{
    struct findings f = {listing_open(i->json), progress_open("tmail queue check"), 0};
    const struct check c = {.folder = i->conf->store_source,
                            .now = clock_wall(),
                            .latest = clock_wall() + i->conf->deliverd_retry_max + DAY_MS,
                            .context = &f,
                            .step = take_step,
                            .problem = take_problem};
    bool ok = check_run(&c, db), written;

    progress_close(&f.progress);
    if (ok && f.count == 0)
        listing_line(f.listing, "The queue is in order.");
    written = listing_close(&f.listing);
    if (!ok)
        return invocation_fail(i, "%s", db_error(db));
    if (!written)
        return invocation_fail(i, "standard output could not be written");
    return f.count == 0 ? EXIT_DONE : EXIT_FAILED;
}

int queue_check(struct invocation *i)
{
    char error[1024];
    int status;
    struct db *db = look_open(i->conf->store_source, error, sizeof error);

    if (db == NULL)
        return invocation_fail(i, "%s", error);
    status = check(i, db);
    db_close(&db);
    return status;
}
