/* What the parts of a small trained model do for an indirect object, against values that were
 * computed in float64 by other code: tests/golden/circuits/ioi.h5 (tests/golden/README.md). */
#include "base/allocate.h"
#include "heads/heads.h"
#include "methods/ioi.h"
#include "scratch.h"
#include "shard/h5.h"

#include <math.h>

static const char GOLDEN[] = "tests/golden/circuits/ioi.h5";

enum { LAYERS = 4, HEADS = 8, ALL = LAYERS * HEADS };

/* Everything that a task has, and what is compared. */
struct scene {
    struct run       run;
    struct suite     suite;
    struct lm_config config;
    struct weights   weights;
    struct prompts   prompts;
    struct circuit   circuit;
    hid_t            golden;
};

static void *read_golden(hid_t file, const char *name, hid_t type, int64_t bytes)
{
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t space = H5Dget_space(set);
    void *values = allocate(H5Sget_simple_extent_npoints(space), bytes);

    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    return values;
}

static int32_t *read_ids(const struct scene *scene, const char *name)
{
    return read_golden(scene->golden, name, H5T_NATIVE_INT32, sizeof(int32_t));
}

/* The prompts of the golden file, as a reader of files would add them. */
static void take_prompts(struct scene *scene, int64_t count)
{
    int32_t *clean = read_ids(scene, "tokens"), *corrupted = read_ids(scene, "tokens_abc");
    int32_t *length = read_ids(scene, "length"), *template = read_ids(scene, "template");
    int32_t *classes = read_ids(scene, "pos");
    int32_t *io = read_ids(scene, "io"), *s = read_ids(scene, "s");
    const struct wording wording = { .bos = 2047, .pad = 2047, .vocabulary = 2048 };

    prompts_make(&scene->prompts, 20);
    for (int64_t p = 0; p < count; p++) {
        struct prompts_pair pair = {
            .clean = { clean + 20 * p, length[p] }, .corrupted = { corrupted + 20 * p, length[p] },
            .answers = { io + p, 1 }, .wrong = { s + p, 1 }, .template = template[p],
        };
        memcpy(pair.classes, classes + PROMPTS_CLASSES * p, sizeof pair.classes);
        assert_int_equal(prompts_add(&scene->prompts, &wording, &pair, "golden"), OK);
    }
    free(s);
    free(io);
    free(classes);
    free(template);
    free(length);
    free(corrupted);
    free(clean);
}

static void set_up(struct scene *scene, int64_t prompts, const char *more)
{
    char yaml[1024];

    snprintf(yaml, sizeof yaml,
             "name: x\nrun: %s\nmodel: {path: jobs/circuits/tiny-gpt2}\n"
             "circuit: {method: ioi%s}\n",
             scratch, more);
    *scene = (struct scene){
        .run = { .stage = "circuit", .comm = MPI_COMM_SELF, .size = 1, .brief = true, .task = -1 }
    };
    assert_int_equal(suite_parse(&scene->suite, yaml, "x.yaml"), OK);
    assert_int_equal(config_read(&scene->config, scene->suite.model.path), OK);
    assert_int_equal(weights_read(&scene->weights, &scene->config, PRECISION_F32,
                                  scene->suite.model.path, MPI_COMM_SELF), OK);
    assert_int_equal(h5_open(&scene->golden, GOLDEN), OK);
    take_prompts(scene, prompts);
    scene->circuit = (struct circuit){
        .run = &scene->run, .suite = &scene->suite, .config = &scene->config,
        .weights = &scene->weights, .prompts = &scene->prompts,
        .identity = { .place = "circuit/ioi" },
    };
}

static void tear_down(struct scene *scene)
{
    h5_close(&scene->golden, GOLDEN, OK);
    prompts_free(&scene->prompts);
    weights_free(&scene->weights);
    suite_free(&scene->suite);
}

/* Do the task, and read a field of its file. */
static void run_task(const struct scene *scene)
{
    refuse_clear();
    assert_int_equal(file_remove(in_scratch("circuit")), OK);
    if (IOI_METHOD.check(&scene->suite, &scene->config, &scene->prompts) != OK
        || IOI_METHOD.run(&scene->circuit, 0) != OK)
        fail_msg("%s", refuse_reason());
}

