#include "admin/doctor.h"

#include "admin/identity.h"
#include "base/clock.h"
#include "conf/field.h"
#include "conf/listeners.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* SQLite, and the files beside it, want something. */
enum { GREETING_MOST = 1024 };

const char *doctor_self(void)
{
    const struct passwd *user = getpwuid(geteuid());

    return user != NULL ? user->pw_name : "this user";
}

void doctor_configuration(struct doctor *d)
{
    if (d->conf->file[0] != '\0')
        doctor_ok(d, "%s can be used", d->conf->file);
    else
        doctor_note(d, "there is no configuration file: all is as it is by default (tmail config --all)");
    if (geteuid() != 0)
        doctor_note(d, "not started as root: what only other users may do is looked at with the rights of %s", doctor_self());
}

void doctor_users(struct doctor *d)
{
    char error[IDENTITY_ERROR_SIZE];
    const struct passwd *user;

    if (geteuid() != 0)
        return;
    if (!identity_check(d->conf, error, sizeof error))
        doctor_wrong(d, "%s", error);
    else
        doctor_ok(d, "the gateway runs as %s", d->conf->user);
    user = getpwnam(d->mail_user);
    if (user == NULL)
        doctor_wrong(d, "no user \"%s\" on this host, to whom mailboxes belong: create it, or set TMAIL_DOVECOT_LDA_USER to one that exists",
                     d->mail_user);
    else if (user->pw_uid == 0)
        doctor_wrong(d, "mailboxes would belong to root: set TMAIL_DOVECOT_LDA_USER to another user");
}

/* A file, whose it shall be, and who shall not get at it. */
struct guarded {
    const char *what;
    const char *path;
    mode_t never;
    bool is_gateways;
};

static void check_owner(struct doctor *d, const struct guarded *g, const struct stat *file)
{
    const struct passwd *user = getpwnam(d->conf->user);

    if (g->is_gateways && geteuid() == 0 && user != NULL && file->st_uid != user->pw_uid)
        doctor_wrong(d, "%s %s does not belong to %s (TMAIL_USER), who has to work with it: chown %s %s", g->what, g->path, d->conf->user,
                     d->conf->user, g->path);
}

static void check_file(struct doctor *d, const struct guarded *g)
{
    struct stat file;

    if (g->path[0] == '\0' || stat(g->path, &file) != 0)
        return; /* whether it must be there others say */
    check_owner(d, g, &file);
    if ((file.st_mode & g->never) != 0)
        doctor_wrong(d, "%s %s may be read by users whom it is no business of (mode %04o): chmod %04o %s", g->what, g->path,
                     (unsigned)file.st_mode & 07777, (unsigned)(file.st_mode & 07777 & ~g->never), g->path);
}

static bool has_secrets(const struct conf *c)
{
    for (size_t k = 0; k < c->schema->count; k++) {
        struct buf value = {0};
        bool secret = c->schema->keys[k].secret && c->sources[k].origin == CONF_FILE;

        if (secret)
            field_text(c, &c->schema->keys[k], &value);
        secret = secret && value.length > 0;
        buf_done(&value);
        if (secret)
            return true;
    }
    return false;
}

void doctor_files(struct doctor *d)
{
    const struct conf *c = d->conf;
    char queue[4096];
    const struct guarded files[] = {
        {"the configuration, which has secrets,", has_secrets(c) ? c->file : "", 0007, false},
        {"the database", c->db_path, 0007, true},
        {"the key of stored passwords", c->secret_key_path, 0077, true},
        {"the queue", queue, 0007, true},
        {"the queue's folder", c->store_source, 0002, true},
        {"the private key", c->tls_key_path, 0007, false},
    };

    snprintf(queue, sizeof queue, "%s/queue.db", c->store_source);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        check_file(d, &files[i]);
}

