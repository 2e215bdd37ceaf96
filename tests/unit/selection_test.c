#include "test.h"

#include "queue/rows.h"

#include "letter.h"
#include "place.h"

static const int64_t NOW = 1700000000000;

static struct place place;
static struct queue q;
static char error[512];

static void setup(void)
{
    place_open(&place);
    check(queue_open(&q, place.folder, error, sizeof error));
}

static void teardown(void)
{
    queue_close(&q);
    place_close(&place);
}

/* One recipient, born BORN ms before now. */
static void put(const char *sender, const char *recipient, int state, int64_t born)
{
    static int64_t count;
    struct letter l;
    struct path path = {0};
    struct db_query *query;

    letter_open(&l, place.folder, recipient, 10);
    l.envelope.id = (NOW - born) << 21 | count++;
    check(sender[0] == '\0' || path_parse_address(&path, str_of(sender), &l.arena) == PATH_OK);
    l.envelope.sender = path.address;
    l.envelope.sender_host = path.host;
    check(letter_put(&q, &l));
    query = db_prepare(q.db, "UPDATE recipient SET state = ?1, route = nullif(?2, 0) WHERE message = ?3");
    db_bind_int(query, 1, state);
    db_bind_int(query, 2, state == 3 ? 7 : 0);
    db_bind_int(query, 3, l.envelope.id);
    check(db_execute(query));
    letter_close(&l);
}

static void put_all(void)
{
    put("a@one.example", "x@dest.example", 1, 60000);
    put("aa@one.example", "X@dest.example", 2, 3600000);
    put("A@ONE.example", "xx@dest.example", 3, 7200000);
    put("", "\"x y\"@other.example", 4, 86400000);
    put("\"b c\"@b\xc3\xbc" "cher.example", "x@other.example", 5, 172800000);
    put("%@one.example", "_@b\xc3\xbc" "cher.example", 7, 259200000);
}

static void take(void *context, const struct queue_row *row)
{
    buf_print(context, "%.*s|", STR_ARG(row->recipient));
}

static void check_selected(const char *const *options, const char *expected)
{
    struct selection s;
    struct queue_count count;
    struct buf found = {0};
    int64_t rows = 0;

    selection_init(&s);
    for (; options[0] != NULL; options += 2)
        check(selection_add(&s, options[0], str_of(options[1]), NOW) == NULL);
    check(rows_list(&q, &s, 0, take, &found));
    check_text(buf_text(&found), expected);
    for (size_t i = 0; i < found.length; i++)
        rows += found.data[i] == '|';
    check(rows_count(&q, &s, &count));
    check(count.recipients == rows && count.messages == rows);
    buf_done(&found);
    selection_done(&s);
}

#define OLDEST "_@b\xc3\xbc" "cher.example|"
#define FIFTH "x@other.example|"
#define FOURTH "\"x y\"@other.example|"
#define THIRD "xx@dest.example|"
#define SECOND "X@dest.example|"
#define NEWEST "x@dest.example|"

