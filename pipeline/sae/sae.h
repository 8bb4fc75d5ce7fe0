/* sae.h -- one trained autoencoder or transcoder: its parameters and its reconstructions.
 *
 *   pi = (x W_enc) + b_enc        pre-activations
 *   f  = pi where pi > threshold, else 0      (JumpReLU, arXiv:2407.14435)
 *   y  = f W_dec + b_dec (+ x W_skip)         reconstruction
 *
 * A threshold below 0 counts as 0: some programs clip pi at 0 before they compare.  Others do
 * not, so no file that is exported has one.  Every trained architecture has this form.  TopK has
 * thresholds 0 and keeps only the `keep` largest f of a row; among equal ones, those of lower
 * number.
 *
 * Both matrices are stored latent by latent: row i of `encoder` is column i of the literature's
 * W_enc, row i of `decoder` is the direction of latent i.
 */
#ifndef SAE_H
#define SAE_H

#include "base/refuse.h"
#include "suite/architectures.h"

#include <stdbool.h>
#include <stdint.h>

struct sae {
    int32_t inputs;         /* values of a row, d */
    int32_t outputs;        /* values of a reconstructed row: d, unless it is a transcoder */
    int32_t latents;        /* width of the dictionary */
    enum sae_form form;     /* its architecture in exported files; inference is the same for all */
    bool    transcoder;     /* reconstructs the row of another site; inference is the same */
    int32_t keep;           /* most active latents of a row; 0: any number */
    float  *encoder;        /* [latents, inputs] */
    float  *decoder;        /* [latents, outputs] */
    float  *encoder_bias;   /* [latents] */
    float  *decoder_bias;   /* [outputs] */
    float  *threshold;      /* [latents] */
    float  *skip;           /* [outputs, inputs], or NULL */
};

/* Numbers of the parameters together. */
int64_t sae_parameters(int32_t inputs, int32_t outputs, int32_t latents, bool skip);

/* Allocate the parameters, all zero, without a skip matrix.  sae_free() accepts an empty one. */
void sae_make(struct sae *sae, int32_t inputs, int32_t outputs, int32_t latents);
void sae_free(struct sae *sae);

/* The encoder as W_enc [inputs, latents], and the skip matrix as W_skip [inputs, outputs], for
 * files.  Caller frees. */
float *sae_encoder_transposed(const struct sae *sae);
float *sae_skip_transposed(const struct sae *sae);

/* The units of training. */
struct sae_units {
    double scale;           /* input rows were divided by it */
    double target_scale;    /* target rows were divided by it */
    bool   centred;         /* the encoder's input was x - b_dec */
};

/* Convert the parameters from those units to raw activations, not centred (Gemma Scope,
 * arXiv:2408.05147, appendix B):  b_enc' = scale (b_enc - W_enc b_dec),
 * threshold' = max(scale threshold, 0), b_dec' = target_scale b_dec, and W_dec and W_skip times
 * target_scale / scale.  Sums are double. */
void sae_fold(struct sae *sae, struct sae_units units);

/* The latents of some rows, as defined above.
 *   f  [rows, latents]  out
 *   x  [rows, inputs]   in
 * One dense product: cut rows into blocks in one way (kernels/gemm.h) and the bits do not
 * depend on the number of threads.  Local. */
void sae_encode(const struct sae *sae, float *f, const float *x, int64_t rows);

/* Reconstruct rows from latents.  Only latents other than 0 take time.  They are added in the
 * order of their numbers, so the bits of a row depend on that row alone.
 *   y  [rows, outputs]  out
 *   f  [rows, latents]  in
 *   x  [rows, inputs]   in; only read if there is a skip matrix
 * Local. */
void sae_decode(const struct sae *sae, float *y, const float *f, const float *x, int64_t rows);

/* Gemma Scope's params.npz: float32 W_enc [inputs, latents], W_dec [latents, outputs], b_enc,
 * b_dec, threshold; if there is one, affine_skip_connection [inputs, outputs], as Gemma Scope
 * 2 calls it; k [1], if only the k largest latents stay.  For raw activations.  Both are Local.
 *
 * Reading accepts either order of a matrix in memory (NumPy's fortran_order) and refuses
 * missing arrays, other types, shapes that do not fit together or into memory, before it
 * allocates any, and numbers that are not finite.  Fills `sae`, which is empty on failure.
 * E_IO, E_FORMAT, E_NUMERIC, E_SPACE.
 *
 * Writing stores the arrays uncompressed, as numpy.savez does, with one fixed date: the same
 * parameters give the same bytes.  It is not atomic: write into a .part folder, or publish
 * the file.  Needs memory for one more matrix.  E_IO, E_SPACE. */
enum status sae_read_npz(struct sae *sae, const char *path);
enum status sae_write_npz(const struct sae *sae, const char *path);

#endif
