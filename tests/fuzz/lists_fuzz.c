/* The lists of the configuration: listeners, source addresses, and places to connect to.  First octet: which. */
#include "fuzz.h"

#include "conf/endpoint.h"
#include "conf/listeners.h"
#include "conf/local_ips.h"

static void try_listeners(struct str text, struct arena *arena)
{
    struct buf errors = {0};
    struct listeners l;
    struct str lines, line;

    if (listeners_parse(&l, text, arena, &errors)) {
        fuzz_check(l.count > 0 && errors.length == 0);
        for (size_t i = 0; i < l.count; i++)
            fuzz_check(l.items[i].address.port > 0 && l.items[i].address.family != AF_UNSPEC);
    } else {
        fuzz_check(str_ends(buf_str(&errors), STR("\n")));
    }
    lines = buf_str(&errors);
    while (str_cut(&lines, '\n', &line))
        fuzz_check(!str_has_control(line));
    buf_done(&errors);
}

static void try_local_ips(struct str text, struct arena *arena)
{
    char error[LOCAL_IPS_ERROR_SIZE] = "";
    struct local_ips l;

    if (local_ips_parse(&l, text, arena, error, sizeof error)) {
        fuzz_check(l.count > 0);
        for (size_t i = 0; i < l.count; i++)
            fuzz_check(l.items[i].family != AF_UNSPEC && l.items[i].port == 0);
    } else {
        fuzz_check(error[0] != '\0' && !str_has_control(str_of(error)));
    }
}

static void write_endpoint(const struct endpoint *e, struct buf *to)
{
    if (e->path != NULL)
        buf_print(to, "unix:%s", e->path);
    else
        buf_print(to, strchr(e->host, ':') != NULL ? "inet:[%s]:%d" : "inet:%s:%d", e->host, e->port);
}

static bool are_same(const struct endpoint *a, const struct endpoint *b)
{
    if ((a->path == NULL) != (b->path == NULL))
        return false;
    return a->path != NULL ? strcmp(a->path, b->path) == 0 : strcmp(a->host, b->host) == 0 && a->port == b->port;
}

static void check_endpoint(const struct endpoint *e)
{
    fuzz_check((e->path == NULL) != (e->host == NULL));
    if (e->path != NULL)
        fuzz_check(e->path[0] == '/' && strlen(e->path) < ENDPOINT_PATH_SIZE && e->port == 0);
    else
        fuzz_check(e->host[0] != '\0' && !str_has_control(str_of(e->host)) && e->port > 0 && e->port <= 65535);
}

/* What was read, written, is read as the same. */
static void try_endpoint(struct str text, struct arena *arena)
{
    struct endpoint e, again;
    struct buf written = {0};

    if (!endpoint_parse(&e, text, arena))
        return;
    check_endpoint(&e);
    write_endpoint(&e, &written);
    fuzz_check(endpoint_parse(&again, buf_str(&written), arena) && are_same(&e, &again));
    buf_done(&written);
}

static void try_endpoints(struct str text, struct arena *arena)
{
    struct endpoints list, again;
    struct buf written = {0};

    if (!endpoints_parse(&list, text, arena))
        return;
    fuzz_check(list.count > 0 && list.count <= ENDPOINTS_MAX);
    for (size_t i = 0; i < list.count; i++) {
        check_endpoint(&list.items[i]);
        write_endpoint(&list.items[i], &written);
        buf_add_byte(&written, ';');
    }
    fuzz_check(endpoints_parse(&again, buf_str(&written), arena) && again.count == list.count);
    for (size_t i = 0; i < list.count; i++)
        fuzz_check(are_same(&list.items[i], &again.items[i]));
    buf_done(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const lists[])(struct str text, struct arena *arena) = {try_listeners, try_local_ips, try_endpoint, try_endpoints};
    struct arena arena = {0};

    if (size < 1)
        return 0;
    lists[data[0] & 3](fuzz_input(data + 1, size - 1), &arena);
    arena_done(&arena);
    return 0;
}
