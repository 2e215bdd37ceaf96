#include "directory/schema.h"

#include "directory/names.h"
#include "directory/relayips.h"

#include <stdio.h>
#include <string.h>

static const char tables_sql[] =
    "CREATE TABLE IF NOT EXISTS users (id integer PRIMARY KEY AUTOINCREMENT, login varchar(255) UNIQUE, passwd varchar(255) NOT NULL,"
    " dove_passwd varchar(255), active char(1) DEFAULT 'Y', auth_relay bool DEFAULT 0, have_mailbox bool DEFAULT 0,"
    " is_catchall bool DEFAULT 0, mailbox_quota varchar(255), home varchar(255));"
    "CREATE TABLE IF NOT EXISTS aliases (id integer PRIMARY KEY AUTOINCREMENT, alias varchar(255) UNIQUE, deliver_to text, pipe text,"
    " is_dom_alias bool DEFAULT 0, is_mini_list bool DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS rcpt_hosts (id integer PRIMARY KEY AUTOINCREMENT, hostname varchar(255) UNIQUE,"
    " is_local bool DEFAULT 0, is_alias bool DEFAULT 0);"
    "CREATE TABLE IF NOT EXISTS relay_ip_oks (id integer PRIMARY KEY AUTOINCREMENT, ip varchar(255) UNIQUE);"
    "CREATE TABLE IF NOT EXISTS routes (id integer PRIMARY KEY AUTOINCREMENT, host varchar(255), local_ip varchar(255),"
    " remote_host varchar(255), remote_port bigint, priority bigint, smtp_auth_login varchar(255), smtp_auth_passwd varchar(255),"
    " mail_from varchar(255), user varchar(255));";

/* Ours, and those that the earlier tmail itself added over the years. */
struct column {
    const char *table, *name, *type;
};

static const struct column columns_1[] = {
    {"users", "dove_passwd", "varchar(255)"},
    {"users", "active", "char(1) DEFAULT 'Y'"},
    {"users", "auth_relay", "bool DEFAULT 0"},
    {"users", "have_mailbox", "bool DEFAULT 0"},
    {"users", "is_catchall", "bool DEFAULT 0"},
    {"users", "mailbox_quota", "varchar(255)"},
    {"users", "home", "varchar(255)"},
    {"aliases", "is_dom_alias", "bool DEFAULT 0"},
    {"aliases", "is_mini_list", "bool DEFAULT 0"},
    {"rcpt_hosts", "is_local", "bool DEFAULT 0"},
    {"rcpt_hosts", "is_alias", "bool DEFAULT 0"},
    {"routes", "smtp_auth_login", "varchar(255)"},
    {"routes", "smtp_auth_passwd", "varchar(255)"},
    {"routes", "mail_from", "varchar(255)"},
    {"routes", "user", "varchar(255)"},
    {"relay_ip_oks", "first_bytes", "blob"},
    {"relay_ip_oks", "last_bytes", "blob"},
    {"routes", "map_order", "integer"},
};

static const struct column columns_2[] = {
    {"users", "scram_sha256", "varchar(320)"},
    {"users", "cram_md5", "varchar(64)"},
    {"routes", "tls", "varchar(32)"},
    {"routes", "oauth", "varchar(255)"},
};

static const struct column columns_4[] = {
    {"routes", "verp", "bool DEFAULT 0"},
};

/* UNIQUE makes the indexes that lookups need. */
static const char tables_2_sql[] =
    "CREATE TABLE user_senders (id integer PRIMARY KEY AUTOINCREMENT, login varchar(255) NOT NULL, sender varchar(255) NOT NULL,"
    " UNIQUE (login, sender));"
    "CREATE TABLE oauth_clients (id integer PRIMARY KEY AUTOINCREMENT, name varchar(255) NOT NULL UNIQUE, token_url text NOT NULL,"
    " client_id text NOT NULL, client_secret text, refresh_token text, scope text);"
    /* One row of random bytes (directory.h). */
    "CREATE TABLE decoy (id integer PRIMARY KEY CHECK (id = 1), bytes blob NOT NULL);"
    "INSERT INTO decoy (id, bytes) VALUES (1, randomblob(32));"
    "CREATE INDEX routes_oauth ON routes (oauth) WHERE oauth IS NOT NULL;";

