#include "conf/schema.h"

#include "conf/checks.h"
#include "conf/endpoint.h"
#include "conf/near_miss.h"
#include "conf/value.h"

#define SECONDS(n) ((int64_t)(n) * 1000)
#define MINUTES(n) SECONDS((n) * 60)
#define HOURS(n) MINUTES((n) * 60)
#define DAYS(n) HOURS((n) * 24)
#define KILO(n) ((int64_t)(n) << 10)
#define MEGA(n) ((int64_t)(n) << 20)
#define TERA(n) ((int64_t)(n) << 40)

/* The place of FIELD, which must have that C type. */
#define PLACE(field, ctype) (offsetof(struct conf, field) + _Generic(((struct conf *)0)->field, ctype: 0)) /* NOLINT(bugprone-macro-parentheses): a type and a member take none */

#define BOOL(field) .type = CONF_BOOL, .place = PLACE(field, bool)
#define NUMBER(field, low, high) .type = CONF_NUMBER, .place = PLACE(field, int64_t), .min = (low), .max = (high)
#define SIZE(field, low, high) .type = CONF_SIZE, .place = PLACE(field, int64_t), .min = (low), .max = (high)
#define TIME(field, low, high) .type = CONF_TIME, .place = PLACE(field, int64_t), .min = (low), .max = (high), .unit = SECONDS(1)
#define TIME_IN_MINUTES(field, low, high) .type = CONF_TIME, .place = PLACE(field, int64_t), .min = (low), .max = (high), .unit = MINUTES(1)
#define WORD(field, ctype, list) .type = CONF_WORD, .place = PLACE(field, ctype), .words = (list)
#define TEXT(field, function) .type = CONF_TEXT, .place = PLACE(field, const char *), .check = (function)
#define TEXT_OF(field, list) .type = CONF_TEXT, .place = PLACE(field, const char *), .words = (list)

/* Words stand in the order of their enum. */
static const char *const log_formats[] = {"logfmt", "json", NULL};
static const char *const bare_newlines[] = {"refuse", "normalize", NULL};
static const char *const tls_versions[] = {"1.2", "1.3", NULL};
static const char *const sender_logins[] = {"off", "warn", "enforce", NULL};
static const char *const tls_policies[] = {"none", "may", "encrypt", "verify", NULL};
static const char *const ip_preferences[] = {"ipv6", "ipv4", "ipv6-only", "ipv4-only", NULL};
static const char *const bounce_delays[] = {"none", "asked", "all", NULL};
static const char *const local_deliveries[] = {"lmtp", "lda", NULL};
static const char *const db_drivers[] = {"sqlite3", NULL};
static const char *const store_drivers[] = {"disk", NULL};

#define GENERAL .section = "The host"
#define TRANSPORT .section = "TLS"
#define NAMES .section = "DNS"
#define SERVER .section = "Receiving"
#define LOGINS .section = "Logins"
#define DELIVERY .section = "Delivering"
#define REPORTS .section = "Reports and history"
#define MAILBOXES .section = "Mailboxes"

