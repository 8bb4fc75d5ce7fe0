/* steering_completions.h -- what the model writes with each target's vector, for a judge:
 * RUN/intervene/steering-completions.jsonl, which INTERVENTIONS.md defines. */
#ifndef STEERING_COMPLETIONS_H
#define STEERING_COMPLETIONS_H

#include "intervene/steering_files.h"

/* Let the model complete the prompts with each vector, and without one, and write the file; nothing
 * if there are no prompts.  Collective.  As steered_writing_write(); E_SPACE. */
enum status steering_completions_write(struct steering_job *job,
                                       const struct steering_target *targets, int64_t count);

/* Bytes that it allocates.  Local. */
int64_t steering_completions_bytes(const struct suite *suite);

#endif
