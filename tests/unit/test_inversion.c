/* Inversion: operators and losses by hand, gradients by differences, Adam against the solution of a
 * linear system, planted points. */
#include "invert/model_networks.h"
#include "tests/unit/networks.h"
#include "tests/unit/searches.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- operators --------------------------------------------------------------------------- */

static const double X[] = { 1, 2, 3, 6, 5 };

static void check_seen(struct observation *seen, const double want[2], const double back[5])
{
    const double by_output[] = { 1, 10 };
    double y[2], x[5];

    observation_apply(seen, y, X);
    observation_back(seen, x, by_output);
    assert_memory_equal(y, want, sizeof y);
    assert_memory_equal(x, back, sizeof x);
    observation_free(seen);
}

static void operators_give_the_values_by_hand(void **state)
{
    const int32_t kept[] = { 3, 0 }, group[] = { 1, -1, 0, 1, 0 };
    const double weight[] = { 1, 0, 0, 0, -1, 0, 2, 0, 1, 0 }, bias[] = { 10, 20 };
    struct observation seen;

    (void)state;
    assert_int_equal(observation_mask(&seen, kept, 2, 5), OK);
    check_seen(&seen, (const double[]){ 6, 1 }, (const double[]){ 10, 0, 0, 1, 0 });
    assert_int_equal(observation_average(&seen, group, 5, 2), OK);
    check_seen(&seen, (const double[]){ 4, 3.5 }, (const double[]){ 5, 0, 0.5, 5, 0.5 });
    observation_affine(&seen, weight, bias, 2, 5);
    check_seen(&seen, (const double[]){ 6, 30 }, (const double[]){ 1, 20, 0, 10, -1 });
}

/* A refusal whose reason holds a text. */
static void refused(enum status st, enum status want, const char *reason)
{
    assert_int_equal(st, want);
    if (strstr(refuse_reason(), reason) == NULL)
        fail_msg("\"%s\" is not in: %s", reason, refuse_reason());
    refuse_clear();
}

static void refuses_operators_that_see_nothing(void **state)
{
    const int32_t far[] = { 0, 5 }, twice[] = { 1, 1 }, gap[] = { 0, 0, 2, 2, 3 };
    struct observation o;

    (void)state;
    refused(observation_mask(&o, far, 0, 5), E_USAGE, "keeps no value");
    refused(observation_mask(&o, far, 2, 5), E_USAGE,
            "keeps value 5, and the generator gives 0 to 4");
    refused(observation_mask(&o, twice, 2, 5), E_USAGE, "keeps value 1 twice");
    refused(observation_average(&o, gap, 5, 0), E_USAGE, "no groups");
    refused(observation_average(&o, gap, 5, 3), E_USAGE, "value 4 is in group 3");
    refused(observation_average(&o, gap, 5, 4), E_USAGE, "group 1 has no values");
    assert_null(o.group);
}

/* --- the loss ---------------------------------------------------------------------------- */

/* An inversion, and what it points to. */
struct scene {
    struct network   map, generator, features;
    struct observation seen;
    double           target[8];
    struct inversion inversion;
};

static void free_scene(struct scene *s)
{
    inversion_free(&s->inversion);
    network_free(&s->map);
    network_free(&s->generator);
    network_free(&s->features);
    observation_free(&s->seen);
}

/* One number everywhere: w = 2 z + 1, G = 3 w, A = 1, F = 2 x, y = 5.
 * At z = 1, w = 2: G = 6, data 1, features (12 - 10)^2, mapping (3 - 2)^2, prior 1. */
static void a_loss_is_that_by_hand(void **state)
{
    const int32_t one[] = { 1, 1 }, kept[] = { 0 };
    struct scene s = { .target = { 5 } };
    double gradient[2], work[32];

    (void)state;
    networks_make(&s.map, one, 1, NETWORK_NONE, 0, 0);
    networks_make(&s.generator, one, 1, NETWORK_NONE, 0, 0);
    networks_make(&s.features, one, 1, NETWORK_NONE, 0, 0);
    s.map.layer[0].weight[0] = 2;
    s.map.layer[0].bias[0] = 1;
    s.generator.layer[0].weight[0] = 3;
    s.features.layer[0].weight[0] = 2;
    assert_int_equal(observation_mask(&s.seen, kept, 1, 1), OK);
    const struct inversion_setup setup = { &s.map, &s.generator, &s.seen, &s.features, s.target,
                                           1, { 10, 0.5, 100, 1000 } };
    assert_int_equal(inversion_make(&s.inversion, &setup), OK);
    assert_true(inversion_work_count(&setup) <= 32);
    const struct inversion_terms t = inversion_loss(&s.inversion, gradient,
                                                    (const double[]){ 1, 2 }, work);
    assert_true(t.data == 1 && t.features == 4 && t.mapping == 1 && t.prior == 1);
    assert_true(t.loss == 10 + 2 + 100 + 1000);
    assert_true(gradient[0] == 2 * 100 * 2 + 2 * 1000);
    assert_true(gradient[1] == 2 * 10 * 3 + 0.5 * 2 * 2 * 6 - 2 * 100);
    free_scene(&s);
}

