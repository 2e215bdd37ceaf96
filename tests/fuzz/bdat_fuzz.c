/* A session that stands ready for content: by BDAT, or by whatever else comes. */
#include "fuzz.h"

#include "gateway.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf session = {0};

    buf_add_text(&session, "EHLO client.example\r\nMAIL FROM:<s@x.example> BODY=8BITMIME\r\nRCPT TO:<r@local.example>\r\n");
    buf_add(&session, fuzz_input(data, size));
    gateway_session(buf_str(&session));
    buf_done(&session);
    return 0;
}
