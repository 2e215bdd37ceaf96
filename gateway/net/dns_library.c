#include "net/dns_library.h"

#include "base/file.h"
#include "base/log.h"
#include "net/dns_capture.h"
#include "net/dns_forward.h"
#include "net/dns_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unbound.h>
#include <unistd.h>

enum { CLASS_IN = 1, SAID_MOST = 16384, RESOLV_CONF_MOST = 65536 };

static bool set_options(struct ub_ctx *context, const struct dns_option *options, char *error, size_t error_size)
{
    for (; options->name != NULL; options++)
        if (ub_ctx_set_option(context, options->name, options->value) != 0) {
            snprintf(error, error_size, "libunbound %s does not take \"%s %s\"", ub_version(), options->name, options->value);
            return false;
        }
    return true;
}

static bool accept_file(int result, const char *path, char *error, size_t error_size)
{
    if (result != 0)
        snprintf(error, error_size, "%s: %s", path, ub_strerror(result));
    return result == 0;
}

/* A line that libunbound cannot read, such as a link-local resolver, is no reason not to start: the C library skips it, too. */
static void warn(const char *path, struct str what)
{
    struct log_line l;

    log_begin(&l, LOG_LEVEL_WARNING, "dns");
    log_text(&l, "file", path);
    log_str(&l, "message", what);
    log_end(&l);
}

static size_t use_resolver(struct ub_ctx *context, const char *path, struct str resolver)
{
    char text[DNS_FORWARD_SIZE];
    struct buf what = {0};

    if (str_copy(resolver, text, sizeof text) && ub_ctx_set_fwd(context, text) == 0)
        return 1;
    buf_print(&what, "the resolver \"%.*s\" cannot be asked", STR_ARG(resolver));
    warn(path, buf_str(&what));
    buf_done(&what);
    return 0;
}

static size_t use_resolvers(struct ub_ctx *context, const char *path, struct str text)
{
    struct str line, word;
    size_t count = 0;

    while (str_cut(&text, '\n', &line)) {
        if (!str_cut_any(&line, " \t\r", &word) || !str_equal(word, STR("nameserver")))
            continue;
        line = str_trim(line);
        if (str_cut_any(&line, " \t\r", &word) && word.length > 0)
            count += use_resolver(context, path, word);
    }
    return count;
}

/* Like the C library: a host whose resolv.conf names no resolver has one of its own. */
static bool use_host(struct ub_ctx *context, const char *resolv_conf, char *error, size_t error_size)
{
    struct buf text;
    size_t count = 0;

    buf_init(&text, RESOLV_CONF_MOST);
    if (file_read(resolv_conf, &text))
        count = use_resolvers(context, resolv_conf, buf_str(&text));
    buf_done(&text);
    if (count > 0)
        return true;
    warn(resolv_conf, STR("it names no resolver: 127.0.0.1 is asked"));
    return accept_file(ub_ctx_set_fwd(context, "127.0.0.1"), resolv_conf, error, error_size);
}

static bool use_forward(struct ub_ctx *context, struct str list, char *error, size_t error_size)
{
    struct str item;
    char resolver[DNS_FORWARD_SIZE];

    while (dns_forward_next(&list, &item, resolver))
        if (ub_ctx_set_fwd(context, resolver) != 0) {
            snprintf(error, error_size, "\"%.*s\" is no resolver", STR_ARG(item));
            return false;
        }
    return true;
}

static bool set_resolvers(struct ub_ctx *context, const char *forward, const char *resolv_conf, char *error, size_t error_size)
{
    const struct str list = str_of(forward);

    if (dns_forward_is_root(list))
        return true;
    if (!set_options(context, dns_options_forwarding, error, error_size))
        return false;
    return dns_forward_is_host(list) ? use_host(context, resolv_conf, error, error_size) : use_forward(context, list, error, error_size);
}

