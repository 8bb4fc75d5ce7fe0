/* Latents as nodes of a circuit, against their definitions: runs of the model with rows that this
 * test computes latent by latent, and central differences. */
#include "base/allocate.h"
#include "base/blas_core.h"
#include "base/random.h"
#include "circuit/latent_circuit.h"
#include "sae/latent_nodes.h"
#include "shard/h5.h"

#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/pairs.h"

enum { PROMPTS = 16, CONTEXT = 15, WIDTH = 128, ROWS = PROMPTS * CONTEXT };
enum { SITES_COUNT = 4, LATENTS = 48, NODES = SITES_COUNT * (LATENTS + 1) };

/* The second cuts the stream. */
static const struct tap TAPS[SITES_COUNT] = {
    { SITE_MLP, 0 }, { SITE_RES, 1 }, { SITE_ATTN, 2 }, { SITE_MLP_IN, 3 },
};

struct fixture {
    struct pairs          pairs;
    struct latent_site    sites[SITES_COUNT];
    struct latent_circuit c;
    struct forward        forward;
    struct head           head;
    float corrupted[SITES_COUNT][ROWS * WIDTH];     /* rows of the corrupted prompts */
};

static float number(uint64_t index)
{
    return 2 * random_uniform(7, RANDOM_ENCODER, index) - 1;
}

/* An autoencoder that reconstructs nothing well, so that errors matter. */
static void make_sae(struct sae *sae, uint64_t seed)
{
    sae_make(sae, WIDTH, WIDTH, LATENTS);
    for (int i = 0; i < LATENTS * WIDTH; i++) {
        sae->encoder[i] = number(seed + 4 * (uint64_t)i) / 8;
        sae->decoder[i] = number(seed + 4 * (uint64_t)i + 1) / 4;
    }
    for (int i = 0; i < LATENTS; i++) {
        sae->encoder_bias[i] = number(seed + 4 * (uint64_t)i + 2) / 4;
        sae->threshold[i] = i % 3 == 0 ? 0.1f : 0;
    }
    for (int i = 0; i < WIDTH; i++)
        sae->decoder_bias[i] = number(seed + 4 * (uint64_t)i + 3) / 4;
}

/* --- the model and the nodes by their definitions ---------------------------------------- */

/* The latents of a row. */
static void encode(double *f, const struct sae *sae, const float *x)
{
    for (int i = 0; i < LATENTS; i++) {
        double pi = (double)sae->encoder_bias[i];
        for (int k = 0; k < WIDTH; k++)
            pi += (double)sae->encoder[i * WIDTH + k] * (double)x[k];
        f[i] = pi > 0 && pi > (double)sae->threshold[i] ? pi : 0;
    }
}

/* The row that nodes add up to, without the error. */
static void decode(double *y, const struct sae *sae, const double *f)
{
    for (int k = 0; k < WIDTH; k++) {
        y[k] = (double)sae->decoder_bias[k];
        for (int i = 0; i < LATENTS; i++)
            y[k] += f[i] * (double)sae->decoder[i * WIDTH + k];
    }
}

/* A row whose nodes have these values where they are kept, and otherwise those of `other`. */
static void join(float *x, const struct sae *sae, const float *other, const bool *kept)
{
    double f[LATENTS], g[LATENTS], y[WIDTH], z[WIDTH], joined[WIDTH];

    encode(f, sae, x);
    encode(g, sae, other);
    decode(y, sae, f);
    decode(z, sae, g);
    for (int i = 0; i < LATENTS; i++)
        f[i] = kept[i] ? f[i] : g[i];
    decode(joined, sae, f);
    for (int k = 0; k < WIDTH; k++)
        x[k] = (float)(joined[k] + (kept[LATENTS] ? (double)x[k] - y[k] : (double)other[k] - z[k]));
}

/* What is done to the rows of a site. */
typedef void change_rows(struct fixture *f, int site, const void *how);

/* The mean logit of the wrong answers less that of the answers, when this is done to the sites of a
 * run that starts from a share of the clean prompts' embedding. */
