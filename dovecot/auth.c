#include "dovecot/auth.h"

#include "base/memory.h"
#include "net/stream.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Dovecot's own bound of what it reads, and of what it is allowed to send: words and values, and one piece of base64. */
enum { SAID_MOST = 16384, LINE_MOST = 8192 + (9216 + 2) / 3 * 4, LINES_MOST = 1000, REASON_SIZE = 256, MINOR_SECURED_TLS = 2 };

static const struct str base64_letters = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", 65};

enum state {
    IDLE,   /* between exchanges */
    ASKED,  /* a response is due */
    PROVEN, /* logged in, and the client has to say that it heard what came along with that */
    BROKEN,
};

struct dovecot_auth {
    struct stream stream;
    enum state state;
    bool has_version, is_ready;
    uint64_t minor;
    struct dovecot_mechanism mechanisms[DOVECOT_MECHANISMS];
    size_t mechanism_count;
    uint32_t id;
    char login[DOVECOT_LOGIN], reason[REASON_SIZE];
};

/* What the parameters of a reply say, as far as we know them. */
struct verdict {
    char login[DOVECOT_LOGIN];
    struct str resp, reason;
    bool has_resp, temporary;
};

static bool set_broken(struct dovecot_auth *a, const char *reason)
{
    if (a->state != BROKEN) {
        snprintf(a->reason, sizeof a->reason, "%s", reason);
        stream_done(&a->stream);
    }
    a->state = BROKEN;
    return false;
}

static enum sasl_result unavailable(struct dovecot_auth *a, const char *reason)
{
    set_broken(a, reason);
    return SASL_UNAVAILABLE;
}

/* Borrowed until the next call. */
static bool read_line(struct dovecot_auth *a, struct str *line)
{
    struct str input = stream_input(&a->stream);
    size_t end;

    while ((end = str_find(input, '\n', 0)) == input.length && end < LINE_MOST) {
        if (!stream_fill(&a->stream, LINE_MOST))
            return set_broken(a, stream_fault_text(&a->stream));
        input = stream_input(&a->stream);
    }
    if (end >= LINE_MOST)
        return set_broken(a, "Dovecot said a line that is too long");
    *line = str_part(input, 0, end);
    stream_consume(&a->stream, end + 1);
    if (str_has(*line, '\0'))
        return set_broken(a, "Dovecot said a NUL");
    return true;
}

static bool cut(struct str *rest, struct str *word)
{
    return str_cut(rest, '\t', word);
}

static void add_escaped(struct buf *to, struct str value)
{
    static const char plain[] = {'\0', '\001', '\t', '\r', '\n'}, letters[] = {'0', '1', 't', 'r', 'n'};

    for (size_t i = 0; i < value.length; i++) {
        const char *found = memchr(plain, value.data[i], sizeof plain);

        if (found != NULL)
            buf_add_byte(to, '\001');
        buf_add_byte(to, found != NULL ? letters[found - plain] : value.data[i]);
    }
}

/* A login that is escaped has bytes that no login of ours has. */
static bool read_login(struct str value, char *to)
{
    if (value.length > 0 && !str_has_control(value) && str_copy(value, to, DOVECOT_LOGIN))
        return true;
    to[0] = '\0';
    return false;
}

static bool is_base64(struct str text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!str_has(base64_letters, text.data[i]))
            return false;
    return true;
}

/* The handshake */

static bool take_version(struct dovecot_auth *a, struct str rest)
{
    struct str major, minor;

    if (!cut(&rest, &major) || !cut(&rest, &minor) || !str_number(minor, UINT32_MAX, &a->minor))
        return set_broken(a, "Dovecot said a VERSION that is none");
    if (!str_equal(major, STR("1")))
        return set_broken(a, "Dovecot speaks another version of the protocol");
    a->has_version = true;
    return true;
}

static bool is_known(const struct dovecot_auth *a, struct str name)
{
    for (size_t i = 0; i < a->mechanism_count; i++)
        if (str_equal_nocase(name, str_of(a->mechanisms[i].name)))
            return true;
    return false;
}

