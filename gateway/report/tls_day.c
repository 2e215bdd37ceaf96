#include "report/tls_day.h"

#include <string.h>
#include <time.h>

void tls_day_text(int64_t wall, char to[TLS_DAY_SIZE])
{
    time_t seconds = wall / 1000;
    struct tm tm;

    to[0] = '\0';
    if (gmtime_r(&seconds, &tm) == NULL || strftime(to, TLS_DAY_SIZE, "%Y-%m-%d", &tm) == 0)
        to[0] = '\0';
}

bool tls_day_read(struct str day, int64_t *begin)
{
    char text[TLS_DAY_SIZE], same[TLS_DAY_SIZE];
    struct tm tm = {0};
    const char *end;

    if (!str_copy(day, text, sizeof text))
        return false;
    end = strptime(text, "%Y-%m-%d", &tm);
    if (end == NULL || *end != '\0')
        return false;
    *begin = (int64_t)timegm(&tm) * 1000;
    tls_day_text(*begin, same); /* no 31st of February */
    return *begin >= 0 && strcmp(text, same) == 0;
}
