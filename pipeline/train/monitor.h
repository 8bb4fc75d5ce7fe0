/* monitor.h -- tell a person how trainings stand, and warn when one goes wrong.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "base/run.h"
#include "train/trainings.h"

/* "w1024-t20 loss 0.21, FVU 0.182, L0 20.3, dead 1.2 %; ...": each training that has made a step
 * in this run.  Local. */
void monitor_text(const struct trainings *trainings, char *text, size_t size);

/* Check the loss after a step; member->last is the step's report, and `st` its status.  E_NUMERIC,
 * with a remedy, if the loss is not finite or has exploded.  Local, the same on every rank. */
enum status monitor_check_loss(const struct trainings *trainings, struct member *member,
                               enum status st);

/* Call after every step.  Once the warm-up is over, at some steps and at the last one, this looks
 * for signs of a poor result: an L0 far from its target, many dead latents, thresholds that do not
 * move.  It warns of each, with a remedy, when it first sees it, and again after the last step.
 * Collective. */
void monitor_warn(struct run *run, const struct trainings *trainings, struct member *member);

#endif
