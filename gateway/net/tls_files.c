#include "net/tls_files.h"

#include "base/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char bundle_head[] = "tmail certificates 1\n";

enum { FIELDS = 5, LENGTH_DIGITS = 20 };

struct failure {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool fail(const struct failure *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->text, f->size, format, args);
    va_end(args);
    return false;
}

/* One byte more than the file has is asked for: a file that grows meanwhile is being written. */
static bool read_bytes(int fd, char *to, size_t size)
{
    size_t length = 0;
    ssize_t n = 1;

    while (n != 0 && length <= size) {
        n = read(fd, to + length, size + 1 - length);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0)
            length += (size_t)n;
    }
    if (length != size)
        errno = EAGAIN;
    return length == size;
}

static bool read_open(struct arena *a, int fd, const char *path, struct str *content, const struct failure *f)
{
    struct stat facts;
    char *bytes;

    if (fstat(fd, &facts) < 0)
        return fail(f, "cannot read %s: %s", path, strerrordesc_np(errno));
    if (!S_ISREG(facts.st_mode))
        return fail(f, "cannot read %s: it is not a file", path);
    if (facts.st_size > TLS_FILE_MAX)
        return fail(f, "cannot read %s: it is too big (at most %d bytes)", path, TLS_FILE_MAX);
    bytes = arena_new(a, (size_t)facts.st_size + 1);
    *content = (struct str){bytes, (size_t)facts.st_size}; /* also when it fails: what is there will be wiped */
    if (!read_bytes(fd, bytes, content->length))
        return fail(f, "cannot read %s: %s", path, errno == EAGAIN ? "it is being written" : strerrordesc_np(errno));
    return true;
}

static bool read_file(struct arena *a, const char *path, struct str *content, const struct failure *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool good;

    if (fd < 0)
        return fail(f, "cannot read %s: %s", path, strerrordesc_np(errno));
    good = read_open(a, fd, path, content, f);
    close(fd);
    return good;
}

static bool has_suffix(const char *name, const char *suffix)
{
    return name[0] != '.' && strlen(name) > strlen(suffix) && str_ends(str_of(name), str_of(suffix));
}

/* `*.crt` and `*.key` that are not hidden. */
static int is_of_a_pair(const struct dirent *entry)
{
    return has_suffix(entry->d_name, ".crt") || has_suffix(entry->d_name, ".key");
}

struct names {
    struct dirent **items;
    size_t count;
};

static bool list_names(struct names *n, const char *folder)
{
    int count = scandir(folder, &n->items, is_of_a_pair, alphasort);

    n->count = count > 0 ? (size_t)count : 0;
    return count >= 0;
}

static void names_done(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->items[i]);
    if (n->count > 0)
        free(n->items);
}

static const char *path_in(struct arena *a, const char *folder, struct str host, const char *suffix)
{
    size_t size = strlen(folder) + 1 + host.length + strlen(suffix) + 1;
    char *path = arena_new(a, size);

    snprintf(path, size, "%s/%.*s%s", folder, STR_ARG(host), suffix);
    return path;
}

static struct str host_of(const char *file_name)
{
    return str_part(str_of(file_name), 0, strlen(file_name) - strlen(".crt"));
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0 || errno != ENOENT;
}

static bool read_pair(struct tls_pairs *p, const char *host, const char *cert, const char *key, const struct failure *f)
{
    struct tls_pair *pair = &p->items[p->count++];

    *pair = (struct tls_pair){.host = host, .cert_path = cert, .key_path = key};
    return read_file(&p->arena, cert, &pair->cert, f) && read_file(&p->arena, key, &pair->key, f);
}

static bool read_named(struct tls_pairs *p, const char *folder, const char *name, const struct failure *f)
{
    struct str host = host_of(name);
    const char *cert = path_in(&p->arena, folder, host, ".crt"), *key = path_in(&p->arena, folder, host, ".key");

    if (!exists(cert))
        return fail(f, "%s is missing: there is %s", cert, key);
    if (!exists(key))
        return fail(f, "%s is missing: there is %s", key, cert);
    return has_suffix(name, ".key") || read_pair(p, arena_lower(&p->arena, host).data, cert, key, f);
}

static bool read_all(struct tls_pairs *p, const char *cert, const char *key, const char *folder, const struct names *n,
                     const struct failure *f)
{
    p->items = arena_new(&p->arena, (n->count + 1) * sizeof *p->items);
    if (!read_pair(p, "", arena_text(&p->arena, str_of(cert)), arena_text(&p->arena, str_of(key)), f))
        return false;
    for (size_t i = 0; i < n->count; i++)
        if (!read_named(p, folder, n->items[i]->d_name, f))
            return false;
    return true;
}

bool tls_files_read(struct tls_pairs *p, const char *cert, const char *key, const char *sni_dir, char *error, size_t error_size)
{
    const struct failure f = {error, error_size};
    struct names names = {NULL, 0};
    bool good;

    *p = (struct tls_pairs){.count = 0};
    arena_init(&p->arena);
    if (sni_dir[0] != '\0' && !list_names(&names, sni_dir))
        return fail(&f, "cannot read %s: %s", sni_dir, strerrordesc_np(errno));
    good = read_all(p, cert, key, sni_dir, &names, &f);
    names_done(&names);
    if (!good)
        tls_files_done(p);
    return good;
}

static void wipe(struct str s)
{
    if (s.length > 0)
        crypto_wipe((void *)s.data, s.length);
}

void tls_files_done(struct tls_pairs *p)
{
    for (size_t i = 0; i < p->count; i++) {
        wipe(p->items[i].cert);
        wipe(p->items[i].key);
    }
    arena_done(&p->arena);
    *p = (struct tls_pairs){.count = 0};
}

