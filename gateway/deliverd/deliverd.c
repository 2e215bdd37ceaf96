#include "deliverd/deliverd.h"

#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "deliverd/scheduler.h"

#include <stdio.h>

struct deliverer {
    struct arena arena;
    struct directory directory;
    struct attempt_context context;
    struct workers *workers;
    struct scheduler *scheduler;
};

static bool open_all(struct deliverer *d, const struct conf *conf, char *error, size_t size)
{
    d->context.conf = conf;
    if (!local_ips_parse(&d->context.local, str_of(conf->deliverd_local_ips), &d->arena, error, size) ||
        !directory_open_sql(&d->directory, conf->db_path, error, size))
        return false;
    d->context.hosts = hosts_new(conf->deliverd_dead_host_time);
    d->workers = workers_new(&d->context, error, size);
    if (d->workers != NULL)
        d->scheduler = scheduler_open(conf, &d->directory, d->workers, error, size);
    return d->scheduler != NULL;
}

int deliverd_run(const struct conf *conf)
{
    /* Never freed: workers that outlive the grace of a stop look at it until the process is gone. */
    struct deliverer *d = memory_new(sizeof *d);
    char error[1024] = "";

    if (!open_all(d, conf, error, sizeof error)) {
        log_message(LOG_LEVEL_ERROR, "start", "%s", error);
        fprintf(stderr, "tmail: deliverd: %s\n", error);
        return 1;
    }
    stop_ready();
    scheduler_run(d->scheduler);
    return 0;
}
