#include "report/tls_results.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "base/thread.h"
#include "report/tls_day.h"
#include "report/tls_rows.h"

#include <stdlib.h>
#include <string.h>

enum { WRITE_MS = 5000, BUCKETS = 4096 };
/* Lines in memory, and their octets: with details, and at all. */
enum { DETAILED_MOST = 10000, DETAILED_OCTETS = 8 << 20, LINES_MOST = 2 * DETAILED_MOST, LINES_OCTETS = 2 * DETAILED_OCTETS };
enum { POLICY_MOST = 2048, REASON_MOST = 256, NAME_MOST = 255, RECORDS_MOST = 64 };

/* All texts of a row, each closed by a NUL, and how often it came. */
struct line {
    struct line *next;
    int64_t sessions;
    size_t length;
    char text[];
};

struct lines {
    struct line *buckets[BUCKETS];
    size_t count, octets;
    int64_t lost; /* sessions that found no place */
};

struct tls_results {
    char *db_path;
    struct lock lock; /* over `lines` */
    struct lines *lines;
    struct lock writing; /* over all that follows */
    struct tables *tables;
    bool failed; /* the log says so */
};

static const char *const types[] = {[TLS_RESULT_NO_POLICY] = "no-policy-found", [TLS_RESULT_TLSA] = "tlsa", [TLS_RESULT_STS] = "sts"};

static void add_text(struct buf *to, struct str text, size_t most)
{
    buf_add(to, str_part(text, 0, text.length < most ? text.length : most));
    buf_add_byte(to, '\0');
}

/* Whole lines only: half a pattern says something else. */
static void add_lines(struct buf *to, const char *text, bool wanted)
{
    struct str lines = wanted ? str_of(text) : STR("");

    while (lines.length > POLICY_MOST) {
        size_t end = POLICY_MOST;

        while (end > 0 && lines.data[end] != '\n')
            end--;
        lines.length = end;
    }
    add_text(to, lines, POLICY_MOST);
}

static int compare_lines(const void *a, const void *b)
{
    const struct str *one = a, *other = b;
    int order = memcmp(one->data, other->data, one->length < other->length ? one->length : other->length);

    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

/* An answer of the DNS has its records in any order, which makes no other policy. */
static void add_records(struct buf *to, const char *text, bool wanted)
{
    struct str lines[RECORDS_MOST], rest = wanted ? str_of(text) : STR("");
    struct buf sorted = {0};
    size_t count = 0;

    while (count < RECORDS_MOST && str_cut(&rest, '\n', &lines[count]))
        count += lines[count].length > 0;
    qsort(lines, count, sizeof lines[0], compare_lines);
    for (size_t i = 0; i < count; i++) {
        buf_add(&sorted, lines[i]);
        buf_add_byte(&sorted, '\n');
    }
    add_lines(to, buf_text(&sorted), true);
    buf_done(&sorted);
}

static void add_address(struct buf *to, const struct address *address, bool wanted)
{
    char text[ADDRESS_TEXT_SIZE] = "";

    if (wanted && address != NULL && address->family != AF_UNSPEC)
        address_text(address, text);
    add_text(to, str_of(text), sizeof text);
}

/* The texts in the order of struct tls_row. */
static void write_line(struct buf *to, const struct tls_result *r, const char *day, bool detailed)
{
    const bool failed = detailed && r->failure != TLS_FAILURE_NONE;

    add_text(to, str_of(day), TLS_DAY_SIZE);
    add_text(to, str_of(r->domain), NAME_MOST);
    add_text(to, str_of(types[r->type]), NAME_MOST);
    (r->type == TLS_RESULT_TLSA ? add_records : add_lines)(to, r->policy, detailed);
    add_lines(to, r->mx, detailed);
    add_text(to, str_of(tls_failure_name(r->failure)), NAME_MOST);
    add_text(to, failed ? str_of(r->mx_host) : STR(""), NAME_MOST);
    add_address(to, r->local, failed);
    add_address(to, r->peer, failed);
    add_text(to, failed ? str_of(r->reason) : STR(""), REASON_MOST);
}

static struct line **find(struct lines *lines, struct str text)
{
    struct line **place = &lines->buckets[str_hash(text) % BUCKETS];

    while (*place != NULL && !str_equal((struct str){(*place)->text, (*place)->length}, text))
        place = &(*place)->next;
    return place;
}

/* False when it is a new line and there are MOST, or OCTETS of them. */
static bool add(struct lines *lines, struct str text, int64_t sessions, size_t most, size_t octets)
{
    struct line **place = find(lines, text);

    if (*place == NULL) {
        if (lines->count >= most || lines->octets + text.length > octets)
            return false;
        *place = memory_new(sizeof **place + text.length);
        (*place)->length = text.length;
        memcpy((*place)->text, text.data, text.length);
        lines->count++;
        lines->octets += text.length;
    }
    (*place)->sessions += sessions;
    return true;
}

void tls_results_count(struct tls_results *r, const struct tls_result *result)
{
    struct buf full = {0}, bare = {0};
    char day[TLS_DAY_SIZE];

    /* Nobody publishes an address for reports below an address literal. */
    if (r == NULL || result->domain[0] == '\0' || result->domain[0] == '[')
        return;
    tls_day_text(clock_wall(), day);
    write_line(&full, result, day, true);
    write_line(&bare, result, day, false);
    lock_take(&r->lock);
    if (!add(r->lines, buf_str(&full), 1, DETAILED_MOST, DETAILED_OCTETS) && !add(r->lines, buf_str(&bare), 1, LINES_MOST, LINES_OCTETS))
        r->lines->lost++;
    lock_release(&r->lock);
    buf_done(&full);
    buf_done(&bare);
}

/* NULL: there is nothing to write. */
static struct lines *take_lines(struct tls_results *r)
{
    struct lines *taken = NULL;

    lock_take(&r->lock);
    if (r->lines->count > 0) {
        taken = r->lines;
        r->lines = memory_new(sizeof *r->lines);
    }
    lock_release(&r->lock);
    return taken;
}

static void free_lines(struct lines **lines)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct line *next, *line = (*lines)->buckets[i]; line != NULL; line = next) {
            next = line->next;
            memory_free(&line);
        }
    memory_free(lines);
}

