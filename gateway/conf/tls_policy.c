#include "conf/tls_policy.h"

static const char *const names[] = {[TLS_NONE] = "none", [TLS_MAY] = "may", [TLS_ENCRYPT] = "encrypt", [TLS_VERIFY] = "verify", [TLS_DANE] = "dane"};

enum { POLICIES = sizeof names / sizeof names[0] };

const char *tls_policy_name(enum tls_policy policy)
{
    return names[policy];
}

bool tls_rule_parse(struct tls_rule *r, struct str text)
{
    const struct str suffix = STR("+smtps");

    *r = (struct tls_rule){.policy = TLS_ENCRYPT, .from_first_byte = str_equal(text, STR("smtps")) || str_ends(text, suffix)};
    if (str_ends(text, suffix))
        text.length -= suffix.length;
    else if (r->from_first_byte)
        return true;
    for (int i = 0; i < POLICIES; i++) {
        r->policy = (enum tls_policy)i;
        if (str_equal(text, str_of(names[i])))
            return i != TLS_NONE || !r->from_first_byte;
    }
    return false;
}
