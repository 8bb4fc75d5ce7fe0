/* unlearning_files.h -- the JSON of unlearning: of a task, and of the sweep of all tasks, with its
 * page.
 *
 * INTERVENTIONS.md defines them.  Local, for rank 0.
 */
#ifndef UNLEARNING_FILES_H
#define UNLEARNING_FILES_H

#include "intervene/clamp.h"
#include "intervene/interventions.h"
#include "intervene/questions.h"

/* Questions, and what is still known of them. */
struct unlearning_answers {
    int64_t asked, known;       /* known: to the model as it is */
    struct questions_accuracy accuracy;
};

/* The mean loss on texts, in nats. */
struct unlearning_loss {
    double as_it_is, loss;      /* of the model as it is, and with the clamp */
};

/* What a task found. */
struct unlearning_result {
    const char   *autoencoder;          /* "res.01/w256-t16" */
    struct clamp  clamp;
    double        threshold;            /* NaN without latents */
    const double *forget, *retain;      /* [latents of the autoencoder] firing rates */
    const double *attribution;          /* [latents of the autoencoder] or NULL */
    double        distance;             /* of the means, with CLAMP_MEAN_DIFFERENCE */
    struct unlearning_answers questions, controls;      /* asked: 0 without questions */
    struct unlearning_loss    forget_texts, retain_texts;
};

/* Write RUN/intervene/NAME.json.  E_IO, E_SPACE. */
enum status unlearning_files_write(const struct intervention *intervention, const char *name,
                                   const struct unlearning_result *result);

/* Write RUN/intervene/unlearning.html and unlearning.json, the sweep, if the files of all tasks are
 * there and unlearning.json is not: the same whichever task came last.  E_IO, E_SPACE, E_FORMAT. */
enum status unlearning_files_sweep(const struct intervention *intervention);

#endif
