/* methods.h -- the methods by which a circuit is looked for: the one table.
 *
 * A method is a file METHOD.c with its constant struct circuit_method, and a row here.
 */
#ifndef METHODS_H
#define METHODS_H

#include "base/run.h"
#include "lm/weights.h"
#include "prompts/prompts.h"
#include "shard/identity.h"

/* The methods that there are: the number in suite/keys.def, and the struct. */
#define METHODS_TABLE(ROW) \
    ROW(METHOD_ACDC, ACDC_METHOD) \
    ROW(METHOD_EAP, EAP_METHOD) \
    ROW(METHOD_IOI, IOI_METHOD) \
    ROW(METHOD_COPY_SUPPRESSION, COPY_SUPPRESSION_METHOD) \
    ROW(METHOD_SELF_REPAIR, SELF_REPAIR_METHOD) \
    ROW(METHOD_SUCCESSOR, SUCCESSOR_METHOD) \
    ROW(METHOD_LATENTS, LATENTS_METHOD) \
    ROW(METHOD_KNOCKOUT, KNOCKOUT_METHOD) \
    ROW(METHOD_HABITS, HABITS_METHOD) \
    ROW(METHOD_PATH_PATCHING, PATH_PATCHING_METHOD) \
    ROW(METHOD_SUBNETWORK, SUBNETWORK_METHOD) \
    ROW(METHOD_ATTENTION_LATENTS, ATTENTION_LATENTS_METHOD)

enum { METHODS_NAME = 64 };

/* All that a task works on. */
struct circuit {
    struct run             *run;
    const struct suite     *suite;
    const struct lm_config *config;
    const struct weights   *weights;    /* in float32 */
    const struct prompts   *prompts;    /* the same on all ranks */
    struct identity         identity;   /* of the task's files */
};

/* What memory and time depend on, besides suite and model. */
struct circuit_shape {
    int64_t prompts, tokens;    /* of the longest */
    int64_t templates;
    int     ranks, threads;     /* of a node, of a rank */
};

struct circuit_method {
    const char *name;           /* of its files, to which each of several tasks adds "-PART" */
    /* How many tasks are there, and what is the part of one?  NULL if there is one task.  Local. */
    int64_t (*tasks)(const struct suite *suite);
    void    (*part)(char part[METHODS_NAME], const struct suite *suite, int64_t task);
    bool     without_prompts;   /* it has no use for any; there are none then */
    /* Refuse what the method cannot do with this model, these prompts.  Local.  E_USAGE. */
    enum status (*check)(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts);
    /* Bytes of a rank besides the weights, flops of all tasks, bytes of a task's files.  Local. */
    int64_t (*bytes)(const struct suite *suite, const struct lm_config *config,
                     struct circuit_shape shape);
    double  (*work)(const struct suite *suite, const struct lm_config *config,
                    struct circuit_shape shape);
    double  (*disk)(const struct lm_config *config, struct circuit_shape shape);
    /* Bytes that the ranks of a node have in common, besides the weights.  NULL: none.  Local. */
    int64_t (*shared)(const struct suite *suite, const struct lm_config *config);
    /* Do a task and write its files, RUN/circuit/NAME.h5, .json and .html.  Collective.  E_IO,
     * E_SPACE, E_STOPPED, E_NUMERIC. */
    enum status (*run)(const struct circuit *circuit, int64_t task);
};

#define METHODS_DECLARE(id, method) extern const struct circuit_method method;
METHODS_TABLE(METHODS_DECLARE)

/* The method that a suite asks for.  Local. */
const struct circuit_method *methods_of(const struct suite *suite);

/* How many tasks it has then, and what the files of one are called.  Local. */
int64_t methods_tasks(const struct suite *suite);
void    methods_name(char name[METHODS_NAME], const struct suite *suite, int64_t task);

#endif
