/*
 * tls_policy - how a connection to a next hop is to be protected, read.
 *
 * A rule is `none`, `may`, `encrypt`, `verify` or `dane`, all but the first with `+smtps` behind them where TLS begins with the first byte; `smtps`
 * alone is `encrypt+smtps`.
 *     none     plain text
 *     may      TLS where the next hop offers it; which certificate does not matter unless TMAIL_DELIVERD_REMOTE_TLS_SKIPVERIFY is false
 *     encrypt  TLS, with any certificate, or no mail
 *     verify   TLS with a good certificate for the next hop's name, or no mail; by MX for the name in the MX record, proven or not
 *     dane     TLS with a certificate that a secure TLSA record of the next hop vouches for (RFC 7672), or no mail
 * Port 465 is TLS from the first byte under every rule but none (RFC 8314 section 7.3).
 */
#ifndef CONF_TLS_POLICY_H
#define CONF_TLS_POLICY_H

#include "base/str.h"

enum tls_policy { TLS_NONE, TLS_MAY, TLS_ENCRYPT, TLS_VERIFY, TLS_DANE };

struct tls_rule {
    enum tls_policy policy;
    bool from_first_byte;
};

#define TLS_RULE_EXPECTED "none, may, encrypt, verify or dane, all but none with +smtps behind it, or smtps"

/* "none", …, "dane". */
const char *tls_policy_name(enum tls_policy policy);
bool tls_rule_parse(struct tls_rule *r, struct str text);

#endif