static const struct conf_key keys[] = {
    {GENERAL, .name = "TMAIL_ME", TEXT(me, check_me), .find_standard = find_me, .standard_help = "the full name of the host",
     .expected = "a host name", .help = "name of this host in the banner, EHLO, Received and bounces",
     .manual = "It should be the name that the reverse DNS of the host's address has.  A host whose name has no dot must set it."},
    {GENERAL, .name = "TMAIL_HIDE_SERVER_SIGNATURE", BOOL(hide_server_signature), .standard = "false",
     .help = "do not show the program's name in the banner"},
    {GENERAL, .name = "TMAIL_DEBUG_ENABLED", BOOL(debug_enabled), .standard = "false",
     .help = "log debug events and every line of the SMTP dialogues", .manual = "Secrets are masked."},
    {GENERAL, .name = "TMAIL_LOGPATH", TEXT(logpath, check_logpath), .standard = "stdout",
     .expected = "stdout, syslog, journal or the absolute path of an existing directory", .help = "where the log goes",
     .manual = "In a directory, lines are appended to current.log."},
    {GENERAL, .name = "TMAIL_LOG_FORMAT", WORD(log_format, enum log_format, log_formats), .standard = "logfmt",
     .help = "form of a log line"},
    {GENERAL, .name = "TMAIL_TEMPDIR", TEXT(tempdir, check_folder), .standard = "/dev/shm",
     .expected = "the absolute path of an existing directory", .help = "scratch space for large messages while they are received"},
    {GENERAL, .name = "TMAIL_USER", TEXT(user, check_user), .standard = "tmail", .expected = "the name of a user of this host",
     .help = "user to become when tmail was started as root",
     .manual =
         "The processes that face the network, and every command that opens a database, run as this user, who must exist and may not be "
         "root.  It is ignored where tmail was not started as root."},
    {GENERAL, .name = "TMAIL_DB_DRIVER", TEXT_OF(db_driver, db_drivers), .standard = "sqlite3", .help = "kind of the directory database"},
    {GENERAL, .name = "TMAIL_DB_SOURCE", TEXT(db_source, check_db_source), .standard = "/var/lib/tmail/tmail.db",
     .expected = "the absolute path of a file", .help = "the directory database: domains, users, relay clients, routes",
     .manual = "A tail ?_busy_timeout=MILLISECONDS, as other programs of this file have it, is accepted and has no effect."},
    {GENERAL, .name = "TMAIL_STORE_DRIVER", TEXT_OF(store_driver, store_drivers), .standard = "disk",
     .help = "where queued messages are kept"},
    {GENERAL, .name = "TMAIL_STORE_SOURCE", TEXT(store_source, check_path), .standard = "/var/lib/tmail/store",
     .expected = "an absolute path", .help = "folder of the queue"},
    {GENERAL, .name = "TMAIL_STORE_MIN_FREE", SIZE(store_min_free, 0, TERA(1)), .standard = "32M",
     .help = "space that receiving leaves free in the store", .manual = "Below it clients are told 452 to come again, while what is queued "
     "can still be delivered: recording that needs space, too."},
    {GENERAL, .name = "TMAIL_SECRET_KEY_FILE", TEXT(secret_key_file, check_path_or_none), .standard = "", .expected = "the absolute path of a file",
     .help = "key that seals the passwords and OAuth secrets of routes in the database",
     .manual = "Without it the file is secret.key beside the database.  It is made when it is first needed.  Keep a copy of it that is not "
               "where the copies of the database are: neither is of use without the other."},
    {GENERAL, .name = "TMAIL_STOP_TIMEOUT", TIME(stop_timeout, 0, HOURS(1)), .standard = "30s",
     .help = "time for sessions and deliveries to finish at a stop or reload"},

    {TRANSPORT, .name = "TMAIL_TLS_CERT", TEXT(tls_cert, check_not_empty), .standard = "ssl/server.crt", .expected = "the path of a file",
     .help = "certificate of this host with its chain, PEM",
     .manual = "A relative path starts at the folder of the configuration file.  Where neither certificate nor key exist, tmail run "
               "makes a "
               "self-signed pair.  The files are read by the process that was started, so they may be root's alone, and again when they "
               "change: no restart is needed, and no session is lost."},
    {TRANSPORT, .name = "TMAIL_TLS_KEY", TEXT(tls_key, check_not_empty), .standard = "ssl/server.key", .expected = "the path of a file",
     .help = "private key of TMAIL_TLS_CERT, PEM without a password"},
    {TRANSPORT, .name = "TMAIL_TLS_SNI_DIR", TEXT(tls_sni_dir, check_folder_or_none), .standard = "",
     .expected = "the absolute path of an existing directory", .help = "folder of further certificates, chosen by the name that the client asks for",
     .manual = "It holds HOST.crt and HOST.key for each name; *.example.org.crt stands for any one label in front of example.org.  "
               "Nobody but root should be "
               "able to write there: the files are read with the rights of the process that was started."},
    {TRANSPORT, .name = "TMAIL_TLS_MIN_VERSION", WORD(tls_min_version, enum tls_version, tls_versions), .standard = "1.2",
     .help = "oldest version of TLS, in and out"},
    {TRANSPORT, .name = "TMAIL_TLS_CLIENT_CA_FILE", TEXT(tls_client_ca_file, check_file_or_none), .standard = "",
     .expected = "the absolute path of an existing file", .help = "CAs of client certificates, PEM; without it clients are not asked for one",
     .manual = "A certificate is never needed; whether it was there and good stands in Received and in the log.  TMAIL_USER must be able "
               "to read the file."},
    {TRANSPORT, .name = "TMAIL_TLS_CA_FILE", TEXT(tls_ca_file, check_file_or_none), .standard = "",
     .expected = "the absolute path of an existing file", .help = "CAs that certificates of other servers are verified with, PEM, instead of the system's",
     .manual = "Web servers and mail hosts under MTA-STS, and token endpoints, are among them: beside a CA of one's own it should hold the public "
               "ones."},

    {NAMES, .name = "TMAIL_DNS_FORWARD", TEXT(dns_forward, check_dns_forward), .standard = "",
     .expected = "IP or IP@PORT, separated by ; or ,, or root", .help = "resolvers to ask; none: those of the host",
     .manual = "root asks nobody and finds its way from the root servers.  Resolvers must pass on what DNSSEC needs, or every answer from a "
               "signed zone is bogus and mail waits: where that cannot be had, set TMAIL_DNSSEC=false.  Only without this key /etc/hosts "
               "counts; it and the host's list of resolvers are read at a start or reload.  Names without a dot are never completed.  Names under "
               "local, internal, intranet, private, corp, home and lan are not validated: the public root knows nothing of them."},
    {NAMES, .name = "TMAIL_DNSSEC", BOOL(dnssec), .standard = "true",
     .help = "validate answers of the DNS", .manual = "An answer that fails validation is a temporary failure, never a reason to go on without.  "
     "When this is false there is no DANE either."},
    {NAMES, .name = "TMAIL_DNS_TRUST_ANCHOR", TEXT(dns_trust_anchor, check_file_or_none), .standard = "",
     .expected = "the absolute path of an existing file", .help = "trust anchors for DNSSEC: a zone file of DS or DNSKEY records",
     .manual = "Without it the root keys that this program knows and those that the distribution installs count.  With it nothing else does.  "
               "TMAIL_USER must be able to read the file."},
    {NAMES, .name = "TMAIL_DNS_UNBOUND_CONF", TEXT(dns_unbound_conf, check_file_or_none), .standard = "",
     .expected = "the absolute path of an existing file", .help = "fragment of unbound.conf(5) for what the other keys do not cover",
     .manual = "For example stub-zone and forward-zone for names that other servers know, and domain-insecure for those that are not signed."},
    {NAMES, .name = "TMAIL_DNS_TIMEOUT", TIME(dns_timeout, SECONDS(1), MINUTES(5)), .standard = "20s",
     .help = "time that a delivery waits for an answer of the DNS"},
    {NAMES, .name = "TMAIL_SMTPD_DNS_TIMEOUT", TIME(smtpd_dns_timeout, 0, SECONDS(30)), .standard = "2s",
     .help = "time that a session waits for the DNS: for the client's name, and for the sender's domain; 0 asks for neither",
     .manual = "What is not found in time is done without: Received then has no name, and no sender is refused."},

    {SERVER, .name = "TMAIL_SMTPD_LAUNCH", BOOL(smtpd_launch), .standard = "true", .help = "run the SMTP server"},
    {SERVER, .name = "TMAIL_SMTPD_DSNS", TEXT(smtpd_dsns, check_listeners), .standard = "127.0.0.1:2525:false",
     .expected = "IP:PORT:SSL[:MODE], separated by ; or ,", .help = "addresses to listen on",
     .manual =
         "An IPv6 address stands in brackets.  SSL is true for TLS from the first byte, false for STARTTLS.  MODE is relay, which may be "
         "left "
         "out, or submission, where clients must log in and a missing Date or Message-ID is added."},
    {SERVER, .name = "TMAIL_SMTPD_SERVER_TIMEOUT", TIME(smtpd_server_timeout, SECONDS(1), DAYS(1)), .standard = "5m",
     .help = "time without a sign of life from the client"},
    {SERVER, .name = "TMAIL_SMTPD_DATA_TIMEOUT", TIME(smtpd_data_timeout, SECONDS(1), DAYS(1)), .standard = "30m",
     .help = "time for the whole text of a message"},
    {SERVER, .name = "TMAIL_SMTPD_MAX_DATABYTES", SIZE(smtpd_max_databytes, 0, MEGA(900)), .standard = "50M",
     .help = "size of a message, 0 for no limit", .manual = "It is announced by SIZE (RFC 1870).  Without a limit a message still ends at 950M, the most that the queue keeps in one piece."},
    {SERVER, .name = "TMAIL_SMTPD_MAX_HOPS", NUMBER(smtpd_max_hops, 1, 10000), .standard = "50",
     .help = "Received fields before a message counts as looping"},
    {SERVER, .name = "TMAIL_SMTP_MAX_RCPT", NUMBER(smtp_max_rcpt, 1, 1000000), .standard = "1000",
     .help = "recipients of a message; a client sends the rest in another one"},
    {SERVER, .name = "TMAIL_SMTP_MAX_BAD_RCPT", NUMBER(smtp_max_bad_rcpt, 0, 1000000), .standard = "0",
     .help = "unknown recipients before the session is ended, 0 for no limit"},
    {SERVER, .name = "TMAIL_SMTPD_CONCURRENCY_INCOMING", NUMBER(smtpd_concurrency_incoming, 1, 1000000), .standard = "10000",
     .help = "open sessions"},
    {SERVER, .name = "TMAIL_SMTPD_CONCURRENCY_PER_CLIENT", NUMBER(smtpd_concurrency_per_client, 0, 1000000), .standard = "100",
     .help = "open sessions from one address, 0 for no limit", .manual = "All addresses of an IPv6 network of 64 bits count as one."},
    {SERVER, .name = "TMAIL_SMTPD_MAX_COMMAND_LENGTH", SIZE(smtpd_max_command_length, 512, KILO(64)), .standard = "4K",
     .help = "octets of a command line, with its CRLF"},
    {SERVER, .name = "TMAIL_SMTPD_MAX_TEXT_LENGTH", SIZE(smtpd_max_text_length, 0, TERA(1)), .standard = "0",
     .help = "octets of a line of a message, 0 for no limit"},
    {SERVER, .name = "TMAIL_SMTPD_MAX_COMMANDS", NUMBER(smtpd_max_commands, 10, 1000000000), .standard = "5000",
     .help = "commands since the last accepted message"},
    {SERVER, .name = "TMAIL_SMTPD_MAX_ERRORS", NUMBER(smtpd_max_errors, 1, 1000000000), .standard = "20",
     .help = "syntax and sequence errors in a session"},
    {SERVER, .name = "TMAIL_SMTPD_BARE_NEWLINE", WORD(smtpd_bare_newline, enum conf_bare_newline, bare_newlines), .standard = "refuse",
     .help = "what happens to a message with a bare CR or LF",
     .manual =
         "With normalize, those of clients that are relay IPs become CRLF; all other clients' messages are refused, and so is NUL always."},
    {SERVER, .name = "TMAIL_SRS_DOMAIN", TEXT(srs_domain, check_domain_or_none), .standard = "", .expected = "a domain",
     .help = "domain of the senders of mail that an alias sends on to other hosts (SRS); none: they stay as they are",
     .manual = "Whoever checks by SPF what hosts a sender's domain allows refuses mail that is sent on under the sender it came with.  "
               "Mail for joe@example.com that goes on goes as from SRS0=HASH=TIME=example.com=joe at this domain, and what comes to such "
               "an address of this domain within 21 days goes to joe@example.com, whoever sends it.  The MX of the domain must be a "
               "host with this configuration.  Senders of local domains and the null sender stay, and so does, with a line in the log, one that would "
               "get more than 254 octets."},
    {SERVER, .name = "TMAIL_SRS_SECRET", TEXT(srs_secret, NULL), .standard = "", .expected = "at least 16 octets", .secret = true,
     .help = "secret by which rewritten senders are known again",
     .manual = "It is needed where TMAIL_SRS_DOMAIN is set, and is the same on all hosts of that domain.  When it changes, reports on mail "
               "that was sent on before no longer find their way."},
    {SERVER, .name = "TMAIL_RFC_HELO_MANDATORY", BOOL(rfc_helo_mandatory), .standard = "false", .help = "refuse MAIL before HELO or EHLO"},
    {SERVER, .name = "TMAIL_RFC_HELO_NEED_FQN", BOOL(rfc_helo_need_fqn), .standard = "false",
     .help = "refuse a HELO name that is neither a full name nor an address literal"},
    {SERVER, .name = "TMAIL_RFC_MAILFROM_LOCALPART_SIZE", BOOL(rfc_mailfrom_localpart_size), .standard = "true",
     .help = "refuse a sender whose local part is longer than 64 octets"},

    {LOGINS, .name = "TMAIL_SMTPD_AUTH_MECHANISMS", TEXT(smtpd_auth_mechanisms, check_sasl_list),
     .standard = "SCRAM-SHA-256-PLUS, SCRAM-SHA-256, CRAM-MD5, PLAIN, LOGIN", .expected = "names of SASL mechanisms, separated by , or ;, or none",
     .help = "how clients may log in",
     .manual = "PLAIN and LOGIN are offered under TLS only (but see TMAIL_SMTPD_AUTH_PLAIN_TEXT).  What is stored for CRAM-MD5 is weak against "
               "whoever steals the database, and is stored only while CRAM-MD5 stands here; a user who was added before has no such login "
               "until the password is set again.  With TMAIL_DOVECOT_AUTH all that Dovecot offers are passed on or, when this key is set, "
               "those of them that stand here."},
    {LOGINS, .name = "TMAIL_SMTPD_AUTH_PLAIN_TEXT", BOOL(smtpd_auth_plain_text), .standard = "false",
     .help = "offer PLAIN and LOGIN without TLS to this host itself and to relay IPs"},
    {LOGINS, .name = "TMAIL_SMTPD_AUTH_FAILURE_DELAY", TIME(smtpd_auth_failure_delay, 0, MINUTES(1)), .standard = "2s",
     .help = "time before the answer to a login that failed",
     .manual = "It doubles with every few failures of the same address or login, up to 16 times as long.  It also hides how long the "
               "check took, which tells whether "
               "a login exists where hashes are of several kinds: 0 is for tests."},
    {LOGINS, .name = "TMAIL_SMTPD_AUTH_MAX_FAILURES", NUMBER(smtpd_auth_max_failures, 0, 1000000), .standard = "20",
     .help = "failed logins of an address within TMAIL_SMTPD_AUTH_LOCK_TIME before it is locked out for that time, 0 for no limit",
     .manual = "All addresses of an IPv6 network of 64 bits count as one.  This host itself and relay IPs are never locked out: many may "
               "log in through them, by a webmail say."},
    {LOGINS, .name = "TMAIL_SMTPD_AUTH_LOCK_TIME", TIME(smtpd_auth_lock_time, SECONDS(1), DAYS(1)), .standard = "10m",
     .help = "time that an address is locked out"},
    {LOGINS, .name = "TMAIL_SMTPD_SENDER_LOGIN", WORD(smtpd_sender_login, enum conf_sender_login, sender_logins), .standard = "off",
     .help = "whether who has logged in may send from addresses of others",
     .manual = "The envelope's sender and all addresses in From must be the login itself, an alias that delivers to it, or given to it "
               "by tmail "
               "sender add.  With warn, mail with others passes and is logged; with enforce it is refused, and so is a From that could "
               "be read in two ways.  "
               "The null sender and a message without From pass; Sender and Resent fields are not looked at, nor mail of clients that "
               "have not logged in."},
    {LOGINS, .name = "TMAIL_DOVECOT_AUTH", TEXT(dovecot_auth, check_path_or_none), .standard = "", .expected = "the absolute path of a socket",
     .help = "Dovecot's auth-client socket, to log in by Dovecot instead of by the users in the database",
     .manual = "Who logs in there may relay, unless there is a user of that login in the database that may not: deleting such a user "
               "here gives the right back, "
               "so delete it in Dovecot."},

    {DELIVERY, .name = "TMAIL_DELIVERD_LAUNCH", BOOL(deliverd_launch), .standard = "true", .help = "deliver what is queued"},
    {DELIVERY, .name = "TMAIL_DELIVERD_LOCAL_IPS", TEXT(deliverd_local_ips, check_local_ips), .standard = "0.0.0.0",
     .expected = "IP, IP&IP to fail over in order, or IP|IP to take turns", .help = "source addresses of outgoing connections",
     .manual = "0.0.0.0 and :: leave the choice to the system.  An address that is repeated takes more turns."},
    {DELIVERY, .name = "TMAIL_DELIVERD_MAX_IN_FLIGHT", NUMBER(deliverd_max_in_flight, 1, 1000000), .standard = "1000",
     .help = "deliveries at a time, of all kinds"},
    {DELIVERY, .name = "TMAIL_DELIVERD_REMOTE_CONCURRENCY", NUMBER(deliverd_remote_concurrency, 1, 1000000), .standard = "500",
     .help = "remote deliveries at a time"},
    {DELIVERY, .name = "TMAIL_DELIVERD_DESTINATION_CONCURRENCY", NUMBER(deliverd_destination_concurrency, 1, 1000000), .standard = "20",
     .help = "connections to one next hop"},
    {DELIVERY, .name = "TMAIL_DELIVERD_CONNECT_TIMEOUT", TIME(deliverd_connect_timeout, SECONDS(1), HOURS(1)), .standard = "30s",
     .help = "time for a connection to be made"},
    {DELIVERY, .name = "TMAIL_DELIVERD_REMOTE_TIMEOUT", TIME(deliverd_remote_timeout, SECONDS(1), DAYS(1)), .standard = "5m",
     .help = "time for the answer to an SMTP command"},
    {DELIVERY, .name = "TMAIL_DELIVERD_REMOTE_TLS", WORD(deliverd_remote_tls, enum tls_policy, tls_policies), .standard = "may",
     .help = "TLS to next hops whose route does not say",
     .manual = "none is plain text; may is TLS where it is offered; encrypt is TLS with any certificate, or no mail; verify is TLS with "
               "a good "
               "certificate for the name of the next hop, or no mail.  A route with a login needs verify unless it says otherwise.  What DANE "
               "and MTA-STS ask for comes on top, but for none.  Under verify a destination without a route must have a certificate for the name "
               "in its MX record: where DNSSEC does not prove that record, whoever forges it is not found out."},
    {DELIVERY, .name = "TMAIL_DELIVERD_REMOTE_TLS_SKIPVERIFY", BOOL(deliverd_remote_tls_skipverify), .standard = "true",
     .help = "under may, take any certificate",
     .manual = "When it is false, a certificate that is not good counts as a failure of TLS: TMAIL_DELIVERD_REMOTE_TLS_FALLBACK says "
               "what then happens."},
    {DELIVERY, .name = "TMAIL_DELIVERD_REMOTE_TLS_FALLBACK", BOOL(deliverd_remote_tls_fallback), .standard = "true",
     .help = "under may, send in plain text where TLS fails"},
    {DELIVERY, .name = "TMAIL_DANE", BOOL(dane), .standard = "true",
     .help = "keep to the TLSA records that next hops publish (RFC 7672)",
     .manual = "Where the MX record and the addresses are proven by DNSSEC and there are TLSA records, mail goes over TLS with a certificate that they "
               "vouch for, or waits.  A route with a TLS rule of its own, or a login, keeps to that instead; TMAIL_DELIVERD_REMOTE_TLS=none "
               "turns it off."},
    {DELIVERY, .name = "TMAIL_MTA_STS", BOOL(mta_sts), .standard = "true",
     .help = "keep to the MTA-STS policies that domains publish (RFC 8461)",
     .manual = "Under a policy with mode enforce mail goes only to hosts that the policy names, over TLS with a certificate that verifies for "
               "them.  DANE comes first where a host has both.  Policies are kept in the database."},
    {DELIVERY, .name = "TMAIL_TLSRPT", BOOL(tlsrpt), .standard = "true",
     .help = "send daily reports on TLS to the domains that ask for them (RFC 8460)",
     .manual = "Receivers may ignore a report that comes by mail without a DKIM signature of the contact's domain, which is the next hop's to make; "
               "those that are posted by HTTPS need none."},
    {DELIVERY, .name = "TMAIL_TLSRPT_CONTACT", TEXT(tlsrpt_contact, check_address_or_none), .standard = "", .expected = "a mail address",
     .help = "who sends those reports and answers questions; none: postmaster at TMAIL_ME"},
    {DELIVERY, .name = "TMAIL_DELIVERD_ADDRESS_LIMIT", NUMBER(deliverd_address_limit, 1, 100), .standard = "10",
     .help = "addresses that one attempt to deliver tries",
     .manual = "Some are kept for the hosts and routes behind a host with many addresses."},
    {DELIVERY, .name = "TMAIL_DELIVERD_IP_PREFERENCE", WORD(deliverd_ip_preference, enum resolve_families, ip_preferences), .standard = "ipv6",
     .help = "family of addresses to try first",
     .manual = "The families take turns, so that the other one is tried, too, unless -only forbids it."},
    {DELIVERY, .name = "TMAIL_DELIVERD_DEAD_HOST_TIME", TIME(deliverd_dead_host_time, 0, DAYS(1)), .standard = "1m",
     .help = "time that an address is not tried again after it could not be reached"},
    {DELIVERY, .name = "TMAIL_DELIVERD_CONNECTION_IDLE", TIME(deliverd_connection_idle, 0, HOURS(1)), .standard = "5s",
     .help = "time that a connection waits for the next message"},
    {DELIVERY, .name = "TMAIL_DELIVERD_CONNECTION_MESSAGES", NUMBER(deliverd_connection_messages, 0, 1000000000), .standard = "100",
     .help = "messages over one connection, 0 for no limit"},
    {DELIVERY, .name = "TMAIL_DELIVERD_QUEUE_LIFETIME", TIME_IN_MINUTES(deliverd_queue_lifetime, 0, DAYS(365)), .standard = "5d",
     .help = "age at which a message that cannot be delivered fails"},
    {DELIVERY, .name = "TMAIL_DELIVERD_RETRY_MIN", TIME(deliverd_retry_min, SECONDS(1), DAYS(30)), .standard = "5m",
     .help = "time to the second attempt; it doubles with each further one"},
    {DELIVERY, .name = "TMAIL_DELIVERD_RETRY_MAX", TIME(deliverd_retry_max, SECONDS(1), DAYS(30)), .standard = "4h",
     .help = "longest time between two attempts"},
    {DELIVERY, .name = "TMAIL_DELIVERD_RETRY_TIMES", TEXT(deliverd_retry_times, check_times), .standard = "1m;5m",
     .expected = "a list of times", .help = "times to the first further attempts, before TMAIL_DELIVERD_RETRY_MIN counts",
     .manual = "An empty list leaves all to TMAIL_DELIVERD_RETRY_MIN and TMAIL_DELIVERD_RETRY_MAX.  None is longer than the latter."},
    {DELIVERY, .name = "TMAIL_DELIVERD_RETRY_GREYLIST", TEXT(deliverd_retry_greylist, check_times), .standard = "1m;2m;3m;5m;10m",
     .expected = "a list of times", .help = "the same for recipients that were told to come again (4xx in answer to RCPT), as greylists do"},
    {DELIVERY, .name = "TMAIL_DELIVERD_DESTINATION_RATE", TEXT(deliverd_destination_rate, check_rate), .standard = "",
     .expected = "N/second, N/minute or N/hour", .help = "most messages that one next hop is sent in a time; none: as many as it takes",
     .manual = "What tmail limit says of a next hop comes first."},
    {DELIVERY, .name = "TMAIL_DELIVERD_DOMAIN_RATE", TEXT(deliverd_domain_rate, check_rate), .standard = "",
     .expected = "N/second, N/minute or N/hour", .help = "most messages that go to one destination domain in a time; none: as many as come",
     .manual = "What tmail limit says of a domain comes first."},
    {DELIVERY, .name = "TMAIL_VERP_DELIMITERS", TEXT(verp_delimiters, check_verp_delimiters), .standard = "+=",
     .expected = "two different ones of -+=_~#", .help = "what stands before the recipient and instead of its @ in the senders of routes with --verp",
     .manual = "With += mail from list@example.org to joe@example.com goes as from list+joe=example.com@example.org, so that a report tells "
               "by its address whom it is about.  Mail from the null sender goes as it is, and so does, with a line in the log, mail whose "
               "sender would get more than 64 octets before its @ or 254 in all."},

    {REPORTS, .name = "TMAIL_BOUNCE_ENABLED", BOOL(bounce_enabled), .standard = "true",
     .help = "tell senders what became of their mail (RFC 3464)",
     .manual = "When it is false, what fails stays in the queue as failed until an administrator bounces, releases or discards it, and no "
               "report of any kind is sent."},
    {REPORTS, .name = "TMAIL_BOUNCE_TEMPLATE", TEXT(bounce_template, check_file_or_none), .standard = "", .expected = "the absolute path of a file",
     .help = "the words of reports; none: those that are built in"},
    {REPORTS, .name = "TMAIL_BOUNCE_SIZE", SIZE(bounce_size, 0, MEGA(100)), .standard = "50K",
     .help = "largest message that is returned whole in a report; of a larger one its header goes back"},
    {REPORTS, .name = "TMAIL_BOUNCE_POSTMASTER", TEXT(bounce_postmaster, check_address_or_none), .standard = "", .expected = "a mail address",
     .help = "who hears of reports that cannot be delivered; none: nobody, they are dropped with a line in the log"},
    {REPORTS, .name = "TMAIL_BOUNCE_DELAY", WORD(bounce_delay, enum conf_bounce_delay, bounce_delays), .standard = "asked",
     .help = "who is told that a message is late: nobody, who asked for it (NOTIFY=DELAY), or all senders but those who asked for something else"},
    {REPORTS, .name = "TMAIL_BOUNCE_DELAY_AFTER", TIME(bounce_delay_after, SECONDS(1), DAYS(30)), .standard = "4h",
     .help = "age at which a message is late"},
    {REPORTS, .name = "TMAIL_DELIVERD_QUEUE_BOUNCES_LIFETIME", TIME_IN_MINUTES(deliverd_queue_bounces_lifetime, 0, DAYS(365)), .standard = "1d",
     .help = "age at which a report, or other mail from the null sender, that cannot be delivered fails"},
    {REPORTS, .name = "TMAIL_HISTORY", TIME(history, 0, DAYS(3650)), .standard = "7d",
     .help = "time that attempts and the fate of messages are remembered for tmail trace, 0 for not at all"},
    {REPORTS, .name = "TMAIL_HISTORY_ROWS", NUMBER(history_rows, 1000, 1000000000), .standard = "5000000",
     .help = "most entries that are remembered; the oldest go first"},

    {MAILBOXES, .name = "TMAIL_DOVECOT_SUPPORT_ENABLED", BOOL(dovecot_support_enabled), .standard = "false",
     .help = "deliver the mail of local domains to Dovecot",
     .manual = "While it is false, mail for local domains waits, but for aliases and for domains that have a route of their own."},
    {MAILBOXES, .name = "TMAIL_LOCAL_DELIVERY", WORD(local_delivery, enum conf_local_delivery, local_deliveries), .standard = "lmtp",
     .help = "how mail gets to Dovecot: over a connection to TMAIL_LMTP_ADDRESS, or by a dovecot-lda for each recipient"},
    {MAILBOXES, .name = "TMAIL_LMTP_ADDRESS", TEXT(lmtp_address, check_endpoints), .standard = "unix:/run/dovecot/lmtp",
     .expected = ENDPOINT_EXPECTED ", or several, separated by ;", .help = "where Dovecot takes mail by LMTP",
     .manual = "Where there are several, one that does not answer hands over to the next."},
    {MAILBOXES, .name = "TMAIL_LMTP_TLS", TEXT(lmtp_tls, check_tls_rule), .standard = "may", .expected = TLS_RULE_EXPECTED,
     .help = "TLS to TMAIL_LMTP_ADDRESS, where that is no socket of this host"},
    {MAILBOXES, .name = "TMAIL_LMTP_PROBE_DOMAINS", TEXT(lmtp_probe_domains, check_domains), .standard = "",
     .expected = "domains, separated by ;, or * for all", .help = "local domains whose recipients Dovecot knows and the database does not",
     .manual = "A recipient that the database does not have is asked of TMAIL_LMTP_ADDRESS before it is taken or refused."},
    {MAILBOXES, .name = "TMAIL_LMTP_PROBE_TTL", TIME(lmtp_probe_ttl, SECONDS(1), DAYS(7)), .standard = "1h",
     .help = "how long a recipient that Dovecot said it takes is taken without asking again"},
    {MAILBOXES, .name = "TMAIL_LMTP_PROBE_NEGATIVE_TTL", TIME(lmtp_probe_negative_ttl, SECONDS(1), DAYS(7)), .standard = "1m",
     .help = "how long one that it refused is refused without asking again"},
    {MAILBOXES, .name = "TMAIL_DOVECOT_QUOTA_STATUS", TEXT(dovecot_quota_status, check_endpoint_or_none), .standard = "",
     .expected = ENDPOINT_EXPECTED, .help = "Dovecot's quota-status service, which is asked at RCPT whether a mailbox has room",
     .manual = "While it does not answer, mail is taken: Dovecot refuses what does not fit when it is delivered."},
    {MAILBOXES, .name = "TMAIL_DOVECOT_LDA", TEXT(dovecot_lda, check_path), .standard = "/usr/lib/dovecot/dovecot-lda",
     .expected = "an absolute path", .help = "the program that TMAIL_LOCAL_DELIVERY=lda runs"},
    {MAILBOXES, .name = "TMAIL_DOVECOT_LDA_USER", TEXT(dovecot_lda_user, check_user_or_none), .standard = "", .expected = "the name of a user, not root",
     .help = "the system user that dovecot-lda runs as, to whom the mailboxes belong; none: TMAIL_USER",
     .manual = "It is ignored where tmail was not started as root."},
    {MAILBOXES, .name = "TMAIL_PIPE_USER", TEXT(pipe_user, check_user), .standard = "nobody", .expected = "the name of a user, not root",
     .help = "the system user that the commands of aliases run as",
     .manual = "It is ignored where tmail was not started as root.  A command gets the message as standard input, and SENDER, RECIPIENT and "
               "ORIGINAL_RECIPIENT in its environment, where what might mean something to a shell is an underscore.  It may use TMAIL_LOCAL_TIMEOUT "
               "of processor time, 4G of memory and files of 4G.  Exit status 0 is done; 5, 67 and 77 fail; after any other, such "
               "as 4 and 75, it is tried again."},
    {MAILBOXES, .name = "TMAIL_LOCAL_TIMEOUT", TIME(local_timeout, SECONDS(1), HOURS(1)), .standard = "5m",
     .help = "time for dovecot-lda, or the command of an alias, to take a message; then it is killed and tried again later"},
    {MAILBOXES, .name = "TMAIL_DELIVERD_LOCAL_CONCURRENCY", NUMBER(deliverd_local_concurrency, 1, 100000), .standard = "50",
     .help = "deliveries to Dovecot at a time; half as many commands of aliases may run beside them"},
    {MAILBOXES, .name = "TMAIL_RECIPIENT_DELIMITER", TEXT(recipient_delimiter, check_delimiter), .standard = "+",
     .expected = "one of + - _ = ~ #, or nothing", .help = "what stands between a user's name and a detail of the user's own: user+detail",
     .manual = "The name of a mailbox cannot have it in it: Dovecot would take what stands behind for a detail.  Dovecot's recipient_delimiter must "
               "be the same."},
    {MAILBOXES, .name = "TMAIL_POSTMASTER", TEXT(postmaster, check_address_or_none), .standard = "", .expected = "a mail address",
     .help = "who gets mail for postmaster and abuse of this host, and of local domains that have no such mailbox or alias",
     .manual = "RFC 5321 section 4.5.1 and RFC 2142 want somebody to read it."},
    {MAILBOXES, .name = "TMAIL_USERS_HOME_BASE", TEXT(users_home_base, check_path), .standard = "/var/lib/tmail/mailboxes",
     .expected = "an absolute path", .help = "folder of the users' homes", .manual = "The home of user@domain is BASE/d/domain/u/user."},
    {MAILBOXES, .name = "TMAIL_USERS_MAILBOX_DEFAULT_QUOTA", SIZE(users_mailbox_default_quota, 0, TERA(1)), .standard = "200M",
     .help = "quota of a new mailbox, 0 for no limit"},
};

