#include "smtpd/session.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "smtp/line.h"
#include "smtp/reply.h"
#include "smtpd/verbs.h"

#include <stdio.h>
#include <string.h>

enum phase { PHASE_NEW = 1, PHASE_IDLE = 2, PHASE_MAIL = 4, PHASE_RCPT = 8, PHASE_CHUNK = 16, PHASE_ANY = 31 };
enum argument { ARGUMENT_NONE, ARGUMENT_OPTIONAL, ARGUMENT_NEEDED };

struct verb {
    const char *name;
    unsigned phases;
    enum argument argument;
    void (*run)(struct session *s, struct str argument);
    const char *syntax;
};

/* MAIL before HELO is legal unless TMAIL_RFC_HELO_MANDATORY says otherwise: verb_mail knows. */
static const struct verb verbs[] = {
    {"HELO", PHASE_ANY, ARGUMENT_NEEDED, verb_helo, "HELO host"},
    {"EHLO", PHASE_ANY, ARGUMENT_NEEDED, verb_ehlo, "EHLO host"},
    {"STARTTLS", PHASE_NEW | PHASE_IDLE, ARGUMENT_NONE, verb_starttls, "STARTTLS"},
    {"AUTH", PHASE_NEW | PHASE_IDLE, ARGUMENT_NEEDED, verb_auth, "AUTH mechanism [initial-response]"},
    {"MAIL", PHASE_NEW | PHASE_IDLE, ARGUMENT_NEEDED, verb_mail, "MAIL FROM:<address> [parameters]"},
    {"RCPT", PHASE_MAIL | PHASE_RCPT, ARGUMENT_NEEDED, verb_rcpt, "RCPT TO:<address> [parameters]"},
    {"DATA", PHASE_RCPT, ARGUMENT_NONE, verb_data, "DATA"},
    {"BDAT", PHASE_RCPT | PHASE_CHUNK, ARGUMENT_OPTIONAL, verb_bdat, "BDAT octets [LAST]"},
    {"RSET", PHASE_ANY, ARGUMENT_NONE, verb_rset, "RSET"},
    {"NOOP", PHASE_ANY, ARGUMENT_OPTIONAL, verb_noop, "NOOP"},
    {"VRFY", PHASE_ANY, ARGUMENT_NEEDED, verb_vrfy, "VRFY address"},
    {"HELP", PHASE_ANY, ARGUMENT_OPTIONAL, verb_help, "HELP"},
    {"QUIT", PHASE_ANY, ARGUMENT_NONE, verb_quit, "QUIT"},
};

/* How long a client may take to notice that we closed. */
enum { GOODBYE_MS = 1000 };

enum { VERB_COUNT = sizeof verbs / sizeof verbs[0] };

static void log_dialogue(const struct session *s, const char *direction, struct str line)
{
    struct log_line l;

    if (!log_debug_enabled())
        return;
    log_begin(&l, LOG_LEVEL_DEBUG, "dialogue");
    log_text(&l, "session", s->id);
    log_text(&l, "direction", direction);
    log_str(&l, "line", line);
    log_end(&l);
}

void session_log_masked(const struct session *s, const char *direction)
{
    log_dialogue(s, direction, STR("(a line of the login, not shown)"));
}

bool session_offers_tls(const struct session *s)
{
    return !s->has_tls && atomic_load(&s->smtpd->has_certificates);
}

void session_reply_status(struct session *s, const struct status *status)
{
    char text[STATUS_TEXT_SIZE + 32], enhanced[STATUS_ENHANCED_SIZE];

    reply_put(&s->stream, status);
    if (log_debug_enabled()) {
        status_enhanced(status, enhanced);
        snprintf(text, sizeof text, "%d %s%s", status->code, enhanced, status->text);
        log_dialogue(s, "out", str_of(text));
    }
}

static struct status vstatus(int code, const char *enhanced, const char *format, va_list args) __attribute__((format(printf, 3, 0)));

static struct status vstatus(int code, const char *enhanced, const char *format, va_list args)
{
    char text[STATUS_TEXT_SIZE];

    vsnprintf(text, sizeof text, format, args);
    return status_make(code, enhanced, "%s", text);
}

void session_reply(struct session *s, int code, const char *enhanced, const char *format, ...)
{
    struct status status;
    va_list args;

    va_start(args, format);
    status = vstatus(code, enhanced, format, args);
    va_end(args);
    session_reply_status(s, &status);
}

