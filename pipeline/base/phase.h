/* phase.h -- what the time of this process goes into.
 *
 * Every thread is in one phase at a time.  Threads work beside each other, so the phases may
 * add up to more than has passed.
 */
#ifndef PHASE_H
#define PHASE_H

enum phase {
    PHASE_NONE,         /* nothing to do: what a thread begins with; not counted */
    PHASE_COMPUTE,
    PHASE_READ,         /* files in */
    PHASE_DECOMPRESS,
    PHASE_EXCHANGE,     /* between ranks, waiting for them included */
    PHASE_COMPRESS,
    PHASE_WRITE,        /* files out */
    PHASES
};

/* From now on the time of this thread belongs to `phase`.  Returns the phase until now, so
 * that a callee can restore it.  Local. */
enum phase phase_enter(enum phase phase);

/* Seconds of each phase so far, of all threads together; of other threads, what they have
 * finished.  Local. */
void phase_seconds(double seconds[PHASES]);

/* "compute 61 %, read 4 %, ...": each phase's share of `whole` seconds, those that have one.
 * Returns `text`. */
enum { PHASE_SHARES = 160 };
const char *phase_shares(char text[PHASE_SHARES], const double seconds[PHASES], double whole);

#endif
