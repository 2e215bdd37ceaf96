#include "smtp/srs.h"

#include "base/base64.h"
#include "base/crypto.h"
#include "smtp/path.h"

enum { TAG = 4, HASH = 4, TIME = 2 };

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static bool is_separator(char c)
{
    return c == '=' || c == '+' || c == '-';
}

/* LOCAL starts with this tag and a separator. */
static bool has_tag(struct str local, struct str tag)
{
    return str_starts_nocase(local, tag) && local.length > tag.length && is_separator(local.data[tag.length]);
}

/* Of what stands behind it.  The tag makes one of SRS0 none of SRS1. */
static void make_hash(const struct srs *s, struct str tag, struct str rest, struct arena *arena, char hash[HASH])
{
    unsigned char digest[CRYPTO_SHA256];
    struct buf text = {0}, encoded = {0};

    buf_add(&text, tag);
    buf_add(&text, rest);
    crypto_hmac_sha256(s->secret, arena_lower(arena, buf_str(&text)), digest);
    base64_encode((struct str){(const char *)digest, sizeof digest}, &encoded);
    for (size_t i = 0; i < HASH; i++)
        hash[i] = encoded.data[i];
    buf_done(&text);
    buf_done(&encoded);
}

/* TAG=HASH=REST at our domain. */
static bool seal(const struct srs *s, struct str tag, struct str rest, struct arena *arena, struct str *address)
{
    struct buf local = {0};
    char hash[HASH];

    make_hash(s, tag, rest, arena, hash);
    buf_print(&local, "%.*s=%.*s=%.*s", STR_ARG(tag), HASH, hash, STR_ARG(rest));
    *address = path_format(arena_str(arena, buf_str(&local)), s->domain, arena);
    buf_done(&local);
    return address->length <= PATH_MAX_OCTETS - 2;
}

static struct str join(struct str first, char separator, struct str second, struct arena *arena)
{
    struct buf b = {0};
    struct str copy;

    buf_add(&b, first);
    buf_add_byte(&b, separator);
    buf_add(&b, second);
    copy = arena_str(arena, buf_str(&b));
    buf_done(&b);
    return copy;
}

static bool seal_address(const struct srs *s, const struct path *from, int64_t day, struct arena *arena, struct str *address)
{
    const char time[] = {letters[(day % SRS_DAYS) >> 5], letters[day % 32]};
    struct str rest = join(from->host, '=', from->local, arena);

    return seal(s, STR("SRS0"), join((struct str){time, sizeof time}, '=', rest, arena), arena, address);
}

/* What stands behind the hash of an SRS1: the first forwarder, and the local part that it understands without its SRS0. */
static bool read_first(struct str rest, struct str *host, struct str *opaque)
{
    char normal[DOMAIN_SIZE];

    if (!str_cut(&rest, '=', host) || rest.length < 2 || !is_separator(rest.data[0]))
        return false;
    *opaque = rest;
    return domain_normalize(*host, normal);
}

/* The hash that another forwarder put there is for it alone to understand: ours takes its place. */
static bool seal_again(const struct srs *s, struct str local, struct arena *arena, struct str *address)
{
    struct str rest = str_from(local, TAG + 1), theirs, host, opaque;

    return str_cut(&rest, '=', &theirs) && read_first(rest, &host, &opaque) && seal(s, STR("SRS1"), rest, arena, address);
}

bool srs_forward(const struct srs *s, struct str sender, int64_t day, struct arena *arena, struct str *rewritten)
{
    struct path from;

    if (path_parse_address(&from, sender, arena) != PATH_OK)
        return false;
    *rewritten = sender;
    if (str_equal(from.host, s->domain))
        return true;
    if (has_tag(from.local, STR("SRS0")) && from.local.length > TAG + 1)
        return seal(s, STR("SRS1"), join(from.host, '=', str_from(from.local, TAG), arena), arena, rewritten);
    if (has_tag(from.local, STR("SRS1")) && seal_again(s, from.local, arena, rewritten))
        return true;
    return seal_address(s, &from, day, arena, rewritten);
}

/* REST of a local part behind its hash is what we put there. */
static bool is_ours(const struct srs *s, struct str tag, struct str hash, struct str rest, struct arena *arena)
{
    char expected[HASH];

    make_hash(s, tag, rest, arena, expected);
    return hash.length == HASH && str_equal_nocase((struct str){expected, HASH}, hash);
}

/* The value of a letter of TIME, or 1024, which no time has. */
static int64_t letter_value(char c)
{
    for (int i = 0; i < 32; i++)
        if (ascii_lower(letters[i]) == ascii_lower(c))
            return i;
    return SRS_DAYS;
}

static bool is_recent(struct str time, int64_t day)
{
    int64_t then;

    if (time.length != TIME)
        return false;
    then = letter_value(time.data[0]) * 32 + letter_value(time.data[1]);
    return then < SRS_DAYS && (day % SRS_DAYS - then + SRS_DAYS) % SRS_DAYS <= SRS_DAYS_VALID;
}

static enum srs_result open_address(struct str rest, int64_t day, struct arena *arena, struct str *address)
{
    struct str time, host;

    if (!str_cut(&rest, '=', &time) || !str_cut(&rest, '=', &host))
        return SRS_FORGED;
    *address = path_format(rest, host, arena);
    return is_recent(time, day) ? SRS_OK : SRS_EXPIRED;
}

static enum srs_result open_first(struct str rest, struct arena *arena, struct str *address)
{
    struct str host, opaque;

    if (!read_first(rest, &host, &opaque))
        return SRS_FORGED;
    *address = path_format(join(STR("SRS0"), opaque.data[0], str_from(opaque, 1), arena), host, arena);
    return SRS_OK;
}

enum srs_result srs_reverse(const struct srs *s, struct str local, int64_t day, struct arena *arena, struct str *address)
{
    const bool again = has_tag(local, STR("SRS1"));
    const struct str tag = again ? STR("SRS1") : STR("SRS0");
    enum srs_result result;
    struct str rest, hash;
    struct path path;

    if (!has_tag(local, tag))
        return SRS_FOREIGN;
    rest = str_from(local, TAG + 1);
    if (!str_cut(&rest, '=', &hash) || !is_ours(s, tag, hash, rest, arena))
        return SRS_FORGED;
    result = again ? open_first(rest, arena, address) : open_address(rest, day, arena, address);
    if (result == SRS_OK && path_parse_address(&path, *address, arena) != PATH_OK)
        result = SRS_FORGED;
    return result;
}
