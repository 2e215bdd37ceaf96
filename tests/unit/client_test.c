#include "test.h"

#include "transfer/client.h"

#include "letter.h"
#include "place.h"

#include <pthread.h>

/* A server that follows a script: it waits until it has heard UNTIL, and says REPLY.  After the last step it listens to the end. */
struct step {
    const char *until, *reply;
};

static struct {
    const struct step *steps;
    size_t count;
    int fd;
    bool hangs_up; /* after the last step */
    struct buf heard;
    bool followed;
    pthread_t thread;
} server;

static void *serve(void *nothing)
{
    size_t from = 0;

    server.followed = true;
    for (size_t i = 0; i < server.count && server.followed; i++) {
        size_t length = strlen(server.steps[i].until);
        const char *found = NULL;
        char piece[4096];
        ssize_t n = 1;

        while (length > 0 && (server.heard.length == from || (found = memmem(server.heard.data + from, server.heard.length - from, server.steps[i].until, length)) == NULL) &&
               (n = recv(server.fd, piece, sizeof piece, 0)) > 0)
            buf_add(&server.heard, (struct str){piece, (size_t)n});
        if (found != NULL)
            from = (size_t)(found - server.heard.data) + length;
        server.followed = length == 0 || found != NULL;
        if (server.followed)
            pair_send(server.fd, str_of(server.steps[i].reply));
    }
    if (!server.hangs_up) {
        char piece[4096];
        ssize_t n;

        while ((n = recv(server.fd, piece, sizeof piece, 0)) > 0)
            buf_add(&server.heard, (struct str){piece, (size_t)n});
    }
    close(server.fd);
    return nothing;
}

static void start(struct client *c, const struct step *steps, size_t count, bool hangs_up)
{
    const struct address nobody = {0};
    struct stream s;
    int theirs;

    buf_clear(&server.heard);
    server.steps = steps;
    server.count = count;
    server.hangs_up = hangs_up;
    pair_open(&server.fd, &theirs);
    stream_init(&s, theirs, &nobody);
    client_init(c, &s, 3000);
    if (pthread_create(&server.thread, NULL, serve, NULL) != 0)
        abort();
}

static const char *finish(struct client *c)
{
    client_close(c);
    pthread_join(server.thread, NULL);
    return buf_text(&server.heard);
}

#define START(c, steps) start((c), (steps), TEST_COUNT(steps), false)

struct sending {
    struct arena arena;
    struct envelope envelope;
    struct recipient recipients[200];
    struct client_recipient outcomes[200];
    struct client_message message;
};

static struct sending sending;

static void prepare(const char *content, size_t count)
{
    arena_done(&sending.arena);
    sending = (struct sending){0};
    envelope_init(&sending.envelope, &sending.arena);
    sending.envelope.sender = STR("s@x.example");
    sending.envelope.sender_host = STR("x.example");
    for (size_t i = 0; i < count; i++) {
        char address[40];

        snprintf(address, sizeof address, "r%zu@y.example", i + 1);
        sending.recipients[i].address = arena_str(&sending.arena, str_of(address));
        sending.recipients[i].domain = STR("y.example");
        sending.outcomes[i].recipient = &sending.recipients[i];
    }
    sending.message = (struct client_message){.envelope = &sending.envelope, .recipients = sending.outcomes, .count = count, .content = str_of(content),
                                              .size = (int64_t)strlen(content)};
}

static const struct client_security plain = {.wanted.host = "y.example", .policy = TLS_NONE};

static void greeted(struct client *c)
{
    struct status s = client_greet(c, "me.example", &plain);

    if (!check(status_is_ok(&s)))
        printf("#   %d %s\n", s.code, s.text);
}

static const char hello[] = "250-y.example\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 DSN\r\n";

/* ---- the greeting ---- */

static void extensions_are_learned(void)
{
    static const struct {
        const char *reply;
        unsigned extensions;
        uint64_t limit;
    } table[] = {
        {"250 y.example\r\n", 0, 0},
        {"250-y.example greets you\r\n250-size 1000\r\n250-PIPELINING\r\n250 Dsn\r\n", CLIENT_SIZE | CLIENT_PIPELINING | CLIENT_DSN, 1000},
        {"250-y.example\r\n250-SIZE\r\n250-8BITMIME\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n", CLIENT_SIZE | CLIENT_8BITMIME | CLIENT_CHUNKING | CLIENT_SMTPUTF8, 0},
        {"250-y.example\r\n250-SIZE 0\r\n250-XPIPELINING\r\n250-DSNX\r\n250-AUTH PIPELINING\r\n250 STARTTLS\r\n", CLIENT_SIZE | CLIENT_STARTTLS, 0},
        {"250-y.example\r\n250-SIZE 99999999999999999999999\r\n250 SIZE=1000\r\n", CLIENT_SIZE, 0},
        {"250-PIPELINING\r\n250 DSN\r\n", CLIENT_DSN, 0}, /* RFC 5321 section 4.1.1.1: the first line is the server's name */
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct step steps[] = {{"", "220 y.example ESMTP\r\n"}, {"EHLO me.example\r\n", table[i].reply}};
        struct client c;

        START(&c, steps);
        greeted(&c);
        if (check_number(c.extensions, table[i].extensions) + check_number(c.size_limit, table[i].limit) < 2)
            printf("#   row %zu\n", i);
        check_text(finish(&c), "EHLO me.example\r\nQUIT\r\n");
    }
}

