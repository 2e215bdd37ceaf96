#include "smtp/params.h"

#include "smtp/xtext.h"

#include <string.h>

enum { AUTH_MAX = 500 };

struct context {
    struct mail_params *mail;
    struct rcpt_params *rcpt;
    bool smtputf8;
};

struct keyword {
    const char *name;
    bool (*take)(struct context *c, struct str value);
    const char *expected;
};

static bool take_size(struct context *c, struct str value)
{
    return value.length <= 20 && str_number(value, INT64_MAX, &c->mail->size);
}

static bool take_body(struct context *c, struct str value)
{
    c->mail->body = str_equal_nocase(value, STR("8BITMIME")) ? BODY_8BITMIME : BODY_7BIT;
    return c->mail->body == BODY_8BITMIME || str_equal_nocase(value, STR("7BIT"));
}

static bool take_smtputf8(struct context *c, struct str value)
{
    c->mail->smtputf8 = true;
    return value.data == NULL;
}

static bool take_ret(struct context *c, struct str value)
{
    c->mail->ret = str_equal_nocase(value, STR("FULL")) ? RET_FULL : RET_HDRS;
    return c->mail->ret == RET_FULL || str_equal_nocase(value, STR("HDRS"));
}

static bool take_envid(struct context *c, struct str value)
{
    c->mail->envid = value;
    return xtext_is_envid(value);
}

static bool take_notify(struct context *c, struct str value)
{
    return params_parse_notify(value, &c->rcpt->notify);
}

static bool take_orcpt(struct context *c, struct str value)
{
    c->rcpt->orcpt = value;
    return xtext_is_orcpt(value, c->smtputf8);
}

/* RFC 4954 section 5.  We vouch for nobody's identity but that of the login, so what is said here becomes <>. */
static bool take_auth(struct context *c, struct str value)
{
    c->mail->auth = true;
    return value.length > 0 && value.length <= AUTH_MAX && xtext_is_valid(value);
}

static const struct keyword mail_keywords[] = {
    {"SIZE", take_size, "SIZE=octets"},       {"BODY", take_body, "BODY=7BIT or BODY=8BITMIME"},
    {"SMTPUTF8", take_smtputf8, "SMTPUTF8"},  {"RET", take_ret, "RET=FULL or RET=HDRS"},
    {"ENVID", take_envid, "ENVID=xtext"},     {"AUTH", take_auth, "AUTH=xtext or AUTH=<>"},
};

static const struct keyword rcpt_keywords[] = {
    {"NOTIFY", take_notify, "NOTIFY=NEVER or a list of SUCCESS,FAILURE,DELAY"},
    {"ORCPT", take_orcpt, "ORCPT=type;xtext"},
};

/* RFC 5321 section 4.1.2: esmtp-keyword; what is none is not shown, either. */
static bool is_keyword(struct str name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = ascii_lower(name.data[i]);

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && i > 0)))
            return false;
    }
    return name.length > 0;
}

static struct status parse(struct context *c, struct str text, const struct keyword *keywords, size_t count)
{
    unsigned seen = 0;
    struct str param;

    while (str_cut(&text, ' ', &param)) {
        size_t equals = str_find(param, '=', 0), i = 0;
        struct str name = str_part(param, 0, equals);
        struct str value = equals < param.length ? str_from(param, equals + 1) : (struct str){NULL, 0};

        if (param.length == 0)
            continue;
        while (i < count && !str_equal_nocase(name, str_of(keywords[i].name)))
            i++;
        if (i == count && !is_keyword(name))
            return status_make(555, "5.5.4", "Unsupported parameter");
        if (i == count)
            return status_make(555, "5.5.4", "Unsupported parameter %.*s", STR_ARG(str_part(name, 0, 64)));
        if ((seen & 1U << i) != 0)
            return status_make(501, "5.5.4", "Parameter %s given twice", keywords[i].name);
        seen |= 1U << i;
        if (!keywords[i].take(c, value))
            return status_make(501, "5.5.4", "Bad value of %s (expected %s)", keywords[i].name, keywords[i].expected);
    }
    return status_ok();
}

struct status params_parse_mail(struct mail_params *p, struct str text)
{
    struct context c = {.mail = p};

    *p = (struct mail_params){0};
    return parse(&c, text, mail_keywords, sizeof mail_keywords / sizeof mail_keywords[0]);
}

struct status params_parse_rcpt(struct rcpt_params *p, struct str text, bool smtputf8)
{
    struct context c = {.rcpt = p, .smtputf8 = smtputf8};

    *p = (struct rcpt_params){0};
    return parse(&c, text, rcpt_keywords, sizeof rcpt_keywords / sizeof rcpt_keywords[0]);
}

static const struct {
    unsigned bit;
    const char *name;
} notify_words[] = {{NOTIFY_NEVER, "NEVER"}, {NOTIFY_SUCCESS, "SUCCESS"}, {NOTIFY_FAILURE, "FAILURE"}, {NOTIFY_DELAY, "DELAY"}};

enum { NOTIFY_WORDS = sizeof notify_words / sizeof notify_words[0] };

bool params_parse_notify(struct str text, unsigned *notify)
{
    struct str word;

    *notify = 0;
    while (str_cut(&text, ',', &word)) {
        size_t i = 0;

        while (i < NOTIFY_WORDS && !str_equal_nocase(word, str_of(notify_words[i].name)))
            i++;
        if (i == NOTIFY_WORDS)
            return false;
        *notify |= notify_words[i].bit;
    }
    /* RFC 3461 section 4.1: NEVER stands alone. */
    return *notify != 0 && ((*notify & NOTIFY_NEVER) == 0 || *notify == NOTIFY_NEVER);
}

void params_notify_text(unsigned notify, char *to)
{
    to[0] = '\0';
    for (size_t i = 0; i < NOTIFY_WORDS; i++)
        if ((notify & notify_words[i].bit) != 0) {
            size_t length = strlen(to);

            if (length > 0)
                to[length++] = ',';
            str_copy(str_of(notify_words[i].name), to + length, PARAMS_NOTIFY_SIZE - length);
        }
}