void session_error(struct session *s, int code, const char *enhanced, const char *format, ...)
{
    struct status status;
    va_list args;

    va_start(args, format);
    status = vstatus(code, enhanced, format, args);
    va_end(args);
    s->errors++;
    session_reply_status(s, &status);
}

void session_reply_more(struct session *s, int code, const char *format, ...)
{
    char line[STATUS_TEXT_SIZE];
    va_list args;
    int length = snprintf(line, sizeof line, "%03d-", code);

    va_start(args, format);
    vsnprintf(line + length, sizeof line - (size_t)length, format, args);
    va_end(args);
    stream_put(&s->stream, str_of(line));
    stream_put(&s->stream, STR("\r\n"));
    log_dialogue(s, "out", str_of(line));
}

void session_refuse(struct session *s, const char *verb, const struct status *status)
{
    struct log_line l;

    session_reply_status(s, status);
    log_begin(&l, LOG_LEVEL_INFO, "refused");
    log_text(&l, "session", s->id);
    log_text(&l, "client", s->client);
    log_text(&l, "verb", verb);
    if (s->transaction != NULL)
        log_str(&l, "sender", s->transaction->envelope.sender);
    log_status(&l, status);
    log_end(&l);
}

void session_end(struct session *s, const char *why)
{
    if (s->ended == NULL)
        s->ended = why;
}

void session_end_transaction(struct session *s)
{
    transaction_end(&s->transaction);
}

void session_end_by_fault(struct session *s)
{
    const struct conf *conf = s->smtpd->conf;
    enum stream_fault fault = s->stream.fault;

    session_end(s, stream_fault_text(&s->stream));
    if (fault != STREAM_TIMEOUT && fault != STREAM_STOPPED)
        return;
    /* The stream has failed for input; what is said now goes straight into the socket's buffer, or nowhere. */
    s->stream.fault = STREAM_FINE;
    s->stream.deadline = clock_now();
    if (fault == STREAM_STOPPED)
        session_reply(s, 421, "4.3.2", "Service stopping, try again");
    else if (s->transaction != NULL && s->transaction->has_body && clock_now() >= s->transaction->deadline)
        session_reply(s, 421, "4.4.2", "Message took too long (limit %llds)", (long long)(conf->smtpd_data_timeout / 1000));
    else
        session_reply(s, 421, "4.4.2", "Timeout, no sign of life for %llds", (long long)(conf->smtpd_server_timeout / 1000));
    stream_flush(&s->stream);
    s->stream.fault = fault;
}

static enum phase phase_of(const struct session *s)
{
    const struct transaction *t = s->transaction;

    if (t == NULL)
        return s->greeted ? PHASE_IDLE : PHASE_NEW;
    if (t->has_body)
        return PHASE_CHUNK;
    return t->envelope.recipient_count > 0 ? PHASE_RCPT : PHASE_MAIL;
}

static const struct verb *find_verb(struct str name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (str_equal_nocase(name, str_of(verbs[i].name)))
            return &verbs[i];
    return NULL;
}

void verbs_list(struct session *s)
{
    char names[128] = "";

    for (size_t i = 0; i < VERB_COUNT; i++) {
        size_t length = strlen(names);

        snprintf(names + length, sizeof names - length, " %s", verbs[i].name);
    }
    session_reply_more(s, 214, "2.0.0 Commands:%s", names);
    session_reply(s, 214, "2.0.0", "End of HELP");
}

/* Why VERB may not run now; the same words for the same cause, whatever the verb. */
static struct status out_of_order(const struct session *s, const struct verb *verb)
{
    const struct transaction *t = s->transaction;

    if (t == NULL)
        return status_make(503, "5.5.1", "%s needs MAIL first", verb->name);
    if (t->has_body)
        return status_make(503, "5.5.1", "%s cannot follow BDAT, finish it or send RSET", verb->name);
    if (verb->run == verb_starttls || verb->run == verb_auth)
        return status_make(503, "5.5.1", "%s cannot be given within a transaction, send RSET first", verb->name);
    if (verb->run == verb_mail)
        return status_make(503, "5.5.1", "MAIL was given already, send RSET to start again");
    if (t->refused_recipients)
        return status_make(554, "5.5.1", "No valid recipients");
    return status_make(503, "5.5.1", "%s needs RCPT first", verb->name);
}