/* They could not be written: they wait with what came in the meantime. */
static void put_back(struct tls_results *r, struct lines *lines)
{
    lock_take(&r->lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct line *line = lines->buckets[i]; line != NULL; line = line->next)
            if (!add(r->lines, (struct str){line->text, line->length}, line->sessions, LINES_MOST, LINES_OCTETS))
                r->lines->lost += line->sessions;
    r->lines->lost += lines->lost;
    lock_release(&r->lock);
}

static void read_line(const struct line *line, struct tls_row *row)
{
    struct str *const texts[] = {&row->day, &row->domain, &row->type, &row->policy, &row->mx, &row->failure, &row->mx_host, &row->local_ip,
                                 &row->peer_ip, &row->reason};
    const char *text = line->text;

    *row = (struct tls_row){.sessions = line->sessions};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = str_of(text);
        text += texts[i]->length + 1;
    }
}

static struct status write_lines(struct tables *t, const struct lines *lines)
{
    struct status s = tables_begin(t);

    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct line *line = lines->buckets[i]; line != NULL && status_is_ok(&s); line = line->next) {
            struct tls_row row;

            read_line(line, &row);
            s = tls_rows_add(t, &row);
        }
    return tables_end(t, s);
}

static struct status store(struct tls_results *r, const struct lines *lines)
{
    char error[1024] = "";
    struct status s;

    if (r->tables == NULL)
        r->tables = tables_open(r->db_path, error, sizeof error);
    s = r->tables != NULL ? write_lines(r->tables, lines) : status_make(451, "4.3.0", "%s", error);
    if (!status_is_ok(&s))
        tables_close(&r->tables);
    return s;
}

static void tell(struct tls_results *r, const struct status *s, int64_t lost)
{
    bool failed = !status_is_ok(s);

    if (failed && !r->failed)
        log_message(LOG_LEVEL_WARNING, "tls-results", "what is counted for TLS reports stays in memory: %s", s->text);
    if (!failed && lost > 0)
        log_message(LOG_LEVEL_WARNING, "tls-results", "%lld sessions are not counted for TLS reports: too many different ones",
                    (long long)lost);
    r->failed = failed;
}

void tls_results_flush(struct tls_results *r)
{
    struct lines *lines;
    struct status s;

    if (r == NULL)
        return;
    lock_take(&r->writing);
    lines = take_lines(r);
    if (lines != NULL) {
        s = store(r, lines);
        if (!status_is_ok(&s))
            put_back(r, lines);
        tell(r, &s, lines->lost);
        free_lines(&lines);
    }
    lock_release(&r->writing);
}

static void run(void *argument)
{
    while (!stop_wait(clock_now() + WRITE_MS))
        tls_results_flush(argument);
}

struct tls_results *tls_results_new(const char *db_path)
{
    struct tls_results *r = memory_new(sizeof *r);

    r->db_path = memory_string(db_path);
    r->lines = memory_new(sizeof *r->lines);
    lock_init(&r->lock);
    lock_init(&r->writing);
    if (!thread_start(run, r))
        log_message(LOG_LEVEL_WARNING, "tls-results", "no thread is left: what is counted for TLS reports is written at the end");
    return r;
}