static double run(struct fixture *f, float share, change_rows *change, const void *how)
{
    const int64_t values = ROWS * WIDTH;
    float *logits = allocate(f->pairs.weights.config.outputs, sizeof *logits);
    float *other = allocate(values, sizeof *other);
    double sum = 0;

    assert_int_equal(forward_start(&f->forward, f->pairs.corrupted, PROMPTS), OK);
    memcpy(other, f->forward.residual, (size_t)values * sizeof *other);
    assert_int_equal(forward_start(&f->forward, f->pairs.clean, PROMPTS), OK);
    for (int64_t i = 0; i < values; i++)
        f->forward.residual[i] += (1 - share) * (other[i] - f->forward.residual[i]);
    for (int s = 0; s < SITES_COUNT; s++) {
        forward_to(&f->forward, TAPS[s]);
        change(f, s, how);
    }
    forward_to(&f->forward, forward_end(&f->forward));
    for (int p = 0; p < PROMPTS; p++) {
        const int row = p * CONTEXT + f->pairs.places[p][4];
        head_logits(&f->head, logits, f->forward.values + row * WIDTH, 1);
        sum += (double)logits[f->pairs.s[p]] - (double)logits[f->pairs.io[p]];
    }
    free(other);
    free(logits);
    return sum / PROMPTS;
}

static void store(struct fixture *f, int site, const void *how)
{
    (void)how;
    memcpy(f->corrupted[site], f->forward.values, sizeof f->corrupted[site]);
}

static void keep(struct fixture *f, int site, const void *how)
{
    const bool *kept = (const bool *)how + site * (LATENTS + 1);

    for (int r = 0; r < ROWS; r++)
        join(f->forward.values + r * WIDTH, &f->sites[site].sae, f->corrupted[site] + r * WIDTH,
             kept);
}

/* Rows to be added to those of a site. */
struct shift {
    int    site;
    float  size;
    const float *rows;
};

static void shift(struct fixture *f, int site, const void *how)
{
    const struct shift *s = how;

    for (int i = 0; i < ROWS * WIDTH && site == s->site; i++)
        f->forward.values[i] += s->size * s->rows[i];
}

/* --- fixture ----------------------------------------------------------------------------- */

static void set_up(struct fixture *f)
{
    pairs_open(&f->pairs, "tests/golden/circuits/eap.h5", PROMPTS, CONTEXT);
    f->pairs.setup.graph = NULL;
    for (int s = 0; s < SITES_COUNT; s++) {
        f->sites[s].tap = TAPS[s];
        make_sae(&f->sites[s].sae, 1000000 * (uint64_t)s);
    }
    const struct latent_circuit_setup setup = { f->pairs.setup, f->sites, SITES_COUNT };

    assert_int_equal(latent_circuit_make(&f->c, &setup, MPI_COMM_SELF), OK);
    assert_int_equal(latent_circuit_nodes(&setup), NODES);
    forward_make(&f->forward, &f->pairs.weights, PROMPTS, CONTEXT);
    head_make(&f->head, &f->pairs.weights);
    run(f, 0, store, NULL);
}

static void tear_down(struct fixture *f)
{
    head_free(&f->head);
    forward_free(&f->forward);
    latent_circuit_free(&f->c);
    for (int s = 0; s < SITES_COUNT; s++)
        sae_free(&f->sites[s].sae);
    pairs_close(&f->pairs);
}

static struct fixture f;

/* --- claims ------------------------------------------------------------------------------ */

/* What the nodes of a row change when the rest stays: clean less corrupted, of one node or, with
 * -1, of all of the site. */
static void fill_difference(float *rows, int site, int node)
{
    static float clean[ROWS * WIDTH];
    const struct sae *sae = &f.sites[site].sae;
    bool kept[LATENTS + 1];

    assert_int_equal(forward_start(&f.forward, f.pairs.clean, PROMPTS), OK);
    forward_to(&f.forward, TAPS[site]);
    memcpy(clean, f.forward.values, sizeof clean);
    memcpy(rows, clean, sizeof clean);
    for (int i = 0; i <= LATENTS; i++)
        kept[i] = node >= 0 && i != node;
    for (int r = 0; r < ROWS; r++)
        join(rows + r * WIDTH, sae, f.corrupted[site] + r * WIDTH, kept);
    for (int i = 0; i < ROWS * WIDTH; i++)
        rows[i] = clean[i] - rows[i];
}