static void run_verb(struct session *s, const struct verb *verb, struct str argument)
{
    if ((verb->phases & phase_of(s)) == 0) {
        struct status status = out_of_order(s, verb);

        /* What a client pipelined behind a refused MAIL or chunk is no error of its own (RFC 2920 section 3.1). */
        s->errors += status.code == 503 && !s->follows_refusal;
        if (verb->run == verb_bdat)
            verb_bdat_refused(s, argument, &status);
        else
            session_reply_status(s, &status);
    } else if ((verb->argument == ARGUMENT_NONE && argument.length > 0) || (verb->argument == ARGUMENT_NEEDED && argument.length == 0)) {
        session_error(s, 501, "5.5.4", "Syntax: %s", verb->syntax);
    } else {
        verb->run(s, argument);
    }
}

/* A BDAT that cannot be read has octets behind it that would be taken for commands. */
static bool loses_step(struct session *s, struct str line)
{
    if (!str_starts_nocase(str_trim(line), STR("BDAT")))
        return false;
    session_reply(s, 421, "4.5.4", "Syntax: BDAT octets [LAST]; cannot stay in step without a size");
    session_end(s, "BDAT without a size");
    return true;
}

static void run_line(struct session *s, struct str line)
{
    size_t space;
    const struct verb *verb;

    while (line.length > 0 && (line.data[line.length - 1] == ' ' || line.data[line.length - 1] == '\t'))
        line.length--; /* RFC 5321 section 4.1.1: trailing white space is tolerated */
    space = str_find(line, ' ', 0);
    verb = find_verb(str_part(line, 0, space));
    if ((verb == NULL || str_has_control(line)) && loses_step(s, line))
        return;
    if (str_has_control(line))
        session_error(s, 500, "5.5.2", "Control character in command");
    else if (verb != NULL)
        run_verb(s, verb, str_trim(str_from(line, space)));
    else if (str_equal_nocase(str_part(line, 0, space), STR("EXPN")) || str_equal_nocase(str_part(line, 0, space), STR("TURN")))
        session_error(s, 502, "5.5.1", "Command not implemented");
    else
        session_error(s, 500, "5.5.1", "Command unknown");
}

/* All that a line with a bare LF holds is answered, none of it executed: a client that lets others write into its lines must not
 * execute their commands (RFC 5321 section 2.3.8). */
static void refuse_bare_lf(struct session *s, struct str line, bool line_ends)
{
    bool first = !s->poisoned;

    s->poisoned = !line_ends;
    if (first && loses_step(s, line))
        return;
    session_error(s, 500, "5.5.2", "Bare LF, command lines end with CR LF (netcat: -C)");
}

static void check_limits(struct session *s)
{
    const struct conf *conf = s->smtpd->conf;

    if (s->ended != NULL)
        return;
    if (s->errors >= conf->smtpd_max_errors) {
        session_reply(s, 421, "4.7.0", "Too many errors (limit %lld)", (long long)conf->smtpd_max_errors);
        session_end(s, "too many errors");
    } else if (s->commands >= conf->smtpd_max_commands) {
        session_reply(s, 421, "4.7.0", "Too many commands without a message (limit %lld)", (long long)conf->smtpd_max_commands);
        session_end(s, "too many commands");
    } else if (conf->smtp_max_bad_rcpt > 0 && s->unknown_recipients > conf->smtp_max_bad_rcpt) {
        session_reply(s, 421, "4.7.0", "Too many unknown recipients (limit %lld)", (long long)conf->smtp_max_bad_rcpt);
        session_end(s, "too many unknown recipients");
    }
}

/* RFC 4954 section 4: AUTH with an initial response may be longer than other commands. */
static size_t longest_line(const struct conf *conf)
{
    return conf->smtpd_max_command_length > AUTH_LINE_MAX ? (size_t)conf->smtpd_max_command_length : AUTH_LINE_MAX;
}

static bool is_login(struct str line)
{
    return str_starts_nocase(line, STR("AUTH "));
}

static bool is_too_long(const struct session *s, struct str line)
{
    return (int64_t)line.length + 2 > s->smtpd->conf->smtpd_max_command_length && !is_login(line);
}

