#include "parent.h"

#include "admin/command.h"
#include "admin/identity.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "generation.h"
#include "runner.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RESTART_FIRST_MS = 100,
    RESTART_LAST_MS = 30000,
    LIVED_WELL_MS = 60000, /* after that a death starts a new row */
    KILL_GRACE_MS = 3000,  /* beyond TMAIL_STOP_TIMEOUT, for the children's own last words */
    DRAINING_MAX = 64,
    READY_MS = 60000,      /* for new children; then the old ones stay */
    FDS_FIXED = 2,         /* that are waited for beside the children's */
};

struct parent {
    struct generation *current, *next; /* next: during a start or a reload */
    struct {
        pid_t pid;
        int control;
    } draining[DRAINING_MAX];
    int draining_count;
    struct runner *runner;
    int signals;
    bool stopping;
    int64_t ready_by; /* clock_now: when the next generation must be ready */
    bool reload_wanted; /* while a start or a reload was not finished */
    int64_t stop_by;
    int64_t look_at; /* clock_now: when the certificates are looked at again */
    int exit_status;
};

static void log_child(enum log_level level, const char *event, const char *name, pid_t pid, const char *how)
{
    struct log_line l;

    log_begin(&l, level, event);
    log_text(&l, "child", name);
    log_number(&l, "pid", pid);
    if (how != NULL)
        log_text(&l, "how", how);
    log_end(&l);
}

static void describe_death(int status, char *to, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(to, size, "killed by signal %d (%s)%s", WTERMSIG(status), sigdescr_np(WTERMSIG(status)),
                 WCOREDUMP(status) ? ", core dumped" : "");
    else
        snprintf(to, size, "exit status %d", WEXITSTATUS(status));
}

/* The child goes on until it has finished what it has; when there are too many of them it is told to hurry. */
static void drain_child(struct parent *p, struct child *child)
{
    int control = child->control;

    if (child->pid > 0 && control >= 0 && p->draining_count < DRAINING_MAX) {
        stop_tell(control, 'D', -1);
        p->draining[p->draining_count].pid = child->pid;
        p->draining[p->draining_count++].control = control;
        child->control = -1;
    }
    generation_let_go(child);
    child->pid = 0;
}

static void drain_generation(struct parent *p, struct generation *g)
{
    for (int role = 0; g != NULL && role < CHILD_ROLES; role++)
        drain_child(p, &g->children[role]);
}

static void drop_next(struct parent *p)
{
    drain_generation(p, p->next);
    generation_free(&p->next, p->current);
}

static void start_child(struct parent *p, struct generation *g, enum child_role role)
{
    struct child *child = &g->children[role];

    generation_start(g, role);
    if (child->errands >= 0)
        runner_serve(p->runner, child->errands, &g->conf);
    child->errands = -1;
}

static void start_next(struct parent *p)
{
    p->ready_by = clock_now() + READY_MS;
    for (int role = 0; role < CHILD_ROLES; role++)
        if (p->next->children[role].wanted)
            start_child(p, p->next, (enum child_role)role);
}

static bool open_log(const struct conf *conf)
{
    char error[512];

    if (log_open(conf->logpath, -1, conf->log_format, conf->debug_enabled, "parent", error, sizeof error))
        return true;
    log_message(LOG_LEVEL_ERROR, "log", "%s", error);
    return false; /* the log goes on where it went */
}

static void adopt_next(struct parent *p)
{
    struct generation *old = p->current;

    p->current = p->next;
    p->next = NULL;
    p->look_at = clock_now() + CERTIFICATES_LOOK_MS;
    if (old != NULL) {
        drain_generation(p, old);
        generation_free(&old, p->current);
        open_log(&p->current->conf);
    }
    log_message(LOG_LEVEL_INFO, old == NULL && p->draining_count == 0 ? "ready" : "reloaded", "%s", p->current->conf.me);
}

static void refuse_reload(struct str why)
{
    struct str line;

    while (str_cut(&why, '\n', &line))
        if (line.length > 0)
            log_message(LOG_LEVEL_ERROR, "reload-refused", "%.*s", STR_ARG(line));
}

static void reload(struct parent *p)
{
    struct conf conf;
    struct conf_errors errors = {0};
    struct certificates certificates = {0};
    char error[TLS_ERROR_SIZE];

    p->reload_wanted = p->next != NULL; /* one at a time: this one follows */
    if (p->reload_wanted || p->stopping)
        return;
    log_message(LOG_LEVEL_INFO, "reload", "reading %s", p->current->conf.file[0] != '\0' ? p->current->conf.file : "the environment");
    if (!conf_reload(&conf, &p->current->conf, environ, &errors)) {
        refuse_reload(buf_str(&errors.lines));
        conf_done(&conf);
    } else if (!identity_make_folders(&conf, error, sizeof error) || !runner_check(&conf, error) ||
               !certificates_load(&certificates, &conf, &p->current->certificates, error, sizeof error) ||
               (p->next = generation_new(&conf, &certificates, p->current, error, sizeof error)) == NULL) {
        refuse_reload(str_of(error));
        conf_done(&conf);
    } else {
        start_next(p);
    }
    conf_errors_done(&errors);
    certificates_done(&certificates);
}

