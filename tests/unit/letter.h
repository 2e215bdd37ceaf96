/*
 * letter - a message to put into a queue: an envelope with recipients, and its content.
 */
#ifndef LETTER_H
#define LETTER_H

#include "base/clock.h"
#include "message/id.h"
#include "queue/queue.h"

#include <string.h>

struct letter {
    struct arena arena;
    struct envelope envelope;
    struct body body;
};

static inline char letter_octet(int64_t at)
{
    return (char)((at * 31 + at / 257) % 256);
}

static inline void letter_recipient(struct letter *l, const char *address)
{
    const struct rcpt_params params = {0};
    struct path path;

    if (path_parse_address(&path, arena_str(&l->arena, str_of(address)), &l->arena) == PATH_OK)
        envelope_add(&l->envelope, &path, &params);
}

/* SIZE octets to one recipient, if there is one. */
static inline void letter_open(struct letter *l, const char *tempdir, const char *recipient, int64_t size)
{
    char piece[997];

    *l = (struct letter){0};
    arena_init(&l->arena);
    envelope_init(&l->envelope, &l->arena);
    l->envelope.id = queue_id_new();
    l->envelope.arrived = clock_wall();
    l->envelope.session = STR("0123456789abcdef");
    l->envelope.sender = STR("sender@example.org");
    l->envelope.sender_host = STR("example.org");
    l->envelope.client = STR("192.0.2.1");
    l->envelope.helo = STR("client.example");
    if (recipient != NULL)
        letter_recipient(l, recipient);
    body_init(&l->body, tempdir);
    for (int64_t at = 0; at < size;) {
        size_t length = size - at < (int64_t)sizeof piece ? (size_t)(size - at) : sizeof piece;

        for (size_t i = 0; i < length; i++)
            piece[i] = letter_octet(at + (int64_t)i);
        body_append(&l->body, (struct str){piece, length});
        at += (int64_t)length;
    }
}

static inline void letter_close(struct letter *l)
{
    body_done(&l->body);
    arena_done(&l->arena);
}

static inline bool letter_put(struct queue *q, struct letter *l)
{
    if (!queue_begin(q))
        return false;
    if (queue_put(q, &l->envelope, &l->body))
        return queue_commit(q);
    queue_rollback(q);
    return false;
}

#endif
