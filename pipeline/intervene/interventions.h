/* interventions.h -- what a task of the stage intervene computes: the one table.
 *
 * A method is a file METHOD.c with its constant struct intervention_method, and a row here.
 */
#ifndef INTERVENTIONS_H
#define INTERVENTIONS_H

#include "corpus/identities.h"
#include "methods/methods.h"

/* The methods that there are: the number in suite/keys.def, and the struct. */
#define INTERVENTIONS_TABLE(ROW) \
    ROW(INTERVENE_UNLEARNING, UNLEARNING_METHOD) \
    ROW(INTERVENE_STEERING, STEERING_METHOD)

/* All that a method works on. */
struct intervention {
    struct run              *run;
    const struct suite      *suite;
    const struct lm_config  *config;
    const struct weights    *weights;       /* in float32 */
    const struct identities *identities;
};

struct intervention_method {
    const char *name;           /* of its files, to which each of several tasks adds "-PART" */
    int64_t (*tasks)(const struct suite *suite);
    void    (*part)(char part[METHODS_NAME], const struct suite *suite, int64_t task);
    /* Refuse what cannot be done with this suite, this model.  Local.  E_USAGE, E_IO, E_FORMAT. */
    enum status (*check)(const struct suite *suite, const struct lm_config *config);
    /* Bytes of a rank besides the weights, and of those that the ranks of a node have in common;
     * flops of all tasks.  Local. */
    int64_t (*bytes)(const struct suite *suite, const struct lm_config *config, int threads);
    int64_t (*shared)(const struct suite *suite, const struct lm_config *config);
    double  (*work)(const struct suite *suite, const struct lm_config *config);
    /* Bytes that all tasks leave besides their JSON, and the number of equal parts of a task that
     * ranks share.  NULL: none; one for each block of texts.  Local. */
    double  (*disk)(const struct suite *suite, const struct lm_config *config);
    int64_t (*pieces)(const struct suite *suite);
    /* Do the tasks that are asked for, so that what they have in common is done once, and write
     * RUN/intervene/NAME.json of each.
     *   wanted [tasks]  in
     * Collective.  E_IO, E_SPACE, E_FORMAT, E_USAGE, E_STOPPED. */
    enum status (*run)(const struct intervention *intervention, const bool *wanted);
    /* When the files of all tasks are there, write what sums them up, RUN/intervene/METHOD.json,
     * and its page, unless it is there.  NULL: nothing does.  Local, for rank 0.  E_IO, E_SPACE,
     * E_FORMAT. */
    enum status (*finish)(const struct intervention *intervention);
};

#define INTERVENTIONS_DECLARE(id, method) extern const struct intervention_method method;
INTERVENTIONS_TABLE(INTERVENTIONS_DECLARE)

/* The method that a suite asks for, and what the files of a task are called.  Local. */
const struct intervention_method *interventions_of(const struct suite *suite);
void interventions_name(char name[METHODS_NAME], const struct suite *suite, int64_t task);

/* The task, as those who write its files know it; `name` is that of the files.  Local. */
struct circuit interventions_task(const struct intervention *intervention, const char *name);

#endif