/* What the listener says first, without its end; "" when nothing came. */
static void read_greeting(struct stream *s, char *to, size_t size)
{
    struct str line;

    to[0] = '\0';
    while (str_find(stream_input(s), '\n', 0) == stream_input(s).length)
        if (!stream_fill(s, GREETING_MOST))
            return;
    line = str_part(stream_input(s), 0, str_find(stream_input(s), '\n', 0));
    str_copy(str_part(line, 0, line.length - (line.length > 0 && line.data[line.length - 1] == '\r')), to, size);
}

static struct address reachable(const struct address *a)
{
    struct address to = *a;

    if (!address_is_any(a))
        return to;
    address_parse(&to, a->family == AF_INET ? STR("127.0.0.1") : STR("::1"));
    to.port = a->port;
    return to;
}

static void check_listener(struct doctor *d, const struct listener_spec *l)
{
    const struct address address = reachable(&l->address);
    char name[ADDRESS_TEXT_SIZE], greeting[GREETING_MOST] = "";
    struct stream s;

    address_text_port(&l->address, name);
    if (!stream_connect(&s, &address, NULL, clock_now() + DOCTOR_PATIENCE)) {
        doctor_wrong(d, "nobody answers at %s (%s): start tmail (systemctl start tmail, or tmail run)", name, stream_fault_text(&s));
        return;
    }
    if (!l->tls && !l->proxy)
        read_greeting(&s, greeting, sizeof greeting);
    if (l->tls || l->proxy)
        doctor_ok(d, "%s can be connected to", name);
    else if (strncmp(greeting, "220", 3) == 0)
        doctor_ok(d, "%s answers: %s", name, greeting);
    else
        doctor_wrong(d, "%s does not greet as a mail server that takes mail (%s): see the log, or what else listens there", name,
                     greeting[0] != '\0' ? greeting : "it says nothing");
    stream_done(&s);
}

void doctor_listeners(struct doctor *d)
{
    struct listeners listeners = {0};
    struct arena arena;
    struct buf errors = {0};

    if (!d->conf->smtpd_launch) {
        doctor_note(d, "TMAIL_SMTPD_LAUNCH is false: no mail is received here");
        return;
    }
    arena_init(&arena);
    listeners_parse(&listeners, str_of(d->conf->smtpd_dsns), &arena, &errors);
    for (size_t i = 0; i < listeners.count; i++)
        check_listener(d, &listeners.items[i]);
    buf_done(&errors);
    arena_done(&arena);
}

static void check_space(struct doctor *d)
{
    struct statvfs space;
    int64_t free_bytes;

    if (statvfs(d->conf->store_source, &space) != 0) {
        doctor_wrong(d, "how much space %s has cannot be seen: %s", d->conf->store_source, strerror(errno));
        return;
    }
    free_bytes = (int64_t)(space.f_bavail * space.f_frsize);
    if (free_bytes <= d->conf->store_min_free)
        doctor_wrong(d, "%s has %lld MB left and mail is no longer taken below %lld MB: make space, or lower TMAIL_STORE_MIN_FREE",
                     d->conf->store_source, (long long)(free_bytes >> 20), (long long)(d->conf->store_min_free >> 20));
    else
        doctor_ok(d, "%s can be written and has %lld MB left", d->conf->store_source, (long long)(free_bytes >> 20));
}

void doctor_queue(struct doctor *d)
{
    const char *folder = d->conf->store_source;

    if (access(folder, W_OK | X_OK) == 0)
        check_space(d);
    else if (errno == ENOENT)
        doctor_wrong(d, "%s is not there: tmail run makes it", folder);
    else
        doctor_wrong(d, "%s cannot write in %s (%s): chown -R %s %s, and the folders above must let %s in", doctor_self(), folder,
                     strerror(errno), doctor_self(), folder, doctor_self());
    if (access(d->conf->tempdir, W_OK | X_OK) != 0)
        doctor_wrong(d, "%s cannot write in %s (%s), where large messages are kept while they come in: set TMAIL_TEMPDIR to a folder where it can",
                     doctor_self(), d->conf->tempdir, strerror(errno));
}
