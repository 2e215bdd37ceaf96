/*
 * groups - every noun of the command line.
 *
 * Each is defined in the file of admin/ that bears its name; the table holds them in the order of the help and the manual page.
 */
#ifndef ADMIN_GROUPS_H
#define ADMIN_GROUPS_H

#include "admin/command.h"

extern const struct command_group run_group;
extern const struct command_group config_group;
extern const struct command_group rcpthost_group;
extern const struct command_group relayip_group;
extern const struct command_group routes_group;
extern const struct command_group limit_group;
extern const struct command_group oauth_group;
extern const struct command_group user_group;
extern const struct command_group sender_group;
extern const struct command_group alias_group;
extern const struct command_group queue_group;
extern const struct command_group trace_group;
extern const struct command_group explain_group;
extern const struct command_group tlsrpt_group;
extern const struct command_group dovecot_group;
extern const struct command_group doctor_group;
extern const struct command_group smtpd_group;

extern const struct command_group *const command_groups[];
extern const size_t command_group_count;

#endif
