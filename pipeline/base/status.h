/* status.h -- how a function says that it could not do what it was asked.
 *
 * The finder of a problem words it once, with refuse(): what was attempted, on which
 * file, what was found, what to do.  Everyone above only passes the status up.  The
 * words reach the user through agree() (comm.h), which prints them once for all ranks.
 */
#ifndef STATUS_H
#define STATUS_H

#include <stdbool.h>

/* The values are the exit statuses of every program. */
enum status {
    OK = 0,
    E_USAGE = 2,    /* the command line or the suite file asks for something impossible */
    E_IO,           /* the operating system or HDF5 refused */
    E_FORMAT,       /* a file is not what its header claims */
    E_NUMERIC,      /* a value that must be finite is not, or a result is not what it must be */
    E_ROOM,         /* not enough memory or disk for what was asked */
    E_STOPPED,      /* asked to stop by a signal; all that is needed to go on is on disk */
};

/* Remember why this rank fails, and return `code`.  Of several reasons the first is
 * kept: it is nearest to the cause.  Each thread has its own (worker.h hands it on).  Local;
 * to be called outside parallel regions. */
enum status refuse(enum status code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The reason noted by refuse(), or "" if there is none.  Valid until status_clear(). */
const char *status_reason(void);
void        status_clear(void);

/* End the whole job at once: for broken promises between our own functions and for lack
 * of memory.  Since outputs are published last, nothing half-done becomes visible. */
void die(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* What die() calls after it has printed; abort() until an MPI program sets MPI_Abort. */
extern void (*die_handler)(void);

/* calloc() that dies when there is no memory.  Caller frees. */
void *allocate(long long count, long long bytes);

/* The same for what is big, used as a whole and not in the order of its addresses: asks for huge
 * pages, of which a CPU remembers where they are. */
void *allocate_big(long long count, long long bytes);

/* The same from a multiple of 64 on, which oneDNN wants; with anything in it. */
void *allocate_aligned(long long bytes);

/* Give back to the system what can be of memory that is written before it is read again, if it ever
 * is: it may be used as before. */
void release_pages(void *memory, long long bytes);

/* Go to `done` at the first failure: for local calls in local functions, and for
 * collective calls, whose status is the same on every rank already. */
#define TRY(call) do { st = (call); if (st != OK) goto done; } while (0)

#endif
