/* lock.h -- who is at work in a run folder.
 *
 * The locks are fcntl(2)'s on the open file RUN/lock, so that they end with the processes
 * that have it open, no matter how they die.  mpirun inherits them: a run whose driver was
 * killed is not over before its ranks are.  `saemill run` locks the whole file, a task of
 * `saemill submit` one byte of it: so a run and tasks exclude each other, and two tasks only
 * if they are the same.
 *
 * Where the disk has no locks, as some parallel file systems, nobody is kept out; a warning says
 * so.
 */
#ifndef LOCK_H
#define LOCK_H

#include "suite/stages.h"

#include <stdint.h>

/* Take the lock of a run folder, which is made if need be, until this process and its
 * children end.  Local.  E_USAGE if a run or a task holds it, E_IO. */
enum status lock_take(const char *folder);

/* The same of one task. */
enum status lock_take_task(const char *folder, enum stage stage, int64_t task);

/* The process whose run holds the lock, or 0 if nobody does.  Local. */
long lock_holder(const char *folder);

/* Is this task at work?  Local. */
bool lock_has_task(const char *folder, enum stage stage, int64_t task);

#endif
