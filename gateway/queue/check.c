#include "queue/check.h"

#include "base/arena.h"
#include "base/memory.h"
#include "queue/owner.h"

/* Selects the message, the number of the recipient or 0, and the problem in words. */
struct rule {
    const char *name;
    const char *sql;
    const char *advice;
    bool has_times; /* ?1 is now, ?2 the latest time that anything may be due */
};

#define DISCARD "\"tmail queue discard ID\" removes it"
#define REPAIR "stop tmail, keep a copy of queue.db, set it right with sqlite3 or remove it with \"tmail queue discard ID\""

/* A NULL is neither in a range nor out of it, hence the types. */
#define IS_OUT_OF(column, low, high) "(typeof(" column ") <> 'integer' OR " column " NOT BETWEEN " low " AND " high ")"
#define IS_NO_TEXT(column) "(typeof(" column ") <> 'text' OR " column " = '')"
#define SAY(what, column) " THEN '" what " is ' || quote(" column ") "

/* length() of a BLOB does not read it.  The plus keeps SQLite from a partial index, which is slower here than the table. */
static const struct rule rules[] = {
    {.name = "recipients without a message",
     .sql = "SELECT DISTINCT message, 0, 'recipients without a message' FROM recipient r "
            "WHERE NOT EXISTS (SELECT 1 FROM message WHERE id = r.message)",
     .advice = DISCARD},
    {.name = "messages without recipients",
     .sql = "SELECT id, 0, 'a message without recipients' FROM message m "
            "WHERE NOT EXISTS (SELECT 1 FROM recipient WHERE message = m.id)",
     .advice = "nobody would deliver it: \"tmail queue export ID\" shows it, " DISCARD},
    {.name = "messages",
     .sql = "SELECT id, 0, CASE WHEN typeof(content) <> 'blob' THEN 'the content is ' || typeof(content) || ' and no BLOB' "
            "WHEN size IS NOT length(content) THEN 'the content has ' || length(content) || ' octets and not ' || size "
            "WHEN " IS_OUT_OF("kind", "0", "2") SAY("the kind", "kind")
            "WHEN id IN (SELECT id FROM past) THEN 'it is among the messages that are gone, too' ELSE 'the id is no queue id' END "
            "FROM message WHERE typeof(content) <> 'blob' OR size IS NOT length(content) OR " IS_OUT_OF("kind", "0", "2")
            " OR id <= 0 OR id IN (SELECT id FROM past)",
     .advice = REPAIR},
    {.name = "states",
     .sql = "SELECT message, number, CASE WHEN " IS_OUT_OF("state", "1", "7") SAY("the state", "state")
            "WHEN " IS_OUT_OF("wish", "0", "3") SAY("the wish", "wish") "ELSE 'warn is ' || quote(warn) END FROM recipient "
            "WHERE " IS_OUT_OF("state", "1", "7") " OR " IS_OUT_OF("wish", "0", "3") " OR " IS_OUT_OF("warn", "0", "2"),
     .advice = REPAIR},
    {.name = "addresses",
     .sql = "SELECT message, number, CASE WHEN " IS_NO_TEXT("domain") SAY("the domain", "domain")
            "WHEN typeof(flow) <> 'integer'" SAY("the flow", "flow") "WHEN " IS_NO_TEXT("address") SAY("the address", "address")
            "ELSE 'the number is ' || quote(number) END FROM recipient WHERE " IS_NO_TEXT("domain") " OR typeof(flow) <> 'integer' "
            "OR " IS_NO_TEXT("address") " OR " IS_OUT_OF("number", "1", "1000000000"),
     .advice = REPAIR},
    {.name = "times",
     .sql = "SELECT message, number, CASE WHEN typeof(due) <> 'integer' OR due < 0" SAY("due", "due")
            "ELSE 'due is ' || ((due - ?1) / 86400000) || ' days ahead' END FROM recipient "
            "WHERE +state = 1 AND (typeof(due) <> 'integer' OR due < 0 OR due > ?2)",
     .advice = "\"tmail queue flush ID\" makes it due now",
     .has_times = true},
};

/* What is told when the query is over. */
struct found {
    struct arena arena;
    const char *advice;
    struct check_problem problems[CHECK_PROBLEMS_MAX];
    int count;
    bool more;
};

