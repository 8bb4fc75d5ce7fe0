#include "invert/network.h"
#include "base/allocate.h"
#include "kernels/affine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- activations ------------------------------------------------------------------------- */

static double none_of(double x)
{
    return x;
}

static double none_slope(double x)
{
    (void)x;
    return 1;
}

static double relu_of(double x)
{
    return x < 0 ? 0 : x;       /* NaN stays NaN */
}

static double relu_slope(double x)
{
    return x > 0 ? 1 : 0;
}

static double tanh_slope(double x)
{
    const double y = tanh(x);

    return 1 - y * y;
}

static double sigmoid_of(double x)
{
    return 1 / (1 + exp(-x));
}

static double sigmoid_slope(double x)
{
    const double s = sigmoid_of(x);

    return s * (1 - s);
}

static double silu_of(double x)
{
    return x * sigmoid_of(x);
}

static double silu_slope(double x)
{
    return sigmoid_of(x) + x * sigmoid_slope(x);
}

static double gelu_of(double x)
{
    return x / 2 * (1 + erf(x * M_SQRT1_2));
}

static double gelu_slope(double x)
{
    return (1 + erf(x * M_SQRT1_2)) / 2 + x * exp(-x * x / 2) * M_SQRT1_2 * M_2_SQRTPI / 2;
}

/* (1 + tanh u) / 2 is the sigmoid of 2 u. */
static double gelu_tanh_of(double x)
{
    return x * sigmoid_of(M_SQRT2 * M_2_SQRTPI * (x + 0.044715 * x * x * x));
}

static double gelu_tanh_slope(double x)
{
    const double factor = M_SQRT2 * M_2_SQRTPI, u = factor * (x + 0.044715 * x * x * x);

    return sigmoid_of(u) + x * sigmoid_slope(u) * factor * (1 + 3 * 0.044715 * x * x);
}

static const struct {
    const char *name;
    double (*of)(double x);
    double (*slope)(double x);
} ACTIVATIONS[NETWORK_NAMES] = {
    [NETWORK_NONE] = { "none", none_of, none_slope },
    [NETWORK_RELU] = { "relu", relu_of, relu_slope },
    [NETWORK_TANH] = { "tanh", tanh, tanh_slope },
    [NETWORK_SIGMOID] = { "sigmoid", sigmoid_of, sigmoid_slope },
    [NETWORK_SILU] = { "silu", silu_of, silu_slope },
    [NETWORK_GELU] = { "gelu", gelu_of, gelu_slope },
    [NETWORK_GELU_TANH] = { "gelu_tanh", gelu_tanh_of, gelu_tanh_slope },
};

/* "none, relu and tanh": the names of the activations.  Returns `text`. */
enum { TEXT = 128 };

static const char *names_of_activations(char text[TEXT])
{
    int at = 0;

    for (int i = 0; i < NETWORK_NAMES; i++)
        at += snprintf(text + at, (size_t)(TEXT - at), "%s%s",
                       i == 0 ? "" : i < NETWORK_NAMES - 1 ? ", " : " and ", ACTIVATIONS[i].name);
    return text;
}

enum status network_find(enum network_activation *found, const char *name)
{
    char names[TEXT];

    for (int i = 0; i < NETWORK_NAMES; i++)
        if (strcmp(ACTIVATIONS[i].name, name) == 0) {
            *found = (enum network_activation)i;
            return OK;
        }
    return refuse(E_USAGE, "there is no activation %s; there are %s", name,
                  names_of_activations(names));
}

/* sqrt(mean x^2 + epsilon) */
static double root_mean_square(const struct network_layer *layer, const double *x)
{
    double sum = 0;

    for (int64_t i = 0; i < layer->outputs; i++)
        sum += x[i] * x[i];
    return sqrt(sum / layer->outputs + layer->epsilon);
}

static void normalise(const struct network_layer *layer, double *y, const double *x)
{
    const double size = root_mean_square(layer, x);

    for (int64_t i = 0; i < layer->outputs; i++)
        y[i] = layer->scale[i] * x[i] / size;
}

static void normalise_back(const struct network_layer *layer, double *x, const double *gradient)
{
    const double size = root_mean_square(layer, x);
    double along = 0;

    for (int64_t i = 0; i < layer->outputs; i++)
        along += layer->scale[i] * gradient[i] * x[i];
    along /= size * size * layer->outputs;
    for (int64_t i = 0; i < layer->outputs; i++)
        x[i] = (layer->scale[i] * gradient[i] - along * x[i]) / size;
}

