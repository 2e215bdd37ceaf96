/*
 * sts_driver - route/sts at the end of a pipe, for scenario/sts.py.
 *
 *     sts_driver DATABASE FORWARD DNS_TIMEOUT CA_FILE [read-only]
 *
 * Makes the database if need be.  FORWARD is a name server as net/dns takes it; nothing is validated.  DNS_TIMEOUT in milliseconds.  Reads a
 * command a line, with its words between tabs, and answers each with one line:
 *     find DOMAIN SECONDS           sts_find with that deadline: `MODE ID MX,MX TROUBLE`, or `- TROUBLE`; behind a trouble `: REASON`
 *     many NUMBER DOMAIN SECONDS    that many threads do so; behind each answer, as it comes, a tab
 *     often NUMBER DOMAIN           one thread, that often: the microseconds that one took
 *     names DOMAIN HOST             `yes` or `no`
 *     later SECONDS                 all clocks go forward
 *     stop MILLISECONDS             the process is told to stop then, with a minute of grace
 * The log goes to standard error.  The program is linked so that clocks are asked here (--wrap).
 */
#include "driver.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/stop.h"
#include "net/http.h"
#include "route/sts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { MOST_THREADS = 64 };

static struct sts *sts;
static pthread_t stopper;
static bool has_stopper;
static _Atomic time_t ahead;

int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
int __real_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end);
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end);

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
    int result = __real_clock_gettime(clock, t);

    t->tv_sec += ahead;
    return result;
}

/* The kernel's clock did not go forward. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end)
{
    const struct timespec real = {.tv_sec = end->tv_sec - ahead, .tv_nsec = end->tv_nsec};

    return __real_pthread_cond_timedwait(condition, mutex, &real);
}

static void write_policy(const struct sts_answer *a, struct buf *to)
{
    buf_print(to, "%s %s ", sts_mode_name(a->policy.mode), a->id);
    for (size_t i = 0; i < a->policy.mx_count; i++)
        buf_print(to, "%s%s", i > 0 ? "," : "", a->policy.mx[i]);
}

static void find(const char *domain, long seconds, struct buf *to)
{
    static const char *const troubles[] = {
        [STS_FINE] = "fine", [STS_FETCH] = "fetch", [STS_WEBPKI] = "webpki", [STS_INVALID] = "invalid", [STS_DATABASE] = "database",
    };
    struct sts_answer a;
    struct arena arena;

    arena_init(&arena);
    sts_find(sts, domain, clock_now() + seconds * 1000, &arena, &a);
    if (a.found)
        write_policy(&a, to);
    else
        buf_add_byte(to, '-');
    buf_print(to, " %s%s%s", troubles[a.trouble], a.reason[0] != '\0' ? ": " : "", a.reason);
    arena_done(&arena);
}

static void run_find(char **words)
{
    struct buf answer = {0};

    find(words[1], strtol(words[2], NULL, 10), &answer);
    puts(buf_text(&answer));
    buf_done(&answer);
}

static void *find_in_thread(void *words)
{
    struct buf answer = {0};

    find(((char **)words)[2], strtol(((char **)words)[3], NULL, 10), &answer);
    printf("%s\t", buf_text(&answer));
    fflush(stdout);
    buf_done(&answer);
    return NULL;
}

/* Joined, so that nothing of a thread is left when the program ends. */
static void run_many(char **words)
{
    pthread_t threads[MOST_THREADS];
    long number = strtol(words[1], NULL, 10);

    for (long i = 0; i < number && i < MOST_THREADS; i++)
        if (pthread_create(&threads[i], NULL, find_in_thread, words) != 0)
            abort();
    for (long i = 0; i < number && i < MOST_THREADS; i++)
        pthread_join(threads[i], NULL);
    puts("");
}

static void run_often(char **words)
{
    long number = strtol(words[1], NULL, 10);
    int64_t began = clock_now();

    for (long i = 0; i < number; i++) {
        struct buf answer = {0};

        find(words[2], 10, &answer);
        buf_done(&answer);
    }
    printf("%.1f\n", (double)(clock_now() - began) * 1000 / (double)number);
}

static void run_names(char **words)
{
    struct sts_answer a;
    struct arena arena;

    arena_init(&arena);
    sts_find(sts, words[1], clock_now() + 10000, &arena, &a);
    puts(a.found && sts_names(&a.policy, words[2]) ? "yes" : "no");
    arena_done(&arena);
}

static void run_later(char **words)
{
    ahead += strtol(words[1], NULL, 10);
    puts("ok");
}

static void *stop_later(void *milliseconds)
{
    usleep((useconds_t)(*(long *)milliseconds * 1000));
    stop_begin();
    return NULL;
}

/* Once. */
static void run_stop(char **words)
{
    static long milliseconds;

    milliseconds = strtol(words[1], NULL, 10);
    has_stopper = pthread_create(&stopper, NULL, stop_later, &milliseconds) == 0;
    puts("ok");
}

static struct dns *open_dns(const char *forward)
{
    const struct dns_settings settings = {.forward = forward, .trust_anchor = "", .unbound_conf = ""};
    char error[256];
    struct dns *dns = dns_open(&settings, error, sizeof error);

    if (dns == NULL) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    return dns;
}

static const struct driver_verb verbs[] = {
    {"find", run_find, 3}, {"many", run_many, 4}, {"often", run_often, 3}, {"names", run_names, 3}, {"later", run_later, 2},
    {"stop", run_stop, 2},
};

int main(int argc, char **argv)
{
    struct tables *t;
    struct dns *dns;

    if (argc < 5 || !http_start() || !stop_open(-1, 60000))
        return 64;
    t = driver_tables(argv[1]);
    tables_close(&t);
    dns = open_dns(argv[2]);
    sts = sts_new(argv[1], dns, strtol(argv[3], NULL, 10), argv[4], argc > 5);
    driver_serve(verbs, sizeof verbs / sizeof verbs[0]);
    if (has_stopper)
        pthread_join(stopper, NULL);
    sts_free(&sts);
    dns_close(&dns);
    return 0;
}
