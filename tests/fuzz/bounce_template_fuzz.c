/* A template of reports: what is read can be shown, and what it shows is lines of UTF-8 within bounds.  The input is the template. */
#include "fuzz.h"

#include "report/template.h"

/* Lines of visible text, of which only the last may be cut. */
static void check_text(struct str text)
{
    fuzz_check(str_is_utf8(text) && str_ends(text, STR("\r\n")));
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];

        fuzz_check((c == '\r') == (i + 1 < text.length && text.data[i + 1] == '\n'));
        fuzz_check(c == '\r' || c == '\n' || c == '\t' || !str_has_control(str_part(text, i, 1)));
    }
}

static void show(const struct bounce_template *t, const struct dsn *d)
{
    struct template_scene scene;
    struct buf text = {0}, subject = {0};

    template_scene_init(&scene, d, STR("a subject"), d->size > 1000);
    template_subject(t, &scene, &subject);
    fuzz_check(subject.length > 0 && subject.length <= 500 && str_is_utf8(buf_str(&subject)) && !str_has(buf_str(&subject), '\n'));
    template_text(t, &scene, &text);
    fuzz_check(text.length <= TEMPLATE_TEXT_MAX + 20);
    check_text(buf_str(&text));
    buf_done(&text);
    buf_done(&subject);
}

static void show_all(const struct bounce_template *t)
{
    static const struct conf conf = {.me = "mx.example.org", .bounce_template = "", .bounce_size = 50 << 10};
    static const struct envelope original = {.id = 1, .arrived = 1795200000000, .sender = {"a@example.org", 13}, .envid = {"x+2By", 5}};
    struct dsn_recipient late = {.action = DSN_DELAYED, .address = STR("late@example.com"), .until = 1795900000000};
    struct dsn_recipient failed = {.next = &late, .action = DSN_FAILED, .address = STR("a@example.com"), .orcpt = STR("rfc822;b@example.com"),
                                   .code = 550, .enhanced = STR("5.1.1"), .reason = STR("\xff\r\n\x1b"), .from_peer = true,
                                   .host = STR("h[192.0.2.1]:25"), .tried = 1795300000000};
    struct dsn d = {.conf = &conf, .original = &original, .size = 2000, .recipients = &failed, .to = original.sender, .now = 1795300000000};

    show(t, &d);
    d.recipients = NULL;
    d.size = 0;
    show(t, &d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = fuzz_input(data, size);
    char *exact = fuzz_exact(input), error[1024] = "";
    struct bounce_template *t = template_parse("FILE", (struct str){exact, input.length}, error, sizeof error);

    if (t != NULL)
        show_all(t);
    else
        fuzz_check(str_starts(str_of(error), STR("FILE:")) && strstr(error, "; ") != NULL);
    template_free(&t);
    free(exact);
    return 0;
}
