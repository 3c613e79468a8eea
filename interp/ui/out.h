/* out.h: the one place that writes to standard output and standard error. What goes through it holds no secret that base/redact.h knows.
 *
 * A text is handed over whole: one that is split over two calls is not put together here. */
#ifndef UI_OUT_H
#define UI_OUT_H

#include "value/val.h"

#include <stdio.h>

void out_add(FILE *to, const char *text, size_t len);
void out_adds(FILE *to, const char *text);
void out_buf(FILE *to, const struct buf *b);
void out_printf(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* As JSON with these flags and a line end, masked value by value so that it stays JSON. */
void out_json(FILE *to, const struct val *v, unsigned flags);
/* As it is: what was masked value by value before. */
void out_record(FILE *to, const char *json, size_t len);

#endif
