#include "directory/secrets.h"

#include "base/base64.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/memory.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEX_LENGTH = 2 * CRYPTO_KEY, FILE_MAX = HEX_LENGTH + 2 };

struct secrets {
    char *path;
    struct lock lock;
    bool has_key;
    unsigned char key[CRYPTO_KEY];
};

/* Where the reason of a failure goes. */
struct complaint {
    char *text;
    size_t size;
};

struct secrets *secrets_new(const char *path)
{
    struct secrets *s = memory_new(sizeof *s);

    s->path = memory_string(path);
    lock_init(&s->lock);
    return s;
}

void secrets_free(struct secrets **s)
{
    if (*s == NULL)
        return;
    lock_done(&(*s)->lock);
    crypto_wipe((*s)->key, sizeof (*s)->key);
    memory_free(&(*s)->path);
    memory_free(s);
}

bool secrets_is_sealed(struct str stored)
{
    return str_starts(stored, STR("{sealed}"));
}

void secrets_route_context(struct str remote_host, struct str login, struct buf *to)
{
    /* A host has no space in it: no two pairs are one text. */
    buf_print(to, "route %.*s ", STR_ARG(remote_host));
    buf_add(to, login);
}

static bool complain(const struct secrets *s, const struct complaint *c, const char *what)
{
    snprintf(c->text, c->size, "%s: %s", s->path, what);
    return false;
}

static bool complain_errno(const struct secrets *s, const struct complaint *c, const char *what, int reason)
{
    snprintf(c->text, c->size, "%s: the key for stored passwords %s: %s", s->path, what, strerror(reason));
    return false;
}

static bool read_key(struct secrets *s, int fd, const struct complaint *c)
{
    char text[FILE_MAX + 1];
    struct stat st;
    struct str hex;
    ssize_t got;

    if (fstat(fd, &st) != 0)
        return complain_errno(s, c, "cannot be read", errno);
    if (!S_ISREG(st.st_mode))
        return complain(s, c, "the key for stored passwords must be a file");
    if ((st.st_mode & 0177) != 0) {
        snprintf(c->text, c->size, "%s: others have rights on the key for stored passwords (mode %04o): chmod 600 %s", s->path,
                 (unsigned)st.st_mode & 07777, s->path);
        return false;
    }
    got = pread(fd, text, sizeof text, 0);
    if (got < 0)
        return complain_errno(s, c, "cannot be read", errno);
    hex = (struct str){text, (size_t)got};
    if (str_ends(hex, STR("\n")))
        hex.length--;
    s->has_key = hex_read(hex, s->key, sizeof s->key);
    crypto_wipe(text, sizeof text);
    return s->has_key || complain(s, c, "it is no key for stored passwords (expected 64 hexadecimal digits): restore it from a backup");
}

/* True also when there is no such file: then *MISSING. */
static bool load(struct secrets *s, bool *missing, const struct complaint *c)
{
    int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool ok;

    *missing = fd < 0 && errno == ENOENT;
    if (fd < 0)
        return *missing || complain_errno(s, c, "cannot be opened", errno);
    ok = read_key(s, fd, c);
    close(fd);
    return ok;
}

static bool write_new_key(int fd)
{
    unsigned char key[CRYPTO_KEY];
    char text[HEX_LENGTH + 1];
    bool ok;

    crypto_random(key, sizeof key);
    hex_write(key, sizeof key, text);
    text[HEX_LENGTH] = '\n';
    ok = fchmod(fd, 0600) == 0 && write(fd, text, sizeof text) == (ssize_t)sizeof text && fsync(fd) == 0;
    crypto_wipe(key, sizeof key);
    crypto_wipe(text, sizeof text);
    return ok;
}

/* Under a name of its own first: whoever finds the file finds all of it, and of two who make one at once the second's link fails. */
static bool make(const struct secrets *s, const struct complaint *c)
{
    struct buf name = {0};
    uint64_t number;
    int fd, reason;
    bool ok;

    crypto_random(&number, sizeof number);
    buf_print(&name, "%s.%016llx.new", s->path, (unsigned long long)number);
    fd = open(buf_text(&name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    ok = fd >= 0 && write_new_key(fd) && (link(buf_text(&name), s->path) == 0 || errno == EEXIST);
    reason = errno;
    if (fd >= 0) {
        unlink(buf_text(&name));
        close(fd);
    }
    buf_done(&name);
    return ok || complain_errno(s, c, "cannot be made", reason);
}

/* The key, on disk with its name, for something new to be sealed with it. */
static bool load_or_make(struct secrets *s, const struct complaint *c)
{
    bool missing;

    if (s->has_key)
        return true;
    if (!load(s, &missing, c))
        return false;
    if (missing && (!make(s, c) || !load(s, &missing, c)))
        return false;
    if (missing)
        return complain(s, c, "the key for stored passwords was deleted while it was made");
    if (file_sync_name(s->path))
        return true;
    s->has_key = false;
    return complain_errno(s, c, "cannot be kept", errno);
}

static bool load_existing(struct secrets *s, const struct complaint *c)
{
    bool missing;

    if (s->has_key)
        return true;
    if (!load(s, &missing, c))
        return false;
    return !missing || complain(s, c, "the key for stored passwords is missing: restore it from a backup, or store the passwords anew");
}

bool secrets_check(struct secrets *s, bool made_before, char *error, size_t error_size)
{
    const struct complaint c = {error, error_size};
    bool ok = true;

    lock_take(&s->lock);
    if (made_before)
        ok = load_existing(s, &c);
    lock_release(&s->lock);
    return ok;
}

bool secrets_seal(struct secrets *s, struct str context, struct str plain, struct buf *to, char *error, size_t error_size)
{
    const struct complaint c = {error, error_size};
    struct buf sealed = {0};
    bool ok;

    lock_take(&s->lock);
    ok = load_or_make(s, &c);
    if (ok)
        crypto_seal(s->key, context, plain, &sealed);
    lock_release(&s->lock);
    if (ok) {
        buf_add_text(to, "{sealed}");
        base64_encode(buf_str(&sealed), to);
    }
    buf_done(&sealed);
    return ok;
}

/* The key at hand, else the one that is on disk now: it takes the place of the other when it fits and not before. */
static bool open_sealed(struct secrets *s, struct str context, struct str sealed, struct buf *to, const struct complaint *c)
{
    struct secrets other = {.path = s->path};
    bool ok = s->has_key && crypto_open(s->key, context, sealed, to);

    if (ok)
        return true;
    if (!load_existing(&other, c))
        return false;
    ok = crypto_open(other.key, context, sealed, to);
    if (ok) {
        memcpy(s->key, other.key, sizeof s->key);
        s->has_key = true;
    }
    crypto_wipe(other.key, sizeof other.key);
    return ok || complain(s, c, "a stored password was not sealed with this key, or for another row:"
                                " restore the key from a backup, or store the password anew");
}

bool secrets_open(struct secrets *s, struct str context, struct str stored, struct buf *to, char *error, size_t error_size)
{
    const struct complaint c = {error, error_size};
    struct buf sealed = {0};
    bool ok;

    if (!secrets_is_sealed(stored)) {
        buf_add(to, stored);
        return true;
    }
    (void)base64_decode(str_from(stored, sizeof "{sealed}" - 1), &sealed);
    lock_take(&s->lock);
    ok = open_sealed(s, context, buf_str(&sealed), to, &c);
    lock_release(&s->lock);
    buf_done(&sealed);
    return ok;
}
