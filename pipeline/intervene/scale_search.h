/* scale_search.h -- the scale at which a steering vector costs a given loss.
 *
 * After Chalnev, Siu, Conmy, arXiv:2411.02193, section 3: the scale is raised in equal steps until
 * the loss has risen by the cost, and the last step is divided linearly.  So vectors of one cost
 * can be compared, and the scale says how sensitive the model is to a direction.  Local.
 */
#ifndef SCALE_SEARCH_H
#define SCALE_SEARCH_H

#include "base/refuse.h"

#include <stdbool.h>

/* The mean loss with the vector at a scale, nats. */
typedef enum status scale_search_loss(void *context, double scale, double *loss);

struct scale_search {
    double cost;            /* nats, above 0 */
    double step, most;      /* of scales, above 0 */
    double loss;            /* at scale 0 */
};

/* Find the scale.
 *   scale  out: the largest one, if the loss rises by less at all of them
 *   found  out: false then
 * Returns what the loss does. */
enum status scale_search_run(const struct scale_search *search, scale_search_loss *loss,
                             void *context, double *scale, bool *found);

#endif
