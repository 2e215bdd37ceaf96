#include "test.h"

#include "base/stop.h"
#include "base/thread.h"
#include "net/dns.h"
#include "net/dns_records.h"

#include "nameserver.h"
#include "place.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BROKEN_PIPES "broken-pipes"

enum { PATIENCE_MS = 5000, BRIEF_MS = 600 };

static struct place place;
static struct nameserver server;
static struct arena arena;
static struct dns *dns;
static char long_text[12000];

static void fill_zone(void)
{
    for (size_t i = 0; i < sizeof long_text; i++)
        long_text[i] = (char)(i % 240 == 0 ? 239 : 'x');
    nameserver_add(&server, "mx.test", DNS_A, STR("\300\0\2\1"));
    nameserver_add(&server, "mx.test", DNS_A, STR("\300\0\2\2"));
    nameserver_add(&server, "mx.test", DNS_MX, STR("\0\12\2MX\4Test\0"));
    nameserver_add(&server, "alias.test", DNS_CNAME, STR("\5Other\4test\0"));
    nameserver_add(&server, "other.test", DNS_CNAME, STR("\2mx\4test\0"));
    nameserver_add(&server, "odd-alias.test", DNS_CNAME, STR("\3a/b\4test\0"));
    nameserver_add(&server, "a/b.test", DNS_A, STR("\300\0\2\3"));
    nameserver_add(&server, "lost-alias.test", DNS_CNAME, STR("\4nope\4test\0"));
    nameserver_add(&server, "long.test", DNS_TXT, (struct str){long_text, sizeof long_text});
    nameserver_add(&server, "127.in-addr.arpa", DNS_PTR, STR("\2mx\4test\0"));
    nameserver_add(&server, "host.lan", DNS_A, STR("\12\0\0\1"));
    nameserver_add(&server, "1.0.0.10.in-addr.arpa", DNS_PTR, STR("\4host\3lan\0"));
    nameserver_add_fault(&server, "servfail.test", 0, NAMESERVER_SERVFAIL);
    nameserver_add_fault(&server, "refused.test", 0, NAMESERVER_REFUSED);
    nameserver_add_fault(&server, "mute.test", 0, NAMESERVER_MUTE);
    nameserver_add_fault(&server, "mute1.test", 0, NAMESERVER_MUTE);
    nameserver_add_fault(&server, "mute2.test", 0, NAMESERVER_MUTE);
    nameserver_add_fault(&server, "slow1.test", 0, NAMESERVER_SLOW);
    nameserver_add_fault(&server, "slow2.test", 0, NAMESERVER_SLOW);
    nameserver_add(&server, "pinned.test", DNS_A, STR("\300\0\2\1"));
    nameserver_add(&server, "pinned.test", DNS_AAAA, STR("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1"));
    nameserver_add(&server, "pinned.test", DNS_MX, STR("\0\12\2mx\4test\0"));
    nameserver_add(&server, "pinned.test", DNS_TXT, STR("\1x"));
    nameserver_add(&server, "_25._tcp.pinned.test", DNS_TLSA, STR("\3\1\0x"));
    nameserver_add(&server, "pointer.test", DNS_CNAME, STR("\6pinned\4test\0"));
    nameserver_add_fault(&server, "slow.test", 0, NAMESERVER_SLOW);
    nameserver_add_fault(&server, "garbage.test", 0, NAMESERVER_GARBAGE);
    nameserver_add_fault(&server, "cut.test", 0, NAMESERVER_CUT);
    nameserver_add_fault(&server, "many-addresses.test", 0, NAMESERVER_MANY);
    nameserver_add(&server, "loop.test", DNS_CNAME, STR("\4loop\4test\0"));
}

/* A resolver of its own for each case, which leaves it as it found it. */
static struct dns *open_with(const char *forward, bool validate, const char *conf, char error[DNS_REASON_SIZE])
{
    const struct dns_settings settings = {.forward = forward, .trust_anchor = "", .unbound_conf = conf, .validate = validate};

    return dns_open(&settings, error, DNS_REASON_SIZE);
}

static void begin(void)
{
    char error[DNS_REASON_SIZE] = "";

    arena_init(&arena);
    dns = open_with(server.forward, false, "", error);
    check_text(error, "");
    nameserver_must(dns != NULL, "dns_open");
}

static void end(void)
{
    dns_close(&dns);
    check(dns == NULL);
    arena_done(&arena);
}

