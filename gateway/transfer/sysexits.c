#include "transfer/sysexits.h"

static const struct sysexit {
    int number, code;
    const char *enhanced; /* RFC 3463 */
    const char *meaning;
} table[] = {
    {0, 250, "2.0.0", "done"},
    {64, 451, "4.3.5", "called in a way that it does not understand"},
    {65, 451, "4.6.0", "the message is not as it wants it"},
    {66, 451, "4.3.0", "a file that it reads is missing"},
    {67, 550, "5.1.1", "no such user"},
    {68, 451, "4.3.0", "a host is unknown"},
    {69, 451, "4.3.0", "something that it needs is unavailable"},
    {70, 451, "4.3.0", "an error inside of it"},
    {71, 451, "4.3.0", "an error of the system"},
    {72, 451, "4.3.5", "a file of the system is missing"},
    {73, 451, "4.3.0", "it cannot make a file"},
    {74, 451, "4.3.0", "an error while reading or writing"},
    {75, 451, "4.3.0", "it asks to try again later"},
    {76, 451, "4.5.0", "an error in a dialogue"},
    {77, 550, "5.7.1", "it refuses the message"},
    {78, 451, "4.3.5", "an error in its configuration"},
};

static const struct sysexit other = {-1, 451, "4.3.0", "which means nothing known"};

static const struct sysexit *find(int exit_status)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].number == exit_status)
            return &table[i];
    return &other;
}

struct status sysexits_status(const char *who, int exit_status, const char *reason)
{
    const struct sysexit *s = find(exit_status);

    if (exit_status == 0)
        return status_make(s->code, s->enhanced, "%s took it", who);
    if (reason[0] != '\0')
        return status_make(s->code, s->enhanced, "%s: %s (exit status %d)", who, reason, exit_status);
    return status_make(s->code, s->enhanced, "%s ended with exit status %d: %s", who, exit_status, s->meaning);
}
