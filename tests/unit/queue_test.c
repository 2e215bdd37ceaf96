#include "test.h"

#include "queue/queue.h"
#include "queue/schema.h"

#include "letter.h"
#include "place.h"

#include <sys/stat.h>
#include <sys/wait.h>

static struct place place;
static struct queue q;
static char error[512];

static void setup(void)
{
    place_open(&place);
    if (!check(queue_open(&q, place.folder, error, sizeof error)))
        printf("# %s\n", error);
}

static void teardown(void)
{
    queue_close(&q);
    place_close(&place);
}

static int64_t number_of(struct queue *queue, const char *sql)
{
    struct db_query *query = db_prepare(queue->db, sql);
    int64_t value = -1;

    if (check(query != NULL) && db_step(query))
        value = db_int(query, 0);
    if (query != NULL)
        check(db_finish(query));
    return value;
}

static void check_content(struct queue *queue, int64_t id, int64_t size)
{
    struct body back;
    struct status why = {0};
    char scratch[BODY_PIECE];
    int64_t offset = 0;
    bool same = true;
    struct str piece;

    body_init(&back, place.folder);
    check(queue_read_content(queue, id, &back, &why));
    check_number(back.size, size);
    while ((piece = body_piece(&back, offset, scratch)).length > 0) {
        for (size_t i = 0; i < piece.length; i++)
            same = same && piece.data[i] == letter_octet(offset + (int64_t)i);
        offset += (int64_t)piece.length;
    }
    check(same);
    check_number(offset, size);
    body_done(&back);
}

static void what_is_put_is_there_to_the_octet(void)
{
    static const int64_t sizes[] = {0, 1, BODY_PIECE, BODY_MEMORY_MAX, BODY_MEMORY_MAX + 1, 3 * BODY_PIECE, 3000017};

    setup();
    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        struct letter l;
        struct queue other;

        letter_open(&l, place.folder, "a@example.com", sizes[i]);
        check(letter_put(&q, &l));
        check_content(&q, l.envelope.id, sizes[i]);
        /* Another connection sees it too, the moment that it was committed. */
        check(queue_open(&other, place.folder, error, sizeof error));
        check_content(&other, l.envelope.id, sizes[i]);
        queue_close(&other);
        letter_close(&l);
    }
    teardown();
}

static void envelopes_are_columns(void)
{
    struct letter l;
    struct db_query *query;
    struct path path;
    const struct rcpt_params params = {.notify = NOTIFY_DELAY | NOTIFY_FAILURE, .orcpt = STR("rfc822;x+2Bx")};

    setup();
    letter_open(&l, place.folder, "\"o'neil; \\\" x\"@example.com", 10);
    check_number(path_parse_address(&path, STR("b@B\xc3\x9c" "cher.example"), &l.arena), PATH_OK);
    check(envelope_add(&l.envelope, &path, &params));
    l.envelope.sender = STR("");
    l.envelope.sender_host = STR("");
    l.envelope.helo = STR("it's \"me\"\xff\0!");
    l.envelope.body = BODY_8BITMIME;
    l.envelope.smtputf8 = true;
    l.envelope.ret = RET_HDRS;
    l.envelope.envid = STR("env+3D");
    check(letter_put(&q, &l));
    query = db_prepare(q.db, "SELECT id, session, arrived, sender, client, helo, body, smtputf8, ret, envid, size, user FROM message");
    if (check(db_step(query))) {
        check_number(db_int(query, 0), l.envelope.id);
        check_str(db_str(query, 1), STR("0123456789abcdef"));
        check_number(db_int(query, 2), l.envelope.arrived);
        check_number(db_str(query, 3).length, 0);
        check(!db_is_null(query, 3));
        check_str(db_str(query, 4), STR("192.0.2.1"));
        check_str(db_str(query, 5), STR("it's \"me\"\xff\0!"));
        check_number(db_int(query, 6), 1);
        check_number(db_int(query, 7), 1);
        check_number(db_int(query, 8), 2);
        check_str(db_str(query, 9), STR("env+3D"));
        check_number(db_int(query, 10), 10);
        check(db_is_null(query, 11));
        check(!db_step(query));
    }
    check(db_finish(query));
    query = db_prepare(q.db, "SELECT number, address, domain, notify, orcpt, state, due, attempts, crashes FROM recipient ORDER BY number");
    if (check(db_step(query))) {
        check_number(db_int(query, 0), 1);
        check_str(db_str(query, 1), STR("\"o'neil; \\\" x\"@example.com"));
        check_str(db_str(query, 2), STR("example.com"));
        check_number(db_int(query, 3), 0);
        check(db_is_null(query, 4));
        check_number(db_int(query, 5), RECIPIENT_SCHEDULED);
        check(db_int(query, 6) <= clock_wall());
        check_number(db_int(query, 7), 0);
        check_number(db_int(query, 8), 0);
    }
    if (check(db_step(query))) {
        check_number(db_int(query, 0), 2);
        check_str(db_str(query, 2), STR("xn--bcher-kva.example"));
        check_number(db_int(query, 3), NOTIFY_DELAY | NOTIFY_FAILURE);
        check_str(db_str(query, 4), STR("rfc822;x+2Bx"));
        check(!db_step(query));
    }
    check(db_finish(query));
    letter_close(&l);
    teardown();
}