/* What the domains that we send to publish about TLS (RFC 8461), and how TLS with them went (RFC 8460). */
static const char tables_3_sql[] =
    "CREATE TABLE sts_policies (domain varchar(255) PRIMARY KEY NOT NULL, id varchar(32) NOT NULL, policy text NOT NULL,"
    " fetched integer NOT NULL, expires integer NOT NULL);"
    "CREATE TABLE tls_results (id integer PRIMARY KEY AUTOINCREMENT, day char(10) NOT NULL, domain varchar(255) NOT NULL,"
    " type varchar(16) NOT NULL, policy text NOT NULL, mx text NOT NULL, failure varchar(32) NOT NULL, mx_host varchar(255) NOT NULL,"
    " local_ip varchar(64) NOT NULL, peer_ip varchar(64) NOT NULL, reason text NOT NULL, sessions integer NOT NULL,"
    " UNIQUE (day, domain, type, policy, mx, failure, mx_host, local_ip, peer_ip, reason));"
    /* uri '': the report as such, whose addresses are not asked for yet; else one https address that it goes to.  due NULL: it is done. */
    "CREATE TABLE tls_reports (id integer PRIMARY KEY AUTOINCREMENT, day char(10) NOT NULL, domain varchar(255) NOT NULL,"
    " uri text NOT NULL DEFAULT '', due integer, claimed integer NOT NULL DEFAULT 0, attempts integer NOT NULL DEFAULT 0,"
    " UNIQUE (day, domain, uri));";

/* port 0: all; messages 0: no limit. */
static const char tables_4_sql[] =
    "CREATE TABLE limits (id integer PRIMARY KEY AUTOINCREMENT, kind varchar(8) NOT NULL CHECK (kind IN ('hop', 'domain')),"
    " name varchar(255) NOT NULL, port integer NOT NULL DEFAULT 0, messages integer NOT NULL CHECK (messages >= 0),"
    " per_ms integer NOT NULL CHECK (messages = 0 OR per_ms IN (1000, 60000, 3600000)), UNIQUE (kind, name, port));";

/* Lookups use the same expressions, to the letter: SQLite finds an index by that. */
static const char indexes_sql[] =
    "CREATE INDEX users_domain ON users (substr(login, instr(login, '@') + 1)) WHERE is_catchall;"
    "CREATE INDEX relay_ip_oks_range ON relay_ip_oks (first_bytes, last_bytes);"
    "CREATE INDEX routes_rule ON routes (ifnull(user, ''), ifnull(mail_from, ''), ifnull(nullif(host, ''), '*')) WHERE map_order IS NULL;"
    "CREATE INDEX routes_map ON routes (host, ifnull(mail_from, '*'), map_order) WHERE map_order IS NOT NULL;"
    "CREATE INDEX routes_map_order ON routes (map_order) WHERE map_order IS NOT NULL;"
    /* Where the earlier tmail's own indexes are missing. */
    "CREATE INDEX IF NOT EXISTS users_login ON users (login);"
    "CREATE INDEX IF NOT EXISTS aliases_alias ON aliases (alias);"
    "CREATE INDEX IF NOT EXISTS rcpt_hosts_hostname ON rcpt_hosts (hostname);";

/* Columns whose names become normal; what is no such name stays as it is. */
static const struct {
    const char *next, *change;
    bool (*normalize)(struct str text, char *to);
} renamings[] = {
    {"SELECT id, hostname FROM rcpt_hosts WHERE id > ?1 ORDER BY id LIMIT 1",
     "UPDATE OR IGNORE rcpt_hosts SET hostname = ?2 WHERE id = ?1", domain_normalize},
    {"SELECT id, login FROM users WHERE id > ?1 ORDER BY id LIMIT 1", "UPDATE OR IGNORE users SET login = ?2 WHERE id = ?1", name_login},
    {"SELECT id, alias FROM aliases WHERE id > ?1 ORDER BY id LIMIT 1", "UPDATE OR IGNORE aliases SET alias = ?2 WHERE id = ?1",
     name_address_or_domain},
    {"SELECT id, host FROM routes WHERE id > ?1 ORDER BY id LIMIT 1", "UPDATE routes SET host = ?2 WHERE id = ?1", domain_normalize},
    {"SELECT id, mail_from FROM routes WHERE id > ?1 ORDER BY id LIMIT 1", "UPDATE routes SET mail_from = ?2 WHERE id = ?1",
     name_address_or_domain},
    {"SELECT id, user FROM routes WHERE id > ?1 ORDER BY id LIMIT 1", "UPDATE routes SET user = ?2 WHERE id = ?1", name_user},
};

/* The row behind *ID and its text; false when there is none, or on a failure, which *OK says. */
static bool next_row(struct tables *t, const char *sql, int64_t *id, char *text, bool *ok)
{
    struct db_query *q = tables_query(t, sql);
    bool found;

    text[0] = '\0';
    *ok = q != NULL;
    if (q == NULL)
        return false;
    db_bind_int(q, 1, *id);
    found = db_step(q);
    if (found) {
        *id = db_int(q, 0);
        str_copy(db_str(q, 1), text, NAME_SIZE); /* longer ones are no names and stay */
    }
    *ok = db_finish(q);
    return found;
}