static const struct conf_rule rules[] = {
    {{"TMAIL_SMTPD_LAUNCH", "TMAIL_DELIVERD_LAUNCH"}, rule_something_to_do,
     "I have nothing to do: TMAIL_DELIVERD_LAUNCH is false too (expected at least one of them true)"},
    {{"TMAIL_DELIVERD_RETRY_MIN", "TMAIL_DELIVERD_RETRY_MAX"}, rule_retry_order,
     "is longer than TMAIL_DELIVERD_RETRY_MAX (expected at most that)"},
    {{"TMAIL_SRS_DOMAIN", "TMAIL_SRS_SECRET"}, rule_srs_secret, "needs TMAIL_SRS_SECRET (expected at least 16 octets)"},
    {{"TMAIL_SMTPD_AUTH_MECHANISMS", "TMAIL_DOVECOT_AUTH"}, rule_own_mechanisms,
     "has a mechanism that only Dovecot may have (expected SCRAM-SHA-256-PLUS, SCRAM-SHA-256, CRAM-MD5, PLAIN or LOGIN, or "
     "TMAIL_DOVECOT_AUTH)"},
};

const struct conf_schema tmail_schema = {keys, sizeof keys / sizeof keys[0], rules, sizeof rules / sizeof rules[0]};

size_t schema_find(const struct conf_schema *schema, struct str name)
{
    size_t i = 0;

    while (i < schema->count && !str_equal(name, str_of(schema->keys[i].name)))
        i++;
    return i;
}

