/* sae.h -- one trained autoencoder or transcoder: its parameters, and what it makes of a row.
 *
 *   pi = (x W_enc) + b_enc        pre-activations
 *   f  = pi where pi > threshold, else 0      (JumpReLU, arXiv:2407.14435)
 *   y  = f W_dec + b_dec (+ x W_skip)         reconstruction
 *
 * A threshold below 0 counts as 0: loaders elsewhere clip pi at 0 before they compare.  All
 * architectures come to this when they are trained; TopK's thresholds are 0, but of the f of a
 * row only the `keep` largest stay, of equal ones those of lower number.
 *
 * Both matrices lie latent by latent: row i of `encoder` is column i of the literature's
 * W_enc, row i of `decoder` the direction that latent i writes.
 */
#ifndef SAE_H
#define SAE_H

#include "base/refuse.h"

#include <stdbool.h>
#include <stdint.h>

/* The forms in which others know what is used here in one. */
enum sae_form { FORM_JUMPRELU, FORM_GATED, FORM_TOPK, FORM_RELU };

struct sae {
    int32_t inputs;         /* values of a row, d */
    int32_t outputs;        /* of a row that is reconstructed: d, but for a transcoder */
    int32_t latents;        /* width of the dictionary */
    enum sae_form form;     /* does not change what is computed, nor does ... */
    bool    transcoder;     /* ... that what is reconstructed is another row than x */
    int32_t keep;           /* most latents of a row; 0: any */
    float  *encoder;        /* [latents, inputs] */
    float  *decoder;        /* [latents, outputs] */
    float  *encoder_bias;   /* [latents] */
    float  *decoder_bias;   /* [outputs] */
    float  *threshold;      /* [latents] */
    float  *skip;           /* [outputs, inputs], or NULL */
};

/* Numbers of the parameters together. */
int64_t sae_parameters(int32_t inputs, int32_t outputs, int32_t latents, bool skip);

/* Room for the parameters, all zero, without a skip matrix.  sae_free() accepts an empty one. */
void sae_make(struct sae *sae, int32_t inputs, int32_t outputs, int32_t latents);
void sae_free(struct sae *sae);

/* The encoder as files have it, W_enc [inputs, latents]; and the skip matrix, W_skip [inputs,
 * outputs].  Caller frees. */
float *sae_encoder_turned(const struct sae *sae);
float *sae_skip_turned(const struct sae *sae);

/* How training saw the data. */
struct sae_units {
    double scale;           /* rows were x / scale, ... */
    double target_scale;    /* ... and what was to be reconstructed y / target_scale */
    bool   centred;         /* x - b_dec went into the encoder */
};

/* From those units to raw activations going in as they are (Gemma Scope, arXiv:2408.05147,
 * appendix B):  b_enc' = scale (b_enc - W_enc b_dec),  threshold' = scale threshold,
 * b_dec' = target_scale b_dec, and W_dec and W_skip times target_scale / scale.  Sums in
 * double. */
void sae_fold(struct sae *sae, struct sae_units units);

/* The latents of some rows, as defined above, for x going in as it is.
 *   f  [rows, latents]  out
 *   x  [rows, inputs]   in
 * One dense product: cut rows into blocks in one way (kernels/gemm.h) and the bits do not
 * depend on the number of threads.  Local. */
void sae_encode(const struct sae *sae, float *f, const float *x, int64_t rows);

/* The rows that some latents write.  Only latents other than 0 cost anything; they are
 * added in the order of their numbers, so the bits of a row depend on that row alone.
 *   y  [rows, outputs]  out
 *   f  [rows, latents]  in
 *   x  [rows, inputs]   in; only looked at if there is a skip matrix
 * Local. */
void sae_decode(const struct sae *sae, float *y, const float *f, const float *x, int64_t rows);

/* Gemma Scope's params.npz: float32 W_enc [inputs, latents], W_dec [latents, outputs], b_enc,
 * b_dec, threshold; if there is one, affine_skip_connection [inputs, outputs], as Gemma Scope
 * 2 calls it; k [1], if only the k largest latents stay.  For raw activations.  Both are Local.
 *
 * Reading accepts either order of a matrix in memory (NumPy's fortran_order) and refuses
 * missing arrays, other types, shapes that do not fit together, and numbers that are not
 * finite.  Fills `sae`, which is empty on failure.  E_IO, E_FORMAT, E_NUMERIC.
 *
 * Writing stores the arrays uncompressed, as numpy.savez does, with one fixed date: the same
 * parameters give the same bytes.  It is not atomic: write into a .part folder, or publish
 * the file.  Needs memory for one more matrix.  E_IO, E_SPACE. */
enum status sae_read_npz(struct sae *sae, const char *path);
enum status sae_write_npz(const struct sae *sae, const char *path);

#endif
