#include "conf/checks.h"

#include "conf/endpoint.h"
#include "conf/listeners.h"
#include "conf/local_ips.h"
#include "conf/rate.h"
#include "conf/sasl_list.h"
#include "conf/times.h"
#include "conf/tls_policy.h"
#include "conf/value.h"
#include "sasl/mechanism.h"
#include "smtp/path.h"
#include "smtp/srs.h"
#include "smtp/verp.h"

#include <netdb.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool complain(struct buf *problems, const char *value, const char *problem)
{
    value_quote(problems, str_of(value));
    buf_print(problems, " %s\n", problem);
    return false;
}

static const char *normal_name(struct str name, struct arena *arena)
{
    char normal[DOMAIN_SIZE];

    if (str_starts(name, STR("[")) || !domain_normalize(name, normal))
        return NULL;
    return arena_text(arena, str_of(normal));
}

bool check_me(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    const char *normal = normal_name(str_of(value), arena);

    if (normal == NULL)
        return complain(problems, value, "is no host name (expected a name such as mx.example.org)");
    *keep = normal;
    return true;
}

bool check_domain_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    const char *normal = value[0] != '\0' ? normal_name(str_of(value), arena) : value;

    if (normal == NULL)
        return complain(problems, value, "is no domain");
    *keep = normal;
    return true;
}

static const char *full_name(struct str name, struct arena *arena)
{
    const char *normal = normal_name(name, arena);

    return normal != NULL && str_has(str_of(normal), '.') ? normal : NULL;
}

static const char *resolved_name(const char *host, struct arena *arena)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    struct addrinfo *found = NULL;
    const char *name = NULL;

    if (getaddrinfo(host, NULL, &hints, &found) == 0 && found != NULL && found->ai_canonname != NULL)
        name = full_name(str_of(found->ai_canonname), arena);
    if (found != NULL)
        freeaddrinfo(found);
    return name;
}

const char *find_me(struct arena *arena, struct buf *problems)
{
    char host[DOMAIN_SIZE] = "";
    const char *name;

    if (gethostname(host, sizeof host - 1) != 0)
        host[0] = '\0';
    name = full_name(str_of(host), arena);
    if (name == NULL)
        name = resolved_name(host, arena);
    if (name == NULL)
        complain(problems, host, "is the name of this host and no full one: set TMAIL_ME to the name that other mail servers know it by, "
                                 "such as mx.example.org");
    return name;
}

bool check_user(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    (void)keep;
    (void)arena;
    if (value[0] == '\0' || strpbrk(value, " \t:/") != NULL)
        return complain(problems, value, "is no user name (expected the name of a user of this host)");
    return true;
}

static bool is_folder(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

bool check_logpath(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    static const char *const words[] = {"stdout", "syslog", "journal"};

    (void)keep;
    (void)arena;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(value, words[i]) == 0)
            return true;
    if (value[0] != '/')
        return complain(problems, value,
                        "is no log destination (expected stdout, syslog, journal or the absolute path of an existing directory)");
    if (!is_folder(value))
        return complain(problems, value,
                        "is no directory (expected stdout, syslog, journal or the absolute path of an existing directory)");
    return true;
}

bool check_path(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    (void)keep;
    (void)arena;
    if (value[0] != '/')
        return complain(problems, value, "is no absolute path (expected one that starts with /)");
    return true;
}

bool check_folder(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    if (!check_path(value, keep, arena, problems))
        return false;
    if (!is_folder(value))
        return complain(problems, value, "is no directory (expected the absolute path of an existing directory)");
    return true;
}

bool check_not_empty(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    (void)keep;
    (void)arena;
    return value[0] != '\0' || complain(problems, value, "is no path (expected the path of a file)");
}

bool check_path_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    return value[0] == '\0' || check_path(value, keep, arena, problems);
}

bool check_folder_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    return value[0] == '\0' || check_folder(value, keep, arena, problems);
}

bool check_file_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct stat s;

    if (value[0] == '\0')
        return true;
    if (!check_path(value, keep, arena, problems))
        return false;
    if (stat(value, &s) != 0 || !S_ISREG(s.st_mode))
        return complain(problems, value, "is no file (expected the absolute path of an existing file)");
    return true;
}

bool check_address_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct path path;

    (void)keep;
    if (value[0] == '\0' || (path_parse_address(&path, str_of(value), arena) == PATH_OK && path.host.length > 0 && !path.utf8))
        return true;
    return complain(problems, value, "is no mail address in ASCII (expected LOCAL@DOMAIN)");
}

bool check_times(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct times times;

    (void)keep;
    (void)arena;
    return times_parse(&times, str_of(value), problems);
}

bool check_rate(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct rate rate;

    (void)keep;
    (void)arena;
    return rate_parse(&rate, str_of(value)) || complain(problems, value, "is no rate (expected such as 10/second, 100/minute or 1000/hour)");
}

