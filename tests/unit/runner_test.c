/* The parent's side in a process of its own, as parent.c has it, and deliverd's side here. */
#include "test.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/stop.h"
#include "base/thread.h"
#include "dovecot/lda.h"
#include "runner.h"
#include "transfer/pipe.h"

#include "place.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PATIENCE_MS = 60000, LONG_MS = 3600000 };

static struct place place;
static struct conf conf;
static struct command_means means = {.conf = &conf, .errands = -1};
static pid_t parent = -1;

/* The parent */

static int take_child_deaths(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void bury_all(struct runner *r)
{
    siginfo_t dead = {0};

    while (waitid(P_ALL, 0, &dead, WEXITED | WNOHANG | WNOWAIT) == 0 && dead.si_pid > 0) {
        if (!runner_bury(r, dead.si_pid))
            waitpid(dead.si_pid, NULL, 0);
        dead.si_pid = 0;
    }
}

/* Until it is killed, or told by SIGTERM that all is over. */
static void be_parent(int socket)
{
    struct runner *r = runner_new();
    struct pollfd p[2] = {{.fd = take_child_deaths(), .events = POLLIN}, {.fd = runner_fd(r), .events = POLLIN}};
    struct signalfd_siginfo info = {0};

    runner_serve(r, socket, &conf);
    while (info.ssi_signo != SIGTERM) {
        poll(p, 2, clock_poll_timeout(runner_deadline(r)));
        if (read(p[0].fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGCHLD)
            bury_all(r);
        runner_work(r);
    }
    runner_free(&r);
    _exit(0);
}

static void start_parent(void)
{
    sigset_t set, before;
    int ends[2];

    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, &before); /* it may be told to end before it listens */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 || (parent = fork()) < 0) {
        perror("parent");
        exit(1);
    }
    if (parent == 0) {
        close(ends[1]);
        be_parent(ends[0]);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[0]);
    means.errands = ends[1];
}

static int signal_parent(int number)
{
    int status;

    kill(parent, number);
    waitpid(parent, &status, 0);
    parent = -1;
    return status;
}

static void forget_parent(void)
{
    close(means.errands);
    means.errands = -1;
}

/* Commands */

/* A script at NAME, for everybody to run; the path is in memory that stays. */
static const char *script(const char *name, const char *text)
{
    static char path[256];
    int fd;

    snprintf(path, sizeof path, "%s", place_path(&place, name));
    fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0755);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        perror(path);
        exit(1);
    }
    close(fd);
    chmod(path, 0755);
    return path;
}

/* What a script leaves in FILE. */
static const char *left(const char *file)
{
    static struct buf text;

    buf_clear(&text);
    if (!file_read(place_path(&place, file), &text))
        return "(nothing)";
    return buf_text(&text);
}

static struct recipient recipient = {.number = 1};

static struct command_mail mail_of(const char *content)
{
    return (struct command_mail){.recipient = &recipient, .sender = STR("a@client.example"), .original = STR("orig@local.example"),
                                 .content = str_of(content), .size = (int64_t)strlen(content)};
}

static const char letter[] = "Return-Path: <forged@x>\r\nSubject: x\r\n\r\nHello.\r\n";

static struct status run(const char *command)
{
    const struct command_mail mail = mail_of(letter);

    return pipe_deliver(&means, &mail, str_of(command));
}

/* PATH, with nothing behind it. */
static struct status run_script(const char *name, const char *text)
{
    return run(script(name, text));
}

static void check_status(struct status s, int code, const char *enhanced, const char *part)
{
    char text[STATUS_ENHANCED_SIZE];

    status_enhanced(&s, text);
    check_number(s.code, code);
    check_number(strncmp(text, enhanced, strlen(enhanced)), 0);
    check_has(s.text, part);
}

/* Scripts hold a lock of this file as long as they, or what they left running, live. */
static const char hold[] = "import fcntl, os, sys, time, signal, subprocess\n"
                           "folder = os.path.dirname(os.path.abspath(sys.argv[0]))\n"
                           "lock = open(folder + '/lock', 'a')\n"
                           "fcntl.flock(lock, fcntl.LOCK_SH)\n"
                           "os.set_inheritable(lock.fileno(), True)\n"
                           "def mark(): open(folder + '/running', 'w').close()\n";