enum { Z = 3, W = 4, COPIES = 2, SEEN = 3, POINT = Z + COPIES * W };

/* All terms, two w, an affine operator; `activation` in every network. */
static void make_scene(struct scene *s, enum network_activation activation,
                       struct inversion_weights weights)
{
    const int32_t map[] = { Z, 5, W }, generator[] = { COPIES * W, 7, 6 },
                  features[] = { SEEN, 4, 2 };
    double matrix[SEEN * 6], bias[SEEN];

    *s = (struct scene){0};
    networks_make(&s->map, map, 2, activation, 1, 0.9);
    networks_make(&s->generator, generator, 2, activation, 2, 0.9);
    networks_make(&s->features, features, 2, activation, 3, 0.9);
    networks_fill(matrix, SEEN * 6, 4, 1);
    networks_fill(bias, SEEN, 5, 1);
    observation_affine(&s->seen, matrix, bias, SEEN, 6);
    networks_fill(s->target, SEEN, 6, 1);
    assert_int_equal(inversion_make(&s->inversion, &(struct inversion_setup){
        &s->map, &s->generator, &s->seen, &s->features, s->target, COPIES, weights }), OK);
}

/* Each term alone, then all. */
static void gradients_are_those_of_differences(void **state)
{
    static const struct inversion_weights WEIGHTS[] = {
        { 1, 0, 0, 0 },    { 0, 1, 0, 0 },         { 1e-9, 0, 1, 0 },
        { 1e-9, 0, 0, 1 }, { 0.3, 0.7, 1.1, 0.2 },
    };
    struct scene s;

    (void)state;
    for (int k = 0; k < 5; k++) {
        double point[POINT], gradient[POINT];
        make_scene(&s, NETWORK_TANH, WEIGHTS[k]);
        double *work = allocate(inversion_work_count(&s.inversion.setup), sizeof *work);
        networks_fill(point, POINT, 8, 1);
        inversion_loss(&s.inversion, gradient, point, work);
        for (int i = 0; i < POINT; i++) {
            const double at = point[i], step = 1e-5;
            point[i] = at + step;
            const double above = inversion_loss(&s.inversion, NULL, point, work).loss;
            point[i] = at - step;
            const double below = inversion_loss(&s.inversion, NULL, point, work).loss;
            point[i] = at;
            assert_true(fabs((above - below) / (2 * step) - gradient[i]) < 1e-8);
        }
        free(work);
        free_scene(&s);
    }
}

static void refuses_what_does_not_fit(void **state)
{
    struct scene s;
    struct inversion v;

    (void)state;
    make_scene(&s, NETWORK_TANH, (struct inversion_weights){ 1, 1, 1, 1 });
    struct inversion_setup setup = s.inversion.setup;
    setup.copies = 3;
    refused(inversion_make(&v, &setup), E_USAGE, "map gives 4 values, the generator reads 8: these "
            "are not 3 copies");
    setup.copies = 0;
    refused(inversion_make(&v, &setup), E_USAGE, "0 copies");
    setup.copies = COPIES;
    setup.features = &s.map;
    assert_int_equal(inversion_make(&v, &setup), OK);
    inversion_free(&v);
    setup.features = &s.generator;
    refused(inversion_make(&v, &setup), E_USAGE, "network of features reads 8");
    setup.features = NULL;
    setup.weights.data = 0;
    refused(inversion_make(&v, &setup), E_USAGE, "nothing depends on the target");
    setup.weights.data = 1;
    setup.weights.prior = -1;
    refused(inversion_make(&v, &setup), E_USAGE, "weight of prior is -1");
    setup.weights.prior = NAN;
    refused(inversion_make(&v, &setup), E_NUMERIC, "weight of prior is not finite");
    setup.weights.prior = 1;
    s.target[1] = INFINITY;
    refused(inversion_make(&v, &setup), E_NUMERIC, "value 1 of the target");
    s.seen.inputs = 9;
    refused(inversion_make(&v, &setup), E_USAGE, "gives 6 values, the operator reads 9");
    free_scene(&s);
    refused(descent_check(&(struct descent_options){ .steps = 1, .rate = 0 }), E_USAGE,
            "rate is 0");
    refused(descent_check(&(struct descent_options){ .rate = 1, .fall = 2 }), E_USAGE, "share 2");
    refused(descent_check(&(struct descent_options){ .rate = 1, .starts = -1 }), E_USAGE,
            "-1 starts");
    refused(descent_check(&(struct descent_options){ .rate = 1, .steps = -1 }), E_USAGE,
            "-1 steps");
}

