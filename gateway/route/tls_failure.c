#include "route/tls_failure.h"

static const char *const names[] = {
    [TLS_FAILURE_NONE] = "",
    [TLS_FAILURE_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
    [TLS_FAILURE_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
    [TLS_FAILURE_CERTIFICATE_EXPIRED] = "certificate-expired",
    [TLS_FAILURE_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
    [TLS_FAILURE_VALIDATION] = "validation-failure",
    [TLS_FAILURE_TLSA_INVALID] = "tlsa-invalid",
    [TLS_FAILURE_DNSSEC_INVALID] = "dnssec-invalid",
    [TLS_FAILURE_DANE_REQUIRED] = "dane-required",
    [TLS_FAILURE_STS_POLICY_FETCH] = "sts-policy-fetch-error",
    [TLS_FAILURE_STS_POLICY_INVALID] = "sts-policy-invalid",
    [TLS_FAILURE_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
};

const char *tls_failure_name(enum tls_failure failure)
{
    return names[failure];
}