static struct dns_answer ask(const char *name, enum dns_type type, int64_t patience)
{
    struct dns_answer answer;

    dns_ask(dns, name, type, clock_now() + patience, &arena, &answer);
    check(answer.canonical != NULL);
    return answer;
}

static void what_is_there_is_found(void)
{
    struct dns_answer answer;
    struct dns_mx mx;

    begin();
    answer = ask("mx.test", DNS_A, PATIENCE_MS);
    check_number(answer.outcome, DNS_FOUND);
    check_number(answer.count, 2);
    check(!answer.secure && !answer.bogus && !answer.timed_out);
    check(answer.ttl > 0 && answer.ttl <= 60);
    check_text(answer.canonical, "mx.test");
    check_text(answer.reason, "");
    answer = ask("MX.Test.", DNS_MX, PATIENCE_MS);
    check_number(answer.count, 1);
    check_text(answer.canonical, "mx.test");
    check(answer.count == 1 && dns_read_mx(answer.records[0], &mx) && strcmp(mx.host, "mx.test") == 0);
    end();
}

static void what_is_not_there_is_told_apart(void)
{
    static const char *const no_names[] = {"nope.test", "a..test", "", ".", "with space.test", "mx.test..", "x.invalid", "x.onion"};
    struct dns_answer answer;

    begin();
    answer = ask("mx.test", DNS_TLSA, PATIENCE_MS);
    check_number(answer.outcome, DNS_NO_DATA);
    check_number(answer.count, 0);
    for (size_t i = 0; i < sizeof no_names / sizeof no_names[0]; i++) {
        answer = ask(no_names[i], DNS_A, PATIENCE_MS);
        check_number(answer.outcome, DNS_NO_NAME);
        check(answer.count == 0 && !answer.secure);
    }
    end();
}

static void aliases_are_followed(void)
{
    struct dns_answer answer;

    begin();
    answer = ask("alias.test", DNS_A, PATIENCE_MS);
    check_number(answer.count, 2);
    check_text(answer.canonical, "mx.test");
    answer = ask("alias.test", DNS_TXT, PATIENCE_MS);
    check_number(answer.outcome, DNS_NO_DATA);
    check_text(answer.canonical, "mx.test");
    answer = ask("lost-alias.test", DNS_A, PATIENCE_MS);
    check_number(answer.outcome, DNS_NO_NAME);
    check_text(answer.canonical, "nope.test");
    /* What is no name of ours is not handed out. */
    answer = ask("odd-alias.test", DNS_A, PATIENCE_MS);
    check_number(answer.outcome, DNS_FOUND);
    check_text(answer.canonical, "odd-alias.test");
    answer = ask("loop.test", DNS_A, PATIENCE_MS);
    check(answer.outcome == DNS_FAILED || answer.outcome == DNS_NO_DATA);
    end();
}

static void failures_have_a_reason(void)
{
    static const char *const names[] = {"servfail.test", "refused.test", "garbage.test", "cut.test"};
    struct dns_answer answer;

    begin();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        answer = ask(names[i], DNS_A, 20000);
        check_number(answer.outcome, DNS_FAILED);
        check_has(answer.reason, "SERVFAIL");
        check(!answer.timed_out && !answer.bogus && answer.count == 0);
        check_text(answer.canonical, names[i]);
    }
    end();
}

static void what_an_answer_holds_is_bounded(void)
{
    struct dns_answer answer;
    struct buf text = {0};

    begin();
    answer = ask("many-addresses.test", DNS_A, PATIENCE_MS);
    check_number(answer.outcome, DNS_FOUND);
    check_number(answer.count, DNS_RECORDS_MOST);
    answer = ask("long.test", DNS_TXT, PATIENCE_MS);
    check_number(answer.count, 1);
    check(answer.count == 1 && dns_read_txt(answer.records[0], &text));
    check_number(text.length, sizeof long_text / 240 * 239);
    buf_done(&text);
    end();
}

