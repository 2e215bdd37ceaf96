/*
 * mxload - how many ways to a destination are found in a second, by the functions that the deliverer calls.
 *
 *     mxload FORWARD ANCHOR THREADS COUNT SUFFIX
 *
 * Finds the ways to COUNT destinations n0.SUFFIX, n1.SUFFIX, …, each with the MX records, the addresses and the TLSA records of the first
 * host, twice: the first time nothing is cached.  FORWARD and ANCHOR are values of TMAIL_DNS_FORWARD and TMAIL_DNS_TRUST_ANCHOR.
 *
 * Prints one line of key=value; cpu is what this program used, libunbound's thread included, in seconds.  A way that is not found, or not
 * secure, is said on standard error and ends everything with status 1.
 */
#include "base/clock.h"
#include "conf/dns_settings.h"
#include "route/way.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { THREADS_MAX = 256, USAGE = 64 };

struct load {
    struct way_means means;
    const char *suffix;
    int count;
    _Atomic int next;
};

static void find(struct load *load, int number)
{
    struct arena arena;
    char name[DNS_NAME_SIZE];
    struct hop hop = {.host = name, .is_mx = true, .port = 25};
    struct way way;

    arena_init(&arena);
    snprintf(name, sizeof name, "n%d.%s", number, load->suffix);
    way_find(&way, &load->means, &hop, &arena);
    if (way.count > 0)
        way_look(&way, 0, &load->means, &arena);
    if (way.count == 0 || !way.mx.secure || !way.hosts[0].found.secure) {
        fprintf(stderr, "mxload: %s: %s\n", name, way.count > 0 ? "not secure" : way.status.text);
        exit(1);
    }
    arena_done(&arena);
}

static void *work(void *argument)
{
    struct load *load = argument;
    int number;

    while ((number = atomic_fetch_add(&load->next, 1)) < load->count)
        find(load, number);
    return NULL;
}

static double cpu_now(void)
{
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void run(struct load *load, int threads, const char *name)
{
    pthread_t list[THREADS_MAX];
    double cpu = cpu_now(), seconds;
    int64_t began = clock_now();

    load->next = 0;
    for (int i = 0; i < threads; i++)
        if (pthread_create(&list[i], NULL, work, load) != 0)
            exit(1);
    for (int i = 0; i < threads; i++)
        pthread_join(list[i], NULL);
    seconds = (double)(clock_now() - began + 1) / 1000;
    printf("%s=%.0f %s_cpu=%.3f ", name, load->count / seconds, name, cpu_now() - cpu);
}

/* 0 for what is no number from 1 to MOST. */
static int number_of(const char *text, uint64_t most)
{
    uint64_t number = 0;

    return str_number(str_of(text), most, &number) ? (int)number : 0;
}

int main(int argc, char **argv)
{
    const struct conf conf = {.me = "mx.tmail.test", .dns_timeout = 20000, .dane = true, .dnssec = true, .deliverd_remote_tls = TLS_MAY};
    struct load load = {.means.conf = &conf};
    int threads = argc == 6 ? number_of(argv[3], THREADS_MAX) : 0;
    char error[1024];

    load.count = argc == 6 ? number_of(argv[4], INT32_MAX) : 0;
    if (threads < 1 || load.count < 1) {
        fprintf(stderr, "usage: mxload FORWARD ANCHOR THREADS COUNT SUFFIX\n");
        return USAGE;
    }
    load.suffix = argv[5];
    load.means.dns = dns_open(&(struct dns_settings){.forward = argv[1], .trust_anchor = argv[2], .unbound_conf = "", .validate = true}, error, sizeof error);
    if (load.means.dns == NULL) {
        fprintf(stderr, "mxload: %s\n", error);
        return 1;
    }
    run(&load, threads, "uncached");
    run(&load, threads, "cached");
    printf("\n");
    dns_close(&load.means.dns);
    return 0;
}
