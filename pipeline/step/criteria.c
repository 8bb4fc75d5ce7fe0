#include "step/criteria.h"
#include "base/allocate.h"
#include "step/architecture.h"

#include <stdlib.h>

void criteria_make(struct criteria *criteria, const struct step_sizes *sizes)
{
    *criteria = (struct criteria){
        .threshold = allocate(sizes->own_latents, sizeof(float)),
        .floor = allocate(sizes->own_latents, sizeof(float)),
        .gain = allocate(sizes->own_latents, sizeof(float)),
    };
}

void criteria_free(struct criteria *criteria)
{
    free(criteria->gain);
    free(criteria->floor);
    free(criteria->threshold);
    *criteria = (struct criteria){0};
}

int64_t criteria_bytes(const struct step_sizes *sizes)
{
    return 3 * sizes->own_latents * (int64_t)sizeof(float);
}

void criteria_begin(struct criteria *criteria, const struct training *training)
{
    for (int s = 0; s < SECTIONS; s++) {
        const double bound = training->state.bound[s];
        criteria->bound[s] = bound >= 0 ? (float)bound : CRITERIA_FIRST_BOUND;
    }
    training->architecture->prepare(training, criteria);
}
