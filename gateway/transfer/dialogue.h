/*
 * dialogue - commands out, replies in, and in step: what the files of this room share of a struct client.
 *
 * Each command is counted and each reply counted off.  A server that says more than it was asked would have its words taken for the answer
 * to the next command; before the first command of a group this is looked for, and such a server is given up.  After that, or any fault,
 * nothing more is said: dialogue_put does nothing and dialogue_read returns why.
 */
#ifndef TRANSFER_DIALOGUE_H
#define TRANSFER_DIALOGUE_H

#include "smtp/reply.h"
#include "transfer/client.h"

/* Marks the client as broken by WHY, which it returns. */
struct status dialogue_give_up(struct client *c, struct status why);
/* False when the server has closed, or has said something that it was not asked: the client is then broken. */
bool dialogue_is_in_step(struct client *c);
/* A line without its end; it goes out with the next wait for a reply. */
void dialogue_put(struct client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same of any length; the log shows SHOWN in its place. */
void dialogue_put_secret(struct client *c, struct str line, const char *shown);
/* The reply to what is called TO in messages; EACH (or NULL) sees its lines. */
struct status dialogue_read(struct client *c, const char *to, int64_t timeout, reply_line each, void *context);
/* The same under the client's own timeout. */
struct status dialogue_command(struct client *c, const char *name);

#endif
