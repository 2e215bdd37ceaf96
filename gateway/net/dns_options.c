#include "net/dns_options.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ANCHORS_MOST = 1 << 20 };

const struct dns_option dns_options_always[] = {
    {"msg-cache-size:", "4m"},
    {"rrset-cache-size:", "8m"},
    {"key-cache-size:", "2m"},
    {"neg-cache-size:", "1m"},
    {"infra-cache-numhosts:", "2000"},
    {"msg-cache-slabs:", "1"},
    {"rrset-cache-slabs:", "1"},
    {"key-cache-slabs:", "1"},
    {"infra-cache-slabs:", "1"},
    {"outgoing-range:", "256"},
    {"outgoing-num-tcp:", "16"},
    /* A record that was missing when the first mail came is found when somebody has added it. */
    {"cache-max-negative-ttl:", "300"},
    /* Servers that did not answer are asked again without a long wait. */
    {"infra-host-ttl:", "30"},
    {"infra-cache-min-rtt:", "400"},
    {"infra-cache-max-rtt:", "2000"},
    {"val-bogus-ttl:", "30"},
    {NULL, NULL},
};

/* A company's resolvers may serve what the public DNS does not have: reverse zones of private networks, names that are no public ones.
 * Transparent zones take the place of libunbound's own, which would deny all in them. */
const struct dns_option dns_options_forwarding[] = {
    {"do-not-query-localhost:", "no"},
    /* A resolver that has to go far itself may take seconds: whoever is asked again before it answers never gets to hear it.  And one that
     * was down is found out again within about the time to live. */
    {"infra-cache-min-rtt:", "2000"},
    {"infra-cache-max-rtt:", "8000"},
    {"infra-host-ttl:", "10"},
    {"unblock-lan-zones:", "yes"},
    {"insecure-lan-zones:", "yes"},
    {"local-zone:", "test. transparent"},
    {"local-zone:", "home.arpa. transparent"},
    {"local-zone:", "127.in-addr.arpa. transparent"},
    {"local-zone:", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa. transparent"},
    {"domain-insecure:", "127.in-addr.arpa."},
    {"domain-insecure:", "home.arpa."},
    {"domain-insecure:", "local."},
    {"domain-insecure:", "internal."},
    {"domain-insecure:", "intranet."},
    {"domain-insecure:", "private."},
    {"domain-insecure:", "corp."},
    {"domain-insecure:", "home."},
    {"domain-insecure:", "lan."},
    {NULL, NULL},
};

const char *dns_find_trust_anchor(void)
{
    /* Of dns-root-data and unbound (Debian), unbound-libs (Fedora), dnssec-root (Alpine), dnssec-anchors (Arch). */
    static const char *const places[] = {
        "/usr/share/dns/root.key",         "/var/lib/unbound/root.key", "/etc/unbound/root.key", "/usr/share/dnssec-root/trusted-key.key",
        "/usr/local/etc/unbound/root.key", "/etc/trusted-key.key",
    };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i], R_OK) == 0)
            return places[i];
    return "";
}

/* A line that is neither empty nor a comment (RFC 1035 section 5.1). */
static bool has_record(struct str text)
{
    struct str line;

    while (str_cut(&text, '\n', &line)) {
        line = str_trim(line);
        if (line.length > 0 && line.data[0] != ';' && line.data[0] != '\r')
            return true;
    }
    return false;
}

bool dns_check_trust_anchor(const char *path, char *error, size_t error_size)
{
    struct buf text;
    bool good;

    buf_init(&text, ANCHORS_MOST);
    good = file_read(path, &text);
    if (!good) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    } else {
        good = has_record(buf_str(&text));
        if (!good)
            snprintf(error, error_size, "%s: there is no trust anchor in it", path);
    }
    buf_done(&text);
    return good;
}
