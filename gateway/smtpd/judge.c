#include "smtpd/judge.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "conf/sasl_list.h"
#include "conf/schema.h"
#include "directory/names.h"
#include "dovecot/auth.h"
#include "sasl/server.h"

#include <stdio.h>
#include <string.h>

/* How long Dovecot may take for a login, and for its list; how long a list is good, and when it is asked for again after a failure. */
enum { DOVECOT_MS = 30000, DOVECOT_LIST_MS = 3000, DOVECOT_GOOD_MS = 60000, DOVECOT_AGAIN_MS = 5000 };

struct judge {
    const struct conf *conf;
    const struct directory *directory;
    struct sasl_users users;
    struct sasl_list wanted;
    bool wants_all; /* that Dovecot has */
    struct lock lock;
    struct judge_mechanism offered[JUDGE_MECHANISMS]; /* by Dovecot, when it last said */
    size_t offered_count;
    int64_t ask_at;
};

struct exchange {
    const struct judge *judge;
    struct sasl_server *own;
    struct dovecot_auth *dovecot;
    struct buf challenge;
    char login[NAME_SIZE];
};

static enum sasl_answer answer_of(enum answer answer)
{
    return answer == ANSWER_YES ? SASL_YES : answer == ANSWER_NO ? SASL_NO : SASL_FAILED;
}

static enum sasl_answer check(void *self, struct str login, struct str password)
{
    const struct directory *d = ((const struct judge *)self)->directory;

    return answer_of(d->check_password(d->self, login, password));
}

static enum sasl_answer keys(void *self, struct str login, struct sasl_keys *to)
{
    const struct directory *d = ((const struct judge *)self)->directory;

    return answer_of(d->keys(d->self, login, to));
}

static bool is_set(const struct conf *conf, const char *key)
{
    size_t place = schema_find(conf->schema, str_of(key));

    return place < conf->schema->count && conf->sources[place].origin != CONF_DEFAULT;
}

struct judge *judge_new(const struct conf *conf, const struct directory *directory)
{
    struct judge *j = memory_new(sizeof *j);
    struct buf unused = {0};

    j->conf = conf;
    j->directory = directory;
    j->users = (struct sasl_users){.self = j, .check = check, .keys = keys};
    j->wants_all = !is_set(conf, "TMAIL_SMTPD_AUTH_MECHANISMS");
    lock_init(&j->lock);
    sasl_list_parse(&j->wanted, str_of(conf->smtpd_auth_mechanisms), &unused);
    buf_done(&unused);
    return j;
}

bool judge_vouches(const struct judge *j)
{
    return j->conf->dovecot_auth[0] != '\0';
}

static size_t own_mechanisms(const struct judge *j, struct judge_mechanism *to)
{
    size_t count = 0;

    for (size_t i = 0; i < j->wanted.count && count < JUDGE_MECHANISMS; i++) {
        enum sasl_mechanism m;

        if (!sasl_mechanism_find(str_of(j->wanted.names[i]), &m) || m == SASL_XOAUTH2 || m == SASL_OAUTHBEARER)
            continue;
        to[count] = (struct judge_mechanism){.shows_secret = sasl_mechanism_shows_secret(m), .needs_binding = m == SASL_SCRAM_SHA_256_PLUS};
        snprintf(to[count++].name, JUDGE_NAME, "%s", j->wanted.names[i]);
    }
    return count;
}

/* Bindings are not carried to Dovecot, and nobody who is anonymous may relay. */
static bool is_passed_on(const struct judge *j, const char *name)
{
    if (str_ends(str_of(name), STR("-PLUS")) || strcmp(name, "ANONYMOUS") == 0 || strcmp(name, "EXTERNAL") == 0)
        return false;
    return j->wants_all || sasl_list_has(&j->wanted, name);
}

static void take_list(struct judge *j, const struct dovecot_auth *a)
{
    size_t count;
    const struct dovecot_mechanism *list = dovecot_auth_mechanisms(a, &count);

    j->offered_count = 0;
    for (size_t i = 0; i < count && j->offered_count < JUDGE_MECHANISMS; i++) {
        struct judge_mechanism *to = &j->offered[j->offered_count];

        if (!is_passed_on(j, list[i].name))
            continue;
        to->shows_secret = list[i].plaintext;
        to->needs_binding = false;
        snprintf(to->name, sizeof to->name, "%s", list[i].name);
        j->offered_count++;
    }
}

static struct dovecot_auth *open_dovecot(struct judge *j, int64_t patience)
{
    char error[512];
    struct dovecot_auth *a = dovecot_auth_open(j->conf->dovecot_auth, clock_now() + patience, error, sizeof error);

    if (a == NULL) {
        log_message(LOG_LEVEL_ERROR, "dovecot-auth", "%s", error);
        return NULL;
    }
    lock_take(&j->lock);
    take_list(j, a);
    j->ask_at = clock_now() + DOVECOT_GOOD_MS;
    lock_release(&j->lock);
    return a;
}

static bool is_time_to_ask(struct judge *j)
{
    bool due;

    lock_take(&j->lock);
    due = clock_now() >= j->ask_at;
    if (due)
        j->ask_at = clock_now() + DOVECOT_AGAIN_MS; /* one thread asks, the others use what is there */
    lock_release(&j->lock);
    return due;
}

