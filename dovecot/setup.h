/*
 * setup - Dovecot's configuration, as it goes with tmail's: text for Dovecot 2.3 and, in another syntax, for 2.4.
 *
 * setup_init learns from a configuration and from the host what the text needs, and notes in sentences what does not fit; false: without
 * that there can be no text.  setup_write then appends a file.  2.3 wants its SQL in a file of its own, 2.4 has all in one.  Looks at the
 * file system and at the users of the host; asks no network.
 *
 * The text itself is a table of blocks (setup_2_3.c, setup_2_4.c).  A block with a `when` is left out where that value is empty; @name@
 * stands for a value.
 */
#ifndef DOVECOT_SETUP_H
#define DOVECOT_SETUP_H

#include "base/arena.h"
#include "base/buf.h"
#include "conf/conf.h"

enum setup_version { SETUP_2_3, SETUP_2_4 };
enum setup_file { SETUP_MAIN, SETUP_SQL };

#define SETUP_MAIN_PATH "/etc/dovecot/dovecot.conf"
#define SETUP_SQL_PATH "/etc/dovecot/tmail-sql.conf.ext"

enum setup_value {
    SETUP_ALWAYS, /* stands for no value */
    SETUP_ME,
    SETUP_CERT, SETUP_KEY,
    SETUP_MAIL_USER, SETUP_UID, SETUP_GID,
    SETUP_HOME_BASE,
    SETUP_DATABASE,
    SETUP_READER,      /* to whom the database belongs */
    SETUP_GATEWAY,     /* whom the sockets are for */
    SETUP_SQL_FILE,
    SETUP_LMTP,        /* listeners, lines of the configuration */
    SETUP_PROCESSES,   /* LMTP connections at a time; empty: Dovecot's own number will do */
    SETUP_CLIENTS,     /* of the service auth, which that needs */
    SETUP_AUTH,        /* path of a socket; empty: none */
    SETUP_NO_AUTH,     /* the opposite */
    SETUP_QUOTA_STATUS,
    SETUP_QUOTA,       /* of mailboxes without one of their own */
    SETUP_POSTMASTER,
    SETUP_SUBMISSION,  /* host:port of ours; empty: there is none for that */
    SETUP_NO_SUBMISSION,
    SETUP_DELIMITER,
    SETUP_VALUES,
};

struct setup_block {
    enum setup_value when;
    const char *text;
};

struct setup {
    enum setup_version version;
    const char *values[SETUP_VALUES]; /* never NULL */
    const char *relayip;              /* the address that Dovecot's own mail comes from; "": none of ours takes it */
    struct buf notes;                 /* what does not fit, a line each */
    struct arena arena;
};

struct setup_wish {
    enum setup_version version;
    const char *user;     /* to whom mailboxes belong; NULL: as the configuration has it */
    const char *sql_file; /* NULL: SETUP_SQL_PATH */
};

/* To whom the mailboxes of C belong: TMAIL_DOVECOT_LDA_USER, else TMAIL_USER. */
const char *setup_mail_user(const struct conf *c);

/* To be ended by setup_done, also after false, when the last note is the reason. */
bool setup_init(struct setup *s, const struct conf *c, const struct setup_wish *wish);
void setup_done(struct setup *s);
/* Nothing is appended for SETUP_SQL of 2.4. */
void setup_write(const struct setup *s, enum setup_file file, struct buf *to);

extern const struct setup_block setup_2_3[], setup_2_3_sql[], setup_2_4[]; /* end with a NULL text */

#endif
