#include "test.h"

#include "smtp/params.h"

static void mail_parameters(void)
{
    static const struct {
        const char *text;
        int code;
        uint64_t size;
        enum body_type body;
        bool smtputf8;
        enum ret_type ret;
        const char *envid;
    } table[] = {
        {"", 250, 0, BODY_7BIT, false, RET_NONE, ""},
        {"SIZE=1000", 250, 1000, BODY_7BIT, false, RET_NONE, ""},
        {"size=0 body=8bitmime", 250, 0, BODY_8BITMIME, false, RET_NONE, ""},
        {" SIZE=5  BODY=7BIT SMTPUTF8 RET=HDRS ENVID=a+2Bb ", 250, 5, BODY_7BIT, true, RET_HDRS, "a+2Bb"},
        {"RET=full", 250, 0, BODY_7BIT, false, RET_FULL, ""},
        {"SIZE=9223372036854775807", 250, INT64_MAX, BODY_7BIT, false, RET_NONE, ""},
        {.text = "SIZE", .code = 501}, {.text = "SIZE=", .code = 501}, {.text = "SIZE=-1", .code = 501}, {.text = "SIZE=1k", .code = 501},
        {.text = "SIZE=+1", .code = 501}, {.text = "SIZE=1 SIZE=1", .code = 501}, {.text = "SIZE=1=1", .code = 501},
        {.text = "SIZE=000000000000000000001", .code = 501}, /* RFC 1870 section 4: 1*20DIGIT */
        {.text = "BODY=", .code = 501}, {.text = "BODY", .code = 501}, {.text = "BODY=BINARYMIME", .code = 501}, {.text = "BODY=9BIT", .code = 501},
        {.text = "SMTPUTF8=", .code = 501}, {.text = "SMTPUTF8=yes", .code = 501}, {.text = "smtputf8 SMTPUTF8", .code = 501},
        {.text = "RET=NONE", .code = 501}, {.text = "RET", .code = 501}, {.text = "ENVID=", .code = 501}, {.text = "ENVID=a+2", .code = 501},
        {.text = "ENVID=a+2b", .code = 501}, {.text = "ENVID=a=b", .code = 501}, {.text = "ENVID=\xc3\xa4", .code = 501},
        {.text = "AUTH=<>", .code = 250}, {.text = "auth=e+3Dmc2@example.com", .code = 250}, {.text = "AUTH", .code = 501}, {.text = "AUTH=", .code = 501},
        {.text = "AUTH=a=b", .code = 501}, {.text = "NOTIFY=NEVER", .code = 555}, {.text = "ORCPT=rfc822;a", .code = 555}, {.text = "X", .code = 555},
        {.text = "=", .code = 555}, {.text = "=1", .code = 555}, {.text = "SIZES=1", .code = 555}, {.text = "SIZ=1", .code = 555}, {.text = "SIZE\t=1", .code = 555},
        {.text = "SIZE=1\tBODY=7BIT", .code = 501}, {.text = "REQUIRETLS", .code = 555}, {.text = "HOLDFOR=1", .code = 555}, {.text = "BY=1;R", .code = 555},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct mail_params p;
        struct status s = params_parse_mail(&p, str_of(table[i].text));

        if (!check_number(s.code, table[i].code))
            printf("#   %s\n", table[i].text);
        if (s.code != 250) {
            check_number(s.class, 5);
            check_number(s.subject, 5);
            check_number(s.detail, 4);
            check(s.text[0] != '\0');
            continue;
        }
        check(p.size == table[i].size);
        check_number(p.body, table[i].body);
        check(p.smtputf8 == table[i].smtputf8);
        check_number(p.ret, table[i].ret);
        check_str(p.envid, str_of(table[i].envid));
    }
}

static void rcpt_parameters(void)
{
    static const struct {
        const char *text;
        bool smtputf8;
        int code;
        unsigned notify;
        const char *orcpt;
    } table[] = {
        {"", false, 250, 0, ""},
        {"NOTIFY=NEVER", false, 250, NOTIFY_NEVER, ""},
        {"notify=success,Failure,DELAY ORCPT=rfc822;a@b", false, 250, NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, "rfc822;a@b"},
        {"ORCPT=utf-8;j\xc3\xb6rg@b", true, 250, 0, "utf-8;j\xc3\xb6rg@b"},
        {"ORCPT=utf-8;j\xc3\xb6rg@b", false, 501, 0, NULL},
        {"NOTIFY=", false, 501, 0, NULL}, {"NOTIFY", false, 501, 0, NULL}, {"NOTIFY=NEVER,SUCCESS", false, 501, 0, NULL}, {"NOTIFY=SUCCESS,NEVER", false, 501, 0, NULL},
        {"NOTIFY=SUCCESS,", false, 501, 0, NULL}, {"NOTIFY=,SUCCESS", false, 501, 0, NULL}, {"NOTIFY=SUCCES", false, 501, 0, NULL},
        {"NOTIFY=SUCCESS,,DELAY", false, 501, 0, NULL}, {"NOTIFY=SUCCESS NOTIFY=DELAY", false, 501, 0, NULL}, {"NOTIFY=SUCCESS;DELAY", false, 501, 0, NULL},
        {"ORCPT=", false, 501, 0, NULL}, {"ORCPT=a@b", false, 501, 0, NULL}, {"ORCPT=;a", false, 501, 0, NULL}, {"ORCPT=rfc822;", false, 501, 0, NULL},
        {"ORCPT=rfc822;a+", false, 501, 0, NULL}, {"ORCPT=rfc 822;a", false, 501, 0, NULL}, {"SIZE=1", false, 555, 0, NULL}, {"BODY=7BIT", false, 555, 0, NULL},
        {"RRVS=x", false, 555, 0, NULL},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct rcpt_params p;
        struct status s = params_parse_rcpt(&p, str_of(table[i].text), table[i].smtputf8);

        if (!check_number(s.code, table[i].code))
            printf("#   %s\n", table[i].text);
        if (s.code != 250)
            continue;
        check_number(p.notify, table[i].notify);
        check_str(p.orcpt, str_of(table[i].orcpt));
    }
}

static void complaints_are_printable(void)
{
    struct mail_params p;
    struct status s = params_parse_mail(&p, STR("X\r\n250\x1b[2J\0Y=1"));

    check_number(s.code, 555);
    check(!str_has_control(str_of(s.text)));
}

static void notify_has_a_text(void)
{
    for (unsigned notify = 0; notify < 16; notify++) {
        char text[PARAMS_NOTIFY_SIZE];
        unsigned back;
        bool good = notify != 0 && ((notify & NOTIFY_NEVER) == 0 || notify == NOTIFY_NEVER);

        params_notify_text(notify, text);
        check(params_parse_notify(str_of(text), &back) == good);
        if (good)
            check_number(back, notify);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(mail_parameters),
    TEST_CASE(rcpt_parameters),
    TEST_CASE(complaints_are_printable),
    TEST_CASE(notify_has_a_text),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
