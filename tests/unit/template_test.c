#include "test.h"

#include "place.h"

#include "base/file.h"
#include "base/memory.h"
#include "report/template.h"

static char error[1024];
static struct buf made;

static const struct conf conf = {.me = "mx.example.org", .bounce_template = "", .bounce_size = 50 << 10};
static const struct envelope original = {.id = 0xabcdef, .arrived = 1795200000000, .sender = {"alice@example.org", 17}, .envid = {"QQ+2B314", 8}};
static struct dsn_recipient late = {.action = DSN_DELAYED, .until = 1795900000000};
static struct dsn_recipient failed = {.next = &late, .action = DSN_FAILED, .code = 550, .from_peer = true, .tried = 1795300000000};
static const struct dsn dsn = {.conf = &conf, .original = &original, .size = 1234, .recipients = &failed, .to = {"bob@example.org", 15}, .now = 1795300000000};

static void setup(void)
{
    late.address = STR("late@example.com");
    late.reason = STR("Connection refused");
    failed.address = STR("nobody@example.net");
    failed.orcpt = STR("rfc822;no+2Bbody@example.net");
    failed.enhanced = STR("5.1.1");
    failed.reason = STR("No such\r\nInjected: \x1b[31m\xff");
    failed.host = STR("mx1.example.net[192.0.2.1]:25");
}

/* What TEXT makes behind an empty head; "" for what is no template. */
static const char *text_of(const char *text)
{
    struct template_scene scene;
    struct bounce_template *t;
    struct buf content = {0};

    setup();
    buf_print(&content, "\n%s", text);
    buf_clear(&made);
    t = template_parse("file", buf_str(&content), error, sizeof error);
    template_scene_init(&scene, &dsn, STR("h\xc3\xa9llo"), true);
    if (t != NULL)
        template_text(t, &scene, &made);
    template_free(&t);
    buf_done(&content);
    return buf_text(&made);
}

static const char *subject_of(const char *content, const struct dsn *d)
{
    struct template_scene scene;
    struct bounce_template *t = template_parse("file", str_of(content), error, sizeof error);

    buf_clear(&made);
    template_scene_init(&scene, d, STR("h\xc3\xa9llo"), true);
    if (t != NULL)
        template_subject(t, &scene, &made);
    template_free(&t);
    return buf_text(&made);
}

static const char *error_of(const char *content)
{
    struct bounce_template *t = template_parse("file", str_of(content), error, sizeof error);

    check(t == NULL);
    template_free(&t);
    return error;
}

static void values_take_their_places(void)
{
    check_text(text_of("{{me}} {{ to }} {{sender}} {{subject}} {{id}} {{envid}} {{size}}"),
               "mx.example.org bob@example.org alice@example.org h\xc3\xa9llo 0000000000abcdef QQ+314 1234\r\n");
    check_text(text_of("{{date}}, {{arrived}}\n"), "2026-11-21 22:26:40 UTC, 2026-11-20 18:40:00 UTC\r\n");
    check_text(text_of("{{each failed}}{{address}} {{original}} {{host}} {{code}} {{status}} {{tried}}{{end}}"),
               "nobody@example.net no+body@example.net mx1.example.net 550 5.1.1 2026-11-21 22:26:40 UTC\r\n");
    check_text(text_of("{{each delayed}}<{{code}}{{original}}{{host}}> {{status}} {{until}}{{end}}"), "<> 4.0.0 2026-11-28 21:06:40 UTC\r\n");
    check_text(text_of("no end{{more}}"), "no end\r\n");
}

static void what_others_wrote_stays_on_its_line(void)
{
    check_text(text_of("{{each failed}}{{reason}}{{end}}"), "No such??Injected: ?[31m?\r\n");
}

static void each_goes_through_the_recipients(void)
{
    check_text(text_of("{{each}}\n<{{address}}>\n{{end}}\nend\n"), "<nobody@example.net>\r\n<late@example.com>\r\nend\r\n");
    check_text(text_of("{{each delayed}}<{{address}}>{{end}}{{each relayed}}{{address}}{{end}}\n"), "<late@example.com>\r\n");
}

