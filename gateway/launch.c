#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FD_TROUBLE = 3, FD_COUNT, NEVER_STARTED = 71 };

#define SEARCH_PATH "/usr/local/bin:/usr/bin:/bin"
#define GIGA(n) ((rlim_t)(n) << 30)

/* As many processes as their user may have, by commands at a time. */
enum { PROCESSES_ALWAYS = 64, PROCESSES_EACH = 16 };

static const struct {
    int resource;
    rlim_t lda, pipe;
} limits[] = {
    {RLIMIT_CORE, 0, 0},
    {RLIMIT_NOFILE, 1024, 1024},
    {RLIMIT_FSIZE, GIGA(1024), GIGA(4)},
    {RLIMIT_AS, RLIM_INFINITY, GIGA(4)},
};

void launch_clean(struct buf *to, struct str value)
{
    static const char harmless[] = "@._+=-";

    for (size_t i = 0; i < value.length; i++) {
        char c = value.data[i], lower = ascii_lower(c);
        bool letter = (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9');
        bool fits = letter || (c != '\0' && strchr(harmless, c) != NULL && !(i == 0 && c == '-')); /* it may be somebody's option */

        buf_add_byte(to, fits ? c : '_');
    }
}

static bool place_descriptors(const struct errand *e, int trouble)
{
    const int from[FD_COUNT] = {e->message, open("/dev/null", O_WRONLY | O_CLOEXEC), e->errors, trouble};
    int moved[FD_COUNT];

    for (int i = 0; i < FD_COUNT; i++)
        if ((moved[i] = fcntl(from[i], F_DUPFD, FD_COUNT)) < 0)
            return false;
    for (int i = 0; i < FD_COUNT; i++)
        if (dup2(moved[i], i) < 0)
            return false;
    return fcntl(FD_TROUBLE, F_SETFD, FD_CLOEXEC) == 0 && close_range(FD_COUNT, ~0U, 0) == 0;
}

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool limit(int resource, rlim_t most)
{
    struct rlimit r;

    if (getrlimit((__rlimit_resource_t)resource, &r) != 0)
        return false;
    if (r.rlim_max == RLIM_INFINITY || most < r.rlim_max)
        r.rlim_max = most;
    r.rlim_cur = r.rlim_max;
    return setrlimit((__rlimit_resource_t)resource, &r) == 0;
}

static bool set_limits(bool is_pipe, const struct launch_rules *rules)
{
    bool ok = limit(RLIMIT_CPU, (rlim_t)(rules->timeout_ms / 1000 + 1));

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        ok = ok && limit(limits[i].resource, is_pipe ? limits[i].pipe : limits[i].lda);
    /* It counts all processes and threads of a user. */
    if (is_pipe && rules->pipe_user.changes && !rules->shares_user)
        ok = ok && limit(RLIMIT_NPROC, (rlim_t)(PROCESSES_ALWAYS + PROCESSES_EACH * rules->concurrency));
    return ok;
}

static void add_variable(struct buf *to, const char *name, struct str value)
{
    buf_add_text(to, name);
    buf_add_byte(to, '=');
    launch_clean(to, value);
    buf_add_byte(to, '\0');
}

/* Looks for a program without a slash as a shell would; never runs what has no format by one. */
static void execute_found(struct str program, char *const *argv, char *const *environment)
{
    struct str rest = STR(SEARCH_PATH), folder;
    char path[ERRAND_SIZE + sizeof SEARCH_PATH];
    int reason = ENOENT;

    while (str_cut(&rest, ':', &folder)) {
        snprintf(path, sizeof path, "%.*s/%.*s", STR_ARG(folder), STR_ARG(program));
        execve(path, argv, environment);
        if (errno != ENOENT && errno != ENOTDIR)
            reason = errno;
    }
    errno = reason;
}

/* What a command finds in its environment; made before the limits, which the program that we still are may have passed already. */
struct setting {
    struct buf variables[3];
    char path[sizeof "PATH=" SEARCH_PATH];
    char *environment[5];
};

static void make_setting(struct setting *s, const struct errand *e)
{
    *s = (struct setting){.path = "PATH=" SEARCH_PATH};
    add_variable(&s->variables[0], "SENDER", e->sender);
    add_variable(&s->variables[1], "RECIPIENT", e->recipient);
    add_variable(&s->variables[2], "ORIGINAL_RECIPIENT", e->original);
    s->environment[0] = s->path;
    for (int i = 0; i < 3; i++)
        s->environment[i + 1] = s->variables[i].data;
}

static void execute_pipe(const struct errand *e, struct setting *s)
{
    const char *argv[ERRAND_WORDS + 1] = {NULL};

    for (size_t i = 0; i < e->count; i++)
        argv[i] = e->words[i].data;
    if (str_has(e->words[0], '/'))
        execve(e->words[0].data, (char *const *)argv, s->environment);
    else
        execute_found(e->words[0], (char *const *)argv, s->environment);
}

/* RFC 5321's words come behind the option they belong to, so none of them can be taken for one. */
static void execute_lda(const struct errand *e, const char *program)
{
    const char *argv[] = {program, "-e", "-f", e->sender.data, "-a", e->original.data, "-d", e->recipient.data, NULL};
    char path[] = "PATH=" SEARCH_PATH, *environment[] = {path, NULL};

    execve(program, (char *const *)argv, environment);
}

/* Returns only when it fails. */
static void become_command(const struct errand *e, const struct launch_rules *rules, pid_t parent)
{
    const bool is_pipe = e->kind == ERRAND_PIPE;
    const struct person *person = is_pipe ? &rules->pipe_user : &rules->lda_user;
    struct setting setting;

    make_setting(&setting, e);
    umask(077);
    reset_signals();
    if (setsid() < 0 || chdir("/") != 0 || !set_limits(is_pipe, rules) || !person_become(person))
        return;
    /* Changing the user forgets it. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        return;
    if (is_pipe)
        execute_pipe(e, &setting);
    else
        execute_lda(e, rules->lda);
}

static void tell(int trouble)
{
    const int reason = errno;

    (void)!write(trouble, &reason, sizeof reason);
    _exit(NEVER_STARTED);
}

pid_t launch_start(const struct errand *e, const struct launch_rules *rules, int *trouble)
{
    pid_t parent = getpid(), pid;
    int ends[2], reason;

    *trouble = -1;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        if (!place_descriptors(e, ends[1]))
            tell(ends[1]);
        become_command(e, rules, parent);
        tell(FD_TROUBLE);
    }
    reason = errno;
    close(ends[1]);
    *trouble = ends[0];
    if (pid < 0)
        launch_trouble(trouble);
    errno = reason;
    return pid;
}

int launch_trouble(int *trouble)
{
    int reason = 0;

    if (*trouble < 0)
        return 0;
    if (read(*trouble, &reason, sizeof reason) != (ssize_t)sizeof reason)
        reason = 0;
    close(*trouble);
    *trouble = -1;
    return reason;
}
