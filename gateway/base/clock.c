#include "base/clock.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

static const struct clock_source system_clock = {system_now, system_wall};
static const struct clock_source *the_clock = &system_clock;

void clock_use(const struct clock_source *source)
{
    the_clock = source != NULL ? source : &system_clock;
}

int64_t clock_now(void)
{
    return the_clock->now();
}

int64_t clock_wall(void)
{
    return the_clock->wall();
}

int clock_poll_timeout(int64_t deadline)
{
    int64_t left;

    if (deadline == CLOCK_NEVER)
        return -1;
    left = deadline - clock_now();
    if (left <= 0)
        return 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

int64_t clock_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void clock_text(int64_t wall, char *to)
{
    time_t seconds = (time_t)(wall / 1000);
    struct tm t;
    size_t length;

    gmtime_r(&seconds, &t);
    length = strftime(to, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(to + length, CLOCK_TEXT_SIZE - length, ".%03dZ", (int)(wall % 1000));
}

void clock_date(int64_t wall, char *to)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall / 1000);
    struct tm t;
    long offset;

    localtime_r(&seconds, &t);
    offset = t.tm_gmtoff / 60;
    snprintf(to, CLOCK_DATE_SIZE, "%s, %d %s %d %02d:%02d:%02d %c%02ld%02ld", days[t.tm_wday], t.tm_mday, months[t.tm_mon],
             t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec, offset < 0 ? '-' : '+', (offset < 0 ? -offset : offset) / 60,
             (offset < 0 ? -offset : offset) % 60);
}

void clock_span(int64_t seconds, char *to)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}};

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (seconds > 0 && seconds % units[i].seconds == 0) {
            snprintf(to, CLOCK_SPAN_SIZE, "%" PRId64 "%c", seconds / units[i].seconds, units[i].unit);
            return;
        }
    snprintf(to, CLOCK_SPAN_SIZE, "%" PRId64 "s", seconds);
}
