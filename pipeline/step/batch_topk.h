/* batch_topk.h -- what Matryoshka autoencoders share with BatchTopK ones. */
#ifndef BATCH_TOPK_H
#define BATCH_TOPK_H

#include "step/keeps_k.h"

/* Functions of struct architecture (architecture.h). */
void batch_topk_select(const struct training *training, const struct criteria *criteria,
                       const struct codes *rows, struct cutoff *active, struct cutoff *auxiliary);
bool batch_topk_lower_bounds(const struct training *training, struct criteria *criteria,
                             const struct codes *rows);
void batch_topk_penalise(const struct training *training, const struct errors *errors,
                         struct penalty *penalty, struct step_report *report);
void batch_topk_infer(const struct training *training, float *gain, float *bias,
                      float *threshold);

#define KEEPS_K_OF_BATCH                                                                          \
    KEEPS_K, .select = batch_topk_select, .lower_bounds = batch_topk_lower_bounds,                \
    .penalise = batch_topk_penalise, .infer = batch_topk_infer

#endif