/* All names start alike, which must not make them near. */
static const char *behind_prefix(const char *name)
{
    return str_starts(str_of(name), STR("TMAIL_")) ? name + 6 : name;
}

const char *schema_near_miss(const struct conf_schema *schema, struct str name)
{
    struct near_miss miss = near_miss_of(str_starts(name, STR("TMAIL_")) ? str_from(name, 6) : name);
    const char *nearest = NULL;

    for (size_t i = 0; i < schema->count; i++) {
        size_t before = miss.distance;

        near_miss_try(&miss, behind_prefix(schema->keys[i].name));
        if (miss.distance < before)
            nearest = schema->keys[i].name;
    }
    return nearest;
}

static void write_words(const struct conf_key *key, struct buf *to)
{
    for (size_t i = 0; key->words[i] != NULL; i++) {
        if (i > 0)
            buf_add_text(to, key->words[i + 1] != NULL ? ", " : " or ");
        buf_add_text(to, key->words[i]);
    }
}

static void write_range(const struct conf_key *key, struct buf *to, void (*write)(struct buf *to, int64_t value))
{
    write(to, key->min);
    buf_add_text(to, " to ");
    write(to, key->max);
}

void schema_expected(const struct conf_key *key, struct buf *to)
{
    if (key->words != NULL) {
        write_words(key, to);
    } else if (key->type == CONF_BOOL) {
        buf_add_text(to, "true or false");
    } else if (key->type == CONF_NUMBER) {
        buf_add_text(to, "a number from ");
        write_range(key, to, buf_add_number);
    } else if (key->type == CONF_SIZE) {
        buf_add_text(to, "a size from ");
        write_range(key, to, value_write_size);
        buf_add_text(to, ", such as 512, 4K or 50M");
    } else if (key->type == CONF_TIME) {
        buf_add_text(to, "a time from ");
        write_range(key, to, value_write_time);
        buf_print(to, ", such as 30s, 5m, 4h or 7d, a bare number counting %s", key->unit == MINUTES(1) ? "minutes" : "seconds");
    } else {
        buf_add_text(to, key->expected);
    }
}
