/* evaluate_stage.h -- what evaluate needs: memory, and flops; for the stage and for `plan`.
 *
 * A node has the model and the parameters of the autoencoders once; each rank has the buffers of
 * its own forward passes, among them a last residual stream for each autoencoder.  Autoencoders
 * of one place that do not all fit are scored in groups, each with a pass of its own over the text.
 * Who is in which group follows from the host alone, so the stage and `plan` make the same ones.
 * Everything here is Local.
 */
#ifndef EVALUATE_STAGE_H
#define EVALUATE_STAGE_H

#include "evaluate/splice.h"
#include "suite/stages.h"
#include "suite/tasks.h"

/* Autoencoders that are spliced in at the same place. */
struct placed {
    struct splice_place place;
    const struct sae_task **saes;   /* [count] */
    int                 count;
};

/* Those of a task that give rows of one site.  evaluate_placed_free() is due. */
struct placed evaluate_placed(const struct tap_task *task, enum site site);
void          evaluate_placed_free(struct placed *placed);

/* The first group of them: as many as fit, from the first on, and at least one. */
int evaluate_group(const struct stage_host *host, const struct placed *placed);

/* Those after the first `count`: a view of the same list. */
struct placed evaluate_rest(const struct placed *placed, int count);

/* What the groups of a place need, and what reading the model does: whichever is more. */
struct stage_memory evaluate_placed_bytes(const struct stage_host *host,
                                          const struct placed *placed);

/* On disk, of a score file (scores.c): 3.6 kB for contexts of 64 tokens, more with more spans. */
enum { EVALUATE_SCORES_BYTES = 10000 };

/* The same of all of a suite's tasks. */
struct stage_memory evaluate_bytes(const struct stage_host *host);

#endif
