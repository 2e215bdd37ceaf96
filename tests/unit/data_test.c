#include "test.h"

#include "data_model.h"

/* The end as it must be, and what must not be taken for it: SMTP smuggling and its kin. */
static const struct str samples[] = {
    {".\r\n", 3}, {"\r\n.\r\n", 5}, {"a\r\n.\r\n", 6}, {"..\r\n.\r\n", 7}, {".a\r\n.\r\n", 7}, {"a\r\n..\r\n.\r\n", 10},
    {"...\r\n.\r\n", 8}, {".\r.\r\n.\r\n", 8}, {"a.\r\n.\r\n", 7}, {"a\r\n. \r\n.\r\n", 11}, {"a\r\n.\t\r\n.\r\n", 11},
    {"\r\n\r\n.\r\n", 7}, {"a\r\n.b\r\n.c\r\n.\r\n", 15}, {".\r\nQUIT\r\n", 9}, {"a\r\n.\r\nMAIL FROM:<>\r\n", 20},
    /* LF . LF */
    {"a\n.\nMAIL FROM:<x@y>\r\n.\r\n", 24}, {".\nb\r\n.\r\n", 8}, {"a\n.\n.\r\n", 7},
    /* LF . CR LF */
    {"a\n.\r\nb\r\n.\r\n", 11}, {"\n.\r\n\r\n.\r\n", 9},
    /* CR LF . LF */
    {"a\r\n.\nb\r\n.\r\n", 11}, {".\n.\r\n\r\n.\r\n", 10},
    /* CR . CR, CR . CR LF, CR LF . CR */
    {"a\r.\rb\r\n.\r\n", 10}, {"a\r.\r\nb\r\n.\r\n", 11}, {"a\r\n.\rb\r\n.\r\n", 11}, {"a\r\n.\r\r\nb\r\n.\r\n", 13}, {"a\r\n.\r\r\n.\r\n", 10},
    /* CR CR LF . CR CR LF, LF CR . CR LF, LF LF */
    {"a\r\r\n.\r\r\nb\r\n.\r\n", 14}, {"a\n\r.\r\nb\r\n.\r\n", 12}, {"a\n\n.\n\nb\r\n.\r\n", 12}, {"\r\r\r\n.\r\n", 7}, {"a\r", 2}, {"\r\n.\r", 4},
    /* NUL before, in and behind the mark */
    {"a\r\n\0.\r\nb\r\n.\r\n", 13}, {"a\r\n.\0\r\nb\r\n.\r\n", 13}, {"a\r\n.\r\0\nb\r\n.\r\n", 13}, {"\0", 1}, {"a\0b\r\n.\r\n", 8},
    /* no end */
    {"", 0}, {"a", 1}, {".", 1}, {"..", 2}, {".\r", 2}, {"a\r\n", 3}, {"a\r\n.", 4}, {"a\n.\n", 4}, {"a\r\n.\n", 5}, {"\n", 1},
    {"\xff\xfe\x80\r\n.\r\n", 8}, {"a\r\n.\r\n.\r\n", 9}, {"a\n\r\n.\r\n", 7}, {"a\r\n..\n..\r..\r\n.\r\n", 17}, {"\r.\n.\r\n.\r\n", 9},
};

struct reading {
    bool ended;
    size_t used;
    unsigned flaws;
    struct buf content;
};

/* Reads INPUT in pieces that begin at each of the COUNT places of CUTS, the first of which is 0. */
static void read_pieces(struct reading *r, struct str input, const size_t *cuts, size_t count, bool dots, bool normalize, size_t line_max)
{
    struct data_reader reader;

    *r = (struct reading){0};
    data_reader_init(&reader, dots);
    reader.normalize = normalize;
    reader.line_max = line_max;
    for (size_t i = 0; i < count && !reader.ended; i++) {
        size_t stop = i + 1 < count ? cuts[i + 1] : input.length;
        /* Exactly as long as it is, for the sanitizer's eyes. */
        char *exact = malloc(stop - cuts[i] + 1);
        size_t used;

        if (stop > cuts[i])
            memcpy(exact, input.data + cuts[i], stop - cuts[i]);
        used = data_read(&reader, (struct str){exact, stop - cuts[i]}, data_model_collect, &r->content);
        check(used <= stop - cuts[i]);
        check(reader.ended || used == stop - cuts[i]);
        r->used += used;
        free(exact);
    }
    if (!dots)
        data_read_end(&reader, data_model_collect, &r->content);
    r->ended = reader.ended;
    r->flaws = reader.flaws;
}

