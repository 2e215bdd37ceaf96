#include "test.h"

#include "policy/expand.h"

#include "policy/lists.h"
#include "policy/recipients.h"

/* A directory whose aliases are this table: `here` and `also` are local, `relay` is a rcpthost, others are not. */
static const struct {
    const char *alias;
    const char *targets[7];
    const char *command;
    bool is_list;
} aliases[] = {
    {"one", {"joe@else"}, NULL, false},
    {"many", {"joe@else", "ann@relay", "box@here", "Joe@else"}, NULL, false},
    {"tree", {"many@here", "one@also", "last@else"}, NULL, false},
    {"self", {"self@here"}, NULL, false},
    {"a", {"joe@else", "b@here"}, NULL, false},
    {"b", {"c@here"}, NULL, false},
    {"c", {"a@here"}, NULL, false},
    {"detailed", {"Detailed+x@here"}, NULL, false},
    {"broken", {"joe@else", "unasked@here"}, NULL, false},
    {"beyond", {"joe@unasked"}, NULL, false},
    {"odd", {"no address", "joe@else"}, NULL, false},
    {"run", {NULL}, "true", false},
    {"both", {"run@here", "RUN+x@here", "both2@here"}, NULL, false},
    {"both2", {"box@here"}, "cat", false},
    {"list", {"joe@else", "box@here", "inner@here", "ann@relay"}, NULL, true},
    {"inner", {"joe@else", "in@else"}, "cat", true},
    {"same", {"box@here", "BOX@here", "box+a@here", "box+b@here", "nobody@here", "any1@catch", "any2@catch"}, NULL, false},
    {"d1", {"d2@here"}, NULL, false}, {"d2", {"d3@here"}, NULL, false}, {"d3", {"d4@here"}, NULL, false}, {"d4", {"d5@here"}, NULL, false},
    {"d5", {"d6@here"}, NULL, false}, {"d6", {"d7@here"}, NULL, false}, {"d7", {"d8@here"}, NULL, false}, {"d8", {"d9@here"}, NULL, false},
    {"d9", {"d10@here"}, NULL, false}, {"d10", {"d11@here"}, NULL, false}, {"d11", {"joe@else"}, NULL, false},
};

static int questions, relayips;
static struct conf conf;

static enum answer ask_rcpthost(void *self, struct str domain, struct rcpthost *host)
{
    (void)self;
    questions++;
    *host =
        (struct rcpthost){.is_local = str_equal(domain, STR("here")) || str_equal(domain, STR("also")) || str_equal(domain, STR("catch"))};
    if (str_equal(domain, STR("unasked")))
        return ANSWER_FAILED;
    return host->is_local || str_equal(domain, STR("relay")) ? ANSWER_YES : ANSWER_NO;
}

static struct str at(struct str local, struct str domain, struct arena *arena)
{
    return path_format(arena_lower(arena, local), domain, arena);
}

static bool find_alias(struct str name, struct str domain, struct arena *arena, struct local *found)
{
    found->targets = arena_new(arena, 1100 * sizeof *found->targets);
    for (size_t i = 0; i < TEST_COUNT(aliases); i++) {
        if (!str_equal_nocase(name, str_of(aliases[i].alias)))
            continue;
        for (size_t j = 0; j < TEST_COUNT(aliases[i].targets) && aliases[i].targets[j] != NULL; j++)
            found->targets[found->count++] = str_of(aliases[i].targets[j]);
        found->command = str_of(aliases[i].command);
        found->is_list = aliases[i].is_list;
    }
    for (uint64_t i = 0, n = 0; str_number(name, 1100, &n) && i < n; i++) {
        char text[40];

        snprintf(text, sizeof text, "u%d@else", (int)i);
        found->targets[found->count++] = arena_str(arena, str_of(text));
    }
    if (found->count > 0 || found->command.length > 0)
        found->alias = at(name, domain, arena);
    return found->alias.length > 0;
}

/* box and long-bounces have mailboxes everywhere, postmaster at `also`, and all else at `catch` is all's; `here` has a mailbox "a b". */
static bool find_mailbox(struct str name, struct str domain, struct arena *arena, struct local *found)
{
    if (str_equal_nocase(name, STR("box")) || str_equal(name, STR("long-bounces")) || str_equal(name, STR("a b")) ||
        (str_equal_nocase(name, STR("postmaster")) && str_equal(domain, STR("also"))))
        found->mailbox = at(name, domain, arena);
    return found->mailbox.length > 0;
}

