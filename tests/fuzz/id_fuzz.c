/* Queue ids as people type them. */
#include "fuzz.h"

#include "message/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    char text[QUEUE_ID_SIZE];
    int64_t id;

    if (queue_id_parse(input, &id)) {
        fuzz_check(id > 0 && input.length == QUEUE_ID_SIZE - 1);
        queue_id_text(id, text);
        fuzz_check(str_equal_nocase(str_of(text), input));
    }
    return 0;
}
