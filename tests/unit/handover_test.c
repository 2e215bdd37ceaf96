#include "test.h"

#include "base/file.h"
#include "message/handover.h"

#include "place.h"

#include <sys/stat.h>

static struct place place;
static struct buf text;

/* What a command reads of CONTENT with FIELDS in front, all at once or in a body that was fed it. */
static struct str handed_over(const char *fields, struct str content, bool by_pieces)
{
    struct handover h = {.tempdir = place.folder, .fields = str_of(fields), .content = content};
    struct status why;
    struct body body;
    int fd;

    body_init(&body, place.folder);
    if (by_pieces) {
        body_append(&body, content);
        h.content = (struct str){0};
        h.body = &body;
    }
    fd = handover_open(&h, &why);
    buf_clear(&text);
    check(fd >= 0 && file_read_fd(fd, &text));
    close(fd);
    body_done(&body);
    return buf_str(&text);
}

static void a_command_reads_it_with_line_feeds_and_one_return_path(void)
{
    static const struct {
        const char *fields, *content, *read;
    } table[] = {
        {"", "", ""},
        {"", "Subject: x\r\n\r\nHello.\r\n", "Subject: x\n\nHello.\n"},
        {"Return-Path: <a@b>\r\nDelivered-To: c@d\r\n", "Subject: x\r\n\r\nHello.\r\n", "Return-Path: <a@b>\nDelivered-To: c@d\nSubject: x\n\nHello.\n"},
        {"", "Return-Path: <x@y>\r\nSubject: x\r\n\r\nReturn-Path: stays\r\n", "Subject: x\n\nReturn-Path: stays\n"},
        {"", "Subject: x\r\nRETURN-path :\r\n <x@y>\r\n\t(folded)\r\nTo: y\r\nreturn-PATH:\r\n\r\n", "Subject: x\nTo: y\n\n"},
        {"", "Return-Pathology: 1\r\nReturn-Pat: 2\r\nX-Return-Path: 3\r\nReturn-Path\r\n\r\n",
         "Return-Pathology: 1\nReturn-Pat: 2\nX-Return-Path: 3\nReturn-Path\n\n"},
        {"", "Subject: x\r\n Return-Path: of the subject\r\n\r\n", "Subject: x\n Return-Path: of the subject\n\n"},
        {"", "Subject: x\r\n\r\na\rb\r\r\nc\r", "Subject: x\n\na\rb\r\nc\r"},
        {"", "Return-Path:", ""},
        {"", "Return-P", "Return-P"},
        {"", "Subject: x\r\n\r\n.\r\n..\r\n", "Subject: x\n\n.\n..\n"},
        {"", "Return-Path                                                                                                  : x\r\n",
         "Return-Path                                                                                                  : x\n"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (int by_pieces = 0; by_pieces < 2; by_pieces++)
            check_str(handed_over(table[i].fields, str_of(table[i].content), by_pieces), str_of(table[i].read));
}

static void a_large_message_comes_over_whole(void)
{
    struct buf content = {0}, expected = {0};
    struct str read;

    buf_add_text(&content, "Return-Path: <x@y>\r\nSubject: x\r\n\r\n");
    while (content.length < 5 * BODY_MEMORY_MAX)
        buf_print(&content, "%zu\r\n", content.length);
    for (size_t i = strlen("Return-Path: <x@y>\r\n"); i < content.length; i++)
        if (content.data[i] != '\r')
            buf_add_byte(&expected, content.data[i]);
    read = handed_over("", buf_str(&content), true);
    check(str_equal(read, buf_str(&expected)));
    check(str_equal(handed_over("", buf_str(&content), false), buf_str(&expected)));
    /* The copy lies in no folder. */
    check(rmdir(place.folder) == 0 && mkdir(place.folder, 0700) == 0);
    buf_done(&content);
    buf_done(&expected);
}

static void no_scratch_folder_is_a_temporary_failure(void)
{
    struct handover h = {.tempdir = "/nowhere/at/all"};
    struct buf content = {0};
    struct status why;

    for (int i = 0; i < BODY_MEMORY_MAX + 1; i++)
        buf_add_byte(&content, 'x');
    h.content = buf_str(&content);
    check_number(handover_open(&h, &why), -1);
    check(status_is_temporary(&why));
    buf_done(&content);
}

static bool has(const char *content, const char *name, const char *value, bool by_pieces)
{
    struct handover h = {.tempdir = place.folder, .content = str_of(content)};
    struct body body;
    bool found;

    body_init(&body, place.folder);
    if (by_pieces) {
        body_append(&body, h.content);
        h.content = (struct str){0};
        h.body = &body;
    }
    found = handover_has_field(&h, name, str_of(value));
    body_done(&body);
    return found;
}

static void a_field_is_found_by_its_value(void)
{
    static const struct {
        const char *content, *name, *value;
        bool found;
    } table[] = {
        {"Delivered-To: a@b.example\r\n\r\n", "delivered-to", "a@b.example", true},
        {"Subject: x\r\nDELIVERED-TO:\r\n  <A@B.example> \r\n\r\n", "delivered-to", "a@b.example", true},
        {"Delivered-To: c@d\r\nDelivered-To: a@b\r\n\r\n", "delivered-to", "a@b", true},
        {"Delivered-To: aa@b.example\r\n\r\n", "delivered-to", "a@b.example", false},
        {"Delivered-To: a@b.example.org\r\n\r\n", "delivered-to", "a@b.example", false},
        {"Delivered-To: <x.a@b>\r\n\r\n", "delivered-to", "a@b", false},
        {"X-Delivered-To: a@b\r\n\r\n", "delivered-to", "a@b", false},
        {"Subject: x\r\n\r\nDelivered-To: a@b\r\n", "delivered-to", "a@b", false},
        {"List-Id: Our \"list\" <list.example.org>\r\n\r\n", "list-id", "list.example.org", true},
        {"List-Id: <list.example.org>\r\n\r\n", "list-id", "list.example.org", true},
        {"List-Id: <other.list.example.org>\r\n\r\n", "list-id", "list.example.org", false},
        {"List-Id: list.example.org <x.example>\r\n\r\n", "list-id", "list.example.org", false},
        {"", "list-id", "x", false},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (int by_pieces = 0; by_pieces < 2; by_pieces++)
            if (!check(has(table[i].content, table[i].name, table[i].value, by_pieces) == table[i].found))
                printf("#   %s\n", table[i].content);
}

static const struct test_case cases[] = {
    TEST_CASE(a_command_reads_it_with_line_feeds_and_one_return_path),
    TEST_CASE(a_large_message_comes_over_whole),
    TEST_CASE(no_scratch_folder_is_a_temporary_failure),
    TEST_CASE(a_field_is_found_by_its_value),
};

int main(int argc, char **argv)
{
    int status;

    place_open(&place);
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    place_close(&place);
    buf_done(&text);
    return status;
}
