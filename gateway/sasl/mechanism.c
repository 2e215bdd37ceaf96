#include "sasl/mechanism.h"

static const struct {
    const char *name;
    bool shows_secret;
} mechanisms[SASL_MECHANISMS] = {
    [SASL_SCRAM_SHA_256_PLUS] = {"SCRAM-SHA-256-PLUS", false},
    [SASL_SCRAM_SHA_256] = {"SCRAM-SHA-256", false},
    [SASL_CRAM_MD5] = {"CRAM-MD5", false},
    [SASL_PLAIN] = {"PLAIN", true},
    [SASL_LOGIN] = {"LOGIN", true},
    [SASL_OAUTHBEARER] = {"OAUTHBEARER", true},
    [SASL_XOAUTH2] = {"XOAUTH2", true},
};

const char *sasl_mechanism_name(enum sasl_mechanism m)
{
    return mechanisms[m].name;
}

bool sasl_mechanism_find(struct str name, enum sasl_mechanism *m)
{
    for (int i = 0; i < SASL_MECHANISMS; i++)
        if (str_equal_nocase(name, str_of(mechanisms[i].name))) {
            *m = (enum sasl_mechanism)i;
            return true;
        }
    return false;
}

bool sasl_mechanism_shows_secret(enum sasl_mechanism m)
{
    return mechanisms[m].shows_secret;
}
