#include "invert/model_networks.h"

#include <assert.h>

static const enum network_activation ACTIVATIONS[] = {
    [ACTIVATION_GELU_TANH] = NETWORK_GELU_TANH,
    [ACTIVATION_GELU] = NETWORK_GELU,
    [ACTIVATION_SILU] = NETWORK_SILU,
    [ACTIVATION_RELU] = NETWORK_RELU,
};

static void copy(double *to, const float *from, int64_t count)
{
    for (int64_t i = 0; from != NULL && i < count; i++)
        to[i] = (double)from[i];
}

/* --- decoders ---------------------------------------------------------------------------- */

static struct network_layer decoder_layer(int32_t outputs, int32_t latents)
{
    return (struct network_layer){ .inputs = latents, .outputs = outputs };
}

int64_t model_networks_decoder_bytes(int32_t outputs, int32_t latents)
{
    struct network_layer layer = decoder_layer(outputs, latents);

    return network_bytes(&(struct network){ 1, &layer });
}

enum status model_networks_decoder(struct network *network, const struct sae *sae)
{
    const int64_t outputs = sae->outputs, latents = sae->latents;
    enum status st;

    *network = (struct network){0};
    REQUIRE(sae->skip == NULL, E_USAGE,
            "this transcoder has a skip matrix: latents alone do not generate its rows");
    network_make(network, 1);
    network->layer[0] = decoder_layer(sae->outputs, sae->latents);
    network_allocate(network);
    copy(network->layer[0].bias, sae->decoder_bias, outputs);
    for (int64_t l = 0; l < latents; l++)
        for (int64_t o = 0; o < outputs; o++)
            network->layer[0].weight[o * latents + l] = (double)sae->decoder[l * outputs + o];
done:
    return st;
}

/* --- MLPs -------------------------------------------------------------------------------- */

static void shape_mlp(struct network_layer layers[2], const struct lm_config *c)
{
    layers[0] = (struct network_layer){
        .inputs = c->width,
        .outputs = c->mlp_width,
        .gated = c->gated,
        .activation = ACTIVATIONS[c->activation],
    };
    layers[1] = (struct network_layer){
        .inputs = c->mlp_width,
        .outputs = c->width,
        .activation = c->post_norms ? NETWORK_RMS : NETWORK_NONE,
        .epsilon = (double)c->norm_epsilon,
    };
}

int64_t model_networks_mlp_bytes(const struct lm_config *config)
{
    struct network_layer layers[2];

    shape_mlp(layers, config);
    return network_bytes(&(struct network){ 2, layers });
}

static void copy_product(struct network_layer *layer, const struct linear *linear,
                         const float *bias)
{
    for (int64_t i = 0; i < linear->outputs; i++)
        copy(layer->weight + i * linear->inputs, linear_row(linear, i), linear->inputs);
    copy(layer->bias, bias, linear->outputs);
}

enum status model_networks_mlp(struct network *network, const struct weights *weights, int layer)
{
    const struct lm_config *c = &weights->config;
    enum status st;

    *network = (struct network){0};
    REQUIRE(layer >= 0 && layer < c->layers, E_USAGE,
            "there is no layer %d; the model has layers 0 to %d", layer, (int)c->layers - 1);
    REQUIRE(c->mlp_width > 0, E_USAGE, "the model has no MLPs");
    REQUIRE(weights->precision == PRECISION_F32, E_USAGE,
            "an MLP becomes a network from weights in float32, and these are in bfloat16");
    const struct layer_weights *from = &weights->layers[layer];
    network_make(network, 2);
    shape_mlp(network->layer, c);
    network_allocate(network);
    copy_product(&network->layer[0], &from->mlp_in, from->mlp_in_bias);
    copy_product(&network->layer[1], &from->mlp_out, from->mlp_out_bias);
    if (c->post_norms) {
        assert(from->mlp_post_norm.bias == NULL);       /* families with norms there have RMSNorm */
        copy(network->layer[1].scale, from->mlp_post_norm.scale, c->width);
    }
done:
    return st;
}
