/*
 * doctor - what `tmail doctor` looks at: a table of checks, each told in one sentence.
 *
 * A check is a function that tells how it found things by doctor_ok, doctor_wrong, doctor_note, any number of times.  It runs in a child of
 * the command, as the user whose rights it is about (enum doctor_as); so it may block, and what it keeps is gone with it.  What later checks
 * need to know goes through doctor_mailbox.  A sentence of doctor_wrong ends with what to do.
 */
#ifndef ADMIN_DOCTOR_H
#define ADMIN_DOCTOR_H

#include "admin/command.h"
#include "admin/secret.h"
#include "base/status.h"
#include "directory/names.h"
#include "directory/tables.h"
#include "lmtp/lmtp.h"

/* Milliseconds that anything on this host may take to answer. */
enum { DOCTOR_PATIENCE = 5000 };

enum doctor_as {
    AS_STARTED, /* whoever started the command */
    AS_GATEWAY, /* TMAIL_USER */
    AS_MAIL,    /* to whom the mailboxes belong */
};

struct doctor {
    const struct conf *conf;
    const char *mail_user;           /* to whom the mailboxes belong */
    const char *userdb;              /* path of Dovecot's socket auth-userdb */
    bool userdb_named;               /* somebody typed it */
    const char *login;               /* of --login, in normal form; NULL: nobody logs in */
    char password[SECRET_SIZE];      /* theirs */
    const char *deliver;             /* the address of --deliver; NULL: none */
    bool send;
    char sample[NAME_SIZE];          /* a mailbox that Dovecot can be asked for; "": there is none */
    int report;                      /* where a child tells */
    const char *check;               /* the name of the one that runs */
};

struct doctor_check {
    const char *name;
    enum doctor_as as;
    void (*run)(struct doctor *d);
};

void doctor_ok(struct doctor *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doctor_note(struct doctor *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
void doctor_wrong(struct doctor *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* There is a mailbox: whoever started the command looks at its home. */
void doctor_mailbox(struct doctor *d, struct str login, struct str home);

/* Mail for mailboxes goes to a Dovecot on this host. */
bool doctor_has_dovecot_here(const struct conf *c);
/* Tells why the socket at PATH, which KEY names, could not be connected to. */
void doctor_socket(struct doctor *d, const char *key, const char *path, int error);
/* Connects to the socket at PATH; 0 or errno. */
int doctor_try_socket(const char *path);
/* Who has the rights of the check that runs. */
const char *doctor_self(void);

/* What lmtp_open needs, with less patience than deliveries have. */
struct doctor_means {
    struct conf conf; /* shares what it points to */
    struct lmtp_means means;
    struct endpoints endpoints;
    struct arena arena;
};

/* False, with that told, when there is no TLS or DNS to be had; to be ended by doctor_means_close either way. */
bool doctor_means_open(struct doctor *d, struct doctor_means *m);
void doctor_means_close(struct doctor_means *m);

extern const struct doctor_check doctor_checks[]; /* end with a zeroed one */

/* doctor_host.c: what the host has to have. */
void doctor_configuration(struct doctor *d);
void doctor_users(struct doctor *d);
void doctor_files(struct doctor *d);
void doctor_listeners(struct doctor *d);
void doctor_queue(struct doctor *d);
/* doctor_data.c: what stands in the database. */
void doctor_database(struct doctor *d);
void doctor_domains(struct doctor *d);
void doctor_mailboxes(struct doctor *d);
/* A route names DOMAIN, so that its mail does not stay here. */
enum answer doctor_has_route(struct tables *t, struct str domain);
void doctor_relay(struct doctor *d);
/* Of a mailbox that doctor_mailbox named; false when its home is wrong, with the sentence in TEXT. */
bool doctor_judge_home(const struct doctor *d, struct str login, struct str home, struct buf *text);
/* doctor_aliases.c: whom they lead to. */
void doctor_aliases(struct doctor *d);
void doctor_postmaster(struct doctor *d);
/* doctor_dovecot.c: Dovecot, on the other side of its sockets. */
void doctor_lmtp(struct doctor *d);
void doctor_auth(struct doctor *d);
void doctor_quota_status(struct doctor *d);
void doctor_home_base(struct doctor *d);
void doctor_lda(struct doctor *d);
void doctor_userdb(struct doctor *d);
/* doctor_mail.c: what was asked for: a login, a delivery. */
void doctor_login(struct doctor *d);
void doctor_deliver(struct doctor *d);

#endif
