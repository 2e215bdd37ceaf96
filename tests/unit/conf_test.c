#include "test.h"

#include "base/memory.h"
#include "conf/conf.h"
#include "conf/field.h"
#include "conf/listeners.h"
#include "conf/local_ips.h"
#include "conf/sasl_list.h"
#include "conf/near_miss.h"
#include "conf/shell.h"
#include "conf/value.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct conf conf;
static struct conf_errors errors;
static char folder[] = "/tmp/tmail-conf-test.XXXXXX";

/* TMAIL_ME is always there: what a test asks of the configuration must not hang on the name of the host. */
static char *plain_environment[] = {(char *)"TMAIL_ME=mx.example.org", (char *)"PATH=/bin", NULL};

static void forget(void)
{
    conf_done(&conf);
    conf_errors_done(&errors);
}

static bool load_bytes(struct str content, char **environment)
{
    forget();
    return conf_load_content(&conf, &tmail_schema, "tmail.cfg", content, environment, &errors);
}

static bool load(const char *content)
{
    return load_bytes(str_of(content), plain_environment);
}

static const char *error_text(void)
{
    return buf_text(&errors.lines);
}

static const char *path_of(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *write_file(const char *name, struct str content)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "w");

    if (file == NULL || fwrite(content.data, 1, content.length, file) != content.length || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
    return path;
}

static bool load_file(const char *path, char **environment)
{
    forget();
    return conf_load_schema(&conf, &tmail_schema, path, environment, &errors);
}

static const char *source_of(const char *key)
{
    static struct buf text;

    buf_clear(&text);
    field_source(&conf, conf.sources[schema_find(conf.schema, str_of(key))], &text);
    return buf_text(&text);
}

static const char *value_of(const char *key)
{
    static struct buf text;

    buf_clear(&text);
    field_text(&conf, &conf.schema->keys[schema_find(conf.schema, str_of(key))], &text);
    return buf_text(&text);
}

/* ---- the table ---- */

static void table_is_sound(void)
{
    for (size_t i = 0; i < tmail_schema.count; i++) {
        const struct conf_key *key = &tmail_schema.keys[i];

        check(strncmp(key->name, "TMAIL_", 6) == 0);
        check(key->help != NULL && key->section != NULL);
        check(key->standard != NULL || (key->find_standard != NULL && key->standard_help != NULL));
        check(key->type != CONF_TEXT || key->expected != NULL || key->words != NULL);
        check(key->min <= key->max);
        for (size_t k = 0; k < i; k++) {
            check(strcmp(tmail_schema.keys[k].name, key->name) != 0);
            check(tmail_schema.keys[k].place != key->place);
            /* Rows of a section stand together. */
            check(k + 1 == i || strcmp(tmail_schema.keys[k].section, key->section) != 0 ||
                  strcmp(tmail_schema.keys[i - 1].section, key->section) == 0);
        }
    }
    for (size_t i = 0; i < tmail_schema.rule_count; i++)
        for (size_t k = 0; k < 2; k++)
            check(schema_find(&tmail_schema, str_of(tmail_schema.rules[i].keys[k])) < tmail_schema.count);
}

/* The field of a key is its name in lower case: what would tell of a row that points at another's field. */
static void fields_are_those_of_their_keys(void)
{
    static const struct {
        const char *name;
        size_t place;
    } fields[] = {
        {"TMAIL_ME", offsetof(struct conf, me)},
        {"TMAIL_HIDE_SERVER_SIGNATURE", offsetof(struct conf, hide_server_signature)},
        {"TMAIL_DEBUG_ENABLED", offsetof(struct conf, debug_enabled)},
        {"TMAIL_LOGPATH", offsetof(struct conf, logpath)},
        {"TMAIL_LOG_FORMAT", offsetof(struct conf, log_format)},
        {"TMAIL_TEMPDIR", offsetof(struct conf, tempdir)},
        {"TMAIL_USER", offsetof(struct conf, user)},
        {"TMAIL_DB_DRIVER", offsetof(struct conf, db_driver)},
        {"TMAIL_DB_SOURCE", offsetof(struct conf, db_source)},
        {"TMAIL_STORE_DRIVER", offsetof(struct conf, store_driver)},
        {"TMAIL_STORE_SOURCE", offsetof(struct conf, store_source)},
        {"TMAIL_STORE_MIN_FREE", offsetof(struct conf, store_min_free)},
        {"TMAIL_SECRET_KEY_FILE", offsetof(struct conf, secret_key_file)},
        {"TMAIL_STOP_TIMEOUT", offsetof(struct conf, stop_timeout)},
        {"TMAIL_TLS_CERT", offsetof(struct conf, tls_cert)},
        {"TMAIL_TLS_KEY", offsetof(struct conf, tls_key)},
        {"TMAIL_TLS_SNI_DIR", offsetof(struct conf, tls_sni_dir)},
        {"TMAIL_TLS_MIN_VERSION", offsetof(struct conf, tls_min_version)},
        {"TMAIL_TLS_CLIENT_CA_FILE", offsetof(struct conf, tls_client_ca_file)},
        {"TMAIL_TLS_CA_FILE", offsetof(struct conf, tls_ca_file)},
        {"TMAIL_DNS_FORWARD", offsetof(struct conf, dns_forward)},
        {"TMAIL_DNSSEC", offsetof(struct conf, dnssec)},
        {"TMAIL_DNS_TRUST_ANCHOR", offsetof(struct conf, dns_trust_anchor)},
        {"TMAIL_DNS_UNBOUND_CONF", offsetof(struct conf, dns_unbound_conf)},
        {"TMAIL_DNS_TIMEOUT", offsetof(struct conf, dns_timeout)},
        {"TMAIL_SMTPD_DNS_TIMEOUT", offsetof(struct conf, smtpd_dns_timeout)},
        {"TMAIL_SMTPD_LAUNCH", offsetof(struct conf, smtpd_launch)},
        {"TMAIL_SMTPD_DSNS", offsetof(struct conf, smtpd_dsns)},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", offsetof(struct conf, smtpd_server_timeout)},
        {"TMAIL_SMTPD_DATA_TIMEOUT", offsetof(struct conf, smtpd_data_timeout)},
        {"TMAIL_SMTPD_MAX_DATABYTES", offsetof(struct conf, smtpd_max_databytes)},
        {"TMAIL_SMTPD_MAX_HOPS", offsetof(struct conf, smtpd_max_hops)},
        {"TMAIL_SMTP_MAX_RCPT", offsetof(struct conf, smtp_max_rcpt)},
        {"TMAIL_SMTP_MAX_BAD_RCPT", offsetof(struct conf, smtp_max_bad_rcpt)},
        {"TMAIL_SMTPD_CONCURRENCY_INCOMING", offsetof(struct conf, smtpd_concurrency_incoming)},
        {"TMAIL_SMTPD_CONCURRENCY_PER_CLIENT", offsetof(struct conf, smtpd_concurrency_per_client)},
        {"TMAIL_SMTPD_MAX_COMMAND_LENGTH", offsetof(struct conf, smtpd_max_command_length)},
        {"TMAIL_SMTPD_MAX_TEXT_LENGTH", offsetof(struct conf, smtpd_max_text_length)},
        {"TMAIL_SMTPD_MAX_COMMANDS", offsetof(struct conf, smtpd_max_commands)},
        {"TMAIL_SMTPD_MAX_ERRORS", offsetof(struct conf, smtpd_max_errors)},
        {"TMAIL_SMTPD_BARE_NEWLINE", offsetof(struct conf, smtpd_bare_newline)},
        {"TMAIL_SRS_DOMAIN", offsetof(struct conf, srs_domain)},
        {"TMAIL_SRS_SECRET", offsetof(struct conf, srs_secret)},
        {"TMAIL_RFC_HELO_MANDATORY", offsetof(struct conf, rfc_helo_mandatory)},
        {"TMAIL_RFC_HELO_NEED_FQN", offsetof(struct conf, rfc_helo_need_fqn)},
        {"TMAIL_RFC_MAILFROM_LOCALPART_SIZE", offsetof(struct conf, rfc_mailfrom_localpart_size)},
        {"TMAIL_SMTPD_AUTH_MECHANISMS", offsetof(struct conf, smtpd_auth_mechanisms)},
        {"TMAIL_SMTPD_AUTH_PLAIN_TEXT", offsetof(struct conf, smtpd_auth_plain_text)},
        {"TMAIL_SMTPD_AUTH_FAILURE_DELAY", offsetof(struct conf, smtpd_auth_failure_delay)},
        {"TMAIL_SMTPD_AUTH_MAX_FAILURES", offsetof(struct conf, smtpd_auth_max_failures)},
        {"TMAIL_SMTPD_AUTH_LOCK_TIME", offsetof(struct conf, smtpd_auth_lock_time)},
        {"TMAIL_SMTPD_SENDER_LOGIN", offsetof(struct conf, smtpd_sender_login)},
        {"TMAIL_DOVECOT_AUTH", offsetof(struct conf, dovecot_auth)},
        {"TMAIL_DELIVERD_LAUNCH", offsetof(struct conf, deliverd_launch)},
        {"TMAIL_DELIVERD_LOCAL_IPS", offsetof(struct conf, deliverd_local_ips)},
        {"TMAIL_DELIVERD_MAX_IN_FLIGHT", offsetof(struct conf, deliverd_max_in_flight)},
        {"TMAIL_DELIVERD_REMOTE_CONCURRENCY", offsetof(struct conf, deliverd_remote_concurrency)},
        {"TMAIL_DELIVERD_DESTINATION_CONCURRENCY", offsetof(struct conf, deliverd_destination_concurrency)},
        {"TMAIL_DELIVERD_REMOTE_TIMEOUT", offsetof(struct conf, deliverd_remote_timeout)},
        {"TMAIL_DELIVERD_CONNECT_TIMEOUT", offsetof(struct conf, deliverd_connect_timeout)},
        {"TMAIL_DELIVERD_REMOTE_TLS", offsetof(struct conf, deliverd_remote_tls)},
        {"TMAIL_DELIVERD_REMOTE_TLS_SKIPVERIFY", offsetof(struct conf, deliverd_remote_tls_skipverify)},
        {"TMAIL_DELIVERD_REMOTE_TLS_FALLBACK", offsetof(struct conf, deliverd_remote_tls_fallback)},
        {"TMAIL_DANE", offsetof(struct conf, dane)},
        {"TMAIL_MTA_STS", offsetof(struct conf, mta_sts)},
        {"TMAIL_TLSRPT", offsetof(struct conf, tlsrpt)},
        {"TMAIL_TLSRPT_CONTACT", offsetof(struct conf, tlsrpt_contact)},
        {"TMAIL_DELIVERD_ADDRESS_LIMIT", offsetof(struct conf, deliverd_address_limit)},
        {"TMAIL_DELIVERD_IP_PREFERENCE", offsetof(struct conf, deliverd_ip_preference)},
        {"TMAIL_DELIVERD_DEAD_HOST_TIME", offsetof(struct conf, deliverd_dead_host_time)},
        {"TMAIL_DELIVERD_CONNECTION_IDLE", offsetof(struct conf, deliverd_connection_idle)},
        {"TMAIL_DELIVERD_CONNECTION_MESSAGES", offsetof(struct conf, deliverd_connection_messages)},
        {"TMAIL_DELIVERD_QUEUE_LIFETIME", offsetof(struct conf, deliverd_queue_lifetime)},
        {"TMAIL_DELIVERD_RETRY_MIN", offsetof(struct conf, deliverd_retry_min)},
        {"TMAIL_DELIVERD_RETRY_MAX", offsetof(struct conf, deliverd_retry_max)},
        {"TMAIL_DELIVERD_RETRY_TIMES", offsetof(struct conf, deliverd_retry_times)},
        {"TMAIL_DELIVERD_RETRY_GREYLIST", offsetof(struct conf, deliverd_retry_greylist)},
        {"TMAIL_DELIVERD_DESTINATION_RATE", offsetof(struct conf, deliverd_destination_rate)},
        {"TMAIL_DELIVERD_DOMAIN_RATE", offsetof(struct conf, deliverd_domain_rate)},
        {"TMAIL_VERP_DELIMITERS", offsetof(struct conf, verp_delimiters)},
        {"TMAIL_BOUNCE_ENABLED", offsetof(struct conf, bounce_enabled)},
        {"TMAIL_BOUNCE_TEMPLATE", offsetof(struct conf, bounce_template)},
        {"TMAIL_BOUNCE_SIZE", offsetof(struct conf, bounce_size)},
        {"TMAIL_BOUNCE_POSTMASTER", offsetof(struct conf, bounce_postmaster)},
        {"TMAIL_BOUNCE_DELAY", offsetof(struct conf, bounce_delay)},
        {"TMAIL_BOUNCE_DELAY_AFTER", offsetof(struct conf, bounce_delay_after)},
        {"TMAIL_DELIVERD_QUEUE_BOUNCES_LIFETIME", offsetof(struct conf, deliverd_queue_bounces_lifetime)},
        {"TMAIL_HISTORY", offsetof(struct conf, history)},
        {"TMAIL_HISTORY_ROWS", offsetof(struct conf, history_rows)},
        {"TMAIL_DOVECOT_SUPPORT_ENABLED", offsetof(struct conf, dovecot_support_enabled)},
        {"TMAIL_LOCAL_DELIVERY", offsetof(struct conf, local_delivery)},
        {"TMAIL_LMTP_ADDRESS", offsetof(struct conf, lmtp_address)},
        {"TMAIL_LMTP_TLS", offsetof(struct conf, lmtp_tls)},
        {"TMAIL_LMTP_PROBE_DOMAINS", offsetof(struct conf, lmtp_probe_domains)},
        {"TMAIL_LMTP_PROBE_TTL", offsetof(struct conf, lmtp_probe_ttl)},
        {"TMAIL_LMTP_PROBE_NEGATIVE_TTL", offsetof(struct conf, lmtp_probe_negative_ttl)},
        {"TMAIL_DOVECOT_QUOTA_STATUS", offsetof(struct conf, dovecot_quota_status)},
        {"TMAIL_DOVECOT_LDA", offsetof(struct conf, dovecot_lda)},
        {"TMAIL_DOVECOT_LDA_USER", offsetof(struct conf, dovecot_lda_user)},
        {"TMAIL_PIPE_USER", offsetof(struct conf, pipe_user)},
        {"TMAIL_LOCAL_TIMEOUT", offsetof(struct conf, local_timeout)},
        {"TMAIL_DELIVERD_LOCAL_CONCURRENCY", offsetof(struct conf, deliverd_local_concurrency)},
        {"TMAIL_RECIPIENT_DELIMITER", offsetof(struct conf, recipient_delimiter)},
        {"TMAIL_POSTMASTER", offsetof(struct conf, postmaster)},
        {"TMAIL_USERS_HOME_BASE", offsetof(struct conf, users_home_base)},
        {"TMAIL_USERS_MAILBOX_DEFAULT_QUOTA", offsetof(struct conf, users_mailbox_default_quota)},
    };

    check_number(TEST_COUNT(fields), tmail_schema.count);
    for (size_t i = 0; i < TEST_COUNT(fields); i++) {
        size_t place = schema_find(&tmail_schema, str_of(fields[i].name));

        if (check(place < tmail_schema.count))
            check_number(tmail_schema.keys[place].place, fields[i].place);
    }
}

