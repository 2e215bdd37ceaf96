#include "queue/selection.h"

#include "conf/value.h"
#include "queue/queue.h"

#include <string.h>

enum { SECOND_MS = 1000, BIRTH_SHIFT = 21 };

/* The parameters ?11 and on.  The sign + keeps SQLite from an index whose order is another. */
static const struct {
    const char *sql;
    bool of_message;
} conditions[SELECTION_CONDITIONS] = {
    [SELECTION_MESSAGE] = {" AND r.message = ?11", false},
    [SELECTION_FROM_NULL] = {" AND m.sender = ?12", true},
    [SELECTION_FROM_HOST] = {" AND m.sender_host = ?13", true},
    [SELECTION_FROM_LOCAL] = {" AND substr(m.sender, 1, length(?14)) = ?14", true},
    [SELECTION_TO_HOST] = {" AND +r.domain = ?15", false},
    [SELECTION_TO_LOCAL] = {" AND substr(r.address, 1, length(?16)) = ?16", false},
    [SELECTION_DOMAIN] = {" AND +r.domain = ?17", false},
    [SELECTION_OLDER] = {" AND r.message < ?18", false},
    [SELECTION_NEWER] = {" AND r.message >= ?19", false},
    [SELECTION_ROUTE] = {" AND ifnull(r.route, 0) = ?20", false},
};
enum { FIRST_PARAMETER = 11 };

static const struct {
    const char *name;
    unsigned states;
} status_names[] = {
    {"scheduled", 1U << RECIPIENT_SCHEDULED},
    {"in-progress", 1U << RECIPIENT_IN_PROGRESS},
    {"held", 1U << RECIPIENT_HELD},
    {"failed", 1U << RECIPIENT_FAILED},
    {"done", 1U << RECIPIENT_DELIVERED | 1U << RECIPIENT_RELAYED | 1U << RECIPIENT_DISCARDED},
};
enum { OVER = 1U << RECIPIENT_FAILED | 1U << RECIPIENT_DELIVERED | 1U << RECIPIENT_RELAYED | 1U << RECIPIENT_DISCARDED };

void selection_init(struct selection *s)
{
    *s = (struct selection){0};
    arena_init(&s->arena);
}

void selection_done(struct selection *s)
{
    arena_done(&s->arena);
}

static void set_number(struct selection *s, enum selection_condition condition, int64_t number)
{
    s->values[condition].given = true;
    s->values[condition].number = number;
}

static void set_text(struct selection *s, enum selection_condition condition, struct str text)
{
    s->values[condition].given = true;
    s->values[condition].text = arena_str(&s->arena, text);
}

/* example.org, or @example.org */
static bool set_domain(struct selection *s, enum selection_condition condition, struct str word)
{
    char domain[DOMAIN_SIZE];

    if (!domain_normalize(str_starts(word, STR("@")) ? str_from(word, 1) : word, domain))
        return false;
    set_text(s, condition, str_of(domain));
    return true;
}

/* The domain is compared in normal form, the local part to the letter, with the @ behind it so that none is taken for the start of
 * another. */
static bool set_address(struct selection *s, enum selection_condition host, enum selection_condition local, struct str word)
{
    struct path path;

    if (str_starts(word, STR("<")) && str_ends(word, STR(">"))) /* as a listing has it */
        word = str_part(word, 1, word.length - 2);
    if (str_find(word, '@', 1) >= word.length)
        return set_domain(s, host, word);
    if (path_parse_address(&path, word, &s->arena) != PATH_OK || path.host.length == 0)
        return false;
    set_text(s, host, path.host);
    set_text(s, local, str_part(path.address, 0, path.address.length - path.domain.length));
    return true;
}

static bool add_from(struct selection *s, struct str word, int64_t now)
{
    (void)now;
    if (!str_equal(word, STR("<>")))
        return set_address(s, SELECTION_FROM_HOST, SELECTION_FROM_LOCAL, word);
    set_text(s, SELECTION_FROM_NULL, STR(""));
    return true;
}

static bool add_to(struct selection *s, struct str word, int64_t now)
{
    (void)now;
    return set_address(s, SELECTION_TO_HOST, SELECTION_TO_LOCAL, word);
}

