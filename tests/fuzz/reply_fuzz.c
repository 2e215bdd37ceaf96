/* Replies of a server: each line by itself, and all of them through a stream. */
#include "fuzz.h"

#include "smtp/reply.h"

#include "wire.h"

static void try_line(struct str input)
{
    char *exact = fuzz_exact(input);
    struct str line = {exact, input.length}, text;
    int code;
    bool more;

    if (reply_parse_line(line, &code, &more, &text)) {
        fuzz_check(code >= 200 && code <= 599);
        fuzz_check(text.length == 0 || (text.data == exact + 4 && text.length == input.length - 4));
        fuzz_check(!more || exact[3] == '-');
    }
    free(exact);
}

static void take_line(void *context, struct str text)
{
    size_t *lines = context;

    ++*lines;
    fuzz_check(!str_has(text, '\n') && text.length <= REPLY_LINE_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    struct stream s;
    int other;
    enum reply_result result;

    try_line(str_part(input, 0, str_find(input, '\n', 0)));
    wire_stream(&s, input, &other);
    do {
        struct status status;
        size_t lines = 0;

        result = reply_read(&s, &status, take_line, &lines);
        fuzz_check(!str_has_control(str_of(status.text)));
        if (result == REPLY_READ) {
            fuzz_check(status.code >= 200 && status.code <= 599);
            fuzz_check(lines >= 1 && lines <= REPLY_LINES_MAX);
        }
    } while (result == REPLY_READ);
    stream_done(&s);
    close(other);
    return 0;
}