static size_t dovecot_mechanisms(struct judge *j, struct judge_mechanism *to)
{
    struct dovecot_auth *a;
    size_t count;

    if (is_time_to_ask(j) && (a = open_dovecot(j, DOVECOT_LIST_MS)) != NULL)
        dovecot_auth_close(&a);
    lock_take(&j->lock);
    count = j->offered_count;
    memcpy(to, j->offered, count * sizeof *to);
    lock_release(&j->lock);
    return count;
}

size_t judge_mechanisms(struct judge *j, struct judge_mechanism *to)
{
    return judge_vouches(j) ? dovecot_mechanisms(j, to) : own_mechanisms(j, to);
}

static enum sasl_result note_reason(const struct dovecot_auth *a, enum sasl_result result)
{
    if (result == SASL_UNAVAILABLE)
        log_message(LOG_LEVEL_ERROR, "dovecot-auth", "%s", dovecot_auth_reason(a));
    return result;
}

static enum sasl_result begin_dovecot(struct judge *j, struct exchange *x, const char *mechanism, const struct judge_client *client,
                                      struct str initial)
{
    const struct dovecot_client c = {.peer = client->peer, .local = client->local, .tls = client->tls, .session = client->session};

    x->dovecot = open_dovecot(j, DOVECOT_MS);
    if (x->dovecot == NULL)
        return SASL_UNAVAILABLE;
    return note_reason(x->dovecot, dovecot_auth_begin(x->dovecot, mechanism, &c, initial, clock_now() + DOVECOT_MS, &x->challenge));
}

/* One step of our own; the challenge is encoded in place. */
static enum sasl_result step_own(struct exchange *x, struct str response)
{
    struct buf decoded = {.limit = SASL_RESPONSE_MAX}, challenge = {0};
    enum sasl_result result = SASL_MALFORMED;

    buf_clear(&x->challenge);
    if (base64_decode(response, &decoded) && !decoded.full) {
        result = sasl_server_step(x->own, buf_str(&decoded), &challenge);
        base64_encode(buf_str(&challenge), &x->challenge);
    }
    crypto_wipe_buf(&decoded);
    buf_done(&challenge);
    return result;
}

static enum sasl_result begin_own(const struct judge *j, struct exchange *x, const char *mechanism, const struct judge_client *client,
                                  struct str initial)
{
    const struct sasl_settings settings = {
        .users = &j->users, .me = j->conf->me, .binding = client->binding, .offers_plus = client->offers_plus,
        .decoy = {(const char *)j->directory->decoy, sizeof j->directory->decoy}};
    enum sasl_mechanism m;

    if (!sasl_mechanism_find(str_of(mechanism), &m))
        return SASL_MALFORMED;
    x->own = sasl_server_begin(m, &settings);
    if (initial.data == NULL)
        return sasl_server_wants_initial(m) ? SASL_CONTINUE : step_own(x, STR(""));
    /* RFC 4954 section 4: where the server speaks first there is no initial response; LOGIN's clients send one all the same. */
    if (!sasl_server_wants_initial(m) && m != SASL_LOGIN)
        return SASL_MALFORMED;
    return step_own(x, initial);
}

/* The directory's form of the name that was given.  One that has none is nobody's whom an administrator here could have meant. */
static enum sasl_result note_login(struct exchange *x, enum sasl_result result)
{
    const char *login = x->own != NULL ? sasl_server_login(x->own) : x->dovecot != NULL ? dovecot_auth_login(x->dovecot) : "";

    if (name_login(str_of(login), x->login))
        return result;
    str_copy(str_of(login), x->login, sizeof x->login);
    return result == SASL_DONE ? SASL_REFUSED : result;
}

enum sasl_result judge_begin(struct judge *j, const char *mechanism, const struct judge_client *client, struct str initial,
                             struct exchange **exchange)
{
    struct exchange *x = *exchange = memory_new(sizeof *x);
    enum sasl_result result;

    x->judge = j;
    if (initial.data != NULL && str_equal(initial, STR("=")))
        initial = STR("");
    result = judge_vouches(j) ? begin_dovecot(j, x, mechanism, client, initial) : begin_own(j, x, mechanism, client, initial);
    return note_login(x, result);
}

enum sasl_result exchange_step(struct exchange *x, struct str response)
{
    enum sasl_result result;

    if (x->own != NULL)
        result = step_own(x, response);
    else
        result = note_reason(x->dovecot, dovecot_auth_continue(x->dovecot, response, clock_now() + DOVECOT_MS, &x->challenge));

    return note_login(x, result);
}

struct str exchange_challenge(const struct exchange *x)
{
    return buf_str(&x->challenge);
}

const char *exchange_login(const struct exchange *x)
{
    return x->login;
}

void exchange_end(struct exchange **x)
{
    if (*x == NULL)
        return;
    sasl_server_end(&(*x)->own);
    dovecot_auth_close(&(*x)->dovecot);
    buf_done(&(*x)->challenge);
    memory_free(x);
}
