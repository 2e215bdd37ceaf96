#include "test.h"

#include "message/body.h"

#include "place.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct place place;
static char scratch[BODY_PIECE];

static char octet_at(int64_t at)
{
    return (char)((at * 7 + at / 251) % 256);
}

static void append_octets(struct body *b, int64_t from, int64_t count)
{
    char piece[1000];

    while (count > 0) {
        int64_t step = count < (int64_t)sizeof piece ? count : (int64_t)sizeof piece;

        for (int64_t i = 0; i < step; i++)
            piece[i] = octet_at(from + i);
        body_append(b, (struct str){piece, (size_t)step});
        from += step;
        count -= step;
    }
}

static void check_content(struct body *b, int64_t size)
{
    struct status why;
    int64_t offset = 0;
    bool same = true;
    struct str piece;

    check_number(b->size, size);
    check(!body_failed(b, &why));
    while ((piece = body_piece(b, offset, scratch)).length > 0) {
        check(piece.length <= BODY_PIECE);
        for (size_t i = 0; i < piece.length; i++)
            same = same && piece.data[i] == octet_at(offset + (int64_t)i);
        offset += (int64_t)piece.length;
        if (offset > size)
            break;
    }
    check(same);
    check_number(offset, size);
    /* From anywhere. */
    for (int64_t at = 0; at < size; at += size / 5 + 1) {
        piece = body_piece(b, at, scratch);
        check(piece.length > 0 && piece.data[0] == octet_at(at));
    }
    check_number(body_piece(b, size, scratch).length, 0);
    check_number(body_piece(b, size + 1, scratch).length, 0);
}

static void content_of_any_size_comes_back(void)
{
    static const int64_t sizes[] = {0, 1, BODY_PIECE - 1, BODY_PIECE, BODY_PIECE + 1, BODY_MEMORY_MAX - 1, BODY_MEMORY_MAX, BODY_MEMORY_MAX + 1,
                                    3 * BODY_MEMORY_MAX + 17};

    for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
        struct body b;

        body_init(&b, place.folder);
        append_octets(&b, 0, sizes[i]);
        check_content(&b, sizes[i]);
        if (sizes[i] <= BODY_MEMORY_MAX) {
            check_number(body_in_memory(&b).length, sizes[i]);
            check_number(b.fd, -1);
        } else {
            check_number(body_in_memory(&b).length, 0);
            check(b.fd >= 0);
            check_number(b.memory.capacity, 0);
        }
        body_done(&b);
        body_done(&b);
    }
    /* No file is left behind. */
    check(rmdir(place.folder) == 0 && mkdir(place.folder, 0700) == 0);
}

static void one_large_append(void)
{
    static char all[BODY_MEMORY_MAX + 5];
    struct body b;

    for (size_t i = 0; i < sizeof all; i++)
        all[i] = octet_at((int64_t)i);
    body_init(&b, place.folder);
    body_append(&b, (struct str){all, sizeof all});
    check_content(&b, sizeof all);
    body_done(&b);
}

static void no_scratch_folder_is_a_temporary_failure(void)
{
    struct body b;
    struct status why = {0};

    body_init(&b, "/nonexistent/folder");
    append_octets(&b, 0, BODY_MEMORY_MAX);
    check(!body_failed(&b, &why));
    append_octets(&b, 0, 1);
    check(body_failed(&b, &why));
    check(status_is_temporary(&why));
    check_number(why.code, 451);
    append_octets(&b, 0, 1000000);
    check(body_failed(&b, &why));
    check_number(body_piece(&b, 0, scratch).length, 0);
    body_done(&b);
}

/* A write that comes back short and then fails, as on a full disk. */
static void a_failed_write_is_remembered(void)
{
    struct rlimit limit, small = {BODY_MEMORY_MAX + 1000, RLIM_INFINITY};
    struct body b;
    struct status why = {0};

    getrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    body_init(&b, place.folder);
    append_octets(&b, 0, BODY_MEMORY_MAX + 2000);
    setrlimit(RLIMIT_FSIZE, &limit);
    check(body_failed(&b, &why));
    check(status_is_temporary(&why));
    append_octets(&b, 0, 100);
    check(body_failed(&b, &why));
    body_done(&b);
}

static void a_full_disk_says_so(void)
{
    struct body b;
    struct status why = {0};

    body_init(&b, place.folder);
    b.error = ENOSPC;
    check(body_failed(&b, &why));
    check_number(why.code, 452);
    check_number(why.class * 100 + why.subject * 10 + why.detail, 431);
    b.error = EDQUOT;
    check(body_failed(&b, &why));
    check_number(why.code, 452);
    body_done(&b);
}

static const struct test_case cases[] = {
    TEST_CASE(content_of_any_size_comes_back),
    TEST_CASE(one_large_append),
    TEST_CASE(no_scratch_folder_is_a_temporary_failure),
    TEST_CASE(a_failed_write_is_remembered),
    TEST_CASE(a_full_disk_says_so),
};

int main(int argc, char **argv)
{
    int status;

    place_open(&place);
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    place_close(&place);
    return status;
}
