#include "test.h"

#include "base/memory.h"
#include "report/dsn.h"

#include <stdlib.h>

static struct conf conf;
static struct arena arena;
static struct envelope original;
static struct body content, message;
static struct dsn_recipient first, second;
static struct dsn dsn;
static bool utf8, eight_bit;
static struct buf text;

/* A message of which two recipients failed. */
static void setup(const char *letter)
{
    conf = (struct conf){.me = "mx.example.org", .bounce_template = "", .bounce_size = 50 << 10};
    arena_init(&arena);
    envelope_init(&original, &arena);
    original.id = 0xabcdef;
    original.arrived = 1795200000000;
    original.sender = STR("alice@example.org");
    body_init(&content, "/tmp");
    body_init(&message, "/tmp");
    body_append(&content, str_of(letter));
    second = (struct dsn_recipient){.action = DSN_FAILED, .address = STR("late@example.com"), .code = 451, .enhanced = STR("4.4.7"),
                                    .reason = STR("It waited for 5 days")};
    first = (struct dsn_recipient){.next = &second, .action = DSN_FAILED, .address = STR("bob@example.com"), .code = 550, .enhanced = STR("5.1.1"),
                                   .reason = STR("No such user"), .from_peer = true, .host = STR("mx1.example.com[192.0.2.1]:25"),
                                   .tried = 1795300000000};
    dsn = (struct dsn){.conf = &conf, .original = &original, .content = &content, .recipients = &first, .size = content.size,
                       .to = original.sender, .id = 0x123456789abcdef, .now = 1795300000000};
}

static void teardown(void)
{
    body_done(&content);
    body_done(&message);
    buf_clear(&text);
    arena_done(&arena);
}

/* Lines end with CRLF and keep to the limit; without EIGHT_BIT all is printable ASCII. */
static void check_lines(void)
{
    struct str rest = buf_str(&text), line;

    check(str_ends(rest, STR("\r\n")));
    while (rest.length > 0 && str_cut(&rest, '\n', &line)) {
        check(str_ends(line, STR("\r")) && line.length <= 999);
        for (size_t i = 0; i + 1 < line.length; i++)
            check(line.data[i] == '\t' || (line.data[i] >= ' ' && line.data[i] != 127) || (eight_bit && line.data[i] < 0));
        if (test_failed()) {
            printf("# %.*s\n", STR_ARG(line));
            break;
        }
    }
}

static const char *write_it(void)
{
    char *scratch = memory_new(BODY_PIECE);
    struct str piece;

    dsn_write(&dsn, &message, &utf8, &eight_bit);
    for (int64_t offset = 0; (piece = body_piece(&message, offset, scratch)).length > 0; offset += (int64_t)piece.length)
        buf_add(&text, piece);
    memory_free(&scratch);
    check_lines();
    return buf_text(&text);
}

