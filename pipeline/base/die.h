/* die.h -- end the whole job after an error from which no function can recover. */
#ifndef DIE_H
#define DIE_H

#include "base/refuse.h"

/* Print a message and end the whole job at once.  Outputs are published last, so nothing incomplete
 * becomes visible. */

/* For lack of memory: the exit status is E_SPACE. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* For the rest, with an exit status: bugs, that is broken promises between our own functions
 * (E_IO); what the system refuses where nobody could go on. */
void die_as(enum status code, const char *format, ...)
    __attribute__((noreturn, format(printf, 2, 3)));

/* What they call after they have printed: _exit(), until run_start() makes it end all ranks. */
extern void (*die_handler)(int code);

#endif