/* FNV-1a, as long as it comes. */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    return hash;
}

static uint64_t mix_number(uint64_t hash, int64_t number)
{
    return mix(hash, &number, sizeof number);
}

static uint64_t fingerprint_of(const char *path)
{
    uint64_t hash = mix(UINT64_C(14695981039346656037), path, strlen(path));
    struct stat s;

    if (stat(path, &s) < 0)
        return mix_number(hash, errno);
    hash = mix_number(mix_number(hash, (int64_t)s.st_dev), (int64_t)s.st_ino);
    hash = mix_number(mix_number(hash, s.st_size), (int64_t)s.st_mode);
    hash = mix_number(mix_number(hash, s.st_mtim.tv_sec), s.st_mtim.tv_nsec);
    return mix_number(mix_number(hash, s.st_ctim.tv_sec), s.st_ctim.tv_nsec);
}

/* A sum, because a folder is read in no order. */
static uint64_t fingerprint_of_folder(const char *folder)
{
    uint64_t sum = fingerprint_of(folder);
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    char path[PATH_MAX];

    while (open_folder != NULL && (entry = readdir(open_folder)) != NULL)
        if (is_of_a_pair(entry) && (size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < sizeof path)
            sum += fingerprint_of(path);
    if (open_folder != NULL)
        closedir(open_folder);
    return sum;
}

uint64_t tls_files_fingerprint(const char *cert, const char *key, const char *sni_dir)
{
    uint64_t hash = mix_number(fingerprint_of(cert), (int64_t)fingerprint_of(key));

    return sni_dir[0] != '\0' ? mix_number(hash, (int64_t)fingerprint_of_folder(sni_dir)) : hash;
}

/* Lengths in front (as in netstrings): "5:abcde,". */
static void write_field(struct buf *bundle, struct str s)
{
    buf_print(bundle, "%zu:", s.length);
    buf_add(bundle, s);
    buf_add_byte(bundle, ',');
}

static void fields_of(const struct tls_pair *p, struct str fields[FIELDS])
{
    const struct str all[FIELDS] = {str_of(p->host), str_of(p->cert_path), str_of(p->key_path), p->cert, p->key};

    memcpy(fields, all, sizeof all);
}

/* At once, so that no copy of a key is left behind where the buffer was before it grew. */
static void reserve(const struct tls_pairs *p, struct buf *bundle)
{
    size_t size = sizeof bundle_head;
    struct str fields[FIELDS];

    for (size_t i = 0; i < p->count; i++) {
        fields_of(&p->items[i], fields);
        for (size_t k = 0; k < FIELDS; k++)
            size += fields[k].length + LENGTH_DIGITS + 2;
    }
    buf_room(bundle, size);
}

void tls_files_write(const struct tls_pairs *p, struct buf *bundle)
{
    struct str fields[FIELDS];

    reserve(p, bundle);
    buf_add_text(bundle, bundle_head);
    for (size_t i = 0; i < p->count; i++) {
        fields_of(&p->items[i], fields);
        for (size_t k = 0; k < FIELDS; k++)
            write_field(bundle, fields[k]);
    }
}

/* Decimal digits as they are printed: no zeros in front. */
static bool parse_length(struct str text, size_t *length)
{
    uint64_t value;

    if (text.length > 1 && text.data[0] == '0')
        return false;
    if (!str_number(text, TLS_FILE_MAX, &value))
        return false;
    *length = (size_t)value;
    return true;
}

static bool parse_field(struct str *rest, struct str *field)
{
    size_t colon = str_find(str_part(*rest, 0, LENGTH_DIGITS + 1), ':', 0), length;

    if (!parse_length(str_part(*rest, 0, colon), &length))
        return false;
    *field = str_part(*rest, colon + 1, length);
    *rest = str_from(*rest, colon + 1);
    if (field->length != length || rest->length == length || rest->data[length] != ',')
        return false;
    *rest = str_from(*rest, length + 1);
    return true;
}

static bool parse_fields(struct str *rest, struct str fields[FIELDS])
{
    for (size_t k = 0; k < FIELDS; k++)
        if (!parse_field(rest, &fields[k]))
            return false;
    return !str_has(fields[0], '\0') && !str_has(fields[1], '\0') && !str_has(fields[2], '\0');
}

/* Pairs in REST, which holds nothing else and begins with the one for no host; 0: it is something else. */
static size_t count_pairs(struct str rest)
{
    struct str f[FIELDS];
    size_t count = 0;

    for (; rest.length > 0; count++)
        if (!parse_fields(&rest, f) || (f[0].length == 0) != (count == 0))
            return 0;
    return count;
}

static void copy_pair(struct arena *a, const struct str f[FIELDS], struct tls_pair *pair)
{
    pair->host = arena_text(a, f[0]);
    pair->cert_path = arena_text(a, f[1]);
    pair->key_path = arena_text(a, f[2]);
    pair->cert = arena_str(a, f[3]);
    pair->key = arena_str(a, f[4]);
}

bool tls_files_parse(struct tls_pairs *p, struct str bundle)
{
    struct str rest = str_from(bundle, sizeof bundle_head - 1), f[FIELDS];
    size_t count;

    *p = (struct tls_pairs){.count = 0};
    if (!str_starts(bundle, STR(bundle_head)) || (count = count_pairs(rest)) == 0)
        return false;
    arena_init(&p->arena);
    p->items = arena_new(&p->arena, count * sizeof *p->items);
    while (p->count < count && parse_fields(&rest, f))
        copy_pair(&p->arena, f, &p->items[p->count++]);
    return true;
}
