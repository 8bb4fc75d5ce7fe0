/* inversion_parts.h -- the networks and the operator that a task file asks for.
 *
 * They come from a safetensors file (network.h), or are parts of the model and of its autoencoders
 * (model_networks.h).  Everything here is Local.
 */
#ifndef INVERSION_PARTS_H
#define INVERSION_PARTS_H

#include "invert/inversion.h"
#include "lm/weights.h"
#include "sae/sae.h"
#include "suite/suite.h"

/* What they are made from. */
struct inversion_source {
    const struct suite     *suite;
    const struct lm_config *config;
    const struct weights   *weights;    /* for an MLP: in float32 */
    const struct sae       *sae;        /* for a decoder; for shapes its sizes are enough */
};

struct inversion_parts {
    struct network map, generator;
    struct network features;            /* without layers: there is none */
    struct observation seen;
};

/* Make them, where rows of the model are divided by `unit`; or networks with shapes alone.
 * inversion_parts_free() is due after a failure, too.  As network_read(), observation_read(),
 * model_networks_mlp(); E_USAGE: no file is named, M and G do not fit together. */
enum status inversion_parts_make(struct inversion_parts *parts,
                                 const struct inversion_source *source, double unit);
enum status inversion_parts_shape(struct inversion_parts *parts,
                                  const struct inversion_source *source);
void        inversion_parts_free(struct inversion_parts *parts);

/* An inversion with them, of values [outputs of the operator].  The suite's weights are those of
 * means over entries, as in the paper, and become those of sums. */
struct inversion_setup inversion_parts_setup(const struct inversion_parts *parts,
                                             const struct suite *suite, const double *values);

/* Bytes of them, and of what reading takes besides. */
int64_t inversion_parts_bytes(const struct inversion_parts *parts);

#endif
