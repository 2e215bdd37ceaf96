/* The dialogue with an LMTP server that says anything.  First octet: the message that it is given. */
#include "fuzz.h"

#include "../unit/data_model.h"
#include "transfer/client.h"

#include "script.h"

enum { RECIPIENTS = 60 };

static const char *const contents[] = {"Subject: x\r\n\r\n.dot\r\n", "", "no end", "bare\n.\n", "cr\r", "..\r\n.\r\n",
                                       "caf\xc3\xa9: 8\r\n"};

/* Lines of SERVER that could be, or end, a 2xx. */
static size_t count_good(struct str server)
{
    struct str line;
    size_t count = 0;

    while (str_cut(&server, '\n', &line)) {
        while (str_starts(line, STR("&")))
            line = str_from(line, 1);
        count += str_starts(line, STR("2")) && (line.length < 4 || line.data[3] != '-');
    }
    return count;
}

/* LHLO and nothing else opens a session, content goes by DATA alone (RFC 2033 sections 4.1 and 4.3), and all of it is lines. */
static void check_said(struct str said, bool flawed)
{
    struct str rest = said, line;

    if (str_ends(said, STR("\r")) && flawed)
        said.length--;
    fuzz_check(!data_model_has_bare(said));
    fuzz_check(said.length == 0 || str_starts(said, STR("LHLO ")) || str_starts(said, STR("QUIT\r\n")));
    while (str_cut(&rest, '\n', &line))
        fuzz_check(!str_starts(line, STR("BDAT ")) && !str_starts(line, STR("EHLO ")) && !str_starts(line, STR("HELO ")));
}

static void check_outcomes(const struct client_message *m)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct client_recipient *r = &m->recipients[i];

        fuzz_check((r->status.code >= 200 && r->status.code < 300) || (r->status.code >= 400 && r->status.code <= 599));
        fuzz_check(!status_is_ok(&r->status) || (r->accepted && !data_model_has_bare(m->content)));
        fuzz_check(!str_has_control(str_of(r->status.text)));
    }
}

/* How many 2xx it takes that things went as they did: for each RCPT, and if a copy was taken, for each of these and for MAIL. */
static size_t count_needed(const struct client_message *m)
{
    size_t accepted = 0, taken = 0;

    for (size_t i = 0; i < m->count; i++) {
        accepted += m->recipients[i].accepted;
        taken += status_is_ok(&m->recipients[i].status);
    }
    return (taken > 0) + accepted + taken;
}

/* Those who were answered have their answer though the connection ended: whoever has none comes after them. */
static void check_cut(const struct client_message *m)
{
    bool cut = false;

    for (size_t i = 0; i < m->count; i++) {
        const struct client_recipient *r = &m->recipients[i];
        bool answered = r->status.from_peer || str_starts(str_of(r->status.text), STR("Unexpected reply "));

        if (!r->accepted)
            continue;
        fuzz_check(!cut || !answered);
        cut = !answered;
    }
}

static void fill(struct client_message *m, struct envelope *e, struct recipient *recipients, unsigned options)
{
    m->content = str_of(contents[(options & 7) % 7]);
    m->size = (int64_t)m->content.length;
    m->count = (options & 8) != 0 ? RECIPIENTS : 3;
    e->smtputf8 = (options & 16) != 0;
    e->body = (options & 32) != 0 ? BODY_8BITMIME : BODY_7BIT;
    for (size_t i = 0; i < m->count; i++) {
        recipients[i] = (struct recipient){.address = i == 1 && (options & 128) != 0 ? STR("j\xc3\xb6rg@y.example") : STR("r+x@y.example")};
        m->recipients[i] = (struct client_recipient){.recipient = &recipients[i]};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct client_security plain = {.wanted.host = "y.example", .policy = TLS_NONE};
    static struct recipient recipients[RECIPIENTS];
    static struct client_recipient outcomes[RECIPIENTS];
    struct envelope envelope = {.sender = STR("s@x.example")};
    struct client_message message = {.envelope = &envelope, .recipients = outcomes};
    struct str server;
    struct stream s;
    struct client c;
    struct buf said = {0};
    struct status status;
    size_t needed = 0;

    if (size < 1)
        return 0;
    server = str_part(fuzz_input(data + 1, size - 1), 0, WIRE_MOST);
    fill(&message, &envelope, recipients, data[0]);
    script_stream(&s, server);
    client_init(&c, &s, 5000);
    c.lmtp = true;
    c.as_is = (data[0] & 64) != 0;
    status = client_greet(&c, "me.example", &plain);
    fuzz_check(!str_has_control(str_of(status.text)) && status.code != 0);
    for (int round = 0; round < 3 && !c.broken && status_is_ok(&status); round++) {
        client_send(&c, &message);
        check_outcomes(&message);
        check_cut(&message);
        needed += count_needed(&message);
    }
    fuzz_check(needed == 0 || count_good(server) >= 2 + needed); /* the banner and LHLO had theirs */
    client_close(&c);
    script_done(&said);
    check_said(buf_str(&said), data_model_has_bare(message.content));
    buf_done(&said);
    return 0;
}
