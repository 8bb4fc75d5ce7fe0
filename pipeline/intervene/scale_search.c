#include "intervene/scale_search.h"

#include <stdint.h>

enum status scale_search_run(const struct scale_search *search, scale_search_loss *loss,
                             void *context, double *scale, bool *found)
{
    const double wanted = search->loss + search->cost;
    double before = search->loss, after = search->loss;
    enum status st = OK;

    *found = false;
    for (int64_t i = 1; !*found && (double)i * search->step <= search->most; i++) {
        before = after;
        TRY(loss(context, (double)i * search->step, &after));
        *found = after >= wanted;
        if (*found)
            *scale = search->step * ((double)(i - 1) + (wanted - before) / (after - before));
    }
done:
    return st;
}
