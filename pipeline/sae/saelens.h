/* saelens.h -- an autoencoder in the form that SAELens loads: a folder with
 * sae_weights.safetensors and cfg.json.
 *
 * Its architectures: "jumprelu" with a threshold; "gated" with b_gate, b_mag and r_mag in
 * place of b_enc; "topk" with k in the config; "standard", which is ReLU.  A transcoder is a
 * "transcoder" (ReLU) or "jumprelu_transcoder", or one with "skip_" and W_skip.
 *
 * SAE.load_from_disk(FOLDER) of SAELens 6 reads them.  Names of keys and of hook points are
 * those of SAELens and TransformerLens (github.com/decoderesearch/SAELens,
 * github.com/TransformerLensOrg/TransformerLens).  Everything here is Local.
 */
#ifndef SAELENS_H
#define SAELENS_H

#include "sae/sae.h"
#include "suite/site.h"

/* Where the rows come from that an autoencoder was trained on. */
struct saelens_origin {
    const char *model;      /* name of the language model: "gemma-2-2b" */
    struct tap  tap;
    struct tap  target;     /* what is reconstructed */
    int64_t     context;    /* tokens of a sequence, BOS included */
};

/* What cfg.json calls an autoencoder.  Valid for ever. */
const char *saelens_architecture(const struct sae *sae);

/* The reverse: what an autoencoder read from params.npz is, by its name in cfg.json.  False if
 * that is none that has a skip matrix, or none, as this one. */
bool saelens_recognise(struct sae *sae, const char *architecture);

/* TransformerLens's name of a tap: "blocks.1.hook_resid_post". */
void saelens_hook(char name[64], struct tap tap);

/* One tensor of the file. */
struct saelens_tensor {
    const char  *name;
    const float *values;
    int64_t      rows, columns;     /* columns 0: one-dimensional */
};

/* Those of an autoencoder, in the file's order: W_dec [latents, outputs], W_enc [inputs,
 * latents], W_skip [outputs, inputs], b_dec, and the vectors of its architecture.  A gated
 * one's magnitudes are its pre-activations, so r_mag is 0 and b_gate = b_enc - threshold.
 * Needs memory for one more matrix, and the autoencoder to stay. */
struct saelens_weights {
    struct saelens_tensor tensors[7];
    int    count;
    float *encoder, *gate, *zero;   /* what had to be made */
};

void saelens_weights_make(struct saelens_weights *weights, const struct sae *sae);
void saelens_weights_free(struct saelens_weights *weights);

/* safetensors: 8 bytes with the length of a JSON header, the header, then the tensors in
 * float32, each at a multiple of 8 bytes where the shapes allow it; never a gap.  The same
 * parameters give the same bytes.  Not atomic: write into a .part folder.  E_IO, E_SPACE. */
enum status saelens_write_weights(const struct sae *sae, const char *path);

/* cfg.json, for raw activations.  E_IO, E_SPACE. */
enum status saelens_write_config(const struct sae *sae, struct saelens_origin origin,
                                 const char *path);

#endif