static bool add_domain(struct selection *s, struct str word, int64_t now)
{
    (void)now;
    return set_domain(s, SELECTION_DOMAIN, word);
}

static unsigned find_status(struct str name)
{
    for (size_t i = 0; i < sizeof status_names / sizeof status_names[0]; i++)
        if (str_equal(name, str_of(status_names[i].name)))
            return status_names[i].states;
    return 0;
}

static bool add_status(struct selection *s, struct str word, int64_t now)
{
    unsigned states = 0;
    struct str name;

    (void)now;
    while (str_cut(&word, ',', &name)) {
        unsigned found = find_status(str_trim(name));

        if (found == 0)
            return false;
        states |= found;
    }
    s->states = states;
    return states != 0;
}

/* The first id of that time: ids begin with it. */
static bool set_age(struct selection *s, enum selection_condition condition, struct str word, int64_t now)
{
    int64_t age;

    if (!value_read_time(word, SECOND_MS, &age))
        return false;
    set_number(s, condition, age < now ? (now - age) << BIRTH_SHIFT : 0);
    return true;
}

static bool add_older(struct selection *s, struct str word, int64_t now)
{
    return set_age(s, SELECTION_OLDER, word, now);
}

static bool add_newer(struct selection *s, struct str word, int64_t now)
{
    return set_age(s, SELECTION_NEWER, word, now);
}

static bool add_route(struct selection *s, struct str word, int64_t now)
{
    uint64_t route = 0;

    (void)now;
    if (!str_equal(word, STR("none")) && (!str_number(word, INT64_MAX, &route) || route == 0))
        return false;
    set_number(s, SELECTION_ROUTE, (int64_t)route);
    return true;
}

static const struct {
    const char *option;
    bool (*add)(struct selection *s, struct str word, int64_t now);
    const char *expected;
} options[] = {
    {"from", add_from, "an address, a domain, or <> for the null sender"},
    {"to", add_to, "an address or a domain"},
    {"domain", add_domain, "a domain"},
    {"status", add_status, "scheduled, in-progress, held, failed or done, or several with commas between"},
    {"older", add_older, "a time such as 30m, 4h or 2d"},
    {"newer", add_newer, "a time such as 30m, 4h or 2d"},
    {"route", add_route, "the ID of a route, or none"},
};

const char *selection_add(struct selection *s, const char *option, struct str word, int64_t now)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (strcmp(option, options[i].option) != 0)
            continue;
        s->narrowed = true;
        return options[i].add(s, word, now) ? NULL : options[i].expected;
    }
    return "an option of a selection";
}

void selection_set_message(struct selection *s, int64_t message)
{
    set_number(s, SELECTION_MESSAGE, message);
}

/* Literals, as the partial index of what is over wants them. */
static void write_states(unsigned states, struct buf *sql)
{
    const char *between = "";

    if (states == 0)
        return;
    buf_add_text(sql, (states & ~(unsigned)OVER) == 0 ? " AND r.state >= 4 AND (" : " AND (");
    for (int state = RECIPIENT_SCHEDULED; state <= RECIPIENT_DISCARDED; state++) {
        if ((states >> state & 1) == 0)
            continue;
        buf_print(sql, "%sr.state = %d", between, state);
        between = " OR ";
    }
    buf_add_text(sql, ")");
}

void selection_write(const struct selection *s, struct buf *sql)
{
    bool joined = false;

    for (int i = 0; i < SELECTION_CONDITIONS; i++)
        joined = joined || (s->values[i].given && conditions[i].of_message);
    buf_add_text(sql, joined ? " FROM recipient r CROSS JOIN message m ON m.id = r.message WHERE 1" : " FROM recipient r WHERE 1");
    for (int i = 0; i < SELECTION_CONDITIONS; i++)
        if (s->values[i].given)
            buf_add_text(sql, conditions[i].sql);
    write_states(s->states, sql);
}

void selection_bind(const struct selection *s, struct db_query *q)
{
    for (int i = 0; i < SELECTION_CONDITIONS; i++) {
        if (!s->values[i].given)
            continue;
        if (s->values[i].text.data != NULL)
            db_bind_str(q, FIRST_PARAMETER + i, s->values[i].text);
        else
            db_bind_int(q, FIRST_PARAMETER + i, s->values[i].number);
    }
}
