#include "net/http.h"

#include "base/clock.h"
#include "base/stop.h"
#include "net/resolve.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>

enum { HEADERS_MAX = 64 << 10 };

/* A request that is under way. */
struct request {
    CURL *curl;
    const struct http_request *asked;
    struct http_answer *answer;
    struct curl_slist *fields;    /* of the header */
    struct curl_slist *addresses; /* of the host */
    size_t headers;               /* bytes that came */
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

/* When it ends whatever comes of it. */
static int64_t end_of(const struct request *r)
{
    return r->asked->heed_stop && stop_seen() ? 0 : clock_earlier(r->asked->deadline, stop_deadline());
}

/* libcurl asks at least once a second. */
static int is_over(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct request *r = context;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return clock_now() >= end_of(r);
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

static void fail(struct http_answer *answer, enum http_fault fault, const char *why)
{
    struct status s = status_make(451, "", "%s", why); /* makes it printable */

    answer->fault = fault;
    snprintf(answer->error, sizeof answer->error, "%.*s", HTTP_ERROR_SIZE - 1, s.text);
}

static bool add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer == NULL)
        return false;
    *list = longer;
    return true;
}

static bool set_content(struct request *r)
{
    struct str content = r->asked->content;
    struct buf type = {0};
    bool good;

    if (r->asked->content_type == NULL)
        return curl_easy_setopt(r->curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    buf_print(&type, "Content-Type: %s", r->asked->content_type);
    /* "Expect:" without a value: it does not ask first whether the content may come. */
    good = add_line(&r->fields, buf_text(&type)) && add_line(&r->fields, "Expect:");
    buf_done(&type);
    return good && curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, r->fields) == CURLE_OK
        && curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)content.length) == CURLE_OK
        && curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, content.length > 0 ? content.data : "") == CURLE_OK;
}

static bool set_time(const struct request *r)
{
    int64_t left = end_of(r) - clock_now();
    long ms = left > INT_MAX ? INT_MAX : left > 0 ? (long)left : 1; /* 0 would be "no limit" */

    return curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, ms) == CURLE_OK
        && curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT_MS, ms) == CURLE_OK;
}

static const char *late(const struct request *r)
{
    return end_of(r) < r->asked->deadline ? "stopping" : "timed out";
}

/* Whatever the host is called in the URL, its addresses are these: nobody else is asked. */
static bool set_addresses(struct request *r, const char *port, const struct resolved *found)
{
    struct buf line = {0};
    char text[ADDRESS_TEXT_SIZE];
    bool good;

    buf_print(&line, "*:%s:", port);
    for (size_t i = 0; i < found->count; i++) {
        address_text(&found->addresses[i], text);
        buf_print(&line, found->addresses[i].family == AF_INET6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "", text);
    }
    good = add_line(&r->addresses, buf_text(&line));
    buf_done(&line);
    return good && curl_easy_setopt(r->curl, CURLOPT_RESOLVE, r->addresses) == CURLE_OK;
}

static bool find(struct request *r, const char *host, const char *port)
{
    struct arena arena;
    struct resolved found = {0};
    bool good = false;

    arena_init(&arena);
    resolve(r->asked->dns, host, 0, RESOLVE_IPV6_FIRST, end_of(r), &arena, &found);
    if (found.count > 0)
        good = set_addresses(r, port, &found);
    else if (!status_is_permanent(&found.status) && clock_now() >= end_of(r))
        fail(r->answer, HTTP_TIMEOUT, late(r));
    else
        fail(r->answer, HTTP_NOT_FOUND_HOST, found.status.text);
    arena_done(&arena);
    return good;
}

/* "[" is how IPv6 addresses begin in a URL. */
static bool is_address(const char *host)
{
    struct address a;

    return host[0] == '[' || address_parse(&a, str_of(host));
}