static enum answer ask_local(void *self, struct str local, struct str domain, char delimiter, struct arena *arena, struct local *found)
{
    size_t end = delimiter != '\0' ? str_find(local, delimiter, 1) : local.length;
    struct str name = str_part(local, 0, end);

    (void)self;
    questions++;
    *found = (struct local){0};
    if (str_equal(local, STR("unasked")))
        return ANSWER_FAILED;
    if (find_mailbox(local, domain, arena, found) || find_alias(local, domain, arena, found))
        return ANSWER_YES;
    if (end < local.length && (find_mailbox(name, domain, arena, found) || find_alias(name, domain, arena, found))) {
        found->detail = arena_str(arena, str_from(local, end + 1));
        return ANSWER_YES;
    }
    if (!str_equal(domain, STR("catch")))
        return ANSWER_NO;
    found->mailbox = STR("all@catch");
    found->is_catchall = true;
    return ANSWER_YES;
}

static enum answer ask_relayip(void *self, const struct address *client)
{
    (void)self;
    check(client != NULL);
    relayips++;
    return ANSWER_NO;
}

static const struct directory directory = {.rcpthost = ask_rcpthost, .local = ask_local, .relayip = ask_relayip};

static void set_conf(const char *postmaster, const char *delimiter)
{
    conf.me = "mx.own";
    conf.postmaster = postmaster;
    conf.recipient_delimiter = delimiter;
}

static struct expansion expand(const char *address, struct arena *arena)
{
    struct expansion x;
    struct path path;

    questions = 0;
    check(path_parse_address(&path, str_of(address), arena) == PATH_OK);
    policy_expand(&x, &directory, &conf, &path, arena);
    return x;
}

/* The targets with a space behind each, `!` before those that are outside, `|` before commands, and the list in brackets; or the status. */
static void check_expand(const char *address, const char *expected)
{
    struct arena arena = {0};
    struct expansion x = expand(address, &arena);
    struct buf text = {0};

    for (const struct target *t = x.targets; t != NULL && status_is_ok(&x.status); t = t->next) {
        buf_print(&text, "%s%s%.*s", t->is_outside ? "!" : "", t->is_command ? "|" : "", STR_ARG(t->path.address));
        if (t->list.length > 0)
            buf_print(&text, "(%.*s)", STR_ARG(t->list));
        buf_add_byte(&text, ' ');
    }
    if (!status_is_ok(&x.status))
        buf_print(&text, "%d %d.%d.%d %.*s", x.status.code, x.status.class, x.status.subject, x.status.detail, STR_ARG(x.loop));
    if (!check_text(buf_text(&text), expected))
        printf("#   %s\n", address);
    buf_done(&text);
    arena_done(&arena);
}

static void who_stands_for_himself(void)
{
    check_expand("box@here", "box@here ");
    check_expand("joe@relay", "joe@relay ");
    check_expand("joe@else", "!joe@else ");
}

static void a_mailbox_keeps_its_detail(void)
{
    check_expand("Box@here", "box@here ");
    check_expand("BOX+Some.Thing@here", "box+Some.Thing@here ");
    check_expand("box+a+b@here", "box+a+b@here ");
    check_expand("box+@here", "box@here ");
    check_expand("\"box+a b\"@here", "\"box+a b\"@here ");
    check_expand("\"a b\"@here", "\"a b\"@here ");
    check_expand("\"a b+../x\"@here", "\"a b+../x\"@here ");
    check_expand("any+x@catch", "all@catch ");
    check_expand("box+\xc3\xbc@here", "box@here "); /* Dovecot's LMTP would refuse it */
    set_conf("", "");
    check_expand("box+a@here", "box+a@here "); /* nobody's */
    set_conf("", "-");
    check_expand("box-a@here", "box-a@here ");
    set_conf("", "+");
}

static void each_address_once_and_in_order(void)
{
    check_expand("one@here", "!joe@else ");
    check_expand("many@here", "!joe@else ann@relay box@here !Joe@else ");
    check_expand("tree@here", "!joe@else ann@relay box@here !Joe@else !last@else ");
    check_expand("same@here", "box@here box+a@here box+b@here nobody@here all@catch ");
    check_expand("odd@here", "451 4.3.5 ");
}