static void defaults_are_documented_ones(void)
{
    check(load(""));
    check_text(error_text(), "");
    check_text(conf.me, "mx.example.org");
    check_text(conf.logpath, "stdout");
    check_number(conf.log_format, LOG_FORMAT_LOGFMT);
    check_text(conf.tempdir, "/dev/shm");
    check_text(conf.user, "tmail");
    check_text(conf.db_driver, "sqlite3");
    check_text(conf.db_path, "/var/lib/tmail/tmail.db");
    check_text(conf.store_driver, "disk");
    check_text(conf.store_source, "/var/lib/tmail/store");
    check(conf.smtpd_launch && conf.deliverd_launch && conf.rfc_mailfrom_localpart_size);
    check(!conf.hide_server_signature && !conf.debug_enabled && !conf.rfc_helo_mandatory && !conf.rfc_helo_need_fqn);
    check_text(conf.smtpd_dsns, "127.0.0.1:2525:false");
    check_number(conf.smtpd_server_timeout, 300000);
    check_number(conf.smtpd_data_timeout, 1800000);
    check_number(conf.smtpd_max_databytes, 50 << 20);
    check_number(conf.smtpd_max_hops, 50);
    check_number(conf.smtp_max_rcpt, 1000);
    check_number(conf.smtp_max_bad_rcpt, 0);
    check_number(conf.smtpd_concurrency_incoming, 10000);
    check_number(conf.smtpd_concurrency_per_client, 100);
    check_number(conf.smtpd_max_command_length, 4096);
    check_number(conf.smtpd_max_text_length, 0);
    check_number(conf.smtpd_max_commands, 5000);
    check_number(conf.smtpd_max_errors, 20);
    check_number(conf.smtpd_bare_newline, BARE_NEWLINE_REFUSE);
    check_text(conf.deliverd_local_ips, "0.0.0.0");
    check_number(conf.deliverd_max_in_flight, 1000);
    check_number(conf.deliverd_remote_concurrency, 500);
    check_number(conf.deliverd_destination_concurrency, 20);
    check_number(conf.deliverd_remote_timeout, 300000);
    check_number(conf.deliverd_connect_timeout, 30000);
    check_number(conf.deliverd_dead_host_time, 60000);
    check_number(conf.deliverd_connection_idle, 5000);
    check_number(conf.deliverd_connection_messages, 100);
    check_number(conf.deliverd_queue_lifetime, 5 * 86400000);
    check_number(conf.deliverd_retry_min, 300000);
    check_number(conf.deliverd_retry_max, 4 * 3600000);
    check_text(conf.deliverd_retry_times, "1m;5m");
    check_text(conf.deliverd_retry_greylist, "1m;2m;3m;5m;10m");
    check_text(conf.deliverd_destination_rate, "");
    check_text(conf.deliverd_domain_rate, "");
    check_text(conf.verp_delimiters, "+=");
    check(conf.bounce_enabled);
    check_text(conf.bounce_template, "");
    check_number(conf.bounce_size, 50 << 10);
    check_text(conf.bounce_postmaster, "");
    check_number(conf.bounce_delay, BOUNCE_DELAY_ASKED);
    check_number(conf.bounce_delay_after, 4 * 3600000);
    check_number(conf.deliverd_queue_bounces_lifetime, 86400000);
    check_number(conf.history, 7 * 86400000);
    check_number(conf.history_rows, 5000000);
    check_text(conf.users_home_base, "/var/lib/tmail/mailboxes");
    check_number(conf.users_mailbox_default_quota, 200 << 20);
    check_number(conf.stop_timeout, 30000);
    check_text(source_of("TMAIL_SMTPD_MAX_HOPS"), "default");
}

/* ---- lines ---- */

