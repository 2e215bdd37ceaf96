/*
 * fill - puts messages into a queue by the functions that the receiver calls, many in a transaction, faster than they could come by SMTP.
 *
 *     fill FOLDER COUNT SIZE DOMAIN DOMAINS SENDERS SECONDS
 *
 * COUNT messages of SIZE octets, each to one recipient: at DOMAIN, or, where DOMAINS is more than 1, at n0.DOMAIN, n1.DOMAIN, … in turn; from
 * SENDERS different senders in turn.  They are due SECONDS from now.  What else uses the queue goes on.
 */
#include "base/clock.h"
#include "message/id.h"
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 500, LINE = 72, USAGE = 64, NUMBERS = 5 };

enum { COUNT, SIZE, DOMAINS, SENDERS, SECONDS };

struct work {
    struct queue queue;
    const char *folder, *domain;
    uint64_t numbers[NUMBERS];
};

/* A header, and lines of text. */
static void write_content(struct body *body, uint64_t size)
{
    char line[LINE + 1];
    struct str first = STR("Subject: one of many\r\n\r\n");
    uint64_t at = first.length;

    snprintf(line, sizeof line, "%0*d\r\n", LINE - 2, 0);
    body_append(body, first);
    for (; at + LINE <= size; at += LINE)
        body_append(body, (struct str){line, LINE});
}

static struct str sender_of(struct arena *arena, uint64_t number)
{
    char text[64];

    snprintf(text, sizeof text, "s%llu@client.example", (unsigned long long)number);
    return arena_str(arena, str_of(text));
}

static void add_recipient(struct envelope *e, const struct work *w, uint64_t i)
{
    const struct rcpt_params params = {0};
    char text[512];
    struct path path;

    if (w->numbers[DOMAINS] > 1)
        snprintf(text, sizeof text, "r%llu@n%llu.%s", (unsigned long long)i, (unsigned long long)(i % w->numbers[DOMAINS]), w->domain);
    else
        snprintf(text, sizeof text, "r%llu@%s", (unsigned long long)i, w->domain);
    if (path_parse_address(&path, arena_str(e->arena, str_of(text)), e->arena) == PATH_OK)
        envelope_add(e, &path, &params);
}

static bool put(struct work *w, uint64_t i)
{
    struct arena arena;
    struct envelope e;
    struct body body;
    bool ok;

    arena_init(&arena);
    envelope_init(&e, &arena);
    e.id = queue_id_new();
    e.arrived = clock_wall() + (int64_t)w->numbers[SECONDS] * 1000;
    e.session = STR("0123456789abcdef");
    e.sender = sender_of(&arena, i % w->numbers[SENDERS]);
    e.sender_host = STR("client.example");
    e.client = STR("127.0.0.1");
    e.helo = STR("client.example");
    add_recipient(&e, w, i);
    body_init(&body, w->folder);
    write_content(&body, w->numbers[SIZE]);
    ok = queue_put(&w->queue, &e, &body);
    body_done(&body);
    arena_done(&arena);
    return ok;
}

static bool put_some(struct work *w, uint64_t from, uint64_t to)
{
    bool ok = queue_begin(&w->queue);

    while (ok && from < to)
        ok = put(w, from++);
    return ok && queue_commit(&w->queue);
}

static bool read_arguments(struct work *w, char **words)
{
    static const int places[NUMBERS] = {2, 3, 5, 6, 7};

    w->folder = words[1];
    w->domain = words[4];
    for (int i = 0; i < NUMBERS; i++)
        if (!str_number(str_of(words[places[i]]), INT32_MAX, &w->numbers[i]))
            return false;
    return w->numbers[DOMAINS] > 0 && w->numbers[SENDERS] > 0;
}

int main(int argc, char **argv)
{
    struct work w = {0};
    char error[1024];

    if (argc != 8 || !read_arguments(&w, argv)) {
        fprintf(stderr, "usage: fill FOLDER COUNT SIZE DOMAIN DOMAINS SENDERS SECONDS\n");
        return USAGE;
    }
    if (!queue_open(&w.queue, w.folder, error, sizeof error)) {
        fprintf(stderr, "fill: %s\n", error);
        return 1;
    }
    for (uint64_t i = 0; i < w.numbers[COUNT]; i += AT_ONCE)
        if (!put_some(&w, i, i + AT_ONCE < w.numbers[COUNT] ? i + AT_ONCE : w.numbers[COUNT])) {
            fprintf(stderr, "fill: %s\n", db_error(w.queue.db));
            return 1;
        }
    queue_close(&w.queue);
    return 0;
}