static void same_as_model(size_t sample, const struct data_model *model, struct reading *r, size_t cut)
{
    bool same = check_number(r->ended, model->ended);

    same &= check_number(r->used, model->used);
    if (model->ended) {
        same &= check_number(r->flaws, model->flaws);
        /* What has a flaw is refused: nobody looks at the content. */
        if (model->flaws == 0)
            same &= check_str(buf_str(&r->content), buf_str(&model->content));
    }
    if (!same)
        printf("#   sample %zu cut at %zu\n", sample, cut);
    buf_done(&r->content);
}

static void read_every_way(bool normalize)
{
    for (size_t i = 0; i < TEST_COUNT(samples); i++) {
        struct str input = samples[i];
        size_t cuts[64] = {0};
        struct data_model model;
        struct reading r;

        data_model_run(&model, input, true, normalize);
        read_pieces(&r, input, cuts, 1, true, normalize, 0);
        same_as_model(i, &model, &r, 0);
        for (size_t cut = 0; cut <= input.length; cut++) {
            cuts[1] = cut;
            read_pieces(&r, input, cuts, 2, true, normalize, 0);
            same_as_model(i, &model, &r, cut);
            for (size_t next = cut; next <= input.length; next++) {
                cuts[2] = next;
                read_pieces(&r, input, cuts, 3, true, normalize, 0);
                same_as_model(i, &model, &r, cut);
            }
        }
        for (size_t k = 0; k < input.length; k++)
            cuts[k] = k;
        read_pieces(&r, input, cuts, input.length, true, normalize, 0);
        same_as_model(i, &model, &r, 999);
        data_model_done(&model);
    }
}

static void samples_split_everywhere_agree_with_the_model(void)
{
    read_every_way(false);
}

static void normalizing_agrees_with_the_model(void)
{
    read_every_way(true);
}

/* Every text of up to seven octets over the alphabet that matters. */
static void all_short_texts_agree_with_the_model(void)
{
    static const char alphabet[] = {'\r', '\n', '.', 'a', '\0'};

    for (size_t length = 0; length <= 7; length++) {
        size_t texts = 1;

        for (size_t i = 0; i < length; i++)
            texts *= sizeof alphabet;
        for (size_t n = 0; n < texts && !test_failed(); n++) {
            char text[16];
            size_t rest = n, cuts[16];
            struct data_model model;
            struct reading r;

            for (size_t i = 0; i < length; i++, rest /= sizeof alphabet)
                text[i] = alphabet[rest % sizeof alphabet];
            memcpy(text + length, "\r\n.\r\n", 5);
            for (size_t i = 0; i < length + 5; i++)
                cuts[i] = i;
            data_model_run(&model, (struct str){text, length + 5}, true, false);
            read_pieces(&r, (struct str){text, length + 5}, cuts, 1, true, false, 0);
            same_as_model(n, &model, &r, 0);
            read_pieces(&r, (struct str){text, length + 5}, cuts, length + 5, true, false, 0);
            same_as_model(n, &model, &r, 999);
            data_model_done(&model);
        }
    }
}

static void the_end_is_what_the_rfc_says(void)
{
    static const struct {
        struct str input;
        bool ended;
        size_t used;
        unsigned flaws;
        struct str content;
    } table[] = {
        {{".\r\n", 3}, true, 3, 0, {"", 0}},
        {{".\r\nQUIT\r\n", 9}, true, 3, 0, {"", 0}},
        {{"a\r\n..b\r\n...\r\n.\r\n", 16}, true, 16, 0, {"a\r\n.b\r\n..\r\n", 11}},
        {{"a\n.\r\n", 5}, false, 5, DATA_BARE_LF, {"", 0}},
        {{"a\n.\n", 4}, false, 4, DATA_BARE_LF, {"", 0}},
        {{"a\r.\r\n", 5}, false, 5, DATA_BARE_CR, {"", 0}},
        {{"a\r\n.\n", 5}, false, 5, DATA_BARE_LF, {"", 0}},
        {{"a\r\n.\r\r\n", 7}, false, 7, DATA_BARE_CR, {"", 0}},
        {{"a\r\n\0.\r\n", 7}, false, 7, DATA_NUL, {"", 0}},
        {{"a\r\n.\r\0\n", 7}, false, 7, DATA_BARE_CR | DATA_BARE_LF | DATA_NUL, {"", 0}},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        size_t cut = 0;
        struct reading r;

        read_pieces(&r, table[i].input, &cut, 1, true, false, 0);
        check_number(r.ended, table[i].ended);
        check_number(r.used, table[i].used);
        if (!check_number(r.flaws, table[i].flaws))
            printf("#   row %zu\n", i);
        if (r.ended)
            check_str(buf_str(&r.content), table[i].content);
        buf_done(&r.content);
    }
}

