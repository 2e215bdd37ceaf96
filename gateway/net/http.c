#include "net/http.h"

#include "base/clock.h"
#include "base/stop.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>

enum { HEADERS_MAX = 64 << 10 };

/* What the callbacks know of a request that is under way. */
struct request {
    struct http_answer *answer;
    int64_t deadline;
    size_t headers; /* bytes of them */
    char error[CURL_ERROR_SIZE];
};

bool http_start(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

static size_t take_body(char *data, size_t one, size_t length, void *context)
{
    struct request *r = context;

    buf_add(&r->answer->body, (struct str){data, one * length});
    return r->answer->body.full ? 0 : one * length;
}

static size_t take_header(char *data, size_t one, size_t length, void *context)
{
    struct request *r = context;

    (void)data;
    r->headers += one * length;
    return r->headers > HEADERS_MAX ? 0 : one * length;
}

/* libcurl asks at least once a second. */
static int is_over(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct request *r = context;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return clock_now() >= clock_earlier(r->deadline, stop_deadline());
}

/* What is the same in all requests. */
static bool set_rules(CURL *curl)
{
    static const struct {
        CURLoption option;
        long value;
    } rules[] = {
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
        {CURLOPT_NETRC, CURL_NETRC_IGNORED},
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_NOPROGRESS, 0},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        {CURLOPT_QUICK_EXIT, 1}, /* the time also holds where a name server is silent; the resolver's thread ends by itself */
    };

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (curl_easy_setopt(curl, rules[i].option, rules[i].value) != CURLE_OK)
            return false;
    return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK;
}

static bool set_ca_file(CURL *curl, const char *ca_file)
{
    if (ca_file[0] == '\0')
        return true;
    /* Not the system's folder of CAs beside a file that was chosen. */
    return curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file) == CURLE_OK && curl_easy_setopt(curl, CURLOPT_CAPATH, NULL) == CURLE_OK;
}

static bool set_callbacks(CURL *curl, struct request *r)
{
    return curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_WRITEDATA, r) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_HEADERDATA, r) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_over) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_XFERINFODATA, r) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, r->error) == CURLE_OK;
}

static bool set_form(CURL *curl, const char *url, struct str form)
{
    return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)form.length) == CURLE_OK
        && curl_easy_setopt(curl, CURLOPT_POSTFIELDS, form.length > 0 ? form.data : "") == CURLE_OK;
}

static bool set_time(CURL *curl, int64_t deadline)
{
    int64_t left = clock_earlier(deadline, stop_deadline()) - clock_now();
    long ms = left > INT_MAX ? INT_MAX : left > 0 ? (long)left : 1; /* 0 would be "no limit" */

    return curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, ms) == CURLE_OK && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, ms) == CURLE_OK;
}

static const char *reason(const struct request *r, CURLcode result)
{
    if (r->answer->body.full)
        return "the answer is too long";
    if (r->headers > HEADERS_MAX)
        return "the header of the answer is too long";
    if (result == CURLE_ABORTED_BY_CALLBACK || result == CURLE_OPERATION_TIMEDOUT)
        return stop_deadline() < r->deadline ? "stopping" : "timed out";
    if (result == CURLE_UNSUPPORTED_PROTOCOL)
        return "the URL is not of https";
    return r->error[0] != '\0' ? r->error : curl_easy_strerror(result);
}

static void perform(CURL *curl, struct request *r)
{
    CURLcode result = curl_easy_perform(curl);
    long code = 0;

    if (result != CURLE_OK)
        snprintf(r->answer->error, sizeof r->answer->error, "%s", reason(r, result));
    else if (curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code) != CURLE_OK || code < 100 || code > 999)
        snprintf(r->answer->error, sizeof r->answer->error, "the answer has no status");
    else
        r->answer->code = (int)code;
}

void http_post_form(const char *url, struct str form, const char *ca_file, int64_t deadline, struct http_answer *answer)
{
    struct request r = {.answer = answer, .deadline = deadline};
    CURL *curl = curl_easy_init();

    *answer = (struct http_answer){0};
    buf_init(&answer->body, HTTP_BODY_MAX);
    if (curl != NULL && set_rules(curl) && set_ca_file(curl, ca_file) && set_callbacks(curl, &r) && set_form(curl, url, form)
        && set_time(curl, deadline))
        perform(curl, &r);
    else
        snprintf(answer->error, sizeof answer->error, "the request cannot be made");
    curl_easy_cleanup(curl);
}

/* What stands for itself in a form: less than application/x-www-form-urlencoded would let through, which every reader takes. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static void add_encoded(struct buf *form, struct str value)
{
    for (size_t i = 0; i < value.length; i++)
        if (is_plain(value.data[i]))
            buf_add_byte(form, value.data[i]);
        else
            buf_print(form, "%%%02X", (unsigned char)value.data[i]);
}

void http_add_field(struct buf *form, const char *name, struct str value)
{
    if (form->length > 0)
        buf_add_byte(form, '&');
    add_encoded(form, str_of(name));
    buf_add_byte(form, '=');
    add_encoded(form, value);
}
