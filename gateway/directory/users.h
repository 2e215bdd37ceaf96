/*
 * users - who logs in and who has a mailbox: rows of users, which Dovecot reads too.
 *
 * A login is an address or a word without an @, in lower case.  A mailbox belongs to an address whose domain is local; adding the first
 * mailbox of an unknown domain makes the domain local.  A new password blocks for its hashes and keys (credentials.h), before the
 * transaction starts.
 */
#ifndef DIRECTORY_USERS_H
#define DIRECTORY_USERS_H

#include "directory/directory.h"
#include "directory/names.h"
#include "directory/tables.h"

enum { LOGIN_MIN = 4, LOGIN_MAX = 256 };

struct new_user {
    struct str login, password;
    bool mailbox, relay, catchall;
    bool cram_md5;            /* keep what CRAM-MD5 needs */
    struct str quota;         /* "200M"; empty: default_quota */
    int64_t default_quota;    /* bytes */
    struct str home_base;
    char delimiter;           /* before a detail, which a mailbox has not in its name; '\0': none */
};

struct user_row {
    int64_t id;
    struct str login, quota, home;
    bool active, relay, mailbox, catchall;
    bool scram, cram_md5; /* the challenge mechanisms that there is something kept for */
};

/* What stays is NULL, or empty. */
struct user_update {
    const struct str *password;
    bool cram_md5; /* of a new password: keep what CRAM-MD5 needs */
    const bool *active, *mailbox, *relay, *catchall;
    struct str quota;
    int64_t default_quota; /* of a mailbox that is new */
    struct str home_base;
    char delimiter;        /* as in struct new_user */
};

/* A user who has gone. */
struct gone_user {
    bool purge; /* given: the home will be deleted, and the user must not go where that would take another's mail along (homes.h) */
    char login[NAME_SIZE];
    struct buf home; /* as the table had it */
};

/* ADDRESS and DOMAIN as names.h has them. */
enum answer users_has_mailbox(struct tables *t, struct str address);
/* The login of the domain's catch-all, in ARENA. */
enum answer users_find_catchall(struct tables *t, struct str domain, struct arena *arena, struct str *login);

/* The text of a success says so where there is a folder in the place of the mailbox's home already. */
struct status users_add(struct tables *t, const struct new_user *u);
/* By the rules of users_add.  A mailbox that is taken away keeps its home, on disk and in the table, and gets it back. */
struct status users_update(struct tables *t, struct str login, const struct user_update *u);
/* With the user's senders (senders.h).  Leaves the mailbox on disk and the domain in rcpthosts, which the text of the success says where it
 * was the last of it (mailbox.h), as it says which aliases deliver there.  GONE, whose home the caller frees, may be NULL. */
struct status users_del(struct tables *t, struct str login, struct gone_user *gone);
struct status users_list(struct tables *t, void (*row)(void *context, const struct user_row *r), void *context);

#endif
