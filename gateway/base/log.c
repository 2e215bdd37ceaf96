#include "base/log.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/* Room that stays for what closes a value and a line; the longest escape. */
enum { END_SIZE = 8, ESCAPE_SIZE = 8, KEY_SIZE = 64 };

enum destination { TO_FILE, TO_SYSLOG, TO_JOURNAL };

static struct {
    enum destination destination;
    enum log_format format;
    bool debug;
    int fd;
    char process[32];
} output = {.destination = TO_FILE, .fd = STDERR_FILENO, .process = "tmail"};

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const int level_priorities[] = {LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};

/* The journal's native protocol (systemd: JOURNAL_NATIVE_PROTOCOL) is one datagram of KEY=value lines; a library for that is not worth
 * what it brings into a process that faces the network. */
static int open_journal(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        fd = -1;
    }
    return fd;
}

static int open_folder(const char *folder)
{
    char path[1024];

    if ((size_t)snprintf(path, sizeof path, "%s/current.log", folder) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
}

bool log_open(const char *destination, int inherited, enum log_format format, bool debug, const char *process, char *error, size_t error_size)
{
    int fd = -1;
    enum destination kind = TO_FILE;

    if (strcmp(destination, "stdout") == 0) {
        fd = STDOUT_FILENO;
    } else if (strcmp(destination, "syslog") == 0) {
        openlog("tmail", LOG_PID, LOG_MAIL);
        kind = TO_SYSLOG;
    } else if (strcmp(destination, "journal") == 0) {
        fd = open_journal();
        kind = TO_JOURNAL;
    } else {
        fd = inherited >= 0 ? inherited : open_folder(destination);
    }
    if (fd < 0 && kind != TO_SYSLOG) {
        snprintf(error, error_size, "cannot log to %s: %s", destination, strerror(errno));
        return false;
    }
    if (output.fd > STDERR_FILENO && output.fd != fd)
        close(output.fd);
    output.destination = kind;
    output.format = format;
    output.debug = debug;
    output.fd = fd;
    snprintf(output.process, sizeof output.process, "%s", process);
    return true;
}

int log_fd(void)
{
    return output.fd;
}

bool log_debug_enabled(void)
{
    return output.debug;
}

static void put(struct log_line *l, const char *text, size_t length)
{
    size_t room = sizeof l->text - END_SIZE - l->length;

    if (length > room)
        length = room;
    memcpy(l->text + l->length, text, length);
    l->length += length;
}

static void put_text(struct log_line *l, const char *text)
{
    put(l, text, strlen(text));
}

static void put_key(struct log_line *l, const char *key)
{
    if (output.format == LOG_FORMAT_JSON) {
        put_text(l, l->length > 1 ? ",\"" : "\"");
        put_text(l, key);
        put_text(l, "\":");
    } else {
        if (l->length > 0)
            put_text(l, " ");
        put_text(l, key);
        put_text(l, "=");
    }
}

/* A control character of Unicode's second set, U+0080 to U+009F: some terminals obey them like ESC sequences. */
static bool is_c1(struct str s, size_t i)
{
    return i + 1 < s.length && (unsigned char)s.data[i] == 0xc2 && (unsigned char)s.data[i + 1] < 0xa0;
}

static bool is_continuation(struct str s, size_t i)
{
    return i < s.length && ((unsigned char)s.data[i] & 0xc0) == 0x80;
}

/* At most LOG_VALUE_SIZE bytes, and no character by half. */
static struct str cut(struct str value)
{
    size_t length = LOG_VALUE_SIZE;

    while (length > 0 && is_continuation(value, length))
        length--;
    return str_part(value, 0, length);
}

static bool has_room(const struct log_line *l, size_t size)
{
    return l->length + size + END_SIZE < sizeof l->text;
}

/* Well-formed UTF-8 passes as it is; of anything else every byte over 127 is escaped. */
static void put_escaped(struct log_line *l, struct str value, bool ascii_only)
{
    size_t end = l->length + LOG_VALUE_SIZE;

    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];
        char text[ESCAPE_SIZE];
        bool c1 = !ascii_only && is_c1(value, i);

        if ((ascii_only || !is_continuation(value, i)) && (l->length + ESCAPE_SIZE > end || !has_room(l, ESCAPE_SIZE)))
            return;

        if (c1)
            c = (unsigned char)value.data[++i];
        if (c == '"' || c == '\\')
            snprintf(text, sizeof text, "\\%c", c);
        else if (c < 32 || c == 127 || c1 || (ascii_only && c > 127))
            snprintf(text, sizeof text, output.format == LOG_FORMAT_JSON ? "\\u%04x" : "\\x%02x", c);
        else
            snprintf(text, sizeof text, "%c", c);
        put_text(l, text);
    }
}