/* Values above their threshold, of x or of a gradient by them. */
static void keep_above(const struct network_layer *layer, double *y, const double *of,
                       const double *x)
{
    for (int64_t i = 0; i < layer->outputs; i++)
        y[i] = x[i] > layer->scale[i] ? of[i] : 0;
}

/* From W x + b to the outputs of a layer. */
static void activate(const struct network_layer *layer, double *y, const double *x)
{
    if (layer->activation == NETWORK_RMS) {
        normalise(layer, y, x);
        return;
    }
    if (layer->activation == NETWORK_THRESHOLD) {
        keep_above(layer, y, x, x);
        return;
    }
    for (int64_t i = 0; i < layer->outputs; i++)
        y[i] = ACTIVATIONS[layer->activation].of(x[i]) * (layer->gated ? x[layer->outputs + i] : 1);
}

/* From the gradient by the outputs to that by W x + b, which replaces it. */
static void activate_back(const struct network_layer *layer, double *x, const double *gradient)
{
    const int64_t n = layer->outputs;

    if (layer->activation == NETWORK_RMS) {
        normalise_back(layer, x, gradient);
        return;
    }
    if (layer->activation == NETWORK_THRESHOLD) {
        keep_above(layer, x, gradient, x);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const double a = x[i], up = layer->gated ? x[n + i] : 1;
        x[i] = gradient[i] * up * ACTIVATIONS[layer->activation].slope(a);
        if (layer->gated)
            x[n + i] = gradient[i] * ACTIVATIONS[layer->activation].of(a);
    }
}

/* --- memory ------------------------------------------------------------------------------ */

void network_make(struct network *network, int32_t layers)
{
    *network = (struct network){
        .layers = layers,
        .layer = allocate(layers, sizeof(struct network_layer)),
    };
}

void network_allocate(struct network *network)
{
    for (struct network_layer *l = network->layer; l < network->layer + network->layers; l++) {
        l->weight = allocate(network_rows(l) * l->inputs, sizeof(double));
        l->bias = allocate(network_rows(l), sizeof(double));
        l->scale = l->activation >= NETWORK_NAMES ? allocate(l->outputs, sizeof(double)) : NULL;
    }
}

void network_free(struct network *network)
{
    for (int32_t i = 0; i < network->layers; i++) {
        free(network->layer[i].weight);
        free(network->layer[i].bias);
        free(network->layer[i].scale);
    }
    free(network->layer);
    *network = (struct network){0};
}

int64_t network_bytes(const struct network *network)
{
    int64_t count = 0;

    for (const struct network_layer *l = network->layer; l < network->layer + network->layers; l++)
        count += network_rows(l) * ((int64_t)l->inputs + 1) + l->outputs;
    return count * (int64_t)sizeof(double)
         + network->layers * (int64_t)sizeof(struct network_layer);
}

/* --- passes ------------------------------------------------------------------------------ */

/* Of each layer W x + b, then its outputs. */
int64_t network_pass_count(const struct network *network)
{
    int64_t count = 0;

    for (const struct network_layer *l = network->layer; l < network->layer + network->layers; l++)
        count += network_rows(l) + l->outputs;
    return count;
}

const double *network_forward(const struct network *network, double *pass, const double *x)
{
    for (const struct network_layer *l = network->layer; l < network->layer + network->layers;
         l++) {
        double *outputs = pass + network_rows(l);
        affine_apply(pass, l->weight, l->bias, x, network_rows(l), l->inputs);
        activate(l, outputs, pass);
        x = outputs;
        pass = outputs + l->outputs;
    }
    return x;
}

/* Each gradient replaces the values that it is by. */
void network_back(const struct network *network, double *gradient, double *pass,
                  const double *output)
{
    double *end = pass + network_pass_count(network);

    for (int32_t i = network->layers; i-- > 0;) {
        const struct network_layer *l = &network->layer[i];
        double *sums = end - l->outputs - network_rows(l);
        double *inputs = i > 0 ? sums - l->inputs : gradient;

        activate_back(l, sums, output);
        affine_apply_back(inputs, l->weight, sums, network_rows(l), l->inputs);
        output = inputs;
        end = sums;
    }
}
