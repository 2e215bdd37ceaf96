/* What Dovecot's quota-status service says, and an address that it is asked about. */
#include "fuzz.h"

#include "dovecot/quota_status.h"

static void check_refusal(const struct status *s)
{
    fuzz_check(s->code >= 400 && s->code <= 559 && s->code != 421);
    fuzz_check(s->class == s->code / 100);
    fuzz_check(s->text[0] != '\0' && s->from_peer);
}

static void check_answer(struct str answer)
{
    struct status s;
    enum quota_answer result = quota_status_read(answer, &s);

    fuzz_check(!str_has_control(str_of(s.text)));
    if (result == QUOTA_REFUSED)
        check_refusal(&s);
    else
        fuzz_check(status_is_ok(&s));
    fuzz_check(result == QUOTA_NONE || str_contains(answer, STR("action=")));
}

/* Five attributes, an empty line and nothing behind it, whatever the address is. */
static void check_question(struct str address)
{
    struct buf question = {0};
    struct str rest, line;
    int lines = 0;

    quota_status_write(address, address.length, &question);
    rest = buf_str(&question);
    fuzz_check(str_ends(rest, STR("\n\n")) && !str_has(rest, '\0') && !str_has(rest, '\r'));
    while (str_cut(&rest, '\n', &line))
        lines++;
    fuzz_check(lines == 7);
    buf_done(&question);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    char *exact = fuzz_exact(input);

    check_answer((struct str){exact, input.length});
    check_question((struct str){exact, input.length});
    free(exact);
    return 0;
}
