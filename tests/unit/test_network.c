/* Networks against values by hand, differences, and the parts of models that they are made from. */
#include "base/allocate.h"
#include "invert/model_networks.h"
#include "lm/safetensors_write.h"
#include "shard/h5.h"
#include "tests/unit/networks.h"
#include "tests/unit/scratch.h"

#include <math.h>

#include "tests/golden.h"

static const char *const RELU_NONE[] = { "relu", "none" };

/* --- values ------------------------------------------------------------------------------ */

/* Two layers with numbers 0 and 2, as nn.Sequential saves them, and one more network. */
static const float FIRST[] = { 1, 2, 3, -4 }, FIRST_BIAS[] = { 0.5f, -1 }, SECOND[] = { 2, 5 };

static const struct safetensors_array BY_HAND[] = {
    { "map.0.weight", FIRST, 2, 2 }, { "map.0.bias", FIRST_BIAS, 2, 0 },
    { "map.2.weight", SECOND, 1, 2 }, { "other.0.weight", FIRST, 2, 2 },
};

/* Write a file and read a network from it.  The reason of a refusal must hold a text. */
static enum status read_from(struct network *network, const struct safetensors_array *arrays,
                             int count, const char *const *activations, int32_t names,
                             const char *reason)
{
    const struct network_source source = { in_scratch("network.safetensors"), "map.", activations,
                                           names };
    enum status st;

    assert_int_equal(safetensors_write(source.path, arrays, count), OK);
    st = network_read(network, &source);
    if (strstr(refuse_reason(), reason) == NULL)
        fail_msg("\"%s\" is not in: %s", reason, refuse_reason());
    refuse_clear();
    return st;
}

/* relu(1 + 2 + 0.5, 3 - 4 - 1) = (3.5, 0); 2 * 3.5 + 5 * 0 = 7. */
static void a_file_gives_the_values_by_hand(void **state)
{
    const double x[] = { 1, 1 }, by_output[] = { 3 };
    struct network network;
    double pass[6], gradient[2];

    (void)state;
    assert_int_equal(read_from(&network, BY_HAND, 4, RELU_NONE, 2, ""), OK);
    assert_int_equal(network_pass_count(&network), 6);
    assert_true(*network_forward(&network, pass, x) == 7);
    network_back(&network, gradient, pass, by_output);
    assert_true(gradient[0] == 6 && gradient[1] == 12);
    network_free(&network);
}

/* One layer of the unit matrix. */
static void make_unit(struct network *network, int32_t width, enum network_activation activation,
                      bool gated)
{
    network_make(network, 1);
    network->layer[0] = (struct network_layer){
        .inputs = gated ? 2 * width : width, .outputs = width, .gated = gated,
        .activation = activation,
    };
    network_allocate(network);
    for (int64_t i = 0; i < network->layer[0].inputs; i++)
        network->layer[0].weight[i * (network->layer[0].inputs + 1)] = 1;
}

/* Values of the definitions to 15 digits. */
static void activations_are_those_of_their_definitions(void **state)
{
    static const struct {
        const char *name;
        double at_one, at_minus_two;
    } want[] = {
        { "none", 1, -2 }, { "relu", 1, 0 },
        { "tanh", 0.761594155955765, -0.964027580075817 },
        { "sigmoid", 0.731058578630005, 0.119202922022118 },
        { "silu", 0.731058578630005, -0.238405844044235 },
        { "gelu", 0.841344746068543, -0.0455002638963584 },
        { "gelu_tanh", 0.841191990608277, -0.0454023059122411 },
    };
    const double x[] = { 1, -2, 3, 0.5 };
    enum network_activation activation;
    struct network network;
    double pass[6];

    (void)state;
    assert_int_equal(sizeof want / sizeof *want, NETWORK_NAMES);
    for (int i = 0; i < NETWORK_NAMES; i++) {
        assert_int_equal(network_find(&activation, want[i].name), OK);
        make_unit(&network, 2, activation, true);
        const double *y = network_forward(&network, pass, x);
        assert_true(fabs(y[0] - 3 * want[i].at_one) < 1e-14);
        assert_true(fabs(y[1] - 0.5 * want[i].at_minus_two) < 1e-14);
        network_free(&network);
    }
}

/* (3, 4) has the mean square 12.5, and with 3.5 more the root 4. */
static void a_row_is_divided_by_its_root_mean_square(void **state)
{
    struct network network;
    double pass[4];

    (void)state;
    make_unit(&network, 2, NETWORK_RMS, false);
    network.layer[0].epsilon = 3.5;
    network.layer[0].scale[0] = 2;
    network.layer[0].scale[1] = -1;
    const double *y = network_forward(&network, pass, (const double[]){ 3, 4 });
    assert_true(y[0] == 1.5 && y[1] == -1);
    network_free(&network);
}

/* --- gradients --------------------------------------------------------------------------- */

enum { IN = 11, HIDDEN = 9, OUT = 10 };

