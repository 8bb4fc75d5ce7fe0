/* restarts.h -- several searches for one inversion, spread over ranks and threads.
 *
 * The loss has many local minima, so searches with different starts find different ones.  Each
 * search has its own random numbers and runs on one thread, so the results have the same bits on
 * any number of ranks and threads.
 */
#ifndef RESTARTS_H
#define RESTARTS_H

#include "base/run.h"
#include "invert/descent.h"

enum { RESTARTS_ROUNDS = 200 };         /* the most */

struct restarts {
    int32_t count;
    int32_t best;                       /* of least loss; of equal ones the first */
    int64_t rounds;                     /* equal parts of the steps */
    struct inversion_terms *terms;      /* [count] where each search ended */
    double *points;                     /* [count, inversion_point()] */
    double *losses;                     /* [count, rounds + 1] before each round, and at the end */
};

/* How many steps precede round number `round`, 0 to rounds. */
int64_t restarts_step(const struct restarts *restarts, const struct descent_options *options,
                      int64_t round);

/* Bytes that restarts_run() allocates on a rank, the result included. */
int64_t restarts_bytes(const struct inversion_setup *setup, int32_t count, int ranks, int threads);

/* Run `count` searches, and print how far they are.  The result is the same on all ranks;
 * restarts_free() accepts an empty one.  Collective.  E_USAGE: no searches, descent_check();
 * E_NUMERIC: no search ends at a finite loss, or none below its start; E_STOPPED if a signal asks
 * to stop. */
enum status restarts_run(struct restarts *restarts, const struct inversion *inversion,
                         const struct descent_options *options, int32_t count, struct run *run);
void        restarts_free(struct restarts *restarts);

#endif
