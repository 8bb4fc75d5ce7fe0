/* searches.h -- a whole search of an inversion, for its tests. */
#ifndef SEARCHES_H
#define SEARCHES_H

#include "base/allocate.h"
#include "invert/descent.h"

#include <stdlib.h>

/* The terms where search number `number` ends.
 *   point  [inversion_point()]  out */
static inline struct inversion_terms searches_run(const struct inversion *inversion, double *point,
                                                  const struct descent_options *options,
                                                  int64_t number)
{
    double *work = allocate(descent_work_count(&inversion->setup), sizeof *work);
    double *averages = allocate(2 * inversion_point(&inversion->setup), sizeof *averages);

    descent_start(inversion, point, options, number, work);
    descent_steps(inversion, point, averages, options, (struct range){ 0, options->steps }, work);
    const struct inversion_terms terms = inversion_loss(inversion, NULL, point, work);
    free(averages);
    free(work);
    return terms;
}

#endif
