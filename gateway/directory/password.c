#include "directory/password.h"

#include "base/memory.h"

#include <crypt.h>
#include <errno.h>
#include <string.h>

_Static_assert(PASSWORD_HASH_SIZE >= CRYPT_OUTPUT_SIZE, "a hash must fit");
_Static_assert(PASSWORD_HASH_SIZE >= CRYPT_GENSALT_OUTPUT_SIZE, "a salt too");
_Static_assert(PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "what we take, libcrypt takes");

/* SETTING is a salt or a hash.  After false errno is ENOMEM where memory was what was missing. */
static bool crypt_to(struct str password, const char *setting, char *to)
{
    struct crypt_data *data = memory_new(sizeof *data);
    char phrase[PASSWORD_MAX + 1];
    const char *hash = NULL;
    int reason;
    bool ok;

    errno = 0;
    if (str_copy(password, phrase, sizeof phrase))
        hash = crypt_rn(phrase, setting, data, sizeof *data);
    reason = errno;
    ok = hash != NULL && str_copy(str_of(hash), to, PASSWORD_HASH_SIZE);
    explicit_bzero(phrase, sizeof phrase);
    explicit_bzero(data, sizeof *data);
    memory_free(&data);
    errno = reason;
    return ok;
}

static bool make_salt(enum password_scheme scheme, char *to)
{
    static const char *const prefixes[] = {[PASSWORD_YESCRYPT] = "$y$", [PASSWORD_SHA512_CRYPT] = "$6$"};

    to[0] = '\0';
    return crypt_gensalt_rn(prefixes[scheme], 0, NULL, 0, to, PASSWORD_HASH_SIZE) != NULL;
}

bool password_hash(enum password_scheme scheme, struct str password, char *to)
{
    char salt[PASSWORD_HASH_SIZE];

    to[0] = '\0';
    return make_salt(scheme, salt) && crypt_to(password, salt, to);
}

bool password_decoy(char *to)
{
    return make_salt(PASSWORD_YESCRYPT, to);
}

bool password_is_hash(const char *hash)
{
    const int kind = crypt_checksalt(hash);

    return hash[0] != '\0' && kind != CRYPT_SALT_INVALID && kind != CRYPT_SALT_METHOD_DISABLED;
}

/* As long for hashes that differ early as for those that differ late. */
static bool same_text(const char *a, const char *b)
{
    size_t length = strlen(a);
    unsigned char difference = 0;

    if (length != strlen(b))
        return false;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

enum answer password_matches(struct str password, const char *hash)
{
    char own[PASSWORD_HASH_SIZE];

    if (hash[0] == '\0')
        return ANSWER_NO;
    if (!crypt_to(password, hash, own))
        return errno == ENOMEM ? ANSWER_FAILED : ANSWER_NO;
    return same_text(own, hash) ? ANSWER_YES : ANSWER_NO;
}
