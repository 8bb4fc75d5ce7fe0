#include "step/criteria.h"
#include "step/architecture.h"

void criteria_storage(struct criteria *criteria, const struct step_sizes *sizes,
                      struct storage *storage)
{
    STORAGE(storage, criteria->threshold, sizes->own_latents);
    STORAGE(storage, criteria->floor, sizes->own_latents);
    STORAGE(storage, criteria->gain, sizes->own_latents);
}

void criteria_begin(struct criteria *criteria, const struct training *training)
{
    for (int s = 0; s < SECTIONS; s++) {
        const double bound = training->state.bound[s];
        criteria->bound[s] = bound >= 0 ? (float)bound : CRITERIA_FIRST_BOUND;
    }
    training->architecture->prepare(training, criteria);
}
