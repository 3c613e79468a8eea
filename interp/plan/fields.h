/* fields.h: every key of the language with its help text; the tables that runbook.h promises, and the words that people of other tools type. */
#ifndef PLAN_FIELDS_H
#define PLAN_FIELDS_H

#include "plan/runbook.h"

extern const struct field source_fields[];
extern const struct field_alias step_aliases[], runbook_aliases[];

#endif