static void a_report_of_failures(void)
{
    static const char letter[] = "Message-ID: <1.2@example.org>\r\nSubject: hello\r\n you\r\n\r\nA line\r\n.\r\n";
    const char *is;
    struct str boundary;
    struct buf wanted = {0};

    setup(letter);
    original.envid = STR("QQ+2B314");
    first.orcpt = STR("rfc822;robert+2Bx@example.com");
    is = write_it();
    check(!utf8 && !eight_bit);
    boundary = str_part(buf_str(&text), str_find(buf_str(&text), '"', 0) + 1, 40);
    check(str_starts(boundary, STR("=_tmail_0123456789abcdef_")));
    buf_print(&wanted,
              "Date: Sat, 21 Nov 2026 22:26:40 +0000\r\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example.org>\r\nTo: <alice@example.org>\r\n"
              "Subject: Undelivered mail: hello you\r\nMessage-ID: <0123456789abcdef@mx.example.org>\r\n"
              "In-Reply-To: <1.2@example.org>\r\nReferences: <1.2@example.org>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
              "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"%.*s",
              STR_ARG(boundary));
    check(str_starts(buf_str(&text), buf_str(&wanted)));
    check_has(is, "Content-Type: text/plain; charset=us-ascii\r\nContent-Language: en\r\nContent-Transfer-Encoding: 7bit\r\n\r\n");
    check_has(is, "  <bob@example.com>\r\n    You wrote to <robert+x@example.com>.\r\n    mx1.example.com answered: 550 5.1.1 No such user\r\n\r\n"
                  "  <late@example.com>\r\n    It waited for 5 days (4.4.7)\r\n\r\n");
    check_has(is, "Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
                  "Original-Envelope-Id: QQ+314\r\nReporting-MTA: dns; mx.example.org\r\nX-Tmail-Queue-Id: 0000000000abcdef\r\n"
                  "Arrival-Date: Fri, 20 Nov 2026 18:40:00 +0000\r\n\r\n"
                  "Original-Recipient: rfc822; robert+x@example.com\r\nFinal-Recipient: rfc822; bob@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
                  "Remote-MTA: dns; mx1.example.com\r\nDiagnostic-Code: smtp; 550 5.1.1 No such user\r\n"
                  "Last-Attempt-Date: Sat, 21 Nov 2026 22:26:40 +0000\r\n\r\n"
                  "Final-Recipient: rfc822; late@example.com\r\nAction: failed\r\nStatus: 4.4.7\r\nDiagnostic-Code: x-tmail; It waited for 5 days\r\n\r\n");
    buf_clear(&wanted);
    buf_print(&wanted, "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n%s\r\n--", letter);
    check_has(is, buf_text(&wanted));
    buf_done(&wanted);
    teardown();
}

static void delays_say_until_when(void)
{
    const char *is;

    setup("Subject: x\r\n\r\nA line\r\n");
    first.action = second.action = DSN_DELAYED;
    first.code = 451;
    first.enhanced = STR("5.7.1");
    second.enhanced = STR("");
    first.until = second.until = 1795900000000;
    is = write_it();
    check_has(is, "Subject: Delayed mail: x\r\n");
    check_has(is, "    Attempts end at 2026-11-28 21:06:40 UTC.\r\n");
    check_has(is, "Action: delayed\r\nStatus: 4.0.0\r\nRemote-MTA");
    check_has(is, "Action: delayed\r\nStatus: 4.0.0\r\nDiagnostic-Code: x-tmail; It waited for 5 days\r\n"
                  "Will-Retry-Until: Sat, 28 Nov 2026 21:06:40 +0000\r\n\r\n--");
    check_has(is, "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\n\r\n--");
    teardown();
}

static void successes_return_the_header(void)
{
    const char *is;

    setup("Subject: x\r\n\r\nA line\r\n");
    original.ret = RET_FULL;
    first.action = DSN_DELIVERED;
    first.code = 250;
    first.enhanced = STR("2.1.5");
    first.reason = STR("250 2.1.5 Ok");
    second.action = DSN_RELAYED;
    is = write_it();
    check_has(is, "Subject: Delivered mail: x\r\n");
    check_has(is, "Action: delivered\r\nStatus: 2.1.5\r\nRemote-MTA: dns; mx1.example.com\r\nDiagnostic-Code: smtp; 250 2.1.5 Ok\r\n");
    check_has(is, "Action: relayed\r\nStatus: 2.0.0\r\n");
    check_has(is, "Content-Type: text/rfc822-headers\r\n");
    teardown();
}

static void failed_comes_first(void)
{
    setup("\r\n");
    first.action = DSN_RELAYED;
    check_has(write_it(), "Subject: Undelivered mail\r\n");
    teardown();
}

