#include "admin/doctor.h"

#include "base/clock.h"
#include "conf/dns_settings.h"
#include "dovecot/auth.h"
#include "dovecot/quota_status.h"
#include "dovecot/userdb.h"
#include "net/resolve.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ERROR_SIZE = 512 };

static bool is_here(const struct endpoint *e)
{
    struct address address;

    return e->path != NULL || strcmp(e->host, "localhost") == 0 || (address_parse(&address, str_of(e->host)) && address_is_loopback(&address));
}

bool doctor_has_dovecot_here(const struct conf *c)
{
    struct endpoints endpoints;
    struct arena arena;
    bool here = c->local_delivery == LOCAL_DELIVERY_LDA;

    arena_init(&arena);
    endpoints_parse(&endpoints, str_of(c->lmtp_address), &arena);
    for (size_t i = 0; i < endpoints.count; i++)
        here = here || is_here(&endpoints.items[i]);
    arena_done(&arena);
    return here;
}

int doctor_try_socket(const char *path)
{
    struct stream s;
    bool connected = stream_connect_path(&s, path, clock_now() + DOCTOR_PATIENCE);
    int error = connected ? 0 : s.fault == STREAM_TIMEOUT ? ETIMEDOUT : s.error != 0 ? s.error : EIO;

    stream_done(&s);
    return error;
}

void doctor_socket(struct doctor *d, const char *key, const char *path, int error)
{
    const char *user = doctor_self();

    if (error == ENOENT || error == ENOTDIR)
        doctor_wrong(d, "the socket %s (%s) is not there: start Dovecot (systemctl start dovecot), and give it a listener of that path (tmail "
                        "dovecot config)", path, key);
    else if (error == ECONNREFUSED)
        doctor_wrong(d, "nobody listens at %s (%s): start Dovecot (systemctl start dovecot)", path, key);
    else if (error == EACCES || error == EPERM)
        doctor_wrong(d, "%s may not connect to %s (%s): say user = %s in Dovecot's unix_listener of that path, and let %s into the folders above",
                     user, path, key, user, user);
    else
        doctor_wrong(d, "%s cannot connect to %s (%s): %s: see Dovecot's log", user, path, key, strerror(error));
}

static bool uses_lmtp(const struct doctor *d)
{
    return d->conf->dovecot_support_enabled && d->conf->local_delivery == LOCAL_DELIVERY_LMTP;
}

static void check_endpoint(struct doctor *d, const struct lmtp_means *means, const struct endpoint *e)
{
    char name[LMTP_NAME_SIZE];
    struct client client;
    struct status s = lmtp_open(&client, e, means, DOCTOR_PATIENCE);
    int error;

    lmtp_name(e, name);
    if (status_is_ok(&s)) {
        doctor_ok(d, "%s greets%s", name, client.has_tls ? " under TLS" : "");
        client_close(&client);
        return;
    }
    error = e->path != NULL ? doctor_try_socket(e->path) : 0;
    if (error != 0)
        doctor_socket(d, "TMAIL_LMTP_ADDRESS", e->path, error);
    else
        doctor_wrong(d, "%s (TMAIL_LMTP_ADDRESS) does not speak LMTP with us (%s): start Dovecot, see its log, and that its protocols "
                        "have lmtp (package dovecot-lmtpd), its service lmtp that listener (tmail dovecot config) and a process to spare",
                     name, s.text);
}

bool doctor_means_open(struct doctor *d, struct doctor_means *m)
{
    const struct dns_settings settings = conf_dns_settings(d->conf);
    char error[ERROR_SIZE];

    *m = (struct doctor_means){.conf = *d->conf, .means = {.conf = &m->conf}};
    m->conf.deliverd_connect_timeout = clock_earlier(m->conf.deliverd_connect_timeout, DOCTOR_PATIENCE);
    arena_init(&m->arena);
    endpoints_parse(&m->endpoints, str_of(d->conf->lmtp_address), &m->arena);
    m->means.tls = tls_client_new(d->conf->tls_min_version, d->conf->tls_ca_file, error, sizeof error);
    m->means.dns = m->means.tls != NULL ? dns_open(&settings, error, sizeof error) : NULL;
    if (m->means.dns == NULL)
        doctor_wrong(d, "%s: see the keys TMAIL_TLS_CA_FILE and TMAIL_DNS_*", error);
    return m->means.dns != NULL;
}

void doctor_means_close(struct doctor_means *m)
{
    dns_close(&m->means.dns);
    tls_client_free(&m->means.tls);
    arena_done(&m->arena);
}

