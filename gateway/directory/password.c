#include "directory/password.h"

#include "base/memory.h"

#include <crypt.h>
#include <string.h>

_Static_assert(PASSWORD_HASH_SIZE >= CRYPT_OUTPUT_SIZE, "a hash must fit");
_Static_assert(PASSWORD_MAX < CRYPT_MAX_PASSPHRASE_SIZE, "what we take, libcrypt takes");

/* SETTING is a salt or a hash. */
static bool crypt_to(struct str password, const char *setting, char *to)
{
    struct crypt_data *data = memory_new(sizeof *data);
    char phrase[PASSWORD_MAX + 1];
    const char *hash = NULL;
    bool ok;

    if (str_copy(password, phrase, sizeof phrase))
        hash = crypt_rn(phrase, setting, data, sizeof *data);
    ok = hash != NULL && str_copy(str_of(hash), to, PASSWORD_HASH_SIZE);
    explicit_bzero(phrase, sizeof phrase);
    explicit_bzero(data, sizeof *data);
    memory_free(&data);
    return ok;
}

bool password_hash(enum password_scheme scheme, struct str password, char *to)
{
    static const char *const prefixes[] = {[PASSWORD_YESCRYPT] = "$y$", [PASSWORD_SHA512_CRYPT] = "$6$"};
    char salt[CRYPT_GENSALT_OUTPUT_SIZE];

    to[0] = '\0';
    return crypt_gensalt_rn(prefixes[scheme], 0, NULL, 0, salt, sizeof salt) != NULL && crypt_to(password, salt, to);
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

bool password_matches(struct str password, const char *hash)
{
    char own[PASSWORD_HASH_SIZE];

    return hash[0] != '\0' && crypt_to(password, hash, own) && same_text(own, hash);
}
