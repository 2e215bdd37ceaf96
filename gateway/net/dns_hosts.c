#include "net/dns_hosts.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/address.h"
#include "net/dns_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MOST = 1 << 20, ENTRIES_MOST = 10000, FIRST_ROOM = 64 };

struct entry {
    const char *name;
    struct address address;
};

struct dns_hosts {
    struct arena names;
    struct entry *entries; /* by name */
    size_t count, room;
};

/* What was wrong with a file. */
struct trouble {
    size_t bad, first; /* lines */
    bool too_much;
};

static void warn(const char *path, struct buf *what)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_WARNING, "dns");
    log_text(&l, "file", path);
    log_str(&l, "message", buf_str(what));
    log_end(&l);
}

static void warn_of_trouble(const char *path, const struct trouble *t)
{
    struct buf what = {0};

    if (t->bad > 0)
        buf_print(&what, "%zu lines cannot be read, the first is line %zu", t->bad, t->first);
    if (t->too_much)
        buf_print(&what, "%sit is too large: what is beyond %d bytes or %d names does not count", t->bad > 0 ? "; " : "", (int)FILE_MOST,
                  (int)ENTRIES_MOST);
    if (what.length > 0)
        warn(path, &what);
    buf_done(&what);
}

static bool add(struct dns_hosts *h, const char *name, const struct address *address)
{
    if (h->count >= ENTRIES_MOST)
        return false;
    if (h->count == h->room) {
        h->room = h->room > 0 ? 2 * h->room : FIRST_ROOM;
        h->entries = memory_resize(h->entries, h->room * sizeof *h->entries);
    }
    h->entries[h->count++] = (struct entry){arena_text(&h->names, str_of(name)), *address};
    return true;
}

static bool read_name(struct str word, char to[DNS_NAME_SIZE])
{
    char name[DNS_NAME_SIZE];

    return str_copy(word, name, sizeof name) && dns_name_normalize(name, to);
}

/* ADDRESS NAME…; false for a line that is bad. */
static bool read_line(struct dns_hosts *h, struct str line, struct trouble *t)
{
    char name[DNS_NAME_SIZE];
    struct address address;
    struct str word;
    bool good;

    line = str_trim(str_part(line, 0, str_find(line, '#', 0)));
    if (line.length == 0 || line.data[0] == '\r')
        return true;
    str_cut_any(&line, " \t\r", &word);
    good = address_parse(&address, word) && str_trim(line).length > 0;
    while (good && str_cut_any(&line, " \t\r", &word)) {
        if (word.length == 0)
            continue;
        good = read_name(word, name);
        if (good && strcmp(name, "localhost") != 0 && !add(h, name, &address))
            t->too_much = true;
    }
    return good;
}

static void read_text(struct dns_hosts *h, struct str text, struct trouble *t)
{
    struct str line;

    for (size_t number = 1; str_cut(&text, '\n', &line); number++) {
        if (read_line(h, line, t))
            continue;
        if (t->bad++ == 0)
            t->first = number;
    }
}

/* Not the line that the bound cuts. */
static struct str whole_lines(struct str text)
{
    while (text.length > 0 && text.data[text.length - 1] != '\n')
        text.length--;
    return text;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

struct dns_hosts *dns_hosts_open(const char *path)
{
    struct dns_hosts *h = memory_new(sizeof *h);
    struct trouble trouble = {0};
    struct buf text, problem = {0};
    bool good;

    arena_init(&h->names);
    buf_init(&text, FILE_MOST);
    good = file_read(path, &text);
    trouble.too_much = text.full;
    if (!good && !text.full && errno != ENOENT) {
        buf_print(&problem, "%s: it does not count", strerror(errno));
        warn(path, &problem);
    } else {
        read_text(h, text.full ? whole_lines(buf_str(&text)) : buf_str(&text), &trouble);
    }
    warn_of_trouble(path, &trouble);
    if (h->count > 0)
        qsort(h->entries, h->count, sizeof *h->entries, compare);
    buf_done(&problem);
    buf_done(&text);
    return h;
}

void dns_hosts_close(struct dns_hosts **h)
{
    if (*h == NULL)
        return;
    arena_done(&(*h)->names);
    memory_free(&(*h)->entries);
    memory_free(h);
}

/* The first entry of NAME, or where it would stand. */
static size_t find(const struct dns_hosts *h, const char *name)
{
    size_t low = 0, high = h->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (strcmp(h->entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool dns_hosts_has(const struct dns_hosts *h, const char *name)
{
    const size_t at = h != NULL ? find(h, name) : 0;

    return h != NULL && at < h->count && strcmp(h->entries[at].name, name) == 0;
}

void dns_hosts_answer(const struct dns_hosts *h, const char *name, enum dns_type type, struct arena *arena, struct dns_answer *answer)
{
    const int family = type == DNS_A ? AF_INET : AF_INET6;

    *answer = (struct dns_answer){.outcome = DNS_NO_DATA, .canonical = answer->canonical};
    answer->records = arena_new(arena, DNS_RECORDS_MOST * sizeof *answer->records);
    for (size_t i = find(h, name); i < h->count && strcmp(h->entries[i].name, name) == 0 && answer->count < DNS_RECORDS_MOST; i++) {
        const struct address *a = &h->entries[i].address;

        if (a->family != family)
            continue;
        answer->records[answer->count++] = arena_str(arena, (struct str){(const char *)a->bytes, family == AF_INET ? 4 : 16});
        answer->outcome = DNS_FOUND;
    }
}
