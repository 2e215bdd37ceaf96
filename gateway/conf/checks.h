/*
 * checks - what a text of the configuration must be, and what two keys must be to each other.
 *
 * The functions of the schema's columns check, find_standard and the rules; their contract stands in conf/schema.h.  check_folder and
 * check_logpath look at the file system, find_me may ask the resolver; the others block for nothing.
 */
#ifndef CONF_CHECKS_H
#define CONF_CHECKS_H

#include "conf/conf.h"

bool check_me(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_user(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_logpath(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_path(const char *value, const char **keep, struct arena *arena, struct buf *problems);   /* absolute */
bool check_folder(const char *value, const char **keep, struct arena *arena, struct buf *problems); /* absolute, and there */
bool check_not_empty(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_path_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_folder_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_file_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems); /* absolute, and there */
bool check_domain_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_address_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems); /* of mail */
bool check_times(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_rate(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_verp_delimiters(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_dns_forward(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_sasl_list(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_db_source(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_listeners(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_endpoints(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_endpoint_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_tls_rule(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_domains(const char *value, const char **keep, struct arena *arena, struct buf *problems); /* several, or *, or none */
bool check_delimiter(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_user_or_none(const char *value, const char **keep, struct arena *arena, struct buf *problems);
bool check_local_ips(const char *value, const char **keep, struct arena *arena, struct buf *problems);

const char *find_me(struct arena *arena, struct buf *problems);

bool rule_something_to_do(const struct conf *c);
bool rule_retry_order(const struct conf *c);
bool rule_own_mechanisms(const struct conf *c);
bool rule_srs_secret(const struct conf *c);

#endif
