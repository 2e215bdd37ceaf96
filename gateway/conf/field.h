/*
 * field - the value of one key, between its text and struct conf.
 *
 * field_set reads a text as the file has it, checks it, and stores it; what is wrong goes to PROBLEMS, a line each, without the value where
 * the key is secret, and the field keeps what it held.  field_text appends the shortest text that field_set reads back to the same value.
 * The plain values of fields, without units and checks, are what conf_write and conf_read exchange.
 */
#ifndef CONF_FIELD_H
#define CONF_FIELD_H

#include "conf/schema.h"

bool field_set(struct conf *c, const struct conf_key *key, struct str text, struct buf *problems);
void field_text(const struct conf *c, const struct conf_key *key, struct buf *to); /* secrets too */

bool field_set_plain(struct conf *c, const struct conf_key *key, struct str plain);
void field_plain(const struct conf *c, const struct conf_key *key, struct buf *to);

/* "tmail.cfg:12", "environment" or "default". */
void field_source(const struct conf *c, struct conf_source source, struct buf *to);

/* All fields of the schema empty, no sources; and what follows from the keys when they all are set. */
void field_clear_all(struct conf *c, const struct conf_schema *schema);
void field_derive_all(struct conf *c);

#endif
