#include "admin/change.h"

#include "admin/create.h"
#include "admin/identity.h"
#include "admin/listing.h"

#include <stdio.h>

const struct option_spec change_options[] = {CHANGE_OPTION_CREATE, {0}};

int change_become(struct invocation *i)
{
    char error[IDENTITY_ERROR_SIZE];

    if (identity_become(i->conf, error, sizeof error))
        return EXIT_DONE;
    (void)invocation_fail(i, "%s", error);
    return EXIT_CONFIG;
}

int change_open(struct invocation *i, struct tables **t)
{
    const struct conf *c = i->conf;
    char error[1024];

    *t = NULL;
    if (!invocation_has(i, "create") && !create_allowed(c->db_driver, c->db_path))
        return invocation_fail(i, "%s: there is no database", c->db_path);
    *t = tables_open(c->db_path, error, sizeof error);
    return *t != NULL ? EXIT_DONE : invocation_fail(i, "%s", error);
}

int change_close(struct invocation *i, struct tables **t, const struct status *s)
{
    tables_close(t);
    if (status_is_ok(s) && s->text[0] != '\0')
        fprintf(stderr, "tmail %s %s: note: %s\n", i->group->noun, i->command->verb, s->text);
    if (status_is_ok(s))
        return EXIT_DONE;
    (void)invocation_fail(i, "%s", s->text);
    return status_is_temporary(s) ? EXIT_AGAIN : EXIT_FAILED;
}

int change_word(struct invocation *i, struct status (*change)(struct tables *t, struct str word))
{
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    s = change(t, str_of(i->words[0]));
    return change_close(i, &t, &s);
}

int change_list(struct invocation *i, struct status (*list)(struct tables *t, struct listing_rows *rows), const char *none)
{
    struct listing_rows rows = {0};
    struct tables *t;
    struct status s;
    int result = change_open(i, &t);

    if (result != EXIT_DONE)
        return result;
    rows.listing = listing_open(i->json);
    rows.word = str_of(i->word_count > 0 ? i->words[0] : NULL);
    s = list(t, &rows);
    if (status_is_ok(&s) && rows.count == 0)
        listing_line(rows.listing, "%s", none);
    if (!listing_close(&rows.listing) && status_is_ok(&s))
        s = tables_refused("cannot write to standard output");
    return change_close(i, &t, &s);
}

void change_list_optional(struct listing_rows *rows, const char *key, struct str value)
{
    if (value.length > 0)
        listing_str(rows->listing, key, value);
    else
        listing_text(rows->listing, key, NULL);
}