static void shell_lines_are_read(void)
{
    static const struct {
        const char *line, *key, *value;
    } lines[] = {
        {"TMAIL_X=abc", "TMAIL_X", "abc"},
        {"  \tTMAIL_X=abc  ", "TMAIL_X", "abc"},
        {"export TMAIL_X=abc", "TMAIL_X", "abc"},
        {"\texport \t TMAIL_X=abc", "TMAIL_X", "abc"},
        {"export=abc", "export", "abc"},
        {"TMAIL_X=", "TMAIL_X", ""},
        {"TMAIL_X=   # nothing", "TMAIL_X", ""},
        {"TMAIL_X=''", "TMAIL_X", ""},
        {"TMAIL_X=\"\"", "TMAIL_X", ""},
        {"TMAIL_X=abc # why", "TMAIL_X", "abc"},
        {"TMAIL_X=abc#no", "TMAIL_X", "abc#no"},
        {"TMAIL_X='a # b'", "TMAIL_X", "a # b"},
        {"TMAIL_X='a b' # c", "TMAIL_X", "a b"},
        {"TMAIL_X='$HOME `x` \\'", "TMAIL_X", "$HOME `x` \\"},
        {"TMAIL_X=\"a b\"", "TMAIL_X", "a b"},
        {"TMAIL_X=\"a'b\"", "TMAIL_X", "a'b"},
        {"TMAIL_X=\"\\$ \\` \\\" \\\\\"", "TMAIL_X", "$ ` \" \\"},
        {"TMAIL_X=\"\\n\\x\"", "TMAIL_X", "\\n\\x"},
        {"TMAIL_X=a\\ b\\$c\\\\d\\'", "TMAIL_X", "a b$c\\d'"},
        {"TMAIL_X=a'b c'\"d e\"f", "TMAIL_X", "ab cd ef"},
        {"TMAIL_X='it'\\''s'", "TMAIL_X", "it's"},
        {"TMAIL_X=a=b", "TMAIL_X", "a=b"},
        {"TMAIL_X=127.0.0.1&127.0.0.2", "TMAIL_X", "127.0.0.1&127.0.0.2"},
        {"_a1=2", "_a1", "2"},
        {"TMAIL_X=\xc3\xa9", "TMAIL_X", "\xc3\xa9"},
        /* Other programs' keys may hold what ours may not. */
        {"PATH=$PATH:\"$(echo \"a\")\" b # don't", "PATH", NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(lines); i++) {
        struct str key;
        struct buf value = {0};
        const char *problem = "";

        if (!check(shell_read(str_of(lines[i].line), STR("TMAIL_"), &key, &value, &problem) == SHELL_ASSIGNMENT))
            printf("#   line %s: %s\n", lines[i].line, problem);
        check_str(key, str_of(lines[i].key));
        if (lines[i].value != NULL)
            check_text(buf_text(&value), lines[i].value);
        buf_done(&value);
    }
}

static void empty_lines_say_nothing(void)
{
    static const char *const lines[] = {"", "   ", "\t", "#", "  # TMAIL_X=1", "#TMAIL_X='", "export TMAIL_X", "export TMAIL_X # c"};

    for (size_t i = 0; i < TEST_COUNT(lines); i++) {
        struct str key;
        struct buf value = {0};
        const char *problem;

        check(shell_read(str_of(lines[i]), STR("TMAIL_"), &key, &value, &problem) == SHELL_NOTHING);
        buf_done(&value);
    }
}

static void bad_lines_say_why(void)
{
    static const struct {
        const char *line, *problem;
    } lines[] = {
        {"TMAIL_X", "expected KEY=value"},
        {"TMAIL_X abc", "expected KEY=value"},
        {"export TMAIL_X abc", "expected KEY=value"},
        {"TMAIL_X+=abc", "expected KEY=value"},
        {"TMAIL-X=abc", "expected KEY=value"},
        {"1X=abc", "expected KEY=value"},
        {"=abc", "expected KEY=value"},
        {"export", "expected KEY=value"},
        {". ./other", "expected KEY=value"},
        {"if true; then", "expected KEY=value"},
        {"TMAIL_X =abc", "a blank stands before the ="},
        {"TMAIL_X = abc", "a blank stands before the ="},
        {"TMAIL_X= abc", "a blank stands behind the ="},
        {"TMAIL_X=a b", "more text follows the value"},
        {"TMAIL_X=a; export TMAIL_X", "more text follows the value"},
        {"TMAIL_X='a' b", "more text follows the value"},
        {"TMAIL_X='abc", "a single quote is not closed"},
        {"TMAIL_X=a'", "a single quote is not closed"},
        {"TMAIL_X=\"abc", "a double quote is not closed"},
        {"TMAIL_X=\"abc\\\"", "a double quote is not closed"},
        {"TMAIL_X=\"abc\\", "a double quote is not closed"},
        {"TMAIL_X=abc\\", "cannot be continued"},
        {"TMAIL_X=$HOME", "not expanded"},
        {"TMAIL_X=a$", "not expanded"},
        {"TMAIL_X=$(id)", "not expanded"},
        {"TMAIL_X=`id`", "not expanded"},
        {"TMAIL_X=\"$HOME\"", "not expanded"},
        {"TMAIL_X=\"a`id`\"", "not expanded"},
        {"TMAIL_X=\"$(id)\"", "not expanded"},
        /* The next line would belong to it. */
        {"OTHER='abc", "a single quote is not closed"},
        {"OTHER=\"abc", "a double quote is not closed"},
        {"OTHER=a 'b", "a single quote is not closed"},
        {"OTHER=a\\", "cannot be continued"},
    };

    for (size_t i = 0; i < TEST_COUNT(lines); i++) {
        struct str key;
        struct buf value = {0};
        const char *problem = "";

        if (!check(shell_read(str_of(lines[i].line), STR("TMAIL_"), &key, &value, &problem) == SHELL_BAD))
            printf("#   line %s\n", lines[i].line);
        check_has(problem, lines[i].problem);
        buf_done(&value);
    }
}

static void shell_reads_back_what_it_writes(void)
{
    static const char *const values[] = {"",  "abc", "a b",      "it's", "''", "$HOME `x` \\ \"", "#", "a;b&c|d",
                                         "~", "*",   "\xc3\xa9", "a=b",  "-"};

    for (size_t i = 0; i < TEST_COUNT(values); i++) {
        struct buf line = {0}, value = {0};
        struct str key;
        const char *problem;

        buf_add_text(&line, "TMAIL_X=");
        shell_write(&line, str_of(values[i]));
        check(shell_read(buf_str(&line), STR("TMAIL_"), &key, &value, &problem) == SHELL_ASSIGNMENT);
        check_text(buf_text(&value), values[i]);
        buf_done(&line);
        buf_done(&value);
    }
}

/* ---- values ---- */

static void values_are_read(void)
{
    static const struct {
        const char *key, *text, *shown; /* NULL: refused */
    } values[] = {
        {"TMAIL_DEBUG_ENABLED", "true", "true"},
        {"TMAIL_DEBUG_ENABLED", "TRUE", "true"},
        {"TMAIL_DEBUG_ENABLED", "Yes", "true"},
        {"TMAIL_DEBUG_ENABLED", "on", "true"},
        {"TMAIL_DEBUG_ENABLED", "1", "true"},
        {"TMAIL_RFC_MAILFROM_LOCALPART_SIZE", "false", "false"},
        {"TMAIL_RFC_MAILFROM_LOCALPART_SIZE", "No", "false"},
        {"TMAIL_RFC_MAILFROM_LOCALPART_SIZE", "OFF", "false"},
        {"TMAIL_RFC_MAILFROM_LOCALPART_SIZE", "0", "false"},
        {"TMAIL_DEBUG_ENABLED", "", NULL},
        {"TMAIL_DEBUG_ENABLED", "2", NULL},
        {"TMAIL_DEBUG_ENABLED", "t", NULL},
        {"TMAIL_DEBUG_ENABLED", "truee", NULL},
        {"TMAIL_DEBUG_ENABLED", " true", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "1", "1"},
        {"TMAIL_SMTPD_MAX_HOPS", "10000", "10000"},
        {"TMAIL_SMTPD_MAX_HOPS", "0020", "20"},
        {"TMAIL_SMTPD_MAX_HOPS", "0", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "10001", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "0x10", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "-1", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "+1", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "1.5", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "1K", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "99999999999999999999", NULL},
        {"TMAIL_SMTPD_MAX_HOPS", "18446744073709551617", NULL},
        {"TMAIL_SMTPD_MAX_DATABYTES", "0", "0"},
        {"TMAIL_SMTPD_MAX_DATABYTES", "1000", "1000"},
        {"TMAIL_SMTPD_MAX_DATABYTES", "1024", "1K"},
        {"TMAIL_SMTPD_MAX_DATABYTES", "3K", "3K"},
        {"TMAIL_SMTPD_MAX_DATABYTES", "50m", "50M"},
        {"TMAIL_USERS_MAILBOX_DEFAULT_QUOTA", "2G", "2G"},
        {"TMAIL_USERS_MAILBOX_DEFAULT_QUOTA", "1024M", "1G"},
        {"TMAIL_SMTPD_MAX_DATABYTES", "K", NULL},
        {"TMAIL_SMTPD_MAX_DATABYTES", "5MB", NULL},
        {"TMAIL_SMTPD_MAX_DATABYTES", "5 M", NULL},
        {"TMAIL_SMTPD_MAX_DATABYTES", "1T", NULL},
        {"TMAIL_SMTPD_MAX_DATABYTES", "9999999999G", NULL},
        {"TMAIL_SMTPD_MAX_DATABYTES", "17179869184G", NULL},
        {"TMAIL_SMTPD_MAX_COMMAND_LENGTH", "511", NULL},
        {"TMAIL_SMTPD_MAX_COMMAND_LENGTH", "512", "512"},
        {"TMAIL_SMTPD_MAX_COMMAND_LENGTH", "64K", "64K"},
        {"TMAIL_SMTPD_MAX_COMMAND_LENGTH", "65537", NULL},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "30", "30s"},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "30s", "30s"},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "90s", "90s"},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "5m", "5m"},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "4h", "4h"},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "1d", "1d"},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "24h", "1d"},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "0s", NULL},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "2d", NULL},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "5M", NULL},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "1h30m", NULL},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "5ms", NULL},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "s", NULL},
        {"TMAIL_SMTPD_SERVER_TIMEOUT", "213503982335d", NULL},
        {"TMAIL_DELIVERD_QUEUE_LIFETIME", "1440", "1d"},
        {"TMAIL_DELIVERD_QUEUE_LIFETIME", "90", "90m"},
        {"TMAIL_DELIVERD_QUEUE_LIFETIME", "7d", "7d"},
        {"TMAIL_DELIVERD_QUEUE_LIFETIME", "30s", "30s"},
        {"TMAIL_DELIVERD_QUEUE_LIFETIME", "0", "0s"},
        {"TMAIL_DELIVERD_QUEUE_LIFETIME", "366d", NULL},
        {"TMAIL_LOG_FORMAT", "json", "json"},
        {"TMAIL_LOG_FORMAT", "JSON", "json"},
        {"TMAIL_LOG_FORMAT", "xml", NULL},
        {"TMAIL_LOG_FORMAT", "", NULL},
        {"TMAIL_SMTPD_BARE_NEWLINE", "normalize", "normalize"},
        {"TMAIL_SMTPD_BARE_NEWLINE", "accept", NULL},
        {"TMAIL_SMTPD_CONCURRENCY_PER_CLIENT", "0", "0"},
        {"TMAIL_SMTPD_CONCURRENCY_PER_CLIENT", "1000001", NULL},
        {"TMAIL_SMTPD_MAX_COMMANDS", "9", NULL},
        {"TMAIL_SMTPD_MAX_COMMANDS", "10", "10"},
        {"TMAIL_SMTPD_MAX_ERRORS", "0", NULL},
        {"TMAIL_DB_DRIVER", "sqlite3", "sqlite3"},
        {"TMAIL_DB_DRIVER", "postgres", NULL},
        {"TMAIL_DB_DRIVER", "", NULL},
        {"TMAIL_STORE_DRIVER", "disk", "disk"},
        {"TMAIL_STORE_DRIVER", "s3", NULL},
        {"TMAIL_DB_SOURCE", "/a/b.db", "/a/b.db"},
        {"TMAIL_DB_SOURCE", "/a/b.db?_busy_timeout=5000", "/a/b.db?_busy_timeout=5000"},
        {"TMAIL_DB_SOURCE", "b.db", NULL},
        {"TMAIL_DB_SOURCE", ":memory:", NULL},
        {"TMAIL_DB_SOURCE", "/a/b.db?mode=ro", NULL},
        {"TMAIL_DB_SOURCE", "/a/b.db?_busy_timeout=x", NULL},
        {"TMAIL_DB_SOURCE", "/a/", NULL},
        {"TMAIL_DB_SOURCE", "", NULL},
        {"TMAIL_STORE_SOURCE", "store", NULL},
        {"TMAIL_STORE_SOURCE", "/s", "/s"},
        {"TMAIL_USERS_HOME_BASE", "x", NULL},
        {"TMAIL_LOGPATH", "syslog", "syslog"},
        {"TMAIL_LOGPATH", "journal", "journal"},
        {"TMAIL_LOGPATH", "stdout", "stdout"},
        {"TMAIL_LOGPATH", "/tmp", "/tmp"},
        {"TMAIL_LOGPATH", "/nonexistent/x", NULL},
        {"TMAIL_LOGPATH", "/etc/passwd", NULL},
        {"TMAIL_LOGPATH", "tmp", NULL},
        {"TMAIL_LOGPATH", "", NULL},
        {"TMAIL_TEMPDIR", "/tmp", "/tmp"},
        {"TMAIL_TEMPDIR", "/nonexistent/x", NULL},
        {"TMAIL_USER", "nobody", "nobody"},
        {"TMAIL_USER", "", NULL},
        {"TMAIL_USER", "a b", NULL},
        {"TMAIL_USER", "a:b", NULL},
        {"TMAIL_STOP_TIMEOUT", "0", "0s"},
        {"TMAIL_DELIVERD_LOCAL_IPS", "127.0.0.1&127.0.0.2", "127.0.0.1&127.0.0.2"},
        {"TMAIL_DELIVERD_LOCAL_IPS", "127.0.0.1&127.0.0.2|127.0.0.3", NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(values); i++) {
        char line[256];
        bool ok;

        snprintf(line, sizeof line, "%s='%s'", values[i].key, values[i].text);
        ok = load(line);
        if (!check(ok == (values[i].shown != NULL)))
            printf("#   %s: %s\n", line, error_text());
        if (ok && values[i].shown != NULL && !check_text(value_of(values[i].key), values[i].shown))
            printf("#   %s\n", line);
        if (!ok) {
            check_has(error_text(), "tmail.cfg:1: TMAIL_");
            check_has(error_text(), "(expected ");
            check_number(errors.count, 1);
        }
    }
}

