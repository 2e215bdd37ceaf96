#include "test.h"

#include "sasl/keys.h"
#include "sasl/mechanism.h"
#include "sasl/prepare.h"
#include "sasl/scram.h"

/* "pencil" with the salt of RFC 7677 section 3. */
#define PENCIL "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define DIGEST "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="

static void keys_are_those_of_the_password(void)
{
    struct sasl_keys keys = {0};
    struct scram_secrets secrets;

    if (!check(sasl_keys_read_scram(STR(PENCIL), &keys)))
        return;
    check(keys.has_scram && !keys.has_cram && keys.iterations == 4096 && keys.salt_length == 16);
    check(scram_derive(STR("pencil"), (struct str){(const char *)keys.salt, keys.salt_length}, 4096, &secrets));
    check(crypto_equal(secrets.stored_key, keys.stored_key, CRYPTO_SHA256));
    check(crypto_equal(secrets.server_key, keys.server_key, CRYPTO_SHA256));
}

static void what_is_made_can_be_written_and_read(void)
{
    struct sasl_keys made, other, read = {0};
    char scram[SASL_SCRAM_TEXT_SIZE], cram[SASL_CRAM_TEXT_SIZE], again[SASL_SCRAM_TEXT_SIZE];
    struct scram_secrets secrets;

    check(sasl_keys_make(STR("tanstaaftanstaaf"), &made) && made.has_scram && made.has_cram);
    check(sasl_keys_make(STR("tanstaaftanstaaf"), &other));
    check(memcmp(made.salt, other.salt, SASL_SALT) != 0);
    check_number(made.iterations, SASL_ITERATIONS);
    sasl_keys_scram_text(&made, scram);
    sasl_keys_cram_text(&made, cram);
    check(strncmp(scram, "SCRAM-SHA-256$65536:", 20) == 0);
    check_text(cram, "d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b");
    check(sasl_keys_read_scram(str_of(scram), &read) && sasl_keys_read_cram(str_of(cram), &read));
    check(memcmp(read.cram, made.cram, sizeof read.cram) == 0);
    sasl_keys_scram_text(&read, again);
    check_text(again, scram);
    check(scram_derive(STR("tanstaaftanstaaf"), (struct str){(const char *)read.salt, read.salt_length}, read.iterations, &secrets));
    check(memcmp(secrets.stored_key, read.stored_key, CRYPTO_SHA256) == 0);
}

static void the_largest_text_fits(void)
{
    struct sasl_keys keys = {.has_scram = true, .iterations = SASL_ITERATIONS_MAX, .salt_length = SASL_SALT_MAX}, read;
    char text[SASL_SCRAM_TEXT_SIZE];

    memset(keys.salt, 0xff, sizeof keys.salt);
    sasl_keys_scram_text(&keys, text);
    check(sasl_keys_read_scram(str_of(text), &read) && read.salt_length == SASL_SALT_MAX);
}

static void texts_that_are_none(void)
{
    static const char *const bad[] = {
        "", "SCRAM-SHA-256", "SCRAM-SHA-256$", "SCRAM-SHA-256$4096", "SCRAM-SHA-256$4096:W22Z", "SCRAM-SHA-256$4096:W22Z$",
        "SCRAM-SHA-256$4096:W22Z$" DIGEST,
        "SCRAM-SHA-256$4096:W22Z$" DIGEST ":",
        "SCRAM-SHA-256$4096:W22Z$:" DIGEST, "SCRAM-SHA-256$4096:$" DIGEST ":" DIGEST, "SCRAM-SHA-256$:W22Z$" DIGEST ":" DIGEST,
        "SCRAM-SHA-256$0:W22Z$" DIGEST ":" DIGEST, "SCRAM-SHA-256$10000001:W22Z$" DIGEST ":" DIGEST, "SCRAM-SHA-256$-1:W22Z$" DIGEST ":" DIGEST,
        "SCRAM-SHA-1$4096:W22Z$" DIGEST ":" DIGEST, "scram-sha-256$4096:W22Z$" DIGEST ":" DIGEST, "SCRAM-SHA-256$4096:W2Z$" DIGEST ":" DIGEST,
        "SCRAM-SHA-256$4096:W22Z$W22Z:" DIGEST, "SCRAM-SHA-256$4096:W22Z$" DIGEST ":W22Z", "SCRAM-SHA-256$4096:W22Z$" DIGEST ":" DIGEST "$",
        "SCRAM-SHA-256$4096:W22Z$" DIGEST ":" DIGEST ":" DIGEST, "SCRAM-SHA-256$4096:W22Z$" DIGEST "$" DIGEST,
        "SCRAM-SHA-256$4096:" DIGEST "$" DIGEST ":" DIGEST " ",
        "SCRAM-SHA-256$4096:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=$" DIGEST ":" DIGEST,
    };

    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        struct sasl_keys keys = {.has_scram = true};

        if (!check(!sasl_keys_read_scram(str_of(bad[i]), &keys)) || !check(!keys.has_scram))
            printf("#   %s\n", bad[i]);
    }
    check(sasl_keys_read_scram(STR("SCRAM-SHA-256$1:W22Z$" DIGEST ":" DIGEST), &(struct sasl_keys){0}));
}

