#include "smtpd/smtpd.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"
#include "conf/dns_settings.h"
#include "conf/listeners.h"
#include "net/listener.h"
#include "smtpd/clients.h"
#include "smtpd/session.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ACCEPT_BURST = 64, NO_DESCRIPTORS_PAUSE_MS = 100, DRAIN_LOOK_MS = 100, LAST_WORDS_MS = 1500 };

struct receiver {
    struct smtpd smtpd;
    struct directory directory;
    struct clients *clients;
    struct arena arena;
    struct listeners specs; /* in the order of the descriptors */
};

struct visitor {
    struct receiver *receiver;
    const struct listener_spec *listener;
    int fd;
    struct address peer;
};

static void visit(void *argument)
{
    struct visitor v = *(struct visitor *)argument;

    memory_free(&argument);
    session_run(&v.receiver->smtpd, v.listener, v.fd, &v.peer);
    clients_leave(v.receiver->clients, &v.peer);
}

/* A new socket's send buffer takes one line without blocking; a client that cannot even take that gets nothing. */
static void turn_away(int fd, const struct address *peer, const struct status *status)
{
    char line[STATUS_TEXT_SIZE + 32], enhanced[STATUS_ENHANCED_SIZE], client[ADDRESS_TEXT_SIZE];
    struct log_line l;

    status_enhanced(status, enhanced);
    snprintf(line, sizeof line, "%d %s%s\r\n", status->code, enhanced, status->text);
    (void)!send(fd, line, strlen(line), MSG_NOSIGNAL);
    close(fd);
    address_text(peer, client);
    log_begin(&l, LOG_LEVEL_WARNING, "too-many-sessions");
    log_text(&l, "client", client);
    log_status(&l, status);
    log_end(&l);
}

static void receive(struct receiver *r, const struct listener_spec *listener, int fd, const struct address *peer)
{
    const struct conf *conf = r->smtpd.conf;
    int64_t total_limit = conf->smtpd_concurrency_incoming, own_limit = conf->smtpd_concurrency_per_client;
    int own = clients_enter(r->clients, peer);
    struct status status = status_ok();

    if (clients_total(r->clients) > total_limit)
        status = status_make(421, "4.3.2", "Too many sessions, try again later (limit %lld)", (long long)total_limit);
    else if (own_limit > 0 && own > own_limit)
        status = status_make(421, "4.7.0", "Too many sessions from your address (limit %lld)", (long long)own_limit);
    if (status_is_ok(&status)) {
        struct visitor *v = memory_new(sizeof *v);

        *v = (struct visitor){r, listener, fd, *peer};
        if (thread_start(visit, v))
            return;
        memory_free(&v);
        status = status_make(421, "4.3.2", "No thread left for a session, try again later");
    }
    turn_away(fd, peer, &status);
    clients_leave(r->clients, peer);
}

static void accept_from(struct receiver *r, const struct listener_spec *spec, int listener)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        struct address peer;
        int fd = listener_accept(listener, &peer);

        if (fd >= 0) {
            receive(r, spec, fd, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            log_message(LOG_LEVEL_ERROR, "accept", "cannot take a connection: %s", strerrordesc_np(errno));
            stop_wait(clock_now() + NO_DESCRIPTORS_PAUSE_MS);
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            return;
        }
    }
}

static bool use_pairs(struct receiver *r, const struct tls_pairs *pairs, char *error, size_t size)
{
    if (!tls_server_use(r->smtpd.tls, pairs, error, size))
        return false;
    atomic_store(&r->smtpd.has_certificates, true);
    return true;
}

/* The bundle comes checked; what is wrong with it now is between two versions of the program. */
static void take_certificates(struct receiver *r)
{
    struct tls_pairs pairs = {0};
    struct buf bundle = {.limit = TLS_BUNDLE_MAX};
    char error[TLS_ERROR_SIZE] = "the parent's bundle is damaged";
    int file = stop_take_file();
    bool ok = file_read_fd(file, &bundle);

    if (ok && bundle.length > 0)
        ok = tls_files_parse(&pairs, buf_str(&bundle)) && use_pairs(r, &pairs, error, sizeof error);
    if (!ok)
        log_message(LOG_LEVEL_ERROR, "certificates", "%s", error);
    else if (bundle.length > 0)
        log_message(LOG_LEVEL_INFO, "certificates", "%zu in use", pairs.count);
    crypto_wipe_buf(&bundle);
    tls_files_done(&pairs);
    close(file);
}

static enum stop_word serve(struct receiver *r, const int *listeners, size_t count)
{
    struct pollfd p[LISTENERS_MAX + 1];

    for (size_t i = 0; i < count; i++)
        p[i] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
    p[count] = (struct pollfd){.fd = stop_control(), .events = POLLIN};
    for (;;) {
        if (poll(p, count + 1, -1) < 0)
            continue;
        if (p[count].revents != 0) {
            enum stop_word word = stop_hear();

            if (word == STOP_FILE)
                take_certificates(r);
            else if (word != STOP_NOTHING)
                return word;
        }
        for (size_t i = 0; i < count; i++)
            if (p[i].revents != 0)
                accept_from(r, &r->specs.items[i], listeners[i]);
    }
}

