/* A whole session, from the client's first octet on: lines, verbs, order, content. */
#include "fuzz.h"

#include "gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gateway_session(fuzz_input(data, size));
    return 0;
}
