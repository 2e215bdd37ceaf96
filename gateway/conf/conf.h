/*
 * conf - the configuration of a process, one typed field a key.
 *
 * A field is the key in lower case without TMAIL_.  What a key means, its bounds and its default stand in conf/schema.c and nowhere else;
 * the comments here only say the unit.  Texts are never NULL ("" when empty) and live in the struct's arena, as all else does: conf_done
 * frees it, also after a load that failed.  A struct conf does not change after it was loaded: a reload fills a new one.
 *
 * conf_load reads the file and the environment (INTERFACE section 1).  It collects every error that it finds and returns false when there
 * was one.  It blocks for the file and, where TMAIL_ME is not set and the host's name has no dot, for the resolver.  Children get the
 * values of the parent through a descriptor, by conf_write and conf_read, and look at neither file nor environment.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/log.h"
#include "conf/tls_policy.h"
#include "net/resolve.h"
#include "net/tls.h"

struct conf_schema;

enum conf_bare_newline { BARE_NEWLINE_REFUSE, BARE_NEWLINE_NORMALIZE };
enum conf_bounce_delay { BOUNCE_DELAY_NONE, BOUNCE_DELAY_ASKED, BOUNCE_DELAY_ALL };
enum conf_local_delivery { LOCAL_DELIVERY_LMTP, LOCAL_DELIVERY_LDA };
enum conf_sender_login { SENDER_LOGIN_OFF, SENDER_LOGIN_WARN, SENDER_LOGIN_ENFORCE };

enum conf_origin { CONF_DEFAULT, CONF_FILE, CONF_ENVIRONMENT };

/* Where a value came from. */
struct conf_source {
    enum conf_origin origin;
    int line; /* CONF_FILE: of conf->file, from 1 */
};

struct conf {
    const char *me; /* a domain in normal form */
    bool hide_server_signature;
    bool debug_enabled;
    const char *logpath; /* as log_open takes it */
    enum log_format log_format;
    const char *tempdir;
    const char *user;
    const char *db_driver;
    const char *db_source;
    const char *store_driver;
    const char *store_source;
    int64_t store_min_free; /* bytes */
    const char *secret_key_file; /* "": derived, see below */
    int64_t stop_timeout; /* ms */

    const char *tls_cert, *tls_key; /* as written; the paths are below */
    const char *tls_sni_dir;
    enum tls_version tls_min_version;
    const char *tls_client_ca_file;
    const char *tls_ca_file;

    const char *dns_forward;
    bool dnssec;
    const char *dns_trust_anchor, *dns_unbound_conf; /* "": none */
    int64_t dns_timeout;       /* ms */
    int64_t smtpd_dns_timeout; /* ms, 0: ask nothing */

    bool smtpd_launch;
    const char *smtpd_dsns; /* listeners_parse (conf/listeners.h) takes it and cannot fail on it */
    int64_t smtpd_server_timeout;  /* ms */
    int64_t smtpd_data_timeout;    /* ms */
    int64_t smtpd_max_databytes;   /* bytes, 0: no limit */
    int64_t smtpd_max_hops;
    int64_t smtp_max_rcpt;
    int64_t smtp_max_bad_rcpt;            /* 0: no limit */
    int64_t smtpd_concurrency_incoming;
    int64_t smtpd_concurrency_per_client; /* 0: no limit */
    int64_t smtpd_max_command_length;     /* bytes with CRLF */
    int64_t smtpd_max_text_length;        /* bytes, 0: no limit */
    int64_t smtpd_max_commands;
    int64_t smtpd_max_errors;
    enum conf_bare_newline smtpd_bare_newline;
    const char *smtpd_auth_mechanisms; /* sasl_list_parse (conf/sasl_list.h) takes it and cannot fail on it */
    bool smtpd_auth_plain_text;
    int64_t smtpd_auth_failure_delay; /* ms */
    int64_t smtpd_auth_max_failures;  /* 0: no limit */
    int64_t smtpd_auth_lock_time;     /* ms */
    enum conf_sender_login smtpd_sender_login;
    const char *dovecot_auth; /* "": our own users */
    const char *srs_domain; /* in normal form; "": no sender is rewritten */
    const char *srs_secret;
    bool rfc_helo_mandatory;
    bool rfc_helo_need_fqn;
    bool rfc_mailfrom_localpart_size;

