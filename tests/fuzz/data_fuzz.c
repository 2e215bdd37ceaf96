/* The DATA reader and writer.  First octet: options; second: how the input is cut; the rest is what comes behind the 354. */
#include "fuzz.h"

#include "../unit/data_model.h"

struct reading {
    struct data_reader reader;
    struct buf content;
    size_t used;
};

static void read_pieces(struct reading *r, struct str input, size_t piece, unsigned options)
{
    *r = (struct reading){0};
    data_reader_init(&r->reader, (options & 1) == 0);
    r->reader.normalize = (options & 2) != 0;
    r->reader.line_max = (options & 4) != 0 ? 10 : 0;
    for (size_t at = 0; at < input.length && !r->reader.ended;) {
        struct str part = str_part(input, at, piece);
        char *exact = fuzz_exact(part);
        size_t used = data_read(&r->reader, (struct str){exact, part.length}, data_model_collect, &r->content);

        fuzz_check(used <= part.length);
        fuzz_check(used == part.length || r->reader.ended);
        r->used += used;
        at += used;
        free(exact);
        /* Pieces of changing size. */
        piece = piece * 7 % 31 + 1;
    }
    if (!r->reader.dots)
        data_read_end(&r->reader, data_model_collect, &r->content);
}

static void compare_with_model(struct str input, const struct reading *r, unsigned options)
{
    struct data_model m;

    data_model_run(&m, input, r->reader.dots, r->reader.normalize);
    fuzz_check(r->reader.ended == m.ended);
    fuzz_check(r->used == m.used);
    if (m.ended || !r->reader.dots) {
        fuzz_check((r->reader.flaws & ~(unsigned)DATA_LONG_LINE) == m.flaws);
        if (m.flaws == 0)
            fuzz_check(str_equal(buf_str(&r->content), buf_str(&m.content)));
    }
    /* What ended, ended at CR LF . CR LF and nowhere else. */
    if (m.ended && r->used > 3)
        fuzz_check(memcmp(input.data + r->used - 5, "\r\n.\r\n", 5) == 0);
    else if (m.ended)
        fuzz_check(memcmp(input.data, ".\r\n", 3) == 0);
    /* What is handed on without a flaw can be sent on. */
    if ((m.ended || !r->reader.dots) && r->reader.flaws == 0)
        fuzz_check(!data_model_has_bare(buf_str(&r->content)));
    if ((options & 4) == 0)
        fuzz_check((r->reader.flaws & DATA_LONG_LINE) == 0);
    data_model_done(&m);
}

static bool write_pieces(struct str content, size_t piece, struct buf *wire)
{
    struct data_writer w;

    data_writer_init(&w);
    for (size_t at = 0; at < content.length; at += piece)
        data_write(&w, str_part(content, at, piece), data_model_collect, wire);
    data_write_end(&w, data_model_collect, wire);
    return !w.flawed;
}

static void check_writer(struct str content, size_t piece)
{
    struct buf wire = {0};
    bool sent = write_pieces(content, piece, &wire);
    struct data_model m;

    fuzz_check(sent == !data_model_has_bare(content));
    data_model_run(&m, buf_str(&wire), true, false);
    fuzz_check(m.ended == sent);
    if (sent) {
        fuzz_check(m.used == wire.length);
        fuzz_check((m.flaws & ~(unsigned)DATA_NUL) == 0);
        fuzz_check(str_starts(buf_str(&m.content), content));
        fuzz_check(m.content.length <= content.length + 2);
    } else if (str_ends(buf_str(&wire), STR("\r"))) {
        /* A CR may be out before its LF fails to come. */
        wire.length--;
    }
    fuzz_check(!data_model_has_bare(buf_str(&wire)));
    data_model_done(&m);
    buf_done(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input;
    struct reading whole, pieces;
    unsigned options;
    size_t piece;

    if (size < 2)
        return 0;
    options = data[0];
    piece = data[1] % 31 + 1U;
    input = fuzz_input(data + 2, size - 2);
    read_pieces(&whole, input, input.length + 1, options);
    read_pieces(&pieces, input, piece, options);
    fuzz_check(whole.reader.ended == pieces.reader.ended && whole.used == pieces.used);
    fuzz_check(whole.reader.flaws == pieces.reader.flaws);
    fuzz_check(str_equal(buf_str(&whole.content), buf_str(&pieces.content)));
    compare_with_model(input, &whole, options);
    check_writer(input, piece);
    check_writer(buf_str(&whole.content), input.length + 1);
    buf_done(&whole.content);
    buf_done(&pieces.content);
    return 0;
}
