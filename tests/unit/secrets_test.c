#include "test.h"

#include "directory/secrets.h"

#include "place.h"

#include "base/thread.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct {
    struct place place;
    char path[256], error[SECRETS_ERROR_SIZE];
    struct secrets *secrets;
    struct buf sealed, opened;
} world;

static void setup(void)
{
    place_open(&world.place);
    snprintf(world.path, sizeof world.path, "%s", place_path(&world.place, "secret.key"));
    world.secrets = secrets_new(world.path);
}

static void teardown(void)
{
    secrets_free(&world.secrets);
    buf_done(&world.sealed);
    buf_done(&world.opened);
    place_close(&world.place);
}

/* As another process would begin. */
static void begin_anew(void)
{
    secrets_free(&world.secrets);
    world.secrets = secrets_new(world.path);
}

static bool seal(const char *context, const char *plain)
{
    buf_clear(&world.sealed);
    world.error[0] = '\0';
    return secrets_seal(world.secrets, str_of(context), str_of(plain), &world.sealed, world.error, sizeof world.error);
}

static bool open_text(const char *context, struct str stored)
{
    buf_clear(&world.opened);
    world.error[0] = '\0';
    return secrets_open(world.secrets, str_of(context), stored, &world.opened, world.error, sizeof world.error);
}

static bool opens(const char *context)
{
    return open_text(context, buf_str(&world.sealed));
}

static void write_key(const char *text)
{
    FILE *f = fopen(world.path, "w");

    if (check(f != NULL)) {
        fputs(text, f);
        fclose(f);
        chmod(world.path, 0600);
    }
}

static int files_in_folder(void)
{
    DIR *d = opendir(world.place.folder);
    int count = 0;

    while (d != NULL && readdir(d) != NULL)
        count++;
    if (d != NULL)
        closedir(d);
    return count - 2;
}

static void key_is_made_for_the_first_secret(void)
{
    char text[128] = "";
    struct stat st;
    mode_t mask;
    FILE *f;

    setup();
    check(open_text("c", STR("plain")));
    check(!open_text("c", STR("{sealed}AAAA")));
    check_number(files_in_folder(), 0);
    mask = umask(0);
    check(seal("c", "secret"));
    umask(mask);
    check_number(files_in_folder(), 1);
    check(stat(world.path, &st) == 0);
    check_number(st.st_mode & 07777, 0600);
    check_number(st.st_size, 65);
    f = fopen(world.path, "r");
    check(f != NULL && fgets(text, sizeof text, f) != NULL);
    check_number(strspn(text, "0123456789abcdef"), 64);
    check_text(text + 64, "\n");
    if (f != NULL)
        fclose(f);
    teardown();
}

static void what_was_sealed_opens_again(void)
{
    setup();
    check(seal("route a me", "p\xc3\xa4ss word"));
    check(secrets_is_sealed(buf_str(&world.sealed)));
    check(strstr(buf_text(&world.sealed), "word") == NULL);
    check(opens("route a me"));
    check_text(buf_text(&world.opened), "p\xc3\xa4ss word");
    begin_anew();
    check(opens("route a me"));
    check_text(buf_text(&world.opened), "p\xc3\xa4ss word");
    check(seal("c", ""));
    check(opens("c"));
    check_number(world.opened.length, 0);
    check(seal("c", "{sealed}x"));
    check(opens("c"));
    check_text(buf_text(&world.opened), "{sealed}x");
    teardown();
}

static void results_are_appended(void)
{
    setup();
    buf_add_text(&world.opened, "before ");
    check(secrets_open(world.secrets, STR("c"), STR("plain"), &world.opened, world.error, sizeof world.error));
    check_text(buf_text(&world.opened), "before plain");
    check(seal("c", "secret"));
    check(secrets_open(world.secrets, STR("c"), buf_str(&world.sealed), &world.opened, world.error, sizeof world.error));
    check_text(buf_text(&world.opened), "before plainsecret");
    teardown();
}

static void equal_secrets_do_not_look_equal(void)
{
    struct buf first = {0};

    setup();
    check(seal("c", "secret"));
    buf_add(&first, buf_str(&world.sealed));
    check(seal("c", "secret"));
    check(strcmp(buf_text(&first), buf_text(&world.sealed)) != 0);
    buf_done(&first);
    teardown();
}

