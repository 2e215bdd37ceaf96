#include "runner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "launch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    EVENTS_A_TURN = 64, /* then the parent looks at what else there is */
    SPARE = 16,         /* commands that are over in deliverd's eyes and not yet in ours */
};

/* What epoll tells about; the first member of both below. */
enum source { CLIENT, COMMAND };

struct client {
    enum source source;
    struct client *next;
    int socket;
    char *lda;
    struct launch_rules rules;
    bool has_lda_user, has_pipe_user;
    int64_t running, most;
};

struct running {
    enum source source;
    struct running *next;
    struct client *client; /* NULL: it is gone */
    pid_t pid;
    enum errand_kind kind;
    int result;       /* -1: nobody listens */
    int trouble;      /* of launch.h */
    int64_t deadline; /* clock_now; CLOCK_NEVER: it was killed */
    bool timed_out;
};

struct runner {
    int epoll;
    struct client *clients;
    struct running *commands;
    char packet[ERRAND_SIZE];
};

/* Who they run as */

static bool find_lda_user(struct person *p, const struct conf *conf, char *error)
{
    bool own = conf->dovecot_lda_user[0] != '\0';

    return person_find(p, own ? "TMAIL_DOVECOT_LDA_USER" : "TMAIL_USER", own ? conf->dovecot_lda_user : conf->user, error);
}

static bool find_pipe_user(struct person *p, const struct conf *conf, char *error)
{
    return person_find(p, "TMAIL_PIPE_USER", conf->pipe_user, error);
}

