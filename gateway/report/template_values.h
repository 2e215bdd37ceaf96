/*
 * template_values - what the placeholders of a template stand for.
 */
#ifndef REPORT_TEMPLATE_VALUES_H
#define REPORT_TEMPLATE_VALUES_H

#include "report/template.h"

/* The place of NAME in template_placeholders; template_placeholder_count: there is none. */
size_t template_find(struct str name);

/* Appends the value at PLACE, on one line of UTF-8.  R is the recipient of the block, NULL outside of one; a condition that holds is
 * "yes". */
void template_value(size_t place, const struct template_scene *scene, const struct dsn_recipient *r, struct buf *to);

#endif
