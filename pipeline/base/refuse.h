/* refuse.h -- how a function reports that it could not do what it was asked.
 *
 * The function that finds a problem describes it once, with refuse(): what was attempted, on
 * which file, what was found, and what to do.  Its callers only pass the status up.  agree()
 * (agree.h) makes one rank's description that of all ranks, and run_finish() (run.h) prints it.
 */
#ifndef REFUSE_H
#define REFUSE_H

#include <stdbool.h>

/* The values are the exit statuses of every program. */
enum status {
    OK = 0,
    E_USAGE = 2,    /* the command line or the suite file asks for something impossible */
    E_IO,           /* the operating system or HDF5 refused */
    E_FORMAT,       /* a file is not what its header claims */
    E_NUMERIC,      /* a value that must be finite is not, or a result is not what it must be */
    E_SPACE,        /* not enough memory or disk for what was asked */
    E_STOPPED,      /* stopped by a signal; everything that is needed to continue is on disk */
};

/* Note why this rank fails, and return `code`.  Of several reasons the first is kept, as it is
 * nearest to the cause.  Each thread has its own reason; a worker (worker.h) passes it to its
 * owner.  Local; to be called outside OpenMP's parallel regions. */
enum status refuse(enum status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The reason noted by refuse(), or "" if there is none.  Valid until refuse_clear(). */
const char *refuse_reason(void);
void        refuse_clear(void);

/* Go to `done` if a call fails: a local call in a local function, or a collective call, whose
 * status is the same on every rank. */
#define TRY(call) do { st = (call); if (st != OK) goto done; } while (0)

/* Go to `done` with a refusal unless a condition holds: REQUIRE(condition, code, "...", ...). */
#define REQUIRE(condition, ...) TRY((condition) ? OK : refuse(__VA_ARGS__))

#endif