static void helo_is_for_those_who_know_no_ehlo(void)
{
    static const struct step steps[] = {
        {"", "220-y.example\r\n220 welcome\r\n"}, {"EHLO me.example\r\n", "502-SIZE 5\r\n502 PIPELINING\r\n"}, {"HELO me.example\r\n", "250 y.example\r\n"}, {"QUIT\r\n", "221 bye\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    check_number(c.extensions, 0);
    check_number(c.size_limit, 0);
    check_text(finish(&c), "EHLO me.example\r\nHELO me.example\r\nQUIT\r\n");
}

static void unfriendly_greetings_end_it(void)
{
    static const struct {
        struct step steps[2];
        int class; /* first digit of the status */
        bool broken;
    } table[] = {
        {{{"", "554 no mail here\r\n"}, {"", ""}}, 5, false},
        {{{"", "421 busy\r\n"}, {"", ""}}, 4, true},
        {{{"", "450 later\r\n"}, {"", ""}}, 4, false},
        {{{"", "HTTP/1.1 400 Bad Request\r\n"}, {"", ""}}, 4, true},
        {{{"", "\r\n"}, {"", ""}}, 4, true},
        {{{"", "220 y\r\n"}, {"EHLO", "421 bye\r\n"}}, 4, true},
        {{{"", "220 y\r\n"}, {"EHLO", "451 later\r\n"}}, 4, false},
        {{{"", "220 y\r\n"}, {"EHLO", "250-y\r\n251 z\r\n"}}, 4, true},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct client c;
        struct status s;

        START(&c, table[i].steps);
        s = client_greet(&c, "me.example", &plain);
        if (check_number(s.code / 100, table[i].class) + check(c.broken == table[i].broken) < 2)
            printf("#   row %zu: %d %s\n", i, s.code, s.text);
        finish(&c);
        check((strstr(buf_text(&server.heard), "QUIT") == NULL) == table[i].broken);
    }
}

static void a_server_without_tls_is_known_as_such(void)
{
    static const char with[] = "250-y.example\r\n250 STARTTLS\r\n", without[] = "250 y.example\r\n";
    static const struct {
        enum tls_policy policy;
        bool plain_after;
        const char *hello, *answer; /* to STARTTLS */
        bool good, missing, weakened;
    } table[] = {
        {TLS_NONE, false, with, NULL, true, false, false},
        {TLS_NONE, false, without, NULL, true, false, false},
        {TLS_MAY, true, without, NULL, true, true, false},
        {TLS_ENCRYPT, false, without, NULL, false, true, false},
        {TLS_VERIFY, false, without, NULL, false, true, false},
        {TLS_DANE, false, without, NULL, false, true, false},
        {TLS_MAY, true, with, "454 4.7.0 not now\r\n", true, true, true},
        {TLS_MAY, false, with, "454 4.7.0 not now\r\n", false, true, false},
        {TLS_DANE, false, with, "502 5.5.1 no\r\n", false, true, false},
        {TLS_DANE, false, with, "421 busy\r\n", false, false, false},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct step steps[] = {{"", "220 y.example ESMTP\r\n"}, {"EHLO me.example\r\n", table[i].hello}, {"STARTTLS\r\n", table[i].answer}};
        const struct client_security security = {.wanted.host = "y.example", .policy = table[i].policy, .plain_after = table[i].plain_after};
        struct client c;
        struct status s;

        start(&c, steps, table[i].answer != NULL ? 3 : 2, false);
        s = client_greet(&c, "me.example", &security);
        if (check(status_is_ok(&s) == table[i].good) + check(c.tls_missing == table[i].missing) + check(c.weakened == table[i].weakened)
                + check(table[i].good || s.code / 100 == 4) + check_number(c.tls_trouble, TLS_TROUBLE_NONE) < 5)
            printf("#   row %zu: %d %s\n", i, s.code, s.text);
        finish(&c);
    }
}

static void a_silent_server_is_left(void)
{
    static const struct step steps[] = {{"never", ""}};
    struct client c;
    struct status s;
    int64_t before = clock_now();

    START(&c, steps);
    c.timeout = 50;
    s = client_greet(&c, "me.example", &plain);
    check(status_is_temporary(&s) && c.broken);
    check_number(s.class * 100 + s.subject * 10 + s.detail, 441);
    check(clock_now() < before + 2000);
    finish(&c);
}

/* ---- transactions ---- */

/* That it wants TLS or a login before it takes mail says nothing of the mail: it waits, and others may be asked. */
static void a_server_that_wants_more_first_refuses_no_mail(void)
{
    static const int codes[] = {530, 534, 535, 538};

    for (size_t i = 0; i < TEST_COUNT(codes); i++) {
        char at_mail[80], at_rcpt[80], at_data[80];
        struct client c;

        snprintf(at_mail, sizeof at_mail, "%d 5.7.0 first\r\n503 no\r\n503 no\r\n", codes[i]);
        snprintf(at_rcpt, sizeof at_rcpt, "250 ok\r\n%d 5.7.0 first\r\n503 no\r\n", codes[i]);
        snprintf(at_data, sizeof at_data, "250 ok\r\n250 ok\r\n%d 5.7.0 first\r\n", codes[i]);
        for (int place = 0; place < 3; place++) {
            const char *const replies[] = {at_mail, at_rcpt, at_data};
            const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", hello}, {"DATA\r\n", replies[place]}, {"RSET", "250 ok\r\n"}, {"QUIT", "221 bye\r\n"}};

            START(&c, steps);
            greeted(&c);
            prepare("a\r\n", 1);
            client_send(&c, &sending.message);
            if (check_number(sending.outcomes[0].status.code, 454) + check(c.unwelcome) < 2)
                printf("#   %d at %d: %s\n", codes[i], place, sending.outcomes[0].status.text);
            finish(&c);
        }
    }
}


static void one_command_at_a_time(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", "250 y\r\n"}, {"MAIL FROM:<s@x.example>\r\n", "250 ok\r\n"},
                                        {"RCPT TO:<r1@y.example>\r\n", "250 ok\r\n"}, {"RCPT TO:<r2@y.example>\r\n", "550 5.1.1 unknown\r\n"},
                                        {"DATA\r\n", "354 go\r\n"}, {"\r\n.\r\n", "250 2.0.0 queued\r\n"}, {"QUIT\r\n", "221 bye\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    prepare("Subject: x\r\n\r\n.dot\r\n.\r\nend", 2);
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 250);
    check_has(sending.outcomes[0].status.text, "queued");
    check_number(sending.outcomes[1].status.code, 550);
    check(sending.outcomes[0].accepted && !sending.outcomes[1].accepted);
    check(!c.broken && c.answered);
    check_text(finish(&c), "EHLO me.example\r\nMAIL FROM:<s@x.example>\r\nRCPT TO:<r1@y.example>\r\nRCPT TO:<r2@y.example>\r\nDATA\r\n"
                           "Subject: x\r\n\r\n..dot\r\n..\r\nend\r\n.\r\nQUIT\r\n");
    check(server.followed);
}

static void all_at_once_where_offered(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", hello}, {"DATA\r\n", "250 ok\r\n250 ok\r\n451 4.2.2 full\r\n354 go\r\n"},
                                        {"\r\n.\r\n", "250 2.0.0 queued\r\n"}, {"QUIT\r\n", "221 bye\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    prepare("a\r\n", 2);
    sending.envelope.body = BODY_8BITMIME;
    sending.envelope.ret = RET_HDRS;
    sending.envelope.envid = STR("id+3D");
    sending.recipients[0].notify = NOTIFY_SUCCESS | NOTIFY_DELAY;
    sending.recipients[0].orcpt = STR("rfc822;o@y.example");
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 250);
    check_number(sending.outcomes[1].status.code, 451);
    check_text(finish(&c), "EHLO me.example\r\nMAIL FROM:<s@x.example> SIZE=3 BODY=8BITMIME RET=HDRS ENVID=id+3D\r\n"
                           "RCPT TO:<r1@y.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;o@y.example\r\nRCPT TO:<r2@y.example>\r\nDATA\r\na\r\n.\r\nQUIT\r\n");
    check(server.followed);
}

static void parameters_are_not_sent_to_those_who_did_not_offer_them(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", "250 y\r\n"}, {"MAIL FROM:<>\r\n", "250 ok\r\n"}, {"RCPT TO:<r1@y.example>\r\n", "250 ok\r\n"},
                                        {"DATA\r\n", "354 go\r\n"}, {"\r\n.\r\n", "250 ok\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    prepare("\xe4\r\n", 1);
    sending.envelope.sender = STR("");
    sending.envelope.body = BODY_8BITMIME;
    sending.envelope.ret = RET_FULL;
    sending.envelope.envid = STR("x");
    sending.recipients[0].notify = NOTIFY_NEVER;
    sending.recipients[0].orcpt = STR("rfc822;o@y.example");
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 250);
    finish(&c);
    check(server.followed);
}

static void answers_decide(void)
{
    static const struct {
        const char *ehlo, *mail, *rcpt, *data, *end;
        int code;
        bool broken;
    } table[] = {
        {"250 y\r\n", "550 no\r\n", NULL, NULL, NULL, 550, false},
        {"250 y\r\n", "451 later\r\n", NULL, NULL, NULL, 451, false},
        {"250 y\r\n", "421 bye\r\n", NULL, NULL, NULL, 421, true},
        {"250 y\r\n", "354 what\r\n", NULL, NULL, NULL, 451, false},
        {"250 y\r\n", "250 ok\r\n", "550 no\r\n", NULL, NULL, 550, false},
        {"250 y\r\n", "250 ok\r\n", "251 will forward\r\n", "354 go\r\n", "250 ok\r\n", 250, false},
        {"250 y\r\n", "250 ok\r\n", "354 what\r\n", NULL, NULL, 451, false},
        {"250 y\r\n", "250 ok\r\n", "250 ok\r\n", "451 not now\r\n", NULL, 451, false},
        {"250 y\r\n", "250 ok\r\n", "250 ok\r\n", "554 no\r\n", NULL, 554, false},
        {"250 y\r\n", "250 ok\r\n", "250 ok\r\n", "250 what\r\n", NULL, 451, true},
        {"250 y\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "552 too much\r\n", 552, false},
        {"250 y\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "452 full\r\n", 452, false},
        {"250 y\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "421 bye\r\n", 421, true},
        {"250 y\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "354 go\r\n", 451, false},
        {"250 y\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "nonsense\r\n", 451, true},
        {"250 y\r\n", "nonsense\r\n", NULL, NULL, NULL, 451, true},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", table[i].ehlo}, {"MAIL", table[i].mail}, {"RCPT", table[i].rcpt}, {"DATA", table[i].data},
                                     {"\r\n.\r\n", table[i].end}, {"QUIT", "221\r\n"}};
        size_t count = 3;
        struct client c;

        count += table[i].rcpt != NULL;
        count += table[i].data != NULL;
        count += table[i].end != NULL;
        start(&c, steps, count, false);
        greeted(&c);
        prepare("a\r\n", 1);
        c.timeout = 300; /* RSET is not answered: the next message would wait for it, this one must not fail for it */
        client_send(&c, &sending.message);
        if (!check_number(sending.outcomes[0].status.code, table[i].code))
            printf("#   row %zu: %s\n", i, sending.outcomes[0].status.text);
        if (table[i].broken)
            check(c.broken);
        finish(&c);
    }
}

/* RFC 3463 section 2: the class follows the reply, whatever the server wrote. */
static void the_class_is_that_of_the_reply(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", "250 y\r\n"}, {"MAIL", "250 ok\r\n"}, {"RCPT", "550 2.1.5 fine\r\n"}, {"RSET", "250 ok\r\n"}, {"QUIT", "221\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    prepare("a\r\n", 1);
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 550);
    check_number(sending.outcomes[0].status.class, 5);
    finish(&c);
    check_has(buf_text(&server.heard), "RSET\r\nQUIT\r\n");
}

static void one_connection_carries_many(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", hello}, {"DATA\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"}, {"\r\n.\r\n", "250 ok\r\n"},
                                        {"DATA\r\n", "550 5.1.8 bad sender\r\n503 no\r\n503 no\r\n"}, {"RSET\r\n", "250 ok\r\n"}, {"DATA\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"},
                                        {"\r\n.\r\n", "250 ok\r\n"}, {"QUIT", "221\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    for (int i = 0; i < 3; i++) {
        prepare("a\r\n", 1);
        client_send(&c, &sending.message);
        check_number(sending.outcomes[0].status.code, i == 1 ? 550 : 250);
        check(!c.broken);
    }
    check_number(c.messages, 3);
    finish(&c);
    check(server.followed);
}

/* RFC 2920 section 3.1: 354 although nobody is left: the data is closed at once, and nothing of the message is said. */
static void no_data_for_nobody(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", hello}, {"DATA\r\n", "250 ok\r\n550 no\r\n354 go\r\n"}, {".\r\n", "554 no\r\n"}, {"QUIT", "221\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    prepare("secret\r\n", 1);
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 550);
    check(!c.broken);
    finish(&c);
    check(server.followed);
    check(strstr(buf_text(&server.heard), "secret") == NULL);
    check_has(buf_text(&server.heard), "DATA\r\n.\r\nQUIT\r\n");
}

static void many_recipients_in_batches(void)
{
    struct step steps[206] = {{"", "220 y\r\n"}, {"EHLO", hello}, {"MAIL", "250 ok\r\n"}};
    static char until[200][40];
    struct client c;

    for (size_t i = 0; i < 200; i++) {
        snprintf(until[i], sizeof until[i], "RCPT TO:<r%zu@y.example>\r\n", i + 1);
        steps[3 + i] = (struct step){until[i], i % 2 == 0 ? "250 ok\r\n" : "550 no\r\n"};
    }
    steps[203] = (struct step){"DATA\r\n", "354 go\r\n"};
    steps[204] = (struct step){"\r\n.\r\n", "250 ok\r\n"};
    steps[205] = (struct step){"QUIT", "221\r\n"};
    START(&c, steps);
    greeted(&c);
    prepare("a\r\n", 200);
    client_send(&c, &sending.message);
    for (size_t i = 0; i < 200; i++)
        check_number(sending.outcomes[i].status.code, i % 2 == 0 ? 250 : 550);
    finish(&c);
    check(server.followed);
}

static void chunks_carry_the_content_as_it_is(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", "250-y\r\n250-PIPELINING\r\n250 CHUNKING\r\n"}, {"RCPT TO:<r1@y.example>\r\n", "250 ok\r\n250 ok\r\n"},
                                        {"BDAT 12 LAST\r\n.dot\r\n.\r\nend", "250 ok\r\n"}, {"QUIT", "221\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    prepare(".dot\r\n.\r\nend", 1);
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 250);
    finish(&c);
    check(server.followed);
    check_has(buf_text(&server.heard), "endQUIT\r\n");
}

/* SMTP smuggling, outgoing: nothing that could end the data early, or be an end elsewhere, is passed on. */
static void bare_newlines_are_not_sent_on(void)
{
    static const char *const contents[] = {"a\n.\nMAIL FROM:<evil@x>\r\n", "a\r.\r\n", "a\n.\r\nRCPT\r\n", "a\r\n.\n", "a\r", "\n"};

    for (size_t chunking = 0; chunking < 2; chunking++)
        for (size_t i = 0; i < TEST_COUNT(contents); i++) {
            const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", chunking ? "250-y\r\n250 CHUNKING\r\n" : "250 y\r\n"}, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA\r\n", "354 go\r\n"}};
            struct client c;
            const char *heard;

            start(&c, steps, chunking ? 4 : 5, false);
            greeted(&c);
            prepare(contents[i], 1);
            c.timeout = 300;
            client_send(&c, &sending.message);
            if (!check_number(sending.outcomes[0].status.code, 554))
                printf("#   row %zu%s: %s\n", i, chunking ? " by BDAT" : "", sending.outcomes[0].status.text);
            heard = finish(&c);
            check(strstr(heard, "evil") == NULL);
            for (const char *lf = heard; (lf = strchr(lf, '\n')) != NULL; lf++)
                check(lf > heard && lf[-1] == '\r');
            if (!chunking)
                check(!str_ends(str_of(heard), STR("\r\n.\r\n")) && strstr(heard, "QUIT") == NULL); /* RFC 5321 section 4.1.1.10 */
        }
}

static void large_content_goes_by_pieces(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", "250-y\r\n250 SIZE\r\n"}, {"MAIL FROM:<s@x.example> SIZE=300000\r\n", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"},
                                        {"DATA\r\n", "354 go\r\n"}, {"\r\n.\r\n", "250 ok\r\n"}, {"QUIT", "221\r\n"}};
    struct place place;
    struct client c;
    struct body body;
    const char *data;

    place_open(&place);
    body_init(&body, place.folder);
    for (int i = 0; i < 30000; i++)
        body_append(&body, STR(".2345678\r\n"));
    START(&c, steps);
    greeted(&c);
    prepare("", 1);
    sending.message.body = &body;
    sending.message.size = 300000;
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 250);
    finish(&c);
    check(server.followed);
    data = strstr(buf_text(&server.heard), "DATA\r\n");
    if (check(data != NULL)) {
        bool same = true;

        data += 6;
        for (int i = 0; i < 30000; i++)
            same = same && memcmp(data + i * 11, "..2345678\r\n", 11) == 0;
        check(same);
        check_text(data + 330000, ".\r\nQUIT\r\n");
    }
    body_done(&body);
    place_close(&place);
}

