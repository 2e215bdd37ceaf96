#include "child.h"

#include "admin/command.h"
#include "admin/identity.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"
#include "conf/listeners.h"
#include "deliverd/deliverd.h"
#include "smtpd/smtpd.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Where a child finds what it inherits.  deliverd has its errands where smtpd has the first listener: parent and child may be of two
 * versions, and one that knows nothing of errands gives none, or does not look at them. */
enum { FD_CONTROL = 3, FD_CONF = 4, FD_LOG = 5, FD_LISTENERS = 6, FD_ERRANDS = FD_LISTENERS, FD_FIXED = FD_LISTENERS - FD_CONTROL };
enum { ARENAS_MOST = 4 };

static const char *const role_names[CHILD_ROLES] = {"smtpd", "deliverd"};

const char *child_role_name(enum child_role role)
{
    return role_names[role];
}

static int conf_file(const struct conf *conf)
{
    struct buf text = {0};
    int fd = memfd_create("tmail-conf", MFD_CLOEXEC);

    conf_write(conf, &text);
    if (fd >= 0 && (write(fd, text.data, text.length) != (ssize_t)text.length || lseek(fd, 0, SEEK_SET) != 0)) {
        close(fd);
        fd = -1;
    }
    buf_done(&text);
    return fd;
}

/* Moves FROM[i] to descriptor FD_CONTROL + i and lets nothing else be inherited.  They are first moved out of each other's way. */
static bool place_descriptors(const int *from, int count)
{
    int moved[LISTENERS_MAX + FD_FIXED];

    for (int i = 0; i < count; i++)
        if ((moved[i] = fcntl(from[i], F_DUPFD, FD_CONTROL + count)) < 0)
            return false;
    for (int i = 0; i < count; i++)
        if (dup2(moved[i], FD_CONTROL + i) < 0)
            return false;
    return close_range((unsigned)(FD_CONTROL + count), ~0U, 0) == 0;
}

static const char *program_path(void)
{
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    static const char deleted[] = " (deleted)"; /* the file was replaced: the new one is wanted */

    if (length <= 0)
        return NULL;
    path[length] = '\0';
    if (str_ends(str_of(path), str_of(deleted)))
        path[(size_t)length - strlen(deleted)] = '\0';
    return path;
}

static void execute(enum child_role role, const int *inherited, int count)
{
    char title[32], word[] = "child", name[16], number[16];
    char *argv[] = {title, word, name, number, NULL};
    const char *path = program_path();
    sigset_t none;

    snprintf(name, sizeof name, "%s", role_names[role]);
    snprintf(title, sizeof title, "tmail: %s", role_names[role]);
    snprintf(number, sizeof number, "%d", count - FD_FIXED);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (path != NULL && place_descriptors(inherited, count))
        execv(path, argv);
    _exit(71);
}

static void close_pair(int ends[2])
{
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

static bool open_pairs(enum child_role role, int control[2], int errands[2])
{
    errands[0] = errands[1] = -1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0)
        return false;
    if (role != CHILD_DELIVERD || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, errands) == 0)
        return true;
    close_pair(control);
    return false;
}

pid_t child_start(enum child_role role, const struct conf *conf, int certificates, const int *listeners, size_t count, int *control,
                  int *errands)
{
    int inherited[LISTENERS_MAX + FD_FIXED], ends[2], errand_ends[2], number = FD_FIXED;
    pid_t pid;

    if (!open_pairs(role, ends, errand_ends))
        return -1;
    inherited[0] = ends[1];
    inherited[1] = conf_file(conf);
    inherited[2] = log_fd() >= 0 ? log_fd() : STDERR_FILENO;
    for (size_t i = 0; i < count && number < LISTENERS_MAX + FD_FIXED; i++)
        inherited[number++] = listeners[i];
    if (errand_ends[1] >= 0)
        inherited[number++] = errand_ends[1];
    if (certificates >= 0)
        stop_tell(ends[0], 'F', certificates);
    pid = inherited[1] >= 0 ? fork() : -1;
    if (pid == 0)
        execute(role, inherited, number);
    *control = pid < 0 ? -1 : ends[0];
    *errands = pid < 0 ? -1 : errand_ends[0];
    if (pid >= 0)
        ends[0] = errand_ends[0] = -1;
    close_pair(ends);
    close_pair(errand_ends);
    if (inherited[1] >= 0)
        close(inherited[1]);
    return pid;
}

/* The parent tells a child when to stop; a signal to the whole group (Ctrl-C, a service manager) is the parent's to answer. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
}

static int run_role(enum child_role role, const struct conf *conf, int listener_count)
{
    int listeners[LISTENERS_MAX];

    for (int i = 0; i < listener_count; i++) {
        listeners[i] = FD_LISTENERS + i;
        fcntl(listeners[i], F_SETFD, FD_CLOEXEC);
    }
    if (role == CHILD_SMTPD)
        return smtpd_run(conf, listeners, (size_t)listener_count);
    return deliverd_run(conf, listener_count > 0 ? FD_ERRANDS : -1);
}

static int be_child(enum child_role role, int listener_count)
{
    static struct conf conf; /* the process's own, to its end */
    struct conf_errors errors = {0};
    char error[IDENTITY_ERROR_SIZE];

    if (!conf_read(&conf, FD_CONF, &errors)) {
        fprintf(stderr, "%s", buf_text(&errors.lines));
        return EXIT_CONFIG;
    }
    close(FD_CONF);
    if (!identity_become(&conf, error, sizeof error)) {
        fprintf(stderr, "tmail: %s: %s\n", role_names[role], error);
        return EXIT_CONFIG;
    }
    if (!log_open(conf.logpath, FD_LOG, conf.log_format, conf.debug_enabled, role_names[role], error, sizeof error)) {
        fprintf(stderr, "tmail: %s: %s\n", role_names[role], error);
        return EXIT_CONFIG;
    }
    if (!stop_open(FD_CONTROL, conf.stop_timeout))
        return EXIT_FAILED;
    return run_role(role, &conf, listener_count);
}

int child_main(int argc, char **argv)
{
    uint64_t count;
    int role = 0;

    while (argc == 4 && role < CHILD_ROLES && strcmp(argv[2], role_names[role]) != 0)
        role++;
    if (argc != 4 || role == CHILD_ROLES || !str_number(str_of(argv[3]), LISTENERS_MAX, &count) || fcntl(FD_CONTROL, F_GETFD) < 0) {
        fprintf(stderr, "tmail child: only `tmail run` starts this\n");
        return EXIT_USAGE;
    }
    ignore_signals();
    file_raise_limit();
    mallopt(M_ARENA_MAX, ARENAS_MOST); /* one an each thread would keep what sessions left behind */
    setenv("TZ", ":/etc/localtime", 0); /* else the C library looks at that file for every date */
    fcntl(FD_CONTROL, F_SETFD, FD_CLOEXEC);
    fcntl(FD_CONF, F_SETFD, FD_CLOEXEC);
    fcntl(FD_LOG, F_SETFD, FD_CLOEXEC);
    /* Threads of sessions may still run: no destructors, no atexit. */
    _exit(be_child((enum child_role)role, (int)count));
}