static void another_row_opens_nothing(void)
{
    setup();
    check(seal("route a me", "secret"));
    check(!opens("route b me"));
    check_has(world.error, world.path);
    check_has(world.error, "for another row");
    check_number(world.opened.length, 0);
    check(opens("route a me"));
    teardown();
}

static void no_two_routes_have_one_context(void)
{
    struct buf a = {0}, b = {0};

    secrets_route_context(STR("host"), STR("x me"), &a);
    secrets_route_context(STR("hostx"), STR("me"), &b);
    check(strcmp(buf_text(&a), buf_text(&b)) != 0);
    buf_clear(&b);
    secrets_route_context(STR("host"), STR("X me"), &b);
    check(strcmp(buf_text(&a), buf_text(&b)) != 0);
    buf_done(&a);
    buf_done(&b);
}

static void damaged_secrets_do_not_open(void)
{
    static const char *const damaged[] = {"{sealed}", "{sealed}=", "{sealed}!", "{sealed}AAAA",
                                          "{sealed}AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    size_t prefix = sizeof "{sealed}" - 1;

    setup();
    check(seal("c", "secret"));
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++)
        check(!open_text("c", str_of(damaged[i])));
    for (size_t i = prefix; i + 4 < world.sealed.length; i++) {
        char before = world.sealed.data[i];

        world.sealed.data[i] = before == 'A' ? 'B' : 'A';
        check(!opens("c"));
        world.sealed.data[i] = before;
    }
    for (size_t length = prefix; length < world.sealed.length; length++)
        check(!open_text("c", str_part(buf_str(&world.sealed), 0, length)));
    check(opens("c"));
    teardown();
}

static void plain_text_needs_no_key(void)
{
    static const char *const texts[] = {"secret", "", "sealed", "{sealed", "{SEALED}AAAA", " {sealed}AAAA"};

    setup();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        check(!secrets_is_sealed(str_of(texts[i])));
        check(open_text("c", str_of(texts[i])));
        check_text(buf_text(&world.opened), texts[i]);
    }
    check_number(files_in_folder(), 0);
    teardown();
}

static void a_key_that_others_may_read_is_refused(void)
{
    static const mode_t modes[] = {0640, 0604, 0644, 0660, 0602, 0700, 0610, 0666, 0601};
    char advice[300];

    setup();
    check(seal("c", "secret"));
    snprintf(advice, sizeof advice, "chmod 600 %s", world.path);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        begin_anew();
        chmod(world.path, modes[i]);
        check(!opens("c"));
        check_has(world.error, advice);
        check(!seal("d", "other"));
        check_has(world.error, advice);
        chmod(world.path, 0600);
        check(seal("c", "secret"));
    }
    begin_anew();
    chmod(world.path, 0400);
    check(opens("c"));
    teardown();
}

static void what_is_no_key_is_refused(void)
{
    static const char *const texts[] = {
        "", "\n", "0123", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg\n",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0\n",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n\n",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n0123456789abcdef0123456789abcdef0123456789abcdef",
    };

    setup();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_key(texts[i]);
        check(!seal("c", "secret"));
        check_has(world.error, "it is no key");
        check_number(world.sealed.length, 0);
    }
    write_key("0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef");
    check(seal("c", "secret"));
    begin_anew();
    unlink(world.path);
    mkdir(world.path, 0700);
    check(!seal("c", "secret"));
    check_has(world.error, "must be a file");
    teardown();
}

static void a_lost_key_is_told_and_not_made_anew(void)
{
    setup();
    check(seal("c", "secret"));
    begin_anew();
    unlink(world.path);
    check(!opens("c"));
    check_has(world.error, world.path);
    check_has(world.error, "missing");
    check_number(files_in_folder(), 0);
    teardown();
}

static void a_key_that_was_put_back_is_seen(void)
{
    char saved[300];

    setup();
    check(seal("c", "secret"));
    snprintf(saved, sizeof saved, "%s.saved", world.path);
    check(rename(world.path, saved) == 0);
    begin_anew();
    check(!opens("c"));
    write_key("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n");
    check(!opens("c"));
    check_has(world.error, "not sealed with this key");
    check(rename(saved, world.path) == 0);
    check(opens("c"));
    check_text(buf_text(&world.opened), "secret");
    teardown();
}

