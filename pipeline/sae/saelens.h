/* saelens.h -- an autoencoder in the form that SAELens loads: a folder with
 * sae_weights.safetensors and cfg.json.
 *
 * Its architectures are "jumprelu", with a threshold; "gated", with b_gate, b_mag and r_mag in
 * place of b_enc; "topk", with k in the config; "standard", which is ReLU; "transcoder" (ReLU) and
 * "jumprelu_transcoder"; and "skip_transcoder" and "jumprelu_skip_transcoder", with W_skip.
 *
 * SAE.load_from_disk(FOLDER) of SAELens 6 reads them; skip_transcoder needs 6.24, and only from
 * 6.34 on does SAELens splice transcoders into a model.  Names of keys and of hook points are
 * those of SAELens and TransformerLens (github.com/decoderesearch/SAELens,
 * github.com/TransformerLensOrg/TransformerLens).  Everything here is Local.
 */
#ifndef SAELENS_H
#define SAELENS_H

#include "lm/safetensors_write.h"
#include "sae/sae.h"
#include "suite/site.h"

/* The model, site and layer of the rows that an autoencoder was trained on. */
struct saelens_origin {
    const char *model;      /* name of the language model: "gemma-2-2b" */
    struct tap  tap;
    struct tap  target;     /* the rows it reconstructs */
    int64_t     context;    /* tokens of a sequence, BOS included */
    bool        rms_norm;   /* rows of mlp_in come from an RMSNorm; else LayerNorm, or no norm */
};

/* The architecture of an autoencoder in cfg.json.  Never freed. */
const char *saelens_architecture(const struct sae *sae);

/* The reverse, for an autoencoder read from params.npz: set `form` and `transcoder` by the
 * architecture in cfg.json.  False if the name is unknown, or disagrees with whether this one
 * has a skip matrix. */
bool saelens_recognise(struct sae *sae, const char *architecture);

/* TransformerLens's name of a tap: "blocks.1.hook_resid_post". */
void saelens_hook(char name[64], struct tap tap);

/* The tensors of an autoencoder, in the file's order: W_dec [latents, outputs], W_enc [inputs,
 * latents], W_skip [outputs, inputs], b_dec, and the vectors of its architecture.  The
 * magnitudes of a gated autoencoder are its pre-activations, so r_mag is 0 and
 * b_gate = b_enc - threshold.  They take memory for one more matrix; the others are the
 * autoencoder's own, which must outlive them. */
struct saelens_weights {
    struct safetensors_array tensors[7];
    int    count;
    float *encoder, *gate, *zero;   /* the tensors that are no part of the autoencoder */
};

void saelens_weights_make(struct saelens_weights *weights, const struct sae *sae);
void saelens_weights_free(struct saelens_weights *weights);

/* sae_weights.safetensors, as safetensors_write() does it.  E_IO, E_SPACE. */
enum status saelens_write_weights(const struct sae *sae, const char *path);

/* Text of cfg.json, for the activations of the checkpoint as it is: TransformerLens must not
 * process its weights.  Caller frees.  saelens_write_config() writes it.  E_IO, E_SPACE. */
char *saelens_config_text(const struct sae *sae, struct saelens_origin origin);
enum status saelens_write_config(const struct sae *sae, struct saelens_origin origin,
                                 const char *path);

#endif
