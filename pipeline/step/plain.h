/* plain.h -- parts that several architectures have in common. */
#ifndef PLAIN_H
#define PLAIN_H

#include "step/architecture.h"
#include "step/criteria.h"
#include "step/gradients.h"
#include "step/loss.h"

/* scan() of everything above the criteria's threshold, without auxiliary entries. */
void plain_scan(const struct training *training, const struct criteria *criteria,
                struct codes *piece, const float *pre, int64_t rows, struct range own);

/* The part of penalise() that is the recipe's coefficient times the mean sparsity of the rows. */
void plain_penalise(const struct training *training, const struct penalty *penalty,
                    struct step_report *report);

/* What a row's sparsity costs: derivative of the loss by it. */
double plain_price(const struct training *training);

/* infer() of architectures that train one bias and no threshold. */
void plain_infer(const struct training *training, float *gain, float *bias, float *threshold);

/* The share of a row's pre-activations above `low` when training starts.  The latents' directions
 * are random then: the pre-activations of a row of norm 1 follow nearly a normal distribution of
 * variance 1 / inputs. */
double plain_first_above(double low, int32_t inputs);

#endif
