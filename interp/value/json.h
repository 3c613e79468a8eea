/* json.h: JSON text ↔ val. Numbers without fraction that fit are integers. */
#ifndef VALUE_JSON_H
#define VALUE_JSON_H

#include "value/val.h"

/* name is what people see in an error ("node1 GET /info"). Duplicate keys: the last one wins, as engines do. */
bool json_parse(struct arena *a, const char *name, const char *text, size_t len, const struct val **ret, struct err *err);

enum json_flags { JSON_COMPACT = 0, JSON_INDENT = 1, JSON_SORTED = 2, JSON_SHOW_SECRETS = 4 };
/* Appends. Secrets are written as "***" unless JSON_SHOW_SECRETS; invalid UTF-8 is replaced by U+FFFD. */
void json_print(const struct val *v, unsigned flags, struct buf *out);

#endif