static void add(struct found *f, int64_t message, int64_t number, struct str what)
{
    f->more = f->count == CHECK_PROBLEMS_MAX;
    if (!f->more)
        f->problems[f->count++] = (struct check_problem){message, number, arena_str(&f->arena, what), f->advice, false};
}

static void tell(const struct check *c, struct found **f)
{
    for (int i = 0; i < (*f)->count; i++) {
        (*f)->problems[i].more = (*f)->more && i == (*f)->count - 1;
        c->problem(c->context, &(*f)->problems[i]);
    }
    arena_done(&(*f)->arena);
    memory_free(f);
}

static struct found *begin(const struct check *c, const char *name, const char *advice)
{
    struct found *f = memory_new(sizeof *f);

    f->advice = advice;
    c->step(c->context, name);
    return f;
}

static bool run_rule(const struct check *c, struct db *db, const struct rule *rule)
{
    struct db_query *query = db_prepare(db, rule->sql);
    struct found *f;
    bool ok;

    if (query == NULL)
        return false;
    f = begin(c, rule->name, rule->advice);
    if (rule->has_times) {
        db_bind_int(query, 1, c->now);
        db_bind_int(query, 2, c->latest);
    }
    while (!f->more && db_step(query))
        add(f, db_int(query, 0), db_int(query, 1), db_str(query, 2));
    ok = db_finish(query);
    tell(c, &f);
    return ok;
}

static bool check_file(const struct check *c, struct db *db)
{
    struct db_query *query = db_prepare(db, "PRAGMA integrity_check(1000)"); /* CHECK_PROBLEMS_MAX */
    struct found *f;
    bool ok;

    if (query == NULL)
        return false;
    f = begin(c, "the file", "stop tmail, keep a copy of its store folder, and save what can be read: sqlite3 queue.db .recover");
    while (!f->more && db_step(query))
        if (!str_equal(db_str(query, 0), STR("ok")))
            add(f, 0, 0, db_str(query, 0));
    ok = db_finish(query);
    tell(c, &f);
    return ok;
}

/* In hand of somebody who is dead, as far as the file `owners` tells. */
static bool is_left_behind(const struct owner *owners, bool has_owners, struct db_query *row)
{
    return !has_owners || !owner_is_alive(owners, db_int(row, 2));
}

/* The dead change nothing any more: what is theirs when they are known to be dead was left behind, and not given back while we looked. */
static bool is_still_left_behind(const struct owner *owners, bool has_owners, struct db_query *again, const struct check_problem *p)
{
    bool found;

    db_bind_int(again, 1, p->message);
    db_bind_int(again, 2, p->number);
    found = db_step(again) && is_left_behind(owners, has_owners, again);
    return db_finish(again) && found;
}

static bool find_left_behind(struct found *f, struct db *db, const struct owner *owners, bool has_owners)
{
    struct db_query *busy = db_prepare(db, "SELECT message, number, ifnull(owner, 0) FROM recipient WHERE state = 2");
    struct db_query *again =
        db_prepare(db, "SELECT message, number, ifnull(owner, 0) FROM recipient WHERE message = ? AND number = ? AND state = 2");
    int count = 0;

    if (busy == NULL || again == NULL)
        return false;
    while (!f->more && db_step(busy))
        if (is_left_behind(owners, has_owners, busy))
            add(f, db_int(busy, 0), db_int(busy, 1), STR("it is in progress, and its deliverer does not live"));
    if (!db_finish(busy))
        return false;
    for (int i = 0; i < f->count; i++)
        if (is_still_left_behind(owners, has_owners, again, &f->problems[i]))
            f->problems[count++] = f->problems[i];
    f->count = count;
    return true;
}

static bool check_owners(const struct check *c, struct db *db)
{
    struct owner owners;
    bool ok, has_owners = owner_look(&owners, c->folder);
    struct found *f = begin(c, "deliverers", "a running tmail takes it back within ten minutes");

    ok = find_left_behind(f, db, &owners, has_owners);
    owner_close(&owners);
    tell(c, &f);
    return ok;
}

bool check_run(const struct check *c, struct db *db)
{
    bool ok = check_file(c, db);

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        ok = ok && run_rule(c, db, &rules[i]);
    return ok && check_owners(c, db);
}
