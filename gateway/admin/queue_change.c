#include "admin/queue_words.h"
#include "base/clock.h"
#include "base/memory.h"
#include "directory/routes.h"
#include "message/id.h"
#include "queue/manage.h"
#include "queue/rows.h"
#include "report/bounce.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How the verbs speak. */
static const struct wording {
    const char *done;
    const char *none;      /* "no such … in the queue" */
    bool needs_selection;  /* nothing typed is not everything */
    bool asks_about_all;
} wordings[MANAGE_VERBS] = {
    [MANAGE_FLUSH] = {"flushed", "message with scheduled recipients", false, false},
    [MANAGE_HOLD] = {"held", "message with scheduled recipients", true, true},
    [MANAGE_RELEASE] = {"released", "message with held or failed recipients", true, true},
    [MANAGE_DISCARD] = {"discarded", "message", true, true},
    [MANAGE_BOUNCE] = {"bounced", "message", true, true},
    [MANAGE_REROUTE] = {"rerouted", "message", true, true},
    [MANAGE_PURGE] = {"removed", "message with failed recipients", false, true},
};

enum { TICK_MS = 1000, WHO_SIZE = 128 };

/* A report that was made, to be told of once it is durable. */
struct told {
    struct told *next;
    struct bounce_result result;
};

struct job {
    struct invocation *i;
    const struct wording *wording;
    struct queue queue;
    struct manage_change change;
    char who[WHO_SIZE];
    struct over over;
    struct directory directory; /* with `over`: whom reports go to */
    struct conf reporting; /* the configuration, but reports are made whatever it says: an administrator wants them */
    struct told *told;
    char failure[STATUS_TEXT_SIZE]; /* of a report; "": the database says */
    int64_t done, marked, total;    /* over all words; TOTAL 0: nobody has counted */
    int64_t changed;                /* for the progress */
    int64_t next_tick;
    bool ticked;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_interrupts(void)
{
    const struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* The login that opened the session, which sudo keeps. */
static void find_who(char *who)
{
    char login[WHO_SIZE - 4];

    if (getlogin_r(login, sizeof login) == 0 && login[0] != '\0' && !str_has_control(str_of(login)))
        snprintf(who, WHO_SIZE, "by %s", login);
    else
        snprintf(who, WHO_SIZE, "by an administrator");
}

/* What was reported is said in the log of the deliverer; here only what nobody is told of. */
static void tell(struct job *j, bool durable)
{
    while (j->told != NULL) {
        struct told *first = j->told;

        if (durable && (first->result.dropped > 0 || first->result.held != NULL))
            bounce_log(&first->result);
        j->told = first->next;
        bounce_done(&first->result);
        memory_free(&first);
    }
}

static bool make_report(void *context, int64_t message)
{
    struct job *j = context;
    const struct bounce_means means = {&j->reporting, &j->directory};
    struct told *told = memory_new(sizeof *told);
    bool ok = bounce_settle(&j->over, &means, message, &told->result);

    if (!ok)
        snprintf(j->failure, sizeof j->failure, "%s", told->result.failure.text);
    told->next = j->told;
    j->told = told;
    return ok;
}

static void tick(struct job *j)
{
    const char *verb = j->i->command->verb;

    if (j->total > 0)
        fprintf(stderr, "%stmail queue %s: %lld of %lld%s", isatty(STDERR_FILENO) ? "\r" : "", verb, (long long)j->changed, (long long)j->total,
                isatty(STDERR_FILENO) ? "" : "\n");
    j->next_tick = clock_now() + TICK_MS;
    j->ticked = true;
}

static bool progress(void *context, int64_t recipients)
{
    struct job *j = context;

    tell(j, true);
    j->changed += recipients;
    if (clock_now() >= j->next_tick)
        tick(j);
    return !interrupted;
}

static int fail(struct job *j)
{
    return invocation_fail(j->i, "%s", j->failure[0] != '\0' ? j->failure : db_error(j->queue.db));
}

/* The change over S; EXIT_DONE, or another exit status after the complaint. */
static int change(struct job *j, const struct selection *s)
{
    struct manage_result result;
    bool ok = manage_change(&j->queue, s, &j->change, &result);

    tell(j, false);
    j->done += result.done;
    j->marked += result.marked;
    if (j->ticked && isatty(STDERR_FILENO))
        fputc('\n', stderr);
    j->ticked = false;
    if (!ok)
        (void)fail(j);
    if (ok && !interrupted)
        return EXIT_DONE;
    return invocation_fail(j->i, "%s: %lld recipients have been %s, the others are as they were", interrupted ? "interrupted" : "stopped",
                           (long long)j->done, j->wording->done);
}

static bool ask(void)
{
    char line[16];

    fputs("Go on? [y/N] ", stderr);
    return fgets(line, sizeof line, stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

static void describe(const struct job *j, const struct queue_count *count)
{
    fprintf(stderr, "tmail queue %s: %lld recipients of %lld messages", j->i->command->verb, (long long)count->recipients,
            (long long)count->messages);
    if (count->in_progress > 0)
        fprintf(stderr, ", %lld of them being delivered", (long long)count->in_progress);
    fputc('\n', stderr);
}

static int confirm(struct job *j, const struct queue_count *count)
{
    if (invocation_has(j->i, "yes") || count->recipients == 0)
        return EXIT_DONE;
    describe(j, count);
    if (!isatty(STDIN_FILENO)) {
        invocation_fail(j->i, "nothing was changed: add --yes to go on without being asked");
        return EXIT_USAGE;
    }
    if (ask())
        return EXIT_DONE;
    return invocation_fail(j->i, "nothing was changed");
}

static int change_selected(struct job *j, bool everything)
{
    struct selection s;
    struct queue_count count = {0};
    int status = queue_words_select(j->i, &s);

    if (status == EXIT_DONE && !rows_count_states(&j->queue, &s, manage_states(j->change.verb), &count))
        status = fail(j);
    if (status == EXIT_DONE && !(everything && !j->wording->asks_about_all))
        status = confirm(j, &count);
    j->total = count.recipients;
    j->next_tick = clock_now() + TICK_MS;
    if (status == EXIT_DONE)
        status = change(j, &s);
    if (status == EXIT_DONE && (!everything || j->wording->asks_about_all))
        printf("%lld recipients %s\n", (long long)j->done, j->wording->done);
    selection_done(&s);
    return status;
}

/* Nothing was changed: what is being delivered is as flushed and as released as can be. */
static int check_word(struct job *j, const struct selection *s, const char *word)
{
    struct queue_count count;

    if (!rows_count_states(&j->queue, s, 1U << RECIPIENT_IN_PROGRESS, &count))
        return fail(j);
    if (count.recipients > 0)
        return EXIT_DONE;
    if (j->change.verb == MANAGE_FLUSH)
        return invocation_fail(j->i, "nothing is scheduled for %s", word);
    return invocation_fail(j->i, "no such %s in the queue: %s", j->wording->none, word);
}

/* An id, or for a flush a domain.  A selection besides says which recipients of it. */
static int change_word(struct job *j, const char *word)
{
    const int64_t before = j->done + j->marked;
    struct selection s;
    int64_t id;
    int status = queue_words_select(j->i, &s);

    if (status == EXIT_DONE && queue_id_parse(str_of(word), &id))
        selection_set_message(&s, id);
    else if (status == EXIT_DONE)
        (void)selection_add(&s, "domain", str_of(word), 0);
    if (status == EXIT_DONE)
        status = change(j, &s);
    if (status == EXIT_DONE && j->done + j->marked == before)
        status = check_word(j, &s, word);
    selection_done(&s);
    return status;
}

static int change_words(struct job *j)
{
    int status = EXIT_DONE;

    for (int k = 0; k < j->i->word_count && !interrupted; k++) {
        int result = change_word(j, j->i->words[k]);

        if (result != EXIT_DONE)
            status = result;
    }
    return status;
}

static int misuse(struct invocation *i, const char *what)
{
    (void)invocation_fail(i, "%s", what);
    return EXIT_USAGE;
}

/* Words that are none change nothing at all, not even what the words before them name. */
static int check_words(struct invocation *i, enum manage_verb verb)
{
    char domain[DOMAIN_SIZE];
    int64_t id;

    for (int k = 0; k < i->word_count; k++) {
        if (queue_id_parse(str_of(i->words[k]), &id))
            continue;
        if (verb != MANAGE_FLUSH)
            return queue_words_id(i, i->words[k], &id) ? EXIT_DONE : EXIT_FAILED;
        if (!domain_normalize(str_of(i->words[k]), domain))
            return invocation_fail(i, "%s is neither a queue id nor a domain", i->words[k]);
        if (invocation_has(i, "domain"))
            return misuse(i, "a domain is said twice");
    }
    return EXIT_DONE;
}

/* What was typed makes sense: it is complained about before anything is done.  *EVERYTHING: nothing says which. */
static int check_typed(struct invocation *i, enum manage_verb verb, bool *everything)
{
    struct selection s;
    int status = queue_words_select(i, &s);
    const bool all = invocation_has(i, "all");

    *everything = !s.narrowed && i->word_count == 0;
    selection_done(&s);
    if (status != EXIT_DONE)
        return status;
    if (all && !*everything)
        return misuse(i, "--all stands alone: it is for everything");
    if (wordings[verb].needs_selection && !all && *everything)
        return misuse(i, "which messages? (expected IDs, options that select, or --all)");
    return check_words(i, verb);
}

static int run_job(struct job *j, bool everything)
{
    char error[1024];
    int status;

    /* That everything was flushed is no news about any of it. */
    if (everything && j->change.verb == MANAGE_FLUSH)
        j->change.history = false;
    if (j->change.verb == MANAGE_BOUNCE && !directory_open_sql(&j->directory, j->i->conf->db_path, error, sizeof error))
        return invocation_fail(j->i, "%s", error);
    if (j->change.verb == MANAGE_BOUNCE && !over_init(&j->over, &j->queue, j->change.history, j->i->conf->bounce_enabled))
        return fail(j);
    status = j->i->word_count > 0 ? change_words(j) : change_selected(j, everything);
    if (j->marked > 0 && j->change.verb != MANAGE_RELEASE)
        printf("%lld recipients are being delivered: it is done when their attempts end\n", (long long)j->marked);
    return status;
}

static int run_verb(struct invocation *i, enum manage_verb verb, int64_t route)
{
    struct job j = {.i = i, .wording = &wordings[verb], .next_tick = clock_now() + TICK_MS};
    bool everything;
    int status = check_typed(i, verb, &everything), closed;

    if (status == EXIT_DONE)
        status = queue_words_open(i, &j.queue);
    if (status != EXIT_DONE)
        return status;
    j.reporting = *i->conf;
    j.reporting.bounce_enabled = true;
    find_who(j.who);
    catch_interrupts();
    j.change = (struct manage_change){
        .verb = verb,
        .route = route,
        .history = i->conf->history > 0,
        .who = j.who,
        .report = verb == MANAGE_BOUNCE ? make_report : NULL,
        .progress = progress,
        .context = &j,
    };
    status = run_job(&j, everything);
    directory_close(&j.directory);
    closed = queue_words_close(i, &j.queue, true);
    return status != EXIT_DONE ? status : closed;
}

int queue_flush(struct invocation *i)
{
    return run_verb(i, MANAGE_FLUSH, 0);
}

int queue_hold(struct invocation *i)
{
    return run_verb(i, MANAGE_HOLD, 0);
}

int queue_release(struct invocation *i)
{
    return run_verb(i, MANAGE_RELEASE, 0);
}

int queue_discard(struct invocation *i)
{
    return run_verb(i, MANAGE_DISCARD, 0);
}

int queue_bounce(struct invocation *i)
{
    return run_verb(i, MANAGE_BOUNCE, 0);
}

int queue_purge(struct invocation *i)
{
    return run_verb(i, MANAGE_PURGE, 0);
}

static int find_route(struct invocation *i, int64_t id)
{
    struct arena arena;
    struct route route;
    struct tables *t;
    char error[1024];
    enum answer answer;

    t = tables_open_read(i->conf->db_path, error, sizeof error);
    if (t == NULL)
        return invocation_fail(i, "%s", error);
    arena_init(&arena);
    answer = routes_find_id(t, id, &arena, &route);
    arena_done(&arena);
    if (answer == ANSWER_FAILED)
        (void)invocation_fail(i, "%s", db_error(tables_db(t)));
    if (answer == ANSWER_NO)
        (void)invocation_fail(i, "there is no route %lld (see tmail routes list)", (long long)id);
    tables_close(&t);
    return answer == ANSWER_YES ? EXIT_DONE : EXIT_FAILED;
}

int queue_reroute(struct invocation *i)
{
    const char *to = invocation_value(i, "to");
    uint64_t route = 0;
    int status = EXIT_DONE;

    if (to == NULL)
        return misuse(i, "which route? (expected --to ROUTE, its ID, or --to none)");
    if (strcmp(to, "none") != 0) {
        if (!str_number(str_of(to), INT64_MAX, &route) || route == 0)
            return misuse(i, "--to is no route (expected its ID, see tmail routes list, or none)");
        status = find_route(i, (int64_t)route);
    }
    return status == EXIT_DONE ? run_verb(i, MANAGE_REROUTE, (int64_t)route) : status;
}
