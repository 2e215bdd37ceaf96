#include "test.h"

#include "message/header.h"

static const struct {
    const char *content;
    bool ended, eight_bit;
    int received;
} table[] = {
    {"", false, false, 0},
    {"\r\n", true, false, 0},
    {"\r\nReceived: x\r\n", true, false, 0},
    {"Received: x\r\n", false, false, 1},
    {"Received: x\r\n\r\nReceived: body\r\n", true, false, 1},
    {"RECEIVED:x\r\nreceived:\r\nReCeIvEd:\r\n\r\n", true, false, 3},
    {"Received-SPF: pass\r\nX-Received: x\r\nReceive: x\r\nReceivedx: x\r\n\r\n", true, false, 0},
    {"Subject: a\r\n Received: folded\r\n\tReceived: folded\r\n\r\n", true, false, 0},
    {"Subject: Received: x\r\n\r\n", true, false, 0},
    {"Subject: x\r\n\r\n\xc3\xa4", true, false, 0},
    {"Subject: \xc3\xa4\r\n\r\n", true, true, 0},
    {"Received: \xc3\xa4\r\nReceived: b\r\n", false, true, 2},
    {"a\r\nb\r\nReceived: x\r\n\r\n", true, false, 1},
    {"Received : x\r\nReceived \t:x\r\nReceived x: y\r\nReceived\r\n\r\n", true, false, 2}, /* RFC 5322 section 4.5 */
    {" \r\nReceived: x\r\n\r\n", true, false, 1}, /* a line of white space is no empty line (RFC 5322 section 2.1) */
};

static void fields_are_counted_however_it_is_cut(void)
{
    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (size_t cut = 0; cut <= strlen(table[i].content) + 1; cut++) {
            struct str content = str_of(table[i].content);
            struct header_scan h;

            header_scan_init(&h);
            if (cut > content.length) {
                for (size_t k = 0; k < content.length; k++)
                    header_scan(&h, str_part(content, k, 1));
            } else {
                header_scan(&h, str_part(content, 0, cut));
                header_scan(&h, str_from(content, cut));
            }
            if (check(h.ended == table[i].ended) + check(h.eight_bit == table[i].eight_bit) + check_number(h.received, table[i].received) < 3)
                printf("#   row %zu cut %zu\n", i, cut);
        }
}

static const struct test_case cases[] = {
    TEST_CASE(fields_are_counted_however_it_is_cut),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
