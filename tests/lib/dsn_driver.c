/*
 * dsn_driver - report/dsn at the end of a pipe, for scenario/dsn-parts.py.
 *
 *     dsn_driver DATABASE
 *
 * The database is not looked at.  Reads a command a line, with its words between tabs, and answers each with one line:
 *     message TO ENVID RET SMTPUTF8 TEMPLATE FILE             begins a report about the message in FILE; RET is 0, 1 or 2
 *     recipient ACTION ADDRESS ORCPT CODE ENHANCED REASON HOST    adds one; with a HOST the reason is its reply
 *     write FILE                                              writes the report; `UTF8 EIGHT_BIT`, each 0 or 1
 * The log goes to standard error.
 */
#include "driver.h"

#include "base/file.h"
#include "report/dsn.h"

enum { NOW = 1795300000, DAY = 86400 };

static struct conf conf = {.me = "mx.example.org", .bounce_size = 50 << 10};
static struct arena arena;
static struct envelope original;
static struct body content;
static struct dsn dsn;
static struct dsn_recipient **last;

static struct str kept(const char *word)
{
    return arena_str(&arena, str_of(word));
}

static void read_content(const char *path)
{
    struct buf file = {0};

    body_done(&content);
    body_init(&content, "/tmp");
    if (!file_read(path, &file))
        abort();
    body_append(&content, buf_str(&file));
    buf_done(&file);
}

static void run_message(char **words)
{
    arena_done(&arena);
    arena_init(&arena);
    envelope_init(&original, &arena);
    original.id = 0xabcdef;
    original.arrived = (int64_t)(NOW - DAY) * 1000;
    original.sender = kept(words[1]);
    original.envid = kept(words[2]);
    original.ret = (enum ret_type)strtol(words[3], NULL, 10);
    original.smtputf8 = strcmp(words[4], "1") == 0;
    conf.bounce_template = arena_text(&arena, str_of(words[5]));
    read_content(words[6]);
    dsn = (struct dsn){.conf = &conf, .original = &original, .size = content.size, .content = &content, .to = original.sender,
                       .id = 0x123456789abcdef, .now = (int64_t)NOW * 1000};
    last = (struct dsn_recipient **)&dsn.recipients;
    puts("ok");
}

static void run_recipient(char **words)
{
    struct dsn_recipient *r = arena_new(&arena, sizeof *r);

    *r = (struct dsn_recipient){.action = (enum dsn_action)strtol(words[1], NULL, 10), .address = kept(words[2]), .orcpt = kept(words[3]),
                                .code = (int)strtol(words[4], NULL, 10), .enhanced = kept(words[5]), .reason = kept(words[6]),
                                .host = kept(words[7]), .from_peer = words[7][0] != '\0', .tried = dsn.now, .until = dsn.now + DAY * 1000LL};
    *last = r;
    last = &r->next;
    puts("ok");
}

static void run_write(char **words)
{
    char *scratch = memory_new(BODY_PIECE);
    FILE *file = fopen(words[1], "wb");
    struct body message;
    struct str piece;
    bool utf8, eight_bit;

    if (file == NULL)
        abort();
    body_init(&message, "/tmp");
    dsn_write(&dsn, &message, &utf8, &eight_bit);
    for (int64_t offset = 0; (piece = body_piece(&message, offset, scratch)).length > 0; offset += (int64_t)piece.length)
        fwrite(piece.data, 1, piece.length, file);
    fclose(file);
    body_done(&message);
    memory_free(&scratch);
    printf("%d %d\n", utf8, eight_bit);
}

int main(void)
{
    static const struct driver_verb verbs[] = {{"message", run_message, 7}, {"recipient", run_recipient, 8}, {"write", run_write, 2}};

    body_init(&content, "/tmp");
    arena_init(&arena);
    driver_serve(verbs, sizeof verbs / sizeof verbs[0]);
    body_done(&content);
    arena_done(&arena);
    return 0;
}
