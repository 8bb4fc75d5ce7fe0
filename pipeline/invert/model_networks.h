/* model_networks.h -- parts of a language model, and decoders of its autoencoders, as networks.
 *
 * With them an inversion explains an activation: which latents, or which input of an MLP, generate
 * it?  The numbers are those of the part, converted to float64.  network_free() frees a network.
 * Everything here is Local.
 */
#ifndef MODEL_NETWORKS_H
#define MODEL_NETWORKS_H

#include "invert/network.h"
#include "lm/weights.h"
#include "sae/sae.h"

/* The decoder: from latents, which may have any sign here, to the row that they reconstruct.
 * E_USAGE: a skip matrix, which reads more than latents. */
enum status model_networks_decoder(struct network *network, const struct sae *sae);

/* The MLP of a layer with its biases and the norm after it: from a row of the site mlp_in to that
 * of the site mlp.  E_USAGE: the model has no MLP or no such layer, or its weights are not
 * float32. */
enum status model_networks_mlp(struct network *network, const struct weights *weights, int layer);

/* Bytes of these networks. */
int64_t model_networks_decoder_bytes(int32_t outputs, int32_t latents);
int64_t model_networks_mlp_bytes(const struct lm_config *config);

#endif