static void a_missing_folder_is_told(void)
{
    setup();
    secrets_free(&world.secrets);
    world.secrets = secrets_new("/nowhere/at/all/secret.key");
    check(!seal("c", "secret"));
    check_has(world.error, "/nowhere/at/all/secret.key");
    check_has(world.error, "No such file or directory");
    check_number(world.sealed.length, 0);
    teardown();
}

enum { MANY = 8 };

/* A process that needs the key at the same time as others; what it sealed is in the file NAME. */
static void seal_into(const char *name)
{
    FILE *f = fopen(name, "w");
    bool ok = f != NULL && seal("c", "secret") && fputs(buf_text(&world.sealed), f) >= 0 && fclose(f) == 0;

    if (!ok)
        fprintf(stderr, "# %s\n", world.error);
    _exit(ok ? 0 : 1);
}

static void read_sealed(const char *name)
{
    FILE *f = fopen(name, "r");
    char line[512] = "";

    buf_clear(&world.sealed);
    if (check(f != NULL && fgets(line, sizeof line, f) != NULL))
        buf_add_text(&world.sealed, line);
    if (f != NULL)
        fclose(f);
}

static void processes_agree_on_one_key(void)
{
    for (int round = 0; round < 20; round++) {
        char names[MANY][160];
        pid_t pids[MANY];

        setup();
        for (int i = 0; i < MANY; i++) {
            snprintf(names[i], sizeof names[i], "%s/%d", world.place.folder, i);
            pids[i] = fork();
            if (pids[i] == 0)
                seal_into(names[i]);
        }
        for (int i = 0; i < MANY; i++) {
            int state;

            check(waitpid(pids[i], &state, 0) == pids[i] && state == 0);
            read_sealed(names[i]);
            check(opens("c"));
        }
        check_number(files_in_folder(), MANY + 1);
        teardown();
    }
}

static struct {
    struct lock lock;
    struct signal done;
    int left, failed;
} crowd;

static void seal_and_open(void *unused)
{
    struct buf sealed = {0}, opened = {0};
    char error[SECRETS_ERROR_SIZE];
    bool ok = true;

    (void)unused;
    for (int i = 0; ok && i < 50; i++) {
        buf_clear(&sealed);
        buf_clear(&opened);
        ok = secrets_seal(world.secrets, STR("c"), STR("secret"), &sealed, error, sizeof error) &&
             secrets_open(world.secrets, STR("c"), buf_str(&sealed), &opened, error, sizeof error) && opened.length == 6;
    }
    buf_done(&sealed);
    buf_done(&opened);
    lock_take(&crowd.lock);
    crowd.failed += !ok;
    crowd.left--;
    signal_all(&crowd.done);
    lock_release(&crowd.lock);
}

static void threads_share_one(void)
{
    setup();
    lock_init(&crowd.lock);
    signal_init(&crowd.done);
    crowd.left = MANY;
    for (int i = 0; i < MANY; i++)
        check(thread_start(seal_and_open, NULL));
    lock_take(&crowd.lock);
    while (crowd.left > 0)
        signal_wait(&crowd.done, &crowd.lock, INT64_MAX);
    lock_release(&crowd.lock);
    check_number(crowd.failed, 0);
    check_number(files_in_folder(), 1);
    signal_done(&crowd.done);
    lock_done(&crowd.lock);
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(key_is_made_for_the_first_secret),
    TEST_CASE(what_was_sealed_opens_again),
    TEST_CASE(results_are_appended),
    TEST_CASE(equal_secrets_do_not_look_equal),
    TEST_CASE(another_row_opens_nothing),
    TEST_CASE(no_two_routes_have_one_context),
    TEST_CASE(damaged_secrets_do_not_open),
    TEST_CASE(plain_text_needs_no_key),
    TEST_CASE(a_key_that_others_may_read_is_refused),
    TEST_CASE(what_is_no_key_is_refused),
    TEST_CASE(a_lost_key_is_told_and_not_made_anew),
    TEST_CASE(a_key_that_was_put_back_is_seen),
    TEST_CASE(a_missing_folder_is_told),
    TEST_CASE(processes_agree_on_one_key),
    TEST_CASE(threads_share_one),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
