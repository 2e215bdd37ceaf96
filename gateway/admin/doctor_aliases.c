#include "admin/doctor.h"

#include "directory/aliases.h"
#include "directory/rcpthosts.h"
#include "directory/recipients.h"
#include "lmtp/probe.h"
#include "policy/expand.h"

/* Of aliases that are wrong as many are named; the others are counted. */
enum { ALIASES_NAMED = 5, ERROR_SIZE = 1024 };

struct visit {
    struct doctor *doctor;
    struct tables *tables;
    struct directory directory;
    size_t seen, wrong;
    struct arena arena; /* of one alias */
};

/* The directory of those who receive, without a right to change what it reads. */
static enum answer find_rcpthost(void *self, struct str domain, struct rcpthost *host)
{
    return rcpthosts_find(self, domain, host);
}

static enum answer find_local(void *self, struct str local, struct str domain, char delimiter, struct arena *arena, struct local *found)
{
    return recipients_find(self, local, domain, delimiter, arena, found);
}

static bool open_visit(struct visit *v, struct doctor *d)
{
    char error[ERROR_SIZE];

    *v = (struct visit){.doctor = d, .tables = tables_open_read(d->conf->db_path, error, sizeof error)};
    v->directory = (struct directory){.self = v->tables, .rcpthost = find_rcpthost, .local = find_local};
    arena_init(&v->arena);
    return v->tables != NULL; /* why not is said by doctor_database */
}

static void close_visit(struct visit *v)
{
    arena_done(&v->arena);
    tables_close(&v->tables);
}

static enum answer is_local(struct visit *v, struct str domain)
{
    struct rcpthost host;
    enum answer answer = rcpthosts_find(v->tables, domain, &host);

    return answer == ANSWER_YES && !host.is_local ? ANSWER_NO : answer;
}

/* The directory is all there is to say who has an address: no route leads elsewhere, and Dovecot is asked of no other. */
static bool is_ours(struct visit *v, struct str domain)
{
    return is_local(v, domain) == ANSWER_YES && !probe_is_for(v->doctor->conf, domain) && doctor_has_route(v->tables, domain) == ANSWER_NO;
}

static bool judge_expansion(struct visit *v, const struct path *path, struct buf *reason)
{
    struct expansion x;

    policy_expand(&x, &v->directory, v->doctor->conf, path, &v->arena);
    if (!status_is_ok(&x.status)) {
        buf_add_text(reason, x.status.text);
        return false;
    }
    for (const struct target *t = x.targets; t != NULL; t = t->next)
        if (!t->is_command && t->mailbox.length == 0 && !t->is_outside && is_ours(v, t->path.host)) {
            buf_print(reason, "nobody has the address %.*s", STR_ARG(t->path.address));
            return false;
        }
    return true;
}

static bool is_address(struct visit *v, struct str text, struct path *path)
{
    return path_parse_address(path, text, &v->arena) == PATH_OK && path->host.length > 0;
}

static bool judge_addresses(struct visit *v, struct str addresses, struct buf *reason)
{
    struct str address;
    struct path path;

    while (str_cut_any(&addresses, ";", &address)) {
        address = str_trim(address);
        if (address.length == 0 || is_address(v, address, &path))
            continue;
        buf_print(reason, "it leads to \"%.*s\", which is no address", STR_ARG(address));
        return false;
    }
    return true;
}

static bool judge_domain(struct visit *v, struct str domain, struct buf *reason)
{
    if (is_local(v, domain) != ANSWER_NO)
        return true;
    buf_print(reason, "%.*s is no local domain (tmail rcpthost add -l %.*s)", STR_ARG(domain), STR_ARG(domain));
    return false;
}

static bool judge_alias(struct visit *v, const struct alias_row *r, struct buf *reason)
{
    struct path path;

    if (r->is_domain)
        return judge_domain(v, r->deliver_to, reason);
    if (!is_address(v, r->alias, &path)) {
        buf_add_text(reason, "it is no address itself");
        return false;
    }
    if (r->deliver_to.length == 0 && r->pipe.length == 0) {
        buf_add_text(reason, "it stands for nothing");
        return false;
    }
    return judge_domain(v, path.host, reason) && judge_addresses(v, r->deliver_to, reason) && judge_expansion(v, &path, reason);
}

static void take_alias(void *context, const struct alias_row *r)
{
    struct visit *v = context;
    struct buf reason = {0};

    v->seen++;
    if (!judge_alias(v, r, &reason) && v->wrong++ < ALIASES_NAMED)
        doctor_wrong(v->doctor, "%.*s: %s: mend it by tmail alias del and tmail alias add, or add who is missing (tmail user add -m)",
                     STR_ARG(r->alias), buf_text(&reason));
    buf_done(&reason);
    arena_done(&v->arena);
    arena_init(&v->arena);
}

static void sum_up(const struct visit *v)
{
    if (v->wrong > ALIASES_NAMED)
        doctor_wrong(v->doctor, "and %zu more: %zu of %zu aliases are wrong (tmail alias list)", v->wrong - ALIASES_NAMED, v->wrong,
                     v->seen);
    else if (v->seen > 0 && v->wrong == 0)
        doctor_ok(v->doctor, "%zu, all of them lead to somebody", v->seen);
}

void doctor_aliases(struct doctor *d)
{
    struct visit v;
    struct status s;

    if (open_visit(&v, d)) {
        s = aliases_list(v.tables, take_alias, &v);
        if (status_is_ok(&s))
            sum_up(&v);
        else
            doctor_wrong(d, "the aliases cannot be read (%s): a start of tmail brings an older database up to date", s.text);
    }
    close_visit(&v);
}

void doctor_postmaster(struct doctor *d)
{
    struct buf reason = {0};
    struct path path;
    struct visit v;

    if (d->conf->postmaster[0] == '\0')
        return; /* doctor_domains says which domains need one */
    if (open_visit(&v, d) && is_address(&v, str_of(d->conf->postmaster), &path)) {
        if (judge_expansion(&v, &path, &reason))
            doctor_ok(d, "TMAIL_POSTMASTER, %s, is somebody's address", d->conf->postmaster);
        else
            doctor_wrong(d, "TMAIL_POSTMASTER is %s, and %s: name an address that somebody reads, or make that mailbox (tmail user add -m)",
                         d->conf->postmaster, buf_text(&reason));
    }
    close_visit(&v);
    buf_done(&reason);
}
