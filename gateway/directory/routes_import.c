#include "directory/routes_import.h"

#include "base/memory.h"
#include "directory/route_secret.h"
#include "directory/sealed.h"
#include "directory/route_text.h"
#include "directory/routes.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct import_remote {
    const char *host;
    int port;
    int priority;
};

struct import_route {
    const char *name;
    const char *local_ips; /* NULL: default_ip, and without it TMAIL_DELIVERD_LOCAL_IPS */
    const char *login, *password; /* NULL: none */
    size_t remote_count;
    struct import_remote *remotes;
};

/* A line and where it stands. */
struct place {
    const char *file;
    int line;
    struct str text;
};

enum { FIELDS_MAX = 8, QUOTED_MAX = 60 };

struct fields {
    size_t count; /* also when it is more than FIELDS_MAX */
    struct str items[FIELDS_MAX];
};

static void add_printable(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.length && i < QUOTED_MAX; i++)
        buf_add_byte(b, (unsigned char)text.data[i] < 32 || text.data[i] == 127 ? '?' : text.data[i]);
    if (text.length > QUOTED_MAX)
        buf_add_text(b, "…");
}

/* SUBJECT is quoted in front of WHAT unless it is empty. */
static void complain(struct routes_import *r, const struct place *p, struct str subject, const char *what)
{
    if (r->bad++ >= IMPORT_COMPLAINTS_MAX)
        return;
    buf_print(&r->complaints, "%s:%d: ", p->file, p->line);
    if (subject.length > 0) {
        buf_add_byte(&r->complaints, '"');
        add_printable(&r->complaints, subject);
        buf_add_text(&r->complaints, "\": ");
    }
    buf_add_text(&r->complaints, what);
    buf_add_byte(&r->complaints, '\n');
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct str trim(struct str s)
{
    while (s.length > 0 && is_space(s.data[0]))
        s = str_from(s, 1);
    while (s.length > 0 && is_space(s.data[s.length - 1]))
        s.length--;
    return s;
}

/* The next line that says something. */
static bool next_line(struct str *rest, struct place *p)
{
    struct str line;

    while (str_cut(rest, '\n', &line)) {
        p->line++;
        p->text = trim(line);
        if (p->text.length > 0 && p->text.data[0] != '#')
            return true;
    }
    return false;
}

static void split(struct str line, struct fields *f)
{
    struct str item;

    *f = (struct fields){0};
    while (str_cut(&line, ';', &item)) {
        if (f->count < FIELDS_MAX)
            f->items[f->count] = item;
        f->count++;
    }
}

static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = ascii_lower(name.data[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            return false;
    }
    return name.length > 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct import_route *)a)->name, ((const struct import_route *)b)->name);
}

static const char *read_remotes(struct routes_import *r, struct str text, struct import_route *route)
{
    struct route_list list = {.count = 1, .items = {STR("mx")}};
    const char *wrong = text.length > 0 ? route_list_read(text, &list) : NULL;
    char host[DOMAIN_SIZE];

    route->remote_count = list.count;
    route->remotes = arena_new(&r->arena, (list.count + 1) * sizeof *route->remotes);
    for (size_t i = 0; wrong == NULL && i < list.count; i++) {
        struct import_remote *remote = &route->remotes[i];

        wrong = route_remote_port_read(list.items[i], host, &remote->port);
        remote->host = arena_text(&r->arena, str_of(host));
        remote->priority = list.in_turn ? ROUTE_PRIORITY_DEFAULT : ROUTE_PRIORITY_DEFAULT + (int)i;
        if (wrong == NULL && list.in_turn && strcmp(remote->host, "mx") == 0)
            wrong = "mx in a list that takes turns (expected mx alone or in a list with &)";
    }
    return wrong;
}

static const char *read_locals(struct routes_import *r, struct str text, struct import_route *route)
{
    struct buf ips = {0};
    const char *wrong = text.length > 0 ? route_locals_read(text, &ips) : NULL;

    if (wrong == NULL && ips.length > 0)
        route->local_ips = arena_text(&r->arena, buf_str(&ips));
    buf_done(&ips);
    return wrong;
}