static void commands_run_once(void)
{
    check_expand("run@here", "|run@here ");
    check_expand("Run+x@here", "|run@here ");
    check_expand("both2@here", "|both2@here box@here ");
    check_expand("both@here", "|run@here |both2@here box@here ");
}

static void members_know_their_list(void)
{
    check_expand("list@here", "!joe@else(list@here) box@here(list@here) |inner@here(list@here) !in@else(inner@here) ann@relay(list@here) ");
    check_expand("inner+x@also", "|inner@also !joe@else(inner@also) !in@else(inner@also) ");
}

static void loops(void)
{
    check_expand("self@here", "554 5.4.6 self@here");
    check_expand("a@here", "554 5.4.6 a@here");
    check_expand("c@here", "554 5.4.6 c@here");
    check_expand("detailed@here", "554 5.4.6 detailed@here");
}

static void depth(void)
{
    check_expand("d2@here", "!joe@else ");
    check_expand("d1@here", "554 5.4.6 joe@else");
}

/* TMAIL_POSTMASTER stands in for those whom nobody else is. */
static void roles(void)
{
    check_expand("postmaster@here", "postmaster@here ");
    check_expand("postmaster@mx.own", "!postmaster@mx.own ");
    check_expand("abuse@catch", "all@catch ");
    set_conf("root@else", "+");
    check_expand("Postmaster@here", "!root@else ");
    check_expand("abuse@here", "!root@else ");
    check_expand("abuse@catch", "!root@else ");
    check_expand("postmaster@also", "postmaster@also ");
    check_expand("hostmaster@here", "hostmaster@here ");
    check_expand("postmaster@mx.own", "!root@else ");
    check_expand("abuse@mx.own", "!root@else ");
    check_expand("other@mx.own", "!other@mx.own ");
    check_expand("postmaster@relay", "postmaster@relay ");
    check_expand("abuse@else", "!abuse@else ");
    set_conf("tree@here", "+");
    check_expand("abuse@here", "!joe@else ann@relay box@here !Joe@else !last@else ");
    set_conf("postmaster@here", "+");
    check_expand("abuse@here", "postmaster@here ");
    check_expand("Postmaster@here", "Postmaster@here "); /* nobody's, and no loop */
    set_conf("postmaster@mx.own", "+");
    check_expand("abuse@here", "!postmaster@mx.own ");
    set_conf("abuse@catch", "+");
    check_expand("abuse@catch", "all@catch ");
    set_conf("", "+");
}

/* What members' servers send back is read by who reads the postmaster's mail. */
static void bounces_of_lists(void)
{
    check_expand("list-bounces@also", "postmaster@also ");
    check_expand("list-bounces@catch", "all@catch ");
    check_expand("list-bounces@here", "list-bounces@here ");
    set_conf("root@else", "+");
    check_expand("list-bounces@here", "!root@else ");
    check_expand("LIST-Bounces@catch", "!root@else ");
    check_expand("list-bounces@also", "postmaster@also ");
    check_expand("one-bounces@here", "one-bounces@here "); /* no list */
    check_expand("one-bounces@catch", "all@catch ");
    check_expand("-bounces@here", "-bounces@here ");
    check_expand("long-bounces@here", "long-bounces@here ");
    check_expand("list+bounces@else", "!list+bounces@else ");
    set_conf("root@else", "-"); /* else it were the list, and a bounce for all members */
    check_expand("list-bounces@here", "!root@else ");
    check_expand("one-bounces@here", "!joe@else ");
    set_conf("", "-");
    check_expand("list-bounces@catch", "all@catch ");
    check_expand("list-bounces@here", "list-bounces@here ");
    set_conf("", "+");
}

static void check_sender(const char *list, const char *expected)
{
    struct arena arena = {0};
    struct str name = {0}, sender = policy_list_sender(str_of(list), &arena);
    struct path path;

    check_str(sender, str_of(expected));
    if (expected[0] != '\0' && check(path_parse_address(&path, sender, &arena) == PATH_OK) && check(policy_list_of(path.local, &name)))
        check_str(path_format(name, path.domain, &arena), str_of(list));
    arena_done(&arena);
}

