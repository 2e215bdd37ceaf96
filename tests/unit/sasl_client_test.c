#include "test.h"

#include "base/base64.h"
#include "sasl/client_exchange.h"

#include "sasl_people.h"

#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define NONCE CLIENT_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define BINDING "0123456789abcdef0123456789abcdef"
#define TOKEN "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="

static struct sasl_client *client;
static struct buf response;

static void begin(enum sasl_mechanism m, const struct sasl_login *login)
{
    client = sasl_client_begin(m, login);
    str_copy(STR(CLIENT_NONCE), client->scram.nonce, sizeof client->scram.nonce);
}

static void end(void)
{
    sasl_client_end(&client);
    check(client == NULL);
    sasl_client_end(&client);
    buf_done(&response);
}

static enum sasl_result step(struct str challenge)
{
    return sasl_client_step(client, challenge, &response);
}

static void check_step(struct str challenge, struct str expected)
{
    check_number(step(challenge), SASL_CONTINUE);
    check_str(buf_str(&response), expected);
}

static void check_base64(const char *expected)
{
    struct buf text = {0};

    base64_encode(buf_str(&response), &text);
    check_str(buf_str(&text), str_of(expected));
    buf_done(&text);
}

static const struct sasl_login tim = {.login = {"tim", 3}, .secret = {"tanstaaftanstaaf", 16}};
static const struct sasl_login user = {.login = {"user", 4}, .secret = {"pencil", 6}};

/* RFC 4616 section 4 */
static void plain(void)
{
    begin(SASL_PLAIN, &tim);
    check_step((struct str){0}, STR("\0tim\0tanstaaftanstaaf"));
    check(sasl_client_proved(client));
    check_number(step(STR("what?")), SASL_MALFORMED);
    check_number(response.length, 0);
    end();
}

static void login(void)
{
    begin(SASL_LOGIN, &tim);
    check_step(STR("Username:"), STR("tim"));
    check_step(STR("anything"), STR("tanstaaftanstaaf"));
    check_number(step(STR("Password:")), SASL_MALFORMED);
    end();
}

/* RFC 2195 section 2 */
static void cram_md5(void)
{
    begin(SASL_CRAM_MD5, &tim);
    check_step(STR("<1896.697170952@postoffice.reston.mci.net>"), STR("tim b913a602c7eda7a495b4e6e7334d3890"));
    check(sasl_client_proved(client));
    check_number(step(STR("<1>")), SASL_MALFORMED);
    end();
    begin(SASL_CRAM_MD5, &tim);
    check_number(step(STR("")), SASL_MALFORMED);
    end();
}

