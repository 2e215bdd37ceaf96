#include "transfer/command.h"

#include "base/clock.h"
#include "base/stop.h"
#include "message/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SEND_MS = 30000,  /* for the parent to take an errand */
    GRACE_MS = 15000, /* beyond TMAIL_LOCAL_TIMEOUT, for the parent's word that it is over */
    PIECE = 4096,
};

/* An errand under way, this side's ends of it. */
struct watch {
    int result, errors; /* -1: closed */
    int64_t deadline;
    int64_t said; /* octets on standard error */
    struct last_line line;
};

/* What it said */

static void keep_line(struct last_line *l)
{
    struct str line = str_trim((struct str){l->line, l->length});
    bool utf8;

    for (int i = 0; l->cut && i < 3 && !str_is_utf8(line); i++)
        line.length--; /* a character that was cut */
    utf8 = str_is_utf8(line);
    l->length = 0;
    l->cut = false;
    if (line.length == 0)
        return;
    for (size_t i = 0; i < line.length; i++) {
        unsigned char c = (unsigned char)line.data[i];

        l->reason[i] = c < 32 || c == 127 || (c > 127 && !utf8) ? '?' : line.data[i];
    }
    l->reason[line.length] = '\0';
}

void last_line_take(struct last_line *l, struct str text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];

        if (c == '\n' || c == '\r')
            keep_line(l);
        else if (l->length + 1 < sizeof l->line)
            l->line[l->length++] = c;
        else
            l->cut = true;
    }
}

void last_line_end(struct last_line *l)
{
    keep_line(l);
}

static void close_at(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* A piece of what is there; false when there is nothing now.  Who floods us is left alone. */
static bool read_errors(struct watch *w)
{
    char piece[PIECE];
    ssize_t n = w->errors >= 0 ? read(w->errors, piece, sizeof piece) : -1;

    if (n > 0) {
        last_line_take(&w->line, (struct str){piece, (size_t)n});
        w->said += n;
    }
    if (n == 0 || w->said > COMMAND_ERRORS_MOST)
        close_at(&w->errors);
    return n > 0;
}

/* Sending */

struct ends {
    int errors[2], result[2]; /* ours, theirs */
};

static bool open_ends(struct ends *e)
{
    *e = (struct ends){{-1, -1}, {-1, -1}};
    if (pipe2(e->errors, O_CLOEXEC) != 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, e->result) != 0)
        return false;
    return fcntl(e->errors[0], F_SETFL, O_NONBLOCK) == 0; /* the other end stays as commands know it */
}

static const char *reason_text(int reason)
{
    const char *text = strerrordesc_np(reason);

    return text != NULL ? text : "unknown error";
}

static struct status cannot_ask(const char *who, int reason)
{
    return status_make(451, "4.3.0", "%s cannot be run: %s", who, reason_text(reason));
}

static struct status send_errand(const struct command_means *means, struct errand *errand, const char *who, struct watch *w)
{
    struct status s = status_ok();
    struct ends ends;

    if (open_ends(&ends)) {
        errand->errors = ends.errors[1];
        errand->result = ends.result[1];
        if (!errand_send(means->errands, errand, clock_earlier(clock_now() + SEND_MS, stop_deadline())))
            s = cannot_ask(who, errno);
    } else {
        s = cannot_ask(who, errno);
    }
    close_at(&ends.errors[1]);
    close_at(&ends.result[1]);
    w->errors = ends.errors[0];
    w->result = ends.result[0];
    return s;
}

/* Its end */

static struct status ended(const char *who, int wait_status, struct command_end *end)
{
    const char *signal = WIFSIGNALED(wait_status) ? sigdescr_np(WTERMSIG(wait_status)) : NULL;

    if (WIFSIGNALED(wait_status))
        return status_make(451, "4.3.0", "%s was killed by signal %d (%s)%s%s", who, WTERMSIG(wait_status),
                           signal != NULL ? signal : "unknown", end->reason[0] != '\0' ? ": " : "", end->reason);
    end->exit_status = WEXITSTATUS(wait_status);
    return status_ok();
}

static struct status judge(const struct command_means *means, const struct errand *errand, const char *who, const struct errand_result *r,
                           struct command_end *end)
{
    const char *lda_user = means->conf->dovecot_lda_user[0] != '\0' ? "TMAIL_DOVECOT_LDA_USER" : "TMAIL_USER";
    char span[CLOCK_SPAN_SIZE];