static void the_content_comes_back_by_size_and_ret(void)
{
    setup("Subject: x\r\n\r\nA line\r\n");
    conf.bounce_size = content.size;
    check(dsn_returns_content(&dsn));
    dsn.size++;
    check(!dsn_returns_content(&dsn));
    dsn.size--;
    original.ret = RET_HDRS;
    check(!dsn_returns_content(&dsn));
    original.ret = RET_FULL;
    first.action = DSN_DELAYED;
    check(dsn_returns_content(&dsn));
    second.action = DSN_DELIVERED;
    check(!dsn_returns_content(&dsn));
    teardown();
}

static void what_is_not_there_is_not_returned(void)
{
    setup("Subject: x\r\n\r\nA line\r\n");
    dsn.size += 1; /* the caller brought no more than this */
    check_has(write_it(), "Its header is attached.\r\n\r\n--");
    check_has(buf_text(&text), "Content-Type: text/rfc822-headers\r\n");
    teardown();
}

static void a_large_one_comes_back_from_its_file(void)
{
    struct buf line = {0};
    char letters[101];

    setup("Subject: x\r\n\r\n");
    conf.bounce_size = 10 << 20;
    memset(letters, 'x', sizeof letters - 1);
    letters[100] = '\0';
    buf_print(&line, "%s\r\n", letters);
    while (content.size < 1 << 20)
        body_append(&content, buf_str(&line));
    body_append(&content, STR("the end"));
    dsn.size = content.size;
    write_it();
    check((int64_t)text.length > content.size);
    check_has(buf_text(&text), "\r\nthe end\r\n--=_tmail_");
    buf_done(&line);
    teardown();
}

static void eight_bits_are_said(void)
{
    setup("Subject: x\r\n\r\n\xfc\r\n");
    check_has(write_it(), "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: x\r\n\r\n\xfc\r\n\r\n--");
    check(eight_bit && !utf8);
    check_has(buf_text(&text), "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: multipart/report;");
    teardown();
}

static void a_header_of_eight_bits_is_quoted(void)
{
    setup("Subject: \xfc\xc3\xa9=\r\n\r\n\xfc\r\n");
    original.ret = RET_HDRS;
    check_has(write_it(), "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: =FC=C3=A9=3D\r\n\r\n--");
    check(!eight_bit && !utf8);
    check_has(buf_text(&text), "Subject: =?UTF-8?B?VW5kZWxpdmVyZWQgbWFpbDogP8OpPQ==?=\r\n");
    teardown();
}

static void an_address_beyond_ascii_is_written_in_ascii(void)
{
    setup("Subject: x\r\n\r\n");
    first.address = STR("b\xc3\xb6=b@ex\xe4\xbe\x8b.example");
    first.orcpt = STR("utf-8;b\xf0\x9f\x98\x80@x.example");
    second.orcpt = STR("utf-8;b\\x{F6}b@x.example");
    write_it();
    check(!utf8 && !eight_bit);
    check_has(buf_text(&text), "Original-Recipient: utf-8; b\\x{1F600}@x.example\r\n"
                               "Final-Recipient: utf-8; b\\x{F6}\\x{3D}b@ex\\x{4F8B}.example\r\n");
    check_has(buf_text(&text), "Original-Recipient: utf-8; b\\x{F6}b@x.example\r\nFinal-Recipient: rfc822; late@example.com\r\n");
    check_has(buf_text(&text), "charset=utf-8\r\nContent-Language: en\r\nContent-Transfer-Encoding: quoted-printable\r\n");
    check_has(buf_text(&text), "  <b=C3=B6=3Db@ex=E4=BE=8B.example>\r\n");
    teardown();
}

