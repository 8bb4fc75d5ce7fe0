/* penalty.h -- what the loss adds to the error, and its derivatives. */
#ifndef PENALTY_H
#define PENALTY_H

#include "step/lists.h"
#include "step/step_report.h"

struct penalty {
    /* Counted in the lists of every pass: */
    double  *sparsity;          /* [batch] of each row */
    int32_t *fired;             /* [latents] active entries in the batch */
    int64_t  active, auxiliary; /* entries of the batch */

    /* Of the parameters: */
    double  *decoder_norms;     /* [latents] squared, unless decoder rows are kept at norm 1 */

    /* From the architecture's penalise(): */
    double  *slope;             /* [batch] derivative by a row's sparsity, where rows differ */
    double   auxiliary_scale;   /* twice the derivative by the auxiliary squared error */
};

void penalty_make(struct penalty *penalty, const struct step_sizes *sizes);
void penalty_free(struct penalty *penalty);
int64_t penalty_bytes(const struct step_sizes *sizes);

/* Begin a batch: nothing is counted yet.  Local. */
void penalty_begin(struct penalty *penalty, const struct training *training);

/* Count the entries of a pass.  Local. */
void penalty_count(struct penalty *penalty, const struct training *training,
                   const struct lists *lists);

#endif
