#include "test.h"

#include "queue/upkeep.h"

#include "letter.h"
#include "place.h"

#include <sys/stat.h>

enum { DAY_MS = 86400000, MANY = 1000, LETTERS = 200, LETTER_SIZE = 10000, STEPS_MOST = 10000, SOON_MS = 1000 };

static struct place place;
static struct conf conf;
static struct queue q;
static struct upkeep u;
static char error[512];

static void setup(void)
{
    place_open(&place);
    conf = (struct conf){.store_source = place.folder, .history = DAY_MS, .history_rows = 1000000};
    check(queue_open(&q, place.folder, error, sizeof error));
    check(upkeep_open(&u, &conf, error, sizeof error));
}

static void teardown(void)
{
    upkeep_close(&u);
    queue_close(&q);
    place_close(&place);
}

static int64_t number_of(const char *sql)
{
    struct db_query *query = db_prepare(q.db, sql);
    int64_t value = -1;

    if (check(query != NULL) && db_step(query))
        value = db_int(query, 0);
    if (query != NULL)
        check(db_finish(query));
    return value;
}

static bool is_whole(void)
{
    return number_of("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'") == 1;
}

static void put_letters(int count)
{
    for (int i = 0; i < count; i++) {
        struct letter l;

        letter_open(&l, place.folder, "user@example.com", LETTER_SIZE);
        check(letter_put(&q, &l));
        letter_close(&l);
    }
}

/* Every message but each tenth goes. */
static void remove_letters(void)
{
    check(db_run(q.db, "DELETE FROM message WHERE id NOT IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM message) "
                       "WHERE n % 10 = 0); DELETE FROM recipient WHERE message NOT IN (SELECT id FROM message)"));
}

static void add_history(int count, int64_t age)
{
    struct db_query *query = db_prepare(q.db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
                                              "INSERT INTO history (at, message, recipient, event) SELECT ?2, 7, 'user@example.com', 'deferred' FROM n");

    db_bind_int(query, 1, count);
    db_bind_int(query, 2, clock_wall() - age);
    check(db_execute(query));
}

static void history_goes_in_small_steps(void)
{
    int steps = 0;

    setup();
    add_history(MANY, 2 * DAY_MS);
    add_history(MANY, 0);
    check(upkeep_history(&u) < SOON_MS);
    check_number(number_of("SELECT count(*) FROM history"), 2 * MANY - UPKEEP_ROWS);
    while (upkeep_history(&u) < SOON_MS && steps < STEPS_MOST)
        steps++;
    check(steps < STEPS_MOST);
    check_number(number_of("SELECT count(*) FROM history"), MANY);
    teardown();
}

static void a_step_of_history_that_takes_long_is_followed_by_a_smaller(void)
{
    setup();
    add_history(MANY, 2 * DAY_MS);
    add_history(MANY, 0);
    u.rows.now = MANY / 2;
    check(db_run(q.db, "CREATE TRIGGER slow BEFORE DELETE ON history WHEN OLD.id = 1 BEGIN SELECT (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                       "SELECT i + 1 FROM n WHERE i < 3000000) SELECT max(i) FROM n); END"));
    check(upkeep_history(&u) >= UPKEEP_STEP_MS); /* the others have as much time as it took */
    check_number(u.rows.now, MANY / 4);
    teardown();
}

/* Until there is nothing to do; how many steps gave something back, -1: they have no end. */
static int give_back_all(void)
{
    int64_t before = number_of("PRAGMA page_count");
    int steps = 0;

    for (; upkeep_free_pages(&u) < SOON_MS && steps < STEPS_MOST; steps++) {
        int64_t now = number_of("PRAGMA page_count");

        /* A page of pointers to others may go with those it points to. */
        check(before - now <= u.vacuum.most && (steps > 0 || before - now <= UPKEEP_PAGES + 2));
        before = now;
    }
    return steps < STEPS_MOST ? steps : -1;
}

static void much_that_is_free_is_given_back_in_small_steps(void)
{
    int64_t pages;

    setup();
    put_letters(LETTERS);
    remove_letters();
    pages = number_of("PRAGMA page_count");
    u.free_least = 100000;
    check(upkeep_free_pages(&u) > SOON_MS); /* the first look says nothing of what goes on */
    check_number(number_of("PRAGMA page_count"), pages);
    check(give_back_all() > 1);
    check(number_of("PRAGMA page_count") < pages / 2);
    check(number_of("PRAGMA freelist_count") > 0); /* not to the last page: they will be wanted again */
    check(number_of("SELECT freelist_count * 100 / page_count FROM pragma_freelist_count, pragma_page_count") < 15); /* nor only just below the bound */
    check_number(number_of("SELECT count(*) FROM message"), LETTERS / 10);
    check_number(number_of("SELECT sum(length(content)) FROM message"), LETTERS / 10 * LETTER_SIZE);
    check_number(number_of("SELECT count(DISTINCT content) FROM message"), 1);
    check(is_whole());
    teardown();
}

