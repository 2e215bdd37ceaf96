#include "generation.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/stop.h"
#include "net/listener.h"
#include "report/template.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { START_AGAIN_MS = 1000 };

static int find_listener(const struct generation *g, const struct address *address)
{
    for (size_t i = 0; g != NULL && i < g->specs.count; i++)
        if (address_equal(&g->specs.items[i].address, address) && g->specs.items[i].address.port == address->port)
            return g->listeners[i];
    return -1;
}

static bool bind_all(struct generation *g, const struct generation *old, char *error, size_t error_size)
{
    for (size_t i = 0; i < g->specs.count; i++) {
        const struct address *address = &g->specs.items[i].address;
        char text[ADDRESS_TEXT_SIZE];

        g->listeners[i] = find_listener(old, address);
        if (g->listeners[i] >= 0)
            continue;
        g->listeners[i] = listener_bind(address);
        address_text_port(address, text);
        if (g->listeners[i] < 0) {
            snprintf(error, error_size, "TMAIL_SMTPD_DSNS: cannot listen on %s: %s%s", text, strerrordesc_np(errno),
                     old != NULL && errno == EADDRINUSE ? " (an address that overlaps one in use by this tmail needs a restart)" : "");
            return false;
        }
        log_message(LOG_LEVEL_INFO, "listening", "%s", text);
    }
    return true;
}

/* What is wrong in it is said now, not with the first report. */
static bool check_template(const struct generation *g, char *error, size_t error_size)
{
    char problem[800];

    if (template_check(g->conf.bounce_template, problem, sizeof problem))
        return true;
    snprintf(error, error_size, "TMAIL_BOUNCE_TEMPLATE: %s", problem);
    return false;
}

struct generation *generation_new(struct conf *conf, struct certificates *certificates, const struct generation *old, char *error, size_t error_size)
{
    struct generation *g = memory_new(sizeof *g);
    struct buf errors = {0};
    bool ok = true;

    g->conf = *conf;
    *conf = (struct conf){0};
    g->certificates = *certificates;
    *certificates = (struct certificates){0};
    for (int role = 0; role < CHILD_ROLES; role++)
        g->children[role] = (struct child){.control = -1, .errands = -1, .restart_at = CLOCK_NEVER};
    g->children[CHILD_SMTPD].wanted = g->conf.smtpd_launch;
    g->children[CHILD_DELIVERD].wanted = g->conf.deliverd_launch;
    if (g->conf.smtpd_launch)
        ok = listeners_parse(&g->specs, str_of(g->conf.smtpd_dsns), &g->conf.arena, &errors);
    buf_done(&errors);
    if (ok && g->specs.count > LISTENERS_MAX) {
        snprintf(error, error_size, "TMAIL_SMTPD_DSNS: more than %d listeners", LISTENERS_MAX);
        g->specs.count = 0;
        ok = false;
    }
    for (size_t i = 0; i < g->specs.count; i++)
        g->listeners[i] = -1;
    if (!ok || !check_template(g, error, error_size) || !bind_all(g, old, error, error_size))
        generation_free(&g, old);
    return g;
}

void generation_free(struct generation **g, const struct generation *other)
{
    if (*g == NULL)
        return;
    for (size_t i = 0; i < (*g)->specs.count; i++)
        if ((*g)->listeners[i] >= 0 && find_listener(other, &(*g)->specs.items[i].address) < 0)
            close((*g)->listeners[i]);
    certificates_done(&(*g)->certificates);
    conf_done(&(*g)->conf);
    memory_free(g);
}

void generation_start(struct generation *g, enum child_role role)
{
    struct child *child = &g->children[role];
    bool receives = role == CHILD_SMTPD;
    int certificates = receives ? certificates_file(&g->certificates) : -1;
    struct log_line l;

    child->restart_at = CLOCK_NEVER;
    child->ready = false;
    child->started = clock_now();
    child->pid = receives && certificates < 0 ? -1
                                              : child_start(role, &g->conf, certificates, g->listeners, receives ? g->specs.count : 0, &child->control,
                                                            &child->errands);
    if (child->pid < 0) {
        log_message(LOG_LEVEL_ERROR, "child-not-started", "%s: %s", child_role_name(role), strerrordesc_np(errno));
        child->pid = 0;
        child->restart_at = clock_now() + START_AGAIN_MS;
    }
    if (certificates >= 0)
        close(certificates);
    if (child->pid == 0)
        return;
    log_begin(&l, LOG_LEVEL_INFO, "child-started");
    log_text(&l, "child", child_role_name(role));
    log_number(&l, "pid", child->pid);
    log_end(&l);
}

/* A child that was started later finds them on its control. */
static void give_certificates(struct generation *g, const struct child *child)
{
    int file = certificates_file(&g->certificates);

    g->certificates.is_due = child->control >= 0 && (file < 0 || !stop_tell(child->control, 'F', file));
    if (g->certificates.is_due)
        log_message(LOG_LEVEL_ERROR, "certificates", "smtpd does not take them now: %s", strerrordesc_np(errno));
    if (file >= 0)
        close(file);
}

void generation_watch(struct generation *g)
{
    struct child *child = &g->children[CHILD_SMTPD];
    char error[TLS_ERROR_SIZE];

    if (!child->wanted)
        return;
    if (!certificates_changed(&g->certificates, &g->conf)) {
        if (g->certificates.is_due)
            give_certificates(g, child);
    } else if (certificates_renew(&g->certificates, &g->conf, error, sizeof error)) {
        give_certificates(g, child);
    } else {
        log_message(LOG_LEVEL_ERROR, "certificates-refused", "%s; those before stay in use", error);
    }
}

void generation_let_go(struct child *child)
{
    if (child->control >= 0)
        close(child->control);
    child->control = -1;
    child->restart_at = CLOCK_NEVER;
}

bool generation_is_ready(const struct generation *g)
{
    for (int role = 0; role < CHILD_ROLES; role++)
        if (g->children[role].wanted && !g->children[role].ready)
            return false;
    return true;
}
