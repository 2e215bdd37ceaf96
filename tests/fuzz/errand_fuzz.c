/* The packet of an errand, as somebody who has taken deliverd over would send it to root. */
#include "fuzz.h"

#include "base/errand.h"

static void check_word(struct str packet, struct str word)
{
    fuzz_check(word.data >= packet.data && word.data + word.length < packet.data + packet.length);
    fuzz_check(word.data[word.length] == '\0' && !str_has(word, '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_exact(fuzz_input(data, size));
    struct str packet = {copy, size};
    struct buf again = {0};
    struct errand e;

    if (errand_parse(packet, &e)) {
        fuzz_check(e.kind == ERRAND_LDA ? e.count == 0 : e.kind == ERRAND_PIPE && e.count > 0 && e.count <= ERRAND_WORDS);
        fuzz_check(e.message == -1 && e.errors == -1 && e.result == -1);
        check_word(packet, e.sender);
        check_word(packet, e.recipient);
        check_word(packet, e.original);
        for (size_t i = 0; i < e.count; i++)
            check_word(packet, e.words[i]);
        fuzz_check(errand_write(&e, &again));
        fuzz_check(str_equal(buf_str(&again), packet));
    }
    buf_done(&again);
    free(copy);
    return 0;
}
