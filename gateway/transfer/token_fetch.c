#include "transfer/token_fetch.h"

#include "base/log.h"
#include "directory/oauth.h"
#include "net/http.h"

#include <string.h>

enum { ERROR_SIZE = 512 };

struct fetch {
    const struct token_source *source;
    const char *name;
    struct token_unstored *unstored;
    int64_t deadline;
    struct token_answer *answer;
    struct arena arena; /* the client's strings */
    struct oauth_client client;
    struct str refresh_token; /* what is sent; empty: the grant is client_credentials */
};

static struct status problem(const char *name, const char *what, const char *detail)
{
    return status_make(454, "4.7.0", "OAuth client %s: %s%s", name, what, detail);
}

void token_unstored_done(struct token_unstored *u)
{
    buf_done(&u->given);
    buf_done(&u->replaces);
}

static void choose_refresh_token(struct fetch *f)
{
    struct str stored = str_of(f->client.refresh_token);
    const struct token_unstored *u = f->unstored;

    f->refresh_token = u->given.length > 0 && str_equal(buf_str(&u->replaces), stored) ? buf_str(&u->given) : stored;
}

static struct status read_client(struct fetch *f)
{
    char error[ERROR_SIZE];
    struct tables *t = tables_open_read(f->source->db_path, error, sizeof error);
    struct status s;

    if (t == NULL)
        return problem(f->name, "", error);
    s = oauth_find(t, f->source->secrets, f->name, &f->arena, &f->client);
    tables_close(&t);
    if (status_is_permanent(&s))
        return status_make(454, "4.7.0", "%s", s.text); /* which names the client that is not there */
    if (!status_is_ok(&s))
        return problem(f->name, "", s.text);
    choose_refresh_token(f);
    return s;
}

static void add_some(struct buf *form, const char *name, struct str value)
{
    if (value.length > 0)
        http_add_field(form, name, value);
}

/* RFC 6749 sections 4.4.2, 6; the client's own secret in the body (section 2.3.1) is what every endpoint takes. */
static void write_form(const struct fetch *f, struct buf *form)
{
    http_add_field(form, "grant_type", f->refresh_token.length > 0 ? STR("refresh_token") : STR("client_credentials"));
    add_some(form, "refresh_token", f->refresh_token);
    http_add_field(form, "client_id", str_of(f->client.client_id));
    add_some(form, "client_secret", str_of(f->client.client_secret));
    add_some(form, "scope", str_of(f->client.scope));
}

static struct status ask(struct fetch *f)
{
    const struct str secrets[TOKEN_SECRETS] = {str_of(f->client.client_secret), f->refresh_token};
    struct http_request request = {.url = f->client.token_url, .content_type = "application/x-www-form-urlencoded",
                                   .ca_file = f->source->ca_file, .dns = f->source->dns, .deadline = f->deadline};
    struct http_answer http;
    struct buf form = {0};
    struct status s = status_ok();

    *f->answer = (struct token_answer){0};
    write_form(f, &form);
    request.content = buf_str(&form);
    http_ask(&request, &http);
    if (http.code == 0)
        s = problem(f->name, "no answer of its token endpoint: ", http.error);
    else if (!token_answer_read(http.code, buf_str(&http.body), secrets, f->answer))
        s = problem(f->name, "its token endpoint gave no token: ", f->answer->reason);
    buf_done(&http.body);
    buf_done(&form);
    return s;
}

static bool has_other_refresh_token(struct fetch *f, struct str tried)
{
    struct status s = read_client(f);

    return status_is_ok(&s) && f->refresh_token.length > 0 && !str_equal(f->refresh_token, tried);
}

/* Two deliverers run side by side during a reload: the other one may have spent our refresh token. */
static struct status ask_again_if_renewed(struct fetch *f, struct status s)
{
    struct str tried = f->refresh_token;

    if (tried.length == 0 || !f->answer->refused || !has_other_refresh_token(f, tried))
        return s;
    return ask(f);
}

static struct status store(struct fetch *f, struct str refresh_token)
{
    char error[ERROR_SIZE];
    struct tables *t = tables_open(f->source->db_path, error, sizeof error);
    struct status s;

    if (t == NULL)
        return status_make(451, "4.3.0", "%s", error);
    s = oauth_set_refresh_token(t, f->source->secrets, &f->client, refresh_token);
    tables_close(&t);
    return s;
}

static void remember(struct token_unstored *u, struct str given, struct str replaces)
{
    struct token_unstored new = {0};

    buf_add(&new.given, given);
    buf_add(&new.replaces, replaces);
    token_unstored_done(u);
    *u = new;
}

static void complain(const struct fetch *f, const struct status *s)
{
    struct log_line line;

    log_begin(&line, LOG_LEVEL_ERROR, "token-not-stored");
    log_text(&line, "client", f->name);
    log_status(&line, s);
    log_end(&line);
}

/* With client credentials there is no use for a refresh token (RFC 6749 section 4.4.3), and storing it would change the grant. */
static void keep_refresh_token(struct fetch *f)
{
    struct str stored = str_of(f->client.refresh_token);
    struct str latest = f->answer->refresh_token.length > 0 ? buf_str(&f->answer->refresh_token) : f->refresh_token;
    struct status s = status_ok();

    if (stored.length == 0)
        return;
    if (!str_equal(latest, stored))
        s = store(f, latest);
    if (status_is_ok(&s)) {
        token_unstored_done(f->unstored);
        return;
    }
    complain(f, &s);
    remember(f->unstored, latest, stored);
}

struct status token_fetch(const struct token_source *source, const char *name, struct token_unstored *unstored, int64_t deadline,
                          struct token_answer *answer, bool *asked)
{
    struct fetch f = {.source = source, .name = name, .unstored = unstored, .deadline = deadline, .answer = answer};
    struct status s;

    *answer = (struct token_answer){0};
    arena_init(&f.arena);
    s = read_client(&f);
    *asked = status_is_ok(&s);
    if (*asked) {
        s = ask(&f);
        s = ask_again_if_renewed(&f, s);
    }
    if (status_is_ok(&s))
        keep_refresh_token(&f);
    arena_done(&f.arena);
    return s;
}
