/* shape.h: the shape of a part of the state, as a probe's schema declares it:
 *   {type = "map", keys = {…}, of = …} {type = "list", of = …} {type = "string|integer|number|boolean|any", enum = {…}, required = true} */
#ifndef PLAN_SHAPE_H
#define PLAN_SHAPE_H

#include "value/val.h"

/* Whether a value fits; *ret_why names the first place that does not ("nodes.x.role: expected a string, got an integer"). Facts that could not
 * be observed fit everywhere; keys that the schema does not know are refused. */
bool shape_fits(struct arena *a, const struct val *schema, const struct val *v, const char **ret_why);
/* The schema at a key below: of a declared key, or of any key of a map by ID. NULL: there is no such key. */
const struct val *shape_below(const struct val *schema, const char *key);

#endif