/* A content that cannot be read to its end must not be sent as if it were whole. */
static void content_that_ends_early_is_not_finished(void)
{
    for (size_t chunking = 0; chunking < 2; chunking++) {
        const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", chunking ? "250-y\r\n250 CHUNKING\r\n" : "250 y\r\n"}, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA\r\n", "354 go\r\n"}};
        struct place place;
        struct client c;
        struct body body;

        place_open(&place);
        body_init(&body, place.folder);
        for (int i = 0; i < 20000; i++)
            body_append(&body, STR("12345678\r\n"));
        check(body.fd >= 0 && ftruncate(body.fd, 1000) == 0);
        start(&c, steps, chunking ? 4 : 5, false);
        greeted(&c);
        prepare("", 1);
        sending.message.body = &body;
        sending.message.size = 200000;
        c.timeout = 300;
        client_send(&c, &sending.message);
        check(sending.outcomes[0].status.code >= 400);
        finish(&c);
        check(strstr(buf_text(&server.heard), "\r\n.\r\n") == NULL);
        body_done(&body);
        place_close(&place);
    }
}

static void what_is_too_large_is_not_begun(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", "250-y\r\n250 SIZE 10\r\n"}, {"QUIT", "221\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    prepare("12345678901", 1);
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 552);
    check(!c.broken);
    check_text(finish(&c), "EHLO me.example\r\nQUIT\r\n");
}

