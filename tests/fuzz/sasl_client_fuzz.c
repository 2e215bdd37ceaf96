/*
 * The client's side of a login with a server that says anything.  First octet: the mechanism; second: login, secret and channel binding;
 * then challenges, an octet 255 between them.
 */
#include "fuzz.h"

#include "sasl/client_exchange.h"

#define BINDING "0123456789abcdef0123456789abcdef"

enum { ITERATIONS_MOST = 5000 }; /* more is not tried, for it takes too long */

static const char *const logins[] = {"user", "a,b=c", "us\xc3\xa9r@example.com", "\xc2\xad", ""};
static const char *const secrets[] = {"pencil", "passw\xc3\xb6rt", "\xff", ""};

static bool takes_long(struct str challenge)
{
    struct scram_server_first m;

    return scram_read_server_first(challenge, &m) && m.iterations > ITERATIONS_MOST;
}

static bool is_scram(enum sasl_mechanism m)
{
    return m == SASL_SCRAM_SHA_256 || m == SASL_SCRAM_SHA_256_PLUS;
}

static void check_complaint(const char *complaint)
{
    for (const char *c = complaint; *c != '\0'; c++)
        fuzz_check(*c >= ' ' && *c <= '~');
}

static void talk(struct sasl_client *c, enum sasl_mechanism m, struct str rest)
{
    enum sasl_result result = SASL_CONTINUE;
    struct buf response = {0};
    struct str challenge;

    while (str_cut(&rest, '\xff', &challenge) && !(is_scram(m) && takes_long(challenge))) {
        char *exact = fuzz_exact(challenge);
        enum sasl_result before = result;

        result = sasl_client_step(c, (struct str){exact, challenge.length}, &response);
        free(exact);
        fuzz_check(before == SASL_CONTINUE || result == SASL_MALFORMED);
        fuzz_check(result == SASL_CONTINUE || response.length == 0);
        fuzz_check(result != SASL_UNAVAILABLE);
        fuzz_check(result != SASL_DONE || (is_scram(m) && str_starts(challenge, STR("v=")) && sasl_client_proved(c)));
        fuzz_check(!is_scram(m) || (str_is_utf8(buf_str(&response)) && !str_has_control(buf_str(&response))));
        check_complaint(sasl_client_complaint(c));
    }
    fuzz_check(!is_scram(m) || result != SASL_REFUSED || !sasl_client_proved(c));
    buf_done(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sasl_login login = {.host = "mx.example", .port = 587};
    struct sasl_client *c;
    enum sasl_mechanism m;

    if (size < 2)
        return 0;
    m = (enum sasl_mechanism)(data[0] % SASL_MECHANISMS);
    login.login = str_of(logins[(data[1] & 7) % 5]);
    login.secret = str_of(secrets[data[1] >> 3 & 3]);
    login.binding = (data[1] & 32) != 0 ? STR(BINDING) : STR("");
    login.could_bind = (data[1] & 64) != 0;
    c = sasl_client_begin(m, &login);
    fuzz_check(str_copy(STR("nonce"), c->scram.nonce, sizeof c->scram.nonce));
    talk(c, m, fuzz_input(data + 2, size - 2));
    sasl_client_end(&c);
    return 0;
}
