/*
 * dns_settings - what the configuration says about the DNS, in the words of net/dns.h.
 *
 * Borrows from CONF, which must stay as long as the settings are used.
 */
#ifndef CONF_DNS_SETTINGS_H
#define CONF_DNS_SETTINGS_H

#include "conf/conf.h"
#include "net/dns.h"

struct dns_settings conf_dns_settings(const struct conf *conf);

#endif
