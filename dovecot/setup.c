#include "dovecot/setup.h"

#include "conf/endpoint.h"
#include "conf/listeners.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What Dovecot allows by itself (default_process_limit, default_client_limit), and what else connects than deliveries. */
enum { DEFAULT_PROCESSES = 100, DEFAULT_CLIENTS = 1000, FURTHER_PROCESSES = 20 };

static const char *const names[SETUP_VALUES] = {
    [SETUP_ME] = "me",
    [SETUP_CERT] = "cert",
    [SETUP_KEY] = "key",
    [SETUP_MAIL_USER] = "mail_user",
    [SETUP_UID] = "uid",
    [SETUP_GID] = "gid",
    [SETUP_HOME_BASE] = "home_base",
    [SETUP_DATABASE] = "database",
    [SETUP_READER] = "reader",
    [SETUP_GATEWAY] = "gateway",
    [SETUP_SQL_FILE] = "sql_file",
    [SETUP_LMTP] = "lmtp",
    [SETUP_PROCESSES] = "processes",
    [SETUP_CLIENTS] = "clients",
    [SETUP_AUTH] = "auth",
    [SETUP_QUOTA_STATUS] = "quota_status",
    [SETUP_QUOTA] = "quota",
    [SETUP_POSTMASTER] = "postmaster",
    [SETUP_SUBMISSION] = "submission",
    [SETUP_DELIMITER] = "delimiter",
};

/* Values that an administrator wrote, and the keys that they come from. */
static const struct {
    enum setup_value value;
    const char *key;
} written[] = {
    {SETUP_CERT, "TMAIL_TLS_CERT"},         {SETUP_KEY, "TMAIL_TLS_KEY"},       {SETUP_HOME_BASE, "TMAIL_USERS_HOME_BASE"},
    {SETUP_DATABASE, "TMAIL_DB_SOURCE"},    {SETUP_AUTH, "TMAIL_DOVECOT_AUTH"}, {SETUP_SQL_FILE, "--sql-file"},
    {SETUP_POSTMASTER, "TMAIL_POSTMASTER"}, {SETUP_GATEWAY, "TMAIL_USER"},      {SETUP_MAIL_USER, "TMAIL_DOVECOT_LDA_USER or --user"},
};

__attribute__((format(printf, 2, 3))) static void note(struct setup *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_print_args(&s->notes, format, args);
    va_end(args);
    buf_add_byte(&s->notes, '\n');
}

static void set(struct setup *s, enum setup_value value, const char *text)
{
    s->values[value] = arena_text(&s->arena, str_of(text));
}

static void set_number(struct setup *s, enum setup_value value, int64_t number)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)number);
    set(s, value, text);
}

static void take(struct setup *s, enum setup_value value, struct buf *text)
{
    set(s, value, buf_text(text));
    buf_done(text);
}

const char *setup_mail_user(const struct conf *c)
{
    return c->dovecot_lda_user[0] != '\0' ? c->dovecot_lda_user : c->user;
}

/* Where tmail is not started as root it is whoever starts it, and TMAIL_USER need not exist. */
static const char *somebody(const char *name)
{
    const struct passwd *user;

    if (getpwnam(name) != NULL || geteuid() == 0)
        return name;
    user = getpwuid(geteuid());
    return user != NULL ? user->pw_name : name;
}

static bool set_mail_user(struct setup *s, const struct conf *c, const char *wanted)
{
    const char *name = wanted != NULL ? wanted : somebody(arena_text(&s->arena, str_of(setup_mail_user(c))));
    const struct passwd *user = getpwnam(name);

    if (user == NULL) {
        note(s, "there is no user \"%s\" on this host, to whom the mailboxes would belong: create it (useradd --system --user-group "
                "--no-create-home --shell /usr/sbin/nologin %s), or name another by TMAIL_DOVECOT_LDA_USER or --user", name, name);
        return false;
    }
    if (user->pw_uid == 0) {
        note(s, "mailboxes cannot belong to root: name another user by TMAIL_DOVECOT_LDA_USER or --user");
        return false;
    }
    set(s, SETUP_MAIL_USER, user->pw_name);
    set_number(s, SETUP_UID, user->pw_uid);
    set_number(s, SETUP_GID, user->pw_gid);
    return true;
}

/* The owner of the database is the one who can open it with the files that SQLite keeps beside it. */
static void set_reader(struct setup *s, const struct conf *c)
{
    const struct passwd *owner;
    struct stat file;

    set(s, SETUP_GATEWAY, somebody(c->user));
    set(s, SETUP_READER, s->values[SETUP_GATEWAY]);
    set(s, SETUP_DATABASE, c->db_path);
    if (stat(c->db_path, &file) != 0) {
        if (geteuid() == 0)
            note(s, "%s is not there yet: tmail user add -m LOGIN makes it", c->db_path);
        return;
    }
    owner = getpwuid(file.st_uid);
    if (file.st_uid == 0)
        note(s, "%s belongs to root, so that neither tmail nor Dovecot can read it: chown %s %s", c->db_path, c->user, c->db_path);
    else if (owner != NULL)
        set(s, SETUP_READER, owner->pw_name);
}

