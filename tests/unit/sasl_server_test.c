#include "test.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/hex.h"
#include "sasl/server_exchange.h"

#include "sasl_people.h"

/* RFC 7677 section 3 */
#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define NONCE CLIENT_NONCE SERVER_NONCE
#define BINDING "0123456789abcdef0123456789abcdef"

static struct sasl_settings settings = {.users = &everybody, .me = "postoffice.reston.mci.net"};
static struct sasl_server *server;
static struct buf challenge;

static void begin(enum sasl_mechanism m)
{
    memset(&asked, 0, sizeof asked);
    server = sasl_server_begin(m, &settings);
    str_copy(STR(SERVER_NONCE), server->scram.nonce, sizeof server->scram.nonce);
}

/* Whatever came, nothing comes after its end. */
static void end(void)
{
    while (sasl_server_step(server, STR(""), &challenge) == SASL_CONTINUE)
        continue;
    check_number(sasl_server_step(server, STR("\0tim\0tanstaaftanstaaf"), &challenge), SASL_MALFORMED);
    sasl_server_end(&server);
    check(server == NULL);
    sasl_server_end(&server);
    buf_done(&challenge);
}

static enum sasl_result step(struct str response)
{
    return sasl_server_step(server, response, &challenge);
}

/* One exchange of one response. */
static enum sasl_result once(enum sasl_mechanism m, struct str response)
{
    enum sasl_result result;

    begin(m);
    result = step(response);
    end();
    return result;
}

/* RFC 4616 section 4 */
static void plain(void)
{
    begin(SASL_PLAIN);
    check_text(sasl_server_login(server), "");
    check_number(step(STR("\0tim\0tanstaaftanstaaf")), SASL_DONE);
    check_text(sasl_server_login(server), "tim");
    check_number(challenge.length, 0);
    end();
    check_number(once(SASL_PLAIN, STR("Kurt\0Kurt\0xipj3plmq")), SASL_DONE);
    check_number(once(SASL_PLAIN, STR("Ursel\0Kurt\0xipj3plmq")), SASL_REFUSED);
    check_number(asked.checks, 0);
    check_number(once(SASL_PLAIN, STR("\0tim\0tanstaaftanstaa")), SASL_REFUSED);
    check_number(once(SASL_PLAIN, STR("\0tom\0tanstaaftanstaaf")), SASL_REFUSED);
    check_number(asked.checks, 1);
}

static void the_login_of_a_refusal_is_known(void)
{
    begin(SASL_PLAIN);
    check_number(step(STR("\0nobody\0x")), SASL_REFUSED);
    check_text(sasl_server_login(server), "nobody");
    end();
}

static void plain_that_is_none(void)
{
    const struct str bad[] = {
        STR(""), STR("tim"), STR("\0tim"), STR("tim\0tanstaaftanstaaf"), STR("\0tim\0tanstaaftanstaaf\0"), STR("\0\0tanstaaftanstaaf"), STR("\0tim\0a\0b"), STR("\0t\nim\0x"),
        STR("\0\xff\0x"), STR("\0t\x7f\0x"), STR("\0\0"), STR("\0"), STR("\0\0\0"),
    };

    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        check_number(once(SASL_PLAIN, bad[i]), SASL_MALFORMED);
        check_number(asked.checks, 0);
    }
}

static void empty_passwords_are_not_asked_for(void)
{
    check_number(once(SASL_PLAIN, STR("\0tim\0")), SASL_REFUSED);
    check_number(asked.checks, 0);
    begin(SASL_LOGIN);
    check_number(step(STR("tim")), SASL_CONTINUE);
    check_number(step(STR("")), SASL_REFUSED);
    check_number(asked.checks, 0);
    end();
}

static void logins_are_prepared_and_passwords_are_not(void)
{
    check_number(once(SASL_PLAIN, STR("\0a,b=c d\xc3\xa4\0passwo\xcc\x88rt")), SASL_DONE);
    check_number(once(SASL_PLAIN, STR("\0a,b=c da\xcc\x88\0passwo\xcc\x88rt")), SASL_DONE);
    check_number(once(SASL_PLAIN, STR("\0tim\0\xff\xfe")), SASL_REFUSED);
    check_text(asked.password, "\xff\xfe");
}