static void resolvers_may_serve_private_names(void)
{
    begin();
    check_number(ask("host.lan", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("1.0.0.10.in-addr.arpa", DNS_PTR, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("127.in-addr.arpa", DNS_PTR, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("localhost", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    end();
}

static void the_deadline_is_kept(void)
{
    struct dns_answer answer;
    int64_t before = clock_now();

    begin();
    answer = ask("mute.test", DNS_A, 300);
    check(clock_now() >= before + 300 && clock_now() < before + 300 + 500);
    check_number(answer.outcome, DNS_FAILED);
    check(answer.timed_out && !answer.bogus);
    check_has(answer.reason, "no answer in time");
    answer = ask("mx.test", DNS_A, 0);
    check(answer.timed_out);
    end();
}

static void a_late_answer_serves_the_next_question(void)
{
    struct dns_answer answer;
    int64_t before;

    begin();
    check(ask("slow.test", DNS_A, 100).timed_out);
    poll(NULL, 0, 2 * NAMESERVER_SLOW_MS);
    before = clock_now();
    answer = ask("slow.test", DNS_A, PATIENCE_MS);
    check_number(answer.outcome, DNS_FOUND);
    check(clock_now() < before + NAMESERVER_SLOW_MS);
    end();
}

static void a_question_under_way_does_not_hold_up_the_end(void)
{
    int64_t before = clock_now();

    begin();
    check(ask("mute.test", DNS_A, 100).timed_out);
    check(ask("slow.test", DNS_A, 100).timed_out);
    end();
    check(clock_now() < before + 1000);
}

struct asker {
    pthread_t thread;
    int first, count; /* numbers of the hosts to ask for */
    int64_t patience;
    const char *name; /* instead: one question */
    struct dns_answer answer;
    int right;
};

static void *run_asker(void *argument)
{
    struct asker *a = argument;
    struct arena own;
    char name[64];

    for (int i = a->first; i < a->first + a->count; i++) {
        const uint32_t number = htonl((uint32_t)i);

        arena_init(&own);
        snprintf(name, sizeof name, "n%d.many.test", i);
        dns_ask(dns, a->name != NULL ? a->name : name, DNS_A, clock_now() + a->patience, &own, &a->answer);
        a->right += a->answer.count == 1 && memcmp(a->answer.records[0].data, &number, 4) == 0;
        arena_done(&own);
    }
    return NULL;
}

static void everybody_gets_his_own_answer(void)
{
    struct asker askers[16];

    begin();
    for (int i = 0; i < 16; i++) {
        /* Two ask for the same each time. */
        askers[i] = (struct asker){.first = 1000 * (i / 2), .count = 100, .patience = 20000};
        nameserver_must(pthread_create(&askers[i].thread, NULL, run_asker, &askers[i]) == 0, "pthread_create");
    }
    for (int i = 0; i < 16; i++) {
        pthread_join(askers[i].thread, NULL);
        check_number(askers[i].right, 100);
    }
    end();
}

static void waiters_come_and_go(void)
{
    struct asker askers[16];

    begin();
    for (int i = 0; i < 16; i++) {
        askers[i] = (struct asker){.first = i, .count = 30, .patience = i % 3};
        nameserver_must(pthread_create(&askers[i].thread, NULL, run_asker, &askers[i]) == 0, "pthread_create");
    }
    for (int i = 0; i < 16; i++)
        pthread_join(askers[i].thread, NULL);
    check_number(ask("mx.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    end();
}

static void start_asker(struct asker *a)
{
    a->count = 1;
    nameserver_must(pthread_create(&a->thread, NULL, run_asker, a) == 0, "pthread_create");
}

/* Three at the same time, from BASE on, or the NAMES. */
static void run_out_of_time(int base, const char *const names[3])
{
    struct asker askers[3];

    for (int i = 0; i < 3; i++) {
        askers[i] = (struct asker){.first = base + i, .patience = BRIEF_MS, .name = names != NULL ? names[i] : NULL};
        start_asker(&askers[i]);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(askers[i].thread, NULL);
        check(askers[i].answer.timed_out);
    }
}

static const char *const mute_names[3] = {"mute.test", "mute1.test", "mute2.test"};

/* How long a question for a name that nobody answers was waited for. */
static int64_t waited_for(const char *name, int64_t patience)
{
    const int64_t before = clock_now();

    check(ask(name, DNS_TXT, patience).timed_out);
    return clock_now() - before;
}

static void a_few_slow_zones_are_no_silence(void)
{
    begin();
    check_number(ask("slow.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    run_out_of_time(0, mute_names);
    check(waited_for("mute.test", 1000) >= 1000);
    end();
}

/* Nobody had asked for anything else for a while: the next question finds out. */
static void a_few_slow_zones_refuse_nobody(void)
{
    struct asker askers[2] = {{.name = "slow1.test", .patience = PATIENCE_MS}, {.name = "slow2.test", .patience = PATIENCE_MS}};

    begin();
    run_out_of_time(0, mute_names);
    for (int i = 0; i < 2; i++)
        start_asker(&askers[i]);
    for (int i = 0; i < 2; i++) {
        pthread_join(askers[i].thread, NULL);
        check_number(askers[i].answer.outcome, DNS_FOUND);
    }
    check(waited_for("mute.test", 1000) >= 1000);
    end();
}

static void an_answer_after_its_waiter_left_ends_the_silence(void)
{
    begin();
    run_out_of_time(0, mute_names);
    check(waited_for("mute.test", 2000) < 1000);
    check(ask("slow1.test", DNS_A, 100).timed_out);
    poll(NULL, 0, 2 * NAMESERVER_SLOW_MS);
    check(waited_for("mute.test", 1000) >= 1000);
    end();
}

static void silence_leaves_what_is_cached(void)
{
    struct dns_answer answer;
    int64_t before;

    begin();
    check_number(ask("slow.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    atomic_store(&server.silent, true);
    poll(NULL, 0, 5000 - BRIEF_MS + 100);
    run_out_of_time(5000, NULL);
    before = clock_now();
    answer = ask("n5000.many.test", DNS_TXT, 3000);
    check(answer.timed_out && clock_now() >= before + 500 && clock_now() < before + 1000);
    check_has(answer.reason, "the resolvers do not answer");
    before = clock_now();
    for (int i = 0; i < 30; i++)
        check_number(ask("slow.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    check(clock_now() < before + 500);
    atomic_store(&server.silent, false);
    end();
}

static void silent_resolvers_hold_up_no_backlog(void)
{
    enum { CROWD = 80 };
    struct asker askers[CROWD];
    struct dns_answer answer;
    int64_t before;
    int at_once = 0;

    begin();
    atomic_store(&server.silent, true);
    run_out_of_time(5000, NULL);
    for (int i = 0; i < CROWD; i++) {
        askers[i] = (struct asker){.first = 6000 + i, .patience = PATIENCE_MS};
        start_asker(&askers[i]);
    }
    for (int i = 0; i < CROWD; i++) {
        pthread_join(askers[i].thread, NULL);
        check(askers[i].answer.timed_out);
    }
    before = clock_now();
    for (int i = 0; i < 100; i++) {
        answer = ask("mx.test", DNS_A, PATIENCE_MS);
        at_once += answer.timed_out;
    }
    check_number(at_once, 100);
    check_has(answer.reason, "the resolvers do not answer");
    check(clock_now() < before + 500);
    /* They are back. */
    atomic_store(&server.silent, false);
    before = clock_now();
    while (ask("mx.test", DNS_A, PATIENCE_MS).outcome != DNS_FOUND && clock_now() < before + 20000)
        poll(NULL, 0, 20);
    check(clock_now() < before + 10000);
    check_number(ask("n1.many.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    end();
}

static void a_prefetch_finds_the_answer_sooner(void)
{
    int64_t before = clock_now();

    begin();
    dns_prefetch(dns, "Slow.test.", DNS_A);
    dns_prefetch(dns, "not a name", DNS_A);
    check(clock_now() < before + NAMESERVER_SLOW_MS);
    poll(NULL, 0, 2 * NAMESERVER_SLOW_MS);
    before = clock_now();
    check_number(ask("slow.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    check(clock_now() < before + NAMESERVER_SLOW_MS);
    end();
}

static void a_prefetch_in_silence_asks_nothing(void)
{
    int asked;

    begin();
    run_out_of_time(0, mute_names);
    asked = atomic_load(&server.asked);
    dns_prefetch(dns, "n7000.many.test", DNS_A);
    poll(NULL, 0, 200);
    check_number(atomic_load(&server.asked), asked);
    end();
}

static void without_signatures_nothing_passes(void)
{
    char error[DNS_REASON_SIZE] = "", anchor[256];
    struct dns_settings settings = {.forward = server.forward, .trust_anchor = anchor, .unbound_conf = "", .validate = true};
    struct dns_answer answer;
    FILE *file;

    snprintf(anchor, sizeof anchor, "%s", place_path(&place, "root.ds"));
    file = fopen(anchor, "w");
    nameserver_must(file != NULL, anchor);
    fputs("; nobody's\n. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n", file);
    fclose(file);
    arena_init(&arena);
    dns = dns_open(&settings, error, sizeof error);
    check_text(error, "");
    for (int i = 0; i < 2 && dns != NULL; i++) {
        answer = ask("mx.test", DNS_A, 20000);
        check_number(answer.outcome, DNS_FAILED);
        check(answer.bogus && !answer.secure && !answer.timed_out && answer.count == 0 && answer.records == NULL);
        check_has(answer.reason, "TMAIL_DNS_TRUST_ANCHOR");
    }
    /* Names that the public DNS does not have are let alone. */
    check_number(ask("host.lan", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    end();
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = place_path(&place, name);
    FILE *file = fopen(path, "w");

    nameserver_must(file != NULL, path);
    fputs(text, file);
    fclose(file);
    return path;
}

/* What libunbound says when nobody answers it, here soon, is no sign of life. */
static void silence_is_not_ended_by_failures(void)
{
    char error[DNS_REASON_SIZE] = "";
    int64_t before;

    arena_init(&arena);
    dns = open_with(server.forward, false,
                    write_file("hasty.conf", "server:\n    infra-cache-min-rtt: 100\n    infra-cache-max-rtt: 400\n"), error);
    check_text(error, "");
    atomic_store(&server.silent, true);
    run_out_of_time(5000, NULL);
    before = clock_now();
    while (clock_now() < before + 3000) {
        const struct dns_answer answer = ask("mx.test", DNS_A, BRIEF_MS);

        if (!check(answer.outcome == DNS_FAILED && answer.timed_out))
            printf("# %s\n", answer.reason);
        poll(NULL, 0, 50);
    }
    atomic_store(&server.silent, false);
    end();
}

static void expect_refused(const char *anchor, const char *conf, const char *problem)
{
    const struct dns_settings settings = {.forward = "127.0.0.1@9", .trust_anchor = anchor, .unbound_conf = conf, .validate = true};
    char error[DNS_REASON_SIZE] = "";
    struct dns *opened = dns_open(&settings, error, sizeof error);

    check(opened == NULL);
    check_has(error, problem);
    dns_close(&opened);
}

static void bad_files_are_named(void)
{
    expect_refused("", write_file("word.conf", "server:\n    module-config: iterator\n    frobnicate: yes\n"),
                   "word.conf:3: error: unknown keyword 'frobnicate'");
    expect_refused("", write_file("clause.conf", "verbosity: 1\n"), "clause.conf:1: error: syntax error");
    expect_refused("", place_path(&place, "missing.conf"), "missing.conf: No such file");
    expect_refused("", place.folder, "it is no file");
    expect_refused(write_file("empty.key", "; only a comment\n\n"), "", "empty.key: there is no trust anchor in it");
    expect_refused(write_file("bad.key", ". IN DS 1 2 three\n"), "", "bad.key");
    expect_refused(place_path(&place, "missing.key"), "", "missing.key: No such file");
    expect_refused(place.folder, "", "Is a directory");
}

/* The output is diverted while libunbound reads its files, and comes back. */
static void the_error_output_is_kept(void)
{
    char error[DNS_REASON_SIZE];
    int fds[2], kept = dup(STDERR_FILENO);
    char said[64] = "";

    nameserver_must(kept >= 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0 && dup2(fds[1], STDERR_FILENO) == STDERR_FILENO, "pipe");
    dns = open_with(server.forward, false, write_file("bad.conf", "nonsense\n"), error);
    check(dns == NULL);
    dns = open_with(server.forward, false, "", error);
    check(dns != NULL);
    check_number(read(fds[0], said, sizeof said - 1), -1);
    fputs("still here\n", stderr);
    check(read(fds[0], said, sizeof said - 1) > 0);
    check_text(said, "still here\n");
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(fds[0]);
    close(fds[1]);
    dns_close(&dns);
}

static void a_fragment_has_the_last_word(void)
{
    char error[DNS_REASON_SIZE] = "";

    arena_init(&arena);
    dns = open_with(server.forward, false,
                    write_file("good.conf", "server:\n    local-zone: \"test.\" static\n    local-data: \"only.test. A 192.0.2.9\"\n"),
                    error);
    check_text(error, "");
    if (dns != NULL) {
        check_number(ask("only.test", DNS_A, PATIENCE_MS).count, 1);
        check_number(ask("mx.test", DNS_A, PATIENCE_MS).outcome, DNS_NO_NAME);
    }
    end();
}

/* Opens with a host of its own, whose files hold these texts; SAID is what was logged. */
static void open_host(const char *resolv_conf, const char *hosts, const char *root_key, bool validate, char said[4096])
{
    char paths[3][256], error[DNS_REASON_SIZE] = "";
    const struct dns_host_files files = {paths[0], paths[1], root_key != NULL ? paths[2] : ""};
    const struct dns_settings settings = {
        .forward = resolv_conf != NULL ? "" : server.forward, .trust_anchor = "", .unbound_conf = "", .validate = validate, .host = &files};
    int kept = dup(STDERR_FILENO), log = open(place_path(&place, "log"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t length;

    nameserver_must(kept >= 0 && log >= 0 && dup2(log, STDERR_FILENO) == STDERR_FILENO, "log");
    snprintf(paths[0], sizeof paths[0], "%s", write_file("resolv.conf", resolv_conf != NULL ? resolv_conf : ""));
    snprintf(paths[1], sizeof paths[1], "%s", hosts != NULL ? write_file("hosts", hosts) : place_path(&place, "no-hosts"));
    snprintf(paths[2], sizeof paths[2], "%s", write_file("root.key", root_key != NULL ? root_key : ""));
    arena_init(&arena);
    dns = dns_open(&settings, error, sizeof error);
    dup2(kept, STDERR_FILENO);
    close(kept);
    length = pread(log, said, 4095, 0);
    said[length > 0 ? length : 0] = '\0';
    close(log);
    check_text(error, "");
    nameserver_must(dns != NULL, "dns_open");
}

static const char *own_resolver(void)
{
    static char text[64];

    snprintf(text, sizeof text, "search test\nnameserver %s\n", server.forward);
    return text;
}

static bool is_address(const struct dns_answer *answer, size_t i, const char *text)
{
    char found[ADDRESS_TEXT_SIZE] = "";
    struct address address;

    if (i < answer->count && dns_read_address(answer->records[i], answer->records[i].length == 4 ? DNS_A : DNS_AAAA, &address))
        address_text(&address, found);
    return strcmp(found, text) == 0;
}

static void names_of_the_host_hide_addresses_and_nothing_else(void)
{
    static const char hosts[] = "# comment\n\n127.0.0.1\tlocalhost # more\n10.0.0.7  Pinned.test short\r\n10.0.0.8 pinned.test.\n"
                                "fd00::7 six.test\n";
    struct dns_answer answer;
    char said[4096];

    open_host(own_resolver(), hosts, NULL, false, said);
    check_text(said, "");
    answer = ask("PINNED.test", DNS_A, PATIENCE_MS);
    check_number(answer.count, 2);
    check(is_address(&answer, 0, "10.0.0.7") || is_address(&answer, 0, "10.0.0.8"));
    check(!answer.secure);
    check_text(answer.canonical, "pinned.test");
    check_number(ask("pinned.test", DNS_AAAA, PATIENCE_MS).outcome, DNS_NO_DATA);
    check_number(ask("pinned.test", DNS_MX, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("pinned.test", DNS_TXT, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("_25._tcp.pinned.test", DNS_TLSA, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("pinned.test", DNS_TLSA, PATIENCE_MS).outcome, DNS_NO_DATA);
    answer = ask("six.test", DNS_AAAA, PATIENCE_MS);
    check(is_address(&answer, 0, "fd00::7"));
    check_number(ask("six.test", DNS_A, PATIENCE_MS).outcome, DNS_NO_DATA);
    /* Nobody else knows these. */
    check_number(ask("short", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("six.test", DNS_MX, PATIENCE_MS).outcome, DNS_NO_DATA);
    check_number(ask("nope.test", DNS_A, PATIENCE_MS).outcome, DNS_NO_NAME);
    check_number(ask("x.pinned.test", DNS_A, PATIENCE_MS).outcome, DNS_NO_NAME);
    check_number(ask("localhost", DNS_AAAA, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("mx.test", DNS_A, PATIENCE_MS).count, 2);
    end();
}

static void bad_lines_of_the_hosts_file_are_passed_over(void)
{
    static const char hosts[] = "10.0.0.1 first.test\n10.0.0 bad.test\n10.0.0.2\nfe80::1%lo x.test\n10.0.0.3 a/b.test\n10.0.0.4 last.test";
    char said[4096];

    open_host(own_resolver(), hosts, NULL, false, said);
    check_has(said, "level=warning");
    check_has(said, "4 lines cannot be read, the first is line 2");
    check(strchr(said, '\n') == strrchr(said, '\n'));
    check_number(ask("first.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("last.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("bad.test", DNS_A, PATIENCE_MS).outcome, DNS_NO_NAME);
    end();
    open_host(own_resolver(), NULL, NULL, false, said);
    check_text(said, "");
    check_number(ask("pinned.test", DNS_A, PATIENCE_MS).count, 1);
    end();
}

static void the_hosts_file_is_bounded(void)
{
    struct buf text = {0};
    char said[4096];

    for (int i = 0; i < 10001; i++)
        buf_print(&text, "10.0.0.1 h%d.test\n", i);
    open_host(own_resolver(), buf_text(&text), NULL, false, said);
    check_has(said, "it is too large");
    check_number(ask("h0.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("h9999.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("h10000.test", DNS_A, PATIENCE_MS).outcome, DNS_NO_NAME);
    end();
    buf_clear(&text);
    buf_add_text(&text, "10.0.0.1 first.test\n");
    while (text.length < 1 << 20)
        buf_add_text(&text, "# a comment that is of no use\n");
    buf_add_text(&text, "10.0.0.1 last.test\n");
    open_host(own_resolver(), buf_text(&text), NULL, false, said);
    check_has(said, "it is too large");
    check_number(ask("first.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("last.test", DNS_A, PATIENCE_MS).outcome, DNS_NO_NAME);
    end();
    buf_done(&text);
}

/* With resolvers of our own the file of the host does not count. */
static void other_resolvers_leave_the_hosts_file_alone(void)
{
    char said[4096];

    open_host(NULL, "10.0.0.7 pinned.test\n10.0.0.7 only.test\n", NULL, false, said);
    check_number(ask("pinned.test", DNS_AAAA, PATIENCE_MS).outcome, DNS_FOUND);
    check_number(ask("only.test", DNS_A, PATIENCE_MS).outcome, DNS_NO_NAME);
    end();
}

static void a_host_without_a_resolver_is_told(void)
{
    char said[4096];

    open_host("# nothing\nsearch test\n", "", NULL, false, said);
    check_has(said, "level=warning");
    check_has(said, "resolv.conf");
    check_has(said, "it names no resolver: 127.0.0.1 is asked");
    end();
    open_host(own_resolver(), "", NULL, false, said);
    check_text(said, "");
    end();
}

/* The test's zones are not signed: what an anchor stands above is bogus.  What is in lan is let alone but for an anchor of its own. */
static void keys_of_the_host_stand_beside_our_own(void)
{
    char said[4096];

    open_host(NULL, "", "host.lan. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n", true, said);
    check_text(said, "");
    check(ask("mx.test", DNS_A, 20000).bogus);
    check(ask("host.lan", DNS_A, 20000).bogus);
    end();
    open_host(NULL, "", ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n", true, said);
    check_text(said, "");
    check(ask("mx.test", DNS_A, 20000).bogus);
    end();
}

static void bad_keys_of_the_host_stop_nothing(void)
{
    static const char *const keys[][2] = {
        {"", "there is no trust anchor in it"},
        {"; only a comment\n", "there is no trust anchor in it"},
        {". IN DS 1 2 three\n", "root.key"},
        {"host.lan. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n. IN nonsense\n", "root.key"},
    };
    char said[4096];

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        open_host(NULL, "", keys[i][0], true, said);
        check_has(said, "level=warning");
        check_has(said, keys[i][1]);
        check_has(said, "only the root keys that this program knows count");
        check(ask("mx.test", DNS_A, 20000).bogus);
        end();
    }
}

static void the_hosts_own_resolvers_and_the_root_open(void)
{
    char error[DNS_REASON_SIZE] = "";

    arena_init(&arena);
    dns = open_with("", true, "", error);
    check_text(error, "");
    check(dns != NULL);
    if (dns != NULL)
        check_number(ask("localhost", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    dns_close(&dns);
    dns = open_with("root", true, "", error);
    check_text(error, "");
    check(dns != NULL);
    end();
}

static bool is_pipe(int fd)
{
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    struct stat s;

    if (fstat(fd, &s) == 0 && S_ISFIFO(s.st_mode))
        return true;
    return getsockname(fd, (struct sockaddr *)&name, &length) == 0 && name.ss_family == AF_UNIX;
}

/* Those of libunbound. */
static void break_pipes(void)
{
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    for (int fd = 3; fd < 64; fd++)
        if (is_pipe(fd))
            dup2(nothing, fd);
}

/* In a process of its own. */
static int live_with_broken_pipes(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    begin();
    check_number(ask("mx.test", DNS_A, PATIENCE_MS).outcome, DNS_FOUND);
    break_pipes();
    ask("n1.many.test", DNS_A, PATIENCE_MS);
    return 0;
}

static void a_broken_pipe_ends_the_process(void)
{
    const int64_t before = clock_now();
    int said[2], status = 0;
    char text[4096] = "";
    pid_t child;

    nameserver_must(pipe2(said, O_CLOEXEC) == 0, "pipe2");
    child = fork();
    if (child == 0) {
        dup2(said[1], STDERR_FILENO);
        execl("/proc/self/exe", "dns_test", BROKEN_PIPES, (char *)NULL);
        _exit(1);
    }
    close(said[1]);
    nameserver_must(waitpid(child, &status, 0) == child, "waitpid");
    check(read(said[0], text, sizeof text - 1) > 0);
    close(said[0]);
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    check_has(text, "level=error");
    check_has(text, "libunbound");
    check(clock_now() < before + PATIENCE_MS);
}

/* Runs last: what has begun to stop does not start again. */
static void a_stop_ends_the_wait(void)
{
    struct asker asker = {.name = "mute.test", .count = 1, .patience = 20000};
    struct dns_answer answer;
    int parent, control;
    int64_t before;

    begin();
    pair_open(&parent, &control);
    check(stop_open(control, 200));
    before = clock_now();
    nameserver_must(pthread_create(&asker.thread, NULL, run_asker, &asker) == 0, "pthread_create");
    poll(NULL, 0, 50);
    stop_begin();
    pthread_join(asker.thread, NULL);
    check(asker.answer.outcome == DNS_FAILED);
    check(clock_now() < before + 2000);
    answer = ask("mx.test", DNS_A, PATIENCE_MS);
    check_number(answer.outcome, DNS_FAILED);
    end();
    close(parent);
    close(control);
}

static const struct test_case cases[] = {
    TEST_CASE(what_is_there_is_found),
    TEST_CASE(what_is_not_there_is_told_apart),
    TEST_CASE(aliases_are_followed),
    TEST_CASE(failures_have_a_reason),
    TEST_CASE(what_an_answer_holds_is_bounded),
    TEST_CASE(resolvers_may_serve_private_names),
    TEST_CASE(the_deadline_is_kept),
    TEST_CASE(a_late_answer_serves_the_next_question),
    TEST_CASE(a_question_under_way_does_not_hold_up_the_end),
    TEST_CASE(everybody_gets_his_own_answer),
    TEST_CASE(waiters_come_and_go),
    TEST_CASE(a_few_slow_zones_are_no_silence),
    TEST_CASE(a_few_slow_zones_refuse_nobody),
    TEST_CASE(an_answer_after_its_waiter_left_ends_the_silence),
    TEST_CASE(silence_leaves_what_is_cached),
    TEST_CASE(silent_resolvers_hold_up_no_backlog),
    TEST_CASE(a_prefetch_finds_the_answer_sooner),
    TEST_CASE(a_prefetch_in_silence_asks_nothing),
    TEST_CASE(silence_is_not_ended_by_failures),
    TEST_CASE(without_signatures_nothing_passes),
    /* libunbound's parser does not forget a file that it gave up in: the good one comes first. */
    TEST_CASE(a_fragment_has_the_last_word),
    TEST_CASE(bad_files_are_named),
    TEST_CASE(the_error_output_is_kept),
    TEST_CASE(names_of_the_host_hide_addresses_and_nothing_else),
    TEST_CASE(bad_lines_of_the_hosts_file_are_passed_over),
    TEST_CASE(the_hosts_file_is_bounded),
    TEST_CASE(other_resolvers_leave_the_hosts_file_alone),
    TEST_CASE(a_host_without_a_resolver_is_told),
    TEST_CASE(keys_of_the_host_stand_beside_our_own),
    TEST_CASE(bad_keys_of_the_host_stop_nothing),
    TEST_CASE(the_hosts_own_resolvers_and_the_root_open),
    TEST_CASE(a_broken_pipe_ends_the_process),
    TEST_CASE(a_stop_ends_the_wait),
};

int main(int argc, char **argv)
{
    int status;

    place_open(&place);
    fill_zone();
    nameserver_start(&server);
    status = argc == 2 && strcmp(argv[1], BROKEN_PIPES) == 0 ? live_with_broken_pipes() : test_main(cases, TEST_COUNT(cases), argc, argv);
    nameserver_stop(&server);
    place_close(&place);
    return status;
}
