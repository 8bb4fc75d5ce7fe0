/* inversions.h -- the tasks of the stage invert: one explains one thing (things.h). */
#ifndef INVERSIONS_H
#define INVERSIONS_H

#include "invert/explanation.h"
#include "methods/task_stage.h"

int64_t inversions_tasks(const struct suite *suite);

/* Refuse what a suite lacks, and networks that do not fit together, what is seen, or the model.
 * Local.  E_USAGE, E_IO, E_FORMAT, E_NUMERIC. */
enum status inversions_check(const struct suite *suite, const struct lm_config *config);

/* Bytes of a rank with `threads` threads, and of a node; flops of all tasks.  0 if what the suite
 * names is not there.  Local. */
struct stage_memory inversions_memory(const struct suite *suite, const struct lm_config *config,
                                      int threads);
double inversions_work(const struct suite *suite, const struct lm_config *config);

/* Do the tasks that are wanted.
 *   wanted  [tasks]  in
 * Collective.  As things_read(), inversion_make() and restarts_run(); E_IO, E_SPACE. */
enum status inversions_run(const struct task_work *work, const bool *wanted);

#endif
