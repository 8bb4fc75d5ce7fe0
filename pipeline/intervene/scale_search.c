#include "intervene/scale_search.h"

#include <stdint.h>

enum status scale_search_run(const struct scale_search *search, scale_search_loss *loss,
                             void *context, double *scale, bool *found)
{
    const double wanted = search->loss + search->cost;
    double before = search->loss, after = search->loss;
    enum status st = OK;

    *found = false;
    *scale = 0;
    for (int64_t i = 1; !*found && (double)i * search->step <= search->most; i++) {
        before = after;
        TRY(loss(context, (double)i * search->step, &after));
        *found = after >= wanted;
        *scale = search->step
                 * (*found ? (double)(i - 1) + (wanted - before) / (after - before) : (double)i);
    }
done:
    return st;
}
