#include "invert/model_networks.h"

#include <assert.h>

static const enum network_activation ACTIVATIONS[] = {
    [ACTIVATION_GELU_TANH] = NETWORK_GELU_TANH,
    [ACTIVATION_GELU] = NETWORK_GELU,
    [ACTIVATION_SILU] = NETWORK_SILU,
    [ACTIVATION_RELU] = NETWORK_RELU,
};

static void shape_one(struct network *network, int32_t outputs, int32_t inputs,
                      enum network_activation activation)
{
    network_make(network, 1);
    network->layer[0] = (struct network_layer){ .inputs = inputs, .outputs = outputs,
                                                .activation = activation };
}

/* Some numbers, divided. */
static void copy(double *to, const float *from, int64_t count, double unit)
{
    for (int64_t i = 0; from != NULL && i < count; i++)
        to[i] = (double)from[i] / unit;
}

/* --- decoders and encoders --------------------------------------------------------------- */

void model_networks_decoder_shape(struct network *network, const struct sae *sae)
{
    shape_one(network, sae->outputs, sae->latents, NETWORK_NONE);
}

enum status model_networks_decoder(struct network *network, const struct sae *sae, double unit)
{
    const int64_t outputs = sae->outputs, latents = sae->latents;
    enum status st;

    *network = (struct network){0};
    REQUIRE(sae->skip == NULL, E_USAGE,
            "this transcoder has a skip matrix: latents alone do not generate its rows");
    model_networks_decoder_shape(network, sae);
    network_allocate(network);
    copy(network->layer[0].bias, sae->decoder_bias, outputs, unit);
    for (int64_t l = 0; l < latents; l++)
        for (int64_t o = 0; o < outputs; o++)
            network->layer[0].weight[o * latents + l] = (double)sae->decoder[l * outputs + o];
done:
    return st;
}

void model_networks_encoder_shape(struct network *network, const struct sae *sae)
{
    shape_one(network, sae->latents, sae->inputs, NETWORK_THRESHOLD);
}

void model_networks_encoder(struct network *network, const struct sae *sae, double unit)
{
    const int64_t latents = sae->latents;

    model_networks_encoder_shape(network, sae);
    network_allocate(network);
    copy(network->layer[0].weight, sae->encoder, latents * sae->inputs, 1);
    copy(network->layer[0].bias, sae->encoder_bias, latents, unit);
    for (int64_t l = 0; l < latents; l++)
        network->layer[0].scale[l] = sae->threshold[l] > 0 ? (double)sae->threshold[l] / unit : 0;
}

/* --- MLPs -------------------------------------------------------------------------------- */

enum status model_networks_mlp_shape(struct network *network, const struct lm_config *c, int layer)
{
    enum status st;

    *network = (struct network){0};
    REQUIRE(layer >= 0 && layer < c->layers, E_USAGE,
            "there is no layer %d; the model has layers 0 to %d", layer, (int)c->layers - 1);
    REQUIRE(c->mlp_width > 0, E_USAGE, "the model has no MLPs");
    network_make(network, 2);
    network->layer[0] = (struct network_layer){
        .inputs = c->width,
        .outputs = c->mlp_width,
        .gated = c->gated,
        .activation = ACTIVATIONS[c->activation],
    };
    network->layer[1] = (struct network_layer){
        .inputs = c->mlp_width,
        .outputs = c->width,
        .activation = c->post_norms ? NETWORK_RMS : NETWORK_NONE,
        .epsilon = (double)c->norm_epsilon,
    };
done:
    return st;
}

static void copy_product(struct network_layer *layer, const struct linear *linear,
                         const float *bias, double unit)
{
    for (int64_t i = 0; i < linear->outputs; i++)
        copy(layer->weight + i * linear->inputs, linear_row(linear, i), linear->inputs, unit);
    copy(layer->bias, bias, linear->outputs, unit);
}

/* A norm at the end divides by the size of what it reads, so its scale is divided instead. */
enum status model_networks_mlp(struct network *network, const struct weights *weights, int layer,
                               double unit)
{
    const struct lm_config *c = &weights->config;
    enum status st;

    TRY(model_networks_mlp_shape(network, c, layer));
    REQUIRE(weights->precision == PRECISION_F32, E_USAGE,
            "an MLP becomes a network from weights in float32, and these are in bfloat16");
    const struct layer_weights *from = &weights->layers[layer];
    network_allocate(network);
    copy_product(&network->layer[0], &from->mlp_in, from->mlp_in_bias, 1);
    copy_product(&network->layer[1], &from->mlp_out, from->mlp_out_bias,
                 c->post_norms ? 1 : unit);
    if (c->post_norms) {
        assert(from->mlp_post_norm.bias == NULL);       /* families with norms there have RMSNorm */
        copy(network->layer[1].scale, from->mlp_post_norm.scale, c->width, unit);
    }
done:
    if (st != OK)
        network_free(network);
    return st;
}

/* --- nothing ----------------------------------------------------------------------------- */

void model_networks_identity_shape(struct network *network, int32_t width)
{
    shape_one(network, width, width, NETWORK_NONE);
}

void model_networks_identity(struct network *network, int32_t width)
{
    model_networks_identity_shape(network, width);
    network_allocate(network);
    for (int64_t i = 0; i < width; i++)
        network->layer[0].weight[i * width + i] = 1;
}
