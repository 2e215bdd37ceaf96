/* What a client says of itself, or the DNS of it, in the Received field and in the log. */
#include "fuzz.h"

#include "base/log.h"
#include "message/trace.h"


static void check_field(struct str field)
{
    int depth = 0;

    fuzz_check(str_starts(field, STR("Received: from")) && str_ends(field, STR("\r\n")));
    for (size_t i = 0; i < field.length; i++) {
        unsigned char c = (unsigned char)field.data[i];

        if (c == '\r') {
            fuzz_check(field.data[++i] == '\n');
            fuzz_check(i + 1 == field.length || field.data[i + 1] == '\t' || field.data[i + 1] == ' ');
            continue;
        }
        fuzz_check((c >= 32 && c < 127) || c == '\t');
        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        fuzz_check(depth >= 0 && depth <= 1);
    }
    fuzz_check(depth == 0);
}

static void check_line(struct str value)
{
    struct log_line l;
    bool open = false;

    log_begin(&l, LOG_LEVEL_INFO, "connect");
    log_str(&l, "helo", value);
    log_text(&l, "last", "end");
    fuzz_check(l.length <= sizeof l.text);
    fuzz_check(!str_has_control((struct str){l.text, l.length}));
    for (size_t i = 0; i < l.length; i++) {
        if (l.text[i] == '\\')
            i++;
        else if (l.text[i] == '"')
            open = !open;
    }
    fuzz_check(!open);
    /* A line that is full leaves out what comes last. */
    fuzz_check(str_ends((struct str){l.text, l.length}, STR(" last=end")) || l.length > LOG_LINE_SIZE / 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str helo = fuzz_input(data, size);
    struct arena arena = {0};
    struct envelope e;
    struct address client;
    struct trace trace = {.client = &client, .me = "mx.example.org", .protocol = "ESMTP", .tls = ""};
    struct buf field = {0};

    envelope_init(&e, &arena);
    e.id = 1;
    e.helo = helo;
    if (!address_parse(&client, STR("192.0.2.1")))
        abort();
    trace.client_name = arena_text(&arena, helo);
    trace_received(&field, &e, &trace);
    check_field(buf_str(&field));
    check_line(helo);
    buf_done(&field);
    arena_done(&arena);
    return 0;
}