static void senders_of_lists(void)
{
    struct str name;

    check_sender("list@here", "list-bounces@here");
    check_sender("\"a list\"@here", "\"a list-bounces\"@here");
    check_sender("a-bounces@here", "a-bounces-bounces@here");
    check_sender("nothing", "");
    check(!policy_list_of(STR("-bounces"), &name));
    check(!policy_list_of(STR("bounces"), &name));
    check(!policy_list_of(STR(""), &name));
}

static struct policy_verdict judge_for(const struct policy_client *client, const char *address)
{
    struct arena arena = {0};
    struct policy_verdict v;
    struct path path;

    check(path_parse_address(&path, str_of(address), &arena) == PATH_OK);
    v = policy_recipient(&directory, client, &conf, &path);
    arena_done(&arena);
    return v;
}

static struct policy_verdict judge(const char *address)
{
    return judge_for(&(struct policy_client){.address = &(struct address){0}}, address);
}

static void who_may_receive(void)
{
    static const struct {
        const char *postmaster, *address;
        int code;
        bool is_local, unknown;
    } table[] = {
        {"", "box@here", 250, true, false},           {"", "box+x@here", 250, true, false},
        {"", "list@here", 250, true, false},          {"", "nobody@here", 550, false, true},
        {"", "postmaster@here", 550, false, true},    {"", "any@catch", 250, true, false},
        {"", "joe@relay", 250, false, false},         {"", "unasked@here", 451, false, false},
        {"", "list-bounces@here", 550, false, true},  {"", "list-bounces@also", 250, true, false},
        {"", "postmaster@mx.own", 250, false, false}, {"root@else", "abuse@mx.own", 250, false, false},
        {"root@else", "postmaster@here", 250, true, false}, {"root@else", "abuse@here", 250, true, false},
        {"root@else", "list-bounces@here", 250, true, false}, {"root@else", "nobody@here", 550, false, true},
    };

    for (size_t i = 0; i < TEST_COUNT(table); i++) {
        struct policy_verdict v;

        set_conf(table[i].postmaster, "+");
        v = judge(table[i].address);
        if (!check_number(v.status.code, table[i].code) || !check(v.is_local == table[i].is_local) ||
            !check(v.unknown_recipient == table[i].unknown))
            printf("#   %s\n", table[i].address);
    }
    set_conf("", "+");
}

/* A sender that we once rewrote, and whose domain has just gone: asked for nobody, it is nobody's right. */
static void who_has_no_address_is_no_relayip(void)
{
    const struct policy_client nobody = {0};
    struct policy_verdict v = judge_for(&nobody, "joe@else");

    check_number(v.status.code, 554);
    check_number(relayips, 0);
    check_number(judge("joe@else").status.code, 554);
    check_number(relayips, 1);
}

static void what_cannot_be_asked(void)
{
    check_expand("broken@here", "451 4.3.0 ");
    check_expand("beyond@here", "451 4.3.0 ");
    check_expand("unasked@here", "451 4.3.0 ");
    check_expand("unasked-bounces@here", "451 4.3.0 ");
}

static void number(void)
{
    struct arena arena = {0};
    struct expansion x = expand("1000@here", &arena);

    check(status_is_ok(&x.status));
    check_number(x.count, 1000);
    check_expand("1001@here", "452 4.5.3 ");
    arena_done(&arena);
}

/* An address that was seen is not asked about again. */
static void questions_are_asked_once(void)
{
    struct arena arena = {0};

    (void)expand("tree@here", &arena);
    check_number(questions, 2 + 2 + 1 + 1 + 2 + 1 + 2 + 1);
    arena_done(&arena);
}

static const struct test_case cases[] = {
    TEST_CASE(who_stands_for_himself),
    TEST_CASE(a_mailbox_keeps_its_detail),
    TEST_CASE(each_address_once_and_in_order),
    TEST_CASE(commands_run_once),
    TEST_CASE(members_know_their_list),
    TEST_CASE(loops),
    TEST_CASE(depth),
    TEST_CASE(roles),
    TEST_CASE(bounces_of_lists),
    TEST_CASE(senders_of_lists),
    TEST_CASE(who_may_receive),
    TEST_CASE(who_has_no_address_is_no_relayip),
    TEST_CASE(what_cannot_be_asked),
    TEST_CASE(number),
    TEST_CASE(questions_are_asked_once),
};

int main(int argc, char **argv)
{
    set_conf("", "+");
    return test_main(cases, TEST_COUNT(cases), argc, argv);
}