/* A path below /run/dovecot as Dovecot names it itself: a second name for a socket of its own would be another listener. */
static const char *socket_name(const char *path)
{
    static const char *const bases[] = {"/run/dovecot/", "/var/run/dovecot/"};

    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++)
        if (strncmp(path, bases[i], strlen(bases[i])) == 0)
            return path + strlen(bases[i]);
    return path;
}

static bool is_plain(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@:,=~") == strlen(text);
}

static void check_plain(struct setup *s, const char *key, const char *text)
{
    if (!is_plain(text))
        note(s, "%s has characters that may mean something else in Dovecot's configuration: choose a plain one", key);
}

static void write_path(const struct setup *s, const char *path, struct buf *to)
{
    buf_print(to, "  unix_listener %s {\n    user = %s\n    mode = 0600\n  }\n", socket_name(path), s->values[SETUP_GATEWAY]);
}

/* False: that is another host's. */
static bool write_address(const struct setup *s, const struct endpoint *e, const char *name, int number, struct buf *to)
{
    struct str host = str_of(e->host);
    struct address address;
    char text[ADDRESS_TEXT_SIZE];

    if (str_equal_nocase(host, STR("localhost")))
        host = STR("127.0.0.1");
    if (str_starts(host, STR("[")))
        host = str_part(host, 1, host.length - 2);
    if (!address_parse(&address, host) || !address_is_loopback(&address))
        return false;
    address_text(&address, text);
    buf_print(to, "  inet_listener %s", name);
    if (number > 1)
        buf_print(to, "-%d", number);
    buf_print(to, " {\n    %s = %s\n    port = %d\n  }\n", s->version == SETUP_2_3 ? "address" : "listen", text, e->port);
    return true;
}

static void write_listener(struct setup *s, const struct endpoint *e, const char *name, int number, const char *key, struct buf *to)
{
    if (e->path != NULL) {
        check_plain(s, key, e->path);
        write_path(s, e->path, to);
    } else if (!write_address(s, e, name, number, to)) {
        note(s, "%s names %s, port %d, which is not this host's loopback: that Dovecot needs a listener there, which is not in this text",
             key, e->host, e->port);
    }
}

static void set_lmtp(struct setup *s, const struct conf *c)
{
    struct endpoints endpoints;
    struct buf text = {0};

    endpoints_parse(&endpoints, str_of(c->lmtp_address), &s->arena);
    for (size_t i = 0; i < endpoints.count; i++)
        write_listener(s, &endpoints.items[i], "lmtp", (int)i + 1, "TMAIL_LMTP_ADDRESS", &text);
    take(s, SETUP_LMTP, &text);
    if (c->deliverd_local_concurrency + FURTHER_PROCESSES > DEFAULT_PROCESSES) {
        set_number(s, SETUP_PROCESSES, c->deliverd_local_concurrency + FURTHER_PROCESSES);
        set_number(s, SETUP_CLIENTS, DEFAULT_CLIENTS + 2 * c->deliverd_local_concurrency);
    }
}

static void set_quota(struct setup *s, const struct conf *c)
{
    struct endpoint endpoint;
    struct buf text = {0};

    set_number(s, SETUP_QUOTA, c->users_mailbox_default_quota);
    if (c->dovecot_quota_status[0] == '\0')
        return;
    endpoint_parse(&endpoint, str_of(c->dovecot_quota_status), &s->arena);
    write_listener(s, &endpoint, "quota-status", 1, "TMAIL_DOVECOT_QUOTA_STATUS", &text);
    take(s, SETUP_QUOTA_STATUS, &text);
}

static void set_auth(struct setup *s, const struct conf *c)
{
    set(s, SETUP_AUTH, socket_name(c->dovecot_auth));
    set(s, SETUP_NO_AUTH, c->dovecot_auth[0] == '\0' ? "yes" : "");
    if (strlen(c->dovecot_auth) >= ENDPOINT_PATH_SIZE)
        note(s, "TMAIL_DOVECOT_AUTH has %zu octets, and the path of a socket ends after %d: choose a shorter one", strlen(c->dovecot_auth),
             ENDPOINT_PATH_SIZE - 1);
}

/* How good a listener is for what Dovecot sends, which speaks plain SMTP from this host and does not log in; 0: it is not. */
static int fitness(const struct listener_spec *l)
{
    if (l->tls || l->proxy || l->mode != LISTENER_RELAY)
        return 0;
    return address_is_loopback(&l->address) ? 3 : address_is_any(&l->address) ? 2 : 1;
}