/* After a reload the sessions go on as if nothing had happened; those that are still there when TMAIL_STOP_TIMEOUT is over are told to come
 * again. */
static void drain(struct receiver *r)
{
    struct pollfd p = {.fd = stop_control(), .events = POLLIN};
    int64_t end = clock_now() + r->smtpd.conf->stop_timeout;

    log_message(LOG_LEVEL_INFO, "draining", "takes no more sessions, %d are open", clients_total(r->clients));
    while (clients_total(r->clients) > 0 && clock_now() < end)
        if (poll(&p, 1, DRAIN_LOOK_MS) > 0 && stop_hear() == STOP_NOW)
            return;
}

/* The parent has read the CAs of clients; when we may not, mail goes on without asking clients for certificates. */
static struct tls_server *open_tls(const struct conf *conf, char *error, size_t size)
{
    struct tls_server *tls = tls_server_new(conf->tls_min_version, conf->tls_client_ca_file, error, size);

    if (tls != NULL || conf->tls_client_ca_file[0] == '\0')
        return tls;
    log_message(LOG_LEVEL_ERROR, "client-certificates", "clients are not asked for certificates: %s (%s must be readable for TMAIL_USER)", error,
                conf->tls_client_ca_file);
    return tls_server_new(conf->tls_min_version, "", error, size);
}

static bool open_stores(struct receiver *r, char *error, size_t size)
{
    if (!directory_open_sql(&r->directory, r->smtpd.conf->db_path, error, size))
        return false;
    r->smtpd.directory = &r->directory;
    r->smtpd.tls = open_tls(r->smtpd.conf, error, size);
    if (r->smtpd.tls == NULL)
        return false;
    r->smtpd.committer = committer_open(r->smtpd.conf->store_source, r->smtpd.conf->store_min_free, error, size);
    return r->smtpd.committer != NULL;
}

/* Without the DNS mail goes on: names are not shown and no sender is refused for want of an answer. */
static struct dns *open_dns(const struct conf *conf)
{
    const struct dns_settings settings = conf_dns_settings(conf);
    char error[1024];
    struct dns *dns;

    if (conf->smtpd_dns_timeout == 0)
        return NULL;
    dns = dns_open(&settings, error, sizeof error);
    if (dns == NULL)
        log_message(LOG_LEVEL_ERROR, "dns", "the DNS is not asked: %s", error);
    return dns;
}

/* Whom sessions ask. */
static bool open_helpers(struct receiver *r, char *error, size_t size)
{
    const struct conf *conf = r->smtpd.conf;

    r->smtpd.dns = open_dns(conf);
    r->smtpd.judge = judge_new(conf, &r->directory);
    r->smtpd.guard = guard_new(conf->smtpd_auth_max_failures, conf->smtpd_auth_lock_time, conf->smtpd_auth_failure_delay);
    r->smtpd.mailboxes = mailboxes_open(conf, r->smtpd.dns, error, size);
    return r->smtpd.mailboxes != NULL;
}

static void close_helpers(struct receiver *r)
{
    mailboxes_close(&r->smtpd.mailboxes);
    if (r->smtpd.dns != NULL)
        dns_close(&r->smtpd.dns);
}

static bool read_specs(struct receiver *r, size_t count)
{
    struct buf errors = {0};
    bool ok = listeners_parse(&r->specs, str_of(r->smtpd.conf->smtpd_dsns), &r->arena, &errors) && r->specs.count == count;

    buf_done(&errors);
    return ok;
}

int smtpd_run(const struct conf *conf, const int *listeners, size_t count)
{
    /* Never freed: sessions that outlive the grace of a stop look at it until the process is gone. */
    struct receiver *r = memory_new(sizeof *r);
    enum stop_word word;
    char error[1024] = "the listeners do not fit the configuration";

    r->smtpd.conf = conf;
    r->clients = clients_new();
    if (!read_specs(r, count) || !open_stores(r, error, sizeof error) || !open_helpers(r, error, sizeof error)) {
        log_message(LOG_LEVEL_ERROR, "start", "%s", error);
        fprintf(stderr, "tmail: smtpd: %s\n", error);
        return 1;
    }
    if (stop_hear() == STOP_FILE) /* what the parent said before we were there */
        take_certificates(r);
    stop_ready();
    word = serve(r, listeners, count);
    for (size_t i = 0; i < count; i++)
        close(listeners[i]); /* whoever has none of them any more is free to bind */
    if (word == STOP_DRAIN)
        drain(r);
    stop_begin();
    if (!clients_wait_empty(r->clients, stop_deadline() + LAST_WORDS_MS))
        log_message(LOG_LEVEL_WARNING, "stopping", "%d sessions cut after their grace", clients_total(r->clients));
    else
        close_helpers(r);
    return 0;
}