    bool deliverd_launch;
    const char *deliverd_local_ips; /* local_ips_parse (conf/local_ips.h) takes it and cannot fail on it */
    int64_t deliverd_max_in_flight;
    int64_t deliverd_remote_concurrency;
    int64_t deliverd_destination_concurrency;
    int64_t deliverd_remote_timeout;  /* ms */
    int64_t deliverd_connect_timeout; /* ms */
    enum tls_policy deliverd_remote_tls;
    bool deliverd_remote_tls_skipverify;
    bool deliverd_remote_tls_fallback;
    bool dane, mta_sts, tlsrpt;
    const char *tlsrpt_contact; /* "": postmaster at me */
    int64_t deliverd_address_limit;
    enum resolve_families deliverd_ip_preference;
    int64_t deliverd_dead_host_time;  /* ms */
    int64_t deliverd_connection_idle; /* ms */
    int64_t deliverd_connection_messages; /* 0: no limit */
    int64_t deliverd_queue_lifetime;  /* ms */
    int64_t deliverd_retry_min;       /* ms */
    int64_t deliverd_retry_max;       /* ms */
    int64_t deliverd_queue_bounces_lifetime; /* ms */
    const char *deliverd_retry_times;    /* times_parse (conf/times.h) takes them and cannot fail on them */
    const char *deliverd_retry_greylist;
    const char *deliverd_destination_rate; /* rate_parse (conf/rate.h) takes them and cannot fail on them */
    const char *deliverd_domain_rate;
    const char *verp_delimiters; /* two characters (smtp/verp.h) */

    bool bounce_enabled;
    const char *bounce_template;   /* "": the one that is built in */
    int64_t bounce_size;           /* bytes */
    const char *bounce_postmaster; /* "": nobody */
    enum conf_bounce_delay bounce_delay;
    int64_t bounce_delay_after;    /* ms */
    int64_t history;               /* ms, 0: none is kept */
    int64_t history_rows;

    bool dovecot_support_enabled;
    enum conf_local_delivery local_delivery;
    const char *lmtp_address;         /* endpoints_parse (conf/endpoint.h) takes it and cannot fail on it */
    const char *lmtp_tls;             /* so does tls_rule_parse (conf/tls_policy.h) */
    const char *lmtp_probe_domains;   /* in normal form, separated by ;; "*": all; "": none */
    int64_t lmtp_probe_ttl;           /* ms */
    int64_t lmtp_probe_negative_ttl;  /* ms */
    const char *dovecot_quota_status; /* endpoint_parse takes it; "": none */
    const char *dovecot_lda;
    const char *dovecot_lda_user;     /* "": user */
    const char *pipe_user;
    int64_t local_timeout;            /* ms */
    int64_t deliverd_local_concurrency;
    const char *recipient_delimiter;  /* one character, or none */
    const char *postmaster;           /* "": none */
    const char *users_home_base;
    int64_t users_mailbox_default_quota; /* bytes, 0: no limit */

    /* Not keys. */
    const char *db_path; /* db_source without its ?tail */
    const char *tls_cert_path, *tls_key_path; /* a relative one starts at the folder of the file */
    const char *secret_key_path; /* secret_key_file, or secret.key beside the database */
    const char *file;    /* the file that was read, as it was named; "": none */
    const char *named;   /* absolute path of the file that -c or $TMAIL_CONFIG named; "": neither did */
    const struct conf_schema *schema;
    struct conf_source *sources; /* by place in the schema */
    struct arena arena;
};

/* What is wrong, a line each.  A zeroed one is empty. */
struct conf_errors {
    struct buf lines; /* each ends with a newline */
    size_t count;
};

void conf_errors_add(struct conf_errors *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void conf_errors_done(struct conf_errors *e);

/* FILE is what -c named, NULL: no -c.  ENVIRONMENT is environ(7), or a list like it. */
bool conf_load(struct conf *c, const char *file, char **environment, struct conf_errors *errors);
/* The same with another table (tests; programs of tmail with keys of their own). */
bool conf_load_schema(struct conf *c, const struct conf_schema *schema, const char *file, char **environment, struct conf_errors *errors);
/* The same from CONTENT, as if it were read from a file called NAME. */
bool conf_load_content(struct conf *c, const struct conf_schema *schema, const char *name, struct str content, char **environment,
                       struct conf_errors *errors);
/* Loads C from where OLD came from, as it is now. */
bool conf_reload(struct conf *c, const struct conf *old, char **environment, struct conf_errors *errors);
void conf_done(struct conf *c);

/* All values, secrets included: for a descriptor between our own processes, not for a file. */
void conf_write(const struct conf *c, struct buf *to);
/* Reads FD from where it stands to its end; false, with the reason in ERRORS, for anything but what conf_write wrote.  A key that another
 * version did not write has its default. */
bool conf_read(struct conf *c, int fd, struct conf_errors *errors);
bool conf_read_schema(struct conf *c, const struct conf_schema *schema, int fd, struct conf_errors *errors);

#endif