void doctor_lmtp(struct doctor *d)
{
    struct doctor_means m;

    if (!uses_lmtp(d))
        return;
    if (doctor_means_open(d, &m))
        for (size_t i = 0; i < m.endpoints.count; i++)
            check_endpoint(d, &m.means, &m.endpoints.items[i]);
    doctor_means_close(&m);
}

static void tell_mechanisms(struct doctor *d, const struct dovecot_auth *auth)
{
    const struct dovecot_mechanism *mechanisms;
    struct buf names = {0};
    size_t count;

    mechanisms = dovecot_auth_mechanisms(auth, &count);
    for (size_t i = 0; i < count; i++)
        buf_print(&names, " %s", mechanisms[i].name);
    if (count > 0)
        doctor_ok(d, "%s shakes hands and knows%s", d->conf->dovecot_auth, buf_text(&names));
    else
        doctor_wrong(d, "%s offers no mechanism: set auth_mechanisms in Dovecot's configuration", d->conf->dovecot_auth);
    buf_done(&names);
}

void doctor_auth(struct doctor *d)
{
    const char *path = d->conf->dovecot_auth;
    char text[ERROR_SIZE];
    struct dovecot_auth *auth;
    int error;

    if (path[0] == '\0')
        return;
    auth = dovecot_auth_open(path, clock_now() + DOCTOR_PATIENCE, text, sizeof text);
    error = auth == NULL ? doctor_try_socket(path) : 0;
    if (auth != NULL)
        tell_mechanisms(d, auth);
    else if (error != 0)
        doctor_socket(d, "TMAIL_DOVECOT_AUTH", path, error);
    else
        doctor_wrong(d, "%s: it has to be a unix_listener of Dovecot's service auth (tmail dovecot config)", text);
    dovecot_auth_close(&auth);
}

static bool read_answer(struct stream *s, struct status *status)
{
    struct str input = stream_input(s);

    while (!str_contains(input, STR("\n\n"))) {
        if (!stream_fill(s, QUOTA_STATUS_ANSWER_MAX))
            return false;
        input = stream_input(s);
    }
    return quota_status_read(input, status) != QUOTA_NONE;
}

static void ask_quota(struct doctor *d, struct stream *s)
{
    struct buf question = {0};
    struct status status = {0};

    quota_status_write(str_of(d->sample), 0, &question);
    stream_put(s, buf_str(&question));
    if (!read_answer(s, &status))
        doctor_wrong(d, "%s does not answer as quota-status does (%s): its executable has to be quota-status -p postfix (tmail dovecot config)",
                     d->conf->dovecot_quota_status, stream_fault_text(s));
    else if (status_is_ok(&status))
        doctor_ok(d, "%s says that %s has room", d->conf->dovecot_quota_status, d->sample);
    else
        doctor_note(d, "%s says of %s: %s", d->conf->dovecot_quota_status, d->sample, status.text);
    buf_done(&question);
}

static void question_quota(struct doctor *d, struct stream *s)
{
    s->deadline = clock_now() + DOCTOR_PATIENCE;
    if (d->sample[0] != '\0')
        ask_quota(d, s);
    stream_done(s);
}

static void try_quota_path(struct doctor *d, const char *path)
{
    int error = doctor_try_socket(path);
    struct stream s;

    if (error != 0)
        doctor_socket(d, "TMAIL_DOVECOT_QUOTA_STATUS", path, error);
    else if (stream_connect_path(&s, path, clock_now() + DOCTOR_PATIENCE))
        question_quota(d, &s);
}

static bool connect_host(struct stream *s, const struct resolved *found, struct status *why)
{
    const int64_t deadline = clock_now() + DOCTOR_PATIENCE;

    *why = found->status;
    for (size_t i = 0; i < found->count; i++) {
        if (stream_connect(s, &found->addresses[i], NULL, deadline))
            return true;
        *why = status_make(451, "", "%s", stream_fault_text(s));
    }
    return false;
}

/* A host that may be another one. */
static void try_quota_host(struct doctor *d, const struct endpoint *e)
{
    const char *host = strcmp(e->host, "localhost") == 0 ? "127.0.0.1" : e->host;
    struct doctor_means m;
    struct resolved found;
    struct status why;
    struct stream s;

    if (doctor_means_open(d, &m)) {
        resolve(m.means.dns, host, e->port, RESOLVE_IPV6_FIRST, clock_now() + DOCTOR_PATIENCE, &m.arena, &found);
        if (connect_host(&s, &found, &why))
            question_quota(d, &s);
        else
            doctor_wrong(d, "nobody listens at %s (TMAIL_DOVECOT_QUOTA_STATUS): %s: start Dovecot%s, and give it that service "
                            "(tmail dovecot config)",
                         d->conf->dovecot_quota_status, why.text, is_here(e) ? "" : " on that host, let this one connect to it");
    }
    doctor_means_close(&m);
}

