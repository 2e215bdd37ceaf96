/*
 * str - a borrowed run of bytes with its length.
 *
 * A struct str owns nothing and ends with nothing: it points into memory that somebody else keeps until the call returns (or for as
 * long as the function that hands it out says).  Bytes may be anything, NUL included.  Case is ASCII case throughout: SMTP's words are.
 * Nothing here allocates, blocks or fails, except where a bool says so.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *data;
    size_t length;
};

/* A string literal as a str: STR("ok"). */
#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf: "%.*s", STR_ARG(s). */
#define STR_ARG(s) (int)(s).length, (s).length > 0 ? (s).data : ""

struct str str_of(const char *text); /* NULL is the empty str */
struct str str_part(struct str s, size_t start, size_t length);
struct str str_from(struct str s, size_t start);
struct str str_trim(struct str s); /* without spaces and tabs at both ends */

bool str_equal(struct str a, struct str b);
bool str_equal_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);

/* PART, which is not empty, stands somewhere in S. */
bool str_contains(struct str s, struct str part);
/* The place of the first C at or after START, or s.length. */
size_t str_find(struct str s, char c, size_t start);
bool str_has(struct str s, char c);
bool str_is_ascii(struct str s);
bool str_is_utf8(struct str s); /* well-formed, RFC 3629 */
size_t str_character(struct str s); /* bytes of the UTF-8 character at the start; 0: there is none */
bool str_has_control(struct str s); /* bytes 0-31 or 127 */

/* Cuts the part before SEPARATOR off REST and returns it; REST starts behind it.  False when REST was exhausted before the call. */
bool str_cut(struct str *rest, char separator, struct str *part);
/* The same with any byte of SEPARATORS. */
bool str_cut_any(struct str *rest, const char *separators, struct str *part);

/* Decimal digits only, at least one, value at most MAX. */
bool str_number(struct str s, uint64_t max, uint64_t *value);

/* Copies into SIZE bytes of TO with a NUL behind; false, and an empty string, when it does not fit or holds a NUL. */
bool str_copy(struct str s, char *to, size_t size);

/* For tables in memory (FNV-1a).  Not against somebody who picks the bytes. */
uint32_t str_hash(struct str s);

char ascii_lower(char c);

#endif