static void refuse_long_line(struct session *s, struct str line)
{
    s->poisoned = false;
    if (is_login(line))
        session_error(s, 500, "5.5.6", "Authentication line too long (limit %d octets)", AUTH_LINE_MAX);
    else if (!loses_step(s, line))
        session_error(s, 500, "5.5.2", "Command line too long (limit %lld octets)", (long long)s->smtpd->conf->smtpd_max_command_length);
}

/* Behind the mechanism stands what may be a password; and so may a line that is no command, where AUTH was refused and the client goes on
 * all the same. */
static void log_command(struct session *s, struct str line)
{
    struct str rest = str_trim(line), word = {NULL, 0}, mechanism;
    bool is_command;

    if (!log_debug_enabled())
        return;
    str_cut_any(&rest, " \t", &word);
    is_command = find_verb(word) != NULL;
    if (s->masked && !is_command) {
        session_log_masked(s, "in");
        return;
    }
    s->masked = str_equal_nocase(word, STR("AUTH")) || (s->masked && !is_command);
    if (s->masked && str_cut_any(&rest, " \t", &mechanism))
        line = str_part(line, 0, (size_t)(mechanism.data - line.data) + mechanism.length);
    log_dialogue(s, "in", line);
}

static void next_command(struct session *s)
{
    const struct conf *conf = s->smtpd->conf;
    struct str line;

    s->stream.heed_stop = s->transaction == NULL;
    s->stream.deadline = clock_now() + conf->smtpd_server_timeout;
    if (s->transaction != NULL && s->transaction->has_body)
        s->stream.deadline = clock_earlier(s->stream.deadline, s->transaction->deadline);
    s->commands++; /* an accepted message starts the count again */
    if (s->stream.heed_stop && stop_seen()) {
        s->stream.fault = STREAM_STOPPED;
        session_end_by_fault(s);
        return;
    }
    switch (line_read(&s->stream, longest_line(conf), &line)) {
    case LINE_READ:
        log_command(s, line);
        if (is_too_long(s, line))
            refuse_long_line(s, line);
        else if (s->poisoned)
            refuse_bare_lf(s, line, true);
        else
            run_line(s, line);
        break;
    case LINE_BARE_LF:
        log_command(s, line);
        refuse_bare_lf(s, line, false);
        break;
    case LINE_TOO_LONG:
        refuse_long_line(s, line);
        break;
    case LINE_ENDLESS:
        session_reply(s, 421, "4.7.0", "Line without end");
        session_end(s, "line without end");
        break;
    case LINE_FAULT:
        session_end_by_fault(s);
        return;
    }
    check_limits(s);
}

static void log_connect(struct session *s)
{
    char listener[ADDRESS_TEXT_SIZE];
    struct log_line l;

    address_text_port(&s->stream.local, listener);
    log_begin(&l, LOG_LEVEL_INFO, "connect");
    log_text(&l, "session", s->id);
    log_text(&l, "client", s->client);
    if (s->client_name[0] != '\0')
        log_text(&l, "name", s->client_name);
    log_number(&l, "port", s->stream.peer.port);
    log_text(&l, "listener", listener);
    if (s->listener->tls)
        log_text(&l, "tls", "from the first byte");
    log_end(&l);
}

static void log_disconnect(struct session *s)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_INFO, "disconnect");
    log_text(&l, "session", s->id);
    log_text(&l, "client", s->client);
    log_number(&l, "messages", s->messages);
    log_text(&l, "reason", s->ended);
    log_end(&l);
}

static void converse(struct session *s)
{
    const struct conf *conf = s->smtpd->conf;

    session_reply(s, 220, "", "%s %sESMTP %s", conf->me, conf->hide_server_signature ? "" : " tmail ", s->id);
    while (s->ended == NULL)
        next_command(s);
}

void session_run(const struct smtpd *smtpd, const struct listener_spec *listener, int fd, const struct address *peer)
{
    struct session s = {.smtpd = smtpd, .listener = listener};

    stream_init(&s.stream, fd, peer);
    address_text(peer, s.client);
    session_id_new(s.id);
    session_find_name(&s);
    log_connect(&s);
    if (!listener->tls || session_start_tls(&s))
        converse(&s);
    stream_finish(&s.stream, clock_now() + GOODBYE_MS);
    session_end_transaction(&s);
    log_disconnect(&s);
    stream_done(&s.stream);
}