/* A layer of this kind, gated or not, between two others. */
static void make_kind(struct network *network, enum network_activation activation, bool gated)
{
    const int32_t widths[] = { IN, HIDDEN, OUT };

    networks_make(network, widths, 2, NETWORK_TANH, 3, 0.7);
    free(network->layer[0].weight);
    free(network->layer[0].bias);
    network->layer[0].gated = gated;
    network->layer[0].activation = activation;
    network->layer[0].epsilon = 0.1;
    network->layer[0].weight = allocate(2 * HIDDEN * IN, sizeof(double));
    network->layer[0].bias = allocate(2 * HIDDEN, sizeof(double));
    network->layer[0].scale = allocate(HIDDEN, sizeof(double));
    networks_fill(network->layer[0].weight, 2 * HIDDEN * IN, 5, 0.7);
    networks_fill(network->layer[0].bias, 2 * HIDDEN, 6, 0.7);
    networks_fill(network->layer[0].scale, HIDDEN, 7, 2);
}

/* Sum over outputs of weight * output. */
static double weighted(const struct network *network, double *pass, const double *x,
                       const double *weight)
{
    const double *y = network_forward(network, pass, x);
    double sum = 0;

    for (int o = 0; o < OUT; o++)
        sum += weight[o] * y[o];
    return sum;
}

static void check_gradient(enum network_activation activation, bool gated)
{
    struct network network;
    double x[IN], weight[OUT], gradient[IN], pass[2 * HIDDEN + HIDDEN + 2 * OUT];

    make_kind(&network, activation, gated);
    networks_fill(x, IN, 8, 1);
    networks_fill(weight, OUT, 9, 1);
    network_forward(&network, pass, x);
    network_back(&network, gradient, pass, weight);
    for (int i = 0; i < IN; i++) {
        const double at = x[i], step = 1e-5;
        x[i] = at + step;
        const double above = weighted(&network, pass, x, weight);
        x[i] = at - step;
        const double below = weighted(&network, pass, x, weight);
        x[i] = at;
        assert_true(fabs((above - below) / (2 * step) - gradient[i]) < 1e-8);
    }
    network_free(&network);
}

static void gradients_are_those_of_differences(void **state)
{
    (void)state;
    for (enum network_activation a = 0; a < NETWORK_NAMES; a++) {
        check_gradient(a, false);
        check_gradient(a, true);
    }
    check_gradient(NETWORK_RMS, false);
}

/* --- refusals ---------------------------------------------------------------------------- */

static void refuses_what_is_no_network(void **state)
{
    static const char *const WRONG[] = { "relu", "softplus" };
    struct safetensors_array arrays[5];
    struct network network;
    float nan = NAN;

    (void)state;
    memcpy(arrays, BY_HAND, sizeof BY_HAND);
    assert_int_equal(read_from(&network, arrays, 4, WRONG, 2,
                               "no activation softplus; there are "
                               "none, relu, tanh, sigmoid, silu, gelu and gelu_tanh"),
                     E_USAGE);
    assert_int_equal(read_from(&network, arrays, 4, RELU_NONE, 1,
                               "2 layers map.*.weight, and there "
                               "are 1 activations"),
                     E_USAGE);
    assert_int_equal(read_from(&network, arrays + 3, 1, RELU_NONE, 2, "has no layer"), E_USAGE);
    arrays[2] = (struct safetensors_array){ "map.2.weight", FIRST, 1, 3 };
    assert_int_equal(read_from(&network, arrays, 4, RELU_NONE, 2,
                               "map.2.weight reads 3 values, and "
                               "the layer before it gives 2"),
                     E_FORMAT);
    arrays[2] = (struct safetensors_array){ "map.2.weight", FIRST, 3, 0 };
    assert_int_equal(read_from(&network, arrays, 4, RELU_NONE, 2, "must be a matrix"), E_FORMAT);
    arrays[2] = BY_HAND[2];
    arrays[1] = (struct safetensors_array){ "map.0.bias", FIRST, 3, 0 };
    assert_int_equal(read_from(&network, arrays, 4, RELU_NONE, 2, "map.0.bias must have 2 numbers"),
                     E_FORMAT);
    arrays[1] = (struct safetensors_array){ "map.1.bias", FIRST, 2, 0 };
    assert_int_equal(read_from(&network, arrays, 4, RELU_NONE, 2, "map.1.bias is neither"),
                     E_FORMAT);
    arrays[1] = (struct safetensors_array){ "map.0.gain", FIRST, 2, 0 };
    assert_int_equal(read_from(&network, arrays, 4, RELU_NONE, 2, "map.0.gain is neither"),
                     E_FORMAT);
    arrays[1] = (struct safetensors_array){ "map.4.weight", &nan, 1, 1 };
    assert_int_equal(read_from(&network, arrays, 4, (const char *const[]){ "none", "none", "none" },
                               3, "map.4.weight"), E_NUMERIC);
    assert_null(network.layer);
}

/* --- parts of a model -------------------------------------------------------------------- */

enum { ROWS = 96 };     /* of each reference: 2 sequences of 48 tokens */

