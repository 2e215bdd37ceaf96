#include "test.h"

#include "base/log.h"

#include "place.h"

#include <jansson.h>

static struct place place;
static struct buf written;

static void open_log(enum log_format format, bool debug)
{
    char error[256] = "";

    unlink(place_path(&place, "current.log"));
    check(log_open(place.folder, -1, format, debug, "tester", error, sizeof error));
    check_text(error, "");
}

static const char *read_log(void)
{
    FILE *file = fopen(place_path(&place, "current.log"), "r");
    char *room;

    buf_clear(&written);
    if (file == NULL)
        return "";
    room = buf_room(&written, 1 << 20);
    buf_grew(&written, fread(room, 1, 1 << 20, file));
    fclose(file);
    return buf_text(&written);
}

/* One line, and no octet in it that a terminal, a pager or a reader of lines could take for more than text. */
static bool is_one_harmless_line(void)
{
    size_t length = written.length;

    return length > 0 && written.data[length - 1] == '\n' && !str_has_control((struct str){written.data, length - 1});
}

static json_t *parsed(void)
{
    json_t *object = json_loadb(written.data, written.length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

    if (!check(json_is_object(object)))
        printf("#   %.*s\n", (int)written.length, written.data);
    return object;
}

static void lines_have_their_fields_in_order(void)
{
    struct log_line l;
    struct status s = status_make(550, "5.1.1", "No such \"user\"");

    open_log(LOG_FORMAT_LOGFMT, false);
    log_begin(&l, LOG_LEVEL_INFO, "queued");
    log_text(&l, "session", "abc");
    log_str(&l, "sender", STR(""));
    log_number(&l, "size", INT64_MIN);
    log_status(&l, &s);
    log_end(&l);
    read_log();
    check(str_starts(buf_str(&written), STR("time=2")));
    check_has(buf_text(&written), "Z level=info process=tester event=queued session=abc sender=\"\" size=-9223372036854775808 "
                                  "reply=550 status=5.1.1 reason=\"No such \\\"user\\\"\"\n");
    check(is_one_harmless_line());
}

static void json_is_json(void)
{
    struct log_line l;
    json_t *object;

    open_log(LOG_FORMAT_JSON, false);
    log_begin(&l, LOG_LEVEL_ERROR, "x");
    log_text(&l, "text", "a\"b\\c\r\n\x1b\x7f\xc3\xa4");
    log_str(&l, "bytes", STR("\xff\0"));
    log_number(&l, "n", -5);
    log_end(&l);
    read_log();
    check(is_one_harmless_line());
    object = parsed();
    check_text(json_string_value(json_object_get(object, "level")), "error");
    check_text(json_string_value(json_object_get(object, "process")), "tester");
    check_text(json_string_value(json_object_get(object, "event")), "x");
    check_text(json_string_value(json_object_get(object, "text")), "a\"b\\c\r\n\x1b\x7f\xc3\xa4");
    check_number(json_integer_value(json_object_get(object, "n")), -5);
    check(json_is_string(json_object_get(object, "time")) && json_is_string(json_object_get(object, "bytes")));
    json_decref(object);
}

static void debug_lines_need_debug(void)
{
    struct log_line l;

    open_log(LOG_FORMAT_LOGFMT, false);
    check(!log_debug_enabled());
    log_begin(&l, LOG_LEVEL_DEBUG, "x");
    log_text(&l, "a", "b");
    log_end(&l);
    check_text(read_log(), "");
    open_log(LOG_FORMAT_LOGFMT, true);
    check(log_debug_enabled());
    log_begin(&l, LOG_LEVEL_DEBUG, "x");
    log_end(&l);
    check_has(read_log(), "level=debug");
}

/* Each octet alone and in company: the value ends where it ends, the line too. */
static void no_octet_escapes(void)
{
    for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++)
        for (int c = 0; c < 256 && !test_failed(); c++) {
            char value[] = {'a', (char)c, 'b'};
            struct log_line l;

            open_log((enum log_format)format, false);
            log_begin(&l, LOG_LEVEL_INFO, "x");
            log_str(&l, "value", (struct str){value, sizeof value});
            log_text(&l, "last", "end");
            log_end(&l);
            read_log();
            if (!check(is_one_harmless_line()))
                printf("#   octet %d\n", c);
            if (format == LOG_FORMAT_JSON) {
                json_t *object = parsed();

                check_text(json_string_value(json_object_get(object, "last")), "end");
                json_decref(object);
            } else {
                bool plain = c > ' ' && c < 127 && c != '"' && c != '\\' && c != '=';

                check(str_ends(buf_str(&written), STR(" last=end\n")));
                check((strstr(buf_text(&written), "value=\"") == NULL) == plain);
                check(str_is_ascii(buf_str(&written)));
            }
        }
}