/* RFC 6531 section 3.5 and 3.6 */
static void internationalized_mail_needs_its_extension(void)
{
    static const struct {
        const char *sender, *recipient;
        bool header, offered;
        int code;
        const char *heard; /* NULL: nothing is sent */
    } table[] = {
        {"s@x.example", "j\xc3\xb6rg@y.example", false, true, 250, "MAIL FROM:<s@x.example> SMTPUTF8\r\nRCPT TO:<j\xc3\xb6rg@y.example>\r\n"},
        {"s@x.example", "r@b\xc3\xbc" "cher.example", false, true, 250, "RCPT TO:<r@b\xc3\xbc" "cher.example>\r\n"},
        {"s@x.example", "r@b\xc3\xbc" "cher.example", false, false, 250, "MAIL FROM:<s@x.example>\r\nRCPT TO:<r@xn--bcher-kva.example>\r\n"},
        {"s@b\xc3\xbc" "cher.example", "r@y.example", false, false, 250, "MAIL FROM:<s@xn--bcher-kva.example>\r\nRCPT TO:<r@y.example>\r\n"},
        {"s@x.example", "r@y.example", true, true, 250, "MAIL FROM:<s@x.example> SMTPUTF8\r\n"},
        {"s@x.example", "r@y.example", true, false, 550, NULL},
        {"j\xc3\xb6rg@x.example", "r@y.example", false, false, 550, NULL},
        {"s@x.example", "j\xc3\xb6rg@y.example", false, false, 550, NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", table[i].offered ? "250-y\r\n250 SMTPUTF8\r\n" : "250 y\r\n"}, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"},
                                     {"DATA\r\n", "354 go\r\n"}, {"\r\n.\r\n", "250 ok\r\n"}};
        struct client c;

        START(&c, steps);
        greeted(&c);
        prepare("a\r\n", 1);
        sending.envelope.sender = str_of(table[i].sender);
        sending.envelope.smtputf8 = table[i].header;
        sending.recipients[0].address = str_of(table[i].recipient);
        c.timeout = 300;
        client_send(&c, &sending.message);
        if (!check_number(sending.outcomes[0].status.code, table[i].code))
            printf("#   row %zu\n", i);
        finish(&c);
        if (table[i].heard != NULL)
            check_has(buf_text(&server.heard), table[i].heard);
        else
            check(strstr(buf_text(&server.heard), "DATA") == NULL && strstr(buf_text(&server.heard), "j\xc3\xb6rg") == NULL);
    }
}

