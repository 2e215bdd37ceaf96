#include "transfer/dialogue.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>

static void log_dialogue(const struct client *c, const char *direction, const char *text)
{
    struct log_line l;
    char peer[ADDRESS_TEXT_SIZE];

    if (!log_debug_enabled())
        return;
    address_text_port(&c->stream.peer, peer);
    log_begin(&l, LOG_LEVEL_DEBUG, "dialogue");
    log_text(&l, "peer", peer);
    log_text(&l, "direction", direction);
    log_text(&l, "line", text);
    log_end(&l);
}

struct status dialogue_give_up(struct client *c, struct status why)
{
    c->broken = true;
    c->failure = why;
    return why;
}

bool dialogue_is_in_step(struct client *c)
{
    if (c->broken || c->expected > 0)
        return !c->broken;
    switch (stream_look(&c->stream)) {
    case STREAM_QUIET:
        return true;
    case STREAM_SAYS:
        dialogue_give_up(c, status_make(451, "4.5.0", "The server said something that it was not asked"));
        break;
    case STREAM_GONE:
        dialogue_give_up(c, status_make(451, "4.4.2", "The server has closed the connection"));
        break;
    }
    return false;
}

void dialogue_put_secret(struct client *c, struct str line, const char *shown)
{
    if (!dialogue_is_in_step(c))
        return;
    c->expected++;
    log_dialogue(c, "out", shown);
    stream_put(&c->stream, line);
    stream_put(&c->stream, STR("\r\n"));
}

void dialogue_put(struct client *c, const char *format, ...)
{
    char line[2048];
    va_list args;
    int length;

    if (!dialogue_is_in_step(c))
        return;
    c->expected++;
    va_start(args, format);
    length = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= sizeof line) {
        dialogue_give_up(c, status_make(554, "5.6.0", "Address or parameter too long to be sent")); /* none that we took is */
        return;
    }
    log_dialogue(c, "out", line);
    stream_put(&c->stream, (struct str){line, (size_t)length});
    stream_put(&c->stream, STR("\r\n"));
}

/* RFC 3463 section 2: the class is that of the reply, whatever the server wrote. */
static void complete_enhanced(struct status *s)
{
    short class = (short)(s->code / 100);

    if (s->class == class)
        return;
    s->class = class;
    s->subject = s->detail = 0;
    s->coined = true;
    if (class == 3)
        s->class = 0;
}

static struct status no_reply(const struct client *c, enum reply_result result, const char *to)
{
    if (result == REPLY_MALFORMED)
        return status_make(451, "4.5.0", "Malformed reply to %s", to);
    if (result == REPLY_TOO_BIG)
        return status_make(451, "4.5.0", "Reply to %s is too big", to);
    if (c->stream.fault == STREAM_STOPPED)
        return status_make(451, "4.3.2", "Stopping, the reply to %s was not awaited", to);
    return status_make(451, c->stream.fault == STREAM_TIMEOUT ? "4.4.1" : "4.4.2", "Waiting for the reply to %s: %s", to,
                       stream_fault_text(&c->stream));
}

struct status dialogue_read(struct client *c, const char *to, int64_t timeout, reply_line each, void *context)
{
    struct status s;
    enum reply_result result;
    char text[STATUS_TEXT_SIZE + 16];

    if (c->broken)
        return c->failure;
    c->stream.deadline = clock_now() + timeout;
    c->expected--;
    stream_flush(&c->stream);
    result = reply_read(&c->stream, &s, each, context);
    if (result == REPLY_READ) {
        snprintf(text, sizeof text, "%d %s", s.code, c->masked ? "(words of the login, not shown)" : s.text);
        log_dialogue(c, "in", text);
        c->answered = c->answered || s.code != 421;
        complete_enhanced(&s);
    } else {
        s = no_reply(c, result, to);
    }
    return result == REPLY_READ && s.code != 421 ? s : dialogue_give_up(c, s);
}

struct status dialogue_command(struct client *c, const char *name)
{
    return dialogue_read(c, name, c->timeout, NULL, NULL);
}
