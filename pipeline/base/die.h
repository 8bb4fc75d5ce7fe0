/* die.h -- end the whole job after an error from which no function can recover. */
#ifndef DIE_H
#define DIE_H

/* Print a message and end the whole job at once: for bugs, that is broken promises between our
 * own functions, and for lack of memory.  Outputs are published last, so nothing incomplete
 * becomes visible. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* What die() calls after it has printed: abort(), until run_start() makes it MPI_Abort(). */
extern void (*die_handler)(void);

#endif