/* ---- LMTP (RFC 2033) ---- */

static const char lhlo[] = "250-y.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 8BITMIME\r\n";

/* ACCEPTED: replies to MAIL, three RCPT and DATA. */
static void start_lmtp(struct client *c, const char *accepted, const char *verdicts, bool hangs_up)
{
    static struct step steps[4];

    steps[0] = (struct step){"", "220 y\r\n"};
    steps[1] = (struct step){"LHLO", lhlo};
    steps[2] = (struct step){"DATA\r\n", accepted};
    steps[3] = (struct step){".\r\n", verdicts};
    start(c, steps, TEST_COUNT(steps), hangs_up);
    c->lmtp = true;
    greeted(c);
    prepare("a\r\n", 3);
    client_send(c, &sending.message);
}

static void check_codes(int first, int second, int third)
{
    const int codes[] = {first, second, third};

    for (size_t i = 0; i < TEST_COUNT(codes); i++)
        check_number(sending.outcomes[i].status.code, codes[i]);
}

static void each_recipient_has_its_own_answer(void)
{
    struct client c;

    start_lmtp(&c, "250 ok\r\n250 ok\r\n550 5.1.1 who\r\n250 ok\r\n354 go\r\n", "250 2.0.0 kept\r\n552 5.2.2 full\r\n", false);
    check_codes(250, 550, 552);
    check(!c.broken && !c.uncertain);
    check_number(sending.outcomes[2].status.subject, 2);
    check_text(finish(&c), "LHLO me.example\r\nMAIL FROM:<s@x.example>\r\nRCPT TO:<r1@y.example>\r\nRCPT TO:<r2@y.example>\r\n"
                           "RCPT TO:<r3@y.example>\r\nDATA\r\na\r\n.\r\nQUIT\r\n");
}

