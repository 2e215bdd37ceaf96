#include "directory/credentials.h"

#include "directory/tables.h"

#include <string.h>

static struct status check_password(struct str password)
{
    if (password.length < PASSWORD_MIN)
        return tables_refused("the password is too short (at least %d characters)", PASSWORD_MIN);
    if (password.length > PASSWORD_MAX)
        return tables_refused("the password is too long (at most %d bytes)", PASSWORD_MAX);
    if (str_has_control(password))
        return tables_refused("the password has a control character");
    return status_ok();
}

static struct status make_keys(struct str password, bool cram_md5, struct credentials *c)
{
    struct sasl_keys keys = {0};
    const bool ok = sasl_keys_make(password, &keys);

    if (ok) {
        sasl_keys_scram_text(&keys, c->scram);
        if (cram_md5)
            sasl_keys_cram_text(&keys, c->cram);
    }
    crypto_wipe(&keys, sizeof keys);
    return ok ? status_ok()
              : tables_refused("the password cannot be used to log in (RFC 4013): it must be UTF-8 without unassigned, private or invisible"
                               " characters, and not mix directions of writing");
}

struct status credentials_make(struct str password, bool cram_md5, struct credentials *c)
{
    struct status s = check_password(password);

    *c = (struct credentials){0};
    if (status_is_ok(&s))
        s = make_keys(password, cram_md5, c);
    if (!status_is_ok(&s))
        return s;
    if (!password_hash(PASSWORD_YESCRYPT, password, c->passwd) || !password_hash(PASSWORD_SHA512_CRYPT, password, c->dove_passwd))
        return status_make(451, "4.3.0", "the password cannot be hashed");
    return s;
}

void credentials_done(struct credentials *c)
{
    explicit_bzero(c, sizeof *c);
}