static bool check_lda(const char *path, char *error)
{
    struct stat s;

    if (stat(path, &s) != 0)
        snprintf(error, RUNNER_ERROR_SIZE, "TMAIL_DOVECOT_LDA: %.200s: %s (TMAIL_LOCAL_DELIVERY=lda needs it)", path,
                 strerrordesc_np(errno));
    else if (!S_ISREG(s.st_mode) || (s.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
        snprintf(error, RUNNER_ERROR_SIZE, "TMAIL_DOVECOT_LDA: %.200s is no program that can be run", path);
    else
        return true;
    return false;
}

bool runner_check(const struct conf *conf, char error[RUNNER_ERROR_SIZE])
{
    static struct person unused;

    if (!conf->deliverd_launch)
        return true;
    if (!find_pipe_user(&unused, conf, error))
        log_message(LOG_LEVEL_WARNING, "no-commands", "commands of aliases cannot be run: %s", error);
    if (!conf->dovecot_support_enabled || conf->local_delivery != LOCAL_DELIVERY_LDA)
        return true;
    return check_lda(conf->dovecot_lda, error) && find_lda_user(&unused, conf, error);
}

/* Those who send errands */

struct runner *runner_new(void)
{
    struct runner *r = memory_new(sizeof *r);

    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (r->epoll < 0)
        memory_free(&r);
    return r;
}

static bool listen_to(struct runner *r, int fd, uint32_t events, void *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Closing alone would not do while a process that is being started has it, too. */
static void hang_up(struct runner *r, int *fd)
{
    if (*fd < 0)
        return;
    epoll_ctl(r->epoll, EPOLL_CTL_DEL, *fd, NULL);
    close(*fd);
    *fd = -1;
}

static void drop_client(struct runner *r, struct client *client)
{
    struct client **place = &r->clients;

    while (*place != client)
        place = &(*place)->next;
    *place = client->next;
    for (struct running *c = r->commands; c != NULL; c = c->next)
        if (c->client == client)
            c->client = NULL;
    hang_up(r, &client->socket);
    memory_free(&client->lda);
    memory_free(&client);
}

void runner_serve(struct runner *r, int socket, const struct conf *conf)
{
    struct client *client = memory_new(sizeof *client);
    struct person deliverd;
    char unused[PERSON_ERROR_SIZE];

    client->source = CLIENT;
    client->socket = socket;
    client->lda = memory_string(conf->dovecot_lda);
    client->has_lda_user = find_lda_user(&client->rules.lda_user, conf, unused);
    client->has_pipe_user = find_pipe_user(&client->rules.pipe_user, conf, unused);
    client->rules.lda = client->lda;
    client->rules.shares_user = !person_find(&deliverd, "TMAIL_USER", conf->user, unused) || deliverd.uid == client->rules.pipe_user.uid;
    client->rules.timeout_ms = conf->local_timeout;
    client->rules.concurrency = conf->deliverd_local_concurrency;
    client->most = conf->deliverd_local_concurrency + conf->deliverd_local_concurrency / 2 + SPARE; /* commands come beside dovecot-lda */
    client->next = r->clients;
    r->clients = client;
    if (listen_to(r, socket, EPOLLIN, client))
        return;
    log_message(LOG_LEVEL_ERROR, "no-commands", "commands cannot be run: %s", strerrordesc_np(errno));
    drop_client(r, client);
}

/* Commands */

static const char *kind_name(enum errand_kind kind)
{
    return kind == ERRAND_LDA ? "dovecot-lda" : "alias";
}

static void log_command(enum log_level level, const char *event, enum errand_kind kind, pid_t pid, const char *how)
{
    struct log_line l;

    log_begin(&l, level, event);
    log_text(&l, "command", kind_name(kind));
    if (pid > 0)
        log_number(&l, "pid", pid);
    log_text(&l, "how", how);
    log_end(&l);
}

/* The leader may not have made its group yet. */
static void kill_command(struct running *c, const char *why)
{
    if (c->deadline == CLOCK_NEVER)
        return;
    c->deadline = CLOCK_NEVER;
    log_command(LOG_LEVEL_WARNING, "command-killed", c->kind, c->pid, why);
    kill(-c->pid, SIGKILL);
    kill(c->pid, SIGKILL);
}

static void forget_command(struct runner *r, struct running *command)
{
    struct running **place = &r->commands;

    while (*place != command)
        place = &(*place)->next;
    *place = command->next;
    if (command->client != NULL)
        command->client->running--;
    hang_up(r, &command->result);
    launch_trouble(&command->trouble);
    memory_free(&command);
}

/* Takes over the end for the result. */
static void start_command(struct runner *r, struct client *client, struct errand *e)
{
    struct running *c = memory_new(sizeof *c);
    int reason;

    *c = (struct running){.source = COMMAND, .client = client, .kind = e->kind, .result = e->result, .trouble = -1, .next = r->commands,
                          .deadline = clock_now() + client->rules.timeout_ms};
    r->commands = c;
    client->running++;
    c->pid = listen_to(r, c->result, 0, c) ? launch_start(e, &client->rules, &c->trouble) : -1;
    e->result = -1;
    if (c->pid > 0)
        return;
    reason = errno;
    log_command(LOG_LEVEL_ERROR, "command-not-started", e->kind, 0, strerrordesc_np(reason));
    errand_answer(c->result, ERRAND_NOT_STARTED, reason);
    forget_command(r, c);
}

/* It may have waited for us longer than deliverd lived. */
static bool is_awaited(const struct errand *e)
{
    struct pollfd p = {.fd = e->result};

    return poll(&p, 1, 0) == 0;
}

static void take_errand(struct runner *r, struct client *client, struct errand *e)
{
    bool has_user = e->kind == ERRAND_LDA ? client->has_lda_user : client->has_pipe_user;

    if (client->running >= client->most)
        errand_answer(e->result, ERRAND_BUSY, 0);
    else if (!has_user)
        errand_answer(e->result, ERRAND_NOBODY, 0);
    else if (is_awaited(e))
        start_command(r, client, e);
    errand_close(e);
}

static void hear_client(struct runner *r, struct client *client)
{
    struct errand e;
    enum errand_news news = errand_receive(client->socket, r->packet, &e);

    if (news == ERRAND_CAME)
        take_errand(r, client, &e);
    else if (news == ERRAND_MALFORMED)
        log_message(LOG_LEVEL_ERROR, "errand-refused", "deliverd asked for what is not understood");
    else if (news == ERRAND_OVER)
        drop_client(r, client);
}

static void hear(struct runner *r, void *source)
{
    struct running *c = source;

    if (*(enum source *)source == CLIENT) {
        hear_client(r, source);
        return;
    }
    hang_up(r, &c->result);
    kill_command(c, "nobody waits for it any more");
}

int runner_fd(const struct runner *r)
{
    return r->epoll;
}

int64_t runner_deadline(const struct runner *r)
{
    int64_t deadline = CLOCK_NEVER;

    for (const struct running *c = r->commands; c != NULL; c = c->next)
        deadline = clock_earlier(deadline, c->deadline);
    return deadline;
}

void runner_work(struct runner *r)
{
    struct epoll_event event;

    /* One at a time: what one says may be the end of what another would be about. */
    for (int i = 0; i < EVENTS_A_TURN && epoll_wait(r->epoll, &event, 1, 0) == 1; i++)
        hear(r, event.data.ptr);
    for (struct running *c = r->commands; c != NULL; c = c->next)
        if (clock_now() >= c->deadline) {
            c->timed_out = true;
            kill_command(c, "TMAIL_LOCAL_TIMEOUT is over");
        }
}

static void tell_end(const struct running *c, int reason, int status)
{
    if (reason != 0)
        log_command(LOG_LEVEL_ERROR, "command-not-started", c->kind, c->pid, strerrordesc_np(reason));
    if (c->result < 0)
        return;
    if (reason != 0)
        errand_answer(c->result, ERRAND_NOT_STARTED, reason);
    else
        errand_answer(c->result, c->timed_out && WIFSIGNALED(status) ? ERRAND_TIMED_OUT : ERRAND_ENDED, status);
}

bool runner_bury(struct runner *r, pid_t pid)
{
    struct running *c = r->commands;
    int status = 0;

    while (c != NULL && c->pid != pid)
        c = c->next;
    if (c == NULL)
        return false;
    kill(-pid, SIGKILL); /* as long as it is not waited for its number is nobody else's */
    waitpid(pid, &status, 0);
    tell_end(c, launch_trouble(&c->trouble), status);
    forget_command(r, c);
    return true;
}

void runner_free(struct runner **r)
{
    if (*r == NULL)
        return;
    while ((*r)->commands != NULL) {
        kill_command((*r)->commands, "tmail stops");
        forget_command(*r, (*r)->commands);
    }
    while ((*r)->clients != NULL)
        drop_client(*r, (*r)->clients);
    close((*r)->epoll);
    memory_free(r);
}