/* The key signing keys of the root, of 2017 and 2024 (https://data.iana.org/root-anchors/). */
static void add_root_keys(struct ub_ctx *context)
{
    ub_ctx_add_ta(context, ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D");
    ub_ctx_add_ta(context, ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16");
}

/* What an administrator names is all that counts. */
static bool set_anchors(struct ub_ctx *context, const struct dns_settings *settings, const char *root_key, char *error, size_t error_size)
{
    const struct dns_option iterator_only[] = {{"module-config:", "iterator"}, {NULL, NULL}};
    const char *path = settings->trust_anchor;

    if (!settings->validate)
        return set_options(context, iterator_only, error, error_size);
    if (path[0] == '\0') {
        add_root_keys(context);
        return root_key[0] == '\0' || accept_file(ub_ctx_add_ta_file(context, root_key), root_key, error, error_size);
    }
    return dns_check_trust_anchor(path, error, error_size) && accept_file(ub_ctx_add_ta_file(context, path), path, error, error_size);
}

/* What is no file ends the process in libunbound's parser. */
static bool read_fragment(struct ub_ctx *context, const char *path, char *error, size_t error_size)
{
    struct stat s;

    if (path[0] == '\0')
        return true;
    if (stat(path, &s) != 0 || access(path, R_OK) != 0)
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(s.st_mode))
        snprintf(error, error_size, "%s: it is no file", path);
    else
        return accept_file(ub_ctx_config(context, path), path, error, error_size);
    return false;
}

/* A call that says the obvious makes libunbound read all that was set: what is wrong comes to light now and not with the first question. */
static bool settle(struct ub_ctx *context, char *error, size_t error_size)
{
    const int result = ub_ctx_zone_add(context, "invalid.", "static");

    if (result != 0)
        snprintf(error, error_size, "libunbound: %s", ub_strerror(result));
    return result == 0;
}

/* Says nothing from now on, unless an administrator's fragment wants it to. */
static void hush(struct ub_ctx *context)
{
    char *verbosity = NULL;

    if (ub_ctx_get_option(context, "verbosity", &verbosity) == 0 && strcmp(verbosity, "0") == 0)
        ub_ctx_debugout(context, NULL);
    free(verbosity);
}

/* The fragment comes last of what can be overridden. */
static bool configure(struct ub_ctx *context, const struct dns_settings *settings, const struct dns_host_files *host, char *error,
                      size_t error_size)
{
    return ub_ctx_async(context, 1) == 0 && set_options(context, dns_options_always, error, error_size) &&
           set_resolvers(context, settings->forward, host->resolv_conf, error, error_size) &&
           set_anchors(context, settings, host->root_key, error, error_size) &&
           read_fragment(context, settings->unbound_conf, error, error_size) && settle(context, error, error_size);
}

/* libunbound's words say more than its error codes. */
static void explain(struct str said, char *error, size_t error_size)
{
    const struct str complaint = dns_capture_complaint(said);

    if (complaint.length > 0)
        snprintf(error, error_size, "%.*s", STR_ARG(complaint));
}

static struct ub_ctx *create_context(char *error, size_t error_size)
{
    struct ub_ctx *context = ub_ctx_create();

    if (context == NULL)
        snprintf(error, error_size, "libunbound does not start: %s", strerror(errno));
    else
        ub_ctx_debugout(context, stderr);
    return context;
}

/* A context of its own finds out whether libunbound can read the anchors in a file: one that it cannot read would take all others along. */
static bool try_anchors(const char *path, char *error, size_t error_size)
{
    struct ub_ctx *context = create_context(error, error_size);
    const bool good = context != NULL && accept_file(ub_ctx_add_ta_file(context, path), path, error, error_size) &&
                      settle(context, error, error_size);

    ub_ctx_delete(context);
    return good;
}

/* The file at PATH as far as it is of use: nobody here wrote it, so it stops nothing. */
static const char *usable_anchors(const char *path)
{
    char error[DNS_REASON_SIZE] = "";
    struct dns_capture capture;
    struct buf said;
    bool good;

    buf_init(&said, SAID_MOST);
    dns_capture_begin(&capture);
    good = dns_check_trust_anchor(path, error, sizeof error) && try_anchors(path, error, sizeof error);
    dns_capture_end(&capture, &said);
    if (!good) {
        explain(buf_str(&said), error, sizeof error);
        buf_clear(&said);
        buf_print(&said, "%s; only the root keys that this program knows count", error);
        warn(path, buf_str(&said));
    }
    buf_done(&said);
    return good ? path : "";
}

static struct ub_ctx *open_context(const struct dns_settings *settings, const struct dns_host_files *host, char *error, size_t error_size)
{
    struct ub_ctx *context = create_context(error, error_size);

    if (context == NULL)
        return NULL;
    if (configure(context, settings, host, error, error_size)) {
        hush(context);
        return context;
    }
    ub_ctx_delete(context);
    return NULL;
}

struct ub_ctx *dns_library_open(const struct dns_settings *settings, const struct dns_host_files *host, char *error, size_t error_size)
{
    struct dns_host_files usable = *host;
    struct dns_capture capture;
    struct buf said;
    struct ub_ctx *context;

    if (settings->validate && settings->trust_anchor[0] == '\0' && host->root_key[0] != '\0')
        usable.root_key = usable_anchors(host->root_key);
    buf_init(&said, SAID_MOST);
    dns_capture_begin(&capture);
    context = open_context(settings, &usable, error, error_size);
    dns_capture_end(&capture, &said);
    if (context == NULL)
        explain(buf_str(&said), error, error_size);
    else
        dns_capture_pass_on(buf_str(&said));
    buf_done(&said);
    return context;
}

void dns_library_close(struct ub_ctx *context)
{
    ub_ctx_delete(context);
}

int dns_library_ask(struct ub_ctx *context, const char *name, int type, void (*take)(void *argument, int error, struct ub_result *result),
                    void *argument)
{
    return ub_resolve_async(context, name, type, CLASS_IN, argument, take, NULL);
}

int dns_library_fd(struct ub_ctx *context)
{
    return ub_fd(context);
}

bool dns_library_process(struct ub_ctx *context)
{
    return ub_process(context) == 0;
}

void dns_library_read(const struct ub_result *result, struct dns_reply *reply)
{
    *reply = (struct dns_reply){
        .rcode = result->rcode,
        .secure = result->secure != 0,
        .bogus = result->bogus != 0,
        .ttl = result->ttl > 0 ? result->ttl : 0,
        .canonical = result->canonname,
        .why_bogus = result->why_bogus,
        .data = result->havedata ? result->data : NULL,
        .lengths = result->len,
    };
}

void dns_library_free(struct ub_result *result)
{
    ub_resolve_free(result);
}

const char *dns_library_error(int error)
{
    return ub_strerror(error);
}
