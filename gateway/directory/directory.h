/*
 * directory - who is served: domains, users, aliases, relay clients, routes, limits.
 *
 * A struct directory is a set of questions.  SQLite answers them here (directory_open_sql); another source fills the same struct of
 * functions.  Every question has three answers: yes, no, and "could not be asked", and the third is never taken for one of the others.
 * Domains and addresses are asked for in normal form: domains as domain_normalize writes them, local parts as they are.
 * All functions may be called from any thread; they block for a database read, not for the network.  What they hand out is copied
 * into the caller's struct or arena.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "base/arena.h"
#include "base/str.h"
#include "conf/rate.h"
#include "net/address.h"
#include "sasl/keys.h"

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_FAILED };

struct rcpthost {
    bool is_local; /* mailboxes of ours; else we relay for it */
    bool is_alias;
};

/* One line of the routes table; strings live in the arena of the call, NULL where the column is empty. */
struct route {
    int64_t id;
    const char *host;        /* destination in normal form, or "*" */
    const char *remote_host; /* name, address or "mx" */
    int remote_port;
    int priority;            /* lower first */
    const char *local_ips;   /* "a&b" in order, "a|b" in turn; NULL: TMAIL_DELIVERD_LOCAL_IPS */
    const char *login;       /* SMTP AUTH at the next hop; NULL: none */
    const char *password;    /* as it is stored, sealed (secrets.h); NULL: none */
    const char *oauth;       /* name of the OAuth client whose tokens log in (oauth.h); NULL: none */
    const char *tls;         /* a rule of conf/tls_policy.h; NULL: the configuration's */
    bool verp;               /* senders name the recipient (smtp/verp.h) */
};

struct route_question {
    struct str user;   /* login of the client, empty when it did not authenticate */
    struct str sender; /* envelope sender, LOCAL@normal-domain; empty for the null sender */
    struct str domain; /* destination in normal form */
    bool named;        /* of rules that name the destination only */
};

/* What is asked about somebody who has logged in. */
struct user {
    bool relay;  /* may send anywhere */
    bool active;
};

/* What mail for an address of a local rcpthost comes to: a mailbox, or an alias; in the arena of the call. */
struct local {
    struct str mailbox; /* LOCAL@DOMAIN of the user, who has one; empty: it is an alias */
    struct str detail;  /* what stood behind the delimiter: user+detail; empty: nothing */
    bool is_catchall;   /* nobody has that address: it is the mailbox of the domain's catch-all */
    struct str alias;   /* its own address, LOCAL@DOMAIN; empty: it is a mailbox */
    struct str *targets; /* of an alias: LOCAL@DOMAIN as they were written */
    size_t count;
    struct str command; /* of an alias: gets the message, too; empty: none */
    bool is_list;       /* an alias that is a mini-list */
};

/* A name that may have a limit of its own (limits.h). */
enum limit_kind { LIMIT_HOP, LIMIT_DOMAIN };

struct limit_question {
    enum limit_kind kind;
    struct str name; /* the host as the hop has it, or the destination domain in normal form */
    int port;        /* of the hop */
};

enum { DIRECTORY_DECOY = 32 };

struct directory {
    void *self;
    /* Secret bytes of this directory that stay the same: what is shown of logins that do not exist is made of them. */
    unsigned char decoy[DIRECTORY_DECOY];
    /* LOGIN exists, is active, and that is the password.  Takes as long for those who do not. */
    enum answer (*check_password)(void *self, struct str login, struct str password);
    /* What is kept for the challenge mechanisms, of an active user. */
    enum answer (*keys)(void *self, struct str login, struct sasl_keys *keys);
    enum answer (*user)(void *self, struct str login, struct user *user);
    /* SENDER (LOCAL@normal-domain) is an address of LOGIN's: the login itself, an alias that delivers to it, or a row of senders.h. */
    enum answer (*may_send_as)(void *self, struct str login, struct str sender);
    enum answer (*rcpthost)(void *self, struct str domain, struct rcpthost *host);
    /* What LOCAL@DOMAIN, of a local rcpthost, comes to.  DELIMITER: stands before a detail, '\0': there are none.  In this order: a mailbox of
     * that address, an alias; the same without the detail; all of this at the domain that an alias domain stands for; the catch-all. */
    enum answer (*local)(void *self, struct str local, struct str domain, char delimiter, struct arena *arena, struct local *found);
    enum answer (*relayip)(void *self, const struct address *client);
    /* All rows of the first rule that matches (INTERFACE: "Routes"), lowest priority first; *COUNT of them in *ROUTES, in ARENA. */
    enum answer (*routes)(void *self, const struct route_question *question, struct arena *arena, struct route **routes, size_t *count);
    /* The row with that ID alone, whatever its conditions. */
    enum answer (*route)(void *self, int64_t id, struct arena *arena, struct route *route);
    /* How many messages a time that name may be sent; ANSWER_YES with a rate without a count: as many as come. */
    enum answer (*limit)(void *self, const struct limit_question *question, struct rate *rate);
    void (*close)(void *self);
};

/* Opens PATH (with the tail `?…` of TMAIL_DB_SOURCE cut off) for asking, creating or migrating the tables as needed. */
bool directory_open_sql(struct directory *d, const char *path, char *error, size_t error_size);
void directory_close(struct directory *d);

#endif