static bool rename_rows(struct tables *t, size_t which)
{
    char old[NAME_SIZE], name[NAME_SIZE];
    int64_t id = INT64_MIN;
    bool ok = true;

    while (ok && next_row(t, renamings[which].next, &id, old, &ok)) {
        struct db_query *q = tables_query(t, renamings[which].change);

        if (old[0] == '\0' || !renamings[which].normalize(str_of(old), name) || strcmp(old, name) == 0)
            continue;
        if (q == NULL)
            return false;
        db_bind_int(q, 1, id);
        db_bind_str(q, 2, str_of(name));
        ok = db_execute(q);
    }
    return ok;
}

static bool fill_ranges(struct tables *t)
{
    char text[NAME_SIZE];
    int64_t id = INT64_MIN;
    bool ok = true;

    while (ok && next_row(t, "SELECT id, ip FROM relay_ip_oks WHERE id > ?1 ORDER BY id LIMIT 1", &id, text, &ok))
        ok = relayips_fill(t, id, str_of(text));
    return ok;
}

static bool has_column(struct tables *t, const struct column *c, bool *ok)
{
    struct db_query *q = tables_query(t, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2");
    bool found;

    *ok = q != NULL;
    if (q == NULL)
        return false;
    db_bind_str(q, 1, str_of(c->table));
    db_bind_str(q, 2, str_of(c->name));
    found = db_step(q);
    *ok = db_finish(q);
    return found;
}

static bool add_columns(struct tables *t, const struct column *columns, size_t count)
{
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++) {
        char sql[256];

        if (has_column(t, &columns[i], &ok) || !ok)
            continue;
        snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %s %s", columns[i].table, columns[i].name, columns[i].type);
        ok = db_run(tables_db(t), sql);
    }
    return ok;
}

static bool to_version_1(struct tables *t)
{
    bool ok = db_run(tables_db(t), tables_sql) && add_columns(t, columns_1, sizeof columns_1 / sizeof columns_1[0]) && fill_ranges(t);

    for (size_t i = 0; ok && i < sizeof renamings / sizeof renamings[0]; i++)
        ok = rename_rows(t, i);
    return ok && db_run(tables_db(t), indexes_sql) && db_run(tables_db(t), "PRAGMA user_version=1");
}

static bool to_version_2(struct tables *t)
{
    return add_columns(t, columns_2, sizeof columns_2 / sizeof columns_2[0]) && db_run(tables_db(t), tables_2_sql) &&
           db_run(tables_db(t), "PRAGMA user_version=2");
}

static bool to_version_3(struct tables *t)
{
    return db_run(tables_db(t), tables_3_sql) && db_run(tables_db(t), "PRAGMA user_version=3");
}

static bool to_version_4(struct tables *t)
{
    return add_columns(t, columns_4, sizeof columns_4 / sizeof columns_4[0]) && db_run(tables_db(t), tables_4_sql) && db_run(tables_db(t), "PRAGMA user_version=4");
}

/* By the version that is found. */
static bool (*const steps[SCHEMA_VERSION])(struct tables *t) = {to_version_1, to_version_2, to_version_3, to_version_4};

static bool read_version(struct tables *t, int64_t *version)
{
    struct db_query *q = tables_query(t, "PRAGMA user_version");

    if (q == NULL)
        return false;
    *version = db_step(q) ? db_int(q, 0) : 0;
    return db_finish(q);
}

static struct status migrate(struct tables *t)
{
    int64_t version = 0;
    bool ok = read_version(t, &version);

    for (; ok && version < SCHEMA_VERSION; version++)
        ok = version >= 0 && steps[version](t);
    return ok ? status_ok() : tables_failed(t);
}

bool schema_prepare(struct tables *t, const char *path, char *error, size_t error_size)
{
    int64_t version = 0;
    struct status s;

    if (!read_version(t, &version)) {
        snprintf(error, error_size, "%s: %s", path, db_error(tables_db(t)));
        return false;
    }
    if (version > SCHEMA_VERSION) {
        snprintf(error, error_size, "%s: made by a newer tmail (its schema is %lld, this program knows up to %d)", path, (long long)version,
                 SCHEMA_VERSION);
        return false;
    }
    if (version == SCHEMA_VERSION)
        return true;
    s = tables_begin(t);
    if (status_is_ok(&s))
        s = migrate(t);
    s = tables_end(t, s);
    if (!status_is_ok(&s))
        snprintf(error, error_size, "%s: cannot make the tables: %s", path, s.text);
    return status_is_ok(&s);
}