static void cram_texts(void)
{
    static const char *const bad[] = {
        "", "00", "{CRAM-MD5}d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b",
        "d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116",
        "d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b0",
        "d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116g",
    };
    struct sasl_keys keys = {0};

    check(sasl_keys_read_cram(STR("D06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116B"), &keys) && keys.has_cram);
    for (size_t i = 0; i < TEST_COUNT(bad); i++)
        check(!sasl_keys_read_cram(str_of(bad[i]), &keys) && !keys.has_cram);
}

static void unpreparable_passwords_have_no_keys(void)
{
    struct sasl_keys keys;

    check(!sasl_keys_make(STR(""), &keys) && !keys.has_scram && !keys.has_cram);
    check(!sasl_keys_make(STR("a\tb"), &keys));
    check(!sasl_keys_make(STR("\xff"), &keys));
}

/* RFC 4013 section 3 and further ones. */
static void preparing(void)
{
    static const struct {
        const char *from, *to; /* NULL: refused */
    } table[] = {
        {"I\xc2\xadX", "IX"}, {"user", "user"}, {"USER", "USER"}, {"\xc2\xaa", "a"}, {"\xe2\x85\xa8", "IX"}, {"\x07", NULL},
        {"\xd8\xa7" "1", NULL},
        {"", NULL}, {"\xc2\xad", NULL}, {" a b ", " a b "}, {"a\xc2\xa0" "b", "a b"}, {"a\x7f", NULL}, {"\xc2\x80", NULL},
        {"\xff", NULL}, {"\xc3", NULL}, {"\xed\xa0\x80", NULL},
        {"\xee\x80\x80", NULL}, {"\xef\xbf\xbd", NULL}, {"a\xcc\x88", "\xc3\xa4"}, {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"\xd8\xa7" "1\xd8\xa7", "\xd8\xa7" "1\xd8\xa7"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct buf b = {0};
        bool ok = sasl_prepare(str_of(table[i].from), &b);

        if (!check(ok == (table[i].to != NULL)) || !check_str(buf_str(&b), str_of(table[i].to)))
            printf("#   %s\n", table[i].from);
        buf_done(&b);
    }
}

static void what_grows_most_fits(void)
{
    char text[300];
    struct buf b = {0};

    for (size_t i = 0; i < sizeof text; i += 3)
        memcpy(text + i, "\xef\xb7\xba", 3); /* U+FDFA */
    check(sasl_prepare((struct str){text, sizeof text}, &b));
    check_number(b.length, 100 * 33);
    check(!sasl_prepare(STR("a\0b"), &b));
    check_number(b.length, 100 * 33);
    buf_done(&b);
    buf_init(&b, 3);
    check(!sasl_prepare(STR("long"), &b) && !sasl_prepare(STR("\xc3\xa4\xc3\xa4"), &b) && b.length == 0);
    buf_done(&b);
}

static void names_of_mechanisms(void)
{
    enum sasl_mechanism m;

    for (int i = 0; i < SASL_MECHANISMS; i++)
        check(sasl_mechanism_find(str_of(sasl_mechanism_name((enum sasl_mechanism)i)), &m) && (int)m == i);
    check(sasl_mechanism_find(STR("scram-sha-256-plus"), &m) && m == SASL_SCRAM_SHA_256_PLUS);
    check(!sasl_mechanism_find(STR("SCRAM-SHA-1"), &m) && !sasl_mechanism_find(STR(""), &m) && !sasl_mechanism_find(STR("PLAIN "), &m));
    check(sasl_mechanism_shows_secret(SASL_PLAIN) && sasl_mechanism_shows_secret(SASL_LOGIN) && sasl_mechanism_shows_secret(SASL_XOAUTH2) &&
          sasl_mechanism_shows_secret(SASL_OAUTHBEARER));
    check(!sasl_mechanism_shows_secret(SASL_CRAM_MD5) && !sasl_mechanism_shows_secret(SASL_SCRAM_SHA_256) && !sasl_mechanism_shows_secret(SASL_SCRAM_SHA_256_PLUS));
}

static const struct test_case cases[] = {
    TEST_CASE(keys_are_those_of_the_password),
    TEST_CASE(what_is_made_can_be_written_and_read),
    TEST_CASE(the_largest_text_fits),
    TEST_CASE(texts_that_are_none),
    TEST_CASE(cram_texts),
    TEST_CASE(unpreparable_passwords_have_no_keys),
    TEST_CASE(preparing),
    TEST_CASE(what_grows_most_fits),
    TEST_CASE(names_of_mechanisms),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