static const char *read_credentials(struct routes_import *r, struct str login, struct str password, struct import_route *route)
{
    if ((login.length == 0) != (password.length == 0))
        return "USERNAME without PASSWORD, or the other way round (expected both or neither)";
    if (str_has_control(login) || str_has_control(password))
        return "control character in USERNAME or PASSWORD (expected none)";
    if (login.length > 0) {
        route->login = arena_text(&r->arena, login);
        route->password = arena_text(&r->arena, password);
    }
    return NULL;
}

static void remember(struct routes_import *r, const struct place *p, struct import_route *route)
{
    void *node = tsearch(route, &r->names, compare_names);
    const struct import_route *first;

    if (node == NULL)
        abort();
    first = *(struct import_route **)node;
    if (first == route)
        r->route_count++;
    else
        complain(r, p, str_of(route->name), "a route of this name stands above (expected a name of its own)");
}

static void read_fields(struct routes_import *r, const struct place *p, const struct fields *f, struct import_route *route)
{
    const char *wrong = read_locals(r, f->items[1], route);

    if (wrong != NULL)
        complain(r, p, f->items[1], wrong);
    wrong = read_remotes(r, f->items[2], route);
    if (wrong != NULL)
        complain(r, p, f->items[2], wrong);
    wrong = read_credentials(r, f->items[3], f->items[4], route);
    if (wrong != NULL)
        complain(r, p, (struct str){0}, wrong);
}

static void read_route(struct routes_import *r, const struct place *p)
{
    struct import_route *route = arena_new(&r->arena, sizeof *route);
    struct fields f;

    split(p->text, &f);
    if (f.count != 5)
        complain(r, p, (struct str){0}, "wrong number of fields (expected NAME;LOCAL_ADDRESSES;REMOTE_ADDRESSES;USERNAME;PASSWORD)");
    else
        read_fields(r, p, &f, route);
    if (!is_name(f.items[0])) {
        complain(r, p, f.items[0], "bad name (expected letters and digits)");
    } else if (str_equal(f.items[0], STR("default"))) {
        complain(r, p, f.items[0], "the name is reserved (expected another)");
    } else {
        /* Also after a complaint: the lines of routemap that name it are not to blame. */
        route->name = arena_text(&r->arena, f.items[0]);
        remember(r, p, route);
    }
}

static void add_line(struct routes_import *r, const struct import_line *line)
{
    if (r->line_count == r->line_room) {
        r->line_room = r->line_room > 0 ? 2 * r->line_room : 64;
        r->lines = memory_resize(r->lines, r->line_room * sizeof *r->lines);
    }
    r->lines[r->line_count++] = *line;
}

/* A domain in normal form; NULL when it is none. */
static const char *read_domain(struct routes_import *r, struct str text)
{
    char domain[DOMAIN_SIZE];

    return domain_normalize(text, domain) ? arena_text(&r->arena, str_of(domain)) : NULL;
}

static const struct import_route *find_route(const struct routes_import *r, struct str name)
{
    char text[256];
    const struct import_route key = {.name = text};
    void *node = str_copy(name, text, sizeof text) ? tfind(&key, &r->names, compare_names) : NULL;

    if (node != NULL)
        return *(struct import_route **)node;
    return NULL;
}

static void read_map_line(struct routes_import *r, const struct place *p)
{
    struct import_line line = {.sender = "bounce", .domain = "*"};
    size_t bad = r->bad;
    struct fields f;

    split(p->text, &f);
    if (f.count != 3) {
        complain(r, p, (struct str){0}, "wrong number of fields (expected SENDERDOMAIN;RCPTDOMAIN;ROUTE)");
        return;
    }
    if (str_equal(f.items[0], STR("*")))
        line.sender = NULL;
    else if (!str_equal_nocase(f.items[0], STR("bounce")) && (line.sender = read_domain(r, f.items[0])) == NULL)
        complain(r, p, f.items[0], "bad sender (expected a domain, * or bounce)");
    if (!str_equal(f.items[1], STR("*")) && (line.domain = read_domain(r, f.items[1])) == NULL)
        complain(r, p, f.items[1], "bad destination (expected a domain or *)");
    line.route = find_route(r, f.items[2]);
    if (line.route == NULL)
        complain(r, p, f.items[2], "unknown route (expected a NAME of the file routes)");
    if (r->bad == bad)
        add_line(r, &line);
}

