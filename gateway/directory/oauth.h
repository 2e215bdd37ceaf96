/*
 * oauth - where tokens for logins at next hops come from: rows of oauth_clients.
 *
 * A row is a client at a token endpoint (RFC 6749): with a refresh token it uses that grant (section 6), without one client credentials
 * (section 4.4).  Its secrets are sealed (secrets.h), in the context `oauth NAME TOKEN_URL`: whoever can write rows cannot have them
 * sent elsewhere.
 */
#ifndef DIRECTORY_OAUTH_H
#define DIRECTORY_OAUTH_H

#include "base/arena.h"
#include "directory/directory.h"
#include "directory/secrets.h"
#include "directory/tables.h"

struct oauth_client {
    int64_t id;
    const char *name, *token_url, *client_id, *scope; /* scope "": none is sent */
    const char *client_secret, *refresh_token;        /* opened, or sealed in a listing; "": none */
    const char *stored_token;                         /* the refresh token as it was stored when the row was read */
};

enum { OAUTH_NAME_MAX = 64, OAUTH_TEXT_MAX = 4096 }; /* of a name, of each other text */

/* NAME as the table has it in TO (NAME_SIZE bytes): an address or a word, in lower case. */
bool oauth_name(struct str name, char *to);
enum answer oauth_has(struct tables *t, struct str name);

/* With its secrets opened, in ARENA.  550: there is none of that name; 451: it cannot be read, or its secrets cannot be opened. */
struct status oauth_find(struct tables *t, struct secrets *secrets, const char *name, struct arena *arena, struct oauth_client *client);
/* Secrets in plain text; they are sealed here.  The URL must be https. */
struct status oauth_add(struct tables *t, struct secrets *secrets, const struct oauth_client *client);
/* The endpoint gave another refresh token (RFC 6749 section 6): the old one may be dead.  Where somebody has stored another since CLIENT
 * was read, that one stays. */
struct status oauth_set_refresh_token(struct tables *t, struct secrets *secrets, const struct oauth_client *client,
                                      struct str refresh_token);
/* Puts what is not NULL of client_secret, refresh_token and scope in the place of what the client NAME has. */
struct status oauth_update(struct tables *t, struct secrets *secrets, struct str name, const struct oauth_client *changes);
/* Refused while a route names it. */
struct status oauth_del(struct tables *t, struct str name);
struct status oauth_list(struct tables *t, void (*row)(void *context, const struct oauth_client *client), void *context);

#endif