/* The reference gives what an MLP reads and what it adds. */
static void check_mlp(const char *model, int layer)
{
    struct lm_config config;
    struct weights weights;
    struct network network;
    char name[32];
    hid_t file;

    assert_int_equal(config_read(&config, model), OK);
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, model, MPI_COMM_SELF), OK);
    assert_int_equal(model_networks_mlp(&network, &weights, layer, 2), OK);
    assert_int_equal(model_networks_mlp(&(struct network){0}, &weights, config.layers, 1), E_USAGE);
    refuse_clear();

    const int64_t width = config.width;
    double *x = allocate(ROWS * width, sizeof *x),
           *pass = allocate(network_pass_count(&network), 8);
    float *y = allocate(ROWS * width, sizeof *y);
    char path[PATH_LENGTH];
    path_print(path, "%s/expected.h5", model);
    assert_int_equal(h5_open(&file, path), OK);
    snprintf(name, sizeof name, "mlp_in.%d", layer);
    golden_read(file, name, H5T_NATIVE_DOUBLE, ROWS * width, x);
    for (int64_t r = 0; r < ROWS; r++) {
        const double *out = network_forward(&network, pass, x + r * width);
        for (int64_t i = 0; i < width; i++)
            y[r * width + i] = (float)(2 * out[i]);
    }
    snprintf(name, sizeof name, "mlp.%d", layer);
    golden_check(file, name, y, ROWS * width, 2e-5);
    assert_int_equal(h5_close(&file, path, OK), OK);
    free(x);
    free(y);
    free(pass);
    network_free(&network);
    weights_free(&weights);
}

/* Gated, with a norm after it; with biases, not gated. */
static void an_mlp_is_that_of_the_model(void **state)
{
    (void)state;
    check_mlp("tests/golden/olmo2-random", 1);
    check_mlp("tests/golden/gpt-neox-random", 2);
}

/* 2 (1, 2, 3) - (4, 5, 6) + (10, 20, 30); in units of 10 the bias is (1, 2, 3). */
static void a_decoder_is_that_of_the_autoencoder(void **state)
{
    const float rows[] = { 1, 2, 3, 4, 5, 6 }, bias[] = { 10, 20, 30 };
    struct network network;
    struct sae sae;
    double pass[6];

    (void)state;
    sae_make(&sae, 3, 3, 2);
    memcpy(sae.decoder, rows, sizeof rows);
    memcpy(sae.decoder_bias, bias, sizeof bias);
    assert_int_equal(model_networks_decoder(&network, &sae, 1), OK);
    const double *y = network_forward(&network, pass, (const double[]){ 2, -1 });
    assert_true(y[0] == 8 && y[1] == 19 && y[2] == 30);
    network_free(&network);
    assert_int_equal(model_networks_decoder(&network, &sae, 10), OK);
    y = network_forward(&network, pass, (const double[]){ 2, -1 });
    assert_true(y[0] == -1 && y[1] == 1 && y[2] == 3);
    network_free(&network);
    sae.skip = allocate(9, sizeof *sae.skip);
    assert_int_equal(model_networks_decoder(&network, &sae, 1), E_USAGE);
    refuse_clear();
    sae_free(&sae);
}

/* (1, 2) . x + 3 above 4, and (5, -1) . x - 6 above 0, where x is the row divided by 2, and so are
 * the latents. */
static void an_encoder_is_that_of_the_autoencoder(void **state)
{
    const float rows[] = { 1, 2, 5, -1 }, bias[] = { 3, -6 };
    struct network network;
    struct sae sae;
    double pass[8], gradient[2];

    (void)state;
    sae_make(&sae, 2, 2, 2);
    memcpy(sae.encoder, rows, sizeof rows);
    memcpy(sae.encoder_bias, bias, sizeof bias);
    sae.threshold[0] = 4;
    sae.threshold[1] = -1;
    model_networks_encoder(&network, &sae, 2);
    const double *y = network_forward(&network, pass, (const double[]){ 1, 1 });
    assert_true(y[0] == 4.5 && y[1] == 1);
    network_back(&network, gradient, pass, (const double[]){ 10, 100 });
    assert_true(gradient[0] == 510 && gradient[1] == -80);
    y = network_forward(&network, pass, (const double[]){ 0.5, 0 });
    assert_true(y[0] == 0 && y[1] == 0);
    network_back(&network, gradient, pass, (const double[]){ 10, 100 });
    assert_true(gradient[0] == 0 && gradient[1] == 0);
    network_free(&network);
    sae_free(&sae);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_gives_the_values_by_hand),
        cmocka_unit_test(activations_are_those_of_their_definitions),
        cmocka_unit_test(a_row_is_divided_by_its_root_mean_square),
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(refuses_what_is_no_network),
        cmocka_unit_test(an_mlp_is_that_of_the_model),
        cmocka_unit_test(a_decoder_is_that_of_the_autoencoder),
        cmocka_unit_test(an_encoder_is_that_of_the_autoencoder),
    };
    int status;

    MPI_Init(NULL, NULL);
    status = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return status;
}