static void errors_are_exact(void)
{
    check(!load("# one\n\nTMAIL_SMTPD_MAX_HOPS=many\n"));
    check_text(error_text(), "tmail.cfg:3: TMAIL_SMTPD_MAX_HOPS: \"many\" is no number (expected a number from 1 to 10000)\n");
    check(!load("TMAIL_SMTPD_MAX_COMMAND_LENGTH=5"));
    check_text(error_text(), "tmail.cfg:1: TMAIL_SMTPD_MAX_COMMAND_LENGTH: \"5\" is out of range "
                             "(expected a size from 512 to 64K, such as 512, 4K or 50M)\n");
    check(!load("TMAIL_SMTPD_DSNS=0.0.0.0:25"));
    check_text(error_text(), "tmail.cfg:1: TMAIL_SMTPD_DSNS: \"0.0.0.0:25\" has no SSL field (expected IP:PORT:SSL)\n");
    check(!load("TMAIL_LOG_FORMAT=xml"));
    check_text(error_text(), "tmail.cfg:1: TMAIL_LOG_FORMAT: \"xml\" is not known (expected logfmt or json)\n");
}

static void all_errors_are_listed(void)
{
    check(
        !load("TMAIL_SMTPD_MAX_HOPS=x\nnonsense\nTMAIL_FOO=1\nTMAIL_DEBUG_ENABLED=maybe\nTMAIL_SMTPD_DSNS='1.2.3.4:25;5.6.7.8:x:false'\n"));
    check_number(errors.count, 6);
    check_has(error_text(), "tmail.cfg:1: TMAIL_SMTPD_MAX_HOPS: ");
    check_has(error_text(), "tmail.cfg:2: nonsense: expected KEY=value\n");
    check_has(error_text(), "tmail.cfg:3: unknown key TMAIL_FOO\n");
    check_has(error_text(), "tmail.cfg:4: TMAIL_DEBUG_ENABLED: ");
    check_has(error_text(), "tmail.cfg:5: TMAIL_SMTPD_DSNS: \"1.2.3.4:25\" has no SSL field");
    check_has(error_text(), "tmail.cfg:5: TMAIL_SMTPD_DSNS: \"5.6.7.8:x:false\" has a bad PORT field");
}

static void errors_are_bounded(void)
{
    struct buf content = {0};

    for (int i = 0; i < 100000; i++)
        buf_add_text(&content, "x\n");
    check(!load_bytes(buf_str(&content), plain_environment));
    check_number(errors.count, 100000);
    check_has(error_text(), "there are more errors, not shown\n");
    check(errors.lines.length < 64 << 10);
    buf_done(&content);
}

static void near_misses_are_named(void)
{
    check(!load("TMAIL_SMTPD_DNS=127.0.0.1:25:false"));
    check_text(error_text(), "tmail.cfg:1: unknown key TMAIL_SMTPD_DNS, did you mean TMAIL_SMTPD_DSNS?\n");
    check(!load("TMAIL_SMPTD_LAUNCH=true"));
    check_has(error_text(), "did you mean TMAIL_SMTPD_LAUNCH?");
    check(!load("TMAIL_smtpd_launch=true"));
    check_has(error_text(), "unknown key TMAIL_smtpd_launch, did you mean TMAIL_SMTPD_LAUNCH?");
    check(!load("TMAIL_COMPLETELY_DIFFERENT=true"));
    check_text(error_text(), "tmail.cfg:1: unknown key TMAIL_COMPLETELY_DIFFERENT\n");
    check(!load("TMAIL_=true"));
    check_text(error_text(), "tmail.cfg:1: unknown key TMAIL_\n");
}

static void distance_counts_letters(void)
{
    static const struct {
        const char *typed, *word;
        bool near;
    } pairs[] = {
        {"list", "list", true},  {"lst", "list", true},          {"lits", "list", true},   {"LIST", "list", true},
        {"lists", "list", true}, {"show", "list", false},        {"a", "list", false},     {"ad", "add", true},
        {"", "add", false},      {"rcpthots", "rcpthost", true}, {"queue", "user", false}, {"rcpthostrcpthost", "rcpthost", false},
    };

    for (size_t i = 0; i < TEST_COUNT(pairs); i++) {
        struct near_miss miss = near_miss_of(str_of(pairs[i].typed));

        near_miss_try(&miss, pairs[i].word);
        if (!check((miss.word != NULL) == pairs[i].near))
            printf("#   %s %s\n", pairs[i].typed, pairs[i].word);
    }
}

