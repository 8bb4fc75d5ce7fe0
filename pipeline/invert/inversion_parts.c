#include "invert/inversion_parts.h"
#include "base/minmax.h"
#include "invert/model_networks.h"

/* --- from a file ------------------------------------------------------------------------- */

/* Read a network of the suite's file, with its weights or its shapes alone. */
static enum status read_network(struct network *network, const struct suite *suite,
                                const char *prefix, char *const *activations, unsigned count,
                                bool weights)
{
    const struct network_source source = { suite->invert.networks, prefix,
                                           (const char *const *)activations, (int32_t)count };

    return (weights ? network_read : network_read_shapes)(network, &source);
}

/* --- parts of a model -------------------------------------------------------------------- */

static enum status make_generator(struct inversion_parts *parts,
                                  const struct inversion_source *source, double unit, bool weights)
{
    const struct suite_invert *invert = &source->suite->invert;

    if (invert->generator == INVERT_NETWORK)
        return read_network(&parts->generator, source->suite, "generator.", invert->layers,
                            invert->layers_count, weights);
    if (invert->generator == INVERT_MLP)
        return weights ? model_networks_mlp(&parts->generator, source->weights, (int)invert->layer,
                                            unit)
                       : model_networks_mlp_shape(&parts->generator, source->config,
                                                  (int)invert->layer);
    if (weights)
        return model_networks_decoder(&parts->generator, source->sae, unit);
    model_networks_decoder_shape(&parts->generator, source->sae);
    return OK;
}

static enum status make_map(struct inversion_parts *parts, const struct inversion_source *source,
                            double unit, bool weights)
{
    const struct suite_invert *invert = &source->suite->invert;

    if (invert->map_count > 0)
        return read_network(&parts->map, source->suite, "map.", invert->map, invert->map_count,
                            weights);
    if (invert->generator == INVERT_DECODER && weights)
        model_networks_encoder(&parts->map, source->sae, unit);
    else if (invert->generator == INVERT_DECODER)
        model_networks_encoder_shape(&parts->map, source->sae);
    else if (weights)
        model_networks_identity(&parts->map, network_inputs(&parts->generator));
    else
        model_networks_identity_shape(&parts->map, network_inputs(&parts->generator));
    return OK;
}

/* --- all --------------------------------------------------------------------------------- */

/* Each w has the length of what M gives. */
static int32_t count_copies(const struct inversion_parts *parts)
{
    return network_inputs(&parts->generator) / network_outputs(&parts->map);
}

static enum status make(struct inversion_parts *parts, const struct inversion_source *source,
                        double unit, bool weights)
{
    const struct suite_invert *invert = &source->suite->invert;
    enum status st;

    *parts = (struct inversion_parts){0};
    TRY(make_generator(parts, source, unit, weights));
    TRY(make_map(parts, source, unit, weights));
    if (invert->features_count > 0)
        TRY(read_network(&parts->features, source->suite, "features.", invert->features,
                         invert->features_count, weights));
    TRY(observation_read(&parts->seen, invert->observation, invert->networks,
                         network_outputs(&parts->generator)));
    const struct inversion_setup setup = inversion_parts_setup(parts, source->suite, NULL);
    TRY(inversion_check(&setup));
done:
    return st;
}

enum status inversion_parts_make(struct inversion_parts *parts,
                                 const struct inversion_source *source, double unit)
{
    return make(parts, source, unit, true);
}

enum status inversion_parts_shape(struct inversion_parts *parts,
                                  const struct inversion_source *source)
{
    return make(parts, source, 1, false);
}

void inversion_parts_free(struct inversion_parts *parts)
{
    network_free(&parts->map);
    network_free(&parts->generator);
    network_free(&parts->features);
    observation_free(&parts->seen);
}

struct inversion_setup inversion_parts_setup(const struct inversion_parts *parts,
                                             const struct suite *suite, const double *values)
{
    const struct suite_invert *invert = &suite->invert;
    const bool features = parts->features.layers > 0;

    return (struct inversion_setup){
        .map = &parts->map, .generator = &parts->generator, .seen = &parts->seen,
        .features = features ? &parts->features : NULL, .target = values,
        .copies = count_copies(parts),
        .weights = {
            .data = invert->data / parts->seen.outputs,
            .features = features ? invert->feature_error / network_outputs(&parts->features) : 0,
            .mapping = invert->mapping / network_inputs(&parts->generator),
            .prior = invert->prior / network_inputs(&parts->map),
        },
    };
}

/* Reading a network takes the floats of its largest layer; an operator's numbers are read as floats
 * and kept twice meanwhile. */
int64_t inversion_parts_bytes(const struct inversion_parts *parts)
{
    const struct observation *seen = &parts->seen;
    const int64_t seeing = observation_bytes(seen->inputs, seen->outputs, seen->group == NULL);
    int64_t bytes = network_bytes(&parts->map) + network_bytes(&parts->generator) + seeing;
    int64_t reading = max_int64(network_reading_bytes(&parts->map),
                                network_reading_bytes(&parts->generator));

    if (parts->features.layers > 0) {
        bytes += network_bytes(&parts->features);
        reading = max_int64(reading, network_reading_bytes(&parts->features));
    }
    return bytes + max_int64(reading, 2 * seeing);
}
