/* Where heads look: against other code in float64 (tests/golden/README.md), and on a model whose
 * heads were written by hand. */
#include "circuit_scene.h"
#include "tests/handmade.h"

enum { REPEATED = 49, ROWS = 16, HABITS = 3 };

/* The golden order of habits. */
static const char *const NAMES[HABITS] = { "induction", "duplicate", "previous" };

/* Prompts of these ids in place of the scene's. */
static void take_ids(struct prompts *prompts, int32_t *ids, int64_t rows, int64_t length,
                     int32_t vocabulary)
{
    const struct wording wording = { .bos = -1, .vocabulary = vocabulary };

    prompts_free(prompts);
    prompts_make(prompts, length);
    for (int64_t r = 0; r < rows; r++) {
        const struct wording_ids row = { ids + r * length, length };
        const struct prompts_pair pair = { .clean = row, .corrupted = row };
        assert_int_equal(prompts_add(prompts, &wording, &pair, "repeated"), OK);
    }
}

static double *read_habit(const char *name)
{
    return scene_result("habits.h5", name, H5T_NATIVE_DOUBLE, sizeof(double));
}

static void habits_agree_with_float64_code_of_others(void **state)
{
    struct scene scene;

    (void)state;
    scene_set_up(&scene, 0, "method: habits");
    int32_t *ids = scene_ids(&scene, "repeat_tokens");
    double *golden = scene_golden(&scene, "habit");
    take_ids(&scene.prompts, ids, ROWS, REPEATED, 2048);
    scene_run(&scene);
    for (int f = 0; f < HABITS; f++) {
        double *ours = read_habit(NAMES[f]);
        for (int h = 0; h < ALL; h++) {
            double mean = 0;
            for (int r = 0; r < ROWS; r++)
                mean += ours[r * ALL + h] / ROWS;
            if (!(fabs(mean - golden[h * HABITS + f]) < 1e-5))
                fail_msg("%s of head %d: %.9g, and not %.9g", NAMES[f], h, mean,
                         golden[h * HABITS + f]);
        }
        free(ours);
    }
    free(golden);
    free(ids);
    scene_tear_down(&scene);
}

/* Put a model by hand in place of the scene's; its file is open afterwards. */
static hid_t take_handmade(struct scene *scene, const char *model)
{
    const hid_t file = handmade_open(model);

    weights_free(&scene->weights);
    handmade_make(&scene->weights, file);
    scene->config = scene->weights.config;
    return file;
}

/* Head 0.0 looks at the previous token, head 1.0 at the token after the same one. */
static void finds_the_induction_head_that_was_made_by_hand(void **state)
{
    int32_t ids[] = { 7, 1, 2, 3, 1, 2, 3 };
    struct scene scene;

    (void)state;
    scene_set_up(&scene, 0, "method: habits");
    H5Fclose(take_handmade(&scene, "induction"));
    take_ids(&scene.prompts, ids, 1, 7, 8);
    scene_run(&scene);
    double *induction = read_habit("induction"), *previous = read_habit("previous");
    assert_true(previous[0] > 0.99);
    assert_true(induction[2] > 0.99);
    assert_true(induction[0] < 0.1 && induction[1] < 0.5 && induction[3] < 0.5);
    free(previous);
    free(induction);
    scene_tear_down(&scene);
}

static void refuses_prompts_that_do_not_repeat(void **state)
{
    int32_t once[] = { 0, 1, 2, 3, 4, 5, 6 }, almost[] = { 0, 1, 2, 3, 1, 2, 4 };
    struct scene scene;

    (void)state;
    scene_set_up(&scene, 0, "method: habits");
    take_ids(&scene.prompts, once, 1, 7, 8);
    scene_refuses(&scene, "prompt 1 does not repeat itself");
    take_ids(&scene.prompts, almost, 1, 7, 8);
    scene_refuses(&scene, "try 'generator: induction'");
    scene_tear_down(&scene);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(habits_agree_with_float64_code_of_others),
        cmocka_unit_test(finds_the_induction_head_that_was_made_by_hand),
        cmocka_unit_test(refuses_prompts_that_do_not_repeat),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, make_scratch, remove_scratch);
    MPI_Finalize();
    return failed;
}
