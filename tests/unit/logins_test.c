#include "test.h"

#include "directory/logins.h"

#include "place.h"

#include "base/clock.h"
#include "base/thread.h"
#include "directory/gate.h"
#include "directory/users.h"

#include <stdlib.h>

static struct {
    struct place place;
    char path[256], error[512];
    struct tables *tables;
    struct directory directory;
} world;

static void setup(void)
{
    place_open(&world.place);
    snprintf(world.path, sizeof world.path, "%s", place_path(&world.place, "tmail.db"));
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    if (world.tables == NULL || !directory_open_sql(&world.directory, world.path, world.error, sizeof world.error)) {
        fprintf(stderr, "%s\n", world.error);
        exit(1);
    }
}

static void teardown(void)
{
    directory_close(&world.directory);
    tables_close(&world.tables);
    place_close(&world.place);
}

static void sql(const char *text)
{
    if (!check(db_run(tables_db(world.tables), text)))
        printf("# %s: %s\n", text, db_error(tables_db(world.tables)));
}

static void text_of(const char *text, char *to, size_t size)
{
    struct db_query *q = tables_query(world.tables, text);

    to[0] = '\0';
    if (check(q != NULL) && db_step(q))
        str_copy(db_is_null(q, 0) ? STR("NULL") : db_str(q, 0), to, size);
    check(q != NULL && db_finish(q));
}

static void check_ok(struct status s, const char *what)
{
    if (!check(status_is_ok(&s)))
        printf("# %s: %s\n", what, s.text);
}

static void check_refused(struct status s, const char *part)
{
    check_number(s.code, 550);
    check_has(s.text, part);
}

static struct status add(const char *login, const char *password, bool cram_md5)
{
    return users_add(world.tables, &(struct new_user){.login = str_of(login), .password = str_of(password), .cram_md5 = cram_md5});
}

static struct status update(const char *login, const char *password, bool cram_md5, const bool *active)
{
    const struct str text = str_of(password);

    return users_update(world.tables, str_of(login),
                        &(struct user_update){.password = password != NULL ? &text : NULL, .cram_md5 = cram_md5, .active = active});
}

static enum answer ask(struct str login, struct str password)
{
    return world.directory.check_password(world.directory.self, login, password);
}

static enum answer log_in(const char *login, const char *password)
{
    return ask(str_of(login), str_of(password));
}

static enum answer keys_of(const char *login, struct sasl_keys *keys)
{
    return world.directory.keys(world.directory.self, str_of(login), keys);
}

/* --- passwords --- */

static void the_password_logs_in(void)
{
    setup();
    check_ok(add("joe@example.com", "p\xc3\xa4ssword ", false), "add");
    check_ok(add("word", "other-password", false), "add");
    check_number(log_in("joe@example.com", "p\xc3\xa4ssword "), ANSWER_YES);
    check_number(log_in("JOE@Example.COM", "p\xc3\xa4ssword "), ANSWER_YES);
    check_number(log_in("Word", "other-password"), ANSWER_YES);
    teardown();
}

static void nothing_else_does(void)
{
    static const struct {
        struct str login, password;
    } table[] = {
        {{"joe@example.com", 15}, {"Secret", 6}},
        {{"joe@example.com", 15}, {"secret ", 7}},
        {{"joe@example.com", 15}, {"secret\0", 7}},
        {{"joe@example.com", 15}, {"secret\0x", 8}},
        {{"joe@example.com", 15}, {"", 0}},
        {{"joe@example.com", 15}, {"\0", 1}},
        {{"joe@example.com\0", 16}, {"secret", 6}},
        {{"joe@example.com ", 16}, {"secret", 6}},
        {{"joe%", 4}, {"secret", 6}},
        {{"joe", 3}, {"secret", 6}},
        {{"", 0}, {"secret", 6}},
        {{"' OR 1=1 --", 11}, {"secret", 6}},
        {{"nobody@example.com", 18}, {"secret", 6}},
        {{"nobody@example.com", 18}, {"", 0}},
        {{"empty", 5}, {"", 0}},
        {{"empty", 5}, {"secret", 6}},
        {{"locked", 6}, {"secret", 6}},
        {{"locked", 6}, {"*", 1}},
        {{"long", 4}, {"secret", 6}},
    };
    char hash[PASSWORD_HASH_SIZE], log_in_with_hash[PASSWORD_HASH_SIZE];

    setup();
    check_ok(add("joe@example.com", "secret", false), "add");
    sql("INSERT INTO users (login, passwd) VALUES ('empty', ''), ('locked', '*'), ('long', hex(zeroblob(1000)))");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!check_number(ask(table[i].login, table[i].password), ANSWER_NO))
            printf("# %.*s with %.*s\n", STR_ARG(table[i].login), STR_ARG(table[i].password));
    text_of("SELECT passwd FROM users WHERE login = 'joe@example.com'", hash, sizeof hash);
    snprintf(log_in_with_hash, sizeof log_in_with_hash, "%s", hash);
    check_number(log_in("joe@example.com", log_in_with_hash), ANSWER_NO);
    teardown();
}

