/* unlearning.h -- which latents are clamped so that a model forgets, and what that is worth.
 *
 * After Farrell, Lau, Conmy, arXiv:2410.19278, section 3, and the unlearning score of SAEBench,
 * arXiv:2503.09532.  Numbers in, numbers out; everything here is Local.
 */
#ifndef UNLEARNING_H
#define UNLEARNING_H

#include <stdbool.h>
#include <stdint.h>

/* Choose latents that have to do with what is to be forgotten and are hardly active on what is
 * retained: those active in less than `threshold` of the retained rows, by their score, largest
 * first; among equal ones those of lower number.  One whose score is not above 0 is not chosen.
 * Returns how many there are, at most `most`.
 *   chosen  [most]     out
 *   score   [latents]  in: the share of the rows to be forgotten in which a latent is active, or
 *                      its attribution to answers
 *   retain  [latents]  in: the share of the retained rows, 0 to 1 */
int32_t unlearning_choose(int32_t *chosen, int32_t most, const double *score,
                          const double *retain, int32_t latents, double threshold);

/* The direction in which rows of texts to be forgotten differ from those of others: the mean of the
 * first less that of the second, divided by its length.  Returns the length; if it is 0 the
 * direction is, too.
 *   direction       [width]  out
 *   forget, retain  [width]  in: the means */
double unlearning_direction(float *direction, const double *forget, const double *retain,
                            int32_t width);

/* One way of clamping: the shares of known questions that are still answered right. */
struct unlearning_point {
    double forget;      /* questions of what is to be forgotten: low is good */
    double retain;      /* other questions: high is good */
};

/* Find the Pareto front: a point is on it if no other one is better in one respect and no worse in
 * the other.
 *   on_front [count]  out */
void unlearning_front(bool *on_front, const struct unlearning_point *points, int64_t count);

/* SAEBench's score: 1 less the lowest `forget` of the points that retain at least `floor`, 0 to 1;
 * the model as it is counts as a point with 1 and 1. */
double unlearning_score(const struct unlearning_point *points, int64_t count, double floor);

#endif
