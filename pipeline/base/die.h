/* die.h -- the end of the whole job, for what nobody can recover from. */
#ifndef DIE_H
#define DIE_H

/* End the whole job at once: for broken promises between our own functions and for lack
 * of memory.  Since outputs are published last, nothing half-done becomes visible. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* What die() calls after it has printed; abort() until an MPI program sets MPI_Abort. */
extern void (*die_handler)(void);

#endif
