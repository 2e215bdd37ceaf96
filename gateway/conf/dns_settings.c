#include "conf/dns_settings.h"

struct dns_settings conf_dns_settings(const struct conf *conf)
{
    return (struct dns_settings){
        .forward = conf->dns_forward,
        .trust_anchor = conf->dns_trust_anchor,
        .unbound_conf = conf->dns_unbound_conf,
        .validate = conf->dnssec,
    };
}
