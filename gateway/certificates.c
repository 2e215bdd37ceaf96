#include "certificates.h"

#include "base/crypto.h"
#include "base/log.h"
#include "conf/listeners.h"
#include "net/tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t look(const struct conf *conf)
{
    return tls_files_fingerprint(conf->tls_cert_path, conf->tls_key_path, conf->tls_sni_dir);
}

/* What the processes that speak TLS will do with the files, and with those of the CAs. */
static bool check(const struct conf *conf, const struct tls_pairs *pairs, char *error, size_t error_size)
{
    struct tls_server *server = tls_server_new(conf->tls_min_version, conf->tls_client_ca_file, error, error_size);
    bool ok = server != NULL && tls_server_use(server, pairs, error, error_size);

    tls_server_free(&server);
    return ok;
}

static bool read_files(const struct conf *conf, struct buf *bundle, char *error, size_t error_size)
{
    struct tls_pairs pairs = {0};
    bool ok = tls_files_read(&pairs, conf->tls_cert_path, conf->tls_key_path, conf->tls_sni_dir, error, error_size) &&
              check(conf, &pairs, error, error_size);

    if (ok)
        tls_files_write(&pairs, bundle);
    tls_files_done(&pairs);
    return ok;
}

static bool is_missing(const char *path)
{
    return access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

/* False: there is none, and none could be made. */
static bool make_pair(const struct conf *conf, char *error, size_t error_size)
{
    if (!tls_make_self_signed(conf->me, conf->tls_cert_path, conf->tls_key_path, error, error_size))
        return false;
    log_message(LOG_LEVEL_WARNING, "certificate-made", "%s and %s are new and self-signed for %s: put there what your clients shall trust",
                conf->tls_cert_path, conf->tls_key_path, conf->me);
    return true;
}

/* A listener that is nothing without TLS, or certificates for names, which are there for a reason. */
static bool needs_tls(const struct conf *conf)
{
    struct arena arena;
    struct listeners listeners;
    struct buf errors = {0};
    bool needed = conf->tls_sni_dir[0] != '\0';

    arena_init(&arena);
    if (listeners_parse(&listeners, str_of(conf->smtpd_dsns), &arena, &errors))
        for (size_t i = 0; i < listeners.count; i++)
            needed = needed || listeners.items[i].tls;
    buf_done(&errors);
    arena_done(&arena);
    return needed;
}

bool certificates_load(struct certificates *c, const struct conf *conf, const struct certificates *before, char *error, size_t error_size)
{
    bool none = conf->smtpd_launch && is_missing(conf->tls_cert_path) && is_missing(conf->tls_key_path);
    bool had_some = before != NULL && before->bundle.length > 0;

    *c = (struct certificates){0};
    if (none && had_some) {
        snprintf(error, error_size, "%s and %s are missing", conf->tls_cert_path, conf->tls_key_path);
        return false;
    }
    none = none && !make_pair(conf, error, error_size);
    c->fingerprint = c->seen = look(conf);
    if (!none)
        return !conf->smtpd_launch || read_files(conf, &c->bundle, error, error_size);
    if (needs_tls(conf))
        return false;
    log_message(LOG_LEVEL_WARNING, "no-tls", "STARTTLS is not offered: there is no certificate, and %s", error);
    return true;
}

void certificates_done(struct certificates *c)
{
    crypto_wipe_buf(&c->bundle);
    *c = (struct certificates){0};
}

bool certificates_changed(struct certificates *c, const struct conf *conf)
{
    uint64_t now = look(conf);
    bool settled = now == c->seen;

    c->seen = now;
    return settled && now != c->fingerprint;
}

bool certificates_renew(struct certificates *c, const struct conf *conf, char *error, size_t error_size)
{
    struct buf bundle = {0};

    c->fingerprint = c->seen;
    if (!read_files(conf, &bundle, error, error_size)) {
        crypto_wipe_buf(&bundle);
        return false;
    }
    crypto_wipe_buf(&c->bundle);
    c->bundle = bundle;
    return true;
}

int certificates_file(const struct certificates *c)
{
    int fd = memfd_create("tmail-certificates", MFD_CLOEXEC);

    if (fd >= 0 && (write(fd, c->bundle.data, c->bundle.length) != (ssize_t)c->bundle.length || lseek(fd, 0, SEEK_SET) != 0)) {
        int reason = errno;

        close(fd);
        errno = reason;
        return -1;
    }
    return fd;
}