/* --- linear networks --------------------------------------------------------------------- */

/* Solve a x = b by elimination with pivots; x replaces b.
 *   a [n, n]  in; of no use afterwards */
static void eliminate(double *a, double *b, int n)
{
    for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++)
            pivot = fabs(a[i * n + k]) > fabs(a[pivot * n + k]) ? i : pivot;
        for (int j = 0; j < n; j++) {
            const double held = a[k * n + j];
            a[k * n + j] = a[pivot * n + j];
            a[pivot * n + j] = held;
        }
        const double held = b[k];
        b[k] = b[pivot];
        b[pivot] = held;
        for (int i = 0; i < n; i++) {
            const double factor = i == k ? 0 : a[i * n + k] / a[k * n + k];
            for (int j = k; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
            b[i] -= factor * b[k];
        }
    }
    for (int k = 0; k < n; k++)
        b[k] /= a[k * n + k];
}

/* A linear network at the unit vectors: its matrix [outputs, inputs], its constant [outputs]. */
static void find_matrix(double *matrix, double *constant, const struct network *network)
{
    const int32_t in = network_inputs(network), out = network_outputs(network);
    double pass[64], x[16] = {0};

    memcpy(constant, network_forward(network, pass, x), (size_t)out * sizeof *x);
    for (int32_t i = 0; i < in; i++) {
        x[i] = 1;
        const double *y = network_forward(network, pass, x);
        for (int32_t o = 0; o < out; o++)
            matrix[o * in + i] = y[o] - constant[o];
        x[i] = 0;
    }
}

/* Add weight |m point - c|^2 to the quadratic form point^T h point - 2 b point.
 *   m [rows, POINT]  c [rows] */
static void add_square(double *h, double *b, const double *m, const double *c, double weight,
                       int rows)
{
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < POINT; i++) {
            b[i] += weight * m[r * POINT + i] * c[r];
            for (int j = 0; j < POINT; j++)
                h[i * POINT + j] += weight * m[r * POINT + i] * m[r * POINT + j];
        }
}

/* The least point of a scene of linear networks, from its normal equations. */
static void solve_scene(double *point, const struct scene *s)
{
    const struct inversion_weights *weights = &s->inversion.setup.weights;
    double h[POINT * POINT] = { 0 }, b[POINT] = { 0 }, map[W * Z], map_constant[W];
    double generated[6 * COPIES * W], generated_constant[6], features[2 * SEEN],
        features_constant[2];
    double data[SEEN * POINT] = { 0 }, data_constant[SEEN], seen[2 * POINT] = { 0 },
                       wanted[2] = { 0 };
    double gap[COPIES * W * POINT] = { 0 }, gap_constant[COPIES * W], prior[Z * POINT] = { 0 };

    find_matrix(map, map_constant, &s->map);
    find_matrix(generated, generated_constant, &s->generator);
    find_matrix(features, features_constant, &s->features);
    for (int r = 0; r < SEEN; r++) {
        data_constant[r] = s->target[r] - s->seen.bias[r];
        for (int o = 0; o < 6; o++) {
            const double a = s->seen.weight[r * 6 + o];
            data_constant[r] -= a * generated_constant[o];
            for (int i = 0; i < COPIES * W; i++)
                data[r * POINT + Z + i] += a * generated[o * COPIES * W + i];
        }
        for (int f = 0; f < 2; f++) {
            wanted[f] += features[f * SEEN + r] * data_constant[r];
            for (int i = 0; i < POINT; i++)
                seen[f * POINT + i] += features[f * SEEN + r] * data[r * POINT + i];
        }
    }
    for (int i = 0; i < COPIES * W; i++) {
        gap_constant[i] = -map_constant[i % W];
        gap[i * POINT + Z + i] = -1;
        for (int k = 0; k < Z; k++)
            gap[i * POINT + k] = map[i % W * Z + k];
    }
    for (int k = 0; k < Z; k++)
        prior[k * POINT + k] = 1;
    add_square(h, b, data, data_constant, weights->data, SEEN);
    add_square(h, b, seen, wanted, weights->features, 2);
    add_square(h, b, gap, gap_constant, weights->mapping, COPIES * W);
    add_square(h, b, prior, (const double[Z]){0}, weights->prior, Z);
    eliminate(h, b, POINT);
    memcpy(point, b, sizeof b);
}