static const char *python(const char *name, const char *text)
{
    struct buf all = {0};
    const char *path;

    buf_add_text(&all, "#!/usr/bin/python3\n");
    buf_add_text(&all, hold);
    buf_add_text(&all, text);
    path = script(name, buf_text(&all));
    buf_done(&all);
    return path;
}

/* Nothing that holds the lock is left. */
static void check_all_gone(void)
{
    int fd = open(place_path(&place, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    int64_t deadline = clock_now() + PATIENCE_MS;

    while (flock(fd, LOCK_EX | LOCK_NB) != 0 && clock_now() < deadline)
        poll(NULL, 0, 5);
    check(clock_now() < deadline);
    close(fd);
}

static bool await_file(const char *name)
{
    int64_t deadline = clock_now() + PATIENCE_MS;

    while (access(place_path(&place, name), F_OK) != 0 && clock_now() < deadline)
        poll(NULL, 0, 5);
    return clock_now() < deadline;
}

static void prepare(void)
{
    static const char *const files[] = {"lock", "running", "out", "facts"};

    for (size_t i = 0; i < TEST_COUNT(files); i++)
        unlink(place_path(&place, files[i]));
    recipient.address = STR("alias@local.example");
    close(open(place_path(&place, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
    chmod(place_path(&place, "lock"), 0666);
    conf = (struct conf){.tempdir = place.folder, .pipe_user = "nobody", .user = geteuid() == 0 ? "daemon" : "", .dovecot_lda_user = "",
                         .dovecot_lda = "/nowhere/dovecot-lda", .local_timeout = LONG_MS, .deliverd_local_concurrency = 50};
}

static void begin(void)
{
    prepare();
    start_parent();
}

static void end(void)
{
    int status = signal_parent(SIGTERM);

    check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    forget_parent();
    check_all_gone();
}

/* What commands see */

static const char facts[] = "import pwd, resource\n"
                            "out = open(folder + '/facts', 'w')\n"
                            "def put(name, value): out.write('%s=%s\\n' % (name, value))\n"
                            "def is_open(fd):\n"
                            "    try: os.fstat(fd)\n"
                            "    except OSError: return False\n"
                            "    return fd not in (lock.fileno(), out.fileno())\n"
                            "put('fds', [fd for fd in range(0, 1024) if is_open(fd)])\n"
                            "put('stdout', os.readlink('/proc/self/fd/1'))\n"
                            "put('stderr', os.readlink('/proc/self/fd/2').split(':')[0])\n"
                            "put('argv', [os.fsencode(word) for word in sys.argv[1:]])\n"
                            "for name in sorted(set(os.environ) - {'LC_CTYPE'}): put('env', name + '=' + os.environ[name])\n"
                            "put('cwd', os.getcwd())\n"
                            "old = os.umask(0); os.umask(old)\n"
                            "put('umask', oct(old))\n"
                            "put('leads', (os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()))\n"
                            "put('ids', len(set(os.getresuid())) == 1 and len(set(os.getresgid())) == 1)\n"
                            "put('user', os.getuid())\n"
                            "put('groups', sorted(set(os.getgroups()) | {os.getgid()}))\n"
                            "status = dict(line.rstrip('\\n').split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)\n"
                            "put('signals', int(status['SigBlk'], 16))\n"
                            "put('hup', signal.getsignal(signal.SIGHUP) == signal.SIG_DFL)\n"
                            "put('core', resource.getrlimit(resource.RLIMIT_CORE))\n"
                            "put('nproc', resource.getrlimit(resource.RLIMIT_NPROC)[0] > 0)\n"
                            "put('cpu', resource.getrlimit(resource.RLIMIT_CPU))\n"
                            "put('files', resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 1024)\n"
                            "put('stdin', sys.stdin.buffer.read())\n"
                            "out.close()\n";

static void check_identity(const char *seen, const char *name)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(name) : getpwuid(geteuid());
    char line[64];

    snprintf(line, sizeof line, "\nuser=%d\n", (int)user->pw_uid);
    check_has(seen, line);
    check_has(seen, "\nids=True\n");
    if (geteuid() != 0)
        return;
    snprintf(line, sizeof line, "\ngroups=[%d]\n", (int)user->pw_gid);
    check_has(seen, line);
}

static void check_surroundings(const char *seen)
{
    check_has(seen, "fds=[0, 1, 2]\n");
    check_has(seen, "\nstdout=/dev/null\n");
    check_has(seen, "\nstderr=pipe\n");
    check_has(seen, "\ncwd=/\n");
    check_has(seen, "\numask=0o77\n");
    check_has(seen, "\nleads=(True, True)\n");
    check_has(seen, "\nsignals=0\n");
    check_has(seen, "\nhup=True\n");
    check_has(seen, "\ncore=(0, 0)\n");
    check_has(seen, "\ncpu=(3601, 3601)\n");
    check_has(seen, "\nfiles=True\n");
}

static void a_pipe_sees_what_it_may(void)
{
    char command[512];
    const char *seen;
    struct status s;

    setenv("TMAIL_SECRET", "hidden", 1);
    begin();
    snprintf(command, sizeof command, "%s -x 'a b' \"it's\" ''", python("facts.py", facts));
    s = run(command);
    check_status(s, 250, "2.0.0", "took it");
    seen = left("facts");
    check_surroundings(seen);
    check_identity(seen, "nobody");
    check_has(seen, "\nargv=[b'-x', b'a b', b\"it's\", b'']\n");
    check_has(seen, "\nenv=ORIGINAL_RECIPIENT=orig@local.example\nenv=PATH=/usr/local/bin:/usr/bin:/bin\n"
                    "env=RECIPIENT=alias@local.example\nenv=SENDER=a@client.example\ncwd");
    check_has(seen, "\nstdin=b'Return-Path: <a@client.example>\\nSubject: x\\n\\nHello.\\n'\n");
    end();
    unsetenv("TMAIL_SECRET");
}

static void dovecot_lda_sees_what_it_may(void)
{
    struct command_mail mail;
    const char *seen;
    struct status s;

    prepare();
    conf.dovecot_lda = python("lda.py", facts);
    start_parent();
    mail = mail_of(letter);
    mail.sender = (struct str){0};
    mail.original = STR("-oX/x@local.example");
    s = lda_deliver(&means, &mail, STR("user@local.example"));
    check_status(s, 250, "2.0.0", "took it");
    seen = left("facts");
    check_surroundings(seen);
    check_identity(seen, "daemon");
    check_has(seen, "\nargv=[b'-e', b'-f', b'', b'-a', b'-oX/x@local.example', b'-d', b'user@local.example']\n");
    check_has(seen, "\nenv=PATH=/usr/local/bin:/usr/bin:/bin\ncwd");
    check_has(seen, "\nstdin=b'Return-Path: <>\\nDelivered-To: user@local.example\\nSubject: x\\n\\nHello.\\n'\n");
    mail.original = STR("a b\n\xff@local.example");
    check_number(lda_deliver(&means, &mail, STR("user@local.example")).code, 250);
    check_has(left("facts"), "b'-a', b'alias@local.example', b'-d', b'user@local.example']\n");
    recipient.address = STR("caf\xc3\xa9@local.example");
    check_number(lda_deliver(&means, &mail, STR("caf\xc3\xa9@local.example")).code, 250);
    check_has(left("facts"), "b'-a', b'caf__@local.example', b'-d', b'caf\\xc3\\xa9@local.example']\n");
    end();
}

static void mail_that_came_back_is_refused(void)
{
    struct command_mail mail = mail_of("Delivered-To: <User@Local.Example>\r\nSubject: x\r\n\r\n");

    begin();
    check_status(lda_deliver(&means, &mail, STR("user@local.example")), 554, "5.4.6", "loop");
    check_status(lda_deliver(&means, &mail, STR("other@local.example")), 451, "4.3.5", "No such file");
    end();
}

static void hostile_words_arrive_as_they_are(void)
{
    static const char *const words[] = {"-rf", "--", "a b", "'", "\"", "a\nb", "\xff\xfe", "$(id)", "`id`", ";", "../..", ""};
    struct errand errand = {.kind = ERRAND_PIPE, .recipient = STR("-o\n$x`'\"\xff y@local.example"), .count = 1};
    struct command_mail mail = mail_of(letter);
    struct command_end ending;
    struct status s;

    begin();
    errand.words[0] = str_of(python("facts.py", facts));
    for (size_t i = 0; i < TEST_COUNT(words); i++)
        errand.words[errand.count++] = str_of(words[i]);
    mail.sender = STR("caf\xc3\xa9@x.example");
    s = command_run(&means, &mail, &errand, "it", &ending);
    check_number(s.code, 250);
    check_number(ending.exit_status, 0);
    check_has(left("facts"), "\nargv=[b'-rf', b'--', b'a b', b\"'\", b'\"', b'a\\nb', b'\\xff\\xfe', b'$(id)', b'`id`', b';', b'../..', b'']\n");
    check_has(left("facts"), "\nenv=RECIPIENT=_o__x_____y@local.example\n");
    check_has(left("facts"), "\nenv=SENDER=caf__@x.example\n");
    end();
}

static void a_large_message_is_read_from_its_start(void)
{
    struct command_mail mail = mail_of("");
    struct body body;

    begin();
    body_init(&body, place.folder);
    body_append(&body, STR("Subject: x\r\n\r\n"));
    while (body.size < 3 * BODY_MEMORY_MAX)
        body_append(&body, STR("0123456789\r\n"));
    mail.body = &body;
    check_status(pipe_deliver(&means, &mail, str_of(python("count.py", "data = sys.stdin.buffer.read()\n"
                                                                       "print(len(data), data[:14], data.count(b'\\n'), file=sys.stderr)\n"
                                                                       "sys.exit(75)\n"))),
                 451, "4.3.0", "b'Return-Path: <'");
    body_done(&body);
    end();
}

/* How they end */

static void exit_statuses_become_statuses(void)
{
    static const struct {
        int exit_status, pipe, lda;
        const char *pipe_enhanced, *lda_enhanced;
    } table[] = {
        {0, 250, 250, "2.0.0", "2.0.0"},  {1, 451, 451, "4.3.0", "4.3.0"},  {4, 451, 451, "4.3.0", "4.3.0"},  {5, 550, 451, "5.7.1", "4.3.0"},
        {64, 451, 451, "4.3.5", "4.3.5"}, {65, 451, 451, "4.6.0", "4.6.0"}, {67, 550, 550, "5.1.1", "5.1.1"}, {73, 451, 451, "4.3.0", "4.3.0"},
        {75, 451, 451, "4.3.0", "4.3.0"}, {77, 550, 550, "5.7.1", "5.7.1"}, {78, 451, 451, "4.3.5", "4.3.5"}, {127, 451, 451, "4.3.0", "4.3.0"},
        {255, 451, 451, "4.3.0", "4.3.0"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        check_status(pipe_status(table[i].exit_status, ""), table[i].pipe, table[i].pipe_enhanced, "");
        check_status(lda_status(table[i].exit_status, ""), table[i].lda, table[i].lda_enhanced, "");
    }
    check_status(lda_status(77, "Error: Quota exceeded (mailbox for user is full)"), 552, "5.2.2", "Quota exceeded");
    check_status(lda_status(77, "not wanted"), 550, "5.7.1", "dovecot-lda: not wanted (exit status 77)");
    check_status(pipe_status(77, "over quota"), 550, "5.7.1", "over quota");
    check_status(lda_status(75, "Quota exceeded"), 451, "4.3.0", "Quota exceeded");
}

static void the_last_line_of_standard_error_is_the_reason(void)
{
    begin();
    check_status(run_script("exit", "#!/bin/sh\necho first >&2; echo noise; printf 'the \\033[1mreason\\t\\n\\n  \\r\\n' >&2; exit 5\n"), 550, "5.7.1",
                 "the alias's command: the ?[1mreason (exit status 5)");
    check_status(run_script("exit", "#!/bin/sh\nprintf 'without an end' >&2; exit 67\n"), 550, "5.1.1", "without an end (exit status 67)");
    check_status(run_script("exit", "#!/bin/sh\nprintf 'caf\\351\\n' >&2; exit 75\n"), 451, "4.3.0", "caf? (exit");
    check_status(run_script("exit", "#!/bin/sh\nprintf 'caf\\303\\251\\n' >&2; exit 75\n"), 451, "4.3.0", "caf\xc3\xa9 (exit");
    check_status(run(python("long.py", "sys.stderr.buffer.write(b'x' + b'\\xc3\\xa9' * 400 + b'\\n'); sys.exit(75)\n")), 451, "4.3.0",
                 "\xc3\xa9\xc3\xa9 (exit");
    check_status(run_script("exit", "#!/bin/sh\necho only here; exit 1\n"), 451, "4.3.0", "exit status 1: which means nothing known");
    check_status(run_script("exit", "#!/bin/sh\necho dying >&2; kill -9 $$\n"), 451, "4.3.0", "killed by signal 9 (Killed): dying");
    end();
}

static void what_cannot_be_run_waits_and_says_why(void)
{
    char path[256];

    begin();
    check_status(run("/nowhere/at/all"), 451, "4.3.5", "No such file or directory");
    check_status(run("tmail-has-no-such-program"), 451, "4.3.5", "No such file or directory");
    snprintf(path, sizeof path, "%s", script("no-format", "echo x\n"));
    check_status(run(path), 451, "4.3.5", "Exec format error");
    chmod(path, 0644);
    check_status(run(path), 451, "4.3.5", "Permission denied");
    check_status(run("/tmp"), 451, "4.3.5", "Permission denied");
    check_status(run("sh 'x"), 451, "4.3.5", "a quote is not closed");
    check_status(run("true"), 250, "2.0.0", "took it"); /* found in PATH */
    end();
}

static void nobody_to_run_as_is_told_with_the_key(void)
{
    prepare();
    conf.pipe_user = "tmail-has-no-such-user";
    start_parent();
    if (geteuid() == 0)
        check_status(run("true"), 451, "4.3.5", "TMAIL_PIPE_USER");
    else
        check_status(run("true"), 250, "2.0.0", "");
    end();
    prepare();
    conf.pipe_user = "root";
    start_parent();
    if (geteuid() == 0)
        check_status(run("true"), 451, "4.3.5", "TMAIL_PIPE_USER");
    end();
}

static void without_a_parent_that_runs_commands_they_wait(void)
{
    prepare();
    check_status(run("true"), 451, "4.3.5", "restart");
}

/* Commands that do not behave */

static void who_does_not_read_is_no_trouble(void)
{
    struct command_mail mail = mail_of("");
    struct body body;

    begin();
    body_init(&body, place.folder);
    while (body.size < (4 << 20))
        body_append(&body, STR("0123456789012345678901234567890123456789\r\n"));
    mail.body = &body;
    check_status(pipe_deliver(&means, &mail, STR("true")), 250, "2.0.0", "");
    body_done(&body);
    end();
}

static void who_does_not_end_is_killed_with_all_of_its_group(void)
{
    prepare();
    conf.local_timeout = 1000;
    start_parent();
    check_status(run(python("endless.py", "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                                          "subprocess.Popen(['sleep', '3600'], close_fds=False)\n"
                                          "print('still here', file=sys.stderr, flush=True)\n"
                                          "time.sleep(3600)\n")),
                 451, "4.3.0", "did not end within 1s (TMAIL_LOCAL_TIMEOUT) and was killed");
    check_all_gone();
    end();
}

static void what_is_left_running_is_killed_and_holds_nothing_up(void)
{
    begin();
    check_status(run(python("leaves.py", "subprocess.Popen(['sleep', '3600'], close_fds=False)\n"
                                         "print('gone', file=sys.stderr, flush=True)\n"
                                         "sys.exit(75)\n")),
                 451, "4.3.0", "gone (exit status 75)");
    check_all_gone();
    end();
}

/* Endless output to nowhere is a matter of time; on standard error, of SIGPIPE at last. */
static void a_flood_drowns_nobody(void)
{
    begin();
    check_status(run(python("flood.py", "for i in range(3000): sys.stderr.write('x' * 1000 + '\\n'); sys.stdout.write('y' * 1000)\n"
                                        "print('the end', file=sys.stderr)\nsys.exit(75)\n")),
                 451, "4.3.0", "the end (exit status 75)");
    check_status(run_script("yes", "#!/bin/sh\nexec yes >&2\n"), 451, "4.3.0", "killed by signal 13 (Broken pipe): y");
    end();
    prepare();
    conf.local_timeout = 1000;
    start_parent();
    check_status(run("yes"), 451, "4.3.0", "was killed");
    end();
}

/* Everything has its limits */

struct runs {
    struct lock lock;
    struct signal changed;
    int running;
    int busy, done;
};

static void run_held(void *argument)
{
    struct runs *runs = argument;
    char path[256];
    struct status s;

    snprintf(path, sizeof path, "%s/held.py", place.folder);
    s = run(path);
    lock_take(&runs->lock);
    runs->running--;
    runs->busy += s.subject == 3 && s.detail == 2;
    runs->done += status_is_ok(&s);
    signal_all(&runs->changed);
    lock_release(&runs->lock);
}

/* Waits until COUNT have ended; the lock is held. */
static void await_rest(struct runs *runs, int rest)
{
    int64_t deadline = clock_now() + PATIENCE_MS;

    while (runs->running > rest && signal_wait(&runs->changed, &runs->lock, deadline))
        ;
    check(runs->running <= rest);
}

static void more_than_may_run_are_told_to_come_again(void)
{
    enum { ALLOWED = 4 + 2 + 16, ALL = 30 };
    struct runs runs = {.running = ALL};

    prepare();
    conf.deliverd_local_concurrency = 4;
    start_parent();
    script("held.py", "#!/bin/sh\nuntil [ -e \"${0%/*}/go\" ]; do sleep 0.02; done\n");
    lock_init(&runs.lock);
    signal_init(&runs.changed);
    for (int i = 0; i < ALL; i++)
        check(thread_start(run_held, &runs));
    lock_take(&runs.lock);
    await_rest(&runs, ALLOWED);
    check_number(runs.busy, ALL - ALLOWED);
    lock_release(&runs.lock);
    close(open(place_path(&place, "go"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    lock_take(&runs.lock);
    await_rest(&runs, 0);
    check_number(runs.done, ALLOWED);
    lock_release(&runs.lock);
    check_status(run("true"), 250, "2.0.0", "");
    unlink(place_path(&place, "go"));
    end();
}

static int parent_descriptors(void)
{
    char path[64];
    int count = 0;

    for (int fd = 0; fd < 256; fd++) {
        struct stat s;

        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)parent, fd);
        count += lstat(path, &s) == 0;
    }
    return count;
}

static void nothing_stays_open_in_the_parent(void)
{
    int64_t deadline;
    int before;

    begin();
    check_status(run("true"), 250, "2.0.0", "");
    check_status(run("/nowhere"), 451, "4.3.5", "");
    before = parent_descriptors();
    for (int i = 0; i < 20; i++) {
        check(send(means.errands, "nonsense", 8, MSG_NOSIGNAL) == 8);
        check_status(run(i % 2 ? "true" : "/nowhere"), i % 2 ? 250 : 451, "", "");
    }
    deadline = clock_now() + PATIENCE_MS;
    while (parent_descriptors() > before && clock_now() < deadline)
        poll(NULL, 0, 5); /* it tells first, and closes then */
    check(parent_descriptors() <= before);
    end();
}

/* Who waits */

static const char sleeper[] = "mark()\ntime.sleep(3600)\n";

/* Sends an errand for SCRIPT by hand; returns our end for the result. */
static int send_by_hand(const char *path)
{
    struct errand e = {.kind = ERRAND_PIPE, .recipient = STR("a@b"), .count = 1, .words = {str_of(path)}};
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    e.message = open("/dev/null", O_RDONLY | O_CLOEXEC);
    e.errors = open("/dev/null", O_WRONLY | O_CLOEXEC);
    e.result = pair[1];
    check(errand_send(means.errands, &e, clock_now() + PATIENCE_MS));
    errand_close(&e);
    return pair[0];
}

static void what_nobody_waits_for_is_killed(void)
{
    int result;

    begin();
    result = send_by_hand(python("sleeper.py", sleeper));
    check(await_file("running"));
    close(result);
    check_all_gone();
    check_status(run("true"), 250, "2.0.0", "");
    end();
}

/* Its last errands die with it. */
static void who_sends_and_is_gone_is_forgotten(void)
{
    int result;

    begin();
    result = send_by_hand(python("sleeper.py", sleeper));
    check(await_file("running"));
    shutdown(means.errands, SHUT_RDWR);
    close(result);
    check_all_gone();
    end();
}

static void the_end_of_the_parent_is_the_end_of_its_commands(void)
{
    struct runs runs = {.running = 1};

    begin();
    lock_init(&runs.lock);
    signal_init(&runs.changed);
    python("held.py", sleeper);
    check(thread_start(run_held, &runs));
    check(await_file("running"));
    signal_parent(SIGKILL);
    lock_take(&runs.lock);
    await_rest(&runs, 0);
    lock_release(&runs.lock);
    forget_parent();
    check_number(runs.done, 0);
    check_all_gone();
}

static void a_stop_of_the_parent_kills_what_runs(void)
{
    int result;

    begin();
    result = send_by_hand(python("sleeper.py", sleeper));
    check(await_file("running"));
    end();
    close(result);
}

/* Last: a stop cannot be taken back. */
static void a_stop_gives_a_command_the_grace(void)
{
    int ours, control;

    begin();
    pair_open(&ours, &control);
    check(stop_open(control, 500));
    stop_begin();
    check_status(run(python("sleeper.py", sleeper)), 451, "4.3.2", "had not ended when tmail stopped");
    check_all_gone();
    end();
}

static const struct test_case cases[] = {
    TEST_CASE(a_pipe_sees_what_it_may),
    TEST_CASE(dovecot_lda_sees_what_it_may),
    TEST_CASE(mail_that_came_back_is_refused),
    TEST_CASE(hostile_words_arrive_as_they_are),
    TEST_CASE(a_large_message_is_read_from_its_start),
    TEST_CASE(exit_statuses_become_statuses),
    TEST_CASE(the_last_line_of_standard_error_is_the_reason),
    TEST_CASE(what_cannot_be_run_waits_and_says_why),
    TEST_CASE(nobody_to_run_as_is_told_with_the_key),
    TEST_CASE(without_a_parent_that_runs_commands_they_wait),
    TEST_CASE(who_does_not_read_is_no_trouble),
    TEST_CASE(who_does_not_end_is_killed_with_all_of_its_group),
    TEST_CASE(what_is_left_running_is_killed_and_holds_nothing_up),
    TEST_CASE(a_flood_drowns_nobody),
    TEST_CASE(more_than_may_run_are_told_to_come_again),
    TEST_CASE(nothing_stays_open_in_the_parent),
    TEST_CASE(what_nobody_waits_for_is_killed),
    TEST_CASE(who_sends_and_is_gone_is_forgotten),
    TEST_CASE(the_end_of_the_parent_is_the_end_of_its_commands),
    TEST_CASE(a_stop_of_the_parent_kills_what_runs),
    TEST_CASE(a_stop_gives_a_command_the_grace),
};

int main(int argc, char **argv)
{
    const gid_t groups[] = {0, 4242};
    int status;

    if (geteuid() == 0 && setgroups(2, groups) != 0) /* which no command may have */
        perror("setgroups");
    place_open(&place);
    chmod(place.folder, 0777);
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    place_close(&place);
    return status;
}
