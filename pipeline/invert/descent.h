/* descent.h -- one search for the point of least loss: a random start, then Adam.
 *
 * The start is the best of some random z, with w = M(z): the one that explains the target best.
 * Adam (Kingma and Ba, arXiv:1412.6980) follows with beta 0.9 and 0.999 and epsilon 1e-8, as in
 * L-BRGM (arXiv:2110.03814), where 100 starts precede 2000 steps of rate 0.1.  There the rate is
 * constant.  Adam does not come to rest then: the squares that it divides by shrink, until a
 * step is too long again.  So the rate may fall to 0 along a half cosine in the last steps.
 */
#ifndef DESCENT_H
#define DESCENT_H

#include "base/split.h"
#include "invert/inversion.h"

struct descent_options {
    int64_t  steps;
    double   rate;
    double fall;    /* share of the steps, 0 to 1, in which the rate falls; 0: as in the paper */
    int32_t  starts;        /* 0: z = 0 */
    uint64_t seed;
};

enum { DESCENT_NUMBERS = 1 << 24 };

/* How many numbers of memory a search needs, besides what it keeps between its steps. */
int64_t descent_work_count(const struct inversion_setup *setup);

/* E_USAGE: steps or starts below 0, a rate that is not above 0, another fall.  Local. */
enum status descent_check(const struct descent_options *options);

/* Find the start of a search, and return its terms.  The result depends on the options and `number`
 * alone.  Local, on one thread, as descent_steps() is.
 *   point   [inversion_point()]     out
 *   number  which search, 0 to DESCENT_NUMBERS - 1; each has its own random z
 *   work    [descent_work_count()] */
struct inversion_terms descent_start(const struct inversion *inversion, double *point,
                                     const struct descent_options *options, int64_t number,
                                     double *work);

/* Go on from the start, or from where a search has come to, by the steps `some`.  Returns the loss
 * before the first of them.  A loss that is not finite says that the steps are too long.
 *   point     [inversion_point()]     in and out
 *   averages  [2, inversion_point()]  in and out: of the gradients and of their squares; 0 at first
 *   some      not empty, within 0 to options->steps
 *   work      [descent_work_count()] */
double descent_steps(const struct inversion *inversion, double *point, double *averages,
                     const struct descent_options *options, struct range some, double *work);

#endif
