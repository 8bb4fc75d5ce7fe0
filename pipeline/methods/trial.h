/* trial.h -- the experiment that a circuit file asks for. */
#ifndef TRIAL_H
#define TRIAL_H

#include "circuit/experiment.h"
#include "methods/methods.h"

struct trial {
    struct graph      graph;
    struct question  *questions;
    struct experiment experiment;
};

/* Refuse prompts without what the metric compares.  Local.  E_USAGE. */
enum status trial_check(const struct suite *suite, const struct prompts *prompts);

/* Bytes of a rank, those that scores of edges and gates take in addition, and flops of a run of all
 * prompts from the first layer.  Local. */
int64_t trial_bytes(const struct suite *suite, const struct lm_config *config,
                    struct circuit_shape shape);
int64_t trial_scores_bytes(const struct lm_config *config, struct circuit_shape shape);
int64_t trial_gates_bytes(const struct lm_config *config, struct circuit_shape shape);
double  trial_work(const struct lm_config *config, struct circuit_shape shape);

/* What is run, but for the graph.  Caller frees the questions.  Local. */
struct experiment_setup trial_setup(const struct circuit *circuit, struct question **questions);

/* Run the clean prompts and the reference.  trial_free() accepts an empty one.  Collective.
 * As experiment_make(). */
enum status trial_make(struct trial *trial, const struct circuit *circuit);
void        trial_free(struct trial *trial);

/* The same of one run alone, which is its own reference.
 *   ids [prompts, tokens]  in: the clean prompts, or the corrupted ones */
enum status trial_make_plain(struct trial *trial, const struct circuit *circuit,
                             const int32_t *ids);

#endif
