/* The dialogue with a next hop that says anything.  First octet: the message that it is given. */
#include "fuzz.h"

#include "../unit/data_model.h"
#include "transfer/client.h"

#include "script.h"

enum { RECIPIENTS = 60 };

static const char *const contents[] = {"Subject: x\r\n\r\n.dot\r\n", "", "no end", "bare\n.\n", "cr\r", "..\r\n.\r\n"};

/* All that we say is lines, whatever we hear. */
static void check_said(struct str said, bool flawed)
{
    if (str_ends(said, STR("\r")) && flawed)
        said.length--;
    fuzz_check(!data_model_has_bare(said));
    fuzz_check(!str_has(said, '\0'));
}

static const struct client_security plain = {.wanted.host = "y.example", .policy = TLS_NONE};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct recipient recipients[RECIPIENTS];
    static struct client_recipient outcomes[RECIPIENTS];
    struct envelope envelope = {.sender = STR("s@x.example")};
    struct client_message message = {.envelope = &envelope, .recipients = outcomes};
    struct stream s;
    struct client c;
    struct buf said = {0};
    struct status status;
    unsigned options;

    if (size < 1)
        return 0;
    options = data[0];
    message.content = str_of(contents[(options & 7) % 6]);
    message.size = (int64_t)message.content.length;
    message.count = (options & 8) != 0 ? RECIPIENTS : 2;
    envelope.smtputf8 = (options & 16) != 0;
    envelope.body = (options & 32) != 0 ? BODY_8BITMIME : BODY_7BIT;
    envelope.ret = (options & 64) != 0 ? RET_FULL : RET_NONE;
    envelope.envid = (options & 64) != 0 ? STR("id") : STR("");
    for (size_t i = 0; i < message.count; i++) {
        recipients[i] = (struct recipient){.address = i == 1 && (options & 128) != 0 ? STR("j\xc3\xb6rg@b\xc3\xbc" "cher.example") : STR("r@y.example"), .notify = NOTIFY_DELAY};
        outcomes[i] = (struct client_recipient){.recipient = &recipients[i]};
    }
    script_stream(&s, fuzz_input(data + 1, size - 1));
    client_init(&c, &s, 5000);
    status = client_greet(&c, "me.example", &plain);
    fuzz_check(!str_has_control(str_of(status.text)) && status.code != 0);
    for (int round = 0; round < 3 && !c.broken && status_is_ok(&status); round++) {
        client_send(&c, &message);
        for (size_t i = 0; i < message.count; i++) {
            fuzz_check(outcomes[i].status.code >= 200 && outcomes[i].status.code <= 599);
            fuzz_check(outcomes[i].status.code < 300 || outcomes[i].status.code >= 400);
            fuzz_check(!status_is_ok(&outcomes[i].status) || outcomes[i].accepted);
            /* A content that may not be sent on has not been taken. */
            fuzz_check(!status_is_ok(&outcomes[i].status) || !data_model_has_bare(message.content));
        }
    }
    client_close(&c);
    script_done(&said);
    check_said(buf_str(&said), data_model_has_bare(message.content));
    buf_done(&said);
    return 0;
}
