#include "test.h"

#include "base/clock.h"
#include "dovecot/auth.h"

#include "place.h"

#include <pthread.h>
#include <sys/un.h>

#define FROM "service=smtp\tsession=s1\tlip=2001:db8::1\tlport=587\trip=192.0.2.7\trport=4321\t"
#define GREETING "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tCRAM-MD5\tdictionary\tactive\nSPID\t7\nCUID\t1\nCOOKIE\tc0ffee\nDONE\n"

enum { ANSWERS = 5, SOON = 3000 };

/* A Dovecot that says one thing after our handshake, and one after each further line of ours; then it hangs up, or waits until we do. */
static struct {
    struct place place;
    int listener;
    pthread_t thread;
    struct str answers[ANSWERS];
    size_t count;
    bool dribbles, hangs_up;
    struct buf heard;
} server;

static struct address peer, local;
static char error[256];

static void say(int fd, struct str bytes)
{
    size_t step = server.dribbles ? 1 : bytes.length;

    for (size_t i = 0; i < bytes.length; i += step) {
        pair_send(fd, str_part(bytes, i, step));
        if (server.dribbles)
            usleep(50);
    }
}

static bool hear_line(int fd)
{
    char c = '\0';

    while (c != '\n' && recv(fd, &c, 1, 0) == 1)
        buf_add_byte(&server.heard, c);
    return c == '\n';
}

static void *serve(void *nothing)
{
    enum { OUR_HANDSHAKE = 2 };
    int fd = accept(server.listener, NULL, NULL);
    bool more = true;

    for (int i = 0; i < OUR_HANDSHAKE; i++)
        more = more && hear_line(fd);
    for (size_t i = 0; i < server.count && more; i++) {
        say(fd, server.answers[i]);
        more = (i + 1 == server.count && server.hangs_up) || hear_line(fd);
    }
    while (more && !server.hangs_up)
        more = hear_line(fd);
    close(fd);
    return nothing;
}

static const char *path(void)
{
    return place_path(&server.place, "auth");
}

static void listen_at_path(int queue)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    place_open(&server.place);
    server.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    str_copy(str_of(path()), address.sun_path, sizeof address.sun_path);
    check(bind(server.listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(server.listener, queue) == 0);
}

static void answer(const char *text)
{
    server.answers[server.count++] = str_of(text);
}

/* Answers are given before; FLAWS of the server stay as they are set. */
static struct dovecot_auth *start(int64_t patience)
{
    listen_at_path(1);
    pthread_create(&server.thread, NULL, serve, NULL);
    peer = address_at("192.0.2.7:4321");
    local = address_at("[2001:db8::1]:587");
    error[0] = '\0';
    return dovecot_auth_open(path(), clock_now() + patience, error, sizeof error);
}

static void finish(struct dovecot_auth **a)
{
    dovecot_auth_close(a);
    check(*a == NULL);
    pthread_join(server.thread, NULL);
    close(server.listener);
    place_close(&server.place);
    buf_done(&server.heard);
    memset(&server, 0, sizeof server);
}

static enum sasl_result begin(struct dovecot_auth *a, const char *mechanism, struct str initial, struct buf *challenge)
{
    const struct dovecot_client client = {.peer = &peer, .local = &local, .tls = true, .session = "s1"};

    return dovecot_auth_begin(a, mechanism, &client, initial, clock_now() + SOON, challenge);
}

static enum sasl_result go_on(struct dovecot_auth *a, struct str response, struct buf *challenge)
{
    return dovecot_auth_continue(a, response, clock_now() + SOON, challenge);
}

static const struct str nothing = {NULL, 0};