static void a_password_without_end_is_none(void)
{
    static char endless[70000];

    setup();
    check_ok(add("joe@example.com", "secret", false), "add");
    memset(endless, 'x', sizeof endless);
    check_number(ask(STR("joe@example.com"), (struct str){endless, sizeof endless}), ANSWER_NO);
    check_number(ask((struct str){endless, sizeof endless}, STR("secret")), ANSWER_NO);
    teardown();
}

static void who_is_not_active_does_not(void)
{
    const bool yes = true, no = false;

    setup();
    check_ok(add("joe@example.com", "secret", true), "add");
    check_ok(update("Joe@example.com", NULL, false, &no), "inactive");
    check_number(log_in("joe@example.com", "secret"), ANSWER_NO);
    check_number(keys_of("joe@example.com", &(struct sasl_keys){0}), ANSWER_NO);
    check_ok(update("joe@example.com", NULL, false, &yes), "active");
    check_number(log_in("joe@example.com", "secret"), ANSWER_YES);
    sql("UPDATE users SET active = NULL");
    check_number(log_in("joe@example.com", "secret"), ANSWER_NO);
    sql("UPDATE users SET active = 'y'"); /* nor is it for Dovecot's query */
    check_number(log_in("joe@example.com", "secret"), ANSWER_NO);
    teardown();
}

static void store_hash(const char *login, const char *hash)
{
    struct db_query *q = tables_query(world.tables, "INSERT INTO users (login, passwd) VALUES (?1, ?2)");

    if (!check(q != NULL))
        return;
    db_bind_str(q, 1, str_of(login));
    db_bind_str(q, 2, str_of(hash));
    check(db_execute(q));
}