static void stop(struct parent *p)
{
    if (p->stopping)
        return;
    p->stopping = true;
    p->stop_by = clock_now() + KILL_GRACE_MS + (p->current != NULL ? p->current->conf.stop_timeout : 0);
    log_message(LOG_LEVEL_INFO, "stopping", "telling the children to finish");
    drop_next(p);
    drain_generation(p, p->current);
    for (int i = 0; i < p->draining_count; i++) {
        close(p->draining[i].control);
        p->draining[i].control = -1;
    }
}

/* Whoever starts us reads standard error, wherever the log goes. */
static bool cannot_start(const char *why)
{
    log_message(LOG_LEVEL_ERROR, "start", "%s", why);
    fprintf(stderr, "tmail run: %s\n", why);
    return false;
}

/* The next generation will not be: the old one stays, or the start has failed. */
static void give_up_next(struct parent *p, const char *why)
{
    if (p->current != NULL) {
        log_message(LOG_LEVEL_ERROR, "reload-refused", "%s; the old children stay", why);
        drop_next(p);
    } else {
        cannot_start(why);
        p->exit_status = EXIT_FAILED;
        stop(p);
    }
}

static void current_died(struct child *child)
{
    int64_t pause = RESTART_FIRST_MS;

    if (clock_now() - child->started > LIVED_WELL_MS)
        child->deaths = 0;
    for (int i = 0; i < child->deaths && pause < RESTART_LAST_MS; i++)
        pause *= 2;
    child->deaths++;
    child->restart_at = clock_now() + (pause < RESTART_LAST_MS ? pause : RESTART_LAST_MS);
}

static struct child *find_child(struct generation *g, pid_t pid, enum child_role *role)
{
    for (int i = 0; g != NULL && i < CHILD_ROLES; i++)
        if (g->children[i].pid == pid) {
            *role = (enum child_role)i;
            return &g->children[i];
        }
    return NULL;
}

/* False when it is none of ours: what somebody's child left behind comes to us where we are the first process. */
static bool forget_draining(struct parent *p, pid_t pid)
{
    for (int i = 0; i < p->draining_count; i++)
        if (p->draining[i].pid == pid) {
            if (p->draining[i].control >= 0)
                close(p->draining[i].control);
            p->draining[i] = p->draining[--p->draining_count];
            return true;
        }
    return false;
}

static void bury(struct parent *p, pid_t pid, int status)
{
    enum child_role role;
    struct child *child = find_child(p->current, pid, &role);
    bool is_current = child != NULL;
    char how[96];

    describe_death(status, how, sizeof how);
    if (child == NULL)
        child = find_child(p->next, pid, &role);
    if (child == NULL) {
        if (forget_draining(p, pid))
            log_child(status == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "child-finished", "old", pid, how);
        return;
    }
    log_child(LOG_LEVEL_ERROR, "child-died", child_role_name(role), pid, how);
    child->pid = 0;
    generation_let_go(child);
    if (is_current)
        current_died(child);
    else
        give_up_next(p, "a new child died before it was ready, the log says why");
}

static void bury_all(struct parent *p)
{
    siginfo_t dead = {0};
    int status;

    while (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 && dead.si_pid > 0) {
        if (!runner_bury(p->runner, dead.si_pid) && waitpid(dead.si_pid, &status, 0) > 0)
            bury(p, dead.si_pid, status);
        dead.si_pid = 0;
    }
}

static void take_signal(struct parent *p)
{
    struct signalfd_siginfo info;

    if (read(p->signals, &info, sizeof info) != sizeof info)
        return;
    if (info.ssi_signo == SIGCHLD)
        bury_all(p);
    else if (info.ssi_signo == SIGHUP)
        reload(p);
    else
        stop(p);
}

/* The one word a child says: `R`, ready.  Its death is told by SIGCHLD. */
static void listen_to(struct parent *p, struct generation *g, enum child_role role)
{
    struct child *child = &g->children[role];
    char word;
    ssize_t n = read(child->control, &word, 1);

    if (n == 1 && word == 'R') {
        child->ready = true;
        log_child(LOG_LEVEL_INFO, "child-ready", child_role_name(role), child->pid, NULL);
        if (g == p->next && generation_is_ready(g))
            adopt_next(p);
    } else if (n == 0) {
        close(child->control);
        child->control = -1;
    }
}

