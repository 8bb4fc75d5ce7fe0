/* heads.h -- the attention heads that a suite names, in circuit.heads and circuit.ablated.
 * Local. */
#ifndef HEADS_H
#define HEADS_H

#include "lm/config.h"
#include "suite/suite.h"

/* Mark them.
 *   chosen [layers * heads]  out: head h of layer l at l * heads + h
 * E_USAGE for what names no head, or one that the model does not have. */
enum status heads_choose(bool *chosen, const struct suite *suite, const struct lm_config *config);

/* Those of entry number `entry` of circuit.heads alone, and those of circuit.ablated.  As
 * heads_choose(). */
enum status heads_choose_entry(bool *chosen, const struct suite *suite,
                               const struct lm_config *config, int64_t entry);
enum status heads_choose_ablated(bool *chosen, const struct suite *suite,
                                 const struct lm_config *config);

/* The numbers of the chosen heads, ascending, and how many.
 *   head [count]  out; caller frees */
int64_t heads_list(int64_t **head, const bool *chosen, const struct lm_config *config);

/* Their number.  As heads_choose(). */
enum status heads_count(int64_t *count, const struct suite *suite, const struct lm_config *config);

#endif
