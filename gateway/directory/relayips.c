#include "directory/relayips.h"

#include <stdio.h>
#include <string.h>

enum { NETWORK_TEXT_SIZE = ADDRESS_TEXT_SIZE + 5 };

struct network {
    unsigned char first[16], last[16];
    char text[NETWORK_TEXT_SIZE];
};

static struct str bytes16(const unsigned char *bytes)
{
    return (struct str){(const char *)bytes, 16};
}

enum answer relayips_find(struct tables *t, const struct address *client)
{
    /* IPv4 addresses lie in the middle of the IPv6 ones, and no IPv6 network may cover them. */
    static const unsigned char ipv6_start[16], ipv4_start[16] = {[10] = 0xff, [11] = 0xff};
    struct db_query *q =
        tables_query(t, "SELECT 1 FROM relay_ip_oks WHERE first_bytes >= ?2 AND first_bytes <= ?1 AND last_bytes >= ?1 LIMIT 1");
    unsigned char own[16];
    bool found;

    if (q == NULL)
        return ANSWER_FAILED;
    if (client->family != AF_INET && client->family != AF_INET6)
        return ANSWER_NO;
    address_bytes16(client, own);
    db_bind_blob(q, 1, bytes16(own));
    db_bind_blob(q, 2, bytes16(client->family == AF_INET ? ipv4_start : ipv6_start));
    found = db_step(q);
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

static int width(const struct address *a)
{
    return a->family == AF_INET ? 32 : 128;
}

static void write_network(const struct address *a, int length, char *to)
{
    char text[ADDRESS_TEXT_SIZE];

    address_text(a, text);
    if (length == width(a))
        snprintf(to, NETWORK_TEXT_SIZE, "%s", text);
    else
        snprintf(to, NETWORK_TEXT_SIZE, "%s/%d", text, length);
}

/* The network that somebody meant who wrote an address of it with a length. */
static bool name_network(struct str text, char *to)
{
    size_t slash = str_find(text, '/', 0);
    unsigned char first[16], last[16];
    struct address a;
    uint64_t length;

    if (!address_parse(&a, str_part(text, 0, slash)) || !str_number(str_from(text, slash + 1), (uint64_t)width(&a), &length))
        return false;
    address_range(&a, (int)length, first, last);
    memcpy(a.bytes, a.family == AF_INET ? first + 12 : first, a.family == AF_INET ? 4 : 16);
    write_network(&a, (int)length, to);
    return true;
}

static struct status read_network(struct str text, struct network *n)
{
    char meant[NETWORK_TEXT_SIZE];
    struct address a;
    int length;

    if (address_parse_network(&a, &length, text)) {
        address_range(&a, length, n->first, n->last);
        write_network(&a, length, n->text);
        return status_ok();
    }
    if (name_network(text, meant))
        return tables_refused("%.*s has bits set behind its length, the network is %s", STR_ARG(text), meant);
    return tables_refused("\"%.*s\" is no address or network (expected IP or IP/LENGTH)", STR_ARG(text));
}

static struct status insert(struct tables *t, const struct network *n)
{
    struct db_query *q = tables_query(t, "INSERT INTO relay_ip_oks (ip, first_bytes, last_bytes) VALUES (?1, ?2, ?3)");
    struct status s;

    if (q == NULL)
        return tables_failed(t);
    db_bind_str(q, 1, str_of(n->text));
    db_bind_blob(q, 2, bytes16(n->first));
    db_bind_blob(q, 3, bytes16(n->last));
    s = tables_execute(t, q);
    if (!status_is_ok(&s) && db_was_constraint(tables_db(t)))
        s = tables_refused("%s may relay already", n->text);
    return s;
}

struct status relayips_add(struct tables *t, struct str network)
{
    struct network n;
    struct status s = read_network(network, &n);

    return status_is_ok(&s) ? insert(t, &n) : s;
}

struct status relayips_del(struct tables *t, struct str network)
{
    struct db_query *q = tables_query(t, "DELETE FROM relay_ip_oks WHERE ip = ?1");
    struct network n;
    struct status s = read_network(network, &n);

    if (q == NULL)
        return tables_failed(t);
    /* What an earlier tmail took for an address can be named as it is. */
    db_bind_str(q, 1, status_is_ok(&s) ? str_of(n.text) : network);
    if (!db_execute(q))
        return tables_failed(t);
    if (db_changes(tables_db(t)) > 0)
        return status_ok();
    return status_is_ok(&s) ? tables_refused("%s is not in the list of relay IPs", n.text) : s;
}

struct status relayips_list(struct tables *t, void (*row)(void *context, int64_t id, struct str ip), void *context)
{
    struct db_query *q = tables_query(t, "SELECT id, ip FROM relay_ip_oks ORDER BY first_bytes, last_bytes DESC, id");

    if (q == NULL)
        return tables_failed(t);
    while (db_step(q))
        row(context, db_int(q, 0), db_str(q, 1));
    return db_finish(q) ? status_ok() : tables_failed(t);
}

bool relayips_fill(struct tables *t, int64_t id, struct str ip)
{
    struct db_query *range = tables_query(t, "UPDATE relay_ip_oks SET first_bytes = ?2, last_bytes = ?3 WHERE id = ?1");
    struct db_query *text = tables_query(t, "UPDATE OR IGNORE relay_ip_oks SET ip = ?2 WHERE id = ?1");
    struct network n;
    struct status s = read_network(ip, &n);

    if (!status_is_ok(&s))
        return true;
    if (range == NULL || text == NULL)
        return false;
    db_bind_int(range, 1, id);
    db_bind_blob(range, 2, bytes16(n.first));
    db_bind_blob(range, 3, bytes16(n.last));
    db_bind_int(text, 1, id);
    db_bind_str(text, 2, str_of(n.text));
    return db_execute(range) && db_execute(text);
}