static void nothing_is_read_behind_the_end(void)
{
    struct data_reader reader;
    struct buf content = {0};

    data_reader_init(&reader, true);
    check_number(data_read(&reader, STR("a\r\n.\r\nb"), data_model_collect, &content), 6);
    check_number(data_read(&reader, STR("b\r\n.\r\n"), data_model_collect, &content), 0);
    check_text(buf_text(&content), "a\r\n");
    buf_done(&content);
}

static void chunks_are_content_to_the_octet(void)
{
    static const struct {
        struct str input;
        unsigned flaws;
    } table[] = {
        {{"", 0}, 0}, {{".\r\n", 3}, 0}, {{"a\r\n.\r\nb", 7}, 0}, {{"..a\r\n.b", 7}, 0}, {{"no end", 6}, 0}, {{"a\r", 2}, DATA_BARE_CR},
        {{"\n", 1}, DATA_BARE_LF}, {{"a\n.\n", 4}, DATA_BARE_LF}, {{"\0", 1}, DATA_NUL}, {{"a\rb\r\n", 5}, DATA_BARE_CR},
        {{"\r\r\n", 3}, DATA_BARE_CR}, {{"\n\r", 2}, DATA_BARE_CR | DATA_BARE_LF},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (size_t cut = 0; cut <= table[i].input.length; cut++) {
            size_t cuts[2] = {0, cut};
            struct reading r;

            read_pieces(&r, table[i].input, cuts, 2, false, false, 0);
            check(!r.ended);
            check_number(r.used, table[i].input.length);
            if (!check_number(r.flaws, table[i].flaws))
                printf("#   row %zu\n", i);
            if (r.flaws == 0)
                check_str(buf_str(&r.content), table[i].input);
            buf_done(&r.content);
            read_pieces(&r, table[i].input, cuts, 2, false, true, 0);
            check_number(r.flaws, table[i].flaws & DATA_NUL);
            check(!data_model_has_bare(buf_str(&r.content)));
            buf_done(&r.content);
        }
}

/* RFC 5321 section 4.5.3.1.6: the dot that transparency adds does not count. */
static void long_lines_are_noted(void)
{
    static const struct {
        const char *text;
        bool is_long;
    } table[] = {
        {"1234567890\r\n.\r\n", false}, {"12345678901\r\n.\r\n", true}, {"a\r\n1234567890\r\nb\r\n.\r\n", false}, {"a\r\n12345678901\r\nb\r\n.\r\n", true},
        {"..234567890\r\n.\r\n", false}, {"..2345678901\r\n.\r\n", true}, {".1234567890\r\n.\r\n", false}, {"\r\n.\r\n", false},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (size_t cut = 0; cut <= strlen(table[i].text); cut++) {
            size_t cuts[2] = {0, cut};
            struct reading r;

            read_pieces(&r, str_of(table[i].text), cuts, 2, true, false, 10);
            if (!check_number(r.flaws, table[i].is_long ? DATA_LONG_LINE : 0))
                printf("#   row %zu cut %zu\n", i, cut);
            buf_done(&r.content);
            read_pieces(&r, str_of(table[i].text), cuts, 2, true, false, 0);
            check_number(r.flaws, 0);
            buf_done(&r.content);
        }
}

/* ---- the writer ---- */

static bool write_pieces(struct buf *wire, struct str content, size_t cut)
{
    struct data_writer w;

    data_writer_init(&w);
    data_write(&w, str_part(content, 0, cut), data_model_collect, wire);
    data_write(&w, str_from(content, cut), data_model_collect, wire);
    data_write_end(&w, data_model_collect, wire);
    return !w.flawed;
}

static void writer_stuffs_and_closes(void)
{
    static const struct {
        struct str content, wire;
    } table[] = {
        {{"", 0}, {".\r\n", 3}}, {{"a\r\n", 3}, {"a\r\n.\r\n", 6}}, {{"a", 1}, {"a\r\n.\r\n", 6}}, {{".", 1}, {"..\r\n.\r\n", 7}},
        {{".\r\n", 3}, {"..\r\n.\r\n", 7}}, {{"..\r\n", 4}, {"...\r\n.\r\n", 8}}, {{"a\r\n.b", 5}, {"a\r\n..b\r\n.\r\n", 11}},
        {{"a.\r\n", 4}, {"a.\r\n.\r\n", 7}}, {{"\r\n", 2}, {"\r\n.\r\n", 5}}, {{"a\r\n.\r\nMAIL", 10}, {"a\r\n..\r\nMAIL\r\n.\r\n", 16}},
        {{"\r\n\r\n.", 5}, {"\r\n\r\n..\r\n.\r\n", 11}}, {{"a\0\xff\r\n", 5}, {"a\0\xff\r\n.\r\n", 8}},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (size_t cut = 0; cut <= table[i].content.length; cut++) {
            struct buf wire = {0};

            check(write_pieces(&wire, table[i].content, cut));
            if (!check_str(buf_str(&wire), table[i].wire))
                printf("#   row %zu cut %zu\n", i, cut);
            buf_done(&wire);
        }
}

/* A CR that came last may have been sent while it could still become a line end; then nothing follows it any more. */
static bool sent_bare(const struct buf *wire)
{
    struct str s = buf_str(wire);

    return data_model_has_bare(str_ends(s, STR("\r")) ? str_part(s, 0, s.length - 1) : s);
}

static void writer_passes_no_bare_line_end_on(void)
{
    static const struct str bad[] = {
        {"a\n", 2}, {"a\r", 2}, {"\n.\n", 3}, {"a\n.\r\n", 5}, {"a\r\n.\n", 5}, {"a\rb", 3}, {"\r\r\n", 3}, {"a\r\n.\r", 5}, {"\n", 1}, {"\r", 1}, {"a\r.\r\n", 5},
        {"a\r\n\n.\r\n", 7},
    };

    for (size_t i = 0; i < TEST_COUNT(bad); i++)
        for (size_t cut = 0; cut <= bad[i].length; cut++) {
            struct buf wire = {0};

            check(!write_pieces(&wire, bad[i], cut));
            if (!check(!sent_bare(&wire)))
                printf("#   row %zu cut %zu\n", i, cut);
            buf_done(&wire);
        }
}

/* What a writer sends, a reader reads: for all short texts, whole and by octets. */
static void what_is_written_is_read(void)
{
    static const char alphabet[] = {'\r', '\n', '.', 'a'};

    for (size_t length = 0; length <= 8; length++) {
        size_t texts = (size_t)1 << (2 * length);

        for (size_t n = 0; n < texts && !test_failed(); n++) {
            char text[16];
            struct str content = {text, length};
            struct buf wire = {0};
            struct data_model model;
            struct reading r;
            size_t cut = 0;
            bool bare;

            for (size_t i = 0; i < length; i++)
                text[i] = alphabet[n >> (2 * i) & 3];
            bare = data_model_has_bare(content);
            check(write_pieces(&wire, content, n % (length + 1)) == !bare);
            check(!sent_bare(&wire));
            data_model_run(&model, buf_str(&wire), true, false);
            read_pieces(&r, buf_str(&wire), &cut, 1, true, false, 0);
            check(model.ended == !bare); /* no end is ever sent for what has a flaw */
            if (!bare) {
                check(r.ended);
                check_number(r.used, wire.length);
                check_number(r.flaws, 0);
                check(str_starts(buf_str(&r.content), content));
                check_str(str_from(buf_str(&r.content), length),
                          length == 0 || str_ends(content, STR("\r\n")) ? STR("") : STR("\r\n"));
            }
            data_model_done(&model);
            buf_done(&r.content);
            buf_done(&wire);
        }
    }
}

static const struct test_case cases[] = {
    TEST_CASE(the_end_is_what_the_rfc_says),
    TEST_CASE(samples_split_everywhere_agree_with_the_model),
    TEST_CASE(normalizing_agrees_with_the_model),
    TEST_CASE(all_short_texts_agree_with_the_model),
    TEST_CASE(nothing_is_read_behind_the_end),
    TEST_CASE(chunks_are_content_to_the_octet),
    TEST_CASE(long_lines_are_noted),
    TEST_CASE(writer_stuffs_and_closes),
    TEST_CASE(writer_passes_no_bare_line_end_on),
    TEST_CASE(what_is_written_is_read),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
