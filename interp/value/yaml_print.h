/* yaml_print.h: val → YAML text, for world files and whatever else people go on to edit. */
#ifndef VALUE_YAML_PRINT_H
#define VALUE_YAML_PRINT_H

#include "value/val.h"

/* Appends v as block YAML that ends with a line end; small lists and maps of plain values stand in one line. The same value makes the same text.
 *
 * What yaml_parse makes of it is equal to v, with two exceptions: bytes that are no UTF-8 become U+FFFD, and secrets "***". Strings are
 * quoted when the core schema, or older readers (yes, on, 2026-01-01, 1_000), could take them for something else. */
void yaml_print(const struct val *v, struct buf *out);

#endif