/* Who was answered has the answer; the others may have the message or not. */
static void answers_that_are_missing_are_temporary(void)
{
    struct client c;

    start_lmtp(&c, "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", "250 2.0.0 kept\r\n550 5.7.1 no\r\n", true);
    check_number(sending.outcomes[0].status.code, 250);
    check_number(sending.outcomes[1].status.code, 550);
    check(status_is_temporary(&sending.outcomes[2].status));
    check(c.broken && c.uncertain);
    finish(&c);
    start_lmtp(&c, "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", "250 2.0.0 kept\r\n421 4.3.2 going\r\n", true);
    check_codes(250, 421, 421);
    check(c.broken);
    finish(&c);
    start_lmtp(&c, "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", "421 4.3.2 not this\r\n250 2.0.0 kept\r\n421 4.3.2 going\r\n", false);
    check_codes(421, 250, 421);
    check(c.broken && !c.uncertain);
    finish(&c);
}

/* The answer that is too many is not taken for one to the next message. */
static void answers_that_are_too_many_end_the_connection(void)
{
    struct client c;

    start_lmtp(&c, "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n", "250 a\r\n250 b\r\n250 c\r\n250 d\r\n", false);
    check_codes(250, 250, 250);
    client_send(&c, &sending.message);
    check(c.broken);
    check(status_is_temporary(&sending.outcomes[0].status));
    finish(&c);
}