static void adam_reaches_the_solution_of_the_linear_system(void **state)
{
    static const struct inversion_weights WEIGHTS[] = { { 1, 0.5, 1, 0.3 }, { 0.4, 0, 2, 1 } };
    const struct descent_options options = { 4000, 0.1, 0.5, 10, 1 };
    struct scene s;

    (void)state;
    for (int k = 0; k < 2; k++) {
        double point[POINT], want[POINT], far = 0;
        make_scene(&s, NETWORK_NONE, WEIGHTS[k]);
        solve_scene(want, &s);
        searches_run(&s.inversion, point, &options, 0);
        for (int i = 0; i < POINT; i++)
            far = fmax(far, fabs(point[i] - want[i]));
        printf("    largest difference to the solution %.2g\n", far);
        assert_true(far < 1e-10);
        free_scene(&s);
    }
}

/* --- planted points ---------------------------------------------------------------------- */

/* y is what a z of our choice generates; all of it is seen. */
static void plant(struct scene *s, double *z, enum network_activation activation, uint64_t seed,
                  struct inversion_weights weights)
{
    const int32_t map[] = { 2, 6, 4 }, generator[] = { 4, 8, 5 }, kept[] = { 0, 1, 2, 3, 4 };
    double pass[64];

    *s = (struct scene){0};
    networks_make(&s->map, map, 2, activation, 2 * seed, 1.5);
    networks_make(&s->generator, generator, 2, activation, 2 * seed + 1, 1.5);
    assert_int_equal(observation_mask(&s->seen, kept, 5, 5), OK);
    networks_fill(z, 2, 90 + seed, 1.5);
    double w[4];
    memcpy(w, network_forward(&s->map, pass, z), sizeof w);
    memcpy(s->target, network_forward(&s->generator, pass, w), 5 * sizeof(double));
    assert_int_equal(inversion_make(&s->inversion, &(struct inversion_setup){
        &s->map, &s->generator, &s->seen, NULL, s->target, 1, weights }), OK);
}

/* How far the z that is found is from the one planted. */
static double distance_of(enum network_activation activation, struct inversion_weights weights)
{
    const struct descent_options options = { 4000, 0.1, 0.5, 100, 1 };
    struct scene s;
    double z[2], point[6];

    plant(&s, z, activation, 1, weights);
    searches_run(&s.inversion, point, &options, 0);
    free_scene(&s);
    return hypot(point[0] - z[0], point[1] - z[1]);
}

/* Without a prior z is found, and a prior moves it. */
static void a_planted_point_is_found(void **state)
{
    (void)state;
    const double linear = distance_of(NETWORK_NONE, (struct inversion_weights){ 1, 0, 1, 0 });
    const double curved = distance_of(NETWORK_TANH, (struct inversion_weights){ 1, 0, 1, 0 });
    const double biased = distance_of(NETWORK_NONE, (struct inversion_weights){ 1, 0, 1, 1 });
    printf("    z is off by %.2g, with tanh by %.2g, with a prior by %.2g\n", linear, curved,
           biased);
    assert_true(linear < 1e-8 && curved < 1e-6 && biased > 0.01);
}

