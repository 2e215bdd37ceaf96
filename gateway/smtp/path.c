#include "smtp/path.h"

#include <string.h>

/* RFC 5321 atext, with RFC 6531's UTF8-non-ascii. */
static bool is_atext(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (unsigned char)c > 127)
        return true;
    return c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

static bool is_dot_string(struct str local)
{
    if (local.length == 0 || local.data[0] == '.' || local.data[local.length - 1] == '.')
        return false;
    for (size_t i = 0; i < local.length; i++)
        if (!is_atext(local.data[i]) && !(local.data[i] == '.' && local.data[i - 1] != '.'))
            return false;
    return true;
}

static bool is_quotable(char c)
{
    return (unsigned char)c >= 32 && c != 127;
}

/* The length of the quoted string at the start of S, quotes included; 0 when there is none.  UNQUOTED has room for S. */
static size_t read_quoted(struct str s, char *unquoted, size_t *length)
{
    size_t at = 1;

    *length = 0;
    if (s.length < 2 || s.data[0] != '"')
        return 0;
    while (at < s.length && s.data[at] != '"') {
        if (s.data[at] == '\\' && ++at == s.length)
            return 0;
        if (!is_quotable(s.data[at]))
            return 0;
        unquoted[(*length)++] = s.data[at++];
    }
    return at < s.length ? at + 1 : 0;
}

struct str path_format(struct str local, struct str domain, struct arena *arena)
{
    char *text = arena_new(arena, 2 * local.length + domain.length + 4);
    size_t length = 0;
    bool quote = !is_dot_string(local);

    if (quote)
        text[length++] = '"';
    for (size_t i = 0; i < local.length; i++) {
        if (quote && (local.data[i] == '"' || local.data[i] == '\\'))
            text[length++] = '\\';
        text[length++] = local.data[i];
    }
    if (quote)
        text[length++] = '"';
    if (domain.length > 0) {
        text[length++] = '@';
        memcpy(text + length, domain.data, domain.length);
        length += domain.length;
    }
    return (struct str){text, length};
}

/* Where the domain at the start of S ends: at the bracket, a space, or the end. */
static size_t domain_length(struct str s)
{
    size_t length = 0;

    while (length < s.length && s.data[length] != '>' && s.data[length] != ' ' && s.data[length] != '\t')
        length++;
    return length;
}

static size_t read_local(struct str s, char *unquoted, size_t *length)
{
    size_t used = 0;

    if (s.length > 0 && s.data[0] == '"')
        return read_quoted(s, unquoted, length);
    while (used < s.length && (is_atext(s.data[used]) || s.data[used] == '.'))
        used++;
    *length = used;
    memcpy(unquoted, s.data, used);
    return is_dot_string(str_part(s, 0, used)) ? used : 0;
}

/* "@one.example,@two.example:" says how to get there; nobody goes that way any more. */
static bool skip_source_route(struct str *s)
{
    size_t colon;

    if (s->length == 0 || s->data[0] != '@')
        return true;
    colon = str_find(*s, ':', 0);
    if (colon == s->length || str_find(*s, '>', 0) < colon || str_find(*s, ' ', 0) < colon)
        return false;
    *s = str_from(*s, colon + 1);
    return true;
}

static enum path_result read_mailbox(struct path *p, struct str *s, size_t local_max, struct arena *arena)
{
    char *unquoted = arena_new(arena, s->length + 1), host[DOMAIN_SIZE];
    size_t length, used = read_local(*s, unquoted, &length);

    if (used == 0)
        return PATH_SYNTAX;
    p->local = (struct str){unquoted, length};
    *s = str_from(*s, used);
    if (local_max > 0 && used > local_max)
        return PATH_LOCAL_TOO_LONG;
    if (s->length > 0 && s->data[0] == '@') {
        p->domain = str_part(*s, 1, domain_length(str_from(*s, 1)));
        *s = str_from(*s, 1 + p->domain.length);
        if (!domain_normalize(p->domain, host))
            return PATH_BAD_DOMAIN;
        p->host = arena_str(arena, str_of(host));
        if (p->domain.length > 1 && str_ends(p->domain, STR(".")))
            p->domain.length--; /* SMTP's domains have no final dot */
        p->domain = arena_str(arena, p->domain);
    }
    p->address = path_format(p->local, p->domain, arena);
    p->utf8 = !str_is_ascii(p->address);
    return p->utf8 && !str_is_utf8(p->address) ? PATH_SYNTAX : PATH_OK;
}

enum path_result path_parse(struct path *p, struct str *rest, size_t local_max, struct arena *arena)
{
    struct str s = *rest;
    bool bracketed = str_starts(s, STR("<"));
    enum path_result result;
    size_t before;

    *p = (struct path){0};
    if (bracketed)
        s = str_from(s, 1);
    before = s.length;
    if (bracketed && str_starts(s, STR(">"))) {
        *rest = str_from(s, 1);
        return PATH_OK;
    }
    if (!skip_source_route(&s))
        return PATH_SYNTAX;
    /* The longest path is 256 octets; what a quoted string or a source route may add on top is bounded by the line. */
    result = read_mailbox(p, &s, local_max, arena);
    if (p->address.length > PATH_MAX_OCTETS - 2 || (result != PATH_OK && before - s.length > PATH_MAX_OCTETS))
        return PATH_TOO_LONG;
    if (result != PATH_OK)
        return result;
    if (bracketed && !str_starts(s, STR(">")))
        return PATH_SYNTAX;
    if (!bracketed && s.length > 0 && s.data[0] != ' ')
        return PATH_SYNTAX;
    *rest = bracketed ? str_from(s, 1) : s;
    return PATH_OK;
}

enum path_result path_parse_address(struct path *p, struct str address, struct arena *arena)
{
    struct str s = address;
    enum path_result result;

    *p = (struct path){0};
    result = read_mailbox(p, &s, 0, arena);
    if (p->address.length > PATH_MAX_OCTETS - 2)
        return PATH_TOO_LONG;
    if (result == PATH_OK && (s.length > 0 || p->domain.length == 0))
        return PATH_SYNTAX;
    return result;
}

bool path_is_null(const struct path *p)
{
    return p->address.length == 0;
}

bool path_is_postmaster(const struct path *p)
{
    return p->domain.length == 0 && str_equal_nocase(p->local, STR("postmaster"));
}
