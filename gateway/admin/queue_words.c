#include "admin/queue_words.h"

#include "admin/change.h"
#include "base/clock.h"
#include "message/id.h"

#include <stdio.h>
#include <string.h>

int queue_words_open(struct invocation *i, struct queue *q)
{
    char error[1024];
    int status = change_become(i);

    if (status != EXIT_DONE)
        return status;
    if (queue_open(q, i->conf->store_source, error, sizeof error))
        return EXIT_DONE;
    return invocation_fail(i, "%s", error);
}

int queue_words_close(struct invocation *i, struct queue *q, bool ok)
{
    int status = EXIT_DONE;

    if (!ok)
        status = invocation_fail(i, "%s", db_error(q->db));
    else if (fflush(stdout) != 0 || ferror(stdout))
        status = invocation_fail(i, "standard output could not be written");
    queue_close(q);
    return status;
}

/* By their places in the table of options: `to` has another name where a route is chosen. */
static const char *const selecting[] = {"from", "to", "domain", "status", "older", "newer", "route"};

int queue_words_select(struct invocation *i, struct selection *s)
{
    const int64_t now = clock_wall();

    selection_init(s);
    for (size_t k = 0; k < sizeof selecting / sizeof selecting[0]; k++) {
        const char *expected = i->values[k] != NULL ? selection_add(s, selecting[k], str_of(i->values[k]), now) : NULL;

        if (expected == NULL)
            continue;
        invocation_fail(i, "--%s: \"%s\" is none (expected %s)", i->command->options[k].name, i->values[k], expected);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

bool queue_words_id(struct invocation *i, const char *word, int64_t *id)
{
    if (queue_id_parse(str_of(word), id))
        return true;
    invocation_fail(i, "%s is no queue id (expected 16 hexadecimal digits)", word);
    return false;
}