static void long_logins_are_none(void)
{
    char response[SASL_LOGIN_MAX + 8] = {0};

    memset(response + 1, 'x', SASL_LOGIN_MAX + 1);
    check_number(once(SASL_PLAIN, (struct str){response, SASL_LOGIN_MAX + 4}), SASL_MALFORMED);
    response[SASL_LOGIN_MAX + 1] = '\0';
    response[SASL_LOGIN_MAX + 2] = 'p';
    check_number(once(SASL_PLAIN, (struct str){response, SASL_LOGIN_MAX + 3}), SASL_REFUSED);
    check_number(strlen(asked.login), SASL_LOGIN_MAX);
    /* What was short may be long when it is prepared. */
    for (size_t i = 0; i < 30; i++)
        memcpy(response + 1 + 3 * i, "\xef\xb7\xba", 3);
    response[91] = '\0';
    check_number(once(SASL_PLAIN, (struct str){response, 94}), SASL_MALFORMED);
}

static void long_responses_are_none(void)
{
    static char large[SASL_RESPONSE_MAX + 1];

    memset(large, 'x', sizeof large);
    memcpy(large, "\0tim", 5);
    check_number(once(SASL_PLAIN, (struct str){large, SASL_RESPONSE_MAX}), SASL_REFUSED);
    check_number(asked.checks, 1);
    check_number(once(SASL_PLAIN, (struct str){large, SASL_RESPONSE_MAX + 1}), SASL_MALFORMED);
    check_number(asked.checks, 0);
}

static void login(void)
{
    begin(SASL_LOGIN);
    check_number(step((struct str){0}), SASL_CONTINUE);
    check_str(buf_str(&challenge), STR("Username:"));
    check_number(step(STR("tim")), SASL_CONTINUE);
    check_str(buf_str(&challenge), STR("Password:"));
    check_text(sasl_server_login(server), "tim");
    check_number(step(STR("tanstaaftanstaaf")), SASL_DONE);
    check_number(challenge.length, 0);
    check_number(step(STR("tanstaaftanstaaf")), SASL_MALFORMED);
    end();
}

static void login_with_the_name_first(void)
{
    begin(SASL_LOGIN);
    check_number(step(STR("tim")), SASL_CONTINUE);
    check_str(buf_str(&challenge), STR("Password:"));
    check_number(step(STR("wrong")), SASL_REFUSED);
    check_number(step(STR("tanstaaftanstaaf")), SASL_MALFORMED);
    end();
}

static void login_that_is_none(void)
{
    begin(SASL_LOGIN);
    check_number(step(STR("")), SASL_CONTINUE);
    check_number(step(STR("")), SASL_MALFORMED);
    end();
    check_number(once(SASL_LOGIN, STR("t\0m")), SASL_MALFORMED);
    begin(SASL_LOGIN);
    check_number(step(STR("tim")), SASL_CONTINUE);
    check_number(step(STR("tanstaaftanstaaf\0")), SASL_MALFORMED);
    check_number(asked.checks, 0);
    end();
}