static void conditions_choose_a_side(void)
{
    check_text(text_of("{{if failed}}f{{end}}{{if relayed}}r{{else}}-{{end}}{{if whole}}w{{else}}h{{end}}"), "f-w\r\n");
    check_text(text_of("{{each}}{{if failed}}f{{else}}{{if delayed}}d{{end}}{{end}}{{if reply}}!{{end}}{{end}}"), "f!d\r\n");
    check_text(text_of("{{each}}[{{if original}}{{original}}{{else}}none{{end}}]{{end}}"), "[no+body@example.net][none]\r\n");
}

static void a_line_of_blocks_leaves_no_line(void)
{
    check_text(text_of("a\n  {{if failed}}\t\nb\n{{end}} {{if whole}}\nc\n{{else}}\nd\n{{end}}\ne\n"), "a\r\nb\r\nc\r\ne\r\n");
    check_text(text_of("a\n\n{{if relayed}}x{{end}}\nb\n"), "a\r\n\r\n\r\nb\r\n");
    check_text(text_of("a\r\n{{if failed}}\r\nb\r\n{{end}}\r\n"), "a\r\nb\r\n");
    check_text(text_of("{{if failed}}{{me}}{{end}}"), "mx.example.org\r\n");
}

static void subjects_go_by_action(void)
{
    struct dsn_recipient relayed = {.action = DSN_RELAYED};
    struct dsn other = dsn;

    check_text(subject_of("Subject: {{subject}}!\nSubject-Failed: not {{me}}\n\nx", &dsn), "not mx.example.org");
    check_text(subject_of("Subject: {{subject}}!\nSubject-Delayed: late\n\nx", &dsn), "h\xc3\xa9llo!");
    check_text(subject_of("# a comment\nLanguage: fr\n\nx", &dsn), "Undelivered mail");
    other.recipients = &relayed;
    check_text(subject_of("Subject-Failed: {{if failed}}f{{end}}\n\nx", &other), "Relayed mail");
    check_text(subject_of("Subject-Relayed: {{if failed}}f{{end}}\n\nx", &other), "Relayed mail");
}

static void the_head_says_the_language(void)
{
    struct bounce_template *t = template_parse("file", STR("\xef\xbb\xbf# x\nlanguage: pt-BR\n\nx"), error, sizeof error);

    if (check(t != NULL))
        check_str(template_language(t), STR("pt-BR"));
    template_free(&t);
}