static bool starts_with_client(struct str name)
{
    static const char *const names[] = {"ANONYMOUS", "EXTERNAL", "OAUTHBEARER", "PLAIN", "XOAUTH2"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (str_equal(name, str_of(names[i])))
            return true;
    return str_starts(name, STR("SCRAM-"));
}

static bool read_mechanism(struct str rest, struct dovecot_mechanism *m, bool *private)
{
    struct str name, flag;

    *m = (struct dovecot_mechanism){0};
    *private = false;
    if (!cut(&rest, &name) || name.length == 0 || !str_copy(name, m->name, sizeof m->name)
        || strspn(m->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != name.length)
        return false;
    while (cut(&rest, &flag)) {
        m->plaintext = m->plaintext || str_equal(flag, STR("plaintext"));
        *private = *private || str_equal(flag, STR("private"));
    }
    m->wants_initial = starts_with_client(name);
    return true;
}

static bool take_mechanism(struct dovecot_auth *a, struct str rest)
{
    struct dovecot_mechanism m;
    bool private;

    if (!read_mechanism(rest, &m, &private))
        return set_broken(a, "Dovecot said a MECH that is none");
    if (private || is_known(a, str_of(m.name)))
        return true;
    if (a->mechanism_count == DOVECOT_MECHANISMS)
        return set_broken(a, "Dovecot has too many mechanisms");
    a->mechanisms[a->mechanism_count++] = m;
    return true;
}

static bool take_done(struct dovecot_auth *a, struct str rest)
{
    (void)rest;
    if (!a->has_version)
        return set_broken(a, "Dovecot did not say its VERSION");
    a->is_ready = true;
    return true;
}

static const struct {
    const char *word;
    bool (*take)(struct dovecot_auth *a, struct str rest);
} greetings[] = {{"VERSION", take_version}, {"MECH", take_mechanism}, {"DONE", take_done}};

static bool take_greeting(struct dovecot_auth *a, struct str line)
{
    struct str word;

    if (!cut(&line, &word))
        return true;
    for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++)
        if (str_equal(word, str_of(greetings[i].word)))
            return greetings[i].take(a, line);
    return true;
}

static bool shake_hands(struct dovecot_auth *a)
{
    struct buf hello = {0};
    struct str line;

    buf_print(&hello, "VERSION\t1\t2\nCPID\t%ld\n", (long)getpid());
    stream_put(&a->stream, buf_str(&hello));
    buf_done(&hello);
    for (int lines = 0; !a->is_ready; lines++) {
        if (lines == LINES_MOST)
            return set_broken(a, "Dovecot does not come to an end");
        if (!read_line(a, &line) || !take_greeting(a, line))
            return false;
    }
    return true;
}

struct dovecot_auth *dovecot_auth_open(const char *path, int64_t deadline, char *error, size_t error_size)
{
    struct dovecot_auth *a = memory_new(sizeof *a);

    bool ok = stream_connect_path(&a->stream, path, deadline);

    a->stream.heed_stop = true;
    if (ok ? shake_hands(a) : set_broken(a, stream_fault_text(&a->stream)))
        return a;
    snprintf(error, error_size, "%s: %s", path, a->reason);
    dovecot_auth_close(&a);
    return NULL;
}

void dovecot_auth_close(struct dovecot_auth **a)
{
    if (*a != NULL)
        stream_done(&(*a)->stream);
    memory_free(a);
}

const struct dovecot_mechanism *dovecot_auth_mechanisms(const struct dovecot_auth *a, size_t *count)
{
    *count = a->mechanism_count;
    return a->mechanisms;
}

/* An exchange */

static void take_parameter(struct verdict *v, struct str parameter)
{
    struct str name = str_part(parameter, 0, str_find(parameter, '=', 0)), value = str_from(parameter, name.length + 1);

    if (str_equal(name, STR("user"))) {
        read_login(value, v->login);
    } else if (str_equal(name, STR("resp"))) {
        v->resp = value;
        v->has_resp = true;
    } else if (str_equal(name, STR("reason"))) {
        v->reason = value;
    }
    v->temporary = v->temporary || str_equal(parameter, STR("temp")) || str_equal(parameter, STR("code=temp_fail"));
}

static enum sasl_result take_challenge(struct dovecot_auth *a, struct str text, struct buf *challenge)
{
    if (!is_base64(text))
        return unavailable(a, "Dovecot said what is no base64");
    buf_add(challenge, text);
    return SASL_CONTINUE;
}

static enum sasl_result take_continue(struct dovecot_auth *a, struct str rest, struct buf *challenge)
{
    struct str text;

    if (!cut(&rest, &text))
        return unavailable(a, "Dovecot said a CONT without a challenge");
    a->state = ASKED;
    return take_challenge(a, text, challenge);
}

static struct verdict read_verdict(struct str rest)
{
    struct verdict v = {0};
    struct str parameter;

    while (cut(&rest, &parameter))
        take_parameter(&v, parameter);
    return v;
}

static enum sasl_result take_success(struct dovecot_auth *a, struct str rest, struct buf *challenge)
{
    struct verdict v = read_verdict(rest);

    if (v.login[0] == '\0')
        return unavailable(a, "Dovecot does not say who logged in, or nothing that can be a login");
    memcpy(a->login, v.login, sizeof a->login);
    a->state = v.has_resp ? PROVEN : IDLE;
    return v.has_resp ? take_challenge(a, v.resp, challenge) : SASL_DONE;
}

static enum sasl_result take_failure(struct dovecot_auth *a, struct str rest, struct buf *challenge)
{
    struct verdict v = read_verdict(rest);

    (void)challenge;
    memcpy(a->login, v.login, sizeof a->login);
    a->state = IDLE;
    if (!v.temporary)
        return SASL_REFUSED;
    snprintf(a->reason, sizeof a->reason, "Dovecot: temporary failure%s%.*s", v.reason.length > 0 ? ": " : "", STR_ARG(v.reason));
    return SASL_UNAVAILABLE;
}

static const struct reply {
    const char *word;
    enum sasl_result (*take)(struct dovecot_auth *a, struct str rest, struct buf *challenge);
} replies[] = {{"CONT", take_continue}, {"OK", take_success}, {"FAIL", take_failure}};

static const struct reply *find_reply(struct str word)
{
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++)
        if (str_equal(word, str_of(replies[i].word)))
            return &replies[i];
    return NULL;
}

