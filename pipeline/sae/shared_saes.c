#include "sae/shared_saes.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/phase.h"

#include <stdlib.h>
#include <string.h>

void shared_saes_make(struct shared_saes *shared, int most)
{
    *shared = (struct shared_saes){ .saes = allocate(most, sizeof *shared->saes),
                                    .windows = allocate(most, sizeof *shared->windows) };
}

void shared_saes_free(struct shared_saes *shared)
{
    for (int i = 0; i < shared->count; i++)
        MPI_Win_free(&shared->windows[i]);
    free(shared->windows);
    free(shared->saes);
    *shared = (struct shared_saes){0};
}

/* Let *to, of `count` floats, begin at *memory, which moves on; fill it from `from` if there is
 * something to copy. */
static void place(float **to, float **memory, const float *from, int64_t count)
{
    *to = *memory;
    *memory += count;
    if (from != NULL)
        memcpy(*to, from, (size_t)count * sizeof *from);
}

/* Let the parameters of `sae` lie in the node's memory, and copy them there from `own`, which is
 * empty on all ranks but the first of the node. */
static void lay_out(struct sae *sae, float *memory, const struct sae *own)
{
    const int64_t inputs = sae->inputs, outputs = sae->outputs, latents = sae->latents;

    place(&sae->encoder, &memory, own->encoder, latents * inputs);
    place(&sae->decoder, &memory, own->decoder, latents * outputs);
    place(&sae->encoder_bias, &memory, own->encoder_bias, latents);
    place(&sae->threshold, &memory, own->threshold, latents);
    place(&sae->decoder_bias, &memory, own->decoder_bias, outputs);
    if (sae->skip != NULL)
        place(&sae->skip, &memory, own->skip, inputs * outputs);
}

/* Give all ranks of a node what its first one has read. */
static void share(struct sae *sae, MPI_Win *window, MPI_Comm node, struct sae *own)
{
    MPI_Aint bytes = 0;
    int rank, unit = 1;
    float *memory;

    MPI_Comm_rank(node, &rank);
    *sae = *own;
    MPI_Bcast(sae, sizeof *sae, MPI_BYTE, 0, node);     /* sizes, and whether there is a skip */
    if (rank == 0)
        bytes = (MPI_Aint)sizeof(float) * sae_parameters(sae->inputs, sae->outputs, sae->latents,
                                                         sae->skip != NULL);
    MPI_Win_allocate_shared(bytes, unit, MPI_INFO_NULL, node, &memory, window);
    MPI_Win_shared_query(*window, 0, &bytes, &unit, &memory);
    MPI_Win_fence(0, *window);
    lay_out(sae, memory, own);
    MPI_Win_fence(0, *window);
}

enum status shared_saes_read(struct shared_saes *shared, MPI_Comm comm, shared_saes_reader *read,
                             const char *path)
{
    const enum phase before = phase_enter(PHASE_READ);
    MPI_Comm node = comm_of_node(comm);
    struct sae own = {0};
    enum status st;

    TRY_ALL(comm, agree_is_root(node) ? read(&own, path) : OK);
    share(&shared->saes[shared->count], &shared->windows[shared->count], node, &own);
    shared->count++;
done:
    sae_free(&own);
    MPI_Comm_free(&node);
    phase_enter(before);
    return st;
}
