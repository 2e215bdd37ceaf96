#include "test.h"

#include "base/gzip.h"

#include <zlib.h>

/* What another reader makes of it. */
static void unpack(struct str file, struct buf *to)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)file.data, .avail_in = (uInt)file.length};
    int result = Z_OK;

    check_number(inflateInit2(&z, 15 + 16), Z_OK);
    while (result == Z_OK) {
        char *room = buf_room(to, 4096);

        z.next_out = (Bytef *)room;
        z.avail_out = 4096;
        result = inflate(&z, Z_NO_FLUSH);
        buf_grew(to, 4096 - z.avail_out);
    }
    check_number(result, Z_STREAM_END);
    check_number(z.avail_in, 0);
    inflateEnd(&z);
}

static void check_round(struct str bytes)
{
    struct buf file = {0}, again = {0}, back = {0};

    gzip_write(bytes, &file);
    unpack(buf_str(&file), &back);
    check(str_equal(buf_str(&back), bytes));
    gzip_write(bytes, &again);
    check(str_equal(buf_str(&file), buf_str(&again)));
    buf_done(&file);
    buf_done(&again);
    buf_done(&back);
}

static void all_comes_back(void)
{
    static const size_t sizes[] = {1, 2, 1000, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3000017};

    check_round(STR(""));
    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        struct buf alike = {0}, noise = {0};
        uint32_t seed = 1;

        for (size_t at = 0; at < sizes[i]; at++) {
            seed = seed * 1664525 + 1013904223;
            buf_add_byte(&alike, (char)(at % 7));
            buf_add_byte(&noise, (char)(seed >> 24));
        }
        check_round(buf_str(&alike));
        check_round(buf_str(&noise));
        buf_done(&alike);
        buf_done(&noise);
    }
}

static void it_stands_behind_what_is_there(void)
{
    struct buf file = {0}, back = {0};

    buf_add(&file, STR("before"));
    gzip_write(STR("{}"), &file);
    check(str_starts(buf_str(&file), STR("before\x1f\x8b")));
    unpack(str_from(buf_str(&file), 6), &back);
    check_str(buf_str(&back), STR("{}"));
    buf_done(&file);
    buf_done(&back);
}

static const struct test_case cases[] = {
    TEST_CASE(all_comes_back),
    TEST_CASE(it_stands_behind_what_is_there),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