static void errors_say_where_and_what_to_do(void)
{
    static const struct {
        const char *content, *error;
    } cases[] = {
        {"\na\n{{foo}}\n", "file:3: there is no placeholder \"foo\"; tmail.cfg(5) lists them"},
        {"\n{{adress}}", "file:2: there is no placeholder \"adress\"; did you mean \"address\"? tmail.cfg(5) lists them"},
        {"\n{{.Me}}", "file:2: there is no placeholder \".Me\"; did you mean \"me\"? tmail.cfg(5) lists them"},
        {"\n{{}}", "file:2: there is no placeholder \"\"; tmail.cfg(5) lists them"},
        {"\n{{address}}", "file:2: \"address\" is about one recipient; write it between {{each}} and {{end}}"},
        {"\n{{if reply}}{{end}}", "file:2: \"reply\" is about one recipient; write it between {{each}} and {{end}}"},
        {"\n{{failed}}", "file:2: \"failed\" has no value; write {{if failed}} … {{end}}"},
        {"\n{{if failed}}\n\nx\n", "file:2: {{if failed}} is not closed; write {{end}} where it ends"},
        {"\n{{if failed}}\n{{each}}\n{{end}}\n", "file:2: {{if failed}} is not closed; write {{end}} where it ends"},
        {"\nx\n{{end}}", "file:3: {{end}} ends nothing; take it away or write {{if NAME}} or {{each}} before it"},
        {"\n{{end if}}", "file:2: {{end}} takes no word; it ends the block that was opened last"},
        {"\n{{else}}", "file:2: {{else}} without an {{if}} of its own; take it away or write {{if NAME}} before it"},
        {"\n{{each}}{{else}}{{end}}", "file:2: {{else}} without an {{if}} of its own; take it away or write {{if NAME}} before it"},
        {"\n{{if me}}{{else}}{{else}}{{end}}", "file:2: {{else}} without an {{if}} of its own; take it away or write {{if NAME}} before it"},
        {"\n{{else x}}", "file:2: {{else}} takes no word; write {{else}} alone"},
        {"\n{{if}}{{end}}", "file:2: {{if}} without a name; write {{if NAME}}, as in {{if failed}}"},
        {"\n{{each}}{{each}}{{end}}{{end}}", "file:2: {{each}} inside of {{each}}; write {{end}} before it"},
        {"\n{{each bounced}}", "file:2: {{each bounced}}: there is no such action; it is failed, delayed, delivered or relayed"},
        {"\n{{me}", "file:2: {{ without }} in the same line; write {{NAME}}"},
        {"\n{{me\n}}", "file:2: {{ without }} in the same line; write {{NAME}}"},
        {"\nx\n\xff", "file:3: this line is not UTF-8; save the file as UTF-8"},
        {"\n\x01", "file:2: a control byte in this line; take it away"},
        {"Subject: {{each}}{{end}}\n\nx", "file:1: a subject is about the message; {{each}} belongs into the text"},
        {"Subject: {{if me}}\n\nx{{end}}", "file:1: {{if me}} is not closed; write {{end}} where it ends"},
        {"Subject:\n\nx", "file:1: this subject is empty; write one, or take the line away"},
        {"Subject: x\nsubject: y\n\nx", "file:2: a second Subject; take one away"},
        {"Language: en\nLanguage: fr\n\nx", "file:2: a second Language; take one away"},
        {"Language: f r\n\nx", "file:1: this is no language; write one like \"en\" or \"pt-BR\""},
        {"Dear sender,\n\nx", "file:1: no field of the head of a template; write \"Subject: …\", and an empty line before the text"},
        {"", "file:1: there is no text; write it behind the head and an empty line"},
        {"Subject: x\n", "file:1: there is no text; write it behind the head and an empty line"},
        {"\n", "file:1: there is no text; write it behind the head and an empty line"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_text(error_of(cases[i].content), cases[i].error);
    check_has(error_of("X-Other: y\n\nx"), "file:1: there is no field \"X-Other\" in the head of a template; write Language, ");
}

static void templates_are_bounded(void)
{
    struct buf content = {0};

    for (int i = 0; i <= TEMPLATE_DEPTH_MAX; i++)
        buf_add_text(&content, i == 0 ? "\n{{if me}}" : "{{if me}}");
    check_text(error_of(buf_text(&content)), "file:2: blocks are nested more than 8 deep; make it simpler");
    buf_clear(&content);
    buf_add_text(&content, "\n");
    for (int i = 0; i <= TEMPLATE_PARTS_MAX / 2; i++)
        buf_add_text(&content, "{{me}}\n");
    check_has(error_of(buf_text(&content)), ": this template has more than 2000 parts; make it simpler");
    buf_clear(&content);
    while (content.length <= TEMPLATE_SIZE_MAX)
        buf_add_text(&content, "\n");
    check_text(error_of(buf_text(&content)), "file:1: this file is larger than 64 KB; make it smaller");
    buf_done(&content);
}

/* COUNT recipients; what CONTENT makes of them. */
static const char *text_of_many(const char *content, int count)
{
    struct dsn_recipient *many = memory_new((size_t)count * sizeof *many);
    struct dsn d = dsn;
    struct template_scene scene;
    struct bounce_template *t = template_parse("file", str_of(content), error, sizeof error);

    for (int i = 0; i < count; i++)
        many[i] = (struct dsn_recipient){.next = i + 1 < count ? &many[i + 1] : &failed, .action = DSN_DELIVERED, .address = STR("x")};
    d.recipients = many;
    buf_clear(&made);
    template_scene_init(&scene, &d, STR(""), true);
    if (check(t != NULL))
        template_text(t, &scene, &made);
    template_free(&t);
    memory_free(&many);
    return buf_text(&made);
}

static void the_first_of_each_action_are_listed(void)
{
    setup();
    text_of_many("\n{{each}}{{if failed}}f{{else}}x{{end}}{{end}}{{if more}} and {{more}} more{{end}}", 150);
    check_number(str_find(buf_str(&made), 'f', 0), 100);
    check_has(buf_text(&made), "xfx and 50 more\r\n");
    text_of_many("\n{{each}}x{{end}}{{more}}", 100);
    check_number(made.length, 102 + 2); /* with the failed and the late one, and a line end */
}

static void what_a_template_makes_is_bounded(void)
{
    struct buf content = {0};

    buf_add_text(&content, "\n{{each}}");
    for (int i = 0; i < 500; i++)
        buf_add_text(&content, "0123456789012345678901234567890123456789\n");
    buf_add_text(&content, "{{end}}");
    text_of_many(buf_text(&content), 100);
    check(made.length > TEMPLATE_TEXT_MAX - 100 && made.length < TEMPLATE_TEXT_MAX + 20);
    check(str_ends(buf_str(&made), STR("\r\n[...]\r\n")));
    buf_done(&content);
}

static void read_shipped(const char *name, struct buf *to, char *path, size_t size)
{
    const char *source = getenv("SOURCE");

    snprintf(path, size, "%s/contrib/bounce/%s", source != NULL ? source : ".", name);
    check(file_read(path, to));
}

static void the_built_in_one_is_the_file(void)
{
    struct buf file = {0};
    char path[1024];

    read_shipped("english.tpl", &file, path, sizeof path);
    check_str(str_of(template_english), buf_str(&file));
    check(template_check(path, error, sizeof error) && template_check("", error, sizeof error));
    buf_clear(&file);
    read_shipped("french.tpl", &file, path, sizeof path);
    if (!check(template_check(path, error, sizeof error)))
        printf("# %s\n", error);
    buf_done(&file);
}

static void one_that_cannot_be_read_costs_its_words_alone(void)
{
    struct place place;
    char path[128];
    struct bounce_template *t;
    FILE *file;

    place_open(&place);
    snprintf(path, sizeof path, "%s/template", place.folder);
    check(!template_check(path, error, sizeof error));
    check_has(error, "template:1: cannot be read: No such file or directory; make it readable for TMAIL_USER");
    t = template_open(path);
    if (check(t != NULL))
        check_str(template_language(t), STR("en"));
    template_free(&t);
    file = fopen(path, "w");
    if (check(file != NULL)) {
        fputs("Language: fr\n\n{{end}}\n", file);
        fclose(file);
    }
    check(!template_check(path, error, sizeof error));
    check_has(error, "/template:3: {{end}} ends nothing;");
    place_close(&place);
}

static void placeholders_are_documented(void)
{
    for (size_t i = 0; i < template_placeholder_count; i++) {
        const struct template_placeholder *p = &template_placeholders[i];

        check(p->name[0] != '\0' && str_ends(str_of(p->help), STR(".")));
        for (size_t k = 0; k < i; k++)
            check(strcmp(p->name, template_placeholders[k].name) != 0);
    }
}

static const struct test_case cases[] = {
    TEST_CASE(values_take_their_places),
    TEST_CASE(what_others_wrote_stays_on_its_line),
    TEST_CASE(each_goes_through_the_recipients),
    TEST_CASE(conditions_choose_a_side),
    TEST_CASE(a_line_of_blocks_leaves_no_line),
    TEST_CASE(subjects_go_by_action),
    TEST_CASE(the_head_says_the_language),
    TEST_CASE(errors_say_where_and_what_to_do),
    TEST_CASE(templates_are_bounded),
    TEST_CASE(the_first_of_each_action_are_listed),
    TEST_CASE(what_a_template_makes_is_bounded),
    TEST_CASE(the_built_in_one_is_the_file),
    TEST_CASE(one_that_cannot_be_read_costs_its_words_alone),
    TEST_CASE(placeholders_are_documented),
};

int main(int argc, char **argv)
{
    int status = test_main(cases, TEST_COUNT(cases), argc, argv);

    buf_done(&made);
    return status;
}
