/*
 * tls_rows - a database for the tests of TLS reports, and rows in it.
 */
#ifndef TLS_ROWS_H
#define TLS_ROWS_H

#include "report/tls_rows.h"

#include "place.h"

static struct {
    struct place place;
    char path[256], error[512];
    struct tables *tables;
} world;

static inline void world_open(void)
{
    place_open(&world.place);
    snprintf(world.path, sizeof world.path, "%s", place_path(&world.place, "tmail.db"));
    world.tables = tables_open(world.path, world.error, sizeof world.error);
    if (world.tables == NULL) {
        fprintf(stderr, "%s\n", world.error);
        exit(1);
    }
}

static inline void world_close(void)
{
    tables_close(&world.tables);
    place_close(&world.place);
}

static inline void check_done(struct status s)
{
    if (!check(status_is_ok(&s)))
        printf("# %s\n", s.text);
}

/* The number that SQL, of one use, gives; -2 for NULL. */
static inline int64_t number_of(const char *sql)
{
    struct db_query *q = db_prepare(tables_db(world.tables), sql);
    int64_t value = -1;

    if (check(q != NULL) && db_step(q))
        value = db_is_null(q, 0) ? -2 : db_int(q, 0);
    if (q != NULL)
        check(db_finish(q));
    return value;
}

static inline void sql(const char *text)
{
    if (!check(db_run(tables_db(world.tables), text)))
        printf("# %s: %s\n", text, db_error(tables_db(world.tables)));
}

static inline void add_row(const struct tls_row *row)
{
    struct status s = tables_begin(world.tables);

    if (status_is_ok(&s))
        s = tls_rows_add(world.tables, row);
    check_done(tables_end(world.tables, s));
}

/* A session that went well. */
static inline void add_success(const char *day, const char *domain)
{
    const struct tls_row row = {.day = str_of(day), .domain = str_of(domain), .type = STR("no-policy-found"), .sessions = 1};

    add_row(&row);
}

#endif