static double *read_field(const char *name)
{
    hid_t file;

    assert_int_equal(h5_open(&file, in_scratch("circuit/ioi.h5")), OK);
    double *values = read_golden(file, name, H5T_NATIVE_DOUBLE, sizeof(double));
    h5_close(&file, "ioi.h5", OK);
    return values;
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

static void agrees_with_float64_code_of_others(void **state)
{
    struct scene scene;

    (void)state;
    set_up(&scene, 100, "");
    run_task(&scene);
    for (size_t f = 0; f < sizeof FIELDS / sizeof *FIELDS; f++) {
        double *ours = read_field(FIELDS[f].ours);
        double *theirs = read_golden(scene.golden, FIELDS[f].theirs, H5T_NATIVE_DOUBLE,
                                     sizeof(double));
        for (int i = 0; i < 100 * FIELDS[f].columns; i++)
            if (!(fabs(ours[i] - theirs[i]) < FIELDS[f].tolerance))
                fail_msg("%s[%d] is %.9g, and not %.9g", FIELDS[f].ours, i, ours[i], theirs[i]);
        free(theirs);
        free(ours);
    }
    tear_down(&scene);
}

static void shares_sum_up_to_the_difference(void **state)
{
    static const enum ioi_field SHARES[] = { IOI_DIRECT_EMBEDDING, IOI_DIRECT_BIAS,
                                             IOI_DIRECT_ATTN_BIAS, IOI_DIRECT_MLP,
                                             IOI_DIRECT_HEAD };
    struct scene scene;

    (void)state;
    set_up(&scene, 30, ", heads: [0.0]");
    run_task(&scene);
    double *whole = read_field("logit_difference");
    for (size_t f = 0; f < sizeof SHARES / sizeof *SHARES; f++) {
        double *share = read_field(ioi_field_name(SHARES[f]));
        const int64_t columns = ioi_field_columns(SHARES[f], &scene.config);
        for (int64_t i = 0; i < 30 * columns; i++)
            whole[i / columns] -= share[i];
        free(share);
    }
    for (int p = 0; p < 30; p++)
        assert_true(fabs(whole[p]) < 5e-5);
    free(whole);
    tear_down(&scene);
}

/* A block more or less is another product of matrices; a head more or less is not. */
static void only_chosen_heads_are_knocked_out(void **state)
{
    struct scene scene;

    (void)state;
    set_up(&scene, 20, ", heads: [0.3, 2.4]");
    run_task(&scene);
    double *some = read_field("knocked_out");
    tear_down(&scene);
    set_up(&scene, 20, "");
    run_task(&scene);
    double *all = read_field("knocked_out");
    for (int i = 0; i < 20 * ALL; i++)
        if (i % ALL == 3 || i % ALL == 2 * HEADS + 4)
            assert_memory_equal(&some[i], &all[i], sizeof *all);
        else
            assert_true(isnan(some[i]) && !isnan(all[i]));
    free(all);
    free(some);
    tear_down(&scene);
}

/* What the suite says of heads, and words of the refusal. */
static const struct { const char *heads, *words[2]; } REFUSALS[] = {
    { ", heads: [4.0]", { "no head 4.0", "4 layers of 8 heads" } },
    { ", heads: [0.8]", { "no head 0.8", "numbered from 0" } },
    { ", heads: [all, '-1.0']", { "no head -1.0", "x.yaml:4" } },
    { ", heads: [nine]", { "'nine' does not name a head", "LAYER.HEAD" } },
    { ", heads: ['1.2.3']", { "'1.2.3' does not name a head", "x.yaml:4" } },
};

static void refuses_heads_that_are_not_there(void **state)
{
    struct scene scene;

    (void)state;
    for (size_t r = 0; r < sizeof REFUSALS / sizeof *REFUSALS; r++) {
        set_up(&scene, 1, REFUSALS[r].heads);
        refuse_clear();
        assert_int_equal(IOI_METHOD.check(&scene.suite, &scene.config, &scene.prompts), E_USAGE);
        for (int w = 0; w < 2; w++)
            if (strstr(refuse_reason(), REFUSALS[r].words[w]) == NULL)
                fail_msg("'%s' is not in: %s", REFUSALS[r].words[w], refuse_reason());
        tear_down(&scene);
    }
    refuse_clear();
}

static void needs_wrong_answers_and_one_position(void **state)
{
    struct scene scene;

    (void)state;
    set_up(&scene, 2, "");
    scene.prompts.wrong.first[1] = scene.prompts.wrong.first[2];    /* the second has none */
    refuse_clear();
    assert_int_equal(IOI_METHOD.check(&scene.suite, &scene.config, &scene.prompts), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "prompt 2 has no \"wrong\""));
    scene.prompts.wrong.first[1] = 1;
    scene.prompts.positions.first[1] = 2;
    refuse_clear();
    assert_int_equal(IOI_METHOD.check(&scene.suite, &scene.config, &scene.prompts), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "prompt 1 has 2 \"positions\""));
    refuse_clear();
    tear_down(&scene);
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
