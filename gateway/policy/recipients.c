#include "policy/recipients.h"

#include "policy/residents.h"

static struct policy_verdict refused(struct status status, bool unknown_recipient)
{
    return (struct policy_verdict){.status = status, .unknown_recipient = unknown_recipient};
}

static struct policy_verdict not_answered(void)
{
    return refused(status_make(451, "4.3.0", "Cannot look up the recipient now, try again later"), false);
}

static struct policy_verdict accepted(enum policy_rule rule)
{
    return (struct policy_verdict){.status = status_make(250, "", "ok"), .rule = rule};
}

static struct policy_verdict local_recipient(const struct directory *d, const struct conf *conf, const struct path *path)
{
    struct resident found;
    struct arena arena;
    enum answer answer;

    arena_init(&arena);
    answer = policy_resident(d, conf, path, &arena, &found);
    arena_done(&arena);
    switch (answer) {
    case ANSWER_YES:
        return (struct policy_verdict){.status = status_make(250, "", "ok"), .rule = POLICY_RCPTHOST, .is_local = true};
    case ANSWER_NO:
        return refused(status_make(550, "5.1.1", "<%.*s>: No such user here", STR_ARG(path->address)), true);
    case ANSWER_FAILED:
        break;
    }
    return not_answered();
}

static enum answer login_may_relay(const struct directory *d, const struct policy_client *client)
{
    struct user user;

    if (client->login.length == 0)
        return ANSWER_NO;
    switch (d->user(d->self, client->login, &user)) {
    case ANSWER_YES:
        return user.relay && user.active ? ANSWER_YES : ANSWER_NO;
    case ANSWER_NO:
        return client->vouched ? ANSWER_YES : ANSWER_NO;
    case ANSWER_FAILED:
        break;
    }
    return ANSWER_FAILED;
}

static struct policy_verdict by_client(const struct directory *d, const struct policy_client *client, const struct path *path)
{
    enum answer answer = client->address != NULL ? d->relayip(d->self, client->address) : ANSWER_NO;
    enum policy_rule rule = POLICY_RELAYIP;

    if (answer == ANSWER_NO) {
        answer = login_may_relay(d, client);
        rule = POLICY_LOGIN;
    }
    if (answer == ANSWER_FAILED)
        return not_answered();
    if (answer == ANSWER_YES)
        return accepted(rule);
    return refused(status_make(554, "5.7.1", "<%.*s>: Relay access denied.", STR_ARG(path->address)), false);
}

struct policy_verdict policy_recipient(const struct directory *d, const struct policy_client *client, const struct conf *conf,
                                       const struct path *path)
{
    struct rcpthost host;

    if (policy_is_host_role(conf, path))
        return accepted(POLICY_POSTMASTER);
    switch (d->rcpthost(d->self, path->host, &host)) {
    case ANSWER_YES:
        return host.is_local ? local_recipient(d, conf, path) : accepted(POLICY_RCPTHOST);
    case ANSWER_NO:
        return by_client(d, client, path);
    case ANSWER_FAILED:
        break;
    }
    return not_answered();
}

const char *policy_rule_text(enum policy_rule rule)
{
    static const char *const texts[] = {"",
                                        "postmaster of this host",
                                        "the domain is a rcpthost",
                                        "the client is a relayip",
                                        "the login may relay",
                                        "a sender that was rewritten here",
                                        "Dovecot has the mailbox"};

    return texts[rule];
}

void policy_complete_postmaster(struct path *path, const char *me, struct arena *arena)
{
    path->domain = path->host = arena_str(arena, str_of(me));
    path->address = path_format(path->local, path->domain, arena);
}
