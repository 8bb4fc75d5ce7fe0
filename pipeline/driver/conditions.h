/* conditions.h -- what a run needs of the system, asked before it begins and not when the last of
 * its stages finds out.
 */
#ifndef CONDITIONS_H
#define CONDITIONS_H

#include "suite/suite.h"

/* Refuse if a program is missing that a stage will start.  Local.  E_IO. */
enum status conditions_check_programs(const struct suite *suite);

/* The same, for all that `saemill run` needs on this machine: mpirun, limits of files, of their
 * sizes and of address space, a folder for sessions.  Local.  E_IO, E_SPACE. */
enum status conditions_check(const struct suite *suite);

#endif
