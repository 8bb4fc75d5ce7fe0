/* Explanations: distances and latents by hand, operators from a file. */
#include "invert/explanation.h"
#include "lm/safetensors_write.h"
#include "tests/unit/networks.h"
#include "tests/unit/scratch.h"

#include <math.h>

enum { LATENTS = 30, WIDTH = 2 };

/* A decoder whose latent 0 adds (1, 0) and latent 1 (0, 1), and all others nothing; M(z) is z for
 * the first one and 0 for the rest.  The row is (6, 8), in units of 2 (3, 4).
 *   w[0] = 3, w[1] = 2, w[7] = -0.02, w[9] = 0.04, z = 3; the encoder gave 0: 6, 5: 10. */
struct scene {
    struct network map, generator;
    struct observation seen;
    struct sae sae;
    struct suite suite;
    struct inversion inversion;
    double target[WIDTH], points[2 * (1 + LATENTS)];
    float inner[LATENTS];
};

static void make_scene(struct scene *s)
{
    const int32_t map[] = { 1, LATENTS }, generator[] = { LATENTS, WIDTH }, kept[] = { 0, 1 };
    double *w = s->points + 1 + LATENTS + 1;

    *s = (struct scene){ .target = { 3, 4 }, .suite.invert.generator = INVERT_DECODER };
    networks_make(&s->map, map, 1, NETWORK_NONE, 0, 0);
    networks_make(&s->generator, generator, 1, NETWORK_NONE, 0, 0);
    s->map.layer[0].weight[0] = 1;
    s->generator.layer[0].weight[0] = s->generator.layer[0].weight[LATENTS + 1] = 1;
    sae_make(&s->sae, WIDTH, WIDTH, LATENTS);
    s->sae.decoder[0] = s->sae.decoder[WIDTH + 1] = 1;
    assert_int_equal(observation_mask(&s->seen, kept, 1, WIDTH), OK);
    assert_int_equal(inversion_make(&s->inversion, &(struct inversion_setup){
        &s->map, &s->generator, &s->seen, NULL, s->target, 1, { 1, 0, 1, 0 } }), OK);
    s->points[1 + LATENTS] = 3;
    w[0] = 3;
    w[1] = 2;
    w[7] = -0.02;
    w[9] = 0.04;
    s->inner[0] = 6;
    s->inner[5] = 10;
}

static void free_scene(struct scene *s)
{
    inversion_free(&s->inversion);
    network_free(&s->map);
    network_free(&s->generator);
    observation_free(&s->seen);
    sae_free(&s->sae);
}

/* Of the first value alone A G(w) is what is seen; of the whole row (3, 2) is 2 from (3, 4). */
static void distances_and_latents_are_those_by_hand(void **state)
{
    struct inversion_terms terms[2] = {0};
    struct explanation e;
    struct scene s;

    (void)state;
    make_scene(&s);
    const struct restarts restarts = { .count = 2, .best = 1, .terms = terms, .points = s.points };
    const struct thing thing = { .width = WIDTH, .values = s.target, .unit = 2, .inner = s.inner,
                                 .inners = LATENTS };
    explanation_make(&e, &s.inversion, &restarts, &thing,
                     &(struct inversion_source){ .suite = &s.suite, .sae = &s.sae });
    assert_true(e.error == 0 && e.explained[0] == 3);
    assert_true(e.generated[0] == 3 && e.generated[1] == 2);
    assert_true(fabs(e.gap - sqrt(4.002) / sqrt(13.002)) < 1e-12 && e.z_norm == 3);
    assert_true(fabs(e.w_norm - sqrt(13.002)) < 1e-12);
    assert_true(e.found.error == 0.4 && e.found.l0 == 3);       /* 0.02 is below 1 % of 3 */
    assert_true(e.encoded.error == 0.8 && e.encoded.l0 == 2);   /* (6, 0) is 8 from (6, 8) */
    assert_int_equal(e.strongest_count, EXPLANATION_STRONGEST);
    assert_int_equal(e.strongest[0], 5);
    assert_int_equal(e.strongest[1], 0);
    assert_int_equal(e.strongest[2], 1);
    assert_int_equal(e.strongest[3], 9);
    assert_int_equal(e.strongest[4], 7);
    assert_true(explanation_latent(&e, 1) == 4);
    assert_true(isnan(e.cosine));
    explanation_free(&e);
    free_scene(&s);
}

