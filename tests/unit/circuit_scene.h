/* circuit_scene.h -- a task of the stage circuit in one process: tiny-gpt2, a method and its keys,
 * and golden prompts of indirect objects (tests/golden/README.md) or the test's own. */
#ifndef CIRCUIT_SCENE_H
#define CIRCUIT_SCENE_H

#include "base/allocate.h"
#include "methods/methods.h"
#include "scratch.h"
#include "shard/h5.h"

#include <math.h>

static const char GOLDEN[] = "tests/golden/circuits/ioi.h5";

enum { LAYERS = 4, HEADS = 8, ALL = LAYERS * HEADS, TOKENS = 20 };

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

/* All numbers of a data set.  Caller frees, here and below. */
static inline void *scene_read(hid_t file, const char *name, hid_t type, int64_t bytes)
{
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    const hid_t space = H5Dget_space(set);
    void *values = allocate(H5Sget_simple_extent_npoints(space), bytes);

    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    return values;
}

static inline int32_t *scene_ids(const struct scene *scene, const char *name)
{
    return scene_read(scene->golden, name, H5T_NATIVE_INT32, sizeof(int32_t));
}

static inline double *scene_golden(const struct scene *scene, const char *name)
{
    return scene_read(scene->golden, name, H5T_NATIVE_DOUBLE, sizeof(double));
}

/* The prompts of the golden file, as a reader of files would add them. */
static inline void scene_take_prompts(struct scene *scene, int64_t count)
{
    int32_t *clean = scene_ids(scene, "tokens"), *corrupted = scene_ids(scene, "tokens_abc");
    int32_t *length = scene_ids(scene, "length"), *template = scene_ids(scene, "template");
    int32_t *classes = scene_ids(scene, "pos");
    int32_t *io = scene_ids(scene, "io"), *s = scene_ids(scene, "s");
    const struct wording wording = { .bos = 2047, .pad = 2047, .vocabulary = 2048 };

    prompts_make(&scene->prompts, TOKENS);
    for (int64_t p = 0; p < count; p++) {
        struct prompts_pair pair = {
            .clean = { clean + TOKENS * p, length[p] },
            .corrupted = { corrupted + TOKENS * p, length[p] },
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

/* The section `circuit` with these keys.  There are no prompts yet. */
static inline void scene_open(struct scene *scene, const char *keys)
{
    char yaml[2048];

    snprintf(yaml, sizeof yaml,
             "name: x\nrun: %s\nmodel: {path: jobs/circuits/tiny-gpt2}\ncircuit: {%s}\n",
             scratch, keys);
    *scene = (struct scene){
        .run = { .stage = "circuit", .comm = MPI_COMM_SELF, .size = 1, .brief = true, .task = -1 },
        .golden = -1,
    };
    refuse_clear();
    if (suite_parse(&scene->suite, yaml, "x.yaml") != OK)
        fail_msg("%s", refuse_reason());
    assert_int_equal(config_read(&scene->config, scene->suite.model.path), OK);
    assert_int_equal(weights_read(&scene->weights, &scene->config, PRECISION_F32,
                                  scene->suite.model.path, MPI_COMM_SELF), OK);
    scene->circuit = (struct circuit){
        .run = &scene->run, .suite = &scene->suite, .config = &scene->config,
        .weights = &scene->weights, .prompts = &scene->prompts,
        .identity = { .place = "circuit/x" },
    };
}

/* The same with the first golden prompts, `prompts` of them. */
static inline void scene_set_up(struct scene *scene, int64_t prompts, const char *keys)
{
    scene_open(scene, keys);
    assert_int_equal(h5_open(&scene->golden, GOLDEN), OK);
    scene_take_prompts(scene, prompts);
}

static inline void scene_tear_down(struct scene *scene)
{
    h5_close(&scene->golden, GOLDEN, OK);
    prompts_free(&scene->prompts);
    weights_free(&scene->weights);
    suite_free(&scene->suite);
}

/* Do the first task. */
static inline void scene_run(const struct scene *scene)
{
    const struct circuit_method *method = methods_of(&scene->suite);

    refuse_clear();
    assert_int_equal(file_remove(in_scratch("circuit")), OK);
    if (method->check(&scene->suite, &scene->config, &scene->prompts) != OK
        || method->run(&scene->circuit, 0) != OK)
        fail_msg("%s", refuse_reason());
}

/* A method refuses a task, and says these words. */
static inline void scene_refuses(const struct scene *scene, const char *words)
{
    refuse_clear();
    assert_int_equal(methods_of(&scene->suite)->check(&scene->suite, &scene->config,
                                                      &scene->prompts), E_USAGE);
    if (strstr(refuse_reason(), words) == NULL)
        fail_msg("'%s' is not in: %s", words, refuse_reason());
    refuse_clear();
}

/* Numbers of the task's file, "ioi.h5". */
static inline void *scene_result(const char *path, const char *name, hid_t type, int64_t bytes)
{
    char whole[PATH_LENGTH];
    hid_t file;

    snprintf(whole, sizeof whole, "circuit/%s", path);
    assert_int_equal(h5_open(&file, in_scratch(whole)), OK);
    void *values = scene_read(file, name, type, bytes);
    h5_close(&file, path, OK);
    return values;
}

#endif
