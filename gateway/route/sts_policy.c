#include "route/sts_policy.h"

#include "smtp/domain.h"

#include <string.h>

enum { NAME_MOST = 32, DIGITS_MOST = 10 };

static const struct str version = {"STSv1", 5};

static const char *const mode_names[] = {[STS_NONE] = "none", [STS_TESTING] = "testing", [STS_ENFORCE] = "enforce"};

const char *sts_mode_name(enum sts_mode mode)
{
    return mode_names[mode];
}

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* sts-ext-name, which is also what the names that we know look like. */
static bool is_name(struct str name)
{
    if (name.length == 0 || name.length > NAME_MOST || !is_alphanumeric(name.data[0]))
        return false;
    for (size_t i = 1; i < name.length; i++)
        if (!is_alphanumeric(name.data[i]) && name.data[i] != '_' && name.data[i] != '-' && name.data[i] != '.')
            return false;
    return true;
}

/* sts-ext-value; the semicolon is gone. */
static bool is_record_value(struct str value)
{
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] <= ' ' || value.data[i] > '~' || value.data[i] == '=')
            return false;
    return value.length > 0;
}

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.length; i++)
        if (!is_alphanumeric(id.data[i]))
            return false;
    return id.length > 0 && id.length < STS_ID_SIZE;
}

static bool read_record_field(struct str field, char id[STS_ID_SIZE])
{
    struct str name, value = field;

    if (!str_cut(&value, '=', &name) || !is_name(name) || !is_record_value(value))
        return false;
    if (!str_equal(name, STR("id")) || id[0] != '\0')
        return true;
    return is_id(value) && str_copy(value, id, STS_ID_SIZE);
}

bool sts_read_record(struct str record, char id[STS_ID_SIZE])
{
    struct str rest = str_from(record, sizeof "v=STSv1;" - 1), field;
    bool ok = str_starts(record, STR("v=STSv1;"));

    id[0] = '\0';
    while (ok && str_cut(&rest, ';', &field)) {
        field = str_trim(field);
        ok = (field.length == 0 && rest.data == NULL) || read_record_field(field, id); /* a semicolon may end the record */
    }
    ok = ok && id[0] != '\0';
    if (!ok)
        id[0] = '\0';
    return ok;
}

struct reading {
    struct sts_policy *policy;
    struct arena *arena;
    const char *problem;
};

static bool fail(struct reading *r, const char *problem)
{
    r->problem = problem;
    return false;
}

static bool take_version(struct reading *r, struct str value)
{
    return str_equal(value, version) || fail(r, "its version is not STSv1");
}

static bool take_mode(struct reading *r, struct str value)
{
    for (size_t i = 0; i < sizeof mode_names / sizeof mode_names[0]; i++)
        if (str_equal(value, str_of(mode_names[i]))) {
            r->policy->mode = (enum sts_mode)i;
            return true;
        }
    return fail(r, "its mode is none of enforce, testing, none");
}

/* More than the greatest age is well formed, and well-formed policies must be accepted (section 3.2): it counts as the greatest.  To refuse
 * it would take the protection away. */
static bool take_max_age(struct reading *r, struct str value)
{
    uint64_t seconds;

    if (value.length > DIGITS_MOST || !str_number(value, UINT64_MAX, &seconds))
        return fail(r, "its max_age is no number of seconds");
    r->policy->max_age = seconds < STS_AGE_MAX ? (int64_t)seconds : STS_AGE_MAX;
    return true;
}

/* ["*."] Domain; an address literal and what is no ASCII are none. */
static const char *read_pattern(struct str value, struct arena *arena)
{
    const struct str any = STR("*.");
    char pattern[DOMAIN_SIZE + 2] = "*.";
    size_t start = str_starts(value, any) ? any.length : 0;
    struct str name = str_from(value, start);

    if (!str_is_ascii(name) || str_starts(name, STR("[")) || !domain_normalize(name, pattern + start))
        return NULL;
    return arena_text(arena, str_of(pattern));
}

static bool take_mx(struct reading *r, struct str value)
{
    const char *pattern = read_pattern(value, r->arena);

    if (pattern == NULL)
        return fail(r, "an mx of it is no name of a host");
    if (r->policy->mx_count == STS_MX_MOST)
        return fail(r, "it has too many mx");
    r->policy->mx[r->policy->mx_count++] = pattern;
    return true;
}

enum { VERSION, MODE, MAX_AGE, MX, FIELDS };

static const struct {
    const char *name;
    bool (*take)(struct reading *r, struct str value);
    bool repeats;
    const char *missing;
} fields[FIELDS] = {
    [VERSION] = {"version", take_version, false, "it has no version"},
    [MODE] = {"mode", take_mode, false, "it has no mode"},
    [MAX_AGE] = {"max_age", take_max_age, false, "it has no max_age"},
    [MX] = {"mx", take_mx, true, "it has no mx"},
};

static bool take_field(struct reading *r, struct str name, struct str value, bool seen[FIELDS])
{
    for (size_t i = 0; i < FIELDS; i++) {
        if (!str_equal(name, str_of(fields[i].name)))
            continue;
        if (seen[i] && !fields[i].repeats)
            return true;
        seen[i] = true;
        return fields[i].take(r, value);
    }
    return true;
}

/* Without the end of the line; empty lines are let pass. */
static bool read_line(struct reading *r, struct str line, bool seen[FIELDS])
{
    struct str name, value;

    if (str_ends(line, STR("\r")))
        line.length--;
    value = line;
    if (str_trim(line).length == 0)
        return true;
    if (!str_has(line, ':') || !str_cut(&value, ':', &name) || !is_name(name))
        return fail(r, "a line of it has no key");
    value = str_trim(value);
    if (value.length == 0 || str_has_control(value) || !str_is_utf8(value))
        return fail(r, "a line of it has no value that can be read");
    return take_field(r, name, value, seen);
}

static bool has_all(struct reading *r, const bool seen[FIELDS])
{
    for (size_t i = 0; i < FIELDS; i++)
        if (!seen[i] && (i != MX || r->policy->mode != STS_NONE))
            return fail(r, fields[i].missing);
    return true;
}

bool sts_read_policy(struct sts_policy *p, struct str text, struct arena *arena, const char **problem)
{
    struct reading r = {.policy = p, .arena = arena};
    struct str rest = text, line;
    bool seen[FIELDS] = {false}, ok = true;

    *p = (struct sts_policy){.mx = arena_new(arena, STS_MX_MOST * sizeof *p->mx), .text = arena_str(arena, text)};
    while (ok && str_cut(&rest, '\n', &line))
        ok = read_line(&r, line, seen);
    ok = ok && has_all(&r, seen);
    *problem = r.problem;
    return ok;
}

static bool fits(struct str pattern, struct str host)
{
    size_t dot = str_find(host, '.', 0);

    if (!str_starts(pattern, STR("*.")))
        return str_equal(pattern, host);
    return dot > 0 && dot < host.length && str_equal(str_from(pattern, 1), str_from(host, dot));
}

bool sts_names(const struct sts_policy *p, const char *host)
{
    for (size_t i = 0; i < p->mx_count; i++)
        if (fits(str_of(p->mx[i]), str_of(host)))
            return true;
    return false;
}