static void set_submission(struct setup *s, const struct conf *c)
{
    const struct listener_spec *best = NULL;
    struct listeners listeners = {0};
    struct buf errors = {0};
    struct address address;
    char text[ADDRESS_TEXT_SIZE];

    listeners_parse(&listeners, str_of(c->smtpd_dsns), &s->arena, &errors);
    buf_done(&errors);
    for (size_t i = 0; i < listeners.count; i++)
        if (fitness(&listeners.items[i]) > (best != NULL ? fitness(best) : 0))
            best = &listeners.items[i];
    set(s, SETUP_NO_SUBMISSION, best == NULL ? "yes" : "");
    if (best == NULL) {
        note(s, "TMAIL_SMTPD_DSNS has no relay listener without TLS from the first byte, which Dovecot's own mail (vacation, redirect) could "
                "come in by: add 127.0.0.1:25:false there, and write this text again");
        return;
    }
    address = best->address;
    if (address_is_any(&address)) {
        address_parse(&address, address.family == AF_INET ? STR("127.0.0.1") : STR("::1"));
        address.port = best->address.port;
    }
    address_text_port(&address, text);
    set(s, SETUP_SUBMISSION, text);
    address_text(&address, text);
    s->relayip = arena_text(&s->arena, str_of(text));
}

static void set_own_postmaster(struct setup *s, const struct conf *c)
{
    struct buf text = {0};

    buf_print(&text, "postmaster@%s", c->me);
    take(s, SETUP_POSTMASTER, &text);
}

static void check_written(struct setup *s)
{
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++)
        check_plain(s, written[i].key, s->values[written[i].value]);
}

static void check_files(struct setup *s)
{
    if (geteuid() != 0)
        return;
    if (access(s->values[SETUP_CERT], R_OK) != 0 || access(s->values[SETUP_KEY], R_OK) != 0)
        note(s, "%s or its key is not there yet: tmail run makes a pair, and Dovecot does not start before", s->values[SETUP_CERT]);
}

bool setup_init(struct setup *s, const struct conf *c, const struct setup_wish *wish)
{
    *s = (struct setup){.version = wish->version, .relayip = ""};
    for (size_t i = 0; i < SETUP_VALUES; i++)
        s->values[i] = "";
    arena_init(&s->arena);
    if (!set_mail_user(s, c, wish->user))
        return false;
    set(s, SETUP_ME, c->me);
    set(s, SETUP_CERT, c->tls_cert_path);
    set(s, SETUP_KEY, c->tls_key_path);
    set(s, SETUP_HOME_BASE, c->users_home_base);
    set(s, SETUP_SQL_FILE, wish->sql_file != NULL ? wish->sql_file : SETUP_SQL_PATH);
    set(s, SETUP_DELIMITER, c->recipient_delimiter);
    set(s, SETUP_POSTMASTER, c->postmaster);
    if (c->postmaster[0] == '\0')
        set_own_postmaster(s, c);
    set_reader(s, c);
    set_lmtp(s, c);
    set_quota(s, c);
    set_auth(s, c);
    set_submission(s, c);
    check_written(s);
    check_files(s);
    return true;
}

void setup_done(struct setup *s)
{
    buf_done(&s->notes);
    arena_done(&s->arena);
}

/* The value that NAME stands for; NULL: it is no name, and its @ is one. */
static const char *find_value(const struct setup *s, struct str name)
{
    for (size_t i = 0; i < SETUP_VALUES; i++)
        if (names[i] != NULL && str_equal(name, str_of(names[i])))
            return s->values[i];
    return NULL;
}

static void write_text(const struct setup *s, const char *text, struct buf *to)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "@"), name = text[plain] == '@' ? strcspn(text + plain + 1, "@") : 0;
        const char *value = name > 0 ? find_value(s, (struct str){text + plain + 1, name}) : NULL;

        buf_add(to, (struct str){text, plain});
        text += plain;
        if (value != NULL) {
            buf_add_text(to, value);
            text += name + 2;
        } else if (*text == '@') {
            buf_add_byte(to, *text++);
        }
    }
}

void setup_write(const struct setup *s, enum setup_file file, struct buf *to)
{
    static const struct setup_block *const files[][2] = {
        [SETUP_2_3] = {[SETUP_MAIN] = setup_2_3, [SETUP_SQL] = setup_2_3_sql},
        [SETUP_2_4] = {[SETUP_MAIN] = setup_2_4},
    };

    for (const struct setup_block *b = files[s->version][file]; b != NULL && b->text != NULL; b++)
        if (b->when == SETUP_ALWAYS || s->values[b->when][0] != '\0')
            write_text(s, b->text, to);
}