static enum sasl_result read_reply(struct dovecot_auth *a, struct buf *challenge)
{
    for (int lines = 0; lines < LINES_MOST; lines++) {
        const struct reply *reply;
        struct str line, word, number;
        uint64_t id;

        if (!read_line(a, &line))
            return SASL_UNAVAILABLE;
        reply = cut(&line, &word) ? find_reply(word) : NULL;
        if (reply == NULL)
            continue;
        if (!cut(&line, &number) || !str_number(number, UINT32_MAX, &id) || id != a->id)
            return unavailable(a, "Dovecot answered what was not asked");
        return reply->take(a, line, challenge);
    }
    return unavailable(a, "Dovecot does not come to an end");
}

static enum sasl_result ask(struct dovecot_auth *a, const struct buf *line, int64_t deadline, struct buf *challenge)
{
    a->stream.deadline = deadline;
    stream_put(&a->stream, buf_str(line));
    return read_reply(a, challenge);
}

static void add_address(struct buf *to, char side, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    if (address->family == AF_UNSPEC)
        return;
    address_text(address, text);
    buf_print(to, "\t%cip=%s\t%cport=%u", side, text, side, (unsigned)address->port);
}

static void write_request(const struct dovecot_auth *a, const char *mechanism, const struct dovecot_client *client, struct str initial,
                          struct buf *to)
{
    buf_print(to, "AUTH\t%u\t%s\tservice=smtp\tsession=", (unsigned)a->id, mechanism);
    add_escaped(to, str_of(client->session));
    add_address(to, 'l', client->local);
    add_address(to, 'r', client->peer);
    if (client->tls)
        buf_add_text(to, a->minor >= MINOR_SECURED_TLS ? "\tsecured=tls" : "\tsecured");
    buf_add_text(to, "\tnologin");
    if (initial.data != NULL) {
        buf_add_text(to, "\tresp="); /* has to be the last */
        buf_add(to, initial);
    }
    buf_add_byte(to, '\n');
}

enum sasl_result dovecot_auth_begin(struct dovecot_auth *a, const char *mechanism, const struct dovecot_client *client, struct str initial,
                                    int64_t deadline, struct buf *challenge)
{
    struct buf line = {.limit = SAID_MOST};
    enum sasl_result result = SASL_MALFORMED;

    buf_clear(challenge);
    a->login[0] = '\0';
    if (a->state != IDLE)
        return unavailable(a, "the last exchange did not end");
    a->reason[0] = '\0';
    a->id++;
    write_request(a, mechanism, client, initial, &line);
    if (!line.full && is_known(a, str_of(mechanism)) && is_base64(initial))
        result = ask(a, &line, deadline, challenge);
    buf_done(&line);
    return result;
}

/* The client's answer to what came along with the success: RFC 4954 section 4. */
static enum sasl_result end_proven(struct dovecot_auth *a, struct str response)
{
    a->state = IDLE;
    return response.length == 0 ? SASL_DONE : SASL_MALFORMED;
}

enum sasl_result dovecot_auth_continue(struct dovecot_auth *a, struct str response, int64_t deadline, struct buf *challenge)
{
    struct buf line = {.limit = SAID_MOST};
    enum sasl_result result = SASL_MALFORMED;

    buf_clear(challenge);
    if (a->state == PROVEN)
        return end_proven(a, response);
    if (a->state != ASKED)
        return unavailable(a, "there is no exchange to go on with");
    buf_print(&line, "CONT\t%u\t", (unsigned)a->id);
    buf_add(&line, response);
    buf_add_byte(&line, '\n');
    if (!line.full && is_base64(response))
        result = ask(a, &line, deadline, challenge);
    else
        set_broken(a, "the client said what is no base64"); /* Dovecot still waits for a response */
    buf_done(&line);
    return result;
}

const char *dovecot_auth_login(const struct dovecot_auth *a)
{
    return a->login;
}

const char *dovecot_auth_reason(const struct dovecot_auth *a)
{
    return a->reason;
}
