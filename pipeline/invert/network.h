/* network.h -- networks of affine layers and activations, in float64: forward, and back to the
 * gradient by the input.
 *
 * Weights are constants here; what is sought is an input.  A layer is
 *
 *     y = a(W x + b)                          or, if it is gated,
 *     y = a(W_1 x + b_1) * (W_2 x + b_2)      entry by entry
 *
 * Networks come from safetensors files, such as PyTorch saves of nn.Sequential: PREFIXn.weight
 * [outputs, inputs] and, if there is one, PREFIXn.bias [outputs] are one layer; layers follow each
 * other in the order of n, which need not be dense.  The file does not say what the activations
 * are, so the caller does.  Everything here is Local, and runs on one thread.
 */
#ifndef NETWORK_H
#define NETWORK_H

#include "base/refuse.h"

#include <stdbool.h>
#include <stdint.h>

/* The first ones are as in kernels/activation.h and have a name for files; the slope of a ReLU at 0
 * is 0.  NETWORK_RMS divides a row by its root mean square and multiplies by a scale.
 * NETWORK_THRESHOLD keeps values above a threshold and makes others 0; its slope is 1 or 0. */
enum network_activation {
    NETWORK_NONE, NETWORK_RELU, NETWORK_TANH, NETWORK_SIGMOID, NETWORK_SILU, NETWORK_GELU,
    NETWORK_GELU_TANH, NETWORK_NAMES, NETWORK_RMS = NETWORK_NAMES, NETWORK_THRESHOLD
};

struct network_layer {
    int32_t inputs, outputs;
    bool    gated;          /* W and b have 2 * outputs rows: first those of a's argument */
    enum network_activation activation;
    double *weight;         /* [rows, inputs] */
    double *bias;           /* [rows] */
    double *scale;          /* [outputs], for NETWORK_RMS; NETWORK_THRESHOLD: the thresholds;
                               otherwise NULL */
    double  epsilon;        /* is added to the mean square */
};

struct network {
    int32_t               layers;
    struct network_layer *layer;
};

/* Rows of a layer's matrix. */
static inline int64_t network_rows(const struct network_layer *layer)
{
    return (layer->gated ? 2 : 1) * (int64_t)layer->outputs;
}

static inline int32_t network_inputs(const struct network *network)
{
    return network->layer[0].inputs;
}

static inline int32_t network_outputs(const struct network *network)
{
    return network->layer[network->layers - 1].outputs;
}

/* Where a network is, and what its file does not say. */
struct network_source {
    const char        *path;
    const char        *prefix;          /* of its tensors: "map.", or "" */
    const char *const *activations;     /* [count] the names of its layers' activations */
    int32_t            count;
};

/* Read the shapes alone, without weights.  E_IO; E_FORMAT: a tensor with that prefix that is no
 * layer's, a weight that is no matrix, a bias of another length, layers that do not fit together;
 * E_USAGE: no layer, another number of layers than activations, an unknown activation.
 * network_free() accepts an empty network. */
enum status network_read_shapes(struct network *network, const struct network_source *source);

/* The same with weights.  Also E_NUMERIC: a weight that is not finite. */
enum status network_read(struct network *network, const struct network_source *source);
void        network_free(struct network *network);

/* Bytes of a network of these shapes; and those that network_read() needs next to them. */
int64_t network_bytes(const struct network *network);
int64_t network_reading_bytes(const struct network *network);

/* Make layers that have a shape and no weights yet, all 0; and weights for layers with shapes. */
void network_make(struct network *network, int32_t layers);
void network_allocate(struct network *network);

/* How many numbers of memory a pass needs. */
int64_t network_pass_count(const struct network *network);

/* Forward.  Returns the outputs, which are in `pass`.
 *   pass  [network_pass_count()]  out: what network_back() needs
 *   x     [inputs]                in */
const double *network_forward(const struct network *network, double *pass, const double *x);

/* Back.
 *   gradient  [inputs]   out: by the input
 *   pass                 in: of network_forward(); of no use afterwards
 *   output    [outputs]  in: the gradient by the outputs; not in `pass` */
void network_back(const struct network *network, double *gradient, double *pass,
                  const double *output);

/* The activation of this name.  E_USAGE. */
enum status network_find(enum network_activation *found, const char *name);

#endif