static void smtputf8_is_answered_with_smtputf8(void)
{
    setup("Subject: h\xc3\xa9\r\n\r\nx\r\n");
    original.smtputf8 = true;
    first.address = STR("b\xc3\xb6" "b@example.com");
    first.orcpt = STR("utf-8;b\xc3\xb6" "b@x.example");
    first.reason = STR("d\xc3\xa9sol\xc3\xa9 \xff");
    write_it();
    check(utf8 && eight_bit);
    check_has(buf_text(&text), "Subject: Undelivered mail: h\xc3\xa9\r\n");
    check_has(buf_text(&text), "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
    check_has(buf_text(&text), "Original-Recipient: utf-8; b\xc3\xb6" "b@x.example\r\nFinal-Recipient: utf-8; b\xc3\xb6" "b@example.com\r\n");
    check_has(buf_text(&text), "Diagnostic-Code: smtp; 550 5.1.1 d\xc3\xa9sol\xc3\xa9 ?\r\n");
    check_has(buf_text(&text), "Content-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: h\xc3\xa9\r\n\r\nx\r\n");
    buf_clear(&text);
    body_done(&message);
    body_init(&message, "/tmp");
    original.ret = RET_HDRS;
    check_has(write_it(), "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\nSubject: h\xc3\xa9\r\n\r\n--");
    teardown();
}

static void a_sender_beyond_ascii_needs_smtputf8(void)
{
    setup("Subject: x\r\n\r\n");
    dsn.to = STR("\xc3\xa1lice@example.org");
    check_has(write_it(), "To: <\xc3\xa1lice@example.org>\r\n");
    check(utf8 && eight_bit);
    check_has(buf_text(&text), "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n");
    teardown();
}

/* What the gateway takes in is better than this; what others put into the queue need not be. */
static void broken_originals_do_no_harm(void)
{
    static const struct {
        const char *letter, *header;
    } cases[] = {
        {"Subject: a\nX: b\n\nbody\n", "Subject: a\r\nX: b\r\n"},
        {"Subject: a\rX: b\r\n\r\nbody\r\n", "Subject: a?X: b\r\n"},
        {"Subject: a\r\nno field\r\nX: b\r\n", "Subject: a\r\n"},
        {"no field\r\n\r\n", ""},
        {" folded\r\nX: b\r\n\r\n", ""},
        {"Subject: a\r\n\tb\r\n \r\nX: c\r\n\r\n", "Subject: a\r\n\tb\r\n"},
        {"Subject : a\r\nX-\xfc: b\r\n\r\n", "Subject : a\r\n"},
        {"Subject: a\r\nX: no end", "Subject: a\r\nX: no end\r\n"},
        {"\r\nSubject: a\r\n", ""},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf wanted = {0};

        setup(cases[i].letter);
        original.ret = RET_HDRS;
        buf_print(&wanted, "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\n%s\r\n--", cases[i].header);
        check_has(write_it(), buf_text(&wanted));
        buf_done(&wanted);
        teardown();
    }
}

static void broken_contents_are_not_returned(void)
{
    static const struct str letters[] = {{"Subject: a\r\n\r\nb\nc\r\n", 19}, {"Subject: a\r\n\r\nb\rc\r\n", 19}, {"Subject: a\r\n\r\nb\0c\r\n", 19},
                                         {"Subject: a\r\n\r\nb\r", 16}};

    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        setup("");
        body_append(&content, letters[i]);
        dsn.size = content.size;
        check_has(write_it(), "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: a\r\n\r\n--");
        teardown();
    }
}

static void long_and_huge_headers_are_cut(void)
{
    struct buf line = {0};

    setup("Subject: x\r\n");
    for (int i = 0; i < 300; i++)
        buf_print(&line, "%s0123456789", i == 0 ? "X-Long: " : "");
    buf_add_text(&line, "\r\n");
    while (content.size < 200 << 10)
        body_append(&content, buf_str(&line));
    dsn.size = content.size;
    write_it(); /* check_lines sees the rest */
    check(text.length > 20 << 10 && text.length < 70 << 10);
    check(str_contains(buf_str(&text), STR("\r\nX-Long: ")) && !str_contains(buf_str(&text), STR("\r\n0123")));
    buf_done(&line);
    teardown();
}