/* The derivative of the metric along some rows, meant over runs of these shares. */
static double derivative(int site, const float *rows, int steps)
{
    const float size = 0.01f;
    double sum = 0;

    for (int k = 1; k <= steps; k++) {
        const float share = (float)k / (float)steps;
        const struct shift up = { site, size, rows }, down = { site, -size, rows };
        sum += (run(&f, share, shift, &up) - run(&f, share, shift, &down)) / (2 * (double)size);
    }
    return sum / steps;
}

static double largest(const double *scores, int first, int end)
{
    double most = 0;

    for (int i = first; i < end; i++)
        most = fmax(most, fabs(scores[i]));
    return most;
}

/* Every twelfth latent and each error. */
static void scores_are_derivatives(void **state)
{
    static float rows[ROWS * WIDTH];
    double scores[NODES], worst = 0;

    (void)state;
    set_up(&f);
    for (int steps = 0; steps <= 2; steps += 2) {
        latent_circuit_score(&f.c, scores, steps);
        for (int s = 0; s < SITES_COUNT; s++)
            for (int i = 0; i <= LATENTS; i += 12) {
                const int first = s * (LATENTS + 1);
                fill_difference(rows, s, i);
                const double d = derivative(s, rows, steps > 0 ? steps : 1);
                worst = fmax(worst, fabs(scores[first + i] - d)
                                    / largest(scores, first, first + LATENTS + 1));
            }
    }
    printf("    worst difference %.2g of a site's largest score\n", worst);
    assert_true(worst < 1e-2);
    tear_down(&f);
}

/* The gradient is opened by itself here. */
static void scores_of_a_site_add_up(void **state)
{
    static float rows[ROWS * WIDTH], last[ROWS * WIDTH];
    static struct backward backward;
    double scores[NODES];
    float gradients[PROMPTS * WIDTH];

    (void)state;
    set_up(&f);
    latent_circuit_score(&f.c, scores, 0);
    for (int s = 0; s < SITES_COUNT; s++) {
        double sum = 0, expected = 0;
        fill_difference(rows, s, -1);
        backward_make(&backward, &f.forward);
        assert_int_equal(forward_start(&f.forward, f.pairs.clean, PROMPTS), OK);
        backward_walk(&backward, forward_end(&f.forward));
        memset(last, 0, sizeof last);
        for (int p = 0; p < PROMPTS; p++)
            memcpy(f.c.e.streams + p * WIDTH,
                   f.forward.values + (p * CONTEXT + f.pairs.places[p][4]) * WIDTH,
                   WIDTH * sizeof(float));
        experiment_gradients(&f.c.e, gradients);
        for (int p = 0; p < PROMPTS; p++)
            memcpy(last + (p * CONTEXT + f.pairs.places[p][4]) * WIDTH, gradients + p * WIDTH,
                   WIDTH * sizeof(float));
        backward_start(&backward, last);
        backward_to(&backward, TAPS[s]);
        for (int i = 0; i < ROWS * WIDTH; i++)
            expected += (double)rows[i] * (double)backward.gradient[i];
        for (int i = s * (LATENTS + 1); i < (s + 1) * (LATENTS + 1); i++)
            sum += scores[i];
        printf("    site %d: sum %.7f, whole row %.7f\n", s, sum, expected);
        assert_true(fabs(sum - expected)
                    < 1e-5 * largest(scores, s * (LATENTS + 1), (s + 1) * (LATENTS + 1)));
        backward_free(&backward);
    }
    tear_down(&f);
}

static void keeps_nodes_as_defined(void **state)
{
    bool kept[NODES];
    double worst = 0;

    (void)state;
    set_up(&f);
    for (int share = 0; share <= 4; share++) {
        for (int i = 0; i < NODES; i++)
            kept[i] = 4 * random_uniform(3, RANDOM_EDGES, (uint64_t)i) < (float)share;
        worst = fmax(worst, fabs(latent_circuit_value(&f.c, kept) - run(&f, 1, keep, kept)));
    }
    printf("    worst difference %.2g of a metric from %.3f to %.3f\n", worst, f.c.clean,
           f.c.corrupted);
    assert_true(worst < 2e-5);
    tear_down(&f);
}