static void values_in_messages_are_harmless(void)
{
    struct buf content = {0};

    check(!load("TMAIL_SMTPD_MAX_HOPS='\x1b[31m\x9b'"));
    check(strchr(error_text(), 0x1b) == NULL && strchr(error_text(), '\x9b') == NULL);
    check_has(error_text(), "\"\\x1b[31m\\x9b\"");
    check(!load("TMAIL_USER='a\tb'"));
    check_has(error_text(), "control character");
    buf_add_text(&content, "TMAIL_SMTPD_MAX_HOPS=");
    for (int i = 0; i < 60000; i++)
        buf_add_byte(&content, '7');
    check(!load_bytes(buf_str(&content), plain_environment));
    check(errors.lines.length < 1000);
    buf_done(&content);
}

/* ---- the file ---- */

static void other_keys_are_ignored(void)
{
    check(load("PATH=$PATH:/opt\nOS_PASSWORD=\"$(pass show)\"\nTMAIL_CONFIG=/else\ntmail_me=x\nexport LANG=C\nTMAILX=1\n"));
    check_text(error_text(), "");
}

static void a_key_twice_names_both_lines(void)
{
    check(!load("TMAIL_SMTPD_MAX_HOPS=10\n\nexport TMAIL_SMTPD_MAX_HOPS=10\n"));
    check_text(error_text(), "tmail.cfg:3: TMAIL_SMTPD_MAX_HOPS: is set in line 1 already (expected one value)\n");
}

static void line_ends_are_tolerated(void)
{
    check(load("TMAIL_SMTPD_MAX_HOPS=10\r\n\r\n# x\r\nTMAIL_SMTP_MAX_RCPT='20'\r\n"));
    check_number(conf.smtpd_max_hops, 10);
    check_number(conf.smtp_max_rcpt, 20);
    check(load("TMAIL_SMTPD_MAX_HOPS=10\nTMAIL_SMTP_MAX_RCPT=20"));
    check_number(conf.smtp_max_rcpt, 20);
    check(load("TMAIL_SMTP_MAX_RCPT=20\r"));
    check_number(conf.smtp_max_rcpt, 20);
    check(!load("TMAIL_SMTP_MAX_RCPT=20\r\r\n"));
    check(!load("TMAIL_SMTP_MAX_RCPT=2\r0\n"));
}

static void nul_bytes_are_refused(void)
{
    check(!load_bytes(STR("TMAIL_SMTPD_MAX_HOPS=10\0\n"), plain_environment));
    check_text(error_text(), "tmail.cfg:1: a NUL byte stands in the line\n");
    check(!load_bytes(STR("TMAIL_SMTPD_MAX_HOPS=10\n\0\0\0"), plain_environment));
    check_has(error_text(), "tmail.cfg:2: a NUL byte");
    check(!load_bytes(STR("TMAIL_ME='a\0b'\n"), plain_environment));
    check(!load_bytes(STR("# \0\n"), plain_environment));
    check(!load_bytes(STR("PATH=\"a\0b\"\n"), plain_environment));
}

static void long_lines_are_refused(void)
{
    struct buf content = {0};

    buf_add_text(&content, "#");
    while (content.length < 64 << 10)
        buf_add_byte(&content, 'x');
    buf_add_text(&content, "\nTMAIL_SMTPD_MAX_HOPS=11\n");
    check(load_bytes(buf_str(&content), plain_environment));
    check_number(conf.smtpd_max_hops, 11);
    buf_clear(&content);
    while (content.length <= 64 << 10)
        buf_add_byte(&content, '#');
    buf_add_text(&content, "\nTMAIL_SMTPD_MAX_HOPS=11\n");
    check(!load_bytes(buf_str(&content), plain_environment));
    check_text(error_text(), "tmail.cfg:1: the line is longer than 65536 bytes\n");
    buf_clear(&content);
    buf_add_text(&content, "TMAIL_USER=");
    while (content.length < 1 << 20)
        buf_add_byte(&content, 'x');
    check(!load_bytes(buf_str(&content), plain_environment));
    check_text(error_text(), "tmail.cfg:1: the line is longer than 65536 bytes\n");
    check_text(conf.user, "tmail");
    buf_done(&content);
}

static void unclosed_quotes_are_refused(void)
{
    check(!load("TMAIL_USER='abc\nTMAIL_SMTPD_MAX_HOPS=11'\n"));
    check_has(error_text(), "tmail.cfg:1: TMAIL_USER: a single quote is not closed on this line\n");
    check_has(error_text(), "tmail.cfg:2: TMAIL_SMTPD_MAX_HOPS: a single quote is not closed on this line\n");
    check(!load("TMAIL_USER=\"abc"));
    check_text(error_text(), "tmail.cfg:1: TMAIL_USER: a double quote is not closed on this line\n");
}

static void hostile_bytes_do_no_harm(void)
{
    unsigned seed = 1;

    for (int round = 0; round < 2000; round++) {
        char bytes[400];
        static const char often[] = "TMAIL_ME='\"\\$#=\n\r \texport;";

        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1103515245 + 12345;
            bytes[i] = seed >> 28 == 0 ? (char)(seed >> 16) : often[(seed >> 16) % (sizeof often - 1)];
        }
        load_bytes((struct str){bytes, sizeof bytes}, plain_environment);
    }
    /* What counts is that the sanitizers had nothing to say. */
    check(conf.me != NULL);
}

/* ---- where the file is ---- */

static void named_files_must_be_there(void)
{
    const char *missing = path_of("missing.cfg");
    char expected[512];

    snprintf(expected, sizeof expected, "%s: the file cannot be read: No such file or directory\n", missing);
    check(!load_file(missing, plain_environment));
    check_text(error_text(), expected);
    check(!load_file("", plain_environment));
    check(!load_file(folder, plain_environment));
    check_has(error_text(), "the file cannot be read: Is a directory");
    check(!load_file("/dev/zero", plain_environment));
    check_has(error_text(), "/dev/zero: the file is larger than 4194304 bytes");
}

static void default_file_may_be_missing(void)
{
    if (access("/etc/tmail/tmail.cfg", F_OK) == 0)
        return; /* this host has one: what it says is no concern of a test */
    check(load_file(NULL, plain_environment));
    check_text(error_text(), "");
    check_text(conf.file, "");
    check_text(conf.named, "");
}

static void file_is_found_in_order(void)
{
    char variable[300];
    char *environment[] = {variable, plain_environment[0], NULL};
    char *empty[] = {(char *)"TMAIL_CONFIG=", plain_environment[0], NULL};

    snprintf(variable, sizeof variable, "TMAIL_CONFIG=%s", write_file("one.cfg", STR("TMAIL_SMTPD_MAX_HOPS=11\n")));
    check(load_file(NULL, environment));
    check_number(conf.smtpd_max_hops, 11);
    check_text(conf.file, path_of("one.cfg"));
    check(load_file(write_file("two.cfg", STR("TMAIL_SMTPD_MAX_HOPS=12\n")), environment));
    check_number(conf.smtpd_max_hops, 12);
    check_text(conf.named, path_of("two.cfg"));
    snprintf(variable, sizeof variable, "TMAIL_CONFIG=%s", path_of("missing.cfg"));
    check(!load_file(NULL, environment));
    check_has(error_text(), "missing.cfg: the file cannot be read");
    if (access("/etc/tmail/tmail.cfg", F_OK) != 0)
        check(load_file(NULL, empty));
}

static void environment_has_the_last_word(void)
{
    char *environment[] = {(char *)"TMAIL_ME=mx.example.org", (char *)"TMAIL_SMTPD_MAX_HOPS=13", (char *)"TMAIL_SMTPD_MAX_HOPS=14",
                           (char *)"TMAIL_USER=a$b", (char *)"NOTHING", NULL};
    char *bad[] = {(char *)"TMAIL_ME=mx.example.org", (char *)"TMAIL_SMTPD_DNS=1", (char *)"TMAIL_SMTPD_MAX_HOPS=x",
                   (char *)"TMAIL_\x1b[0m=1", NULL};

    check(load_bytes(STR("\nTMAIL_SMTPD_MAX_HOPS=bad\nTMAIL_SMTP_MAX_RCPT=7\n"), environment));
    check_number(conf.smtpd_max_hops, 13);
    check_text(conf.user, "a$b"); /* no shell's quoting there */
    check_text(source_of("TMAIL_SMTPD_MAX_HOPS"), "environment");
    check_text(source_of("TMAIL_SMTP_MAX_RCPT"), "tmail.cfg:3");
    check_text(source_of("TMAIL_SMTPD_LAUNCH"), "default");
    check(!load_bytes(STR(""), bad));
    check_text(error_text(), "environment: unknown key TMAIL_SMTPD_DNS, did you mean TMAIL_SMTPD_DSNS?\n"
                             "environment: unknown key TMAIL_\\x1b[0m\n"
                             "environment: TMAIL_SMTPD_MAX_HOPS: \"x\" is no number (expected a number from 1 to 10000)\n");
}

static void reload_reads_the_file_again(void)
{
    struct conf fresh;
    char *was = getcwd(NULL, 0);

    write_file("reload.cfg", STR("TMAIL_SMTPD_MAX_HOPS=11\n"));
    check(chdir(folder) == 0);
    check(load_file("reload.cfg", plain_environment));
    check_text(source_of("TMAIL_SMTPD_MAX_HOPS"), "reload.cfg:1");
    check(chdir("/") == 0);
    write_file("reload.cfg", STR("TMAIL_SMTPD_MAX_HOPS=12\n"));
    check(conf_reload(&fresh, &conf, plain_environment, &errors));
    check_number(fresh.smtpd_max_hops, 12);
    check_number(conf.smtpd_max_hops, 11);
    conf_done(&fresh);
    write_file("reload.cfg", STR("TMAIL_SMTPD_MAX_HOPS=x\n"));
    check(!conf_reload(&fresh, &conf, plain_environment, &errors));
    conf_done(&fresh);
    check(chdir(was) == 0);
    free(was);
}

