/* refuse.h -- how a function says that it could not do what it was asked.
 *
 * The finder of a problem words it once, with refuse(): what was attempted, on which
 * file, what was found, what to do.  Everyone above only passes the status up.  The
 * words reach the user through agree() (agree.h), which prints them once for all ranks.
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
    E_SPACE,         /* not enough memory or disk for what was asked */
    E_STOPPED,      /* asked to stop by a signal; all that is needed to go on is on disk */
};

/* Remember why this rank fails, and return `code`.  Of several reasons the first is
 * kept: it is nearest to the cause.  Each thread has its own (worker.h hands it on).  Local;
 * to be called outside parallel regions. */
enum status refuse(enum status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The reason noted by refuse(), or "" if there is none.  Valid until refuse_clear(). */
const char *refuse_reason(void);
void        refuse_clear(void);

/* Go to `done` at the first failure: for local calls in local functions, and for
 * collective calls, whose status is the same on every rank already. */
#define TRY(call) do { st = (call); if (st != OK) goto done; } while (0)

/* Go to `done` with a refusal, unless a condition holds. */
#define REQUIRE(condition, ...) TRY((condition) ? OK : refuse(__VA_ARGS__))

#endif
