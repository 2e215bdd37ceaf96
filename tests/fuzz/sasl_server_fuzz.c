/*
 * The server's side of a login with a client that says anything.  First octet: the mechanism; second: what the users say, and the channel
 * binding; then responses, an octet 255 between them.
 */
#include "fuzz.h"

#include "sasl/server_exchange.h"

#define BINDING "0123456789abcdef0123456789abcdef"

enum { USERS_FAIL = 1, BOUND = 2, OFFERS_PLUS = 4 };

struct users {
    bool fail;
    bool yes; /* somebody was told so */
};

/* "user" with "pencil"; the keys of RFC 7677 section 3, but of one iteration. */
static const char scram[] = "SCRAM-SHA-256$1:W22ZaJ0SNY7soEsUEjb6gQ==$bzcn5wYzlcMpEXczzDM1iuyLhni5BVbqsm82vjMHWXI=:fg/vS0Y425LcbLGWSqdzrFlRn9451QblzgpwLQYoXCI=";

static void check_login(struct str login)
{
    fuzz_check(login.length > 0 && login.length <= SASL_LOGIN_MAX && str_is_utf8(login) && !str_has_control(login));
}

static enum sasl_answer check(void *self, struct str login, struct str password)
{
    struct users *users = self;

    check_login(login);
    fuzz_check(password.length > 0 && !str_has(password, '\0'));
    if (users->fail)
        return SASL_FAILED;
    users->yes = str_equal(login, STR("user")) && str_equal(password, STR("pencil"));
    return users->yes ? SASL_YES : SASL_NO;
}

static enum sasl_answer keys(void *self, struct str login, struct sasl_keys *k)
{
    struct users *users = self;

    check_login(login);
    if (users->fail)
        return SASL_FAILED;
    users->yes = str_equal(login, STR("user"));
    if (!users->yes)
        return SASL_NO;
    fuzz_check(sasl_keys_read_scram(str_of(scram), k));
    crypto_md5_state(STR("pencil"), k->cram);
    k->has_cram = true;
    return SASL_YES;
}

static void step(struct sasl_server *s, struct str response, struct buf *challenge, enum sasl_result *result)
{
    char *exact = fuzz_exact(response);
    enum sasl_result before = *result;

    *result = sasl_server_step(s, (struct str){exact, response.length}, challenge);
    free(exact);
    fuzz_check(before == SASL_CONTINUE || *result == SASL_MALFORMED);
    fuzz_check((*result == SASL_CONTINUE) == (challenge->length > 0));
    fuzz_check(str_is_ascii(buf_str(challenge)) && !str_has_control(buf_str(challenge)));
    /* The same challenge for the same input. */
    if (s->question.length > 0) {
        buf_clear(&s->question);
        buf_add(&s->question, STR("<1@me>"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct users users = {0};
    const struct sasl_users asked = {.self = &users, .check = check, .keys = keys};
    struct sasl_settings settings = {.users = &asked, .me = "me"};
    enum sasl_result result = SASL_CONTINUE;
    struct buf challenge = {0};
    struct str rest, response;
    struct sasl_server *s;
    enum sasl_mechanism m;

    if (size < 2)
        return 0;
    m = (enum sasl_mechanism)(data[0] % SASL_MECHANISMS);
    users.fail = (data[1] & USERS_FAIL) != 0;
    settings.binding = (data[1] & BOUND) != 0 ? STR(BINDING) : STR("");
    settings.offers_plus = (data[1] & OFFERS_PLUS) != 0;
    s = sasl_server_begin(m, &settings);
    fuzz_check(str_copy(STR("nonce"), s->scram.nonce, sizeof s->scram.nonce));
    rest = fuzz_input(data + 2, size - 2);
    while (str_cut(&rest, '\xff', &response)) {
        step(s, response, &challenge, &result);
        if (result == SASL_DONE)
            fuzz_check(users.yes && str_equal(str_of(sasl_server_login(s)), STR("user")) && m != SASL_OAUTHBEARER && m != SASL_XOAUTH2);
    }
    sasl_server_end(&s);
    buf_done(&challenge);
    return 0;
}