/* RFC 2195 section 2 */
static void cram_md5(void)
{
    static const struct {
        struct str response;
        enum sasl_result result;
    } table[] = {
        {{"tim b913a602c7eda7a495b4e6e7334d3890", 36}, SASL_DONE}, {{"tim B913A602C7EDA7A495B4E6E7334D3890", 36}, SASL_DONE},
        {{"tim b913a602c7eda7a495b4e6e7334d3891", 36}, SASL_REFUSED}, {{"tom b913a602c7eda7a495b4e6e7334d3890", 36}, SASL_REFUSED},
        {{"Kurt 3dbc88f0624776a737b39093f6eb6427", 37}, SASL_REFUSED}, {{"tim b913a602c7eda7a495b4e6e7334d389", 35}, SASL_MALFORMED},
        {{"tim b913a602c7eda7a495b4e6e7334d389x", 36}, SASL_MALFORMED}, {{" b913a602c7eda7a495b4e6e7334d3890", 33}, SASL_MALFORMED},
        {{"b913a602c7eda7a495b4e6e7334d3890", 32}, SASL_MALFORMED}, {{"tim_b913a602c7eda7a495b4e6e7334d3890", 36}, SASL_MALFORMED},
        {{"tim", 3}, SASL_MALFORMED}, {{"", 0}, SASL_MALFORMED}, {{"t\nm b913a602c7eda7a495b4e6e7334d3890", 36}, SASL_MALFORMED},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        begin(SASL_CRAM_MD5);
        check_number(step(STR("")), SASL_CONTINUE);
        buf_clear(&server->question);
        buf_add(&server->question, STR("<1896.697170952@postoffice.reston.mci.net>"));
        if (!check_number(step(table[i].response), table[i].result))
            printf("#   %s\n", table[i].response.data);
        check_number(challenge.length, 0);
        end();
    }
    check_number(once(SASL_CRAM_MD5, STR("tim b913a602c7eda7a495b4e6e7334d3890")), SASL_MALFORMED);
}

/* Who has no keys has not those that a zeroed struct would be, either. */
static void nobody_has_empty_keys(void)
{
    static const char *const logins[] = {"Kurt", "nobody"};
    const unsigned char state[CRYPTO_MD5_STATE] = {0};
    unsigned char digest[CRYPTO_MD5];
    char hex[2 * CRYPTO_MD5];
    struct buf response = {0};

    for (size_t i = 0; i < TEST_COUNT(logins); i++) {
        begin(SASL_CRAM_MD5);
        check_number(step(STR("")), SASL_CONTINUE);
        crypto_hmac_md5(state, buf_str(&challenge), digest);
        hex_write(digest, sizeof digest, hex);
        buf_clear(&response);
        buf_print(&response, "%s %.*s", logins[i], (int)sizeof hex, hex);
        check_number(step(buf_str(&response)), SASL_REFUSED);
        end();
    }
    buf_done(&response);
}

static void challenges_differ(void)
{
    char first[200];

    begin(SASL_CRAM_MD5);
    check_number(step(STR("")), SASL_CONTINUE);
    check(str_starts(buf_str(&challenge), STR("<")) && str_ends(buf_str(&challenge), STR("@postoffice.reston.mci.net>")));
    check(str_copy(buf_str(&challenge), first, sizeof first));
    end();
    begin(SASL_CRAM_MD5);
    check_number(step(STR("")), SASL_CONTINUE);
    check(strcmp(buf_text(&challenge), first) != 0);
    end();
}

