/* Parameters of MAIL and RCPT.  First octet: which of them, and whether SMTPUTF8 was given. */
#include "fuzz.h"

#include "smtp/params.h"
#include "smtp/xtext.h"

static bool is_inside(struct str part, struct str whole)
{
    return part.length == 0 || (part.data >= whole.data && part.data + part.length <= whole.data + whole.length);
}

static void check_status(const struct status *s)
{
    fuzz_check(s->code == 250 || s->code == 501 || s->code == 555);
    fuzz_check(s->code == 250 || (s->class == 5 && s->subject == 5 && s->detail == 4));
    fuzz_check(!str_has_control(str_of(s->text)));
}

static void try_mail(struct str text)
{
    struct mail_params p;
    struct status s = params_parse_mail(&p, text);

    check_status(&s);
    if (s.code != 250)
        return;
    fuzz_check(p.size <= INT64_MAX);
    fuzz_check(p.body == BODY_7BIT || p.body == BODY_8BITMIME);
    fuzz_check(is_inside(p.envid, text));
    fuzz_check(p.envid.length == 0 || xtext_is_envid(p.envid));
}

static void try_rcpt(struct str text, bool smtputf8)
{
    struct rcpt_params p;
    struct status s = params_parse_rcpt(&p, text, smtputf8);
    char words[PARAMS_NOTIFY_SIZE];
    unsigned back;

    check_status(&s);
    if (s.code != 250)
        return;
    fuzz_check(is_inside(p.orcpt, text));
    fuzz_check(p.orcpt.length == 0 || xtext_is_orcpt(p.orcpt, smtputf8));
    fuzz_check(!str_has_control(p.orcpt) && !str_has(p.orcpt, ' '));
    fuzz_check(p.notify < 16 && ((p.notify & NOTIFY_NEVER) == 0 || p.notify == NOTIFY_NEVER));
    params_notify_text(p.notify, words);
    if (p.notify != 0)
        fuzz_check(params_parse_notify(str_of(words), &back) && back == p.notify);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text;

    if (size < 1)
        return 0;
    text = fuzz_input(data + 1, size - 1);
    if ((data[0] & 1) == 0)
        try_mail(text);
    else
        try_rcpt(text, (data[0] & 2) != 0);
    return 0;
}
