/* networks.h -- networks with weights of a fixed sequence, for the tests of inversion. */
#ifndef NETWORKS_H
#define NETWORKS_H

#include "base/random.h"
#include "invert/network.h"

/* Numbers between -scale and scale, another sequence for each seed. */
static inline void networks_fill(double *to, int64_t count, uint64_t seed, double scale)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = scale * (2 * (double)random_uniform(seed, RANDOM_DECODER, (uint64_t)i) - 1);
}

/* Layers between these widths, all but the last with an activation.
 *   widths  [layers + 1]  in */
static inline void networks_make(struct network *network, const int32_t *widths, int32_t layers,
                                 enum network_activation activation, uint64_t seed, double scale)
{
    network_make(network, layers);
    for (int32_t i = 0; i < layers; i++)
        network->layer[i] = (struct network_layer){
            .inputs = widths[i],
            .outputs = widths[i + 1],
            .activation = i < layers - 1 ? activation : NETWORK_NONE,
        };
    network_allocate(network);
    for (int32_t i = 0; i < layers; i++) {
        struct network_layer *l = &network->layer[i];
        const uint64_t own = 100 * seed + (uint64_t)i;
        networks_fill(l->weight, network_rows(l) * l->inputs, own, scale);
        networks_fill(l->bias, network_rows(l), own + 50, scale);
    }
}

#endif
