#include "test.h"

#include "base/thread.h"
#include "queue/commit.h"

#include "letter.h"
#include "place.h"

#include <sys/stat.h>

static struct place place;
static struct committer *committer;
static struct queue q;
static char error[512];

/* A committer lives as long as its process: each case has a folder and a committer of its own. */
static void setup(void)
{
    place_open(&place);
    committer = committer_open(place.folder, 0, error, sizeof error);
    if (!check(committer != NULL))
        printf("# %s\n", error);
    check(queue_open(&q, place.folder, error, sizeof error));
}

static void teardown(void)
{
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

static struct {
    struct lock lock;
    struct signal changed;
    int running;
    struct status statuses[64];
    struct letter letters[64];
} group;

static void put_one(void *argument)
{
    size_t i = (size_t)((struct letter *)argument - group.letters);
    struct status s = committer_put(committer, &group.letters[i].envelope, &group.letters[i].body);

    lock_take(&group.lock);
    group.statuses[i] = s;
    group.running--;
    signal_all(&group.changed);
    lock_release(&group.lock);
}

/* All COUNT letters at the same time. */
static void put_together(int count)
{
    int64_t deadline = clock_now() + 50000;

    lock_init(&group.lock);
    signal_init(&group.changed);
    group.running = count;
    for (int i = 0; i < count; i++)
        check(thread_start(put_one, &group.letters[i]));
    lock_take(&group.lock);
    while (group.running > 0 && signal_wait(&group.changed, &group.lock, deadline))
        ;
    check_number(group.running, 0);
    lock_release(&group.lock);
}

static void a_lone_message_is_stored(void)
{
    struct letter l;
    struct status s;

    setup();
    letter_open(&l, place.folder, "a@example.com", 1000);
    s = committer_put(committer, &l.envelope, &l.body);
    check_number(s.code, 250);
    check_number(number_of("SELECT count(*) FROM message JOIN recipient ON message = id"), 1);
    letter_close(&l);
    teardown();
}

static void a_group_is_stored(void)
{
    setup();
    for (int i = 0; i < 64; i++)
        letter_open(&group.letters[i], place.folder, "a@example.com", i % 10 == 0 ? 200000 : 500);
    put_together(64);
    for (int i = 0; i < 64; i++) {
        check_number(group.statuses[i].code, 250);
        letter_close(&group.letters[i]);
    }
    check_number(number_of("SELECT count(*) FROM message"), 64);
    check_number(number_of("SELECT count(DISTINCT message) FROM recipient"), 64);
    teardown();
}

/* One that cannot be stored refuses nobody else, and nobody is stored twice. */
static void a_poisoned_member_stands_alone(void)
{
    setup();
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 30; i++)
            letter_open(&group.letters[i], place.folder, "a@example.com", 500);
        check(letter_put(&q, &group.letters[7])); /* its id is there already */
        put_together(30);
        for (int i = 0; i < 30; i++) {
            if (i == 7)
                check(status_is_temporary(&group.statuses[i]));
            else
                check_number(group.statuses[i].code, 250);
            letter_close(&group.letters[i]);
        }
        check_number(number_of("SELECT count(*) FROM message"), 30 * (round + 1));
    }
    teardown();
}

static void content_that_cannot_be_read_is_not_stored(void)
{
    struct letter l;
    struct status s;

    setup();
    letter_open(&l, place.folder, "a@example.com", BODY_MEMORY_MAX + 100);
    check(l.body.fd >= 0);
    check(ftruncate(l.body.fd, 100) == 0);
    s = committer_put(committer, &l.envelope, &l.body);
    check(status_is_temporary(&s));
    check_number(number_of("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM recipient)"), 0);
    letter_close(&l);
    /* and the next one is. */
    letter_open(&l, place.folder, "a@example.com", 100);
    s = committer_put(committer, &l.envelope, &l.body);
    check_number(s.code, 250);
    letter_close(&l);
    teardown();
}

/* A database without room: the trigger stands for the disk, which says the same to nobody but large messages. */
static void large_messages_that_find_no_room_refuse_no_small_ones(void)
{
    setup();
    check(db_run(q.db, "CREATE TRIGGER t BEFORE INSERT ON message WHEN NEW.size > 1000 BEGIN SELECT RAISE(ABORT, 'no room'); END"));
    for (int i = 0; i < 20; i++)
        letter_open(&group.letters[i], place.folder, "a@example.com", i % 2 == 0 ? 2000 : 500);
    put_together(20);
    for (int i = 0; i < 20; i++) {
        if (i % 2 == 0)
            check(status_is_temporary(&group.statuses[i]));
        else
            check_number(group.statuses[i].code, 250);
        letter_close(&group.letters[i]);
    }
    check_number(number_of("SELECT count(*) FROM message"), 10);
    teardown();
}

static void space_is_left_to_those_who_deliver(void)
{
    struct committer *strict;
    struct status s;

    setup();
    s = committer_check_space(committer, 1000);
    check_number(s.code, 250);
    s = committer_check_space(committer, INT64_MAX / 4);
    check_number(s.code, 452);
    check_number(s.class * 100 + s.subject * 10 + s.detail, 431);
    strict = committer_open(place.folder, INT64_MAX / 4, error, sizeof error);
    if (check(strict != NULL)) {
        s = committer_check_space(strict, 1);
        check_number(s.code, 452);
    }
    teardown();
}

static void bad_folders_say_why(void)
{
    check(committer_open("/nonexistent/folder", 0, error, sizeof error) == NULL);
    check_has(error, "/nonexistent/folder");
}

static const struct test_case cases[] = {
    TEST_CASE(a_lone_message_is_stored),
    TEST_CASE(a_group_is_stored),
    TEST_CASE(a_poisoned_member_stands_alone),
    TEST_CASE(content_that_cannot_be_read_is_not_stored),
    TEST_CASE(large_messages_that_find_no_room_refuse_no_small_ones),
    TEST_CASE(space_is_left_to_those_who_deliver),
    TEST_CASE(bad_folders_say_why),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
