/* spawn.h: starts a child in a process group of its own, which gets KILL when the thread that started it ends. For process.c. */
#ifndef IO_SPAWN_H
#define IO_SPAWN_H

#include "io/process.h"

#include <sys/types.h>

struct spawned {
    pid_t pid;
    int in; /* its stdin; -1 if that is /dev/null or a file */
    int out; /* its stdout; -1 if that is a file */
    int err;
};

/* Returns when the program runs, or with the reason why it cannot; then nothing is left of it. */
bool spawn_start(const struct process_spec *spec, struct spawned *ret, char *why, size_t size);

#endif
