/* spool.h: events that could not be appended to their journal, kept on this machine until they can.
 *
 * One file for each run, $XDG_STATE_HOME/quorate/spool/RUN.jsonl, mode 0600, synced before spool_write returns. Each line is
 * {"seq":N,"record":…}, where N is the place that the record was to have. A last line that was not written to its end does not count. */
#ifndef STORE_SPOOL_H
#define STORE_SPOOL_H

#include "store/store.h"

/* The records that were to follow the after_seq-th of the run, in order; a further call goes on where the last one ended. */
bool spool_write(const char *run_id, int64_t after_seq, const char *const *json, size_t n, struct err *err);
/* What is kept for a run: its records and the place of the one before them. *ret_n is 0 if there is nothing. */
bool spool_read(const char *run_id, struct arena *a, int64_t *ret_after, const char ***ret, size_t *ret_n, struct err *err);
/* Appends what is kept to the journal, if that ends where these records begin, and removes the file. Those that have arrived after all (an
 * append whose outcome was not known) are not appended again. *ret_n: how many were. A journal that has gone on otherwise is an error (code
 * spool-conflict), and the file stays. The run should be held. */
bool spool_reconcile(struct store *s, const char *run_id, size_t *ret_n, struct err *err);
/* Its file, whether it is there or not; for people. */
const char *spool_path(struct arena *a, const char *run_id);

#endif
