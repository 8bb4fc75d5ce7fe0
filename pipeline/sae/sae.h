/* sae.h -- one trained autoencoder: its parameters, and what it makes of a row.
 *
 *   pi = (x W_enc) + b_enc        pre-activations
 *   f  = pi where pi > threshold, else 0      (JumpReLU, arXiv:2407.14435)
 *   y  = f W_dec + b_dec          reconstruction
 *
 * A threshold below 0 counts as 0: loaders elsewhere clip pi at 0 before they compare.
 *
 * Both matrices lie latent by latent: row i of `encoder` is column i of the literature's
 * W_enc, row i of `decoder` the direction that latent i writes.
 */
#ifndef SAE_H
#define SAE_H

#include "base/status.h"

#include <stdint.h>

struct sae {
    int32_t inputs;         /* values of a row, d */
    int32_t latents;        /* width of the dictionary */
    float  *encoder;        /* [latents, inputs] */
    float  *decoder;        /* [latents, inputs] */
    float  *encoder_bias;   /* [latents] */
    float  *decoder_bias;   /* [inputs] */
    float  *threshold;      /* [latents] */
};

/* Room for the parameters, all zero.  sae_free() accepts an empty one. */
void sae_make(struct sae *sae, int32_t inputs, int32_t latents);
void sae_free(struct sae *sae);

/* The encoder as files have it, W_enc [inputs, latents].  Caller frees. */
float *sae_encoder_turned(const struct sae *sae);

/* From the units in which training saw the data, x / scale with x - b_dec going into the
 * encoder, to raw activations going in as they are (Gemma Scope, arXiv:2408.05147,
 * appendix B):  b_enc' = scale (b_enc - W_enc b_dec),  b_dec' = scale b_dec,
 * threshold' = scale threshold.  Sums in double. */
void sae_fold(struct sae *sae, double scale);

/* The latents of some rows, as defined above, for x going in as it is.
 *   f  [rows, latents]  out
 *   x  [rows, inputs]   in
 * One dense product: cut rows into blocks in one way (kernels/gemm.h) and the bits do not
 * depend on the number of threads.  Local. */
void sae_encode(const struct sae *sae, float *f, const float *x, int64_t rows);

/* The rows that some latents write.  Only latents other than 0 cost anything; they are
 * added in the order of their numbers, so the bits of a row depend on that row alone.
 *   y  [rows, inputs]   out
 *   f  [rows, latents]  in
 * Local. */
void sae_decode(const struct sae *sae, float *y, const float *f, int64_t rows);

/* Gemma Scope's params.npz: float32 W_enc [inputs, latents], W_dec [latents, inputs], b_enc,
 * b_dec, threshold; for raw activations.  Both are Local.
 *
 * Reading accepts either order of a matrix in memory (NumPy's fortran_order) and refuses
 * missing arrays, other types, shapes that do not fit together, and numbers that are not
 * finite.  Fills `sae`, which is empty on failure.  E_IO, E_FORMAT, E_NUMERIC.
 *
 * Writing stores the arrays uncompressed, as numpy.savez does, with one fixed date: the same
 * parameters give the same bytes.  It is not atomic: write into a .part folder, or publish
 * the file.  Needs memory for one more matrix.  E_IO, E_ROOM. */
enum status sae_read_npz(struct sae *sae, const char *path);
enum status sae_write_npz(const struct sae *sae, const char *path);

#endif
