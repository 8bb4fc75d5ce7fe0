/* saelens.h -- an autoencoder in the form that SAELens loads: a folder with
 * sae_weights.safetensors and cfg.json.
 *
 * SAE.load_from_disk(FOLDER) of SAELens 6 reads them.  Names of keys and of hook points are
 * those of SAELens and TransformerLens (github.com/decoderesearch/SAELens,
 * github.com/TransformerLensOrg/TransformerLens).  Everything here is Local.
 */
#ifndef SAELENS_H
#define SAELENS_H

#include "base/site.h"
#include "sae/sae.h"

/* Where the rows come from that an autoencoder was trained on. */
struct saelens_origin {
    const char *model;      /* name of the language model: "gemma-2-2b" */
    struct tap  tap;
    int64_t     context;    /* tokens of a sequence, BOS included */
};

/* TransformerLens's name of a tap: "blocks.1.hook_resid_post".  For Gemma 2 its
 * hook_mlp_out is behind the post-norm, as our "mlp" is. */
void saelens_hook(char name[64], struct tap tap);

/* safetensors: 8 bytes with the length of a JSON header, the header, then float32 W_dec
 * [latents, inputs], W_enc [inputs, latents], b_dec, b_enc, threshold, each at a multiple of
 * 8 bytes where the shapes allow it; never a gap.  The same parameters give the same bytes.
 * Not atomic: write into a .part folder.  Needs memory for one more matrix.  E_IO, E_ROOM. */
enum status saelens_write_weights(const struct sae *sae, const char *path);

/* cfg.json, for raw activations.  E_IO, E_ROOM. */
enum status saelens_write_config(const struct sae *sae, struct saelens_origin origin,
                                 const char *path);

#endif
