/* metric.h -- how well a run answers: functions of the logits at some positions, to be minimised.
 *
 *   kl                 KL(p of the clean run || p), in nats
 *   logit_difference   mean logit of the wrong answers (0 if none) - mean logit of the answers
 *   loss               - log of the probability of the answers together, in nats
 *   probability        probability of the wrong answers - that of the answers
 *   margin             the largest logit of a wrong answer - the smallest of an answer
 *   square             mean over the logits of (logit - logit of the clean run)^2
 *
 * kl and square are least at the clean run itself, where their gradient is 0.  Everything here is
 * Local.
 */
#ifndef METRIC_H
#define METRIC_H

#include "suite/keys.h"

#include <stdbool.h>
#include <stdint.h>

/* A position of a prompt, and what should follow it. */
struct question {
    int64_t        prompt;
    int32_t        position;
    int32_t        answers, wrongs;     /* how many */
    const int32_t *answer, *wrong;      /* ids; not owned */
};

const char *metric_name(enum circuit_metric metric);

/* Does it compare with the clean run?  Such a metric needs no answers.  Does it need wrong ones? */
bool metric_compares(enum circuit_metric metric);
bool metric_needs_wrong(enum circuit_metric metric);

/* The value at one question.
 *   logits, clean [outputs]  in, of the run and of the clean run */
double metric_value(enum circuit_metric metric, const struct question *question,
                    const float *logits, const float *clean, int32_t outputs);

/* Its derivatives by the logits.
 *   gradient [outputs]  out */
void metric_gradient(enum circuit_metric metric, const struct question *question, float *gradient,
                     const float *logits, const float *clean, int32_t outputs);

#endif