static void the_handshake_tells_the_mechanisms(void)
{
    const struct dovecot_mechanism *m;
    struct dovecot_auth *a;
    size_t count = 0;

    answer("SPID\t7\nVERSION\t1\t9\textra\nMECH\tPLAIN\tplaintext\nMECH\tAPOP\tprivate\tdictionary\nMECH\tDIGEST-MD5\tmutual-auth\n"
           "MECH\tPLAIN\nMECH\tSCRAM-SHA-1\tmutual-auth\nNEWS\tof\tthe day\n\nDONE\n");
    a = start(SOON);
    if (!check(a != NULL)) {
        finish(&a);
        return;
    }
    m = dovecot_auth_mechanisms(a, &count);
    if (check_number(count, 3)) {
        check_text(m[0].name, "PLAIN");
        check(m[0].plaintext && m[0].wants_initial);
        check_text(m[1].name, "DIGEST-MD5");
        check(!m[1].plaintext && !m[1].wants_initial);
        check_text(m[2].name, "SCRAM-SHA-1");
        check(!m[2].plaintext && m[2].wants_initial);
    }
    check_text(dovecot_auth_reason(a), "");
    finish(&a);
}

static void requests_say_who_asks(void)
{
    const struct dovecot_client odd = {.peer = &local, .local = &(struct address){0}, .session = "a\tb\nc\001d"};
    struct dovecot_auth *a;
    struct buf challenge = {0};
    char expected[512];

    answer(GREETING);
    answer("FAIL\t1\n");
    answer("FAIL\t2\n");
    answer("FAIL\t3\n");
    a = start(SOON);
    if (check(a != NULL)) {
        check_number(begin(a, "PLAIN", STR("AGEAYg=="), &challenge), SASL_REFUSED);
        check_number(begin(a, "PLAIN", STR(""), &challenge), SASL_REFUSED);
        check_number(dovecot_auth_begin(a, "CRAM-MD5", &odd, nothing, clock_now() + SOON, &challenge), SASL_REFUSED);
        snprintf(expected, sizeof expected, "VERSION\t1\t2\nCPID\t%d\n"
                 "AUTH\t1\tPLAIN\t" FROM "secured=tls\tnologin\tresp=AGEAYg==\n"
                 "AUTH\t2\tPLAIN\t" FROM "secured=tls\tnologin\tresp=\n"
                 "AUTH\t3\tCRAM-MD5\tservice=smtp\tsession=a\001tb\001nc\0011d\trip=2001:db8::1\trport=587\tnologin\n", (int)getpid());
        check_text(buf_text(&server.heard), expected);
    }
    finish(&a);
    buf_done(&challenge);
}

static void an_old_dovecot_is_told_of_tls_in_its_words(void)
{
    struct dovecot_auth *a;
    struct buf challenge = {0};

    answer("VERSION\t1\t1\nMECH\tPLAIN\nDONE\n");
    answer("FAIL\t1\n");
    a = start(SOON);
    if (check(a != NULL)) {
        check_number(begin(a, "PLAIN", STR("AA=="), &challenge), SASL_REFUSED);
        check_has(buf_text(&server.heard), "\tsecured\t");
    }
    finish(&a);
    buf_done(&challenge);
}

static void exchanges_follow_each_other(void)
{
    struct dovecot_auth *a;
    struct buf challenge = {0};

    answer(GREETING);
    answer("CONT\t1\tPDFAeD4=\n");
    answer("NEWS\t1\nOK\t1\tuser=alice@x.example\tnologin\n");
    answer("CONT\t2\t\n");
    answer("FAIL\t2\tuser=bob\treason=no\n");
    a = start(SOON);
    if (check(a != NULL)) {
        check_number(begin(a, "cram-md5", nothing, &challenge), SASL_CONTINUE);
        check_text(buf_text(&challenge), "PDFAeD4=");
        check_text(dovecot_auth_login(a), "");
        check_number(go_on(a, STR("YSBi"), &challenge), SASL_DONE);
        check_text(buf_text(&challenge), "");
        check_text(dovecot_auth_login(a), "alice@x.example");
        check_number(begin(a, "PLAIN", nothing, &challenge), SASL_CONTINUE);
        check_text(buf_text(&challenge), "");
        check_text(dovecot_auth_login(a), "");
        check_number(go_on(a, STR(""), &challenge), SASL_REFUSED);
        check_text(dovecot_auth_login(a), "bob");
        check_text(dovecot_auth_reason(a), "");
        check_has(buf_text(&server.heard), "\nCONT\t1\tYSBi\n");
        check_has(buf_text(&server.heard), "\nCONT\t2\t\n");
    }
    finish(&a);
    buf_done(&challenge);
}