bool check_dns_forward(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    (void)keep;
    (void)arena;
    return dns_check_forward(value, problems);
}

bool check_verp_delimiters(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    (void)keep;
    (void)arena;
    return verp_delimiters_are_valid(str_of(value)) || complain(problems, value, "is not two different ones of -+=_~#");
}

bool check_sasl_list(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct sasl_list unused;

    (void)keep;
    (void)arena;
    return sasl_list_parse(&unused, str_of(value), problems);
}

/* What a Go program may have left behind the path: the driver's only setting that has a meaning here. */
static bool is_known_tail(struct str tail)
{
    const struct str known = STR("_busy_timeout=");
    uint64_t number;

    return str_starts(tail, known) && str_number(str_from(tail, known.length), INT32_MAX, &number);
}

bool check_db_source(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct str text = str_of(value);
    size_t mark = str_find(text, '?', 0);

    if (!check_path(value, keep, arena, problems))
        return false;
    if (str_ends(str_part(text, 0, mark), STR("/")))
        return complain(problems, value, "is no path of a file (expected one such as /var/lib/tmail/tmail.db)");
    if (mark < text.length && !is_known_tail(str_from(text, mark + 1)))
        return complain(problems, value, "has an unknown setting behind the ? (expected nothing, or _busy_timeout=MILLISECONDS)");
    return true;
}

bool check_listeners(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct listeners unused;

    (void)keep;
    return listeners_parse(&unused, str_of(value), arena, problems);
}

bool check_endpoints(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct endpoints endpoints;

    (void)keep;
    return endpoints_parse(&endpoints, str_of(value), arena) ||
           complain(problems, value, "names no place to connect to (expected " ENDPOINT_EXPECTED ", or several, separated by ;)");
}

bool check_endpoint_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct endpoint endpoint;

    (void)keep;
    return value[0] == '\0' || endpoint_parse(&endpoint, str_of(value), arena) ||
           complain(problems, value, "names no place to connect to (expected " ENDPOINT_EXPECTED ")");
}

bool check_tls_rule(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct tls_rule rule;

    (void)keep;
    (void)arena;
    return tls_rule_parse(&rule, str_of(value)) || complain(problems, value, "is no rule for TLS (expected " TLS_RULE_EXPECTED ")");
}

bool check_domains(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct str rest = str_of(value), item;
    struct buf list = {0};
    char normal[DOMAIN_SIZE];
    bool ok = true;

    if (strcmp(value, "*") == 0)
        return true;
    while (ok && str_cut_any(&rest, ";, ", &item)) {
        if (item.length == 0)
            continue;
        ok = domain_normalize(item, normal);
        if (list.length > 0)
            buf_add_byte(&list, ';');
        buf_add_text(&list, normal);
    }
    *keep = arena_text(arena, buf_str(&list));
    buf_done(&list);
    return ok || complain(problems, value, "is no list of domains (expected domains, separated by ;, or * for all)");
}

bool check_delimiter(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    (void)keep;
    (void)arena;
    return value[0] == '\0' || (strchr("+-_=~#", value[0]) != NULL && value[1] == '\0') ||
           complain(problems, value, "cannot stand between a name and a detail (expected one of + - _ = ~ #, or nothing)");
}

bool check_user_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    return value[0] == '\0' || check_user(value, keep, arena, problems);
}

bool check_local_ips(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    struct local_ips unused;
    char error[LOCAL_IPS_ERROR_SIZE];

    (void)keep;
    if (local_ips_parse(&unused, str_of(value), arena, error, sizeof error))
        return true;
    buf_print(problems, "%s\n", error);
    return false;
}

bool rule_something_to_do(const struct conf *c)
{
    return c->smtpd_launch || c->deliverd_launch;
}

bool rule_srs_secret(const struct conf *c)
{
    return c->srs_domain[0] == '\0' || strlen(c->srs_secret) >= SRS_SECRET_MIN;
}

bool rule_retry_order(const struct conf *c)
{
    return c->deliverd_retry_min <= c->deliverd_retry_max;
}

/* Dovecot may know others; we speak those of sasl/mechanism.h, but OAuth's to next hops only. */
bool rule_own_mechanisms(const struct conf *c)
{
    struct sasl_list list;
    struct buf unused = {0};
    enum sasl_mechanism m;
    bool ok = sasl_list_parse(&list, str_of(c->smtpd_auth_mechanisms), &unused);

    buf_done(&unused);
    for (size_t i = 0; c->dovecot_auth[0] == '\0' && i < list.count; i++)
        ok = ok && sasl_mechanism_find(str_of(list.names[i]), &m) && m != SASL_OAUTHBEARER && m != SASL_XOAUTH2;
    return ok;
}
