/* chosen_saes.h -- the autoencoders of a trained suite that a task file names. */
#ifndef CHOSEN_SAES_H
#define CHOSEN_SAES_H

#include "circuit/latent_circuit.h"
#include "sae/shared_saes.h"
#include "suite/tasks.h"

/* Longer than every STREAM/NAME. */
enum { CHOSEN_SAES_NAME = 128 };

struct chosen_sae {
    char name[CHOSEN_SAES_NAME];    /* "res.01/w256-t16" */
    struct tap             tap;
    const struct sae_task *task;
};

struct chosen_saes {
    struct suite       suite;       /* the trained one */
    struct tasks       tasks;
    int                count;
    struct chosen_sae *sae;         /* [count] in the order in which the model comes to them */
};

/* Find them in the suite, whether or not it has been trained.  chosen_saes_free() is due after a
 * failure, too.  Local.  As trained_read() and tasks_make(); E_USAGE if a name is not in it, or
 * none is given. */
enum status chosen_saes_find(struct chosen_saes *chosen, const struct suite *suite, int layers);
void        chosen_saes_free(struct chosen_saes *chosen);

/* Refuse transcoders, what is not trained, what was not trained as the suite says, or on another
 * model.  Local.  E_USAGE, E_FORMAT, E_IO. */
enum status chosen_saes_check(const struct chosen_saes *chosen, const struct suite *suite);

/* Sites with autoencoders of the sizes that the suite names, without parameters; none if
 * chosen_saes_find() would refuse them.  Caller frees.  Local. */
struct latent_site *chosen_saes_known(int *count, const struct suite *suite,
                                      const struct lm_config *config);

/* Bytes of their parameters on a node, and of one more while its first rank reads it.  Local. */
int64_t chosen_saes_shared(const struct suite *suite, const struct lm_config *config);

/* The same sites with parameters, which are read into `shared`.  Caller frees the list; the
 * parameters are those of `shared`, whose shared_saes_free() is due after a failure, too.
 * Collective.  As saefile_read(). */
enum status chosen_saes_read(struct latent_site **sites, struct shared_saes *shared,
                             const struct chosen_saes *chosen, MPI_Comm comm);

#endif
