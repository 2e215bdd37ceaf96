#include "test.h"

#include "queue/shape.h"

static void what_differs_from_mail_to_mail_becomes_a_star(void)
{
    static const struct {
        const char *reason, *shape;
    } table[] = {
        {"", ""},
        {"Greylisted", "Greylisted"},
        {"<ann@b.example>: Recipient unknown", "<*>: Recipient unknown"},
        {"mailbox ann@b.example is full", "mailbox * is full"},
        {"try again in 300 seconds", "try again in * seconds"},
        {"try again in 5 seconds.", "try again in * seconds."},
        {"4.7.1 Greylisted", "4.7.1 Greylisted"},
        {"450-4.2.1 wait", "450-4.2.1 wait"}, /* a code */
        {"[192.0.2.1] and 192.0.2.1 and 2001:db8::1 are listed", "[*] and * and * are listed"},
        {"at 12:30:59", "at *"},
        {"queue id 4bQ7x2zyc", "queue id *"},
        {"(id=1eb2bc66)", "(id=*)"},
        {"a1b2c3-00AB12-3F - gsmtp", "* - gsmtp"},
        {"TLSv1.3 and IPv6 and MX2 stay", "TLSv1.3 and IPv6 and MX2 stay"},
        {"no end [of it", "no end [of it"},
        {"no end <of 7", "no end <of *"},
        {"connection timed out: 25", "connection timed out: *"},
        {"the bo\xc3\xaete of 7", "the bo\xc3\xaete of *"},
        {"...", "..."},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct buf shape = {0};

        shape_add(&shape, str_of(table[i].reason));
        check_text(buf_text(&shape), table[i].shape);
        buf_done(&shape);
    }
}

static void a_shape_is_bounded(void)
{
    struct buf reason = {0}, shape = {0};

    for (int i = 0; i < 5000; i++)
        buf_add_text(&reason, "many words ");
    buf_add_text(&shape, "451 ");
    shape_add(&shape, buf_str(&reason));
    check(shape.length >= SHAPE_SIZE && shape.length < SHAPE_SIZE + 20);
    check(str_starts(buf_str(&shape), STR("451 many words ")));
    buf_done(&reason);
    buf_done(&shape);
}

static const struct test_case cases[] = {
    TEST_CASE(what_differs_from_mail_to_mail_becomes_a_star),
    TEST_CASE(a_shape_is_bounded),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
