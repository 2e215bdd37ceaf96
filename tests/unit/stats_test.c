#include "test.h"

#include "queue/look.h"
#include "queue/stats.h"

#include "place.h"

enum { NOW_MINUTES = 100000 };

static struct place place;
static struct queue q;
static struct db *db;
static struct stats stats;
static char error[512];

static void setup(void)
{
    place_open(&place);
    check(queue_open(&q, place.folder, error, sizeof error));
    db = look_open(place.folder, error, sizeof error);
    check(db != NULL);
}

static void teardown(void)
{
    stats_done(&stats);
    db_close(&db);
    queue_close(&q);
    place_close(&place);
}

static int64_t minute(int64_t minutes)
{
    return minutes * 60000;
}

/* A recipient of a message that is so many minutes old, due so many minutes from now. */
static void put(const char *domain, int64_t age, int64_t due, int state, const char *host, const char *reason)
{
    static int64_t count;
    static const char sql[] =
        "INSERT INTO recipient (message, number, address, domain, flow, notify, state, wish, warn, due, attempts, crashes, code, enhanced, host, "
        "reason) VALUES (?1, ?2, 'a', ?3, 0, 0, ?4, 0, 0, ?5, 0, 0, iif(?7 IS NULL, NULL, 451), iif(?7 IS NULL, NULL, '4.7.1'), ?6, ?7)";
    struct db_query *query = db_prepare(q.db, sql);

    db_bind_int(query, 1, minute(NOW_MINUTES - age) << 21);
    db_bind_int(query, 2, ++count);
    db_bind_str(query, 3, str_of(domain));
    db_bind_int(query, 4, state);
    db_bind_int(query, 5, minute(NOW_MINUTES + due));
    db_bind_optional(query, 6, str_of(host));
    db_bind_optional(query, 7, str_of(reason));
    check(db_execute(query));
}

static bool look(int64_t sample)
{
    return check(stats_read(&stats, db, minute(NOW_MINUTES), sample));
}

static void an_empty_queue_has_no_stats(void)
{
    setup();
    look(STATS_SAMPLE);
    check_number(stats.all.recipients, 0);
    check_number(stats.all.oldest, 0);
    check_number(stats.all.next, 0);
    check_number(stats.destinations.count, 0);
    check_number(stats.reasons.count, 0);
    teardown();
}

static void destinations_are_counted_by_age(void)
{
    const struct stats_destination *d;

    setup();
    put("one.example", 0, 3, RECIPIENT_SCHEDULED, "", "");
    put("two.example", 4, 9, RECIPIENT_SCHEDULED, "", "");
    put("two.example", 5, 7, RECIPIENT_SCHEDULED, "", "");
    put("two.example", 1279, 8, RECIPIENT_HELD, "", "");
    put("two.example", 1280, 1, RECIPIENT_IN_PROGRESS, "", "");
    put("two.example", 99999, 0, RECIPIENT_FAILED, "", "");
    put("three.example", 99999, 0, RECIPIENT_DELIVERED, "", "");
    look(STATS_SAMPLE);
    check_number(stats.all.recipients, 5);
    check_number(stats.destinations.count, 2);
    d = stats_destination(&stats, 0);
    check_str(d->domain.text, STR("two.example"));
    check_number(d->recipients, 4);
    check_number(d->ages[0], 1);
    check_number(d->ages[1], 1);
    check_number(d->ages[8], 1);
    check_number(d->ages[9], 1);
    check_number(d->oldest, minute(NOW_MINUTES - 1280));
    check_number(d->next, minute(NOW_MINUTES + 7)); /* of what is scheduled */
    check_str(stats_destination(&stats, 1)->domain.text, STR("one.example"));
    check_number(stats.all.next, minute(NOW_MINUTES + 3));
    check_number(stats.all.ages[0], 2);
    check_number(stats.states[RECIPIENT_SCHEDULED], 3);
    check_number(stats.states[RECIPIENT_IN_PROGRESS], 1);
    check_number(stats.states[RECIPIENT_HELD], 1);
    check_number(stats.states[RECIPIENT_FAILED], 1);
    teardown();
}