static void what_is_being_emptied_is_left_alone(void)
{
    int64_t pages;

    setup();
    put_letters(LETTERS);
    u.free_least = 100000;
    check(upkeep_free_pages(&u) > SOON_MS);
    remove_letters();
    pages = number_of("PRAGMA page_count");
    check(upkeep_free_pages(&u) > SOON_MS);
    check_number(number_of("PRAGMA page_count"), pages);
    check(upkeep_free_pages(&u) < SOON_MS);
    check(number_of("PRAGMA page_count") < pages);
    teardown();
}

static void little_that_is_free_stays(void)
{
    int64_t pages;

    setup();
    put_letters(LETTERS);
    remove_letters();
    pages = number_of("PRAGMA page_count");
    check_number(give_back_all(), 0);
    check_number(give_back_all(), 0);
    check_number(number_of("PRAGMA page_count"), pages);
    teardown();
}

static void the_file_of_an_older_version_stays_as_it_is(void)
{
    struct db *old;

    place_open(&place);
    old = db_open(place_path(&place, "queue.db"), DB_CREATE, 1000, error, sizeof error);
    check(old != NULL);
    db_close(&old);
    conf = (struct conf){.store_source = place.folder, .history = DAY_MS, .history_rows = 1000000};
    check(queue_open(&q, place.folder, error, sizeof error));
    check(upkeep_open(&u, &conf, error, sizeof error));
    put_letters(LETTERS);
    remove_letters();
    u.free_least = 100000;
    check_number(give_back_all(), 0);
    check_number(give_back_all(), 0);
    check_number(number_of("SELECT count(*) FROM message"), LETTERS / 10);
    teardown();
}

static int64_t log_size(void)
{
    struct stat facts;

    return stat(place_path(&place, "queue.db-wal"), &facts) == 0 ? facts.st_size : -1;
}

static void the_log_stays_short_without_the_writers_doing(void)
{
    setup();
    db_checkpoint_after(q.db, 0);
    for (int i = 0; i < 20; i++) {
        put_letters(LETTERS);
        check(upkeep_log(&u) <= SOON_MS);
    }
    check(log_size() < 3 * LETTERS * LETTER_SIZE + (4 << 20));
    check_number(number_of("SELECT count(*) FROM message"), 20 * LETTERS);
    check(is_whole());
    teardown();
}

/* A commit that the log has and the database not yet survives what upkeep does. */
static void a_reader_keeps_what_it_reads(void)
{
    struct queue reader;
    struct db_query *query;

    setup();
    check(queue_open(&reader, place.folder, error, sizeof error));
    put_letters(LETTERS);
    check(db_run(reader.db, "BEGIN"));
    query = db_prepare(reader.db, "SELECT count(*) FROM message");
    check(db_step(query) && db_int(query, 0) == LETTERS);
    check(db_finish(query));
    for (int i = 0; i < 5; i++) {
        put_letters(LETTERS);
        check(upkeep_log(&u) <= SOON_MS);
    }
    check(db_step(query) && db_int(query, 0) == LETTERS);
    check(db_finish(query));
    check(db_run(reader.db, "COMMIT"));
    check(db_step(query) && db_int(query, 0) == 6 * LETTERS);
    check(db_finish(query));
    queue_close(&reader);
    teardown();
}

static void nothing_is_written_where_there_is_nothing_to_do(void)
{
    int64_t version;

    setup();
    put_letters(3);
    add_history(3, 0);
    upkeep_log(&u);
    version = number_of("PRAGMA data_version");
    for (int i = 0; i < 3; i++) {
        check(upkeep_history(&u) > SOON_MS);
        check(upkeep_free_pages(&u) > SOON_MS);
        check_number(upkeep_log(&u), SOON_MS);
    }
    check_number(number_of("PRAGMA data_version"), version);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(history_goes_in_small_steps),
    TEST_CASE(a_step_of_history_that_takes_long_is_followed_by_a_smaller),
    TEST_CASE(much_that_is_free_is_given_back_in_small_steps),
    TEST_CASE(what_is_being_emptied_is_left_alone),
    TEST_CASE(little_that_is_free_stays),
    TEST_CASE(the_file_of_an_older_version_stays_as_it_is),
    TEST_CASE(the_log_stays_short_without_the_writers_doing),
    TEST_CASE(a_reader_keeps_what_it_reads),
    TEST_CASE(nothing_is_written_where_there_is_nothing_to_do),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