static void rolled_back_is_not_there(void)
{
    struct letter l;
    struct body back;
    struct status why = {0};

    setup();
    letter_open(&l, place.folder, "a@example.com", 500000);
    check(queue_begin(&q));
    check(queue_put(&q, &l.envelope, &l.body));
    queue_rollback(&q);
    queue_rollback(&q); /* there is nothing left to roll back */
    check_number(number_of(&q, "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM recipient)"), 0);
    body_init(&back, place.folder);
    check(!queue_read_content(&q, l.envelope.id, &back, &why));
    check(status_is_temporary(&why));
    body_done(&back);
    check(letter_put(&q, &l));
    check_number(number_of(&q, "SELECT count(*) FROM message"), 1);
    /* The same id again fails whole. */
    check(queue_begin(&q));
    check(!queue_put(&q, &l.envelope, &l.body));
    queue_rollback(&q);
    check_number(number_of(&q, "SELECT count(*) FROM recipient"), 1);
    letter_close(&l);
    teardown();
}

/* All recipients or none: the second one's row cannot be written. */
static void a_message_goes_in_whole_or_not_at_all(void)
{
    struct letter l;

    setup();
    check(db_run(q.db, "CREATE TRIGGER t BEFORE INSERT ON recipient WHEN NEW.number = 2 BEGIN SELECT RAISE(ABORT, 'no'); END"));
    letter_open(&l, place.folder, "a@example.com", 10);
    letter_recipient(&l, "b@example.com");
    check(!letter_put(&q, &l));
    check_number(number_of(&q, "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM recipient)"), 0);
    letter_close(&l);
    teardown();
}

static void a_full_disk_refuses_and_later_takes(void)
{
    struct letter large, small;
    struct status s;

    setup();
    check(number_of(&q, "PRAGMA max_page_count=60") == 60);
    letter_open(&large, place.folder, "a@example.com", 1000000);
    letter_open(&small, place.folder, "a@example.com", 1000);
    check(!letter_put(&q, &large));
    s = db_status(q.db);
    check_number(s.code, 452);
    check(letter_put(&q, &small));
    check_number(number_of(&q, "SELECT count(*) FROM message"), 1);
    check(number_of(&q, "PRAGMA max_page_count=100000") == 100000);
    check(letter_put(&q, &large));
    check_content(&q, large.envelope.id, 1000000);
    letter_close(&large);
    letter_close(&small);
    teardown();
}

/* A child of its own starts in a process of its own: no connection of ours, which SQLite would forbid to share. */
static pid_t start(void (*work)(int tell), int *told)
{
    int tell[2];
    pid_t pid;

    if (pipe(tell) != 0)
        abort();
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        work(tell[1]);
        _exit(test_failed() ? 1 : 0);
    }
    close(tell[1]);
    *told = tell[0];
    return pid;
}

