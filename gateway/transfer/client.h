/*
 * client - the dialogue with a next hop: greeting, transactions, goodbye (RFC 5321 sections 3 and 4.5.3.2).
 *
 * A struct client is one connection.  client_greet reads the banner and says EHLO, or HELO to those who know nothing else.  client_send carries one
 * message to any number of recipients and leaves a status with each; it uses PIPELINING, SIZE, 8BITMIME, CHUNKING, SMTPUTF8 and DSN as the server
 * offers them.  Every command has `timeout`; the final reply twice that.  Replies are read within bounds (reply.h).  What a
 * server says is hostile input like any other.
 *
 * After a fault, a malformed reply or a 421 the client is `broken`: send nothing more, close it.  One thread at a time.
 */
#ifndef TRANSFER_CLIENT_H
#define TRANSFER_CLIENT_H

#include "message/body.h"
#include "message/envelope.h"
#include "net/stream.h"

enum client_extension {
    CLIENT_PIPELINING = 1,
    CLIENT_SIZE = 2,
    CLIENT_8BITMIME = 4,
    CLIENT_CHUNKING = 8,
    CLIENT_SMTPUTF8 = 16,
    CLIENT_DSN = 32,
};

struct client {
    struct stream stream;
    int64_t timeout; /* ms per command */
    bool introduced; /* the first line of the answer to EHLO has been seen */
    unsigned extensions;
    uint64_t size_limit; /* 0: none */
    int expected; /* replies to what was said that have not been read */
    bool broken;
    bool answered; /* since client_send began the server has said something of the message, not only that it goes (421) */
    struct status failure; /* why it is broken */
    int64_t messages;
};

/* One recipient of a transaction and what the server said of it. */
struct client_recipient {
    const struct recipient *recipient;
    struct status status;
    bool accepted; /* at RCPT */
    void *owner;   /* the caller's */
};

struct client_message {
    const struct envelope *envelope; /* its own recipients are not looked at */
    struct client_recipient *recipients;
    size_t count;
    struct str content; /* all of it; or empty, and then */
    struct body *body;  /* by pieces */
    int64_t size;
};

/* Takes a connected STREAM. */
void client_init(struct client *c, const struct stream *stream, int64_t timeout);
/* 2xx when the server is ready for mail. */
struct status client_greet(struct client *c, const char *me);
/* Leaves a status with every recipient. */
void client_send(struct client *c, struct client_message *m);
/* QUIT if the server still listens, then close. */
void client_close(struct client *c);

#endif
