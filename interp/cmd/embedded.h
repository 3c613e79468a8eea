/* embedded.h: the library and the runbooks that the binary carries. The table is made at build time, see embed.awk. */
#ifndef CMD_EMBEDDED_H
#define CMD_EMBEDDED_H

#include "value/files.h"

/* Sorted by name in byte order, as "runbooks/swarm/rebalance.yaml" and "stdlib/swarm/leave.lua"; ends with a NULL name. The byte at `end`
 * is 0, so that each text is also a terminated string. */
extern const struct embedded_file embedded_files[];

#endif
