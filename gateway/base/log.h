/*
 * log - one line an event: time, level, process, event, then key=value pairs.
 *
 * Build a line on the stack and send it:
 *     struct log_line line;
 *     log_begin(&line, LOG_LEVEL_INFO, "queued");
 *     log_str(&line, "session", id);
 *     log_end(&line);
 * Values may come from anywhere: bytes that could start a new line, end the value or confuse a terminal are escaped (logfmt: quotes and
 * \xNN; JSON: RFC 8259).  A value is cut at LOG_VALUE_SIZE bytes as written, a line at LOG_LINE_SIZE.  One write(2) a line, so lines of
 * threads and processes never mix.  The destination is chosen once by log_open and is, beside the stop descriptor, the only state that the
 * process shares; before log_open lines go to standard error.  A destination that cannot take a line loses it: mail goes on.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/status.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

enum { LOG_LINE_SIZE = 4096, LOG_VALUE_SIZE = 1024 };

struct log_line {
    enum log_level level;
    bool muted;
    size_t length;
    char text[LOG_LINE_SIZE];
};

/* DESTINATION is `stdout`, `syslog`, `journal` or a folder, where current.log is appended to.  INHERITED is that file as the parent opened
 * it, with rights that this process may not have; -1: open it here.  False with the reason in ERROR. */
bool log_open(const char *destination, int inherited, enum log_format format, bool debug, const char *process, char *error, size_t error_size);
int log_fd(void); /* of the file, to be inherited */
bool log_debug_enabled(void);

void log_begin(struct log_line *l, enum log_level level, const char *event);
void log_str(struct log_line *l, const char *key, struct str value);
void log_text(struct log_line *l, const char *key, const char *value);
void log_number(struct log_line *l, const char *key, int64_t value);
void log_status(struct log_line *l, const struct status *s); /* reply=550 status=5.1.1 reason="…" */
void log_end(struct log_line *l);

/* A line with nothing but an event and a message. */
void log_message(enum log_level level, const char *event, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
