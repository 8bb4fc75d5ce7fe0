#include "base/agree.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "lm/checkpoint.h"
#include "lm/families.h"

#include <omp.h>
#include <stdlib.h>

/* This rank's share of the node's copy.  Local. */
static enum status read_share(struct weights *weights, struct checkpoint *from)
{
    const struct lm_config *c = &weights->config;
    enum status st;

    TRY(safetensors_open(&from->tensors, from->folder));
    TRY(c->family->read_ends(weights, from));
    for (int i = from->share; i < c->layers; i += from->shares)
        TRY(c->family->read_layer(&weights->layers[i], from, c, i));
done:
    return st;
}

enum status weights_read(struct weights *weights, const struct lm_config *config,
                         enum precision precision, const char *folder, MPI_Comm comm)
{
    struct checkpoint from = { .folder = folder, .block_bytes = weights_reading_bytes(config, 1) };
    MPI_Comm node = comm_of_node(comm);
    enum status st;

    MPI_Comm_rank(node, &from.share);
    MPI_Comm_size(node, &from.shares);
    weights_make(weights, config, precision, node);
    from.blocks = allocate(omp_get_max_threads(), from.block_bytes);
    MPI_Win_fence(0, weights->window);
    st = agree(comm, read_share(weights, &from));
    MPI_Win_fence(0, weights->window);
    free(from.blocks);
    safetensors_close(&from.tensors);
    MPI_Comm_free(&node);
    return st;
}