/* RFC 4954 section 4: what the server says along with its success is a challenge that is answered by nothing. */
static void data_along_with_success_is_one_more_challenge(void)
{
    struct dovecot_auth *a;
    struct buf challenge = {0};

    answer(GREETING);
    answer("OK\t1\tuser=alice\tresp=dj1h\n");
    answer("OK\t2\tresp=dj1h\tuser=alice\n");
    answer("OK\t3\tuser=alice\tresp=\n");
    a = start(SOON);
    if (check(a != NULL)) {
        check_number(begin(a, "PLAIN", STR("AA=="), &challenge), SASL_CONTINUE);
        check_text(buf_text(&challenge), "dj1h");
        check_number(go_on(a, STR(""), &challenge), SASL_DONE);
        check_text(buf_text(&challenge), "");
        check_text(dovecot_auth_login(a), "alice");
        check_number(begin(a, "PLAIN", STR("AA=="), &challenge), SASL_CONTINUE);
        check_number(go_on(a, STR("AA=="), &challenge), SASL_MALFORMED);
        check_number(begin(a, "PLAIN", STR("AA=="), &challenge), SASL_CONTINUE);
        check_text(buf_text(&challenge), "");
        check_number(go_on(a, STR(""), &challenge), SASL_DONE);
    }
    finish(&a);
    buf_done(&challenge);
}

static void failures_are_told_apart(void)
{
    static const struct {
        const char *reply;
        enum sasl_result result;
        const char *login, *reason;
    } rows[] = {
        {"FAIL\t1\n", SASL_REFUSED, "", ""},
        {"FAIL\t1\tuser=eve\tauthz\n", SASL_REFUSED, "eve", ""},
        {"FAIL\t1\tuser=eve\tuser_disabled\tcode=user_disabled\n", SASL_REFUSED, "eve", ""},
        {"FAIL\t1\tcode=pass_expired\treason=temp\n", SASL_REFUSED, "", ""},
        {"FAIL\t1\tuser=temp\treason=code=temp_fail\n", SASL_REFUSED, "temp", ""},
        {"FAIL\t1\tuser=e\001tve\n", SASL_REFUSED, "", ""},
        {"FAIL\t1\tuser=eve\ttemp\n", SASL_UNAVAILABLE, "eve", "Dovecot: temporary failure"},
        {"FAIL\t1\tcode=temp_fail\treason=come back\n", SASL_UNAVAILABLE, "", "Dovecot: temporary failure: come back"},
    };

    for (size_t i = 0; i < TEST_COUNT(rows); i++) {
        struct dovecot_auth *a;
        struct buf challenge = {0};

        answer(GREETING);
        answer(rows[i].reply);
        answer("OK\t2\tuser=eve\n");
        a = start(SOON);
        if (check(a != NULL)) {
            check_number(begin(a, "PLAIN", STR("AA=="), &challenge), rows[i].result);
            check_text(dovecot_auth_login(a), rows[i].login);
            check_text(dovecot_auth_reason(a), rows[i].reason);
            check_number(begin(a, "PLAIN", STR("AA=="), &challenge), SASL_DONE);
            check_text(dovecot_auth_reason(a), "");
        }
        finish(&a);
        buf_done(&challenge);
    }
}

