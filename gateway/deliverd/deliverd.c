#include "deliverd/deliverd.h"

#include "base/log.h"
#include "base/stop.h"
#include "deliverd/scheduler.h"

int deliverd_run(const struct conf *conf)
{
    struct attempt_context context = {.conf = conf};
    struct directory directory;
    struct workers *workers;
    struct scheduler *scheduler = NULL;
    struct arena arena;
    char error[1024] = "";

    arena_init(&arena);
    if (!local_ips_parse(&context.local, str_of(conf->deliverd_local_ips), &arena, error, sizeof error) ||
        !directory_open_sql(&directory, conf->db_path, error, sizeof error)) {
        log_message(LOG_LEVEL_ERROR, "start", "%s", error);
        arena_done(&arena);
        return 1;
    }
    context.hosts = hosts_new(conf->deliverd_dead_host_time);
    workers = workers_new(&context, error, sizeof error);
    if (workers != NULL)
        scheduler = scheduler_open(conf, &directory, workers, error, sizeof error);
    if (scheduler == NULL) {
        log_message(LOG_LEVEL_ERROR, "start", "%s", error);
        return 1;
    }
    stop_ready();
    scheduler_run(scheduler);
    return 0;
}