static void forged_fields_stay_inside(void)
{
    struct log_line l;

    open_log(LOG_FORMAT_LOGFMT, false);
    log_begin(&l, LOG_LEVEL_INFO, "refused");
    log_text(&l, "reply", "550\nlevel=info event=queued");
    log_text(&l, "helo", "x\" event=\"queued");
    log_text(&l, "tail", "a\\");
    log_end(&l);
    check_has(read_log(), "reply=\"550\\x0alevel=info event=queued\" helo=\"x\\\" event=\\\"queued\" tail=\"a\\\\\"\n");
}

/* U+0080 to U+009F are controls too: U+009B is CSI to a terminal that reads UTF-8. */
static void c1_controls_are_escaped(void)
{
    for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++)
        for (int c = 0x80; c <= 0x9f && !test_failed(); c++) {
            char value[] = {'a', '\xc2', (char)c, 'b'};
            struct log_line l;

            open_log((enum log_format)format, false);
            log_begin(&l, LOG_LEVEL_INFO, "x");
            log_str(&l, "value", (struct str){value, sizeof value});
            log_end(&l);
            read_log();
            check(memmem(written.data, written.length, value + 1, 2) == NULL);
        }
}

static void fill(char *text, size_t size, const char *with)
{
    for (size_t i = 0; i < size; i++)
        text[i] = with[i % strlen(with)];
}

/* Whatever comes, a line keeps its form: values are cut whole escapes and all, what does not fit is left out. */
static void long_values_are_cut_and_lines_stay_whole(void)
{
    static const char *const fillings[] = {"x", "\x01", "\"", "\\", "\xc3\xa4", "\xff", "a\x1b", "\xe2\x82\xac"};

    for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++)
        for (size_t f = 0; f < TEST_COUNT(fillings); f++)
            for (size_t size = LOG_VALUE_SIZE - 2; size <= LOG_VALUE_SIZE + 2; size++) {
                static char value[LOG_VALUE_SIZE + 8];
                struct log_line l;

                fill(value, sizeof value, fillings[f]);
                open_log((enum log_format)format, false);
                log_begin(&l, LOG_LEVEL_INFO, "x");
                for (int i = 0; i < 8; i++) {
                    char key[] = {'k', (char)('0' + i), '\0'};

                    log_str(&l, key, (struct str){value, size - (size_t)i});
                    key[0] = 'n';
                    log_number(&l, key, INT64_MAX);
                }
                log_end(&l);
                read_log();
                check(written.length <= LOG_LINE_SIZE);
                if (!check(is_one_harmless_line()))
                    printf("#   %zu of %s\n", size, fillings[f]);
                if (format == LOG_FORMAT_JSON) {
                    json_decref(parsed());
                } else {
                    /* Quotes are balanced: each quote that is not escaped opens or closes. */
                    bool open = false;

                    for (size_t i = 0; i < written.length; i++) {
                        if (written.data[i] == '\\')
                            i++;
                        else if (written.data[i] == '"')
                            open = !open;
                    }
                    check(!open);
                }
                if (test_failed())
                    return;
            }
}

static void messages_are_lines(void)
{
    open_log(LOG_FORMAT_LOGFMT, false);
    log_message(LOG_LEVEL_WARNING, "odd", "%s %d", "x\ny", 3);
    check_has(read_log(), "level=warning process=tester event=odd message=\"x\\x0ay 3\"\n");
}

static void bad_destinations_say_why(void)
{
    char error[256] = "";

    check(!log_open("/nonexistent/folder", -1, LOG_FORMAT_LOGFMT, false, "x", error, sizeof error));
    check_has(error, "/nonexistent/folder");
    check_has(error, "No such file");
}

static const struct test_case cases[] = {
    TEST_CASE(lines_have_their_fields_in_order),
    TEST_CASE(json_is_json),
    TEST_CASE(debug_lines_need_debug),
    TEST_CASE(no_octet_escapes),
    TEST_CASE(forged_fields_stay_inside),
    TEST_CASE(c1_controls_are_escaped),
    TEST_CASE(long_values_are_cut_and_lines_stay_whole),
    TEST_CASE(messages_are_lines),
    TEST_CASE(bad_destinations_say_why),
};

int main(int argc, char **argv)
{
    int status;

    place_open(&place);
    status = test_main(cases, TEST_COUNT(cases), argc, argv);
    place_close(&place);
    buf_done(&written);
    return status;
}