    switch ((enum errand_end)r->end) {
    case ERRAND_ENDED:
        return ended(who, r->detail, end);
    case ERRAND_TIMED_OUT:
        clock_span(means->conf->local_timeout / 1000, span);
        return status_make(451, "4.3.0", "%s did not end within %s (TMAIL_LOCAL_TIMEOUT) and was killed%s%s", who, span,
                           end->reason[0] != '\0' ? ": " : "", end->reason);
    case ERRAND_NOT_STARTED:
        return status_make(451, "4.3.5", "%s cannot be run: %s", who, reason_text(r->detail));
    case ERRAND_NOBODY:
        return status_make(451, "4.3.5", "%s cannot be run: %s is no user of this host, or one with all rights", who,
                           errand->kind == ERRAND_PIPE ? "TMAIL_PIPE_USER" : lda_user);
    case ERRAND_BUSY:
        return status_make(451, "4.3.2", "%s was not run: as many commands as TMAIL_DELIVERD_LOCAL_CONCURRENCY allows are running", who);
    default:
        return status_make(451, "4.3.0", "%s cannot be run: the parent process does not understand us: tmail needs a restart", who);
    }
}

/* Until the result is there: true; or there is none, or no more time: false. */
static bool wait_for_result(struct watch *w, struct errand_result *result)
{
    for (;;) {
        struct pollfd p[3] = {
            {.fd = w->result, .events = POLLIN}, {.fd = w->errors, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};
        int64_t until = clock_earlier(w->deadline, stop_deadline());

        poll(p, 3, clock_poll_timeout(until));
        if (p[0].revents != 0)
            return errand_hear(w->result, result);
        if (clock_now() >= until)
            return false;
        if (p[1].revents != 0)
            read_errors(w);
    }
}

static struct status gave_up(const char *who, const struct watch *w)
{
    if (clock_now() >= stop_deadline())
        return status_make(451, "4.3.2", "%s had not ended when tmail stopped", who);
    if (clock_now() >= w->deadline)
        return status_make(451, "4.3.0", "%s did not end, and could not be killed", who);
    return status_make(451, "4.3.0", "%s was not waited for: the parent process has ended", who);
}

static struct status wait_for_end(const struct command_means *means, const struct errand *errand, const char *who, struct watch *w,
                                  struct command_end *end)
{
    struct errand_result result;

    w->deadline = clock_now() + means->conf->local_timeout + GRACE_MS;
    if (!wait_for_result(w, &result))
        return gave_up(who, w);
    while (read_errors(w)) /* what it said before it ended */
        ;
    last_line_end(&w->line);
    memcpy(end->reason, w->line.reason, sizeof end->reason);
    return judge(means, errand, who, &result, end);
}

/* The message */

static void add_line_safe(struct buf *to, struct str text)
{
    for (size_t i = 0; i < text.length; i++)
        buf_add_byte(to, str_has_control(str_part(text, i, 1)) ? '?' : text.data[i]);
}

static int copy_mail(const struct command_means *means, const struct command_mail *mail, struct status *why)
{
    struct buf fields = {0};
    struct handover h = {.tempdir = means->conf->tempdir, .content = mail->content, .body = mail->body};
    int fd;

    buf_add_text(&fields, "Return-Path: <");
    add_line_safe(&fields, mail->sender);
    buf_add_text(&fields, ">\r\n");
    buf_add(&fields, mail->fields);
    h.fields = buf_str(&fields);
    fd = handover_open(&h, why);
    buf_done(&fields);
    return fd;
}

struct status command_run(const struct command_means *means, const struct command_mail *mail, struct errand *errand, const char *who,
                          struct command_end *end)
{
    struct watch w = {.result = -1, .errors = -1};
    struct status s;

    *end = (struct command_end){.exit_status = -1};
    if (means->errands < 0)
        return status_make(451, "4.3.5", "%s cannot be run: the parent process is of an earlier version: tmail needs a restart", who);
    errand->sender = mail->sender;
    errand->original = mail->original;
    errand->message = copy_mail(means, mail, &s);
    if (errand->message < 0)
        return s;
    s = send_errand(means, errand, who, &w);
    close_at(&errand->message);
    if (status_is_ok(&s))
        s = wait_for_end(means, errand, who, &w, end);
    close_at(&w.result);
    close_at(&w.errors);
    return s;
}