static void what_each_option_selects(void)
{
    static const struct {
        const char *options[7];
        const char *expected;
    } table[] = {
        {{NULL}, OLDEST FIFTH FOURTH THIRD SECOND NEWEST},
        {{"from", "a@one.example"}, NEWEST},
        {{"from", "a@ONE.EXAMPLE."}, NEWEST},
        {{"from", "<a@one.example>"}, NEWEST},
        {{"from", "A@one.example"}, THIRD},
        {{"from", "one.example"}, OLDEST THIRD SECOND NEWEST},
        {{"from", "@one.example"}, OLDEST THIRD SECOND NEWEST},
        {{"from", "%@one.example"}, OLDEST},
        {{"from", "_@one.example"}, ""},
        {{"from", "<>"}, FOURTH},
        {{"from", "\"b c\"@b\xc3\xbc" "cher.example"}, FIFTH},
        {{"from", "\"b c\"@xn--bcher-kva.example"}, FIFTH},
        {{"from", "\"a\"@one.example"}, NEWEST},
        {{"to", "x@dest.example"}, NEWEST},
        {{"to", "dest.example"}, THIRD SECOND NEWEST},
        {{"to", "\"x y\"@other.example"}, FOURTH},
        {{"domain", "dest.example"}, THIRD SECOND NEWEST},
        {{"domain", "B\xc3\x9c" "CHER.example"}, OLDEST},
        {{"domain", "xn--bcher-kva.example"}, OLDEST},
        {{"domain", "example"}, ""},
        {{"status", "scheduled"}, NEWEST},
        {{"status", "in-progress"}, SECOND},
        {{"status", "held"}, THIRD},
        {{"status", "failed"}, FOURTH},
        {{"status", "done"}, OLDEST FIFTH},
        {{"status", "held, failed"}, FOURTH THIRD},
        {{"older", "1h"}, OLDEST FIFTH FOURTH THIRD},
        {{"older", "3601"}, OLDEST FIFTH FOURTH THIRD},
        {{"older", "3599s"}, OLDEST FIFTH FOURTH THIRD SECOND},
        {{"older", "9999999999"}, ""},
        {{"newer", "1h"}, SECOND NEWEST},
        {{"newer", "9999999999"}, OLDEST FIFTH FOURTH THIRD SECOND NEWEST},
        {{"older", "1h", "newer", "2h"}, THIRD},
        {{"route", "7"}, THIRD},
        {{"route", "8"}, ""},
        {{"route", "none"}, OLDEST FIFTH FOURTH SECOND NEWEST},
        {{"domain", "dest.example", "status", "scheduled,held", "from", "one.example"}, THIRD NEWEST},
        {{"domain", "dest.example", "to", "other.example"}, ""},
    };

    setup();
    put_all();
    for (size_t i = 0; i < TEST_COUNT(table); i++)
        check_selected(table[i].options, table[i].expected);
    teardown();
}

static void one_message_of_them(void)
{
    struct selection s;
    struct queue_count count;
    struct buf found = {0};

    setup();
    put_all();
    selection_init(&s);
    check(!s.narrowed);
    selection_set_message(&s, (NOW - 60000) << 21);
    check(rows_count(&q, &s, &count) && count.recipients == 0);
    selection_set_message(&s, 0);
    check(rows_list(&q, &s, 0, take, &found) && found.length == 0);
    selection_done(&s);
    teardown();
}

static void words_that_are_none(void)
{
    static const char *const table[][2] = {
        {"from", ""}, {"from", "a b@one.example"}, {"from", "a@"}, {"from", "a@one..example"}, {"from", "' OR '1'='1"}, {"from", "a@b@c"},
        {"from", "<"}, {"from", "a@one.example, b@one.example"}, {"to", "<>"}, {"to", "@"}, {"to", ""}, {"to", "x@one.example\n"},
        {"domain", ""}, {"domain", "%"}, {"domain", "one.example,two.example"}, {"domain", "*"}, {"domain", "a@b"}, {"status", ""},
        {"status", "Held"}, {"status", "held,"}, {"status", "held,other"}, {"status", "1"}, {"older", ""}, {"older", "x"}, {"older", "-1h"},
        {"older", "1w"}, {"older", "99999999999999999999d"}, {"newer", "1h "}, {"route", ""}, {"route", "0"}, {"route", "-1"}, {"route", "None"},
        {"route", "99999999999999999999"}, {"route", "1 OR 1"}, {"limit", "1"}, {"", ""},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct selection s;

        selection_init(&s);
        if (!check(selection_add(&s, table[i][0], str_of(table[i][1]), NOW) != NULL))
            printf("# --%s \"%s\"\n", table[i][0], table[i][1]);
        selection_done(&s);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(what_each_option_selects),
    TEST_CASE(one_message_of_them),
    TEST_CASE(words_that_are_none),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
