/* phase.h -- how this process spends its time.
 *
 * Every thread is in one phase at a time.  Threads run at the same time, so the phases may add up
 * to more than the elapsed time.
 */
#ifndef PHASE_H
#define PHASE_H

enum phase {
    PHASE_NONE,         /* idle, not counted; a thread starts with it */
    PHASE_COMPUTE,
    PHASE_READ,         /* files */
    PHASE_DECOMPRESS,
    PHASE_EXCHANGE,     /* between ranks, including waiting for them */
    PHASE_COMPRESS,
    PHASE_WRITE,        /* files */
    PHASES
};

/* Enter a phase on this thread.  Returns the phase before, so that a function can restore it.
 * Local. */
enum phase phase_enter(enum phase phase);

/* Seconds in each phase so far, summed over all threads.  The phase that another thread is in
 * counts only when the thread leaves it.  Local. */
void phase_seconds(double seconds[PHASES]);

/* "compute 61 %, read 4 %, ...": the share of `whole` seconds of each phase that took any.
 * Returns `text`. */
enum { PHASE_SHARES = 160 };
const char *phase_shares(char text[PHASE_SHARES], const double seconds[PHASES], double whole);

#endif