/* bcrypt of the earlier tmail, and what people put into the table by hand. */
static void older_hashes_count(void)
{
    char hash[PASSWORD_HASH_SIZE];

    setup();
    check(password_hash(PASSWORD_SHA512_CRYPT, STR("Hello world!"), hash));
    store_hash("sha512", hash);
    store_hash("bcrypt", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"); /* of U*U, as the makers of bcrypt test it */
    check_number(log_in("sha512", "Hello world!"), ANSWER_YES);
    check_number(log_in("sha512", "hello world!"), ANSWER_NO);
    check_number(log_in("bcrypt", "U*U"), ANSWER_YES);
    check_number(log_in("bcrypt", "U*V"), ANSWER_NO);
    teardown();
}

/* The shortest of a few tries, so that other work on the machine does not count. */
static int64_t microseconds_for(const char *login, const char *password)
{
    int64_t best = INT64_MAX;

    for (int i = 0; i < 5; i++) {
        struct timespec before, after;
        int64_t took;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
        check_number(log_in(login, password), ANSWER_NO);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
        took = (int64_t)(after.tv_sec - before.tv_sec) * 1000000 + (after.tv_nsec - before.tv_nsec) / 1000;
        if (took < best)
            best = took;
    }
    return best;
}

static void all_refusals_take_as_long(void)
{
    static const char *const logins[] = {"nobody@example.com", "nobody", "idle@example.com", "empty", "locked", "a b c", ""};
    const bool no = false;
    int64_t wrong;

    setup();
    check_ok(add("joe@example.com", "secret", false), "add");
    check_ok(add("idle@example.com", "secret", false), "add");
    check_ok(update("idle@example.com", NULL, false, &no), "inactive");
    sql("INSERT INTO users (login, passwd) VALUES ('empty', ''), ('locked', '!')");
    wrong = microseconds_for("joe@example.com", "wrong-password");
    check(wrong > 1000);
    for (size_t i = 0; i < sizeof logins / sizeof logins[0]; i++) {
        int64_t took = microseconds_for(logins[i], "secret");

        if (!check(took > wrong / 2 && took < 2 * wrong))
            printf("# %s: %" PRId64 " us, a wrong password %" PRId64 " us\n", logins[i], took, wrong);
    }
    teardown();
}

/* --- keys --- */

static void check_keys(const struct sasl_keys *keys, struct str password)
{
    unsigned char salted[CRYPTO_SHA256], client[CRYPTO_SHA256], stored[CRYPTO_SHA256], state[CRYPTO_MD5_STATE];

    crypto_pbkdf2_sha256(password, (struct str){(const char *)keys->salt, keys->salt_length}, keys->iterations, salted);
    crypto_hmac_sha256((struct str){(char *)salted, sizeof salted}, STR("Client Key"), client);
    crypto_sha256((struct str){(char *)client, sizeof client}, stored);
    check(memcmp(stored, keys->stored_key, sizeof stored) == 0);
    crypto_md5_state(password, state);
    check(!keys->has_cram || memcmp(state, keys->cram, sizeof state) == 0);
}

static void keys_are_kept_with_the_password(void)
{
    struct sasl_keys keys;

    setup();
    check_ok(add("joe@example.com", "secret", true), "add");
    check_number(keys_of("JOE@example.com", &keys), ANSWER_YES);
    check(keys.has_scram && keys.has_cram);
    check_number(keys.iterations, SASL_ITERATIONS);
    check_keys(&keys, STR("secret"));
    check_ok(update("joe@example.com", "better one", true, NULL), "update");
    check_number(keys_of("joe@example.com", &keys), ANSWER_YES);
    check(keys.has_scram && keys.has_cram);
    check_keys(&keys, STR("better one"));
    check_number(keys_of("nobody@example.com", &keys), ANSWER_NO);
    check(!keys.has_scram && !keys.has_cram);
    teardown();
}

static void cram_md5_is_kept_only_when_told(void)
{
    struct sasl_keys keys;
    char text[128];

    setup();
    check_ok(add("joe@example.com", "secret", false), "add");
    text_of("SELECT cram_md5 FROM users", text, sizeof text);
    check_text(text, "NULL");
    check_number(keys_of("joe@example.com", &keys), ANSWER_YES);
    check(keys.has_scram && !keys.has_cram);
    check_ok(update("joe@example.com", "secret", true, NULL), "update");
    text_of("SELECT cram_md5 FROM users", text, sizeof text);
    check_number(strlen(text), 64);
    check_ok(update("joe@example.com", "secret", false, NULL), "update");
    text_of("SELECT cram_md5 FROM users", text, sizeof text);
    check_text(text, "NULL");
    teardown();
}

static void damaged_keys_are_absent(void)
{
    static const char *const texts[] = {"", "x", "SCRAM-SHA-256$0:AAAA$AAAA:AAAA", "SCRAM-SHA-1$4096:AAAA$AAAA:AAAA"};
    struct sasl_keys keys;

    setup();
    check_ok(add("joe@example.com", "secret", true), "add");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[256];

        snprintf(text, sizeof text, "UPDATE users SET scram_sha256 = '%s', cram_md5 = '%s'", texts[i], texts[i]);
        sql(text);
        check_number(keys_of("joe@example.com", &keys), ANSWER_YES);
        check(!keys.has_scram && !keys.has_cram);
        check_number(log_in("joe@example.com", "secret"), ANSWER_YES);
    }
    sql("UPDATE users SET scram_sha256 = NULL, cram_md5 = NULL");
    check_number(keys_of("joe@example.com", &keys), ANSWER_YES);
    check(!keys.has_scram && !keys.has_cram);
    teardown();
}

/* --- users --- */

static void users_are_told(void)
{
    struct user user;
    const bool no = false;

    setup();
    check_ok(users_add(world.tables, &(struct new_user){.login = STR("relay"), .password = STR("secret"), .relay = true}), "add");
    check_ok(add("other", "secret", false), "add");
    check_number(world.directory.user(world.directory.self, STR("Relay"), &user), ANSWER_YES);
    check(user.relay && user.active);
    check_ok(update("other", NULL, false, &no), "inactive");
    check_number(world.directory.user(world.directory.self, STR("other"), &user), ANSWER_YES);
    check(!user.relay && !user.active);
    check_number(world.directory.user(world.directory.self, STR("nobody"), &user), ANSWER_NO);
    check(!user.relay && !user.active);
    teardown();
}

