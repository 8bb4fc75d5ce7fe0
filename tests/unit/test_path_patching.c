/* The method path_patching: against other code in float64 (tests/golden/README.md).
 * test_path_patch.c tests the functions below it. */
#include "circuit_scene.h"

enum { PROMPTS = 6 };

/* The keys of a task, the golden effects, and the layers below the receiver. */
static const struct { const char *keys, *golden, *file; int layers; } PATHS[] = {
    { "", "pp_final_recomputed", "path_patching-final.h5", 4 },
    { ", receivers: [a2.4.q], at: end, mlps: frozen", "pp_q_end_frozen", "path_patching-a2.4.q.h5",
      2 },
    { ", receivers: [a2.4.k]", "pp_k_recomputed", "path_patching-a2.4.k.h5", 2 },
    { ", receivers: [a2.4.v], mlps: frozen", "pp_v_frozen", "path_patching-a2.4.v.h5", 2 },
};

/* The metric is minus the logit difference. */
static void check_effects(const struct scene *scene, const char *golden, const char *path,
                          int layers)
{
    double *theirs = scene_golden(scene, golden);
    double *ours = scene_result(path, "effect", H5T_NATIVE_DOUBLE, sizeof(double));

    for (int i = 0; i < PROMPTS * ALL; i++) {
        if (!(fabs(ours[i] + theirs[i]) < 1e-4))
            fail_msg("%s[%d] is %.9g, and not %.9g", golden, i, -ours[i], theirs[i]);
        assert_true(i % ALL < layers * HEADS || ours[i] == 0);
    }
    free(ours);
    free(theirs);
}

static void effects_agree_with_float64_code_of_others(void **state)
{
    struct scene scene;
    char keys[256];

    (void)state;
    for (size_t p = 0; p < sizeof PATHS / sizeof *PATHS; p++) {
        snprintf(keys, sizeof keys, "method: path_patching%s", PATHS[p].keys);
        scene_set_up(&scene, PROMPTS, keys);
        scene_run(&scene);
        check_effects(&scene, PATHS[p].golden, PATHS[p].file, PATHS[p].layers);
        scene_tear_down(&scene);
    }
}

static void patches_chosen_heads_alone(void **state)
{
    struct scene scene;

    (void)state;
    scene_set_up(&scene, PROMPTS, "method: path_patching, receivers: [a2.4.v], heads: [0.3, 1.2]");
    scene_run(&scene);
    double *effect = scene_result("path_patching-a2.4.v.h5", "effect", H5T_NATIVE_DOUBLE,
                                  sizeof(double));
    for (int i = 0; i < PROMPTS * ALL; i++)
        assert_int_equal(isnan(effect[i]), i % ALL != 3 && i % ALL != HEADS + 2);
    free(effect);
    scene_tear_down(&scene);
}

/* What is asked, and words of the refusal. */
static const struct { const char *keys, *words; } REFUSALS[] = {
    { "receivers: [a4.0.q]", "no receiver 'a4.0.q': it has 4 layers of 8 heads" },
    { "receivers: [final, 2.4]", "no receiver '2.4'" },
    { "receivers: [m2]", "x.yaml:4: paths lead to queries" },
    { "receivers: [a2.4.q], heads: [0.1, 2.5]", "head 2.5 is not below the receiver a2.4.q" },
    { "receivers: [a2.4.q], heads: [0.9]", "there is no head 0.9" },
};

static void refuses_paths_that_are_not_there(void **state)
{
    struct scene scene;
    char keys[256];

    (void)state;
    for (size_t r = 0; r < sizeof REFUSALS / sizeof *REFUSALS; r++) {
        snprintf(keys, sizeof keys, "method: path_patching, %s", REFUSALS[r].keys);
        scene_set_up(&scene, 1, keys);
        scene_refuses(&scene, REFUSALS[r].words);
        scene_tear_down(&scene);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effects_agree_with_float64_code_of_others),
        cmocka_unit_test(patches_chosen_heads_alone),
        cmocka_unit_test(refuses_paths_that_are_not_there),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