/* w . (1, 0, ...) / |w| = 3 / |w|: what the MLP reads has any length. */
static void an_mlps_input_is_compared_by_its_direction(void **state)
{
    float reads[LATENTS] = { 7 };
    struct inversion_terms terms[2] = {0};
    struct explanation e;
    struct scene s;

    (void)state;
    make_scene(&s);
    s.suite.invert.generator = INVERT_MLP;
    const struct restarts restarts = { .count = 2, .best = 1, .terms = terms, .points = s.points };
    const struct thing thing = { .width = WIDTH, .values = s.target, .unit = 2, .inner = reads,
                                 .inners = LATENTS };
    explanation_make(&e, &s.inversion, &restarts, &thing,
                     &(struct inversion_source){ .suite = &s.suite });
    assert_true(fabs(e.cosine - 3 / sqrt(13.002)) < 1e-12);
    assert_int_equal(e.strongest_count, 0);
    explanation_free(&e);
    free_scene(&s);
}

/* --- operators from a file --------------------------------------------------------------- */

static const float MASK[] = { 0, 1, 1 }, GROUP[] = { 1, 0, 1 }, WEIGHT[] = { 1, 0, 0, 0, 2, 1 },
                   BIAS[] = { 10, 20 }, HALF[] = { 1, 0.5F, 1 };

static enum status read_from(struct observation *seen, enum invert_observation kind,
                             const struct safetensors_array *arrays, int count)
{
    const char *path = in_scratch("x.safetensors");

    assert_int_equal(safetensors_write(path, arrays, count), OK);
    return observation_read(seen, kind, path, 3);
}

static void check_seen(struct observation *seen, double first, double second)
{
    double y[3];

    observation_apply(seen, y, (const double[]){ 1, 2, 5 });
    assert_true(seen->outputs == 2 && y[0] == first && y[1] == second);
    observation_free(seen);
}

static void operators_come_from_a_file(void **state)
{
    const struct safetensors_array all[] = { { "observation.mask", MASK, 3, 0 },
                                             { "observation.group", GROUP, 3, 0 },
                                             { "observation.weight", WEIGHT, 2, 3 },
                                             { "observation.bias", BIAS, 2, 0 } };
    const struct safetensors_array half[] = { { "observation.mask", HALF, 3, 0 },
                                              { "observation.weight", WEIGHT, 3, 2 } };
    struct observation seen;

    (void)state;
    assert_int_equal(read_from(&seen, OBSERVATION_MASK, all, 4), OK);
    check_seen(&seen, 2, 5);
    assert_int_equal(read_from(&seen, OBSERVATION_AVERAGE, all, 4), OK);
    check_seen(&seen, 2, 3);
    assert_int_equal(read_from(&seen, OBSERVATION_AFFINE, all, 4), OK);
    check_seen(&seen, 11, 29);
    assert_int_equal(read_from(&seen, OBSERVATION_AFFINE, all, 3), OK);
    check_seen(&seen, 1, 9);
    assert_int_equal(read_from(&seen, OBSERVATION_MASK, half, 2), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "value 1 of observation.mask is 0.5"));
    refuse_clear();
    assert_int_equal(read_from(&seen, OBSERVATION_AFFINE, half, 2), E_FORMAT);
    assert_non_null(strstr(refuse_reason(), "is for 2 values, and the generator gives 3"));
    refuse_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_and_latents_are_those_by_hand),
        cmocka_unit_test(an_mlps_input_is_compared_by_its_direction),
        cmocka_unit_test(operators_come_from_a_file),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
