/* model_networks.h -- parts of a language model, and of its autoencoders, as networks.
 *
 * With them an inversion explains an activation: which latents, or which input of an MLP, generate
 * it?  The numbers are those of the part, converted to float64, where rows of the site are divided
 * by `unit`, and latents, too.  So rows of any size suit the weights and rates of an inversion.
 * Each function with weights has one for the shapes alone.  network_free() frees a network.
 * Everything here is Local.
 */
#ifndef MODEL_NETWORKS_H
#define MODEL_NETWORKS_H

#include "invert/network.h"
#include "lm/weights.h"
#include "sae/sae.h"

/* The decoder: from latents, which may have any sign here, to the row that they reconstruct.
 * E_USAGE: a skip matrix, which reads more than latents. */
enum status model_networks_decoder(struct network *network, const struct sae *sae, double unit);
void        model_networks_decoder_shape(struct network *network, const struct sae *sae);

/* The encoder: from a row to latents, those above their thresholds.  Where only the k largest
 * latents of a row stay, here all of these stay. */
void model_networks_encoder(struct network *network, const struct sae *sae, double unit);
void model_networks_encoder_shape(struct network *network, const struct sae *sae);

/* The MLP of a layer with its biases and the norm after it: from a row of the site mlp_in, which
 * is not divided, to that of the site mlp.  E_USAGE: the model has no MLP or no such layer, or its
 * weights are not float32. */
enum status model_networks_mlp(struct network *network, const struct weights *weights, int layer,
                               double unit);
enum status model_networks_mlp_shape(struct network *network, const struct lm_config *config,
                                     int layer);

/* As many outputs as inputs, and the same. */
void model_networks_identity(struct network *network, int32_t width);
void model_networks_identity_shape(struct network *network, int32_t width);

#endif