void doctor_quota_status(struct doctor *d)
{
    struct endpoint e;
    struct arena arena;

    arena_init(&arena);
    if (endpoint_parse(&e, str_of(d->conf->dovecot_quota_status), &arena)) {
        if (e.path != NULL)
            try_quota_path(d, e.path);
        else
            try_quota_host(d, &e);
    }
    arena_done(&arena);
}

void doctor_home_base(struct doctor *d)
{
    const char *base = d->conf->users_home_base;

    if (!d->conf->dovecot_support_enabled || !doctor_has_dovecot_here(d->conf))
        return;
    if (access(base, W_OK | X_OK) == 0)
        doctor_ok(d, "%s can make mailboxes in %s", doctor_self(), base);
    else if (errno == ENOENT)
        doctor_wrong(d, "%s (TMAIL_USERS_HOME_BASE) is not there: install -d -o %s -m 0700 %s", base, doctor_self(), base);
    else
        doctor_wrong(d, "%s cannot write in %s (%s), where the mailboxes are: chown %s %s, and let %s into the folders above", doctor_self(), base,
                     strerror(errno), doctor_self(), base, doctor_self());
}

void doctor_lda(struct doctor *d)
{
    const char *program = d->conf->dovecot_lda;

    if (d->conf->local_delivery != LOCAL_DELIVERY_LDA || !d->conf->dovecot_support_enabled)
        return;
    if (access(program, X_OK) == 0)
        doctor_ok(d, "%s can run %s", doctor_self(), program);
    else if (errno == ENOENT)
        doctor_wrong(d, "%s (TMAIL_DOVECOT_LDA) is not there: install Dovecot (package dovecot-core), or set the key to where dovecot-lda is", program);
    else
        doctor_wrong(d, "%s cannot run %s (%s): chmod 755 %s", doctor_self(), program, strerror(errno), program);
}

/* What is not used need not be there. */
static bool wants_userdb(const struct doctor *d)
{
    if (d->userdb_named || access(d->userdb, F_OK) == 0)
        return d->conf->dovecot_support_enabled;
    return d->conf->local_delivery == LOCAL_DELIVERY_LDA && d->conf->dovecot_support_enabled;
}

static void judge_user(struct doctor *d, const struct userdb_user *user)
{
    const struct passwd *self = getpwuid(geteuid());
    uint64_t uid;

    if (user->home[0] == '\0')
        doctor_wrong(d, "Dovecot knows %s, but no home of theirs: its user_query has to give home (tmail dovecot config)", d->sample);
    else if (self != NULL && str_number(str_of(user->uid), UINT32_MAX, &uid) && uid != self->pw_uid)
        doctor_wrong(d, "Dovecot says that the mailbox of %s belongs to uid %s, and here it is %s (uid %u): make them the same (tmail dovecot config, "
                        "TMAIL_DOVECOT_LDA_USER)", d->sample, user->uid, self->pw_name, (unsigned)self->pw_uid);
    else
        doctor_ok(d, "Dovecot knows %s, whose home is %s", d->sample, user->home);
}

void doctor_userdb(struct doctor *d)
{
    struct userdb_user user;
    char text[ERROR_SIZE];
    enum answer answer;
    int error;

    if (!wants_userdb(d))
        return;
    error = doctor_try_socket(d->userdb);
    if (error != 0)
        doctor_socket(d, "auth-userdb", d->userdb, error);
    if (error != 0 || d->sample[0] == '\0')
        return;
    answer = userdb_find(d->userdb, str_of(d->sample), clock_now() + DOCTOR_PATIENCE, &user, text, sizeof text);
    if (answer == ANSWER_YES)
        judge_user(d, &user);
    else if (answer == ANSWER_NO)
        doctor_wrong(d, "Dovecot does not know %s: is its userdb the database of tmail (tmail dovecot config)?  tmail user list shows who is there",
                     d->sample);
    else
        doctor_wrong(d, "Dovecot cannot say who %s is (%s): see its log; the user of its service auth-worker must be able to read %s", d->sample, text,
                     d->conf->db_path);
}
