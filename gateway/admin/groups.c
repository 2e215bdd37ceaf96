#include "admin/groups.h"

const struct command_group *const command_groups[] = {
    &run_group,   &config_group, &rcpthost_group, &relayip_group, &routes_group,  &limit_group,  &oauth_group,
    &user_group,  &sender_group, &alias_group, &queue_group,    &trace_group,   &explain_group, &tlsrpt_group,  &dovecot_group,
    &doctor_group,  &smtpd_group,
};

const size_t command_group_count = sizeof command_groups / sizeof command_groups[0];
