/* mod_ten.h -- directions that say what a number is modulo 10.
 *
 * Gould, Ong, Ogden and Conmy, "Successor heads" (arXiv:2312.09230), section 4: among the latents
 * of an autoencoder of what MLP 0 adds there are ten that fire for numbers with one last digit
 * each; next to them a linear probe.  Their settings were not published; here the choice is:
 *
 * - A latent's excess on a number is its value there minus its mean over all numbers, times the
 *   norm of its decoder row.  The latent of a digit is the one that has the largest excess on most
 *   of the digit's numbers; of several, the lowest one.  `coverage` is the share of numbers whose
 *   largest excess is that of their digit's latent.
 * - The probe is ridge.h's; a digit's direction is its weights, of norm 1, and its value on x is
 *   their dot product with x less the mean.
 *
 * A digit's strength is the mean of its value over its numbers.  The numbers need each digit.
 * Everything here is Local, and does not depend on the number of threads.
 */
#ifndef MOD_TEN_H
#define MOD_TEN_H

#include "heads/ridge.h"
#include "sae/sae.h"

enum { MOD_TEN = 10 };

struct mod_ten {
    int32_t width;
    const struct sae *sae;          /* NULL: a probe */
    int32_t latent[MOD_TEN];
    float  *direction;              /* [MOD_TEN, width] */
    float  *centre;                 /* [width] of the probe */
    double  strength[MOD_TEN];
    double  coverage;               /* of the latents */
};

/* Bytes that the functions below allocate while they work on `count` rows, the larger ones
 * first. */
int64_t mod_ten_bytes(int32_t width, int32_t latents, int64_t count);

/* Find the latents; fit the probe.
 *   x      [count, width]  in: what MLP 0 adds to each number's embedding, or another reading
 *   number [count]         in: at least 0
 * E_USAGE if the autoencoder is not of rows of that width, or a digit has no number.  `sae` must
 * outlive the result.  mod_ten_free() is due in any case. */
enum status mod_ten_find(struct mod_ten *ten, const struct sae *sae, const float *x, int32_t width,
                         const int64_t *number, int64_t count);
enum status mod_ten_fit(struct mod_ten *ten, const float *x, int32_t width, const int64_t *number,
                        int64_t count);
void        mod_ten_free(struct mod_ten *ten);

/* The digits' values on some rows.
 *   value [count, MOD_TEN]  out
 *   x     [count, width]    in */
void mod_ten_read(const struct mod_ten *ten, double *value, const float *x, int64_t count);

/* The share of rows on which the strongest digit, relative to its strength, is that of the number:
 * for words that are no numerals `number` is their place in their class. */
double mod_ten_right(const struct mod_ten *ten, const float *x, const int64_t *number,
                     int64_t count);

/* The mean over the digits of the cosine between two kinds of directions. */
double mod_ten_cosine(const struct mod_ten *a, const struct mod_ten *b);

/* Exchange one digit of a row for another: y = x - value(from) direction(from) + strength(to)
 * direction(to).
 *   y, x [width]        out, in
 *   value [MOD_TEN]     in, of x */
void mod_ten_exchange(const struct mod_ten *ten, float *y, const float *x, const double *value,
                      int from, int to);

#endif