static void lines_may_come_in_pieces(void)
{
    struct dovecot_auth *a;
    struct buf challenge = {0};

    server.dribbles = true;
    answer(GREETING);
    answer("CONT\t1\tPDFAeD4=\n");
    answer("OK\t1\tuser=alice\n");
    a = start(SOON);
    if (check(a != NULL)) {
        check_number(begin(a, "CRAM-MD5", nothing, &challenge), SASL_CONTINUE);
        check_text(buf_text(&challenge), "PDFAeD4=");
        check_number(go_on(a, STR("YSBi"), &challenge), SASL_DONE);
        check_text(dovecot_auth_login(a), "alice");
    }
    finish(&a);
    buf_done(&challenge);
}

/* COUNT times TEXT, between HEAD and TAIL. */
static struct str repeated(struct buf *to, const char *head, const char *text, int count, const char *tail)
{
    buf_clear(to);
    buf_add_text(to, head);
    for (int i = 0; i < count; i++)
        buf_add_text(to, text);
    buf_add_text(to, tail);
    return buf_str(to);
}

static void refuse_handshake(struct str greeting, const char *why)
{
    struct dovecot_auth *a;

    server.answers[server.count++] = greeting;
    server.hangs_up = true;
    a = start(SOON);
    if (!check(a == NULL) || !check_has(error, why) || !check_has(error, "/auth: "))
        printf("#   for %.*s\n", (int)(greeting.length < 60 ? greeting.length : 60), greeting.data);
    finish(&a);
}

static void broken_handshakes_are_refused(void)
{
    struct buf long_one = {0};

    refuse_handshake(STR(""), "closed");
    refuse_handshake(STR("VERSION\t1\t2\nMECH\tPLAIN\nDON"), "closed");
    refuse_handshake(STR("VERSION\t2\t0\nDONE\n"), "another version");
    refuse_handshake(STR("VERSION\nDONE\n"), "VERSION that is none");
    refuse_handshake(STR("VERSION\t1\nDONE\n"), "VERSION that is none");
    refuse_handshake(STR("VERSION\t1\tx\nDONE\n"), "VERSION that is none");
    refuse_handshake(STR("MECH\tPLAIN\nDONE\n"), "did not say its VERSION");
    refuse_handshake(STR("VERSION\t1\t2\nMECH\nDONE\n"), "MECH that is none");
    refuse_handshake(STR("VERSION\t1\t2\nMECH\t\tplaintext\nDONE\n"), "MECH that is none");
    refuse_handshake(STR("VERSION\t1\t2\nMECH\tPLAIN LOGIN\nDONE\n"), "MECH that is none");
    refuse_handshake(STR("VERSION\t1\t2\nMECH\tPLAIN\r\nDONE\n"), "MECH that is none");
    refuse_handshake(STR("VERSION\t1\t2\nMECH\tABCDEFGHIJKLMNOPQRSTUVWXYZ-ABCDEF\nDONE\n"), "MECH that is none");
    refuse_handshake(STR("VERSION\t1\t2\nCOOKIE\t\0\nDONE\n"), "NUL");
    refuse_handshake(repeated(&long_one, "VERSION\t1\t2\nCOOKIE\t", "0123456789", 3000, "\nDONE\n"), "too long");
    refuse_handshake(repeated(&long_one, "VERSION\t1\t2\nCOOKIE\t", "0123456789", 3000, ""), "too long");
    refuse_handshake(repeated(&long_one, "VERSION\t1\t2\n", "NEWS\n", 2000, "DONE\n"), "does not come to an end");
    buf_clear(&long_one);
    buf_add_text(&long_one, "VERSION\t1\t2\n");
    for (int i = 0; i <= DOVECOT_MECHANISMS; i++)
        buf_print(&long_one, "MECH\tM%d\n", i);
    buf_add_text(&long_one, "DONE\n");
    refuse_handshake(buf_str(&long_one), "too many mechanisms");
    buf_done(&long_one);
}

