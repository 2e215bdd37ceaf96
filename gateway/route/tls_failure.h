/*
 * tls_failure - what TLS reports call the ways in which TLS with a domain failed (RFC 8460 section 4.3).
 */
#ifndef ROUTE_TLS_FAILURE_H
#define ROUTE_TLS_FAILURE_H

enum tls_failure {
    TLS_FAILURE_NONE,
    TLS_FAILURE_STARTTLS_NOT_SUPPORTED,
    TLS_FAILURE_CERTIFICATE_HOST_MISMATCH,
    TLS_FAILURE_CERTIFICATE_EXPIRED,
    TLS_FAILURE_CERTIFICATE_NOT_TRUSTED,
    TLS_FAILURE_VALIDATION,
    TLS_FAILURE_TLSA_INVALID,
    TLS_FAILURE_DNSSEC_INVALID,
    TLS_FAILURE_DANE_REQUIRED,
    TLS_FAILURE_STS_POLICY_FETCH,
    TLS_FAILURE_STS_POLICY_INVALID,
    TLS_FAILURE_STS_WEBPKI_INVALID,
};

/* "starttls-not-supported", …; "" for none. */
const char *tls_failure_name(enum tls_failure failure);

#endif