static void message_ids_are_taken_when_they_are_well_formed(void)
{
    static const char *const bad[] = {"Message-ID: <a b@c>\r\n\r\n", "Message-ID: <a@c> <d@e>\r\n\r\n", "Message-ID: a@c\r\n\r\n", "Message-ID: <ac>\r\n\r\n",
                                      "Message-ID: <@c>\r\n\r\n", "Message-ID: <a@>\r\n\r\n", "Message-ID: <a@\xfc>\r\n\r\n", "Message-ID:\r\n\r\n"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setup(bad[i]);
        check(!str_contains(str_of(write_it()), STR("In-Reply-To")));
        teardown();
    }
    setup("Message-Id:\r\n <a@c>\r\n\r\n");
    check_has(write_it(), "In-Reply-To: <a@c>\r\nReferences: <a@c>\r\n");
    teardown();
}

static void hostile_words_end_no_line(void)
{
    struct buf reason = {0};

    setup("Subject: =?utf-8?q?a=0D=0AX-Injected:_yes?=\r\n\r\n");
    for (int i = 0; i < 3000; i++)
        buf_add_byte(&reason, (char)(i % 256));
    first.reason = buf_str(&reason);
    first.address = STR("a\r\nX-Injected: yes\r\n\r\n--@example.com");
    first.host = STR("h\r\nX-Injected: yes[");
    first.enhanced = STR("5.1.1\r\nX-Injected: yes");
    first.orcpt = STR("rfc822;a+0D+0AX-Injected:+20yes");
    original.envid = STR("a+0D+0AX-Injected:+20yes");
    dsn.to = STR("a\r\nX-Injected: yes\r\n\r\n");
    original.sender = dsn.to;
    write_it();
    check(!str_contains(buf_str(&text), STR("\nX-Injected")));
    check(!str_contains(buf_str(&text), STR("Original-Envelope-Id")) && !str_contains(buf_str(&text), STR("Original-Recipient")));
    check_has(buf_text(&text), "\r\nStatus: 5.0.0\r\n");
    buf_clear(&reason);
    for (int i = 0; i < 3000; i++)
        buf_add_byte(&reason, 'x');
    first.reason = first.address = first.host = buf_str(&reason);
    body_done(&message);
    body_init(&message, "/tmp");
    buf_clear(&text);
    write_it();
    buf_done(&reason);
    teardown();
}

static void malformed_xtext_is_left_out(void)
{
    static const struct {
        const char *envid, *orcpt;
    } cases[] = {{"a+2", "rfc822"}, {"a=b", "rfc822;"}, {"+C3+A9", "rfc822;+C3+A9@x"}, {"a+7F", "rfc822;a+00"}, {"+20", "rfc822;+20"}, {"", ""}, {"a b", "rfc822;a b"}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        setup("\r\n");
        original.envid = str_of(cases[i].envid);
        first.orcpt = str_of(cases[i].orcpt);
        write_it();
        if (!check(!str_contains(buf_str(&text), STR("Original-"))))
            printf("# %s %s\n", cases[i].envid, cases[i].orcpt);
        teardown();
    }
    setup("\r\n");
    first.orcpt = STR("rfc822;+22a+20b+22@x.example");
    check_has(write_it(), "Original-Recipient: rfc822; \"a b\"@x.example\r\n");
    teardown();
}

