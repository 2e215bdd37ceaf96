#include "report/template_values.h"

#include "base/clock.h"
#include "message/id.h"
#include "report/dsn_facts.h"
#include "report/mime.h"

/* Of the scene and, inside of each, a recipient. */
typedef void value_function(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to);

/* 2026-11-21 12:00:00 UTC: the same in every language. */
static void add_time(int64_t wall, struct buf *to)
{
    char text[CLOCK_TEXT_SIZE];
    struct str s;

    if (wall <= 0)
        return;
    clock_text(wall, text);
    s = str_of(text);
    buf_print(to, "%.*s %.*s UTC", STR_ARG(str_part(s, 0, str_find(s, 'T', 0))), STR_ARG(str_part(s, str_find(s, 'T', 0) + 1, 8)));
}

static void add_condition(bool holds, struct buf *to)
{
    if (holds)
        buf_add_text(to, "yes");
}

static void value_me(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)r;
    buf_add_text(to, scene->dsn->conf->me);
}

static void value_date(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)r;
    add_time(scene->dsn->now, to);
}

static void value_to(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)r;
    buf_add(to, scene->dsn->to);
}

static void value_sender(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)r;
    buf_add(to, scene->dsn->original->sender);
}

static void value_subject(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)r;
    buf_add(to, scene->subject);
}

static void value_arrived(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)r;
    add_time(scene->dsn->original->arrived, to);
}

static void value_id(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    char id[QUEUE_ID_SIZE];

    (void)r;
    queue_id_text(scene->dsn->original->id, id);
    buf_add_text(to, id);
}

static void value_envid(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)r;
    dsn_envid(scene->dsn, to);
}

static void value_size(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)r;
    buf_add_number(to, scene->dsn->size);
}

static void value_more(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    int64_t more = 0;

    (void)r;
    for (int i = 0; i < DSN_ACTIONS; i++)
        more += scene->counts[i] > TEMPLATE_LISTED_MAX ? scene->counts[i] - TEMPLATE_LISTED_MAX : 0;
    if (more > 0)
        buf_add_number(to, more);
}

static void value_address(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)scene;
    buf_add(to, r->address);
}

static void value_original(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    struct buf address = {0};
    struct str type;

    (void)scene;
    if (dsn_orcpt(r, &type, &address) && !str_equal_nocase(buf_str(&address), r->address))
        buf_add(to, buf_str(&address));
    buf_done(&address);
}

static void value_reason(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)scene;
    buf_add(to, dsn_reason(r));
}

static void value_host(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)scene;
    buf_add(to, dsn_host(r));
}

static void value_code(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)scene;
    if (r->code > 0)
        buf_add_number(to, r->code);
}

static void value_status(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    char status[DSN_STATUS_SIZE];

    (void)scene;
    dsn_status_code(r, status);
    buf_add_text(to, status);
}

static void value_tried(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)scene;
    add_time(r->tried, to);
}

static void value_until(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)scene;
    if (r->action == DSN_DELAYED)
        add_time(r->until, to);
}

static void value_reply(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    struct str reason = dsn_reason(r);

    (void)scene;
    if (!r->from_peer || dsn_host(r).length == 0)
        return;
    buf_print(to, "%d %.*s%s%.*s", r->code, STR_ARG(r->enhanced), r->enhanced.length > 0 ? " " : "", STR_ARG(reason));
}

/* Of the recipient; outside of each: of any. */
static void add_action(enum dsn_action action, const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    add_condition(r != NULL ? r->action == action : scene->counts[action] > 0, to);
}

static void value_failed(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    add_action(DSN_FAILED, scene, r, to);
}

static void value_delayed(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    add_action(DSN_DELAYED, scene, r, to);
}

static void value_delivered(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    add_action(DSN_DELIVERED, scene, r, to);
}

static void value_relayed(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    add_action(DSN_RELAYED, scene, r, to);
}

static void value_whole(const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    (void)r;
    add_condition(scene->whole, to);
}

void template_scene_init(struct template_scene *scene, const struct dsn *d, struct str subject, bool whole)
{
    *scene = (struct template_scene){.dsn = d, .subject = subject, .whole = whole};
    for (const struct dsn_recipient *r = d->recipients; r != NULL; r = r->next)
        scene->counts[r->action]++;
}

/* Both tables in the same order. */
#define PLACEHOLDERS(ROW) \
    ROW(me, "Name of this gateway, TMAIL_ME.", false, false) \
    ROW(date, "When the report was made.", false, false) \
    ROW(to, "Who gets the report.", false, false) \
    ROW(sender, "Sender of the message.", false, false) \
    ROW(subject, "Its subject.", false, false) \
    ROW(arrived, "When it was received.", false, false) \
    ROW(id, "Its queue id.", false, false) \
    ROW(envid, "Its ENVID, the sender's own name for it.", false, false) \
    ROW(size, "Its size in octets.", false, false) \
    ROW(more, "How many recipients are not listed: of each action the first 100 are.", false, false) \
    ROW(address, "Address of the recipient.", true, false) \
    ROW(original, "Address that the sender wrote to (ORCPT), where it is another.", true, false) \
    ROW(reason, "Reply of the server, or what went wrong.", true, false) \
    ROW(host, "Name of the server that was spoken to.", true, false) \
    ROW(code, "SMTP reply code, 550.", true, false) \
    ROW(status, "Enhanced status code, 5.1.1.", true, false) \
    ROW(tried, "When the last attempt was made.", true, false) \
    ROW(until, "Of a delay: when attempts end.", true, false) \
    ROW(reply, "Reply of the server as it was, where that is the reason: 550 5.1.1 No such user.", true, false) \
    ROW(failed, "Delivery to the recipient failed; outside of each: to some recipient.", false, true) \
    ROW(delayed, "Delivery is delayed.", false, true) \
    ROW(delivered, "The recipient has the message.", false, true) \
    ROW(relayed, "The message was handed to a server that reports no more of it.", false, true) \
    ROW(whole, "All of the message is attached, not its header alone.", false, true)

#define PLACEHOLDER_ROW(name, help, in_each, condition) {#name, help, in_each, condition},
#define PLACEHOLDER_VALUE(name, help, in_each, condition) value_##name,

const struct template_placeholder template_placeholders[] = {PLACEHOLDERS(PLACEHOLDER_ROW)};
static value_function *const values[] = {PLACEHOLDERS(PLACEHOLDER_VALUE)};
const size_t template_placeholder_count = sizeof template_placeholders / sizeof template_placeholders[0];

size_t template_find(struct str name)
{
    size_t place = 0;

    while (place < template_placeholder_count && !str_equal(name, str_of(template_placeholders[place].name)))
        place++;
    return place;
}

void template_value(size_t place, const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to)
{
    struct buf raw = {0};

    values[place](scene, r, &raw);
    mime_clean(buf_str(&raw), true, to);
    buf_done(&raw);
}