static void reasons_are_grouped_with_their_hosts(void)
{
    const struct stats_reason *r;

    setup();
    put("one.example", 0, 3, RECIPIENT_SCHEDULED, "mx1[192.0.2.1]:25", "<a@one.example>: try again in 30 seconds");
    put("two.example", 0, 3, RECIPIENT_SCHEDULED, "mx2[192.0.2.2]:25", "<b@two.example>: try again in 7 seconds");
    put("two.example", 0, 3, RECIPIENT_SCHEDULED, "mx2[192.0.2.2]:25", "<c@two.example>: try again in 8 seconds");
    put("two.example", 0, 3, RECIPIENT_SCHEDULED, "mx2[192.0.2.2]:25", "another");
    put("two.example", 0, 3, RECIPIENT_SCHEDULED, "", "");
    put("two.example", 0, 3, RECIPIENT_FAILED, "mx2[192.0.2.2]:25", "another");
    look(STATS_SAMPLE);
    check_number(stats.every, 1);
    check_number(stats.sampled, 4);
    check_number(stats.reasons.count, 2);
    r = stats_reason(&stats, 0);
    check_number(r->recipients, 3);
    check_number(r->code, 451);
    check_str(r->enhanced, STR("4.7.1"));
    check_str(r->text, STR("<*>: try again in * seconds"));
    check_str(r->shape.text, STR("451 4.7.1 <*>: try again in * seconds"));
    check_number(r->host_count, 2);
    check_str(r->hosts[0].name, STR("mx2[192.0.2.2]:25"));
    check_number(r->hosts[0].recipients, 2);
    check_number(r->hosts[1].recipients, 1);
    check_str(stats_reason(&stats, 1)->text, STR("another"));
    check_number(stats_reason(&stats, 1)->recipients, 1);
    teardown();
}

/* Names enough to make the tables grow, and more reasons than are told apart. */
static void many_names_are_told_apart_up_to_a_bound(void)
{
    enum { MANY = STATS_REASONS_MAX + 100 };
    int64_t told = 0;

    setup();
    check(db_run(q.db, "BEGIN"));
    for (int i = 0; i < MANY; i++) {
        char domain[64], host[32], reason[64];

        snprintf(domain, sizeof domain, "d%d.example", i);
        snprintf(host, sizeof host, "mx%d", i % 20);
        snprintf(reason, sizeof reason, "%d.mistake", i);
        put(domain, 0, 1, RECIPIENT_SCHEDULED, host, reason);
        put(domain, 0, 1, RECIPIENT_SCHEDULED, host, "the same for all");
    }
    check(db_run(q.db, "COMMIT"));
    look(STATS_SAMPLE);
    check_number(stats.destinations.count, MANY);
    check_number(stats.destinations.others, 0);
    for (size_t i = 0; i < stats.destinations.count; i++)
        told += stats_destination(&stats, i)->recipients == 2;
    check_number(told, MANY);
    check_number(stats.reasons.count, STATS_REASONS_MAX);
    check_number(stats.reasons.others, MANY + 1 - STATS_REASONS_MAX);
    check_number(stats_reason(&stats, 0)->recipients, MANY);
    check_number(stats_reason(&stats, 0)->host_count, STATS_HOSTS_MAX);
    told = stats_reason(&stats, 0)->other_hosts;
    for (int i = 0; i < STATS_HOSTS_MAX; i++)
        told += stats_reason(&stats, 0)->hosts[i].recipients;
    check_number(told, MANY);
    teardown();
}

static void reasons_of_a_long_queue_are_sampled(void)
{
    setup();
    for (int i = 0; i < 90; i++)
        put("one.example", 0, 3, RECIPIENT_SCHEDULED, "", "no");
    look(40);
    check_number(stats.every, 3);
    check_number(stats.sampled, 30);
    check_number(stats_reason(&stats, 0)->recipients, 30);
    check_number(stats.all.recipients, 90);
    check_number(stats_destination(&stats, 0)->recipients, 90);
    teardown();
}

static void a_database_of_another_version_is_left_alone(void)
{
    setup();
    db_close(&db);
    check(db_run(q.db, "PRAGMA user_version=2"));
    check(look_open(place.folder, error, sizeof error) == NULL);
    check_has(error, "older tmail");
    check(db_run(q.db, "PRAGMA user_version=99"));
    check(look_open(place.folder, error, sizeof error) == NULL);
    check_has(error, "newer tmail");
    check(look_open("/nonexistent", error, sizeof error) == NULL);
    check_has(error, "/nonexistent/queue.db");
    stats = (struct stats){0};
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(an_empty_queue_has_no_stats),
    TEST_CASE(destinations_are_counted_by_age),
    TEST_CASE(reasons_are_grouped_with_their_hosts),
    TEST_CASE(many_names_are_told_apart_up_to_a_bound),
    TEST_CASE(reasons_of_a_long_queue_are_sampled),
    TEST_CASE(a_database_of_another_version_is_left_alone),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
