/* lock.h -- one run at a time in a run folder.
 *
 * The lock is fcntl(2)'s on the open file RUN/lock, so that it ends with the processes that
 * have it open, no matter how they die.  mpirun inherits it: a run whose driver was killed
 * is not over before its ranks are.
 */
#ifndef LOCK_H
#define LOCK_H

#include "base/status.h"

/* Take the lock of a run folder, which is made if need be, until this process and its
 * children end.  Local.  E_USAGE if another run holds it, E_IO. */
enum status lock_take(const char *folder);

/* The process whose run holds the lock, or 0 if nobody does.  Local. */
long lock_holder(const char *folder);

#endif
