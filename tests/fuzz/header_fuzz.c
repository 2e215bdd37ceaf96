/* The scan of a header section.  First octet: how the input is cut. */
#include "fuzz.h"

#include "message/header.h"

#include <strings.h>

/* The same on the whole text: lines up to the first empty one.  Content with bare line ends is refused, so it is not looked at here. */
static int count_received(struct str content, bool *ended, bool *eight_bit)
{
    int received = 0;

    *ended = *eight_bit = false;
    while (content.length > 0 && !*ended) {
        size_t end = str_find(content, '\n', 0);
        struct str line = str_part(content, 0, end);

        *ended = end < content.length && str_equal(line, STR("\r"));
        received += str_starts_nocase(line, STR("Received")) && str_starts(str_trim(str_from(line, 8)), STR(":"));
        *eight_bit = *eight_bit || !str_is_ascii(line);
        content = end < content.length ? str_from(content, end + 1) : STR("");
    }
    return received;
}

static bool has_bare(struct str s)
{
    for (size_t i = 0; i < s.length; i++)
        if ((s.data[i] == '\n' && (i == 0 || s.data[i - 1] != '\r')) || (s.data[i] == '\r' && i + 1 < s.length && s.data[i + 1] != '\n'))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct header_scan whole, pieces;
    struct str content;
    size_t piece;
    bool ended, eight_bit;

    if (size < 1)
        return 0;
    piece = data[0] % 17 + 1U;
    content = fuzz_input(data + 1, size - 1);
    header_scan_init(&whole);
    header_scan(&whole, content);
    header_scan_init(&pieces);
    for (size_t at = 0; at < content.length; at += piece)
        header_scan(&pieces, str_part(content, at, piece));
    fuzz_check(whole.ended == pieces.ended && whole.received == pieces.received && whole.eight_bit == pieces.eight_bit);
    if (!has_bare(content)) {
        fuzz_check(count_received(content, &ended, &eight_bit) == whole.received);
        fuzz_check(ended == whole.ended && eight_bit == whole.eight_bit);
    }
    return 0;
}
