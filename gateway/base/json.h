/*
 * json - JSON (RFC 8259) read and written: the only file that knows jansson.
 *
 * Reading takes texts from strangers: duplicate keys, bytes that are not UTF-8, NUL in strings and nesting deeper than JSON_DEPTH_MAX
 * are refused.  What the getters hand out is borrowed until json_free.  A getter of a member that is not there, or is of another kind,
 * says so and nothing else happens.
 *
 * An object that is written has its members in the order in which they were first put; each kind has its function.  Objects and lists go
 * into others, which then own them.  Nothing blocks.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

enum { JSON_DEPTH_MAX = 32 };

struct json;

/* An object from TEXT; NULL when it is none. */
struct json *json_parse_object(struct str text);
void json_free(struct json **j);
bool json_get_str(const struct json *j, const char *name, struct str *value);
/* Also a number in a string, which some servers send. */
bool json_get_number(const struct json *j, const char *name, int64_t *value);

struct json *json_new_object(void);
/* Bytes that are not UTF-8 become U+FFFD. */
void json_put_str(struct json *j, const char *name, struct str value);
void json_put_number(struct json *j, const char *name, int64_t value);
void json_put_real(struct json *j, const char *name, double value); /* null for what is no finite number */
void json_put_bool(struct json *j, const char *name, bool value);
void json_put_null(struct json *j, const char *name);
/* Takes VALUE, an object or a list. */
void json_put(struct json *j, const char *name, struct json **value);
struct json *json_new_list(void);
void json_add(struct json *list, struct json **value);
void json_add_str(struct json *list, struct str value);
/* Appends one line without its end, in ASCII: what a terminal would obey is escaped with all the rest. */
void json_write(const struct json *j, struct buf *to);

#endif
