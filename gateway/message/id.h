/*
 * id - queue ids and session ids.
 *
 * A queue id is a positive 63-bit number that grows with time: 42 bits of milliseconds, 11 bits that are the process's own, 10 bits of
 * count.  People see it as 16 hexadecimal digits, SQL as printf('%016x', id).  A session id is 16 letters and digits that nobody can guess.
 * Both may be made from any thread.
 */
#ifndef MESSAGE_ID_H
#define MESSAGE_ID_H

#include "base/str.h"

enum { QUEUE_ID_SIZE = 17, SESSION_ID_SIZE = 17 };

int64_t queue_id_new(void);
void queue_id_text(int64_t id, char *to);
bool queue_id_parse(struct str text, int64_t *id);

void session_id_new(char *to);

#endif
