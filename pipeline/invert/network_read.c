/* network_read.c -- networks from safetensors files. */
#include "base/allocate.h"
#include "base/minmax.h"
#include "invert/network.h"
#include "lm/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS = 10000, NAME = 256 };

struct reading {
    const struct network_source *source;
    struct safetensors           file;
};

static const struct safetensor *find(const struct reading *r, int number, const char *what)
{
    char name[NAME];

    snprintf(name, sizeof name, "%s%d.%s", r->source->prefix, number, what);
    return safetensors_find(&r->file, name);
}

/* Is this the weight of a layer, or the bias of one? */
static bool is_of_a_layer(const struct reading *r, const struct safetensor *tensor)
{
    const char *text = tensor->name + strlen(r->source->prefix);
    const int number = atoi(text);

    return number >= 0 && number < NUMBERS && find(r, number, "weight") != NULL
        && (tensor == find(r, number, "weight") || tensor == find(r, number, "bias"));
}

static enum status check_names(const struct reading *r)
{
    const char *prefix = r->source->prefix;
    enum status st = OK;

    for (int64_t i = 0; i < r->file.count; i++) {
        const struct safetensor *t = &r->file.tensors[i];
        REQUIRE(strncmp(t->name, prefix, strlen(prefix)) != 0 || is_of_a_layer(r, t), E_FORMAT,
                "%s: %s is neither the weight of a layer, such as %s0.weight, nor its bias",
                r->source->path, t->name, prefix);
    }
done:
    return st;
}

static enum status check_shapes(const struct reading *r, const struct safetensor *weight,
                                const struct safetensor *bias)
{
    enum status st;

    REQUIRE(weight->rank == 2 && weight->count > 0 && weight->shape[0] <= INT32_MAX / 2
            && weight->shape[1] <= INT32_MAX / 2, E_FORMAT,
            "%s: %s must be a matrix [outputs, inputs] that is not empty", r->source->path,
            weight->name);
    REQUIRE(bias == NULL || (bias->rank == 1 && bias->count == weight->shape[0]), E_FORMAT,
            "%s: %s must have %lld numbers, one for each output of its layer", r->source->path,
            bias->name, (long long)weight->shape[0]);
    TRY(safetensors_check(weight));
    if (bias != NULL)
        TRY(safetensors_check(bias));
done:
    return st;
}

/* Fill the shape of layer number `i`, whose tensors have number `number`. */
static enum status read_shape(struct network *network, const struct reading *r, int32_t i,
                              int number)
{
    struct network_layer *layer = &network->layer[i];
    const struct safetensor *weight = find(r, number, "weight");
    enum status st;

    TRY(check_shapes(r, weight, find(r, number, "bias")));
    layer->outputs = (int32_t)weight->shape[0];
    layer->inputs = (int32_t)weight->shape[1];
    TRY(network_find(&layer->activation, r->source->activations[i]));
    REQUIRE(i == 0 || layer[-1].outputs == layer->inputs, E_FORMAT,
            "%s: %s reads %d values, and the layer before it gives %d", r->source->path,
            weight->name, (int)layer->inputs, (int)layer[-1].outputs);
done:
    return st;
}

/* The numbers of the layers, ascending; returns how many there are. */
static int32_t find_numbers(int numbers[NUMBERS], const struct reading *r)
{
    int32_t count = 0;

    for (int number = 0; number < NUMBERS; number++)
        if (find(r, number, "weight") != NULL)
            numbers[count++] = number;
    return count;
}

static enum status read_shapes(struct network *network, int numbers[NUMBERS],
                               const struct reading *r)
{
    const struct network_source *source = r->source;
    const int32_t count = find_numbers(numbers, r);
    enum status st;

    REQUIRE(count > 0, E_USAGE, "%s has no layer: there is no tensor such as %s0.weight",
            source->path, source->prefix);
    TRY(check_names(r));
    REQUIRE(count == source->count, E_USAGE, "%s has %d layers %s*.weight, and there are %d "
            "activations: each layer needs one", source->path, (int)count, source->prefix,
            (int)source->count);
    network_make(network, count);
    for (int32_t i = 0; i < count; i++)
        TRY(read_shape(network, r, i, numbers[i]));
done:
    return st;
}

/* The numbers of a tensor, which all floats are exactly. */
static enum status read_values(double *to, const struct safetensor *tensor)
{
    float *values = allocate(tensor->count, sizeof *values);
    enum status st;

    TRY(safetensors_values(values, tensor));
    for (int64_t i = 0; i < tensor->count; i++)
        to[i] = (double)values[i];
done:
    free(values);
    return st;
}

static enum status read_layer(struct network_layer *layer, const struct reading *r, int number)
{
    const struct safetensor *bias = find(r, number, "bias");
    enum status st;

    TRY(read_values(layer->weight, find(r, number, "weight")));
    if (bias != NULL)
        TRY(read_values(layer->bias, bias));
done:
    return st;
}

static enum status read_network(struct network *network, const struct network_source *source,
                                bool weights)
{
    struct reading r = { .source = source };
    int *numbers = allocate(NUMBERS, sizeof *numbers);
    enum status st;

    *network = (struct network){0};
    TRY(safetensors_open_file(&r.file, source->path));
    TRY(read_shapes(network, numbers, &r));
    if (weights)
        network_allocate(network);
    for (int32_t i = 0; weights && i < network->layers; i++)
        TRY(read_layer(&network->layer[i], &r, numbers[i]));
done:
    if (st != OK)
        network_free(network);
    safetensors_close(&r.file);
    free(numbers);
    return st;
}

enum status network_read_shapes(struct network *network, const struct network_source *source)
{
    return read_network(network, source, false);
}

enum status network_read(struct network *network, const struct network_source *source)
{
    return read_network(network, source, true);
}

int64_t network_reading_bytes(const struct network *network)
{
    int64_t most = 0;

    for (int32_t i = 0; i < network->layers; i++)
        most = max_int64(most, network_rows(&network->layer[i]) * network->layer[i].inputs);
    return most * (int64_t)sizeof(float);
}