/* The row that an MLP of a model makes of an input of our choice, M(z), is explained by that z. */
static void what_an_mlp_adds_is_explained(void **state)
{
    static const char model[] = "tests/golden/olmo2-random";
    const struct descent_options options = { 2000, 0.1, 0.5, 100, 1 };
    const int32_t map[] = { 3, 64 };
    struct scene s = {0};
    struct lm_config config;
    struct weights weights;
    double z[3], point[3 + 64];
    int32_t kept[64];

    (void)state;
    for (int32_t i = 0; i < 64; i++)
        kept[i] = i;
    assert_int_equal(config_read(&config, model), OK);
    assert_int_equal(weights_read(&weights, &config, PRECISION_F32, model, MPI_COMM_SELF), OK);
    assert_int_equal(model_networks_mlp(&s.generator, &weights, 0, 1), OK);
    assert_int_equal(observation_mask(&s.seen, kept, 64, 64), OK);
    networks_make(&s.map, map, 1, NETWORK_NONE, 1, 1);
    networks_fill(z, 3, 2, 1.5);
    double *target = allocate(64, sizeof *target), pass[2048];
    memcpy(point, network_forward(&s.map, pass, z), 64 * sizeof *point);
    assert_true(network_pass_count(&s.generator) <= 2048);
    memcpy(target, network_forward(&s.generator, pass, point), 64 * sizeof *target);
    assert_int_equal(inversion_make(&s.inversion, &(struct inversion_setup){
        &s.map, &s.generator, &s.seen, NULL, target, 1, { 1, 0, 1, 0 } }), OK);
    const struct inversion_terms t = searches_run(&s.inversion, point, &options, 0);
    const double off = fabs(point[0] - z[0]) + fabs(point[1] - z[1]) + fabs(point[2] - z[2]);
    printf("    z is off by %.2g, data error %.2g\n", off, t.data);
    assert_true(off < 1e-8 && t.data < 1e-16);
    free(target);
    free_scene(&s);
    weights_free(&weights);
}

/* The data error after a search. */
static double residual(const struct scene *s, int32_t starts)
{
    const struct descent_options options = { 8000, 0.1, 0.5, starts, 1 };
    double point[6];

    return searches_run(&s->inversion, point, &options, 0).data;
}

/* The best of 100 starts leads to y in nine of ten problems or more; z = 0 ends in a local minimum
 * in some. */
static void the_start_matters(void **state)
{
    enum { PROBLEMS = 20 };
    int from_best = 0, from_zero = 0, far_from_zero = 0;

    (void)state;
    for (uint64_t seed = 0; seed < PROBLEMS; seed++) {
        struct scene s;
        double z[2];
        plant(&s, z, NETWORK_TANH, seed, (struct inversion_weights){ 1, 0, 1, 0 });
        const double best = residual(&s, 100), zero = residual(&s, 0);
        from_best += best < 1e-6;
        from_zero += zero < 1e-6;
        far_from_zero += zero > 0.01;
        free_scene(&s);
    }
    printf("    of %d problems the best of 100 solves %d, z = 0 solves %d and is far off in %d\n",
           PROBLEMS, from_best, from_zero, far_from_zero);
    assert_true(10 * from_best >= 9 * PROBLEMS);
    assert_true(from_zero < from_best && far_from_zero > 0);
}

/* Searches with other numbers and seeds have other starts; more starts are never worse. */
static void starts_are_drawn_for_each_search(void **state)
{
    struct descent_options options = { 0, 0.1, 0, 1, 1 };
    struct scene s;
    double z[2], first[6], second[6], third[6], last = INFINITY;

    (void)state;
    plant(&s, z, NETWORK_TANH, 1, (struct inversion_weights){ 1, 0, 1, 0 });
    double *work = allocate(descent_work_count(&s.inversion.setup), sizeof *work);
    descent_start(&s.inversion, first, &options, 0, work);
    descent_start(&s.inversion, second, &options, 1, work);
    options.seed = 2;
    descent_start(&s.inversion, third, &options, 0, work);
    assert_true(first[0] != second[0] && first[0] != third[0] && second[0] != third[0]);
    for (options.starts = 1; options.starts <= 64; options.starts *= 2) {
        const struct inversion_terms terms = descent_start(&s.inversion, first, &options, 0, work);
        assert_true(terms.data <= last && terms.mapping == 0);
        last = terms.data;
    }
    free(work);
    free_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators_give_the_values_by_hand),
        cmocka_unit_test(refuses_operators_that_see_nothing),
        cmocka_unit_test(a_loss_is_that_by_hand),
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(adam_reaches_the_solution_of_the_linear_system),
        cmocka_unit_test(a_planted_point_is_found),
        cmocka_unit_test(what_an_mlp_adds_is_explained),
        cmocka_unit_test(the_start_matters),
        cmocka_unit_test(starts_are_drawn_for_each_search),
    };
    int status;

    MPI_Init(NULL, NULL);
    status = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return status;
}
