#include "queue/backoff.h"

#include "base/clock.h"

#include <sys/random.h>

struct backoff backoff_of(const struct conf *conf)
{
    struct backoff b = {.min = conf->deliverd_retry_min, .max = conf->deliverd_retry_max};
    struct buf unused = {0};

    times_parse(&b.first, str_of(conf->deliverd_retry_times), &unused);
    times_parse(&b.greylist, str_of(conf->deliverd_retry_greylist), &unused);
    buf_done(&unused);
    return b;
}

static int64_t doubled(int64_t min, int64_t max, int64_t times)
{
    int64_t delay = min;

    while (times-- > 0 && delay < max)
        delay *= 2;
    return delay;
}

int64_t backoff_delay(const struct backoff *b, int64_t attempts, bool greylisted)
{
    const struct times *list = greylisted ? &b->greylist : &b->first;
    int64_t listed = (int64_t)list->count, delay;
    uint32_t random = 0;

    if (attempts < 1)
        attempts = 1;
    if (attempts <= listed) {
        delay = list->ms[attempts - 1];
    } else {
        delay = doubled(b->min, b->max, attempts - 1 - listed);
        if (listed > 0 && delay < list->ms[listed - 1])
            delay = list->ms[listed - 1];
    }
    delay = clock_earlier(delay, b->max);
    if (getrandom(&random, sizeof random, 0) < 0)
        random = 0;
    return delay - delay / 10 + random % (delay / 5 + 1);
}
