/* A message as a command reads it, at once and by pieces. */
#include "fuzz.h"

#include "base/file.h"
#include "message/field.h"
#include "message/handover.h"

#include <unistd.h>

static void hand_over(const struct handover *h, struct buf *to)
{
    struct status why;
    int fd = handover_open(h, &why);

    fuzz_check(fd >= 0 && file_read_fd(fd, to));
    close(fd);
}

static int count_field(struct str content, const char *name)
{
    struct field_scan f;
    int count;

    field_scan_init(&f, name);
    field_scan(&f, content);
    count = f.count;
    field_scan_done(&f);
    return count;
}

static bool has_bare(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        if ((s.data[i] == '\n' && (i == 0 || s.data[i - 1] != '\r')) || (s.data[i] == '\r' && (i + 1 == s.length || s.data[i + 1] != '\n')))
            return true;
    return false;
}

/* All is there but Return-Path, with other ends of lines: those that messages have. */
static void check_fields(struct str content, struct str read)
{
    struct buf back = {0};

    for (size_t i = 0; i < read.length; i++) {
        if (read.data[i] == '\n')
            buf_add_byte(&back, '\r');
        buf_add_byte(&back, read.data[i]);
    }
    fuzz_check(!str_has(read, '\r'));
    fuzz_check(count_field(buf_str(&back), "return-path") == 0);
    fuzz_check(count_field(buf_str(&back), "subject") == count_field(content, "subject"));
    fuzz_check(count_field(content, "return-path") > 0 || str_equal(buf_str(&back), content));
    buf_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct handover whole = {.tempdir = "/dev/shm", .content = fuzz_input(data, size)}, pieces = {.tempdir = "/dev/shm"};
    struct buf first = {0}, second = {0};
    struct body body;

    body_init(&body, "/dev/shm");
    body_append(&body, whole.content);
    pieces.body = &body;
    hand_over(&whole, &first);
    hand_over(&pieces, &second);
    fuzz_check(str_equal(buf_str(&first), buf_str(&second)));
    fuzz_check(first.length <= size);
    fuzz_check(handover_has_field(&whole, "delivered-to", STR("a@b")) == handover_has_field(&pieces, "delivered-to", STR("a@b")));
    if (!has_bare(whole.content))
        check_fields(whole.content, buf_str(&first));
    buf_done(&first);
    buf_done(&second);
    body_done(&body);
    return 0;
}
