#include "test.h"

#include "queue/queue.h"
#include "queue/views.h"

#include "place.h"

static struct place place;
static struct queue q;
static char error[512];

/* The columns of a view, as the database and as the manual have them. */
static void compare(const struct view *view)
{
    char sql[128];
    struct db_query *query;
    int count = 0;

    snprintf(sql, sizeof sql, "SELECT * FROM %s", view->name);
    query = db_prepare(q.db, sql);
    if (!check(query != NULL))
        return;
    for (; count < VIEW_COLUMNS_MAX && view->columns[count].name != NULL; count++)
        if (check(count < db_column_count(query)))
            check_text(db_column_name(query, count), view->columns[count].name);
    check_number(count, db_column_count(query));
    check(!db_step(query));
    check(db_finish(query));
}

static void every_column_is_described(void)
{
    struct db_query *query;

    place_open(&place);
    check(queue_open(&q, place.folder, error, sizeof error));
    for (size_t i = 0; i < queue_view_count; i++)
        compare(&queue_views[i]);
    query = db_prepare(q.db, "SELECT count(*) FROM sqlite_schema WHERE type = 'view' AND name GLOB 'v_*'");
    check(db_step(query));
    check_number(db_int(query, 0), queue_view_count);
    check(db_finish(query));
    queue_close(&q);
    place_close(&place);
}

static const struct test_case cases[] = {
    TEST_CASE(every_column_is_described),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