/* ---- keys with rules of their own ---- */

static void own_name_is_a_domain(void)
{
    char *none[] = {NULL};

    check(load_bytes(STR("TMAIL_ME=MX.Example.ORG.\n"), none));
    check_text(conf.me, "mx.example.org");
    check(load_bytes(STR("TMAIL_ME=b\xc3\xbc" "cher.example\n"), none));
    check_text(conf.me, "xn--bcher-kva.example");
    check(load_bytes(STR("TMAIL_ME=localhost\n"), none));
    check(!load_bytes(STR("TMAIL_ME=\n"), none));
    check(!load_bytes(STR("TMAIL_ME='two words'\n"), none));
    check_text(error_text(), "tmail.cfg:1: TMAIL_ME: \"two words\" is no host name (expected a name such as mx.example.org)\n");
    check(!load_bytes(STR("TMAIL_ME='[192.0.2.1]'\n"), none));
    check(!load_bytes(STR("TMAIL_ME=a..b\n"), none));
}

static void own_name_has_a_default(void)
{
    char *none[] = {NULL};

    /* What it is hangs on this host; that it is whole, or that the text says what to do, does not. */
    if (load_bytes(STR(""), none))
        check_has(conf.me, ".");
    else
        check_has(error_text(), "set TMAIL_ME to the name that other mail servers know it by");
}

static void something_must_be_launched(void)
{
    check(!load("TMAIL_SMTPD_LAUNCH=no\nTMAIL_DELIVERD_LAUNCH=no\n"));
    check_has(error_text(), "tmail.cfg:1: TMAIL_SMTPD_LAUNCH: I have nothing to do");
    check(load("TMAIL_SMTPD_LAUNCH=no\n"));
    check(load("TMAIL_DELIVERD_LAUNCH=no\n"));
}

static void retries_are_in_order(void)
{
    check(!load("TMAIL_DELIVERD_RETRY_MAX=1m\n"));
    check_text(error_text(), "tmail.cfg:1: TMAIL_DELIVERD_RETRY_MIN: is longer than TMAIL_DELIVERD_RETRY_MAX (expected at most that)\n");
    check(load("TMAIL_DELIVERD_RETRY_MAX=5m\n"));
    check(load("TMAIL_DELIVERD_RETRY_MIN=1s\nTMAIL_DELIVERD_RETRY_MAX=1s\n"));
    /* A bad value is complained of once, not compared. */
    check(!load("TMAIL_DELIVERD_RETRY_MIN=5m\nTMAIL_DELIVERD_RETRY_MAX=x\n"));
    check_number(errors.count, 1);
}

static void database_path_has_no_tail(void)
{
    check(load("TMAIL_DB_SOURCE='/a/b.db?_busy_timeout=60000'\n"));
    check_text(conf.db_path, "/a/b.db");
    check_text(conf.db_source, "/a/b.db?_busy_timeout=60000");
}

/* ---- secrets, by a table of our own ---- */

static bool check_password(const char *value, const char **keep, struct arena *arena, struct buf *problems)
{
    (void)keep;
    (void)arena;
    if (strlen(value) >= 4 || value[0] == '\0')
        return true;
    buf_print(problems, "%s is too short\n", value);
    return false;
}

static const struct conf_key secret_keys[] = {
    {.name = "TMAIL_PASSWORD",
     .section = "S",
     .type = CONF_TEXT,
     .place = offsetof(struct conf, user),
     .standard = "",
     .secret = true,
     .check = check_password,
     .expected = "four letters or more",
     .help = "a secret"},
    {.name = "TMAIL_NUMBER",
     .section = "S",
     .type = CONF_NUMBER,
     .place = offsetof(struct conf, smtpd_max_hops),
     .standard = "1",
     .max = 9999,
     .secret = true,
     .help = "a secret number"},
    {.name = "TMAIL_OPEN",
     .section = "S",
     .type = CONF_TEXT,
     .place = offsetof(struct conf, me),
     .standard = "",
     .expected = "x",
     .help = "no secret"},
};
static const struct conf_schema secret_schema = {.keys = secret_keys, .count = 3};

/* Loads START and REST, one behind the other, by that table. */
static bool load_secret(const char *start, const char *rest)
{
    char content[600];
    char *none[] = {NULL};

    snprintf(content, sizeof content, "%s%s", start, rest);
    forget();
    return conf_load_content(&conf, &secret_schema, "tmail.cfg", str_of(content), none, &errors);
}

static void secrets_come_from_files(void)
{
    check(load_secret("TMAIL_PASSWORD_FILE=", write_file("secret", STR("pass word$'\n"))));
    check_text(conf.user, "pass word$'");
    check_text(source_of("TMAIL_PASSWORD"), "tmail.cfg:1");
    check(load_secret("TMAIL_PASSWORD_FILE=", write_file("secret", STR("password\r\n"))));
    check_text(conf.user, "password");
    check(load_secret("TMAIL_PASSWORD_FILE=", write_file("secret", STR("password"))));
    check_text(conf.user, "password");
    check(load_secret("TMAIL_NUMBER_FILE=", write_file("secret", STR("77\n"))));
    check_number(conf.smtpd_max_hops, 77);
    check(load_secret("TMAIL_PASSWORD=", "abcd"));
    check_text(conf.user, "abcd");
}

static void bad_secret_files_stop(void)
{
    check(!load_secret("TMAIL_PASSWORD_FILE=", path_of("missing")));
    check_has(error_text(), "tmail.cfg:1: TMAIL_PASSWORD_FILE: \"");
    check_has(error_text(), "cannot be read: No such file or directory");
    check(!load_secret("TMAIL_PASSWORD_FILE=", folder));
    check(!load_secret("TMAIL_PASSWORD_FILE=", write_file("secret", STR("\n"))));
    check_has(error_text(), "TMAIL_PASSWORD_FILE: the file is empty");
    check(!load_secret("TMAIL_PASSWORD_FILE=", write_file("secret", STR("hunter22\0\n"))));
    check(strstr(error_text(), "hunter") == NULL);
    check(!load_secret("TMAIL_PASSWORD_FILE=", write_file("secret", STR("hunter22\nsecond\n"))));
    check_has(error_text(), "control character");
    check(strstr(error_text(), "hunter") == NULL);
    check(!load_secret("TMAIL_PASSWORD_FILE=", "/dev/zero"));
    check_number(errors.count, 1);
}

static void secret_has_one_source(void)
{
    const char *path = write_file("secret", STR("password\n"));
    char variable[300];
    char *environment[] = {variable, NULL};

    check(!load_secret("TMAIL_PASSWORD=other\nTMAIL_PASSWORD_FILE=", path));
    check_text(error_text(), "tmail.cfg:2: TMAIL_PASSWORD_FILE: TMAIL_PASSWORD is set too, by tmail.cfg:1 (expected one of the two)\n");
    snprintf(variable, sizeof variable, "TMAIL_PASSWORD_FILE=%s", path);
    forget();
    check(!conf_load_content(&conf, &secret_schema, "tmail.cfg", STR("TMAIL_PASSWORD=other"), environment, &errors));
    check_text(error_text(), "environment: TMAIL_PASSWORD_FILE: TMAIL_PASSWORD is set too, by tmail.cfg:1 (expected one of the two)\n");
    forget();
    check(conf_load_content(&conf, &secret_schema, "tmail.cfg", STR(""), environment, &errors));
    check_text(conf.user, "password");
    check_text(source_of("TMAIL_PASSWORD"), "environment");
}

static void only_secrets_come_from_files(void)
{
    check(!load_secret("TMAIL_OPEN_FILE=", write_file("secret", STR("x\n"))));
    check_has(error_text(), "tmail.cfg:1: unknown key TMAIL_OPEN_FILE");
    check(!load("TMAIL_ME_FILE=/etc/hostname\n"));
    check_has(error_text(), "unknown key TMAIL_ME_FILE");
}

static void secrets_are_not_shown(void)
{
    check(!load_secret("TMAIL_PASSWORD=", "abc"));
    check_text(error_text(), "tmail.cfg:1: TMAIL_PASSWORD: the value is not valid (expected four letters or more)\n");
    check(!load_secret("TMAIL_NUMBER=", "hunter2"));
    check_text(error_text(), "tmail.cfg:1: TMAIL_NUMBER: the value is no number (expected a number from 0 to 9999)\n");
    check(!load_secret("TMAIL_PASSWORD='", "hunter2"));
    check(strstr(error_text(), "hunter") == NULL);
    check(!load_secret("TMAIL_PASSWORD=hunter2 ", "hunter3"));
    check(strstr(error_text(), "hunter") == NULL);
    check(!load_secret("TMAIL_PASSWORD=\x1bhunter2", ""));
    check(strstr(error_text(), "hunter") == NULL);
}

/* ---- lists ---- */

static void listeners_are_read(void)
{
    struct arena arena = {0};
    struct listeners l;
    struct buf text = {0};
    char address[ADDRESS_TEXT_SIZE];

    check(listeners_parse(&l, STR("0.0.0.0:25:false; [2001:db8::1]:2525:no:relay,127.0.0.1:1:0;"), &arena, &text));
    check_text(buf_text(&text), "");
    if (check(l.count == 3)) {
        address_text_port(&l.items[0].address, address);
        check_text(address, "0.0.0.0:25");
        address_text_port(&l.items[1].address, address);
        check_text(address, "[2001:db8::1]:2525");
        check(!l.items[1].tls && !l.items[1].proxy && l.items[1].mode == LISTENER_RELAY);
        address_text_port(&l.items[2].address, address);
        check_text(address, "127.0.0.1:1");
    }
    arena_done(&arena);
    buf_done(&text);
}