static void break_exchange(struct str reply, const char *why)
{
    struct buf challenge = {0};
    struct dovecot_auth *a;

    answer(GREETING);
    server.answers[server.count++] = reply;
    server.hangs_up = true;
    a = start(SOON);
    if (check(a != NULL)) {
        if (!check_number(begin(a, "PLAIN", STR("AA=="), &challenge), SASL_UNAVAILABLE) || !check_has(dovecot_auth_reason(a), why))
            printf("#   for %.*s\n", (int)(reply.length < 60 ? reply.length : 60), reply.data);
        check_text(buf_text(&challenge), "");
        check_number(begin(a, "PLAIN", STR("AA=="), &challenge), SASL_UNAVAILABLE);
        check_has(dovecot_auth_reason(a), why);
        check_number(go_on(a, STR("AA=="), &challenge), SASL_UNAVAILABLE);
    }
    finish(&a);
    buf_done(&challenge);
}

static void broken_replies_end_the_connection(void)
{
    struct buf long_one = {0};

    break_exchange(STR(""), "closed");
    break_exchange(STR("OK\t1\tuser=ali"), "closed");
    break_exchange(STR("OK\t2\tuser=alice\n"), "not asked");
    break_exchange(STR("FAIL\t0\n"), "not asked");
    break_exchange(STR("OK\n"), "not asked");
    break_exchange(STR("OK\t\tuser=alice\n"), "not asked");
    break_exchange(STR("OK\tuser=alice\n"), "not asked");
    break_exchange(STR("OK\t4294967297\tuser=alice\n"), "not asked");
    break_exchange(STR("CONT\t1\n"), "without a challenge");
    break_exchange(STR("CONT\t1\tno base64\n"), "no base64");
    break_exchange(STR("CONT\t1\tYWJj\r\n"), "no base64");
    break_exchange(STR("OK\t1\n"), "who logged in");
    break_exchange(STR("OK\t1\tuser=\n"), "who logged in");
    break_exchange(STR("OK\t1\tuser\n"), "who logged in");
    break_exchange(STR("OK\t1\tuser=a\001nb\n"), "who logged in");
    break_exchange(STR("OK\t1\tuser=alice\tuser=\n"), "who logged in");
    break_exchange(STR("OK\t1\tuser=alice\tresp=\001\n"), "no base64");
    break_exchange(STR("OK\t1\tuser=a\0b\n"), "NUL");
    break_exchange(repeated(&long_one, "OK\t1\tuser=", "0123456789", 33, "\n"), "who logged in");
    break_exchange(repeated(&long_one, "CONT\t1\t", "0123456789", 3000, "\n"), "too long");
    break_exchange(repeated(&long_one, "", "NEWS\n", 2000, "OK\t1\tuser=alice\n"), "does not come to an end");
    buf_done(&long_one);
}

static void what_clients_say_cannot_leave_its_place(void)
{
    static const struct str initials[] = {{"AA==\tnologin", 12}, {"AA==\nAUTH", 9}, {"AA==\r", 5}, {"A\0A=", 4}, {"AA==\001", 5}, {" ", 1}};
    struct buf challenge = {0}, long_one = {0};
    struct dovecot_auth *a;

    answer(GREETING);
    answer("CONT\t10\t\n");
    a = start(SOON);
    if (check(a != NULL)) {
        for (size_t i = 0; i < TEST_COUNT(initials); i++)
            check_number(begin(a, "PLAIN", initials[i], &challenge), SASL_MALFORMED);
        check_number(begin(a, "PLAIN", repeated(&long_one, "", "AAAA", 4100, ""), &challenge), SASL_MALFORMED);
        check_number(begin(a, "LOGIN", STR("AA=="), &challenge), SASL_MALFORMED);
        check_number(begin(a, "PLAIN\tx", STR("AA=="), &challenge), SASL_MALFORMED);
        /* None of these was said, and the connection is still good. */
        check(strstr(buf_text(&server.heard), "AUTH") == NULL);
        check_number(begin(a, "PLAIN", nothing, &challenge), SASL_CONTINUE);
        check_number(go_on(a, STR("AA==\nAUTH"), &challenge), SASL_MALFORMED);
        /* Dovecot still waits for a response that will not come. */
        check_number(go_on(a, STR("AA=="), &challenge), SASL_UNAVAILABLE);
        check_number(begin(a, "PLAIN", nothing, &challenge), SASL_UNAVAILABLE);
    }
    finish(&a);
    buf_done(&long_one);
    buf_done(&challenge);
}

