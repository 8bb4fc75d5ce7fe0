/* criteria.h -- what decides in a batch which entries are listed. */
#ifndef CRITERIA_H
#define CRITERIA_H

#include "step/step_memory.h"
#include "step/storage.h"

struct criteria {
    float *threshold;   /* [own latents] active pre-activations exceed it */
    float *floor;       /* [own latents] auxiliary ones exceed it, unless they are scanned apart */
    float *gain;        /* [own latents] of the encoder's product */
    float  bound[SECTIONS];     /* TopK types: values below it are not collected */
    bool   auxiliary_decoded;   /* auxiliary entries reconstruct something in this step */
};

void criteria_storage(struct criteria *criteria, const struct step_sizes *sizes,
                      struct storage *storage);

/* Set all from the parameters, and the bounds from what the last batches have taught.  Local. */
void criteria_begin(struct criteria *criteria, const struct training *training);

/* Search for a bound: start at the norm of a row and lower it by 10 % until every row has its k.
 * Starting high keeps the first lists short. */
static const float CRITERIA_FIRST_BOUND = 1;

static inline float criteria_next_bound(float bound)
{
    return bound > 1e-3f ? 0.9f * bound : 0;
}

#endif
