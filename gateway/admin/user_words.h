/*
 * user_words - a user with a word for a password, for `user add` and `smtpd addUser`.
 */
#ifndef ADMIN_USER_WORDS_H
#define ADMIN_USER_WORDS_H

#include "admin/command.h"
#include "directory/users.h"

/* Adds U, for whom the configuration says where homes are and how large mailboxes; returns the exit status. */
int user_add(struct invocation *i, struct new_user *u);

#endif
