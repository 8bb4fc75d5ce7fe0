/* shared_saes.h -- autoencoders in memory that the ranks of a node share.
 *
 * Their parameters are the largest thing that evaluate holds, and every rank only reads them: so
 * each node has them once, as it has the model's weights (weights.h).
 */
#ifndef SHARED_SAES_H
#define SHARED_SAES_H

#include "sae/sae.h"

#include <mpi.h>

struct shared_saes {
    struct sae *saes;       /* [count] the same on all ranks; the memory is the node's */
    int         count;
    MPI_Win    *windows;    /* [count] each owns the parameters of one */
};

/* How one is read from a file: saefile_read(), sae_read_npz(). */
typedef enum status shared_saes_reader(struct sae *sae, const char *path);

/* Make it, empty, for up to `most` autoencoders.  shared_saes_free() accepts an empty one, and is
 * Collective. */
void shared_saes_make(struct shared_saes *shared, int most);
void shared_saes_free(struct shared_saes *shared);

/* Read one more.  The first rank of each node reads the file, and has two copies of the parameters
 * meanwhile.  Collective.  What `read` refuses. */
enum status shared_saes_read(struct shared_saes *shared, MPI_Comm comm, shared_saes_reader *read,
                             const char *path);

#endif
