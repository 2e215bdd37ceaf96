#include "queue/backoff.h"

#include <sys/random.h>

int64_t backoff_delay(int64_t min, int64_t max, int64_t attempts)
{
    int64_t delay = min;
    uint32_t random = 0;

    while (--attempts > 0 && delay < max)
        delay *= 2;
    if (delay > max)
        delay = max;
    if (getrandom(&random, sizeof random, 0) < 0)
        random = 0;
    return delay - delay / 10 + random % (delay / 5 + 1);
}