static int64_t next_deadline(const struct parent *p)
{
    int64_t deadline = p->stopping ? p->stop_by : p->next == NULL ? p->look_at : CLOCK_NEVER;

    deadline = clock_earlier(deadline, runner_deadline(p->runner));
    for (int role = 0; p->current != NULL && role < CHILD_ROLES; role++)
        deadline = clock_earlier(deadline, p->current->children[role].restart_at);
    for (int role = 0; p->next != NULL && role < CHILD_ROLES; role++)
        deadline = clock_earlier(deadline, p->next->children[role].restart_at);
    return p->next != NULL ? clock_earlier(deadline, p->ready_by) : deadline;
}

static void restart_due(struct parent *p, struct generation *g)
{
    for (int role = 0; g != NULL && role < CHILD_ROLES; role++)
        if (clock_now() >= g->children[role].restart_at)
            start_child(p, g, (enum child_role)role);
}

static void look_at_certificates(struct parent *p)
{
    if (p->stopping || p->current == NULL || p->next != NULL || clock_now() < p->look_at)
        return;
    generation_watch(p->current);
    p->look_at = clock_now() + CERTIFICATES_LOOK_MS;
}

static void wait_and_act(struct parent *p)
{
    struct pollfd fds[FDS_FIXED + 2 * CHILD_ROLES] = {{.fd = p->signals, .events = POLLIN}, {.fd = runner_fd(p->runner), .events = POLLIN}};
    struct generation *generations[2] = {p->current, p->next};
    nfds_t count = FDS_FIXED;

    for (int i = 0; i < 2; i++)
        for (int role = 0; role < CHILD_ROLES; role++)
            fds[count++] = (struct pollfd){.fd = generations[i] != NULL ? generations[i]->children[role].control : -1, .events = POLLIN};
    if (poll(fds, count, clock_poll_timeout(next_deadline(p))) < 0)
        return;
    for (nfds_t i = FDS_FIXED; i < count; i++)
        if (fds[i].revents != 0) {
            /* What it says may change the generations: the others are heard next time. */
            listen_to(p, generations[(i - FDS_FIXED) / CHILD_ROLES], (enum child_role)((i - FDS_FIXED) % CHILD_ROLES));
            break;
        }
    if (fds[0].revents != 0)
        take_signal(p);
    runner_work(p->runner);
    restart_due(p, p->current);
    restart_due(p, p->next);
    look_at_certificates(p);
    if (p->next != NULL && clock_now() >= p->ready_by)
        give_up_next(p, "the new children were not ready in time");
    if (p->reload_wanted && p->next == NULL)
        reload(p);
}

static void kill_draining(struct parent *p)
{
    for (int i = 0; i < p->draining_count; i++) {
        log_child(LOG_LEVEL_WARNING, "child-killed", "old", p->draining[i].pid, "TMAIL_STOP_TIMEOUT is over");
        if (kill(p->draining[i].pid, SIGKILL) == 0)
            waitpid(p->draining[i].pid, NULL, 0);
        else
            log_child(LOG_LEVEL_ERROR, "child-not-killed", "old", p->draining[i].pid, strerrordesc_np(errno));
    }
    p->draining_count = 0;
}

static bool take_signals(struct parent *p)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return false;
    p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return p->signals >= 0;
}

static bool begin(struct parent *p, struct conf *conf)
{
    struct certificates certificates = {0};
    char error[1024];

    if (!open_log(conf))
        return false;
    if (!identity_check(conf, error, sizeof error) || !runner_check(conf, error) || !identity_make_folders(conf, error, sizeof error) ||
        !certificates_load(&certificates, conf, NULL, error, sizeof error)) {
        certificates_done(&certificates);
        p->exit_status = EXIT_CONFIG;
        return cannot_start(error);
    }
    p->runner = runner_new();
    if (p->runner == NULL || !take_signals(p))
        return cannot_start("cannot take signals");
    p->next = generation_new(conf, &certificates, NULL, error, sizeof error);
    if (p->next == NULL)
        return cannot_start(error);
    start_next(p);
    return true;
}

int parent_run(struct conf *conf)
{
    struct parent p = {.exit_status = EXIT_FAILED, .look_at = CLOCK_NEVER};

    if (!begin(&p, conf)) {
        runner_free(&p.runner);
        return p.exit_status;
    }
    p.exit_status = EXIT_DONE;
    file_raise_limit(); /* each command that runs has some */
    while (!p.stopping || (p.draining_count > 0 && clock_now() < p.stop_by))
        wait_and_act(&p);
    kill_draining(&p);
    runner_free(&p.runner);
    generation_free(&p.current, NULL);
    log_message(LOG_LEVEL_INFO, "stopped", "all children have ended");
    return p.exit_status;
}
