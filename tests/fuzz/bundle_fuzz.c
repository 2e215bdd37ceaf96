/* A bundle of certificates and keys, as one process hands it to another. */
#include "fuzz.h"

#include "net/tls_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str content = fuzz_input(data, size);
    char *exact = fuzz_exact(content);
    struct buf again = {0};
    struct tls_pairs p;

    if (tls_files_parse(&p, (struct str){exact, content.length})) {
        fuzz_check(p.count > 0 && p.items[0].host[0] == '\0');
        tls_files_write(&p, &again);
        fuzz_check(str_equal(buf_str(&again), content));
    } else {
        fuzz_check(p.count == 0 && p.items == NULL);
    }
    tls_files_done(&p);
    buf_done(&again);
    free(exact);
    return 0;
}
