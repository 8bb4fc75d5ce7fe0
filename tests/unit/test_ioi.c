/* What the parts of a small trained model do for an indirect object, against values that were
 * computed in float64 by other code: tests/golden/circuits/ioi.h5 (tests/golden/README.md). */
#include "circuit_scene.h"
#include "methods/ioi.h"

static double *read_field(const char *name)
{
    return scene_result("ioi.h5", name, H5T_NATIVE_DOUBLE, sizeof(double));
}

/* Fields of ours and of the golden file, numbers of each prompt, and the tolerance that its makers
 * advise for float32. */
static const struct { const char *ours, *theirs; int columns; double tolerance; } FIELDS[] = {
    { "logit_difference", "ld", 1, 5e-5 },
    { "logit_difference_corrupted", "ld_abc", 1, 5e-5 },
    { "direct_embedding", "dla_embed", 1, 5e-5 },
    { "direct_bias", "dla_bias", 1, 5e-5 },
    { "direct_attn_bias", "dla_bO", LAYERS, 5e-5 },
    { "direct_mlp", "dla_mlp", LAYERS, 5e-5 },
    { "direct_head", "dla_head", ALL, 5e-5 },
    { "direct_head_answer", "dla_head_io", ALL, 5e-5 },
    { "direct_head_wrong", "dla_head_s", ALL, 5e-5 },
    { "knocked_out_end", "ko_end", ALL, 1e-4 },
    { "knocked_out", "ko_all", ALL, 1e-4 },
    { "attention", "attn_end", ALL *PROMPTS_CLASSES, 1e-5 },
};

/* Where heads look from S2.  The golden file has no column for END, which comes later. */
static void check_attention_from_s2(const struct scene *scene)
{
    enum { BEFORE = PROMPTS_CLASSES - 1 };
    double *ours = read_field("attention_s2"), *theirs = scene_golden(scene, "attn_s2");

    for (int i = 0; i < 100 * ALL; i++) {
        assert_true(ours[i * PROMPTS_CLASSES + PROMPTS_END] == 0);
        for (int c = 0; c < BEFORE; c++)
            assert_true(fabs(ours[i * PROMPTS_CLASSES + c] - theirs[i * BEFORE + c]) < 1e-5);
    }
    free(theirs);
    free(ours);
}

static void agrees_with_float64_code_of_others(void **state)
{
    struct scene scene;

    (void)state;
    scene_set_up(&scene, 100, "method: ioi");
    scene_run(&scene);
    for (size_t f = 0; f < sizeof FIELDS / sizeof *FIELDS; f++) {
        double *ours = read_field(FIELDS[f].ours);
        double *theirs = scene_golden(&scene, FIELDS[f].theirs);
        for (int i = 0; i < 100 * FIELDS[f].columns; i++)
            if (!(fabs(ours[i] - theirs[i]) < FIELDS[f].tolerance))
                fail_msg("%s[%d] is %.9g, and not %.9g", FIELDS[f].ours, i, ours[i], theirs[i]);
        free(theirs);
        free(ours);
    }
    check_attention_from_s2(&scene);
    scene_tear_down(&scene);
}

static void shares_sum_up_to_the_difference(void **state)
{
    static const enum ioi_field SHARES[] = { IOI_DIRECT_EMBEDDING, IOI_DIRECT_BIAS,
                                             IOI_DIRECT_ATTN_BIAS, IOI_DIRECT_MLP,
                                             IOI_DIRECT_HEAD };
    struct scene scene;

    (void)state;
    scene_set_up(&scene, 30, "method: ioi, heads: [0.0]");
    scene_run(&scene);
    double *whole = read_field("logit_difference");
    for (size_t f = 0; f < sizeof SHARES / sizeof *SHARES; f++) {
        double *share = read_field(IOI_TABLE[SHARES[f]].name);
        const int64_t columns = fields_columns(IOI_TABLE[SHARES[f]].per, &scene.config);
        for (int64_t i = 0; i < 30 * columns; i++)
            whole[i / columns] -= share[i];
        free(share);
    }
    for (int p = 0; p < 30; p++)
        assert_true(fabs(whole[p]) < 5e-5);
    free(whole);
    scene_tear_down(&scene);
}

/* A block more or less is another product of matrices; a head more or less is not. */
static void only_chosen_heads_are_knocked_out(void **state)
{
    struct scene scene;

    (void)state;
    scene_set_up(&scene, 20, "method: ioi, heads: [0.3, 2.4]");
    scene_run(&scene);
    double *some = read_field("knocked_out");
    scene_tear_down(&scene);
    scene_set_up(&scene, 20, "method: ioi");
    scene_run(&scene);
    double *all = read_field("knocked_out");
    for (int i = 0; i < 20 * ALL; i++)
        if (i % ALL == 3 || i % ALL == 2 * HEADS + 4)
            assert_memory_equal(&some[i], &all[i], sizeof *all);
        else
            assert_true(isnan(some[i]) && !isnan(all[i]));
    free(all);
    free(some);
    scene_tear_down(&scene);
}

/* What the suite says of heads, and words of the refusal. */
static const struct { const char *keys, *words[2]; } REFUSALS[] = {
    { "method: ioi, heads: [4.0]", { "no head 4.0", "4 layers of 8 heads" } },
    { "method: ioi, heads: [0.8]", { "no head 0.8", "numbered from 0" } },
    { "method: ioi, heads: [all, '-1.0']", { "no head -1.0", "x.yaml:4" } },
    { "method: ioi, heads: [nine]", { "'nine' does not name a head", "LAYER.HEAD" } },
    { "method: ioi, heads: ['1.2.3']", { "'1.2.3' does not name a head", "x.yaml:4" } },
};

static void refuses_heads_that_are_not_there(void **state)
{
    struct scene scene;

    (void)state;
    for (size_t r = 0; r < sizeof REFUSALS / sizeof *REFUSALS; r++) {
        scene_set_up(&scene, 1, REFUSALS[r].keys);
        for (int w = 0; w < 2; w++)
            scene_refuses(&scene, REFUSALS[r].words[w]);
        scene_tear_down(&scene);
    }
}

static void needs_wrong_answers_and_one_position(void **state)
{
    struct scene scene;

    (void)state;
    scene_set_up(&scene, 2, "method: ioi");
    scene.prompts.wrong.first[1] = scene.prompts.wrong.first[2];    /* the second has none */
    scene_refuses(&scene, "prompt 2 has no \"wrong\"");
    scene.prompts.wrong.first[1] = 1;
    scene.prompts.positions.first[1] = 2;
    scene_refuses(&scene, "prompt 1 has 2 \"positions\"");
    scene_tear_down(&scene);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_float64_code_of_others),
        cmocka_unit_test(shares_sum_up_to_the_difference),
        cmocka_unit_test(only_chosen_heads_are_knocked_out),
        cmocka_unit_test(refuses_heads_that_are_not_there),
        cmocka_unit_test(needs_wrong_answers_and_one_position),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
