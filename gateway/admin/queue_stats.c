#include "admin/listing.h"
#include "admin/queue_words.h"
#include "base/clock.h"
#include "base/json.h"
#include "queue/look.h"
#include "queue/stats.h"

#include <stdio.h>

enum { LIMIT = 20, LIMIT_MAX = 100000, NAME_WIDTH_MAX = 60, HOSTS_SHOWN = 3 };

const struct option_spec queue_stats_options[] = {
    {"limit", NULL, "N", "show the N largest destinations, and as many reasons (20)"},
    {0},
};

struct view {
    const struct stats *stats;
    int64_t now;
    size_t limit;
};

static size_t shown(const struct view *v, const struct stats_table *t)
{
    return t->count < v->limit ? t->count : v->limit;
}

/* "3d", "5m", "12s": the largest unit that there is one of. */
static void span_text(int64_t ms, char *to, size_t size)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int64_t seconds = ms / 1000;
    size_t i = 0;

    while (i < 3 && seconds < units[i].seconds)
        i++;
    snprintf(to, size, "%lld%c", (long long)(seconds / units[i].seconds), units[i].unit);
}

static void print_heading(struct listing *l, int width)
{
    struct buf line = {0};

    buf_print(&line, "%-*s %8s", width, "Destination", "T");
    for (int age = 0; age < STATS_AGES - 1; age++)
        buf_print(&line, " %7d", stats_minutes[age]);
    buf_print(&line, " %6d+ %7s %7s", stats_minutes[STATS_AGES - 2], "Oldest", "Next");
    listing_line(l, "%s", buf_text(&line));
    buf_done(&line);
}

static void print_destination(struct listing *l, const struct view *v, const char *name, const struct stats_destination *d, int width)
{
    struct buf line = {0};
    char oldest[32] = "-", next[32] = "-";

    if (d->oldest > 0)
        span_text(v->now > d->oldest ? v->now - d->oldest : 0, oldest, sizeof oldest);
    if (d->next > v->now)
        span_text(d->next - v->now, next, sizeof next);
    else if (d->next > 0)
        snprintf(next, sizeof next, "now");
    buf_print(&line, "%-*s %8lld", width, name, (long long)d->recipients);
    for (int age = 0; age < STATS_AGES; age++)
        buf_print(&line, " %7lu", (unsigned long)d->ages[age]);
    buf_print(&line, " %7s %7s", oldest, next);
    listing_line(l, "%s", buf_text(&line));
    buf_done(&line);
}

static int name_width(const struct view *v)
{
    size_t width = sizeof "Destination" - 1;

    for (size_t i = 0; i < shown(v, &v->stats->destinations); i++) {
        size_t length = stats_destination(v->stats, i)->domain.text.length;

        width = length > width ? length : width;
    }
    return width < NAME_WIDTH_MAX ? (int)width : NAME_WIDTH_MAX;
}

static void print_destinations(struct listing *l, const struct view *v)
{
    const struct stats *s = v->stats;
    size_t count = shown(v, &s->destinations);
    int width = name_width(v);

    print_heading(l, width);
    print_destination(l, v, "TOTAL", &s->all, width);
    for (size_t i = 0; i < count; i++)
        print_destination(l, v, stats_destination(s, i)->domain.text.data, stats_destination(s, i), width);
    if (count < s->destinations.count || s->destinations.others > 0)
        listing_line(l, "(and %zu%s other destinations)", s->destinations.count - count, s->destinations.others > 0 ? " or more" : "");
    listing_line(l, "Scheduled: %lld - In progress: %lld - Held: %lld - Failed: %lld", (long long)s->states[RECIPIENT_SCHEDULED],
                 (long long)s->states[RECIPIENT_IN_PROGRESS], (long long)s->states[RECIPIENT_HELD], (long long)s->states[RECIPIENT_FAILED]);
}

static void add_hosts(struct buf *line, const struct stats_reason *r)
{
    int64_t others = r->other_hosts;

    for (size_t i = 0; i < r->host_count; i++)
        if (i < HOSTS_SHOWN)
            buf_print(line, "%s%.*s (%lld)", i == 0 ? " - Hosts: " : ", ", STR_ARG(r->hosts[i].name), (long long)r->hosts[i].recipients);
        else
            others += r->hosts[i].recipients;
    if (others > 0)
        buf_print(line, ", others (%lld)", (long long)others);
}

static void print_reasons(struct listing *l, const struct view *v)
{
    const struct stats_table *t = &v->stats->reasons;
    size_t count = shown(v, t);
    int64_t others = t->others;

    if (t->count == 0)
        return;
    if (v->stats->every > 1)
        listing_line(l, "Reasons, of a sample of %lld:", (long long)v->stats->sampled);
    else
        listing_line(l, "Reasons:");
    for (size_t i = 0; i < t->count; i++) {
        const struct stats_reason *r = stats_reason(v->stats, i);
        struct buf line = {0};

        if (i >= count) {
            others += r->recipients;
            continue;
        }
        buf_print(&line, "%8lld  %.*s", (long long)r->recipients, STR_ARG(r->shape.text));
        add_hosts(&line, r);
        listing_line(l, "%s", buf_text(&line));
        buf_done(&line);
    }
    if (others > 0)
        listing_line(l, "%8lld  others", (long long)others);
}

