/* What the driver sees and decides: the state of a run, its lock, cores, ranks and threads. */
#include "driver/cores.h"
#include "driver/layout.h"
#include "driver/lock.h"
#include "driver/state.h"
#include "shard/tokens.h"
#include "suite/tasks.h"
#include "tests/unit/scratch.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONTEXT = 8 };

/* Two corpus files, two streams of one layer, three autoencoders of one of them. */
static void make_suite(struct suite *suite)
{
    char yaml[2 * PATH_LENGTH];
    char path[PATH_LENGTH];

    for (int f = 0; f < 2; f++) {
        path_print(path, "%s/text/%d.txt", scratch, f);
        assert_int_equal(file_write(path, "a", 1), OK);
    }
    snprintf(yaml, sizeof yaml,
             "name: s\nrun: %s/run\nmodel: {path: jobs/demo/tiny-gemma2}\n"
             "corpus: {files: ['%s/text/*.txt'], context: %d}\n"
             "harvest: {sites: [mlp, res], layers: ['1'], shard: 4}\n"
             "saes: [{sites: [res], widths: [64], target_l0: [1, 2, 3]}]\n",
             scratch, scratch, CONTEXT);
    status_clear();
    if (suite_parse(suite, yaml, "x.yaml") != OK)
        fail_msg("%s", status_reason());
}

static void touch(const char *path)
{
    assert_int_equal(file_write(path, "", 0), OK);
}

/* A token shard with `sequences` training sequences. */
static void make_tokens(const struct suite *suite, int64_t file, int64_t sequences)
{
    const int32_t ids[16 * CONTEXT] = { 2 };
    const struct sequence_origin origins[16] = {0};
    struct tokens_writer writer = {0};
    char path[PATH_LENGTH];

    path_tokens(path, suite, file);
    assert_int_equal(tokens_create(&writer, path, CONTEXT, (struct special_tokens){ 2, 1, 0 },
                                   "text", "suite"), OK);
    assert_int_equal(tokens_append(&writer, TOKENS_TRAIN, sequences, ids, origins), OK);
    assert_int_equal(tokens_publish(&writer, OK), OK);
}

static void look(struct state *state, const struct suite *suite)
{
    if (state_read(state, suite) != OK)
        fail_msg("%s", status_reason());
}

static void expect(const struct state *state, enum stage stage, int64_t done, int64_t total)
{
    if (state->stage[stage].done != done || state->stage[stage].total != total)
        fail_msg("%s: %lld of %lld, not %lld of %lld", stage_name(stage),
                 (long long)state->stage[stage].done, (long long)state->stage[stage].total,
                 (long long)done, (long long)total);
}

/* Ten sequences make three shards of four, once all tokens are there. */
static void counts_what_exists(void **unused)
{
    const struct tap tap = { SITE_RES, 1 };
    struct suite suite;
    struct state state;
    char path[PATH_LENGTH];

    (void)unused;
    make_suite(&suite);
    look(&state, &suite);
    expect(&state, STAGE_TOKENIZE, 0, 2);
    expect(&state, STAGE_HARVEST, 0, -1);
    expect(&state, STAGE_SHUFFLE, 0, 2);
    expect(&state, STAGE_TRAIN, 0, 3);
    expect(&state, STAGE_EVALUATE, 0, 3);
    expect(&state, STAGE_RELEASE, 0, 1);
    assert_false(stage_complete(&state.stage[STAGE_HARVEST]));

    make_tokens(&suite, 0, 3);
    look(&state, &suite);
    expect(&state, STAGE_TOKENIZE, 1, 2);
    expect(&state, STAGE_HARVEST, 0, -1);

    make_tokens(&suite, 1, 7);
    path_harvest(path, &suite, 2);
    assert_int_equal(folder_make(path), OK);
    path_shuffle(path, &suite, tap);
    assert_int_equal(folder_make(path), OK);
    path_sae(path, &suite, tap, "w64-t2", ".h5");
    touch(path);
    path_sae(path, &suite, tap, "w64-t3", ".h5.part");
    touch(path);
    path_sae(path, &suite, tap, "w64-t3", ".tsv");
    touch(path);
    path_sae(path, &suite, tap, "w64-t1", ".tsv");
    touch(path);
    path_scores(path, &suite, tap, "w64-t2");
    touch(path);
    path_print(path, "%s/harvest/00001.part/res.01.h5.part", suite.run);
    touch(path);
    look(&state, &suite);
    expect(&state, STAGE_TOKENIZE, 2, 2);
    expect(&state, STAGE_HARVEST, 1, 3);
    expect(&state, STAGE_SHUFFLE, 1, 2);
    expect(&state, STAGE_TRAIN, 1, 3);
    expect(&state, STAGE_EVALUATE, 1, 3);
    expect(&state, STAGE_RELEASE, 0, 1);
    assert_true(stage_complete(&state.stage[STAGE_TOKENIZE]));
    assert_int_equal(state.leftovers, 2);

    path_release(path, &suite);
    assert_int_equal(folder_make(path), OK);
    look(&state, &suite);
    expect(&state, STAGE_RELEASE, 1, 1);
    suite_free(&suite);
}