static void bad_listeners_say_why(void)
{
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"", "has no listener"}, {" ; ,", "has no listener"},
        {"0.0.0.0:25", "\"0.0.0.0:25\" has no SSL field (expected IP:PORT:SSL)"},
        {"[::1]:25", "\"[::1]:25\" has no SSL field (expected IP:PORT:SSL)"},
        {"0.0.0.0", "is an address and nothing else"}, {"::1", "is an address and nothing else"},
        {"[::1]", "has no PORT field"}, {"[::1", "no address in brackets"}, {"[::1]25:false", "no address in brackets"},
        {"::1:25:false", "does not start with an IP address"}, {"[127.0.0.1]:25:false", "does not start with an IP address"},
        {"localhost:25:false", "does not start with an IP address"}, {":25:false", "does not start with an IP address"},
        {"1.2.3:25:false", "does not start with an IP address"}, {"0.0.0.0:0:false", "bad PORT"}, {"0.0.0.0:65536:false", "bad PORT"},
        {"0.0.0.0::false", "bad PORT"}, {"0.0.0.0:smtp:false", "bad PORT"}, {"0.0.0.0:-1:false", "bad PORT"},
        {"0.0.0.0:25:", "bad SSL field"}, {"0.0.0.0:25:maybe", "bad SSL field"}, {"0.0.0.0:25:false:", "unknown MODE"},
        {"0.0.0.0:25:false:x", "unknown MODE"}, {"0.0.0.0:25:false:relay:x", "too many fields"},
        {"0.0.0.0:25:false:relay+proxy", "PROXY protocol support, which this version does not have"},
        {"0.0.0.0:25:false;0.0.0.0:25:false", "is there twice"},
        {"0.0.0.0:25:false;[::ffff:0.0.0.0]:25:false", "is there twice"},
    };

    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        struct arena arena = {0};
        struct listeners l;
        struct buf text = {0};

        check(!listeners_parse(&l, str_of(bad[i].text), &arena, &text));
        if (!check_has(buf_text(&text), bad[i].error))
            printf("#   %s\n", bad[i].text);
        arena_done(&arena);
        buf_done(&text);
    }
}

static void local_ips_are_read(void)
{
    struct arena arena = {0};
    struct local_ips l;
    char error[LOCAL_IPS_ERROR_SIZE], text[ADDRESS_TEXT_SIZE];

    check(local_ips_parse(&l, STR("0.0.0.0"), &arena, error, sizeof error));
    check(l.count == 1 && !l.in_turn && address_is_any(&l.items[0]));
    check(local_ips_parse(&l, STR("127.0.0.2 & 2001:db8::1 & 127.0.0.3"), &arena, error, sizeof error));
    if (check(l.count == 3 && !l.in_turn)) {
        address_text(&l.items[1], text);
        check_text(text, "2001:db8::1");
        address_text(&l.items[2], text);
        check_text(text, "127.0.0.3");
    }
    check(local_ips_parse(&l, STR("127.0.0.2|127.0.0.2|127.0.0.3"), &arena, error, sizeof error));
    check(l.count == 3 && l.in_turn && address_equal(&l.items[0], &l.items[1]));
    arena_done(&arena);
}

static void mailbox_keys_are_read(void)
{
    static const struct {
        const char *key, *value, *kept; /* NULL: as written */
    } lines[] = {
        {"TMAIL_LMTP_ADDRESS", "unix:/a", NULL},
        {"TMAIL_LMTP_ADDRESS", "unix:/a;inet:b.example:24, [::1]:25", NULL},
        {"TMAIL_LMTP_TLS", "verify", NULL},
        {"TMAIL_LMTP_PROBE_DOMAINS", "", NULL},
        {"TMAIL_LMTP_PROBE_DOMAINS", "*", NULL},
        {"TMAIL_LMTP_PROBE_DOMAINS", "Example.ORG", "example.org"},
        {"TMAIL_LMTP_PROBE_DOMAINS", " a.example, B.example;;c.example ", "a.example;b.example;c.example"},
        {"TMAIL_LMTP_PROBE_DOMAINS", "b\xc3\xbc" "cher.example", "xn--bcher-kva.example"},
        {"TMAIL_DOVECOT_QUOTA_STATUS", "", NULL},
        {"TMAIL_DOVECOT_QUOTA_STATUS", "inet:127.0.0.1:12340", NULL},
        {"TMAIL_DOVECOT_LDA", "/a/b", NULL},
        {"TMAIL_DOVECOT_LDA_USER", "", NULL},
        {"TMAIL_DOVECOT_LDA_USER", "vmail", NULL},
        {"TMAIL_PIPE_USER", "vmail", NULL},
        {"TMAIL_RECIPIENT_DELIMITER", "", NULL},
        {"TMAIL_RECIPIENT_DELIMITER", "-", NULL},
        {"TMAIL_RECIPIENT_DELIMITER", "#", NULL},
        {"TMAIL_POSTMASTER", "", NULL},
        {"TMAIL_POSTMASTER", "a@b.example", NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(lines); i++) {
        char line[256];

        snprintf(line, sizeof line, "%s='%s'\n", lines[i].key, lines[i].value);
        if (check(load(line)))
            check_text(value_of(lines[i].key), lines[i].kept != NULL ? lines[i].kept : lines[i].value);
        else
            printf("#   %s: %s\n", line, error_text());
    }
}

static void bad_mailbox_keys_say_why(void)
{
    static const struct {
        const char *line, *problem;
    } lines[] = {
        {"TMAIL_LMTP_ADDRESS=", "\"\" names no place to connect to (expected unix:/path or inet:host:port, or several, separated by ;)"},
        {"TMAIL_LMTP_ADDRESS=/run/dovecot/lmtp", "\"/run/dovecot/lmtp\" names no place to connect to"},
        {"TMAIL_LMTP_ADDRESS='unix:/a;b'", "\"unix:/a;b\" names no place"},
        {"TMAIL_LMTP_TLS=perhaps", "\"perhaps\" is no rule for TLS"},
        {"TMAIL_LMTP_PROBE_DOMAINS='a.example;-'", "\"a.example;-\" is no list of domains (expected domains, separated by ;, or * for all)"},
        {"TMAIL_LMTP_PROBE_DOMAINS='*;a.example'", "is no list of domains"},
        {"TMAIL_LMTP_PROBE_DOMAINS='.example'", "is no list of domains"},
        {"TMAIL_DOVECOT_QUOTA_STATUS=quota", "\"quota\" names no place to connect to (expected unix:/path or inet:host:port)"},
        {"TMAIL_DOVECOT_QUOTA_STATUS='unix:/a;unix:/b;'", NULL}, /* a socket may have that name */
        {"TMAIL_DOVECOT_LDA=dovecot-lda", "is no absolute path"},
        {"TMAIL_DOVECOT_LDA_USER='a b'", "is no user name"},
        {"TMAIL_PIPE_USER=", "is no user name"},
        {"TMAIL_RECIPIENT_DELIMITER=+-", "\"+-\" cannot stand between a name and a detail (expected one of + - _ = ~ #, or nothing)"},
        {"TMAIL_RECIPIENT_DELIMITER=.", "cannot stand between"},
        {"TMAIL_RECIPIENT_DELIMITER=@", "cannot stand between"},
        {"TMAIL_POSTMASTER=postmaster", "is no mail address in ASCII"},
        {"TMAIL_POSTMASTER=j\xc3\xb6rg@b.example", "is no mail address in ASCII"},
        {"TMAIL_LOCAL_DELIVERY=pipe", "expected"},
        {"TMAIL_DELIVERD_LOCAL_CONCURRENCY=0", "expected"},
        {"TMAIL_LOCAL_TIMEOUT=0", "expected"},
    };

    for (size_t i = 0; i < TEST_COUNT(lines); i++) {
        if (!check(load(lines[i].line) == (lines[i].problem == NULL)))
            printf("#   %s\n", lines[i].line);
        else if (lines[i].problem != NULL)
            check_has(error_text(), lines[i].problem);
    }
}

static void mechanisms_are_read(void)
{
    struct sasl_list l;
    struct buf said = {0};

    check(sasl_list_parse(&l, STR("scram-sha-256;Plain , X_Y-1"), &said) && l.count == 3);
    check(sasl_list_has(&l, "SCRAM-SHA-256") && sasl_list_has(&l, "PLAIN") && sasl_list_has(&l, "X_Y-1") && !sasl_list_has(&l, "LOGIN"));
    check(sasl_list_parse(&l, STR(" None "), &said) && l.count == 0);
    check(!sasl_list_parse(&l, STR("PLAIN LOGIN"), &said));
    check_has(buf_text(&said), "\"PLAIN LOGIN\" is no name of a SASL mechanism");
    check(!sasl_list_parse(&l, STR("A-NAME-THAT-IS-TOO-LONG"), &said) && !sasl_list_parse(&l, STR(""), &said) && !sasl_list_parse(&l, STR("PLAIN,,LOGIN"), &said));
    buf_done(&said);
}

static void tls_rules_are_read(void)
{
    static const struct {
        const char *text;
        bool good;
        enum tls_policy policy;
        bool from_first_byte;
    } rules[] = {
        {"none", true, TLS_NONE, false}, {"may", true, TLS_MAY, false}, {"encrypt", true, TLS_ENCRYPT, false}, {"verify", true, TLS_VERIFY, false},
        {"dane", true, TLS_DANE, false}, {"dane+smtps", true, TLS_DANE, true},
        {"smtps", true, TLS_ENCRYPT, true}, {"may+smtps", true, TLS_MAY, true}, {"encrypt+smtps", true, TLS_ENCRYPT, true}, {"verify+smtps", true, TLS_VERIFY, true},
        {"none+smtps", false, TLS_NONE, false}, {"+smtps", false, TLS_NONE, false}, {"smtps+smtps", false, TLS_NONE, false}, {"", false, TLS_NONE, false},
        {"Verify", false, TLS_NONE, false}, {"verify+", false, TLS_NONE, false}, {"Dane", false, TLS_NONE, false}, {"smtps+verify", false, TLS_NONE, false},
    };

    for (size_t i = 0; i < TEST_COUNT(rules); i++) {
        struct tls_rule r;
        bool good = tls_rule_parse(&r, str_of(rules[i].text));

        if (!check(good == rules[i].good && (!good || (r.policy == rules[i].policy && r.from_first_byte == rules[i].from_first_byte))))
            printf("#   %s\n", rules[i].text);
    }
}

/* A relative path starts at the file that was named; the key of the secrets lies beside the database. */
static void paths_follow_from_others(void)
{
    check(load("TMAIL_DB_SOURCE=/var/lib/x/t.db?_busy_timeout=1"));
    check_text(conf.tls_cert_path, "/etc/tmail/ssl/server.crt");
    check_text(conf.tls_key_path, "/etc/tmail/ssl/server.key");
    check_text(conf.secret_key_path, "/var/lib/x/secret.key");
    check(load("TMAIL_TLS_CERT=/a/b.pem\nTMAIL_TLS_KEY=c.pem\nTMAIL_SECRET_KEY_FILE=/d/e"));
    check_text(conf.tls_cert_path, "/a/b.pem");
    check_text(conf.tls_key_path, "/etc/tmail/c.pem");
    check_text(conf.secret_key_path, "/d/e");
}

static void bad_local_ips_say_why(void)
{
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"", "is no IP address"},
        {"a", "\"a\" is no IP address"},
        {"127.0.0.1&", "\"\" is no IP address"},
        {"|127.0.0.1", "is no IP address"},
        {"127.0.0.1;127.0.0.2", "is no IP address"},
        {"127.0.0.1:25", "is no IP address"},
        {"[::1]", "is no IP address"},
        {"127.0.0.1&127.0.0.2|127.0.0.3", "mixes & and |"},
    };

    for (size_t i = 0; i < TEST_COUNT(bad); i++) {
        struct arena arena = {0};
        struct local_ips l;
        char error[LOCAL_IPS_ERROR_SIZE] = "";

        check(!local_ips_parse(&l, str_of(bad[i].text), &arena, error, sizeof error));
        check_has(error, bad[i].error);
        arena_done(&arena);
    }
}

