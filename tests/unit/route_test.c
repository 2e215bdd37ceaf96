#include "test.h"

#include "route/route.h"

#include <string.h>

static struct arena arena;
static struct route routes[4];
static size_t route_count;
static struct route_question asked;
static struct rcpthost domain;
static enum answer domain_answer, local_answer;
static struct local local;
static struct conf conf;

static enum answer find_domain(void *self, struct str name, struct rcpthost *host)
{
    (void)self;
    (void)name;
    *host = domain;
    return domain_answer;
}

static enum answer find_routes(void *self, const struct route_question *question, struct arena *to, struct route **found, size_t *count)
{
    (void)self;
    (void)to;
    asked = *question;
    *found = routes;
    *count = route_count;
    return route_count > 0 ? ANSWER_YES : ANSWER_NO;
}

static enum answer find_local(void *self, struct str name, struct str host, char delimiter, struct arena *to, struct local *found)
{
    (void)self;
    (void)to;
    check_str(name, STR("a b"));
    check_str(host, STR("here.example"));
    check(delimiter == '\0');
    *found = local;
    return local_answer;
}

static const struct directory directory = {.rcpthost = find_domain, .routes = find_routes, .local = find_local};
static const struct route_means means = {&conf, &directory};

static void find(struct route_plan *plan)
{
    static struct envelope envelope;

    arena_done(&arena);
    envelope_init(&envelope, &arena);
    route_find(plan, &means, &envelope, STR("here.example"), &arena);
}

static void reset(bool is_local)
{
    domain = (struct rcpthost){.is_local = is_local};
    domain_answer = ANSWER_YES;
    route_count = 0;
    conf = (struct conf){.dovecot_support_enabled = true, .lmtp_address = "unix:/run/l", .lmtp_tls = "may"};
}

static void mail_without_a_route_goes_to_the_mx(void)
{
    struct route_plan plan;

    reset(false);
    find(&plan);
    check(!asked.named && !plan.is_local);
    if (check_number(plan.count, 1)) {
        check(plan.hops[0].is_mx);
        check_number(plan.hops[0].kind, HOP_SMTP);
        check_text(plan.hops[0].host, "here.example");
    }
}

static void local_mail_goes_to_dovecot_by_lmtp(void)
{
    struct route_plan plan;

    reset(true);
    conf.lmtp_address = "unix:/run/l; inet:back.example:24,[::1]:2400";
    conf.lmtp_tls = "verify";
    find(&plan);
    check(asked.named && plan.is_local && !plan.one_by_one && status_is_ok(&plan.status));
    if (!check_number(plan.count, 3))
        return;
    for (size_t i = 0; i < 3; i++) {
        check_number(plan.hops[i].kind, HOP_LMTP);
        check_number(plan.hops[i].priority, (int)i);
        check(plan.hops[i].has_tls_rule && plan.hops[i].tls_rule.policy == TLS_VERIFY);
    }
    check_text(plan.hops[0].path, "/run/l");
    check(plan.hops[1].path == NULL && plan.hops[1].port == 24);
    check_text(plan.hops[1].host, "back.example");
    check_text(plan.hops[2].host, "::1");
    check(strcmp(plan.hops[0].key, plan.hops[1].key) != 0 && strcmp(plan.hops[1].key, plan.hops[2].key) != 0);
}

static void lda_takes_one_recipient_at_a_time(void)
{
    struct route_plan plan;

    reset(true);
    conf.local_delivery = LOCAL_DELIVERY_LDA;
    find(&plan);
    check(plan.is_local && plan.one_by_one);
    if (check_number(plan.count, 1))
        check_number(plan.hops[0].kind, HOP_LDA);
}

static void without_dovecot_local_mail_waits(void)
{
    struct route_plan plan;

    reset(true);
    conf.dovecot_support_enabled = false;
    find(&plan);
    check_number(plan.count, 0);
    check_number(plan.status.code, 451);
    check_has(plan.status.text, "TMAIL_DOVECOT_SUPPORT_ENABLED");
}

static void a_route_to_a_local_domain_comes_first(void)
{
    struct route_plan plan;

    reset(true);
    routes[0] = (struct route){.id = 7, .host = "here.example", .remote_host = "lmtp:unix:/run/other", .remote_port = 25, .tls = "none"};
    routes[1] = (struct route){.id = 8, .host = "here.example", .remote_host = "lmtp:[2001:db8::1]:24", .remote_port = 25, .priority = 2};
    routes[2] = (struct route){.id = 9, .host = "here.example", .remote_host = "lmtp:nonsense", .remote_port = 25, .priority = 3};
    route_count = 3;
    find(&plan);
    check(!plan.is_local && status_is_ok(&plan.status));
    if (!check_number(plan.count, 2))
        return;
    check_number(plan.hops[0].kind, HOP_LMTP);
    check_text(plan.hops[0].path, "/run/other");
    check_number(plan.hops[1].kind, HOP_LMTP);
    check_text(plan.hops[1].host, "2001:db8::1");
    check_number(plan.hops[1].port, 24);
    check(strcmp(plan.hops[0].key, plan.hops[1].key) != 0);
}

static void an_alias_with_a_command_is_run(void)
{
    static const struct {
        enum answer answer;
        const char *command;
        bool found;
        int code;
    } table[] = {
        {ANSWER_YES, "/bin/x -y", true, 250},
        {ANSWER_YES, "", false, 0},
        {ANSWER_NO, "", false, 0},
        {ANSWER_FAILED, "", true, 451},
    };
    const struct recipient recipient = {.address = STR("\"a b\"@Here.Example"), .domain = STR("here.example")};

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct route_plan plan = {0};

        reset(true);
        local_answer = table[i].answer;
        local = (struct local){.alias = STR("a b@here.example"), .command = str_of(table[i].command)};
        if (!check(route_find_command(&plan, &means, &recipient, &arena) == table[i].found) || !table[i].found)
            continue;
        check(plan.is_local);
        check(table[i].code == 250 ? status_is_ok(&plan.status) : plan.status.code == table[i].code);
        if (table[i].code != 250 || !check_number(plan.count, 1))
            continue;
        check(plan.one_by_one);
        check_number(plan.hops[0].kind, HOP_COMMAND);
        check_text(plan.hops[0].command, "/bin/x -y");
    }
}

static void a_question_that_fails_makes_mail_wait(void)
{
    struct route_plan plan;

    reset(true);
    domain_answer = ANSWER_FAILED;
    find(&plan);
    check_number(plan.count, 0);
    check_number(plan.status.code, 451);
}

static const struct test_case cases[] = {
    TEST_CASE(mail_without_a_route_goes_to_the_mx),
    TEST_CASE(local_mail_goes_to_dovecot_by_lmtp),
    TEST_CASE(lda_takes_one_recipient_at_a_time),
    TEST_CASE(without_dovecot_local_mail_waits),
    TEST_CASE(a_route_to_a_local_domain_comes_first),
    TEST_CASE(an_alias_with_a_command_is_run),
    TEST_CASE(a_question_that_fails_makes_mail_wait),
};

int main(int argc, char **argv)
{
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
