/* redacted.h: a value as it may leave the process. */
#ifndef VALUE_REDACTED_H
#define VALUE_REDACTED_H

#include "value/val.h"

/* v with every secret in a string, a key or a number replaced (base/redact.h); v itself if there is none. Masking values and not their JSON keeps it JSON. */
const struct val *redacted(struct arena *a, const struct val *v);

#endif
