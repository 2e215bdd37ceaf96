#include "deliverd/deliverd.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "deliverd/scheduler.h"
#include "directory/route_secret.h"
#include "net/http.h"
#include "queue/upkeep.h"
#include "report/bouncer.h"
#include "report/tls_reporter.h"

#include <stdio.h>

enum { LOCAL_DOWN_MS = 15000 }; /* to ask a Dovecot of ours costs nobody anything */

struct deliverer {
    struct arena arena;
    struct directory directory;
    struct attempt_context context;
    struct scheduler_crews crews;
    struct bouncer *bouncer;
    struct upkeep_thread *upkeep;
    struct scheduler *scheduler;
};

/* What connections need for TLS and logins. */
static bool open_means(struct deliverer *d, const struct conf *conf, char *error, size_t size)
{
    struct security_means *means = &d->context.means;

    means->tls = tls_client_new(conf->tls_min_version, conf->tls_ca_file, error, size);
    means->secrets = secrets_new(conf->secret_key_path);
    means->tokens = tokens_new(conf->db_path, means->secrets, conf->tls_ca_file, d->context.ways.dns);
    if (!http_start())
        snprintf(error, size, "libcurl cannot be started");
    else if (means->tls != NULL)
        return true;
    return false;
}

/* An earlier tmail kept passwords as they are.  Where they cannot be sealed now they serve as they are. */
static void seal_passwords(const struct conf *conf, struct secrets *secrets)
{
    char error[1024];
    size_t count = 0;
    struct tables *t = tables_open(conf->db_path, error, sizeof error);
    struct status s = t != NULL ? route_secret_seal_stored(t, secrets, &count) : status_make(451, "4.3.0", "%s", error);

    tables_close(&t);
    if (!status_is_ok(&s))
        log_message(LOG_LEVEL_WARNING, "secrets", "passwords of routes stay in plain text in the database: %s", s.text);
    else if (count > 0)
        log_message(LOG_LEVEL_INFO, "secrets", "%zu passwords of routes were in plain text and are sealed now by %s", count, conf->secret_key_path);
}

static struct workers *open_crew(struct deliverer *d, int64_t threads, int64_t a_hop, int64_t down_ms, char *error, size_t size)
{
    return workers_new(&d->context, &(struct workers_limits){threads, a_hop, down_ms}, error, size);
}

/* Local and remote deliveries together are no more than TMAIL_DELIVERD_MAX_IN_FLIGHT; where that is little, a fifth of it is for local ones. */
static bool open_workers(struct deliverer *d, const struct conf *conf, char *error, size_t size)
{
    int64_t most = conf->deliverd_max_in_flight, local = clock_earlier(conf->deliverd_local_concurrency, (most + 4) / 5);
    int64_t commands = (local + 1) / 2, remote = clock_earlier(conf->deliverd_remote_concurrency, most > local + commands ? most - local - commands : 1);
    int64_t down_ms = clock_earlier(conf->deliverd_dead_host_time, LOCAL_DOWN_MS);

    d->crews.local = open_crew(d, local, local, down_ms, error, size);
    if (d->crews.local != NULL)
        d->crews.commands = open_crew(d, commands, commands, down_ms, error, size);
    if (d->crews.commands != NULL)
        d->crews.remote = open_crew(d, remote, conf->deliverd_destination_concurrency, conf->deliverd_dead_host_time, error, size);
    return d->crews.remote != NULL;
}

static bool open_all(struct deliverer *d, const struct conf *conf, char *error, size_t size)
{
    d->context.conf = conf;
    if (!local_ips_parse(&d->context.local, str_of(conf->deliverd_local_ips), &d->arena, error, size) ||
        !directory_open_sql(&d->directory, conf->db_path, error, size) || !way_means_open(&d->context.ways, conf, true, &d->arena, error, size) ||
        !open_means(d, conf, error, size))
        return false;
    if (conf->tlsrpt)
        d->context.results = tls_results_new(conf->db_path);
    seal_passwords(conf, d->context.means.secrets);
    d->context.hosts = hosts_new(conf->deliverd_dead_host_time);
    d->context.logins = hop_logins_new(conf->deliverd_dead_host_time);
    d->context.directory = &d->directory;
    if (open_workers(d, conf, error, size))
        d->bouncer = bouncer_start(conf, &d->directory, error, size);
    if (d->bouncer != NULL)
        d->upkeep = upkeep_start(conf, error, size);
    if (d->upkeep != NULL)
        d->scheduler = scheduler_open(conf, &d->directory, &d->crews, d->bouncer, error, size);
    return d->scheduler != NULL;
}

int deliverd_run(const struct conf *conf, int errands)
{
    /* Never freed: workers that outlive the grace of a stop look at it until the process is gone. */
    struct deliverer *d = memory_new(sizeof *d);
    struct tls_reporter *reporter;
    char error[1024] = "";

    d->context.errands = errands;
    if (!open_all(d, conf, error, sizeof error)) {
        log_message(LOG_LEVEL_ERROR, "start", "%s", error);
        fprintf(stderr, "tmail: deliverd: %s\n", error);
        return 1;
    }
    stop_ready();
    reporter = tls_reporter_start(conf, d->context.ways.dns);
    scheduler_run(d->scheduler);
    tls_results_flush(d->context.results);
    tls_reporter_wait(reporter);
    bouncer_wait(d->bouncer);
    upkeep_wait(d->upkeep);
    return 0;
}