static bool set_host(struct request *r)
{
    CURLU *url = curl_url();
    char *host = NULL, *port = NULL;
    bool good = url != NULL && curl_url_set(url, CURLUPART_URL, r->asked->url, 0) == CURLUE_OK
        && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK
        && curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK && (is_address(host) || find(r, host, port));

    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return good;
}

/* The host last: finding it costs time. */
static bool prepare(struct request *r)
{
    return r->curl != NULL && set_rules(r->curl) && set_ca_file(r->curl, r->asked->ca_file) && set_callbacks(r->curl, r)
        && curl_easy_setopt(r->curl, CURLOPT_URL, r->asked->url) == CURLE_OK && set_content(r)
        && (r->asked->dns == NULL || set_host(r)) && set_time(r);
}

static enum http_fault fault_of(const struct request *r, CURLcode result)
{
    static const struct {
        CURLcode result;
        enum http_fault fault;
    } table[] = {
        {CURLE_COULDNT_RESOLVE_HOST, HTTP_NOT_FOUND_HOST},
        {CURLE_COULDNT_CONNECT, HTTP_UNREACHABLE},
        {CURLE_PEER_FAILED_VERIFICATION, HTTP_CERTIFICATE},
        {CURLE_SSL_ISSUER_ERROR, HTTP_CERTIFICATE},
        {CURLE_ABORTED_BY_CALLBACK, HTTP_TIMEOUT},
        {CURLE_OPERATION_TIMEDOUT, HTTP_TIMEOUT},
    };

    if (r->answer->body.full || r->headers > HEADERS_MAX)
        return HTTP_TOO_LONG;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].result == result)
            return table[i].fault;
    return HTTP_OTHER;
}

static const char *reason(const struct request *r, enum http_fault fault, CURLcode result)
{
    if (fault == HTTP_TOO_LONG)
        return r->answer->body.full ? "the answer is too long" : "the header of the answer is too long";
    if (fault == HTTP_TIMEOUT)
        return late(r);
    if (result == CURLE_UNSUPPORTED_PROTOCOL)
        return "the URL is not of https";
    return r->error[0] != '\0' ? r->error : curl_easy_strerror(result);
}

/* The media type (RFC 9110 section 8.3.1) without parameters; one that is too long to be known is none. */
static void take_type(const char *field, char to[HTTP_TYPE_SIZE])
{
    struct str type = str_of(field);
    size_t i;

    type = str_trim(str_part(type, 0, str_find(type, ';', 0)));
    for (i = 0; i < type.length && type.length < HTTP_TYPE_SIZE; i++)
        to[i] = type.data[i] >= 'A' && type.data[i] <= 'Z' ? (char)(type.data[i] - 'A' + 'a') : type.data[i];
    to[i] = '\0';
}

static void perform(struct request *r)
{
    CURLcode result = curl_easy_perform(r->curl);
    enum http_fault fault = fault_of(r, result);
    const char *type = NULL;
    long code = 0;

    if (result != CURLE_OK) {
        fail(r->answer, fault, reason(r, fault, result));
    } else if (curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &code) != CURLE_OK || code < 100 || code > 999) {
        fail(r->answer, HTTP_OTHER, "the answer has no status");
    } else {
        r->answer->code = (int)code;
        curl_easy_getinfo(r->curl, CURLINFO_CONTENT_TYPE, &type);
        take_type(type, r->answer->type);
    }
}

void http_ask(const struct http_request *request, struct http_answer *answer)
{
    struct request r = {.asked = request, .answer = answer, .curl = curl_easy_init()};

    *answer = (struct http_answer){0};
    buf_init(&answer->body, HTTP_BODY_MAX);
    if (prepare(&r))
        perform(&r);
    else if (answer->fault == HTTP_FINE)
        fail(answer, HTTP_OTHER, "the request cannot be made");
    curl_easy_cleanup(r.curl);
    curl_slist_free_all(r.fields);
    curl_slist_free_all(r.addresses);
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
