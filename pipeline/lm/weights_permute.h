/* weights_permute.h -- a model without what it has learned, as a control.
 *
 * What a method finds in a model whose numbers are in random order is due to the method and to the
 * shape of the model (Conmy et al., arXiv:2304.14997, section 4).
 */
#ifndef WEIGHTS_PERMUTE_H
#define WEIGHTS_PERMUTE_H

#include "lm/weights.h"

/* Put the numbers of each matrix into an order that the seed gives: embedding, unembedding (once,
 * where they are the same), positions, queries, keys and values by themselves, and what follows in
 * each layer; gates and ups together.  Norms and biases stay.  The weights are in float32, and
 * `comm` is theirs of weights_read().  The same on any number of ranks.  Collective. */
void weights_permute(struct weights *weights, uint64_t seed, MPI_Comm comm);

#endif
