/* knockout_files.h -- the files of the method knockout (RESULTS.md), and circuits that are read
 * from files.  Everything here is Local; what writes is for rank 0. */
#ifndef KNOCKOUT_FILES_H
#define KNOCKOUT_FILES_H

#include "methods/knockout.h"
#include "methods/node_sets.h"

#include <jansson.h>

/* Whose logit differences of all prompts are kept. */
enum { KNOCKOUT_WHOLE, KNOCKOUT_CIRCUIT, KNOCKOUT_EMPTY, KNOCKOUT_MODELS };

struct knockout_results {
    const struct circuit    *circuit;
    const struct node_space *space;
    struct node_search      search;     /* without steps where the circuit was given */
    struct node_sets        sets;
    struct node_minimality *minimality; /* [nodes] of nodes in the circuit */
    double *difference[KNOCKOUT_MODELS];        /* [prompts] of the whole model, the circuit, and
                                                   without any node */
    double  mean[KNOCKOUT_MODELS];
};

/* Read a circuit: JSON with "nodes", a list like {"head": "2.4", "class": "END"}.
 *   set  [layers * heads * KNOCKOUT_CLASSES]  out
 *   used [KNOCKOUT_CLASSES]                   in: knockout_classes()
 * E_IO; E_FORMAT names the node that is none, that the model does not have, or of whose class no
 * prompt has a position. */
enum status knockout_files_read(bool *set, const char *path, const struct lm_config *config,
                                const bool used[KNOCKOUT_CLASSES]);

/* Write RUN/circuit/NAME.h5, .html and .json; the page alone, with numbers from the JSON; bytes of
 * the first.  E_IO, E_SPACE. */
enum status knockout_files_write(const struct knockout_results *results, const char *name);
enum status knockout_files_write_page(const struct knockout_results *results, const char *name,
                                      const json_t *summary);
double      knockout_files_bytes(const struct lm_config *config, struct circuit_shape shape);

/* The values that a task has found so far, RUN/circuit/NAME.values.h5: kept, and read again.
 *   values  [count]; knockout_files_resume() finds them and their number, 0: none; caller frees
 * E_IO, E_SPACE; E_USAGE if they are another task's; E_FORMAT. */
#define KNOCKOUT_FILES_VALUES ".values.h5"
enum status knockout_files_save(const struct circuit *circuit, const char *name,
                                const double *values, int64_t count);
enum status knockout_files_resume(const struct circuit *circuit, const char *name,
                                  double **values, int64_t *count);

#endif