static void a_refusal_of_data_is_one_for_all(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"LHLO", lhlo}, {"DATA\r\n", "250 ok\r\n250 ok\r\n550 5.1.1 who\r\n250 ok\r\n451 4.3.0 later\r\n"}, {"RSET\r\n", "250 ok\r\n"}};
    struct client c;

    START(&c, steps);
    c.lmtp = true;
    greeted(&c);
    prepare("a\r\n", 3);
    client_send(&c, &sending.message);
    check_codes(451, 550, 451);
    check(!c.broken);
    finish(&c);
}

/* RFC 2033 section 4.2: a server that goes on without recipients has nobody to answer for. */
static void nobody_is_answered_for_nobody(void)
{
    struct client c;

    start_lmtp(&c, "250 ok\r\n550 5.1.1 who\r\n550 5.1.1 who\r\n550 5.1.1 who\r\n354 go\r\n", "", false);
    check_codes(550, 550, 550);
    check(c.broken);
    check(strstr(finish(&c), "DATA\r\n.") == NULL);
}

/* DATA without recipients is refused and ends nothing: the next MAIL would come too early. */
static void a_transaction_without_recipients_is_ended(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", hello}, {"DATA\r\n", "250 ok\r\n550 5.1.1 who\r\n503 5.5.1 nobody\r\n"}, {"RSET\r\n", "250 ok\r\n"},
                                        {"DATA\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"}, {"\r\n.\r\n", "250 ok\r\n"}, {"QUIT", "221\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    for (int i = 0; i < 2; i++) {
        prepare("a\r\n", 1);
        client_send(&c, &sending.message);
        check_number(sending.outcomes[0].status.code, i == 0 ? 550 : 250);
        check(!c.broken);
    }
    finish(&c);
    check(server.followed);
}

/* A server that is in another transaction than we are says nothing of the mail, and gets no end of a content. */
static void a_server_out_of_step_is_given_up(void)
{
    static const struct {
        const char *answers;
        int code;
    } table[] = {
        {"503 5.5.1 nested MAIL\r\n250 ok\r\n354 go\r\n", 451},
        {"503 5.5.1 nested MAIL\r\n503 no\r\n503 no\r\n", 451},
        {"550 5.1.8 bad sender\r\n250 ok\r\n354 go\r\n", 550},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", hello}, {"DATA\r\n", table[i].answers}};
        struct client c;

        START(&c, steps);
        greeted(&c);
        prepare("a\r\n", 1);
        client_send(&c, &sending.message);
        check_number(sending.outcomes[0].status.code, table[i].code);
        check(c.broken);
        check(strstr(finish(&c), "DATA\r\n.") == NULL);
    }
}

/* RFC 2033 section 4.1. */
static void a_server_of_smtp_is_not_greeted_by_helo(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"LHLO", "500 5.5.1 what\r\n"}};
    struct client c;
    struct status s;

    START(&c, steps);
    c.lmtp = true;
    s = client_greet(&c, "me.example", &plain);
    check_number(s.code, 500);
    check_text(finish(&c), "LHLO me.example\r\nQUIT\r\n");
}

static void who_stores_as_is_is_sent_what_he_does_not_offer(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"LHLO", "250 y\r\n"}, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"DATA\r\n", "354 go\r\n"}, {"\r\n.\r\n", "250 ok\r\n"}};
    struct client c;

    START(&c, steps);
    c.lmtp = c.as_is = true;
    greeted(&c);
    prepare("a\r\n", 1);
    sending.envelope.smtputf8 = true;
    sending.recipients[0].address = STR("j\xc3\xb6rg@y.example");
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 250);
    check_has(finish(&c), "MAIL FROM:<s@x.example>\r\nRCPT TO:<j\xc3\xb6rg@y.example>\r\n");
}

static void fields_go_in_front(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", "250-y\r\n250-SIZE\r\n250 CHUNKING\r\n"}, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"BDAT", "250 ok\r\n"}};
    struct client c;

    START(&c, steps);
    greeted(&c);
    prepare("a\r\n", 1);
    sending.message.fields = STR("X-Y: z\r\n");
    client_send(&c, &sending.message);
    check_number(sending.outcomes[0].status.code, 250);
    check_has(finish(&c), "MAIL FROM:<s@x.example> SIZE=11\r\nRCPT TO:<r1@y.example>\r\nBDAT 11 LAST\r\nX-Y: z\r\na\r\n");
}