/* A child takes the lock, says so through a pipe, and holds it until it is killed. */
static void a_lock_lasts_as_long_as_its_process(void **state)
{
    char folder[PATH_LENGTH], word[64];
    int ready[2];
    char byte;

    (void)state;
    path_print(folder, "%s/locked", scratch);
    assert_int_equal(lock_holder(folder), 0);
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        if (lock_take(folder) == OK && write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(lock_holder(folder), child);
    status_clear();
    assert_int_equal(lock_take(folder), E_USAGE);
    snprintf(word, sizeof word, "(process %ld)", (long)child);
    assert_non_null(strstr(status_reason(), word));
    status_clear();

    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(lock_holder(folder), 0);
    assert_int_equal(lock_take(folder), OK);
    assert_int_equal(lock_holder(folder), getpid());
}

static void counts_the_cores_it_may_use(void **state)
{
    cpu_set_t before, one;
    size_t cpu = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_in_range(cores_available(), 1, CPU_COUNT(&before));
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(cores_available(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

static void expect_layout(struct layout layout, int ranks, int threads)
{
    assert_int_equal(layout.ranks, ranks);
    assert_int_equal(layout.threads, threads);
}

/* Train gives each rank four tiles of 128 latents; the suite's 64 are enough for one rank.
 * Libraries take 126 MB of each rank, shuffle.memory 1 GB; the model's 4.2 million parameters
 * lie on the node once. */
static void ranks_are_as_many_as_cores_and_memory_allow(void **state)
{
    const int64_t plenty = (int64_t)1e12;
    struct lm_config model;
    struct suite suite;

    (void)state;
    make_suite(&suite);
    assert_int_equal(config_read(&model, suite.model.path), OK);
    for (int stage = 0; stage < STAGES; stage++)
        if (stage == STAGE_TRAIN)
            expect_layout(layout_of(STAGE_TRAIN, &suite, &model, 8, plenty), 1, 8);
        else
            expect_layout(layout_of((enum stage)stage, &suite, &model, 8, plenty), 8, 1);
    expect_layout(layout_of(STAGE_SHUFFLE, &suite, &model, 8, (int64_t)2.5e9), 2, 4);
    expect_layout(layout_of(STAGE_SHUFFLE, &suite, &model, 8, (int64_t)4.6e9), 4, 2);
    expect_layout(layout_of(STAGE_SHUFFLE, &suite, &model, 8, (int64_t)1e6), 1, 8);
    expect_layout(layout_of(STAGE_HARVEST, &suite, &model, 8, (int64_t)500e6), 3, 2);
    expect_layout(layout_of(STAGE_HARVEST, &suite, &model, 8, (int64_t)400e6), 2, 4);
    expect_layout(layout_of(STAGE_HARVEST, &suite, &model, 8, (int64_t)1e7), 1, 8);
    suite.saes[0].widths[0] = 1024;
    expect_layout(layout_of(STAGE_TRAIN, &suite, &model, 8, plenty), 2, 4);
    suite.saes[0].widths[0] = 16384;
    expect_layout(layout_of(STAGE_TRAIN, &suite, &model, 8, plenty), 8, 1);
    expect_layout(layout_of(STAGE_TRAIN, &suite, &model, 8, (int64_t)1e8), 1, 8);
    suite_free(&suite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_exists),
        cmocka_unit_test(a_lock_lasts_as_long_as_its_process),
        cmocka_unit_test(counts_the_cores_it_may_use),
        cmocka_unit_test(ranks_are_as_many_as_cores_and_memory_allow),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
