/* heads.h -- the attention heads that a suite names in circuit.heads.  Local. */
#ifndef HEADS_H
#define HEADS_H

#include "lm/config.h"
#include "suite/suite.h"

/* Mark them.
 *   chosen [layers * heads]  out: head h of layer l at l * heads + h
 * E_USAGE for what names no head, or one that the model does not have. */
enum status heads_choose(bool *chosen, const struct suite *suite, const struct lm_config *config);

/* Their number.  As heads_choose(). */
enum status heads_count(int64_t *count, const struct suite *suite, const struct lm_config *config);

#endif