static void all_nodes_are_the_clean_run_and_none_the_corrupted_one(void **state)
{
    bool kept[NODES];

    (void)state;
    set_up(&f);
    assert_true(fabs(f.c.clean - run(&f, 1, store, NULL)) < 1e-5);
    assert_true(fabs(f.c.corrupted - run(&f, 0, store, NULL)) < 1e-5);
    assert_true(fabs(f.c.corrupted - f.c.clean) > 1);
    memset(kept, true, sizeof kept);
    assert_true(latent_circuit_value(&f.c, kept) == f.c.clean);
    memset(kept, false, sizeof kept);
    assert_true(fabs(latent_circuit_value(&f.c, kept) - f.c.corrupted) < 1e-5);
    tear_down(&f);
}

static void effects_are_those_of_one_node(void **state)
{
    const int64_t nodes[] = { 3, LATENTS, LATENTS + 1 + 5, NODES - 10, NODES - 1 };
    enum { COUNT = sizeof nodes / sizeof *nodes };
    double effects[COUNT];
    bool kept[NODES];

    (void)state;
    set_up(&f);
    latent_circuit_effects(&f.c, effects, nodes, COUNT);
    for (int i = 0; i < COUNT; i++) {
        memset(kept, true, sizeof kept);
        kept[nodes[i]] = false;
        assert_true(fabs(effects[i] - (run(&f, 1, keep, kept) - f.c.clean)) < 2e-5);
    }
    assert_true(fabs(effects[0]) > 0 && fabs(effects[1]) > 0.01);
    assert_int_equal(latent_circuit_site(&f.c, nodes[1]), 0);
    assert_int_equal(latent_circuit_site(&f.c, nodes[2]), 1);
    tear_down(&f);
}

static void has_the_same_bits_on_any_threads(void **state)
{
    static double first[NODES], scores[NODES];
    const int threads = omp_get_max_threads();
    bool kept[NODES];
    double value = 0;

    (void)state;
    for (int i = 0; i < NODES; i++)
        kept[i] = i % 2;
    for (int n = 1; n <= 3; n++) {
        omp_set_num_threads(n);
        set_up(&f);
        latent_circuit_score(&f.c, n == 1 ? first : scores, 2);
        const double now = latent_circuit_value(&f.c, kept);
        value = n == 1 ? now : value;
        assert_true(now == value);
        assert_true(n == 1 || memcmp(first, scores, sizeof first) == 0);
        tear_down(&f);
    }
    omp_set_num_threads(threads);
}

static void refuses_what_has_no_nodes(void **state)
{
    struct latent_circuit c;

    (void)state;
    set_up(&f);
    struct latent_circuit_setup setup = f.c.setup;
    struct latent_site sites[2] = { f.sites[0], f.sites[1] };
    setup.sites = sites;
    setup.count = 2;
    const struct { int32_t inputs; bool transcoder; struct tap second; const char *words; }
    wrongs[] = {
        { WIDTH, true, TAPS[1], "transcoder" },
        { WIDTH + 1, false, TAPS[1], "rows of 129 values, but the model's have 128" },
        { WIDTH, false, TAPS[0], "mlp.00 has two autoencoders" },
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        sites[1].tap = wrongs[i].second;
        sites[1].sae.inputs = wrongs[i].inputs;
        sites[1].sae.transcoder = wrongs[i].transcoder;
        assert_int_equal(latent_circuit_make(&c, &setup, MPI_COMM_SELF), E_USAGE);
        assert_non_null(strstr(refuse_reason(), wrongs[i].words));
        refuse_clear();
        latent_circuit_free(&c);
    }
    tear_down(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_derivatives),
        cmocka_unit_test(scores_of_a_site_add_up),
        cmocka_unit_test(keeps_nodes_as_defined),
        cmocka_unit_test(all_nodes_are_the_clean_run_and_none_the_corrupted_one),
        cmocka_unit_test(effects_are_those_of_one_node),
        cmocka_unit_test(has_the_same_bits_on_any_threads),
        cmocka_unit_test(refuses_what_has_no_nodes),
    };

    blas_core_settle(argv);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
