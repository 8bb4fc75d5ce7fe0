/* task_stage.h -- the program of a stage that does the tasks of a task file together.
 *
 * What all tasks have in common, such as the model, is read once; what is done is skipped.
 */
#ifndef TASK_STAGE_H
#define TASK_STAGE_H

#include "corpus/identities.h"
#include "methods/methods.h"
#include "suite/stages.h"

/* All that the tasks work on. */
struct task_work {
    struct run              *run;
    const struct suite      *suite;
    const struct lm_config  *config;
    const struct weights    *weights;       /* in float32; without parameters if none are needed */
    const struct identities *identities;
};

/* The functions are Local unless they say otherwise. */
struct task_stage {
    const char *name, *help;
    const struct stage_traits *traits;      /* whose path() names the files of a task */
    int64_t (*tasks)(const struct suite *suite);
    enum status (*check)(const struct suite *suite);    /* before the model is known */
    enum status (*check_model)(const struct suite *suite, const struct lm_config *config);
    struct stage_memory (*memory)(const struct suite *suite, const struct lm_config *config,
                                  int threads);
    bool (*needs_weights)(const struct suite *suite);   /* NULL: always */
    /* Do the tasks that are wanted and write their files.  Collective.
     *   wanted [tasks]  in */
    enum status (*run)(const struct task_work *work, const bool *wanted);
    /* Write what sums them up if all are there and it is not.  For rank 0. */
    enum status (*finish)(const struct task_work *work);
};

/* The task, as those who write its files know it, without prompts; `name` is that of the files.
 * Local. */
struct circuit task_stage_circuit(const struct task_work *work, const char *name);

/* Be the program.  Returns its exit status.  Collective. */
int task_stage_main(const struct task_stage *stage, int argc, char **argv);

#endif
