#include "directory/logins.h"

#include "base/log.h"
#include "base/memory.h"
#include "directory/gate.h"
#include "directory/known.h"
#include "directory/names.h"

#include <string.h>

struct logins {
    struct gate gate;
    struct known known;
    char decoy[PASSWORD_HASH_SIZE];
};

static void read_row(struct db_query *q, struct login_row *row)
{
    if (!str_copy(db_str(q, 0), row->passwd, sizeof row->passwd) || !password_is_hash(row->passwd))
        row->passwd[0] = '\0';
    row->active = str_equal(db_str(q, 1), STR("Y"));
    row->relay = db_int(q, 2) != 0;
    (void)sasl_keys_read_scram(db_str(q, 3), &row->keys);
    (void)sasl_keys_read_cram(db_str(q, 4), &row->keys);
}

enum answer logins_find(struct tables *t, struct str login, struct login_row *row)
{
    struct db_query *q = tables_query(t, "SELECT passwd, active, auth_relay, scram_sha256, cram_md5 FROM users WHERE login = ?1");
    char stored[NAME_SIZE];
    bool found;

    *row = (struct login_row){0};
    if (q == NULL)
        return ANSWER_FAILED;
    db_bind_str(q, 1, name_stored_login(login, stored));
    found = db_step(q);
    if (found)
        read_row(q, row);
    if (!db_finish(q))
        return ANSWER_FAILED;
    return found ? ANSWER_YES : ANSWER_NO;
}

void login_row_done(struct login_row *row)
{
    explicit_bzero(row, sizeof *row);
}

struct logins *logins_new(void)
{
    struct logins *l = memory_new(sizeof *l);

    gate_init(&l->gate, LOGINS_HASHES, LOGINS_WAIT_MS);
    known_init(&l->known, LOGINS_KNOWN_MS);
    if (!password_decoy(l->decoy))
        logins_free(&l);
    return l;
}

void logins_free(struct logins **l)
{
    if (*l == NULL)
        return;
    gate_done(&(*l)->gate);
    known_done(&(*l)->known);
    memory_free(l);
}

enum answer logins_check(struct logins *l, const struct login_row *row, struct str password)
{
    const bool may = row != NULL && row->active && row->passwd[0] != '\0';
    enum answer answer;

    if (password.length == 0)
        return ANSWER_NO;
    if (may && known_has(&l->known, password, row->passwd))
        return ANSWER_YES;
    if (!gate_enter(&l->gate)) {
        log_message(LOG_LEVEL_WARNING, "login-busy", "no password could be checked within %d s", LOGINS_WAIT_MS / 1000);
        return ANSWER_FAILED;
    }
    answer = password_matches(password, may ? row->passwd : l->decoy);
    gate_leave(&l->gate);
    if (answer == ANSWER_YES && may)
        known_add(&l->known, password, row->passwd);
    return answer == ANSWER_YES && !may ? ANSWER_NO : answer;
}
