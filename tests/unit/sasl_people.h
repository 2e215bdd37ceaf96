/*
 * sasl_people - users who log in, for the tests of both sides; they note what they were asked.
 */
#ifndef SASL_PEOPLE_H
#define SASL_PEOPLE_H

#include "sasl/keys.h"
#include "sasl/server.h"

#include <string.h>

struct person {
    const char *login, *password;
    const char *scram; /* "": has none */
    bool has_cram;
};

static const struct person people[] = {
    /* RFC 7677 section 3 */
    {"user", "pencil",
     "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", true},
    /* RFC 2195 section 2, RFC 4616 section 4 */
    {"tim", "tanstaaftanstaaf", "", true},
    {"Kurt", "xipj3plmq", "", false},
    /* Made by another program with the salt "AAAA" and the password in its prepared form, "passw\xc3\xb6rt". */
    {"a,b=c d\xc3\xa4", "passwo\xcc\x88rt",
     "SCRAM-SHA-256$5000:QUFBQQ==$3TpRaHmc0UII5KGLswr8NDOij+bqoraLYYFSFy5ehEc=:mYbbUivCkGlaENvqj93ep/IJKhTfLMItiqAoZrfz/i0=", true},
};

static struct {
    int checks, keys; /* times asked */
    bool fail;
    char login[SASL_LOGIN_MAX + 1], password[SASL_RESPONSE_MAX + 1];
} asked;

static inline const struct person *find_person(struct str login)
{
    str_copy(login, asked.login, sizeof asked.login);
    for (size_t i = 0; i < sizeof people / sizeof people[0]; i++)
        if (str_equal(login, str_of(people[i].login)))
            return &people[i];
    return NULL;
}

static inline enum sasl_answer people_check(void *self, struct str login, struct str password)
{
    const struct person *p = find_person(login);

    (void)self;
    asked.checks++;
    str_copy(password, asked.password, sizeof asked.password);
    if (asked.fail)
        return SASL_FAILED;
    return p != NULL && str_equal(password, str_of(p->password)) ? SASL_YES : SASL_NO;
}

static inline enum sasl_answer people_keys(void *self, struct str login, struct sasl_keys *keys)
{
    const struct person *p = find_person(login);

    (void)self;
    asked.keys++;
    if (asked.fail)
        return SASL_FAILED;
    if (p == NULL)
        return SASL_NO;
    *keys = (struct sasl_keys){0};
    if (p->scram[0] != '\0' && !sasl_keys_read_scram(str_of(p->scram), keys))
        return SASL_FAILED;
    keys->has_cram = p->has_cram;
    if (p->has_cram)
        crypto_md5_state(str_of(p->password), keys->cram);
    return SASL_YES;
}

static const struct sasl_users everybody = {.check = people_check, .keys = people_keys};

#endif