static bool ended_well(pid_t pid, int told)
{
    int status = -1;

    close(told);
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

enum { EACH = 100 };

static bool put_many(struct queue *to, int64_t process)
{
    bool ok = true;

    for (int i = 0; i < EACH && ok; i++) {
        struct letter l;

        letter_open(&l, place.folder, "a@example.com", 3000);
        l.envelope.id ^= process << 10; /* the bits of an id that are the process's own came along with the fork */
        ok = letter_put(to, &l);
        letter_close(&l);
    }
    return ok;
}

static void write_beside(int tell)
{
    struct queue other;

    check(queue_open(&other, place.folder, error, sizeof error));
    (void)!write(tell, "x", 1);
    check(put_many(&other, 1));
    queue_close(&other);
}

/* Two processes write at the same time; everything arrives. */
static void two_writers(void)
{
    int told;
    pid_t pid;
    char byte;

    place_open(&place);
    pid = start(write_beside, &told);
    check(read(told, &byte, 1) == 1);
    check(queue_open(&q, place.folder, error, sizeof error));
    check(put_many(&q, 0));
    check(ended_well(pid, told));
    check_number(number_of(&q, "SELECT count(*) FROM message"), 2 * EACH);
    check_number(number_of(&q, "SELECT count(*) FROM recipient"), 2 * EACH);
    teardown();
}

static void hold_the_turn(int tell)
{
    struct queue other;

    check(queue_open(&other, place.folder, error, sizeof error) && queue_begin(&other));
    (void)!write(tell, "x", 1);
    poll(NULL, 0, DB_BUSY_MS + 4000);
}

/* A process that sleeps with the turn in its hand (Ctrl-Z on a command) must not stop mail for good: "at most DB_BUSY_MS". */
static void a_sleeping_writer_is_not_waited_for_without_end(void)
{
    int64_t before;
    int told;
    char byte;
    pid_t pid;

    place_open(&place);
    pid = start(hold_the_turn, &told);
    check(read(told, &byte, 1) == 1);
    before = clock_now();
    if (queue_open(&q, place.folder, error, sizeof error) && queue_begin(&q))
        queue_rollback(&q);
    check(clock_now() - before < DB_BUSY_MS + 2000);
    check(ended_well(pid, told));
    teardown();
}

static void files_are_the_owners_own(void)
{
    struct stat facts;

    setup();
    check(stat(place_path(&place, "queue.db"), &facts) == 0 && (facts.st_mode & 0077) == 0);
    check_number(number_of(&q, "PRAGMA user_version"), QUEUE_SCHEMA_VERSION);
    check_number(number_of(&q, "PRAGMA synchronous"), 2);
    teardown();
}

/* The tables as version 2 had them; version 1 lacked `tls`. */
static const char old_tables[] =
    "PRAGMA user_version=2;"
    "CREATE TABLE message (id INTEGER PRIMARY KEY, session TEXT NOT NULL, arrived INTEGER NOT NULL, sender TEXT NOT NULL, sender_host TEXT NOT NULL,"
    "  user TEXT, client TEXT NOT NULL, helo TEXT NOT NULL, body INTEGER NOT NULL, smtputf8 INTEGER NOT NULL, ret INTEGER NOT NULL, envid TEXT,"
    "  size INTEGER NOT NULL, content BLOB NOT NULL);"
    "CREATE TABLE recipient (message INTEGER NOT NULL, number INTEGER NOT NULL, address TEXT NOT NULL, domain TEXT NOT NULL, notify INTEGER NOT NULL,"
    "  orcpt TEXT, state INTEGER NOT NULL, due INTEGER NOT NULL, flushed INTEGER, attempts INTEGER NOT NULL, crashes INTEGER NOT NULL, owner INTEGER,"
    "  tried INTEGER, host TEXT, code INTEGER, enhanced TEXT, reason TEXT, PRIMARY KEY (message, number)) WITHOUT ROWID;"
    "CREATE INDEX recipient_due ON recipient (domain, due) WHERE state = 1;"
    "CREATE VIEW queue_list AS SELECT m.id FROM message m JOIN recipient r ON r.message = m.id;"
    "INSERT INTO message VALUES (7, 'session', 1, 's@x.example', 'x.example', NULL, '192.0.2.1', 'helo', 1, 0, 2, 'e1', 5, x'6162630d0a');"
    "INSERT INTO recipient VALUES (7, 1, 'r@a.example', 'a.example', 6, 'rfc822;r', 1, 2, NULL, 3, 0, NULL, 4, 'host', 451, '4.4.1', 'why');";

static void older_queues_are_brought_up(void)
{
    for (int version = 1; version < QUEUE_SCHEMA_VERSION; version++) {
        struct db *db;

        place_open(&place);
        db = db_open(place_path(&place, "queue.db"), DB_CREATE, 100, error, sizeof error);
        check(db_run(db, old_tables));
        check(db_run(db, version == 1 ? "PRAGMA user_version=1" : "ALTER TABLE recipient ADD COLUMN tls TEXT"));
        db_close(&db);
        if (check(queue_open(&q, place.folder, error, sizeof error))) {
            check_number(number_of(&q, "PRAGMA user_version"), QUEUE_SCHEMA_VERSION);
            check_number(number_of(&q, "SELECT count(*) FROM message WHERE id = 7 AND session = 'session' AND body = 1 AND ret = 2 AND envid = 'e1' AND "
                                       "kind = 0 AND content = x'6162630d0a'"),
                         1);
            check_number(number_of(&q, "SELECT count(*) FROM recipient WHERE message = 7 AND notify = 6 AND orcpt = 'rfc822;r' AND state = 1 AND due = 2 AND "
                                       "attempts = 3 AND tried = 4 AND host = 'host' AND code = 451 AND reason = 'why' AND wish = 0 AND warn = 0"),
                         1);
            check_number(number_of(&q, "SELECT count(*) FROM queue_list WHERE status = 'scheduled'"), 1);
            check_number(number_of(&q, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'old%'"), 0);
        }
        teardown();
    }
}

static void queues_that_cannot_be_opened_say_why(void)
{
    FILE *file;

    check(!queue_open(&q, "/nonexistent/folder", error, sizeof error));
    check_has(error, "/nonexistent/folder");
    setup();
    check(db_run(q.db, "PRAGMA user_version=999"));
    queue_close(&q);
    check(!queue_open(&q, place.folder, error, sizeof error));
    check_has(error, "newer tmail");
    place_close(&place);
    place_open(&place);
    file = fopen(place_path(&place, "queue.db"), "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database\n", file);
    fclose(file);
    check(!queue_open(&q, place.folder, error, sizeof error));
    check_has(error, "queue.db");
    place_close(&place);
}

static void the_view_is_for_people(void)
{
    struct letter l;
    struct db_query *query;
    char id[QUEUE_ID_SIZE];

    setup();
    letter_open(&l, place.folder, "a@example.com", 77);
    check(letter_put(&q, &l));
    queue_id_text(l.envelope.id, id);
    query = db_prepare(q.db, "SELECT id, sender, recipient, status, size FROM queue_list");
    if (check(query != NULL) && check(db_step(query))) {
        check_str(db_str(query, 0), str_of(id));
        check_str(db_str(query, 1), STR("sender@example.org"));
        check_str(db_str(query, 2), STR("a@example.com"));
        check_str(db_str(query, 3), str_of(recipient_state_name(RECIPIENT_SCHEDULED)));
        check_number(db_int(query, 4), 77);
    }
    check(db_finish(query));
    check_text(recipient_state_name(RECIPIENT_HELD), "held");
    check(recipient_state_name((enum recipient_state)0) != NULL && recipient_state_name((enum recipient_state)99) != NULL);
    letter_close(&l);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(what_is_put_is_there_to_the_octet),
    TEST_CASE(envelopes_are_columns),
    TEST_CASE(rolled_back_is_not_there),
    TEST_CASE(a_message_goes_in_whole_or_not_at_all),
    TEST_CASE(a_full_disk_refuses_and_later_takes),
    TEST_CASE(two_writers),
    TEST_CASE(a_sleeping_writer_is_not_waited_for_without_end),
    TEST_CASE(files_are_the_owners_own),
    TEST_CASE(older_queues_are_brought_up),
    TEST_CASE(queues_that_cannot_be_opened_say_why),
    TEST_CASE(the_view_is_for_people),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
