#include "report/tls_report_address.h"

#include "base/hex.h"
#include "net/dns_records.h"

#include <stdio.h>
#include <string.h>

static const struct str version = {"v=TLSRPTv1", 10};

/* RFC 8460 section 3: the version, then `;` after any white space; the fields behind it in *FIELDS. */
static bool begins(struct str text, struct str *fields)
{
    if (!str_starts(text, version))
        return false;
    *fields = str_trim(str_from(text, version.length));
    if (!str_starts(*fields, STR(";")))
        return false;
    *fields = str_from(*fields, 1);
    return true;
}

/* Percent-encoded octets of a URI (RFC 3986 section 2.1); false for a `%` that is none. */
static bool decode(struct str text, struct buf *to)
{
    while (text.length > 0) {
        unsigned char octet;

        if (text.data[0] != '%') {
            buf_add_byte(to, text.data[0]);
            text = str_from(text, 1);
            continue;
        }
        if (text.length < 3 || !hex_read(str_part(text, 1, 2), &octet, 1))
            return false;
        buf_add_byte(to, (char)octet);
        text = str_from(text, 3);
    }
    return true;
}

static bool has_mail(const struct tls_report_addresses *found, const struct path *path)
{
    for (size_t i = 0; i < found->mail_count; i++)
        if (str_equal(found->mail[i].local, path->local) && str_equal(found->mail[i].host, path->host))
            return true;
    return false;
}

/* Nobody but us decides to which addresses of the network we deliver. */
static bool is_usable(const struct path *path)
{
    return path->host.length > 0 && path->host.data[0] != '[';
}

/* The name of HOST[:PORT] may be asked for in the DNS.  A last label that begins with a digit ends an IPv4 address, whatever its spelling. */
static bool is_name(struct str host)
{
    char name[DOMAIN_SIZE];
    struct str rest, label;

    if (!str_cut(&host, ':', &rest) || !domain_normalize(rest, name) || name[0] == '[')
        return false;
    rest = str_of(name);
    while (str_cut(&rest, '.', &label))
        continue;
    return !(label.data[0] >= '0' && label.data[0] <= '9') && !str_equal(label, STR("localhost"));
}

/* mailto:LOCAL@DOMAIN[?what is of no use here] (RFC 6068): one address, for a comma would have begun another URI.  One that needs SMTPUTF8
 * would take the report from all the others where the next hop does not offer it. */
static void add_mail(struct str rest, struct arena *arena, struct tls_report_addresses *found)
{
    struct buf text = {0};
    struct str address;
    struct path path;

    if (found->mail_count < TLS_REPORT_ADDRESSES_MOST && str_cut(&rest, '?', &address) && decode(address, &text)
        && str_is_ascii(buf_str(&text)) && path_parse_address(&path, arena_str(arena, buf_str(&text)), arena) == PATH_OK && is_usable(&path)
        && !has_mail(found, &path)) {
        path.address = path_format(path.local, path.host, arena);
        found->mail[found->mail_count++] = path;
    }
    buf_done(&text);
}

static bool has_url(const struct tls_report_addresses *found, struct str url)
{
    for (size_t i = 0; i < found->https_count; i++)
        if (str_equal(str_of(found->https[i]), url))
            return true;
    return false;
}

/* https://NAME[:PORT][/…], of the characters of a URI (RFC 3986 section 2), without a login and a fragment. */
static void add_https(struct str url, struct str rest, struct arena *arena, struct tls_report_addresses *found)
{
    struct str host;

    for (size_t i = 0; i < url.length; i++)
        if (url.data[i] <= ' ' || url.data[i] >= 127 || strchr("\"#<>\\^`{|}", url.data[i]) != NULL)
            return;
    if (found->https_count < TLS_REPORT_ADDRESSES_MOST && url.length <= TLS_REPORT_URL_MOST && str_cut_any(&rest, "/?", &host)
        && is_name(host) && !str_has(host, '@') && !has_url(found, url))
        found->https[found->https_count++] = arena_text(arena, url);
}

static void add_uri(struct str uri, struct arena *arena, struct tls_report_addresses *found)
{
    static const struct str mailto = {"mailto:", 7}, https = {"https://", 8};

    if (str_starts_nocase(uri, mailto))
        add_mail(str_from(uri, mailto.length), arena, found);
    else if (str_starts_nocase(uri, https))
        add_https(uri, str_from(uri, https.length), arena, found);
}

/* Fields that are not known are passed over. */
static void read_fields(struct str fields, struct arena *arena, struct tls_report_addresses *found)
{
    struct str field, uri;

    while (str_cut(&fields, ';', &field)) {
        field = str_trim(field);
        if (!str_starts(field, STR("rua=")))
            continue;
        field = str_from(field, sizeof "rua=" - 1);
        while (str_cut(&field, ',', &uri))
            add_uri(str_trim(uri), arena, found);
    }
}

bool tls_report_address_read(const struct str *texts, size_t count, struct arena *arena, struct tls_report_addresses *found)
{
    struct str fields = {0}, one;
    int records = 0;

    *found = (struct tls_report_addresses){0};
    for (size_t i = 0; i < count; i++)
        if (begins(texts[i], &one)) {
            fields = one;
            records++;
        }
    if (records == 1)
        read_fields(fields, arena, found);
    return found->mail_count + found->https_count > 0;
}

/* The joined strings of each record; one that is broken is an empty text. */
static const struct str *join(const struct dns_answer *answer, struct arena *arena)
{
    struct str *texts = arena_new(arena, (answer->count + 1) * sizeof *texts);

    for (size_t i = 0; i < answer->count; i++) {
        struct buf text = {0};

        if (dns_read_txt(answer->records[i], &text))
            texts[i] = arena_str(arena, buf_str(&text));
        buf_done(&text);
    }
    return texts;
}

enum tls_report_asked tls_report_address_ask(struct dns *dns, const char *domain, int64_t deadline, struct arena *arena,
                                             struct tls_report_addresses *found, char reason[DNS_REASON_SIZE])
{
    char name[sizeof "_smtp._tls." + DOMAIN_MAX];
    struct dns_answer answer;

    *found = (struct tls_report_addresses){0};
    reason[0] = '\0';
    snprintf(name, sizeof name, "_smtp._tls.%s", domain);
    dns_ask(dns, name, DNS_TXT, deadline, arena, &answer);
    if (answer.outcome == DNS_FAILED) {
        snprintf(reason, DNS_REASON_SIZE, "%s", answer.reason);
        return TLS_REPORT_UNKNOWN;
    }
    if (answer.outcome != DNS_FOUND || !tls_report_address_read(join(&answer, arena), answer.count, arena, found))
        return TLS_REPORT_NOT_WANTED;
    return TLS_REPORT_WANTED;
}