static void codes_fit_the_action(void)
{
    static const struct {
        enum dsn_action action;
        int code;
        const char *enhanced, *status;
    } cases[] = {
        {DSN_FAILED, 550, "5.1.1", "5.1.1"}, {DSN_FAILED, 550, "4.1.1", "5.0.0"},   {DSN_FAILED, 550, "", "5.0.0"},
        {DSN_FAILED, 451, "4.4.7", "4.4.7"}, {DSN_FAILED, 451, "5.2.1", "5.2.1"},   {DSN_FAILED, 0, "4.4.7", "4.4.7"},
        {DSN_FAILED, 0, "2.0.0", "5.0.0"},   {DSN_FAILED, 550, "5.1.1234", "5.0.0"}, {DSN_FAILED, 550, "5.1.1 x", "5.0.0"},
        {DSN_DELAYED, 0, "", "4.0.0"},       {DSN_DELAYED, 450, "4.2.0", "4.2.0"},  {DSN_DELIVERED, 250, "2.1.5", "2.1.5"},
        {DSN_DELIVERED, 250, "5.1.1", "2.0.0"}, {DSN_RELAYED, 250, "", "2.0.0"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char wanted[64];

        setup("\r\n");
        first.next = NULL;
        first.action = cases[i].action;
        first.code = cases[i].code;
        first.enhanced = str_of(cases[i].enhanced);
        snprintf(wanted, sizeof wanted, "\r\nStatus: %s\r\n", cases[i].status);
        check_has(write_it(), wanted);
        teardown();
    }
}

static void long_replies_are_folded(void)
{
    setup("\r\n");
    first.reason = STR("550 5.1.1 The mailbox that you have tried to reach does not exist, please look up the address");
    check_has(write_it(), "Diagnostic-Code: smtp; 550 5.1.1 The mailbox that you have tried to reach does\r\n"
                          " not exist, please look up the address\r\n");
    first.host = STR("[192.0.2.1]:25");
    buf_clear(&text);
    check_has(write_it(), "Remote-MTA: dns; [192.0.2.1]\r\n");
    teardown();
}

static void words_come_from_the_template(void)
{
    char path[1024];
    const char *source = getenv("SOURCE");

    setup("Subject: =?iso-8859-1?Q?=E9t=E9?=\r\n =?utf-8?b?w6k=?= x\r\n\r\n");
    snprintf(path, sizeof path, "%s/contrib/bounce/french.tpl", source != NULL ? source : ".");
    conf.bounce_template = path;
    check_has(write_it(), "Subject: =?UTF-8?B?TWVzc2FnZSBub24gcmVtaXMgOiDDqXTDqcOpIHg=?=\r\n"); /* Message non remis : étéé x */
    check_has(buf_text(&text), "charset=utf-8\r\nContent-Language: fr\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
                               "Ceci est un avis du syst=C3=A8me de messagerie mx.example.org.\r\n");
    teardown();
}

static void a_missing_template_costs_nothing(void)
{
    setup("\r\n");
    conf.bounce_template = "/nonexistent/template";
    check_has(write_it(), "This is the mail system of mx.example.org.\r\n");
    teardown();
}

static const struct test_case cases[] = {
    TEST_CASE(a_report_of_failures),
    TEST_CASE(delays_say_until_when),
    TEST_CASE(successes_return_the_header),
    TEST_CASE(failed_comes_first),
    TEST_CASE(the_content_comes_back_by_size_and_ret),
    TEST_CASE(what_is_not_there_is_not_returned),
    TEST_CASE(a_large_one_comes_back_from_its_file),
    TEST_CASE(eight_bits_are_said),
    TEST_CASE(a_header_of_eight_bits_is_quoted),
    TEST_CASE(an_address_beyond_ascii_is_written_in_ascii),
    TEST_CASE(smtputf8_is_answered_with_smtputf8),
    TEST_CASE(a_sender_beyond_ascii_needs_smtputf8),
    TEST_CASE(broken_originals_do_no_harm),
    TEST_CASE(broken_contents_are_not_returned),
    TEST_CASE(long_and_huge_headers_are_cut),
    TEST_CASE(message_ids_are_taken_when_they_are_well_formed),
    TEST_CASE(hostile_words_end_no_line),
    TEST_CASE(malformed_xtext_is_left_out),
    TEST_CASE(codes_fit_the_action),
    TEST_CASE(long_replies_are_folded),
    TEST_CASE(words_come_from_the_template),
    TEST_CASE(a_missing_template_costs_nothing),
};

int main(int argc, char **argv)
{
    int status = test_main(cases, TEST_COUNT(cases), argc, argv);

    buf_done(&text);
    return status;
}
