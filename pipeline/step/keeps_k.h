/* keeps_k.h -- architectures that keep k latents instead of those above a threshold.
 *
 *   p = ReLU(product + b_enc)      f = the k largest p      dpi = G where active
 *
 * They differ in the rows among whose p these are the largest: topk.c, batch_topk.c.
 *
 * AuxK revives dead latents.  In each row the `auxk_latents` largest p of dead latents are the
 * auxiliary entries.  They reconstruct the error e = x - y, which counts as given:
 *
 *   loss += auxk mean |e - f_aux W_dec|^2 / mean |e - mean e|^2
 *
 * Only values above a lower bound are collected, since smaller ones are unlikely to be among the
 * largest.  It saves time and memory and changes no result: if a value is missing that would have
 * been kept, the bound is lowered and the batch is listed again, which costs as much as a product.
 */
#ifndef KEEPS_K_H
#define KEEPS_K_H

#include "step/plain.h"

/* The functions of struct architecture that do not depend on which rows compete. */
double keeps_k_first_density(const struct recipe *recipe, struct shape shape);
void   keeps_k_prepare(const struct training *training, struct criteria *criteria);
void   keeps_k_scan(const struct training *training, const struct criteria *criteria,
                    struct codes *piece, const float *pre, int64_t rows, struct range own);
void   keeps_k_penalise(const struct training *training, const struct errors *errors,
                        struct penalty *penalty, struct step_report *report);
void   keeps_k_differentiate(const struct training *training, const struct criteria *criteria,
                             const struct penalty *penalty, struct gradients *gradients,
                             int64_t latent);
void   keeps_k_settle(struct training *training, const struct criteria *criteria,
                      const struct codes *rows, const struct gradients *gradients);

/* k, of a row. */
int64_t keeps_k_count(const struct training *training);

/* Cutoffs that leave the k largest entries of each row, from start to end.
 *   cutoffs   [rows]   out
 * Local. */
void keeps_k_of_rows(struct cutoff *cutoffs, const struct codes *rows, const int32_t *start,
                     const int32_t *end, int64_t k);

/* Cutoffs of the auxiliary entries.  Local. */
void keeps_k_of_dead(const struct training *training, const struct criteria *criteria,
                     const struct codes *rows, struct cutoff *cutoffs);

/* Does some row have fewer entries than k, from start to end?  Local. */
bool keeps_k_lacks(const struct codes *rows, const int32_t *start, const int32_t *end, int64_t k);

/* lower_bounds(), where `lack` says whether active entries are missing.  Local. */
bool keeps_k_lower_bounds(const struct training *training, struct criteria *criteria,
                          const struct codes *rows, bool lack);

/* What the architectures have in common. */
#define KEEPS_K                                                                                   \
    .vectors = { "encoder_bias" }, .centred = true, .unit_decoder = true, .decoder_norm = 1,      \
    .first_density = keeps_k_first_density, .prepare = keeps_k_prepare,                           \
    .differentiate = keeps_k_differentiate, .settle = keeps_k_settle

#endif