/* RFC 7677 section 3 */
static void scram(void)
{
    begin(SASL_SCRAM_SHA_256, &user);
    check_step(STR(""), STR("n,,n=user,r=" CLIENT_NONCE));
    check_step(STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"), STR("c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
    check(!sasl_client_proved(client));
    check_number(step(STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")), SASL_DONE);
    check_number(response.length, 0);
    check(sasl_client_proved(client));
    check_number(step(STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")), SASL_MALFORMED);
    end();
}

static void servers_that_prove_nothing(void)
{
    static const struct {
        const char *message;
        enum sasl_result result;
    } table[] = {
        {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SASL_REFUSED}, {"e=invalid-proof", SASL_REFUSED}, {"", SASL_MALFORMED},
        {"v=", SASL_MALFORMED}, {"v=AAAA", SASL_MALFORMED},
        {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4", SASL_MALFORMED},
        {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,m=1", SASL_MALFORMED}, {"e=", SASL_MALFORMED},
        {"m=1,v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SASL_MALFORMED},
        {"x=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SASL_MALFORMED},
        {"e=other-error,v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SASL_MALFORMED},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        begin(SASL_SCRAM_SHA_256, &user);
        step(STR(""));
        check_number(step(STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")), SASL_CONTINUE);
        if (!check_number(step(str_of(table[i].message)), table[i].result))
            printf("#   %s\n", table[i].message);
        check(!sasl_client_proved(client));
        end();
    }
}

static void challenges_that_are_not_answered(void)
{
    static const char *const bad[] = {
        "", "r=" NONCE, "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==", "r=" CLIENT_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=x" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095", "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=10000001",
        "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=04096",
        "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0", "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-4096",
        "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999999999",
        "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ=,i=4096", "r=" NONCE ",s=,i=4096", "s=W22ZaJ0SNY7soEsUEjb6gQ==,r=" NONCE ",i=4096",
        "m=1,r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,m=1", "r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,",
        "r=" NONCE " ,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "e=no-resources",
        "r=" NONCE ",i=4096,s=W22ZaJ0SNY7soEsUEjb6gQ==", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
    };

    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        begin(SASL_SCRAM_SHA_256, &user);
        step(STR(""));
        if (!check_number(step(str_of(bad[i])), SASL_MALFORMED) || !check_number(response.length, 0))
            printf("#   %s\n", bad[i]);
        check(!sasl_client_proved(client));
        end();
    }
}

static void extensions_are_passed_over(void)
{
    begin(SASL_SCRAM_SHA_256, &user);
    step(STR(""));
    check_number(step(STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,x=y=z")), SASL_CONTINUE);
    end();
}

/* RFC 5802 section 6 */
static void flags_of_channel_binding(void)
{
    struct sasl_login who = user;

    begin(SASL_SCRAM_SHA_256_PLUS, &who);
    check_number(step(STR("")), SASL_REFUSED);
    end();
    who.binding = STR(BINDING);
    begin(SASL_SCRAM_SHA_256_PLUS, &who);
    check_step(STR(""), STR("p=tls-exporter,,n=user,r=" CLIENT_NONCE));
    check_number(step(STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")), SASL_CONTINUE);
    /* base64 of the header and the binding */
    check(str_starts(buf_str(&response), STR("c=cD10bHMtZXhwb3J0ZXIsLDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm,r=" NONCE ",p=")));
    end();
    begin(SASL_SCRAM_SHA_256, &who);
    check_step(STR(""), STR("n,,n=user,r=" CLIENT_NONCE));
    end();
    who.could_bind = true;
    begin(SASL_SCRAM_SHA_256, &who);
    check_step(STR(""), STR("y,,n=user,r=" CLIENT_NONCE));
    check_number(step(STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")), SASL_CONTINUE);
    check(str_starts(buf_str(&response), STR("c=eSws,r=")));
    end();
}

/* RFC 7628 sections 4.1 and 4.3 */
static void oauthbearer(void)
{
    const struct sasl_login who = {.login = STR("user@example.com"), .secret = STR(TOKEN), .host = "server.example.com", .port = 143};

    begin(SASL_OAUTHBEARER, &who);
    check_step(STR(""), STR("n,a=user@example.com,\1host=server.example.com\1port=143\1auth=Bearer " TOKEN "\1\1"));
    check_base64("bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB");
    check_text(sasl_client_complaint(client), "");
    check_step(STR("{\"status\":\"invalid_token\",\"scope\":\"example_scope\"}"), STR("\1"));
    check_base64("AQ==");
    check_text(sasl_client_complaint(client), "{\"status\":\"invalid_token\",\"scope\":\"example_scope\"}");
    check_number(step(STR("{}")), SASL_MALFORMED);
    check(sasl_client_proved(client));
    end();
}

static void oauthbearer_escapes_names(void)
{
    const struct sasl_login who = {.login = STR("a,b=c"), .secret = STR("t")};

    begin(SASL_OAUTHBEARER, &who);
    check_step(STR(""), STR("n,a=a=2Cb=3Dc,\1auth=Bearer t\1\1"));
    end();
}

/* As https://developers.google.com/workspace/gmail/imap/xoauth2-protocol shows it. */
static void xoauth2(void)
{
    const struct sasl_login who = {.login = STR("someuser@example.com"), .secret = STR("ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg")};

    begin(SASL_XOAUTH2, &who);
    check_step(STR(""), STR("user=someuser@example.com\1auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\1\1"));
    check_base64("dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==");
    check_step(STR("{\"status\":\"401\",\r\n\t\"x\":\"\xc3\xa4\x1b[2J\"}"), STR(""));
    check_text(sasl_client_complaint(client), "{\"status\":\"401\",   \"x\":\"???[2J\"}");
    check_number(step(STR("")), SASL_MALFORMED);
    end();
}

static void complaints_are_bounded(void)
{
    static char large[SASL_CHALLENGE_MAX + 1];

    memset(large, 'x', sizeof large);
    begin(SASL_XOAUTH2, &tim);
    step(STR(""));
    check_number(step((struct str){large, SASL_CHALLENGE_MAX}), SASL_CONTINUE);
    check_number(strlen(sasl_client_complaint(client)), CLIENT_COMPLAINT_SIZE - 1);
    end();
    begin(SASL_XOAUTH2, &tim);
    step(STR(""));
    check_number(step((struct str){large, SASL_CHALLENGE_MAX + 1}), SASL_MALFORMED);
    check_text(sasl_client_complaint(client), "");
    end();
}

static void what_cannot_be_said_is_not_tried(void)
{
    static const struct {
        struct sasl_login login;
        bool passwords, tokens; /* the mechanisms that refuse it */
    } table[] = {
        {{.login = {"", 0}, .secret = {"x", 1}}, true, true},
        {{.login = {"tim", 3}, .secret = {"", 0}}, true, true},
        {{.login = {"t\0m", 3}, .secret = {"x", 1}}, true, true},
        {{.login = {"t\1m", 3}, .secret = {"x", 1}}, true, true},
        {{.login = {"tim", 3}, .secret = {"x\0y", 3}}, true, true},
        {{.login = {"tim", 3}, .secret = {"x\1y", 3}}, false, true},
        {{.login = {"tim", 3}, .secret = {"x\xc3\xa4", 3}}, false, true},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++)
        for (int m = 0; m < SASL_MECHANISMS; m++) {
            bool token = m == SASL_XOAUTH2 || m == SASL_OAUTHBEARER;
            struct sasl_login who = table[i].login;

            who.binding = STR(BINDING);
            begin((enum sasl_mechanism)m, &who);
            if (!check((step(STR("<1@x>")) == SASL_REFUSED) == (token ? table[i].tokens : table[i].passwords)))
                printf("#   row %zu, %s\n", i, sasl_mechanism_name((enum sasl_mechanism)m));
            end();
        }
}

static void passwords_that_cannot_be_prepared(void)
{
    const struct sasl_login who = {.login = STR("tim"), .secret = STR("\xff")};

    begin(SASL_SCRAM_SHA_256, &who);
    check_number(step(STR("")), SASL_CONTINUE);
    check_number(step(STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")), SASL_REFUSED);
    check_number(response.length, 0);
    end();
}

static void nonces_differ(void)
{
    struct sasl_client *one = sasl_client_begin(SASL_SCRAM_SHA_256, &user), *two = sasl_client_begin(SASL_SCRAM_SHA_256, &user);

    check(strcmp(one->scram.nonce, two->scram.nonce) != 0);
    check_number(strlen(one->scram.nonce), 32);
    sasl_client_end(&one);
    sasl_client_end(&two);
}

static void who_speaks_first(void)
{
    for (int m = 0; m < SASL_MECHANISMS; m++)
        check(sasl_client_has_initial((enum sasl_mechanism)m) == (m != SASL_LOGIN && m != SASL_CRAM_MD5));
}

/* Our client and our server, as AUTH carries their words: what the server's side came to. */
static enum sasl_result meet(enum sasl_mechanism m, const struct sasl_login *who, const struct sasl_settings *settings)
{
    struct sasl_server *server = sasl_server_begin(m, settings);
    struct sasl_client *c = sasl_client_begin(m, who);
    enum sasl_result theirs = SASL_CONTINUE;
    struct buf said = {0}, asks = {0};

    if (!sasl_server_wants_initial(m))
        theirs = sasl_server_step(server, STR(""), &asks);
    check(sasl_client_has_initial(m) == sasl_server_wants_initial(m));
    while (theirs == SASL_CONTINUE) {
        enum sasl_result ours = sasl_client_step(c, buf_str(&asks), &said);

        if (!check(ours == SASL_CONTINUE || ours == SASL_DONE))
            break;
        theirs = sasl_server_step(server, buf_str(&said), &asks);
        check(ours != SASL_DONE || theirs == SASL_DONE);
    }
    check(sasl_client_proved(c) == (theirs == SASL_DONE) || (m != SASL_SCRAM_SHA_256 && m != SASL_SCRAM_SHA_256_PLUS));
    if (theirs == SASL_DONE)
        check_str(str_of(sasl_server_login(server)), who->login);
    sasl_server_end(&server);
    sasl_client_end(&c);
    buf_done(&said);
    buf_done(&asks);
    return theirs;
}

static void both_sides_agree(void)
{
    static const char *const logins[] = {"user", "tim", "Kurt", "a,b=c d\xc3\xa4", "nobody"};
    static const char *const passwords[] = {"pencil", "tanstaaftanstaaf", "xipj3plmq", "passwo\xcc\x88rt", "wrong"};
    static const enum sasl_mechanism mechanisms[] = {SASL_PLAIN, SASL_LOGIN, SASL_CRAM_MD5, SASL_SCRAM_SHA_256, SASL_SCRAM_SHA_256_PLUS};
    /* A row a login, a column a mechanism: who has the keys for what. */
    static const bool works[][TEST_COUNT(mechanisms)] = {
        {true, true, true, true, true}, {true, true, true, false, false}, {true, true, false, false, false},
        {true, true, true, true, true}, {false, false, false, false, false},
    };
    const struct sasl_settings settings = {.users = &everybody, .me = "me.example", .binding = STR(BINDING), .offers_plus = true};

    for (size_t l = 0; l < TEST_COUNT(logins); l++)
        for (size_t p = 0; p < TEST_COUNT(passwords); p++)
            for (size_t m = 0; m < TEST_COUNT(mechanisms); m++) {
                const struct sasl_login who = {.login = str_of(logins[l]), .secret = str_of(passwords[p]), .binding = STR(BINDING)};

                if (mechanisms[m] == SASL_SCRAM_SHA_256_PLUS && l != p)
                    continue;
                if (!check_number(meet(mechanisms[m], &who, &settings), l == p && works[l][m] ? SASL_DONE : SASL_REFUSED))
                    printf("#   %s, %s, %s\n", logins[l], passwords[p], sasl_mechanism_name(mechanisms[m]));
            }
}

/* The password in another form than the one that the keys were made from. */
static void passwords_are_prepared_for_scram(void)
{
    const struct sasl_settings settings = {.users = &everybody, .me = "me.example"};
    const struct sasl_login who = {.login = STR("a,b=c d\xc3\xa4"), .secret = STR("passw\xc3\xb6rt")};

    check_number(meet(SASL_SCRAM_SHA_256, &who, &settings), SASL_DONE);
    check_number(meet(SASL_PLAIN, &who, &settings), SASL_REFUSED);
}

/* Somebody in the middle has another connection on either side. */
static void another_binding_is_refused(void)
{
    const struct sasl_settings settings = {.users = &everybody, .me = "me.example", .binding = STR(BINDING), .offers_plus = true};
    struct sasl_login who = user;

    who.binding = STR("1123456789abcdef0123456789abcdef");
    check_number(meet(SASL_SCRAM_SHA_256_PLUS, &who, &settings), SASL_REFUSED);
    who.binding = STR("0123456789abcdef");
    check_number(meet(SASL_SCRAM_SHA_256_PLUS, &who, &settings), SASL_REFUSED);
    who.binding = STR(BINDING);
    check_number(meet(SASL_SCRAM_SHA_256_PLUS, &who, &settings), SASL_DONE);
    who.could_bind = true; /* he took PLUS out of the list */
    check_number(meet(SASL_SCRAM_SHA_256, &who, &settings), SASL_REFUSED);
}

static const struct test_case cases[] = {
    TEST_CASE(plain),
    TEST_CASE(login),
    TEST_CASE(cram_md5),
    TEST_CASE(scram),
    TEST_CASE(servers_that_prove_nothing),
    TEST_CASE(challenges_that_are_not_answered),
    TEST_CASE(extensions_are_passed_over),
    TEST_CASE(flags_of_channel_binding),
    TEST_CASE(oauthbearer),
    TEST_CASE(oauthbearer_escapes_names),
    TEST_CASE(xoauth2),
    TEST_CASE(complaints_are_bounded),
    TEST_CASE(what_cannot_be_said_is_not_tried),
    TEST_CASE(passwords_that_cannot_be_prepared),
    TEST_CASE(nonces_differ),
    TEST_CASE(who_speaks_first),
    TEST_CASE(both_sides_agree),
    TEST_CASE(passwords_are_prepared_for_scram),
    TEST_CASE(another_binding_is_refused),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
