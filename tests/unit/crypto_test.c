#include "test.h"

#include "base/crypto.h"
#include "base/hex.h"

static struct str hex_of(const unsigned char *bytes, size_t size)
{
    static char text[256];

    hex_write(bytes, size, text);
    return (struct str){text, 2 * size};
}

static struct str filled(char c, size_t length)
{
    static char text[2][256];
    static int turn;

    turn = !turn;
    memset(text[turn], c, length);
    return (struct str){text[turn], length};
}

/* FIPS 180-2 appendix B. */
static void sha256(void)
{
    unsigned char digest[CRYPTO_SHA256];

    crypto_sha256(STR("abc"), digest);
    check_str(hex_of(digest, sizeof digest), STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    crypto_sha256((struct str){0}, digest);
    check_str(hex_of(digest, sizeof digest), STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

#define LONG_KEY_TEXT "Test Using Larger Than Block-Size Key - Hash Key First"

/* RFC 4231 section 4. */
static void hmac_sha256(void)
{
    const struct {
        struct str key, data, digest;
    } table[] = {
        {filled('\x0b', 20), STR("Hi There"), STR("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7")},
        {STR("Jefe"), STR("what do ya want for nothing?"), STR("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")},
        {filled('\xaa', 131), STR(LONG_KEY_TEXT), STR("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")},
        {{0}, {0}, STR("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        unsigned char digest[CRYPTO_SHA256];

        crypto_hmac_sha256(table[i].key, table[i].data, digest);
        check_str(hex_of(digest, sizeof digest), table[i].digest);
    }
}

/* RFC 2202 section 2. */
static void hmac_md5_in_two_steps(void)
{
    const struct {
        struct str key, data, digest;
    } table[] = {
        {filled('\x0b', 16), STR("Hi There"), STR("9294727a3638bb1c13f48ef8158bfc9d")},
        {STR("Jefe"), STR("what do ya want for nothing?"), STR("750c783e6ab0b503eaa86e310a5db738")},
        {filled('\xaa', 80), STR(LONG_KEY_TEXT), STR("6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd")},
        {{0}, {0}, STR("74e6f7298a9c2d168935f58c001bad88")},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        unsigned char state[CRYPTO_MD5_STATE], digest[CRYPTO_MD5];

        crypto_md5_state(table[i].key, state);
        crypto_hmac_md5(state, table[i].data, digest);
        check_str(hex_of(digest, sizeof digest), table[i].digest);
    }
}

/* As `doveadm pw -s CRAM-MD5` prints them, one for a key longer than a block. */
static void the_state_is_dovecots(void)
{
    unsigned char state[CRYPTO_MD5_STATE];

    crypto_md5_state(STR("tanstaaftanstaaf"), state);
    check_str(hex_of(state, sizeof state), STR("d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b"));
    crypto_md5_state(filled('x', 80), state);
    check_str(hex_of(state, sizeof state), STR("ff6454343902c25cfaf14768b382dae3172680a33b4792a34267ff0628fbfe89"));
}

/* RFC 7914 section 11, the first of the two blocks. */
static void pbkdf2(void)
{
    unsigned char key[CRYPTO_SHA256];

    crypto_pbkdf2_sha256(STR("passwd"), STR("salt"), 1, key);
    check_str(hex_of(key, sizeof key), STR("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"));
    crypto_pbkdf2_sha256(STR("Password"), STR("NaCl"), 80000, key);
    check_str(hex_of(key, sizeof key), STR("4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"));
}

static struct str bytes_of(const char *hex, unsigned char *to)
{
    size_t size = strlen(hex) / 2;

    check(hex_read(str_of(hex), to, size));
    return (struct str){(const char *)to, size};
}

/* McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13, 14 and 16. */
static void what_others_sealed_opens(void)
{
    static const struct {
        const char *key, *nonce, *context, *plain, *sealed;
    } table[] = {
        {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
        {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "00000000000000000000000000000000",
         "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
        {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
         "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
         "76fc6ece0f4e1768cddf8853bb2d551b"},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        unsigned char key[CRYPTO_KEY], a[256], b[256], c[256];
        struct str context = bytes_of(table[i].context, a), plain = bytes_of(table[i].plain, b);
        struct buf sealed = {0}, opened = {0};

        bytes_of(table[i].key, key);
        buf_add(&sealed, bytes_of(table[i].nonce, c));
        buf_add(&sealed, bytes_of(table[i].sealed, c));
        check(crypto_open(key, context, buf_str(&sealed), &opened));
        check_str(buf_str(&opened), plain);
        buf_done(&sealed);
        buf_done(&opened);
    }
}

static void a_seal_opens_where_it_was_made_and_nowhere_else(void)
{
    unsigned char key[CRYPTO_KEY] = {1}, other[CRYPTO_KEY] = {2};
    struct buf sealed = {0}, opened = {0};

    buf_add(&opened, STR("kept "));
    crypto_seal(key, STR("here"), STR("secret\0word"), &sealed);
    check_number(sealed.length, 12 + 11 + 16);
    check(memmem(sealed.data, sealed.length, "secret", 6) == NULL);
    check(!crypto_open(other, STR("here"), buf_str(&sealed), &opened));
    check(!crypto_open(key, STR("there"), buf_str(&sealed), &opened));
    check(!crypto_open(key, STR(""), buf_str(&sealed), &opened));
    for (size_t i = 0; i < sealed.length; i++) {
        check(!crypto_open(key, STR("here"), str_part(buf_str(&sealed), 0, i), &opened));
        sealed.data[i] ^= 1;
        check(!crypto_open(key, STR("here"), buf_str(&sealed), &opened));
        sealed.data[i] ^= 1;
    }
    check_str(buf_str(&opened), STR("kept "));
    check(crypto_open(key, STR("here"), buf_str(&sealed), &opened));
    check_str(buf_str(&opened), STR("kept secret\0word"));
    buf_done(&sealed);
    buf_done(&opened);
}

static void no_two_seals_are_alike(void)
{
    const unsigned char key[CRYPTO_KEY] = {0};
    struct buf one = {0}, two = {0};

    crypto_seal(key, STR(""), STR("same"), &one);
    crypto_seal(key, STR(""), STR("same"), &two);
    check_number(one.length, two.length);
    check(memcmp(one.data, two.data, 12) != 0 && memcmp(one.data + 12, two.data + 12, 20) != 0);
    buf_done(&one);
    buf_done(&two);
}

static void nothing_can_be_sealed(void)
{
    const unsigned char key[CRYPTO_KEY] = {7};
    struct buf sealed = {0}, opened = {0};

    crypto_seal(key, STR("c"), STR(""), &sealed);
    check_number(sealed.length, 28);
    check(crypto_open(key, STR("c"), buf_str(&sealed), &opened));
    check_number(opened.length, 0);
    check(!crypto_open(key, STR("c"), (struct str){0}, &opened));
    buf_done(&sealed);
    buf_done(&opened);
}

static void equal_and_random_and_wiped(void)
{
    unsigned char one[32] = {0}, two[32] = {0};

    check(crypto_equal("abc", "abc", 3));
    check(!crypto_equal("abc", "abd", 3) && !crypto_equal("abc", "bbc", 3));
    check(crypto_equal("abc", "abd", 2));
    crypto_random(one, sizeof one);
    crypto_random(two, sizeof two);
    check(memcmp(one, two, sizeof one) != 0);
    crypto_wipe(one, sizeof one);
    memset(two, 0, sizeof two);
    check(memcmp(one, two, sizeof one) == 0);
    crypto_wipe(NULL, 0);
}

static const struct test_case cases[] = {
    TEST_CASE(sha256),
    TEST_CASE(hmac_sha256),
    TEST_CASE(hmac_md5_in_two_steps),
    TEST_CASE(the_state_is_dovecots),
    TEST_CASE(pbkdf2),
    TEST_CASE(what_others_sealed_opens),
    TEST_CASE(a_seal_opens_where_it_was_made_and_nowhere_else),
    TEST_CASE(no_two_seals_are_alike),
    TEST_CASE(nothing_can_be_sealed),
    TEST_CASE(equal_and_random_and_wiped),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