static void users_who_cannot_be_asked_are_not_refused(void)
{
    static const struct {
        enum sasl_mechanism m;
        const char *first; /* NULL: the PLAIN message */
        const char *second;
    } table[] = {
        {SASL_PLAIN, NULL, NULL}, {SASL_LOGIN, "tim", "tanstaaftanstaaf"}, {SASL_CRAM_MD5, "", "tim b913a602c7eda7a495b4e6e7334d3890"},
        {SASL_SCRAM_SHA_256, "n,,n=user,r=" CLIENT_NONCE, NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        enum sasl_result result;

        begin(table[i].m);
        asked.fail = true;
        result = step(table[i].first != NULL ? str_of(table[i].first) : STR("\0tim\0tanstaaftanstaaf"));
        if (table[i].second != NULL)
            result = step(str_of(table[i].second));
        check_number(result, SASL_UNAVAILABLE);
        check_number(challenge.length, 0);
        end();
    }
}

/* RFC 7677 section 3 */
static void scram(void)
{
    begin(SASL_SCRAM_SHA_256);
    check_number(step(STR("n,,n=user,r=" CLIENT_NONCE)), SASL_CONTINUE);
    check_str(buf_str(&challenge), STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    check_text(sasl_server_login(server), "user");
    check_number(step(STR("c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")), SASL_CONTINUE);
    check_str(buf_str(&challenge), STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
    check_number(step(STR("")), SASL_DONE);
    check_number(asked.keys, 1);
    check_number(asked.checks, 0);
    end();
}

static void scram_ends_with_an_empty_response(void)
{
    begin(SASL_SCRAM_SHA_256);
    check_number(step(STR("n,,n=user,r=" CLIENT_NONCE)), SASL_CONTINUE);
    check_number(step(STR("c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")), SASL_CONTINUE);
    check_number(step(STR("x")), SASL_MALFORMED);
    end();
}

static void first_messages(void)
{
    static const struct {
        const char *message;
        enum sasl_result result;
    } table[] = {
        {"n,a=user,n=user,r=x", SASL_CONTINUE}, {"n,a=us=65r,n=user,r=x", SASL_MALFORMED}, {"n,a=other,n=user,r=x", SASL_REFUSED},
        {"y,,n=user,r=x", SASL_CONTINUE},
        {"n,,n=user,r=x,z=extension=1", SASL_CONTINUE}, {"n,,n=user,r=x,Z=\xc3\xa4", SASL_CONTINUE},
        {"n,,n=a=2Cb=3Dc d\xc3\xa4,r=x", SASL_CONTINUE},
        {"n,a=a=2Cb=3Dc d\xc3\xa4,n=a=2Cb=3Dc d\xc3\xa4,r=x", SASL_CONTINUE}, {"n,,n=user,r=x,m=1", SASL_MALFORMED},
        {"n,,m=1,n=user,r=x", SASL_MALFORMED},
        {"n,,n=us=2cer,r=x", SASL_MALFORMED}, {"n,,n=us=,r=x", SASL_MALFORMED}, {"n,,n=us=2,r=x", SASL_MALFORMED},
        {"n,,n=us=41er,r=x", SASL_MALFORMED},
        {"", SASL_MALFORMED}, {"n", SASL_MALFORMED}, {"n,", SASL_MALFORMED}, {"n,,", SASL_MALFORMED}, {"n,,n=user", SASL_MALFORMED},
        {"n,,n=user,", SASL_MALFORMED},
        {"n,,n=user,r=", SASL_MALFORMED}, {"n,,n=,r=x", SASL_MALFORMED}, {"n,,r=x,n=user", SASL_MALFORMED},
        {"n,,n=user,r=x,", SASL_MALFORMED}, {"n,,n=user,r=x y", SASL_MALFORMED},
        {"n,,n=user,r=\xc3\xa4", SASL_MALFORMED}, {"n,,n=user,r=x,n=tim", SASL_MALFORMED}, {"n,,n=user,r=x,z", SASL_MALFORMED},
        {"n,,n=user,r=x,z=", SASL_MALFORMED},
        {"n,,n=user,r=x,1=2", SASL_MALFORMED}, {"n,a=,n=user,r=x", SASL_MALFORMED}, {"n,user,n=user,r=x", SASL_MALFORMED},
        {"n,n=user,r=x", SASL_MALFORMED}, {"F,n,,n=user,r=x", SASL_MALFORMED},
        {"N,,n=user,r=x", SASL_MALFORMED}, {"no,,n=user,r=x", SASL_MALFORMED}, {",,n=user,r=x", SASL_MALFORMED},
        {"p=tls-exporter,,n=user,r=x", SASL_MALFORMED},
        {"n,,n=us\xff,r=x", SASL_MALFORMED}, {"n,,n=us\x01,r=x", SASL_MALFORMED}, {"n,,N=user,R=x", SASL_MALFORMED},
        {"n,,n=user,r=x,z=\xff", SASL_MALFORMED},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        begin(SASL_SCRAM_SHA_256);
        if (!check_number(step(str_of(table[i].message)), table[i].result))
            printf("#   %s\n", table[i].message);
        check(table[i].result == SASL_CONTINUE || (asked.keys == 0 && challenge.length == 0));
        end();
    }
    check_number(once(SASL_SCRAM_SHA_256, STR("n,,n=us\0r,r=x")), SASL_MALFORMED);
    check_number(once(SASL_SCRAM_SHA_256, STR("n,,n=user,r=x\0")), SASL_MALFORMED);
}

#define PROOF "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void final_messages(void)
{
    static const struct {
        const char *message;
        enum sasl_result result;
    } table[] = {
        {"c=biws,r=" NONCE "," PROOF, SASL_CONTINUE},
        {"c=biws,r=" NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SASL_REFUSED},
        {"c=biws,r=" CLIENT_NONCE "," PROOF, SASL_REFUSED},
        {"c=biws,r=" NONCE "x," PROOF, SASL_REFUSED}, {"c=eSws,r=" NONCE "," PROOF, SASL_REFUSED},
        {"c=biws,r=" NONCE ",z=1," PROOF, SASL_REFUSED}, /* signed without it */
        {"c=biws,r=" NONCE ",m=1," PROOF, SASL_MALFORMED}, {"c=biws,r=" NONCE ",p=AAAA", SASL_MALFORMED},
        {"c=biws,r=" NONCE ",p=", SASL_MALFORMED}, {"c=biws,r=" NONCE, SASL_MALFORMED},
        {"r=" NONCE ",c=biws," PROOF, SASL_MALFORMED}, {PROOF, SASL_MALFORMED}, {"," PROOF, SASL_MALFORMED},
        {"c=biws," PROOF, SASL_MALFORMED}, {"r=" NONCE "," PROOF, SASL_MALFORMED},
        {"c=bi,r=" NONCE "," PROOF, SASL_MALFORMED}, {"c=,r=" NONCE "," PROOF, SASL_MALFORMED},
        {"c=biws,r=" NONCE "," PROOF ",z=1", SASL_MALFORMED}, {"", SASL_MALFORMED}, {"*", SASL_MALFORMED},
        {"c=biws,r=," PROOF, SASL_MALFORMED}, {"m=1,c=biws,r=" NONCE "," PROOF, SASL_MALFORMED},
        {"c=biws,r=" NONCE "," PROOF ",", SASL_MALFORMED},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        begin(SASL_SCRAM_SHA_256);
        check_number(step(STR("n,,n=user,r=" CLIENT_NONCE)), SASL_CONTINUE);
        if (!check_number(step(str_of(table[i].message)), table[i].result))
            printf("#   %s\n", table[i].message);
        check(table[i].result == SASL_CONTINUE || challenge.length == 0);
        end();
    }
}

/* What the client of RFC 7677 section 3 would say, with this for all but its proof. */
static enum sasl_result say_proved(const char *without_proof)
{
    struct buf message = {0};
    struct scram_secrets secrets;
    unsigned char proof[CRYPTO_SHA256];
    enum sasl_result result;

    begin(SASL_SCRAM_SHA_256);
    check_number(step(STR("n,,n=user,r=" CLIENT_NONCE)), SASL_CONTINUE);
    check(scram_derive(STR("pencil"), (struct str){(const char *)server->keys.salt, server->keys.salt_length}, 4096, &secrets));
    buf_add(&message, STR("n=user,r=" CLIENT_NONCE ","));
    buf_add(&message, buf_str(&challenge));
    buf_add_byte(&message, ',');
    buf_add_text(&message, without_proof);
    scram_proof(secrets.client_key, secrets.stored_key, buf_str(&message), proof);
    buf_clear(&message);
    buf_add_text(&message, without_proof);
    buf_add(&message, STR(",p="));
    base64_encode((struct str){(const char *)proof, sizeof proof}, &message);
    result = step(buf_str(&message));
    buf_done(&message);
    end();
    return result;
}

static void a_good_proof_of_other_words_is_refused(void)
{
    check_number(say_proved("c=biws,r=" NONCE), SASL_CONTINUE);
    check_number(say_proved("c=biws,r=" NONCE ",z=1"), SASL_CONTINUE);
    check_number(say_proved("c=biws,r=" NONCE "x"), SASL_REFUSED);
    check_number(say_proved("c=biws,r=" CLIENT_NONCE), SASL_REFUSED);
    check_number(say_proved("c=biws,r=x"), SASL_REFUSED);
    check_number(say_proved("c=eSws,r=" NONCE), SASL_REFUSED);     /* y,, */
    check_number(say_proved("c=bixhPXgs,r=" NONCE), SASL_REFUSED); /* n,a=x, */
    check_number(say_proved("c=biwsMQ==,r=" NONCE), SASL_REFUSED); /* n,,1 */
    check_number(say_proved("c=biws,r=" NONCE ",m=1"), SASL_MALFORMED);
}

/* The salt of LOGIN as it is shown. */
static void salt_of(const char *login, char to[64])
{
    struct buf message = {0};
    struct scram_server_first first;

    begin(SASL_SCRAM_SHA_256);
    buf_print(&message, "n,,n=%s,r=x", login);
    check_number(step(buf_str(&message)), SASL_CONTINUE);
    check(scram_read_server_first(buf_str(&challenge), &first));
    check(str_copy(first.salt, to, 64));
    check_number(first.salt.length, 24);
    check(first.iterations == SASL_ITERATIONS || strcmp(login, "user") == 0);
    buf_done(&message);
    end();
}

static void nobody_looks_like_somebody(void)
{
    static const char *const spellings[] = {"Nobody@Example.com", "nobody@EXAMPLE.com.", "\"nobody\"@example.com"};
    char one[64], two[64];

    salt_of("nobody@example.com", one);
    for (size_t i = 0; i < TEST_COUNT(spellings); i++) {
        salt_of(spellings[i], two);
        check_text(two, one);
    }
    salt_of("anybody@example.com", two);
    check(strcmp(one, two) != 0);
    salt_of("Word", one);
    salt_of("word", two);
    check_text(two, one);
    salt_of("tim", one); /* known, without keys */
    salt_of("user", two);
    check(strcmp(one, two) != 0);
}

/* A proof made with what the server showed of somebody unknown. */
static void nobody_cannot_log_in(void)
{
    static const char *const logins[] = {"nobody", "tim"};

    for (size_t i = 0; i < TEST_COUNT(logins); i++) {
        struct buf message = {0}, salt = {0};
        struct scram_secrets secrets;
        struct scram_server_first first;
        unsigned char proof[CRYPTO_SHA256];

        begin(SASL_SCRAM_SHA_256);
        buf_print(&message, "n,,n=%s,r=x", logins[i]);
        check_number(step(buf_str(&message)), SASL_CONTINUE);
        buf_clear(&message);
        buf_print(&message, "n=%s,r=x", logins[i]);
        check(scram_read_server_first(buf_str(&challenge), &first) && base64_decode(first.salt, &salt));
        check(scram_derive(STR("tanstaaftanstaaf"), buf_str(&salt), first.iterations, &secrets));
        /* Even with the keys of the server. */
        memcpy(server->keys.stored_key, secrets.stored_key, CRYPTO_SHA256);
        buf_add_byte(&message, ',');
        buf_add(&message, buf_str(&challenge));
        buf_add(&message, STR(",c=biws,r=x" SERVER_NONCE));
        scram_proof(secrets.client_key, secrets.stored_key, buf_str(&message), proof);
        buf_clear(&message);
        buf_add(&message, STR("c=biws,r=x" SERVER_NONCE ",p="));
        base64_encode((struct str){(const char *)proof, sizeof proof}, &message);
        check_number(step(buf_str(&message)), SASL_REFUSED);
        check_number(challenge.length, 0);
        check_text(sasl_server_login(server), logins[i]);
        end();
        buf_done(&message);
        buf_done(&salt);
    }
}

static void flags_of_channel_binding(void)
{
    static const struct {
        enum sasl_mechanism m;
        const char *flag;
        bool offers_plus, bound;
        enum sasl_result result;
    } table[] = {
        {SASL_SCRAM_SHA_256, "n", true, true, SASL_CONTINUE}, {SASL_SCRAM_SHA_256, "y", false, false, SASL_CONTINUE},
        {SASL_SCRAM_SHA_256, "y", true, true, SASL_REFUSED},
        {SASL_SCRAM_SHA_256, "p=tls-exporter", true, true, SASL_MALFORMED},
        {SASL_SCRAM_SHA_256_PLUS, "p=tls-exporter", true, true, SASL_CONTINUE},
        {SASL_SCRAM_SHA_256_PLUS, "p=tls-exporter", true, false, SASL_REFUSED},
        {SASL_SCRAM_SHA_256_PLUS, "p=tls-unique", true, true, SASL_REFUSED},
        {SASL_SCRAM_SHA_256_PLUS, "p=tls-server-end-point", true, true, SASL_REFUSED},
        {SASL_SCRAM_SHA_256_PLUS, "n", true, true, SASL_MALFORMED},
        {SASL_SCRAM_SHA_256_PLUS, "y", true, true, SASL_MALFORMED}, {SASL_SCRAM_SHA_256_PLUS, "p=", true, true, SASL_MALFORMED},
        {SASL_SCRAM_SHA_256_PLUS, "p", true, true, SASL_MALFORMED},
        {SASL_SCRAM_SHA_256_PLUS, "p=tls exporter", true, true, SASL_MALFORMED},
        {SASL_SCRAM_SHA_256_PLUS, "p:tls-exporter", true, true, SASL_MALFORMED},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct buf message = {0};

        settings.offers_plus = table[i].offers_plus;
        settings.binding = table[i].bound ? STR(BINDING) : STR("");
        buf_print(&message, "%s,,n=user,r=x", table[i].flag);
        begin(table[i].m);
        if (!check_number(step(buf_str(&message)), table[i].result))
            printf("#   %s, row %zu\n", table[i].flag, i);
        end();
        buf_done(&message);
    }
    settings.offers_plus = false;
    settings.binding = STR("");
}

static void who_speaks_first(void)
{
    check(sasl_server_wants_initial(SASL_PLAIN) && sasl_server_wants_initial(SASL_SCRAM_SHA_256) && sasl_server_wants_initial(SASL_SCRAM_SHA_256_PLUS));
    check(!sasl_server_wants_initial(SASL_LOGIN) && !sasl_server_wants_initial(SASL_CRAM_MD5));
}

static void tokens_are_for_next_hops_only(void)
{
    check_number(once(SASL_XOAUTH2, STR("user=tim\1auth=Bearer x\1\1")), SASL_MALFORMED);
    check_number(once(SASL_OAUTHBEARER, STR("n,a=tim,\1auth=Bearer x\1\1")), SASL_MALFORMED);
}

static const struct test_case cases[] = {
    TEST_CASE(plain),
    TEST_CASE(the_login_of_a_refusal_is_known),
    TEST_CASE(plain_that_is_none),
    TEST_CASE(empty_passwords_are_not_asked_for),
    TEST_CASE(logins_are_prepared_and_passwords_are_not),
    TEST_CASE(long_logins_are_none),
    TEST_CASE(long_responses_are_none),
    TEST_CASE(login),
    TEST_CASE(login_with_the_name_first),
    TEST_CASE(login_that_is_none),
    TEST_CASE(cram_md5),
    TEST_CASE(nobody_has_empty_keys),
    TEST_CASE(challenges_differ),
    TEST_CASE(users_who_cannot_be_asked_are_not_refused),
    TEST_CASE(scram),
    TEST_CASE(scram_ends_with_an_empty_response),
    TEST_CASE(first_messages),
    TEST_CASE(final_messages),
    TEST_CASE(a_good_proof_of_other_words_is_refused),
    TEST_CASE(nobody_looks_like_somebody),
    TEST_CASE(nobody_cannot_log_in),
    TEST_CASE(flags_of_channel_binding),
    TEST_CASE(who_speaks_first),
    TEST_CASE(tokens_are_for_next_hops_only),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
