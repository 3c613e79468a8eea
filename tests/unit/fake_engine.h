/* fake_engine.h: a Docker engine of a swarm that has lost its quorum, on a unix socket, that only reads: every other request is counted and
 * refused. */
#ifndef UNIT_FAKE_ENGINE_H
#define UNIT_FAKE_ENGINE_H

struct fake_engine;

/* Listens on path; node_id names it. Its answers are those of a manager without a leader. */
struct fake_engine *fake_engine_start(const char *path, const char *node_id);
void fake_engine_stop(struct fake_engine *f);
int fake_engine_reads(const struct fake_engine *f);
int fake_engine_changes(const struct fake_engine *f);
/* The first changing request: "POST /v1.41/swarm/init"; "" if there was none. */
const char *fake_engine_first_change(const struct fake_engine *f);
/* From here on it keeps one volume, as a real one does: requests for it are neither counted nor refused. */
void fake_engine_keep_volume(struct fake_engine *f);

#endif