static void exchanges_do_not_overlap(void)
{
    struct buf challenge = {0};
    struct dovecot_auth *a;

    answer(GREETING);
    answer("CONT\t1\t\n");
    a = start(SOON);
    if (check(a != NULL)) {
        check_number(begin(a, "PLAIN", nothing, &challenge), SASL_CONTINUE);
        check_number(begin(a, "PLAIN", nothing, &challenge), SASL_UNAVAILABLE);
        check_has(dovecot_auth_reason(a), "did not end");
    }
    finish(&a);
    buf_done(&challenge);
}

static void silence_is_waited_for_until_the_deadline(void)
{
    struct buf challenge = {0};
    int64_t before = clock_now();
    struct dovecot_auth *a;

    answer("VERSION\t1\t2\n");
    a = start(40);
    check(a == NULL);
    check_has(error, "timed out");
    check(clock_now() >= before + 40 && clock_now() < before + SOON);
    finish(&a);
    answer(GREETING);
    a = start(SOON);
    if (check(a != NULL)) {
        const struct dovecot_client client = {.peer = &peer, .local = &local, .session = "s"};

        before = clock_now();
        check_number(dovecot_auth_begin(a, "PLAIN", &client, STR("AA=="), before + 40, &challenge), SASL_UNAVAILABLE);
        check_text(dovecot_auth_reason(a), "timed out");
        check(clock_now() >= before + 40 && clock_now() < before + SOON);
    }
    finish(&a);
    buf_done(&challenge);
}

static void nobody_may_be_there(void)
{
    char longer[200];
    int64_t before;

    listen_at_path(0);
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    check(dovecot_auth_open(longer, clock_now() + SOON, error, sizeof error) == NULL);
    check_has(error, "File name too long");
    check(dovecot_auth_open(place_path(&server.place, "nowhere"), clock_now() + SOON, error, sizeof error) == NULL);
    check_has(error, "nowhere: No such file");
    /* The queue holds one, which is never taken. */
    check(dovecot_auth_open(path(), clock_now() + 30, error, sizeof error) == NULL);
    before = clock_now();
    check(dovecot_auth_open(path(), before + 60, error, sizeof error) == NULL);
    check_has(error, "timed out");
    check(clock_now() >= before + 60 && clock_now() < before + SOON);
    close(server.listener);
    check(dovecot_auth_open(path(), clock_now() + SOON, error, sizeof error) == NULL);
    check_has(error, "Connection refused");
    place_close(&server.place);
    memset(&server, 0, sizeof server);
}

static const struct test_case cases[] = {
    TEST_CASE(the_handshake_tells_the_mechanisms),
    TEST_CASE(requests_say_who_asks),
    TEST_CASE(an_old_dovecot_is_told_of_tls_in_its_words),
    TEST_CASE(exchanges_follow_each_other),
    TEST_CASE(data_along_with_success_is_one_more_challenge),
    TEST_CASE(failures_are_told_apart),
    TEST_CASE(lines_may_come_in_pieces),
    TEST_CASE(broken_handshakes_are_refused),
    TEST_CASE(broken_replies_end_the_connection),
    TEST_CASE(what_clients_say_cannot_leave_its_place),
    TEST_CASE(exchanges_do_not_overlap),
    TEST_CASE(silence_is_waited_for_until_the_deadline),
    TEST_CASE(nobody_may_be_there),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
