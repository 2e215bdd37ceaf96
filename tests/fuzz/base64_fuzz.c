/* base64: what can be read is the one way to write it. */
#include "fuzz.h"

#include "base/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    struct buf bytes = {0}, text = {0};

    if (base64_decode(input, &bytes)) {
        base64_encode(buf_str(&bytes), &text);
        fuzz_check(str_equal(buf_str(&text), input));
    } else
        fuzz_check(bytes.length == 0);
    buf_clear(&bytes);
    buf_clear(&text);
    base64_encode(input, &text);
    fuzz_check(str_is_ascii(buf_str(&text)) && !str_has_control(buf_str(&text)) && !str_has(buf_str(&text), ' '));
    fuzz_check(base64_decode(buf_str(&text), &bytes));
    fuzz_check(str_equal(buf_str(&bytes), input));
    buf_done(&bytes);
    buf_done(&text);
    return 0;
}
