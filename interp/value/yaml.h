/* yaml.h: YAML text → val, by the core schema: true/false, null/~, integers (also 0x, 0o), floats; yes, no, on and off are strings.
 *
 * Refused, each with its position: duplicate keys, keys that are not scalars, tags other than the core ones, a second document, aliases
 * beyond the limit (recursive ones too), too deep or too large input, invalid UTF-8, tabs in the indentation, an empty file. */
#ifndef VALUE_YAML_H
#define VALUE_YAML_H

#include "value/val.h"

struct yaml_limits {
    size_t max_bytes; /* default 16 MiB */
    size_t max_depth; /* default 64 */
    size_t max_nodes; /* after aliases were expanded, default 1,000,000 */
};
extern const struct yaml_limits yaml_default_limits;

/* limits may be NULL for the default. The source must outlive the val (marks point to it). Several errors may be reported (each
 * duplicate key), a syntax error ends it. */
bool yaml_parse(struct arena *a, const struct source *src, const struct yaml_limits *limits, const struct val **ret, struct err *err);

#endif
