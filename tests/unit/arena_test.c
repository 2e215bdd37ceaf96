#include "test.h"

#include "base/arena.h"

static void pieces_are_zeroed_aligned_and_apart(void)
{
    static const size_t sizes[] = {1, 3, 8, 15, 16, 17, 100, 1000, 4096, 10000, 70000, 1};
    unsigned char *pieces[TEST_COUNT(sizes) * 20];
    struct arena a;
    size_t count = 0;

    arena_init(&a);
    check(a.blocks == NULL);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < TEST_COUNT(sizes); i++) {
            unsigned char *piece = arena_new(&a, sizes[i]);
            bool zero = true;

            check((uintptr_t)piece % _Alignof(max_align_t) == 0);
            for (size_t k = 0; k < sizes[i]; k++)
                zero = zero && piece[k] == 0;
            check(zero);
            memset(piece, (int)(count % 251) + 1, sizes[i]);
            pieces[count++] = piece;
        }
    for (size_t p = 0; p < count; p++) {
        size_t size = sizes[p % TEST_COUNT(sizes)];
        bool same = true;

        for (size_t k = 0; k < size; k++)
            same = same && pieces[p][k] == (unsigned char)(p % 251 + 1);
        check(same);
    }
    arena_done(&a);
    arena_done(&a);
    /* It can be used again. */
    check_text(arena_text(&a, STR("again")), "again");
    arena_done(&a);
}

static void copies_are_closed_and_their_own(void)
{
    struct arena a = {0};
    char source[] = "AbC\0d";
    struct str s = {source, 5}, copy, lower;
    const char *text;

    copy = arena_str(&a, s);
    lower = arena_lower(&a, s);
    text = arena_text(&a, str_part(s, 0, 3));
    memset(source, 'x', sizeof source);
    check_str(copy, STR("AbC\0d"));
    check(copy.data[copy.length] == '\0');
    check_str(lower, STR("abc\0d"));
    check(lower.data[lower.length] == '\0');
    check_text(text, "AbC");
    check_text(arena_text(&a, str_of(NULL)), "");
    check_number(arena_str(&a, STR("")).length, 0);
    check_str(arena_lower(&a, STR("\xc3\x89[Z")), STR("\xc3\x89[z"));
    arena_done(&a);
}

static const struct test_case cases[] = {
    TEST_CASE(pieces_are_zeroed_aligned_and_apart),
    TEST_CASE(copies_are_closed_and_their_own),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
