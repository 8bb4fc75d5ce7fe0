/* monitor.h -- what a person watches while autoencoders are trained, and is warned of.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "base/run.h"
#include "train/trainings.h"

/* "w1024-t20 loss 0.21, FVU 0.182, L0 20.3, dead 1.2 %; ...": where each one stands that has
 * made a step in this run.  Local. */
void monitor_text(const struct trainings *trainings, char *text, size_t size);

/* After a step of a member, of which `last` tells, and that ended with this status.  E_NUMERIC,
 * with a remedy, if its loss has exploded or is not finite.  Local, the same on every rank. */
enum status monitor_check_loss(const struct trainings *trainings, struct member *member, enum status st);

/* After a step of a member: now and then, once its warm-up is over, look for what is no error,
 * but will not come to much: an L0 far from its target, many dead latents, thresholds that do
 * not move.  Each is told with a remedy when it is first seen, and after the last step, if it is
 * still so.  Collective. */
void monitor_warn(struct run *run, const struct trainings *trainings, struct member *member);

#endif