static void passwords_that_sasl_prohibits_are_refused(void)
{
    static const char *const bad[] = {"secret\xff", "secret\xc3", "secret\xee\x80\x80", "secret\xe2\x80\xae", "secret\xd8\xa7"};

    setup();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        check_refused(add("joe@example.com", bad[i], false), "RFC 4013");
    check_ok(add("joe@example.com", "secret", false), "add");
    check_refused(update("joe@example.com", bad[0], false, NULL), "RFC 4013");
    check_number(log_in("joe@example.com", "secret"), ANSWER_YES);
    teardown();
}

static void an_update_is_all_or_nothing(void)
{
    const bool no = false;
    struct user user;

    setup();
    check_ok(add("joe@example.com", "secret", false), "add");
    check_refused(update("joe@example.com", "short", false, &no), "too short");
    check_number(world.directory.user(world.directory.self, STR("joe@example.com"), &user), ANSWER_YES);
    check(user.active);
    sql("CREATE TRIGGER t BEFORE UPDATE OF active ON users BEGIN SELECT raise(ABORT, 'full'); END");
    check_number(update("joe@example.com", "better one", false, &no).code, 451);
    check_number(log_in("joe@example.com", "secret"), ANSWER_YES);
    sql("DROP TRIGGER t");
    check_ok(update("joe@example.com", "better one", false, &no), "both");
    check_number(world.directory.user(world.directory.self, STR("joe@example.com"), &user), ANSWER_YES);
    check(!user.active);
    check_refused(update("nobody", NULL, false, &no), "user nobody does not exist");
    check_refused(update("nobody", "better one", false, NULL), "user nobody does not exist");
    teardown();
}

static void note_row(void *context, const struct user_row *r)
{
    buf_print(context, "%.*s %d%d%d ", STR_ARG(r->login), r->active, r->scram, r->cram_md5);
}

static void listings_say_what_can_be_used(void)
{
    const bool no = false;
    struct buf b = {0};

    setup();
    check_ok(add("both", "secret", true), "add");
    check_ok(add("scram", "secret", false), "add");
    sql("INSERT INTO users (login, passwd) VALUES ('none', 'x')");
    check_ok(update("none", NULL, false, &no), "inactive");
    check_ok(users_list(world.tables, note_row, &b), "list");
    check_text(buf_text(&b), "both 111 none 000 scram 110 ");
    buf_done(&b);
    teardown();
}

static void the_file_holds_no_password(void)
{
    static const char *const tails[] = {"", "-wal"};

    setup();
    check_ok(add("joe@example.com", "a-password-to-look-for", true), "add");
    check_ok(update("joe@example.com", "a-password-to-find", true, NULL), "update");
    for (size_t i = 0; i < 2; i++) {
        static char bytes[1 << 20];
        char path[300];
        FILE *f;
        size_t length;

        snprintf(path, sizeof path, "%s%s", world.path, tails[i]);
        f = fopen(path, "r");
        length = f != NULL ? fread(bytes, 1, sizeof bytes, f) : 0;
        check(length > 0 && length < sizeof bytes);
        check(memmem(bytes, length, "a-password-to", 13) == NULL);
        if (f != NULL)
            fclose(f);
    }
    teardown();
}

/* --- failures and crowds --- */

static void a_lookup_that_failed_is_no_answer(void)
{
    struct sasl_keys keys;
    struct user user;

    setup();
    check_ok(add("joe@example.com", "secret", true), "add");
    sql("ALTER TABLE users RENAME TO lost");
    check_number(log_in("joe@example.com", "secret"), ANSWER_FAILED);
    check_number(log_in("nobody@example.com", "secret"), ANSWER_FAILED);
    check_number(keys_of("joe@example.com", &keys), ANSWER_FAILED);
    check_number(world.directory.user(world.directory.self, STR("joe@example.com"), &user), ANSWER_FAILED);
    check_number(world.directory.may_send_as(world.directory.self, STR("word"), STR("a@b.example")), ANSWER_NO);
    sql("ALTER TABLE user_senders RENAME TO lost2");
    check_number(world.directory.may_send_as(world.directory.self, STR("word"), STR("a@b.example")), ANSWER_FAILED);
    sql("ALTER TABLE lost RENAME TO users");
    check_number(log_in("joe@example.com", "secret"), ANSWER_YES);
    teardown();
}

static struct {
    struct lock lock;
    struct signal done;
    struct gate gate;
    int left, inside, most, refused;
} crowd;