/* ---- to the child ---- */

static int descriptor_of(struct str bytes)
{
    int fd = memfd_create("conf", MFD_CLOEXEC);

    if (fd < 0 || write(fd, bytes.data, bytes.length) != (ssize_t)bytes.length || lseek(fd, 0, SEEK_SET) != 0) {
        perror("memfd");
        exit(1);
    }
    return fd;
}

static bool read_back(struct conf *c, struct str bytes)
{
    int fd = descriptor_of(bytes);
    bool ok = conf_read(c, fd, &errors);

    close(fd);
    return ok;
}

static void children_get_the_same_values(void)
{
    struct buf first = {0}, second = {0};
    struct conf child;

    check(load(
        "TMAIL_ME=other.example\nTMAIL_SMTPD_MAX_HOPS=77\nTMAIL_DEBUG_ENABLED=yes\nTMAIL_DELIVERD_RETRY_MIN=90\nTMAIL_LOG_FORMAT=json\n"
        "TMAIL_DB_SOURCE='/a b/\xc3\xa9 :\"c.db?_busy_timeout=5'\nTMAIL_SMTPD_BARE_NEWLINE=normalize\nTMAIL_SMTPD_MAX_DATABYTES=1001\n"
        "TMAIL_SMTPD_LAUNCH=0\nTMAIL_LOGPATH=/tmp\n"));
    conf_write(&conf, &first);
    if (!check(read_back(&child, buf_str(&first))))
        printf("#   %s\n", error_text());
    conf_write(&child, &second);
    check_str(buf_str(&second), buf_str(&first));
    check_text(child.me, "mx.example.org"); /* the environment's */
    check_text(child.db_path, "/a b/\xc3\xa9 :\"c.db");
    check_text(child.file, "tmail.cfg");
    check_number(child.smtpd_max_hops, 77);
    check_number(child.deliverd_retry_min, 90000);
    check_number(child.smtpd_max_databytes, 1001);
    check_number(child.log_format, LOG_FORMAT_JSON);
    check_number(child.smtpd_bare_newline, BARE_NEWLINE_NORMALIZE);
    check(child.debug_enabled && !child.smtpd_launch && child.deliverd_launch);
    for (size_t i = 0; i < tmail_schema.count; i++) {
        check_number(child.sources[i].origin, conf.sources[i].origin);
        check_number(child.sources[i].line, conf.sources[i].line);
    }
    conf_done(&child);
    buf_done(&first);
    buf_done(&second);
}

static void damaged_transfers_are_refused(void)
{
    struct buf whole = {0};
    struct conf child;

    check(load(""));
    conf_write(&conf, &whole);
    for (size_t length = 0; length < whole.length; length++) {
        if (!check(!read_back(&child, str_part(buf_str(&whole), 0, length))))
            printf("#   the first %zu of %zu bytes\n", length, whole.length);
        conf_done(&child);
    }
    check(!read_back(&child, STR("tmail configuration 1\nTMAIL_SMTPD_MAX_HOPS 0 0 1:x\nend\n")));
    conf_done(&child);
    check(!read_back(&child, STR("tmail configuration 1\nTMAIL_LOG_FORMAT 0 0 1:9\nend\n")));
    conf_done(&child);
    check(!read_back(&child, STR("tmail configuration 1\nTMAIL_ME 0 0 9:a.b\nend\n")));
    conf_done(&child);
    check(!read_back(&child, STR("tmail configuration 1\nTMAIL_ME 0 0 3:a.bxend\n")));
    conf_done(&child);
    check(!read_back(&child, STR("tmail configuration 1\nTMAIL_ME 7 0 3:a.b\nend\n")));
    conf_done(&child);
    check(!conf_read(&child, -1, &errors));
    conf_done(&child);
    buf_done(&whole);
}

/* An upgrade is a reload: parent and child may be different versions. */
static void versions_may_differ(void)
{
    struct conf child;

    check(read_back(&child, STR("tmail configuration 1\nTMAIL_ME 0 0 3:a.b\nTMAIL_LATER 1 5 3:x\ny\nend\n")));
    check_text(child.me, "a.b");
    check_number(child.smtpd_max_hops, 50);
    check_text(child.tempdir, "/dev/shm");
    conf_done(&child);
}

static const struct test_case cases[] = {
    TEST_CASE(table_is_sound),
    TEST_CASE(fields_are_those_of_their_keys),
    TEST_CASE(defaults_are_documented_ones),
    TEST_CASE(shell_lines_are_read),
    TEST_CASE(empty_lines_say_nothing),
    TEST_CASE(bad_lines_say_why),
    TEST_CASE(shell_reads_back_what_it_writes),
    TEST_CASE(values_are_read),
    TEST_CASE(errors_are_exact),
    TEST_CASE(all_errors_are_listed),
    TEST_CASE(errors_are_bounded),
    TEST_CASE(near_misses_are_named),
    TEST_CASE(distance_counts_letters),
    TEST_CASE(values_in_messages_are_harmless),
    TEST_CASE(other_keys_are_ignored),
    TEST_CASE(a_key_twice_names_both_lines),
    TEST_CASE(line_ends_are_tolerated),
    TEST_CASE(nul_bytes_are_refused),
    TEST_CASE(long_lines_are_refused),
    TEST_CASE(unclosed_quotes_are_refused),
    TEST_CASE(hostile_bytes_do_no_harm),
    TEST_CASE(named_files_must_be_there),
    TEST_CASE(default_file_may_be_missing),
    TEST_CASE(file_is_found_in_order),
    TEST_CASE(environment_has_the_last_word),
    TEST_CASE(reload_reads_the_file_again),
    TEST_CASE(own_name_is_a_domain),
    TEST_CASE(own_name_has_a_default),
    TEST_CASE(something_must_be_launched),
    TEST_CASE(retries_are_in_order),
    TEST_CASE(database_path_has_no_tail),
    TEST_CASE(secrets_come_from_files),
    TEST_CASE(bad_secret_files_stop),
    TEST_CASE(secret_has_one_source),
    TEST_CASE(only_secrets_come_from_files),
    TEST_CASE(secrets_are_not_shown),
    TEST_CASE(listeners_are_read),
    TEST_CASE(bad_listeners_say_why),
    TEST_CASE(local_ips_are_read),
    TEST_CASE(mailbox_keys_are_read),
    TEST_CASE(bad_mailbox_keys_say_why),
    TEST_CASE(mechanisms_are_read),
    TEST_CASE(tls_rules_are_read),
    TEST_CASE(paths_follow_from_others),
    TEST_CASE(bad_local_ips_say_why),
    TEST_CASE(children_get_the_same_values),
    TEST_CASE(damaged_transfers_are_refused),
    TEST_CASE(versions_may_differ),
};

static void remove_files(void)
{
    static const char *const names[] = {"one.cfg", "two.cfg", "reload.cfg", "secret"};

    for (size_t i = 0; i < TEST_COUNT(names); i++)
        unlink(path_of(names[i]));
    rmdir(folder);
}

int main(int argc, char **argv)
{
    int status;

    if (mkdtemp(folder) == NULL) {
        perror(folder);
        return 1;
    }
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    forget();
    remove_files();
    return status;
}