static void read_default_ip(struct routes_import *r, const struct import_file *file)
{
    struct place p = {.file = file->name};
    struct str rest = file->text;
    struct address a;
    char text[ADDRESS_TEXT_SIZE];

    if (!next_line(&rest, &p)) {
        p.line = 1;
        complain(r, &p, (struct str){0}, "no address (expected an IP address)");
    } else if (!address_parse(&a, p.text)) {
        complain(r, &p, p.text, "bad address (expected an IP address)");
    } else {
        address_text(&a, text);
        r->default_ip = arena_text(&r->arena, str_of(text));
    }
}

static void read_lines(struct routes_import *r, const struct import_file *file,
                       void (*read)(struct routes_import *r, const struct place *p))
{
    struct place p = {.file = file->name};
    struct str rest = file->text;

    while (next_line(&rest, &p))
        read(r, &p);
}

bool routes_import_part(const char *path, enum import_part *part)
{
    static const char *const names[IMPORT_PARTS] = {"routes", "routemap", "defaultoutgoingip"};
    const char *slash = strrchr(path, '/');

    for (size_t i = 0; i < IMPORT_PARTS; i++)
        if (strcmp(slash != NULL ? slash + 1 : path, names[i]) == 0) {
            *part = (enum import_part)i;
            return true;
        }
    return false;
}

bool routes_import_read(struct routes_import *r, const struct import_file files[IMPORT_PARTS])
{
    arena_init(&r->arena);
    if (files[IMPORT_DEFAULT_IP].name != NULL)
        read_default_ip(r, &files[IMPORT_DEFAULT_IP]);
    read_lines(r, &files[IMPORT_ROUTES], read_route);
    read_lines(r, &files[IMPORT_ROUTEMAP], read_map_line);
    if (r->bad > IMPORT_COMPLAINTS_MAX)
        buf_print(&r->complaints, "and %zu more\n", r->bad - IMPORT_COMPLAINTS_MAX);
    return r->bad == 0;
}

static void leave_in_arena(void *route)
{
    (void)route;
}

void routes_import_done(struct routes_import *r)
{
    tdestroy(r->names, leave_in_arena);
    memory_free(&r->lines);
    buf_done(&r->complaints);
    arena_done(&r->arena);
    *r = (struct routes_import){0};
}

static struct status insert_row(struct tables *t, struct secrets *secrets, const struct route_row *r)
{
    struct route_row sealed = *r;
    struct buf password = {0};
    struct status s = route_secret_seal(secrets, r, &password);

    sealed.password = buf_str(&password);
    if (status_is_ok(&s))
        s = routes_insert(t, &sealed);
    buf_done(&password);
    return s;
}

static struct status insert_line(struct tables *t, struct secrets *secrets, const struct routes_import *r, size_t place)
{
    const struct import_line *line = &r->lines[place];
    struct status s = status_ok();

    for (size_t i = 0; status_is_ok(&s) && i < line->route->remote_count; i++) {
        const struct import_remote *remote = &line->route->remotes[i];
        const struct route_row row = {
            .host = str_of(line->domain),
            .remote_host = str_of(remote->host),
            .local_ips = str_of(line->route->local_ips != NULL ? line->route->local_ips : r->default_ip),
            .login = str_of(line->route->login),
            .password = str_of(line->route->password),
            .mail_from = str_of(line->sender),
            .port = remote->port,
            .priority = remote->priority,
            .map_order = (int64_t)place,
        };

        s = insert_row(t, secrets, &row);
    }
    return s;
}

struct status routes_import_store(struct tables *t, struct secrets *secrets, const struct routes_import *r)
{
    struct status s = tables_begin(t);

    if (status_is_ok(&s))
        s = sealed_check(t, secrets);
    if (status_is_ok(&s))
        s = tables_execute(t, tables_query(t, "DELETE FROM routes WHERE map_order IS NOT NULL"));
    for (size_t i = 0; status_is_ok(&s) && i < r->line_count; i++)
        s = insert_line(t, secrets, r, i);
    return tables_end(t, s);
}