static void start_crowd(int count, void (*body)(void *))
{
    lock_init(&crowd.lock);
    signal_init(&crowd.done);
    crowd.left = count;
    crowd.inside = crowd.most = crowd.refused = 0;
    for (int i = 0; i < count; i++)
        check(thread_start(body, NULL));
}

static void leave_crowd(void)
{
    lock_take(&crowd.lock);
    crowd.left--;
    signal_all(&crowd.done);
    lock_release(&crowd.lock);
}

static void await_crowd(void)
{
    lock_take(&crowd.lock);
    while (crowd.left > 0)
        signal_wait(&crowd.done, &crowd.lock, CLOCK_NEVER);
    lock_release(&crowd.lock);
    signal_done(&crowd.done);
    lock_done(&crowd.lock);
}

static void pass_gate(void *unused)
{
    const struct timespec nap = {.tv_nsec = 2000000};

    (void)unused;
    if (gate_enter(&crowd.gate)) {
        lock_take(&crowd.lock);
        if (++crowd.inside > crowd.most)
            crowd.most = crowd.inside;
        lock_release(&crowd.lock);
        nanosleep(&nap, NULL);
        lock_take(&crowd.lock);
        crowd.inside--;
        lock_release(&crowd.lock);
        gate_leave(&crowd.gate);
    } else {
        lock_take(&crowd.lock);
        crowd.refused++;
        lock_release(&crowd.lock);
    }
    leave_crowd();
}

static void a_gate_lets_in_so_many(void)
{
    gate_init(&crowd.gate, 4, 60000);
    start_crowd(40, pass_gate);
    await_crowd();
    check_number(crowd.most, 4);
    check_number(crowd.refused, 0);
    gate_done(&crowd.gate);
}

static void a_gate_is_waited_for_so_long(void)
{
    int64_t before = clock_now();
    struct gate gate;

    gate_init(&gate, 1, 50);
    check(gate_enter(&gate));
    check(clock_now() - before < 50);
    before = clock_now();
    check(!gate_enter(&gate));
    check(clock_now() - before >= 50);
    gate_leave(&gate);
    check(gate_enter(&gate));
    gate_done(&gate);
}

static void log_in_wrongly(void *unused)
{
    (void)unused;
    if (log_in("joe@example.com", "wrong-password") != ANSWER_NO) {
        lock_take(&crowd.lock);
        crowd.refused++;
        lock_release(&crowd.lock);
    }
    leave_crowd();
}

static bool crowd_is_left(void)
{
    bool left;

    lock_take(&crowd.lock);
    left = crowd.left > 0;
    lock_release(&crowd.lock);
    return left;
}

/* More of them than there are connections: were those held while hashing, other questions would wait for most of the time. */
static void other_questions_do_not_wait_for_hashes(void)
{
    const struct timespec nap = {.tv_nsec = 5000000};
    int64_t began, longest = 0;

    setup();
    check_ok(add("joe@example.com", "secret", false), "add");
    began = clock_now();
    start_crowd(60, log_in_wrongly);
    while (crowd_is_left()) {
        struct rcpthost host;
        int64_t before = clock_now();

        check_number(world.directory.rcpthost(world.directory.self, STR("example.com"), &host), ANSWER_NO);
        if (clock_now() - before > longest)
            longest = clock_now() - before;
        nanosleep(&nap, NULL);
    }
    await_crowd();
    check_number(crowd.refused, 0);
    if (!check(longest < (clock_now() - began) / 4 + 20))
        printf("# a question took %" PRId64 " ms of %" PRId64 "\n", longest, clock_now() - began);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(the_password_logs_in),
    TEST_CASE(nothing_else_does),
    TEST_CASE(a_password_without_end_is_none),
    TEST_CASE(who_is_not_active_does_not),
    TEST_CASE(older_hashes_count),
    TEST_CASE(all_refusals_take_as_long),
    TEST_CASE(keys_are_kept_with_the_password),
    TEST_CASE(cram_md5_is_kept_only_when_told),
    TEST_CASE(damaged_keys_are_absent),
    TEST_CASE(users_are_told),
    TEST_CASE(passwords_that_sasl_prohibits_are_refused),
    TEST_CASE(an_update_is_all_or_nothing),
    TEST_CASE(listings_say_what_can_be_used),
    TEST_CASE(the_file_holds_no_password),
    TEST_CASE(a_lookup_that_failed_is_no_answer),
    TEST_CASE(a_gate_lets_in_so_many),
    TEST_CASE(a_gate_is_waited_for_so_long),
    TEST_CASE(other_questions_do_not_wait_for_hashes),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