static bool is_plain(struct str value)
{
    if (value.length == 0)
        return false;
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 127)
            return false;
    }
    return true;
}

void log_begin(struct log_line *l, enum log_level level, const char *event)
{
    char time[CLOCK_TEXT_SIZE];

    l->level = level;
    l->length = 0;
    l->muted = level == LOG_LEVEL_DEBUG && !output.debug;
    if (l->muted)
        return;
    if (output.format == LOG_FORMAT_JSON)
        put_text(l, "{");
    if (output.destination == TO_FILE) {
        clock_text(clock_wall(), time);
        log_text(l, "time", time);
    }
    log_text(l, "level", level_names[level]);
    log_text(l, "process", output.process);
    log_text(l, "event", event);
}

void log_str(struct log_line *l, const char *key, struct str value)
{
    if (l->muted || !has_room(l, KEY_SIZE))
        return;
    value = cut(value);
    put_key(l, key);
    if (output.format == LOG_FORMAT_LOGFMT && is_plain(value)) {
        put(l, value.data, value.length);
        return;
    }
    put_text(l, "\"");
    put_escaped(l, value, !str_is_utf8(value));
    put_text(l, "\"");
}

void log_text(struct log_line *l, const char *key, const char *value)
{
    log_str(l, key, str_of(value));
}

void log_number(struct log_line *l, const char *key, int64_t value)
{
    char text[24];

    if (l->muted || !has_room(l, KEY_SIZE))
        return;
    snprintf(text, sizeof text, "%" PRId64, value);
    put_key(l, key);
    put_text(l, text);
}

void log_status(struct log_line *l, const struct status *s)
{
    char enhanced[STATUS_ENHANCED_SIZE];

    log_number(l, "reply", s->code);
    status_enhanced(s, enhanced);
    if (s->class != 0)
        log_str(l, "status", str_trim(str_of(enhanced)));
    log_text(l, "reason", s->text);
}

static void send_to_journal(const struct log_line *l)
{
    char datagram[LOG_LINE_SIZE + 128];
    int length = snprintf(datagram, sizeof datagram, "PRIORITY=%d\nSYSLOG_IDENTIFIER=tmail\nMESSAGE=%.*s\n", level_priorities[l->level],
                          (int)l->length, l->text);

    if (length > 0)
        (void)!send(output.fd, datagram, (size_t)length, MSG_NOSIGNAL);
}

void log_end(struct log_line *l)
{
    if (l->muted)
        return;
    if (output.format == LOG_FORMAT_JSON)
        l->text[l->length++] = '}';
    switch (output.destination) {
    case TO_SYSLOG:
        syslog(level_priorities[l->level], "%.*s", (int)l->length, l->text);
        break;
    case TO_JOURNAL:
        send_to_journal(l);
        break;
    case TO_FILE:
        l->text[l->length++] = '\n';
        (void)!write(output.fd, l->text, l->length);
        break;
    }
}

void log_message(enum log_level level, const char *event, const char *format, ...)
{
    struct log_line l;
    char text[LOG_VALUE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    log_begin(&l, level, event);
    log_text(&l, "message", text);
    log_end(&l);
}