static void print_text(const struct view *v)
{
    struct listing *l = listing_open(false);

    print_destinations(l, v);
    print_reasons(l, v);
    listing_close(&l);
}

static void put_time(struct json *j, const char *name, int64_t wall)
{
    char text[CLOCK_TEXT_SIZE];

    if (wall <= 0) {
        json_put_null(j, name);
        return;
    }
    clock_text(wall, text);
    json_put_str(j, name, str_of(text));
}

/* The ages by the minutes below which they are, the last one as "older". */
static void put_counts(struct json *j, const struct stats_destination *d)
{
    struct json *ages = json_new_object();
    char minutes[32];

    for (int age = 0; age < STATS_AGES - 1; age++) {
        snprintf(minutes, sizeof minutes, "%d", stats_minutes[age]);
        json_put_number(ages, minutes, d->ages[age]);
    }
    json_put_number(ages, "older", d->ages[STATS_AGES - 1]);
    json_put_number(j, "recipients", d->recipients);
    json_put(j, "ages", &ages);
    put_time(j, "oldest", d->oldest);
    put_time(j, "next", d->next);
}

static struct json *make_destinations(const struct view *v)
{
    struct json *list = json_new_list();

    for (size_t i = 0; i < shown(v, &v->stats->destinations); i++) {
        const struct stats_destination *d = stats_destination(v->stats, i);
        struct json *row = json_new_object();

        json_put_str(row, "domain", d->domain.text);
        put_counts(row, d);
        json_add(list, &row);
    }
    return list;
}

static struct json *make_hosts(const struct stats_reason *r)
{
    struct json *list = json_new_list();

    for (size_t i = 0; i < r->host_count; i++) {
        struct json *host = json_new_object();

        json_put_str(host, "host", r->hosts[i].name);
        json_put_number(host, "recipients", r->hosts[i].recipients);
        json_add(list, &host);
    }
    return list;
}

static struct json *make_reasons(const struct view *v)
{
    struct json *list = json_new_list();

    for (size_t i = 0; i < shown(v, &v->stats->reasons); i++) {
        const struct stats_reason *r = stats_reason(v->stats, i);
        struct json *row = json_new_object(), *hosts = make_hosts(r);

        json_put_number(row, "recipients", r->recipients);
        (r->code != 0 ? json_put_number(row, "code", r->code) : json_put_null(row, "code"));
        (r->enhanced.length > 0 ? json_put_str(row, "enhanced", r->enhanced) : json_put_null(row, "enhanced"));
        json_put_str(row, "reason", r->text);
        json_put(row, "hosts", &hosts);
        json_put_number(row, "other_hosts", r->other_hosts);
        json_add(list, &row);
    }
    return list;
}

static void print_json(const struct view *v)
{
    const struct stats *s = v->stats;
    struct json *j = json_new_object(), *destinations = make_destinations(v), *reasons = make_reasons(v);
    struct buf text = {0};

    put_counts(j, &s->all);
    json_put_number(j, "scheduled", s->states[RECIPIENT_SCHEDULED]);
    json_put_number(j, "in_progress", s->states[RECIPIENT_IN_PROGRESS]);
    json_put_number(j, "held", s->states[RECIPIENT_HELD]);
    json_put_number(j, "failed", s->states[RECIPIENT_FAILED]);
    json_put_number(j, "destination_count", (int64_t)s->destinations.count);
    json_put_number(j, "other_recipients", s->destinations.others);
    json_put(j, "destinations", &destinations);
    json_put_number(j, "reasons_of", s->sampled);
    json_put_bool(j, "sampled", s->every > 1);
    json_put(j, "reasons", &reasons);
    json_write(j, &text);
    puts(buf_text(&text));
    buf_done(&text);
    json_free(&j);
}

static bool read_limit(struct invocation *i, size_t *limit)
{
    const char *text = invocation_value(i, "limit");
    uint64_t number = LIMIT;

    if (text != NULL && (!str_number(str_of(text), LIMIT_MAX, &number) || number == 0)) {
        (void)invocation_fail(i, "\"%s\" is no limit (expected a number from 1 to %d)", text, LIMIT_MAX);
        return false;
    }
    *limit = (size_t)number;
    return true;
}

int queue_stats(struct invocation *i)
{
    char error[1024];
    struct stats stats;
    struct view view = {&stats, clock_wall(), 0};
    struct db *db;
    int status = EXIT_DONE;

    if (!read_limit(i, &view.limit))
        return EXIT_USAGE;
    db = look_open(i->conf->store_source, error, sizeof error);
    if (db == NULL)
        return invocation_fail(i, "%s", error);
    if (!stats_read(&stats, db, view.now, STATS_SAMPLE))
        status = invocation_fail(i, "%s", db_error(db));
    db_close(&db);
    if (status == EXIT_DONE)
        (i->json ? print_json : print_text)(&view);
    stats_done(&stats);
    if (status == EXIT_DONE && (fflush(stdout) != 0 || ferror(stdout)))
        status = invocation_fail(i, "standard output could not be written");
    return status;
}
