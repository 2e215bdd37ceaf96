/* The options of `tmail queue` that select.  Lines; the first octet of each says which option, the rest is its value. */
#include "fuzz.h"

#include "queue/schema.h"
#include "queue/selection.h"

enum { QUERIES_MOST = 100 };

static const char *const options[] = {"from", "to", "domain", "status", "older", "newer", "route", "limit"};

static struct db *open_queue(void)
{
    static struct db *db;
    static int uses;
    char error[512];

    if (++uses % QUERIES_MOST == 0) /* a query lives as long as its database */
        db_close(&db);
    if (db != NULL)
        return db;
    db = db_open(":memory:", DB_CREATE, 100, error, sizeof error);
    if (db == NULL)
        abort();
    for (int i = 0; queue_schema_sql[i] != NULL; i++)
        fuzz_check(db_run(db, queue_schema_sql[i]));
    fuzz_check(db_run(db, "INSERT INTO message (id, session, arrived, sender, sender_host, client, helo, kind, body, smtputf8, ret, size, content) "
                          "VALUES (1, '', 0, 'a@b.example', 'b.example', '', '', 0, 0, 0, 0, 0, '')"));
    fuzz_check(db_run(db, "INSERT INTO recipient (message, number, address, domain, flow, notify, state, wish, warn, due, attempts, crashes) "
                          "VALUES (1, 1, 'c@d.example', 'd.example', 0, 0, 1, 0, 0, 0, 0, 0)"));
    return db;
}

/* What was typed is a value and never SQL: nothing in the text of the query could come from it. */
static void try_query(const struct selection *s)
{
    struct db *db = open_queue();
    struct db_query *query;
    struct buf sql = {0};

    buf_add_text(&sql, "SELECT r.message");
    selection_write(s, &sql);
    fuzz_check(strpbrk(buf_text(&sql), "'\"`;@%\\") == NULL && !str_has_control(buf_str(&sql)) && str_is_ascii(buf_str(&sql)));
    query = db_prepare(db, buf_text(&sql));
    fuzz_check(query != NULL);
    selection_bind(s, query);
    (void)db_step(query);
    fuzz_check(db_finish(query));
    buf_done(&sql);
}

static void check_values(const struct selection *s)
{
    for (int i = 0; i < SELECTION_CONDITIONS; i++) {
        fuzz_check(!str_has_control(s->values[i].text) && str_is_utf8(s->values[i].text));
        fuzz_check(s->values[i].number >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = fuzz_input(data, size), line;
    struct selection s;
    bool ok = true;

    selection_init(&s);
    while (str_cut(&rest, '\n', &line)) {
        const char *option = options[line.length > 0 ? (unsigned char)line.data[0] % 8 : 7];

        ok = selection_add(&s, option, str_from(line, 1), 1700000000000) == NULL && ok;
        fuzz_check(!ok || strcmp(option, "limit") != 0);
    }
    if (size > 0 && data[0] > 127)
        selection_set_message(&s, data[0]);
    check_values(&s);
    try_query(&s);
    selection_done(&s);
    return 0;
}
