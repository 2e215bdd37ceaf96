#include "admin/listing.h"
#include "admin/queue_words.h"
#include "queue/look.h"

#include <stdio.h>
#include <string.h>

/* Bytes of a BLOB are for nobody's eyes; a NUL would end the line. */
static void add_value(struct buf *to, struct db_query *q, int column)
{
    enum db_kind kind = db_kind_of(q, column);

    if (kind == DB_BLOB)
        buf_print(to, "(BLOB, %lld bytes)", (long long)db_length(q, column));
    else if (kind == DB_NULL)
        buf_add_text(to, "NULL");
    else {
        size_t start = to->length;

        buf_add(to, db_str(q, column));
        for (char *zero; (zero = memchr(to->data + start, '\0', to->length - start)) != NULL;)
            *zero = '?';
    }
}

static void print_line(struct listing *l, struct db_query *q, bool names)
{
    struct buf line = {0};

    for (int column = 0; column < db_column_count(q); column++) {
        buf_add_text(&line, column > 0 ? " | " : "");
        if (names)
            buf_add_text(&line, db_column_name(q, column));
        else
            add_value(&line, q, column);
    }
    listing_line(l, "%s", buf_text(&line));
    buf_done(&line);
}

static void put_value(struct listing *l, struct db_query *q, int column)
{
    const char *name = db_column_name(q, column);
    struct buf text = {0};

    switch (db_kind_of(q, column)) {
    case DB_INTEGER:
        listing_number(l, name, db_int(q, column));
        break;
    case DB_REAL:
        listing_real(l, name, db_real(q, column));
        break;
    case DB_TEXT:
        listing_str(l, name, db_str(q, column));
        break;
    case DB_BLOB:
        add_value(&text, q, column);
        listing_text(l, name, buf_text(&text));
        break;
    case DB_NULL:
        listing_text(l, name, NULL);
        break;
    }
    buf_done(&text);
}

static void print_row(struct listing *l, struct db_query *q, bool json)
{
    if (json)
        for (int column = 0; column < db_column_count(q); column++)
            put_value(l, q, column);
    else
        print_line(l, q, false);
    listing_end_row(l);
}

/* An object has one member of a name. */
static const char *name_that_stands_twice(struct db_query *q)
{
    for (int column = 1; column < db_column_count(q); column++)
        for (int before = 0; before < column; before++)
            if (strcmp(db_column_name(q, column), db_column_name(q, before)) == 0)
                return db_column_name(q, column);
    return NULL;
}

static int print_rows(struct invocation *i, struct db *db, struct db_query *q)
{
    struct listing *l;
    bool ok, written;
    const char *twice = i->json ? name_that_stands_twice(q) : NULL;

    if (twice != NULL)
        return invocation_fail(i, "two columns are called %s (give one another name with AS)", twice);
    l = listing_open(i->json);
    if (!i->json)
        print_line(l, q, true);
    while (db_step(q) && !ferror(stdout))
        print_row(l, q, i->json);
    ok = db_finish(q);
    written = listing_close(&l);
    if (!ok)
        return invocation_fail(i, "%s", db_error(db));
    return written ? EXIT_DONE : invocation_fail(i, "standard output could not be written");
}

int queue_sql(struct invocation *i)
{
    char error[1024];
    int status;
    struct db_query *q;
    struct db *db;

    if (!str_is_utf8(str_of(i->words[0])))
        return invocation_fail(i, "the statement is not UTF-8");
    db = look_open(i->conf->store_source, error, sizeof error);
    if (db == NULL)
        return invocation_fail(i, "%s", error);
    q = db_ask(db, i->words[0]);
    status = q != NULL ? print_rows(i, db, q) : invocation_fail(i, "%s", db_error(db));
    db_close(&db);
    return status;
}