/* Wherever the server goes away, everybody has a temporary status, and after the end of data too. */
static void a_server_that_goes_away_is_tried_again(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", "250 y\r\n"}, {"MAIL", "250 ok\r\n"}, {"RCPT", "250 ok\r\n"}, {"RCPT", "550 no\r\n"}, {"DATA\r\n", "354 go\r\n"}, {"\r\n.\r\n", ""}};

    for (size_t count = 2; count <= TEST_COUNT(steps); count++) {
        struct client c;

        start(&c, steps, count, true);
        greeted(&c);
        prepare("a\r\n", 2);
        client_send(&c, &sending.message);
        check(c.broken);
        check(status_is_temporary(&sending.outcomes[0].status));
        check(count >= 5 ? sending.outcomes[1].status.code == 550 : status_is_temporary(&sending.outcomes[1].status));
        finish(&c);
    }
}

/* A 421 in the middle of a pipelined batch: later answers will not come, and nobody is told a lie. */
static void a_421_ends_the_batch(void)
{
    static const struct step steps[] = {{"", "220 y\r\n"}, {"EHLO", hello}, {"DATA\r\n", "250 ok\r\n250 ok\r\n421 4.3.2 going down\r\n"}};
    struct client c;

    start(&c, steps, 3, true);
    greeted(&c);
    prepare("a\r\n", 3);
    client_send(&c, &sending.message);
    check(c.broken);
    for (size_t i = 0; i < 3; i++)
        check(status_is_temporary(&sending.outcomes[i].status));
    finish(&c);
}

/* The same at the end of the content: nobody else is asked, for it may have been taken. */
static void nor_at_the_end_of_the_content(void)
{
    static const char chunking[] = "250-y.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n";
    static const struct step by_bdat[] = {{"", "220 y\r\n"}, {"EHLO", chunking}, {"RCPT", "250 ok\r\n250 ok\r\n"}, {"LAST\r\na\r\n", "530 5.7.0 first\r\n"},
                                          {"RSET", "250 ok\r\n"}, {"QUIT", "221 bye\r\n"}};
    static const struct step by_data[] = {{"", "220 y\r\n"}, {"EHLO", hello}, {"DATA\r\n", "250 ok\r\n250 ok\r\n354 go\r\n"}, {"\r\n.\r\n", "530 5.7.0 first\r\n"},
                                          {"RSET", "250 ok\r\n"}, {"QUIT", "221 bye\r\n"}};
    const struct {
        const struct step *steps;
        size_t count;
    } ways[] = {{by_bdat, TEST_COUNT(by_bdat)}, {by_data, TEST_COUNT(by_data)}};

    for (size_t i = 0; i < TEST_COUNT(ways); i++) {
        struct client c;

        start(&c, ways[i].steps, ways[i].count, false);
        greeted(&c);
        prepare("a\r\n", 1);
        client_send(&c, &sending.message);
        if (check_number(sending.outcomes[0].status.code, 454) + check(!c.unwelcome) < 2)
            printf("#   row %zu: %s\n", i, sending.outcomes[0].status.text);
        finish(&c);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(extensions_are_learned),
    TEST_CASE(helo_is_for_those_who_know_no_ehlo),
    TEST_CASE(unfriendly_greetings_end_it),
    TEST_CASE(a_server_without_tls_is_known_as_such),
    TEST_CASE(a_silent_server_is_left),
    TEST_CASE(a_server_that_wants_more_first_refuses_no_mail),
    TEST_CASE(nor_at_the_end_of_the_content),
    TEST_CASE(one_command_at_a_time),
    TEST_CASE(all_at_once_where_offered),
    TEST_CASE(parameters_are_not_sent_to_those_who_did_not_offer_them),
    TEST_CASE(answers_decide),
    TEST_CASE(the_class_is_that_of_the_reply),
    TEST_CASE(one_connection_carries_many),
    TEST_CASE(no_data_for_nobody),
    TEST_CASE(many_recipients_in_batches),
    TEST_CASE(chunks_carry_the_content_as_it_is),
    TEST_CASE(bare_newlines_are_not_sent_on),
    TEST_CASE(large_content_goes_by_pieces),
    TEST_CASE(content_that_ends_early_is_not_finished),
    TEST_CASE(what_is_too_large_is_not_begun),
    TEST_CASE(internationalized_mail_needs_its_extension),
    TEST_CASE(each_recipient_has_its_own_answer),
    TEST_CASE(answers_that_are_missing_are_temporary),
    TEST_CASE(answers_that_are_too_many_end_the_connection),
    TEST_CASE(a_refusal_of_data_is_one_for_all),
    TEST_CASE(nobody_is_answered_for_nobody),
    TEST_CASE(a_transaction_without_recipients_is_ended),
    TEST_CASE(a_server_out_of_step_is_given_up),
    TEST_CASE(a_server_of_smtp_is_not_greeted_by_helo),
    TEST_CASE(who_stores_as_is_is_sent_what_he_does_not_offer),
    TEST_CASE(fields_go_in_front),
    TEST_CASE(a_server_that_goes_away_is_tried_again),
    TEST_CASE(a_421_ends_the_batch),
};

int main(int argc, char **argv)
{
    int status = test_main(cases, TEST_COUNT(cases), argc, argv);

    arena_done(&sending.arena);
    buf_done(&server.heard);
    return status;
}
