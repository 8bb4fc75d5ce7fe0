/* What the driver sees and decides: the state of a run, its lock, cores, ranks and threads. */
#include "corpus/identities.h"
#include "driver/cores.h"
#include "driver/layout.h"
#include "driver/lock.h"
#include "driver/record.h"
#include "driver/survey.h"
#include "harvest/harvest_stage.h"
#include "lm/weights.h"
#include "shard/tokens.h"
#include "suite/paths.h"
#include "suite/tasks.h"
#include "tests/unit/scratch.h"

#include <jansson.h>
#include <sched.h>
#include <sys/prctl.h>
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
    refuse_clear();
    if (suite_parse(suite, yaml, "x.yaml") != OK)
        fail_msg("%s", refuse_reason());
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
    struct identities identities;
    char path[PATH_LENGTH], source[PATH_LENGTH];

    assert_int_equal(identities_read(&identities, suite), OK);
    const struct identity identity = identities_tokens(&identities, file);
    paths_tokens(path, suite, file);
    path_print(source, "%s/text/%lld.txt", scratch, (long long)file);
    assert_int_equal(tokens_create(&writer, path, CONTEXT, (struct special_tokens){ 2, 1, 0 },
                                   false, source, &identity), OK);
    assert_int_equal(tokens_append(&writer, TOKENS_TRAIN, sequences, ids, origins), OK);
    assert_int_equal(tokens_publish(&writer, OK), OK);
    identities_free(&identities);
}

static void look(struct state *state, const struct suite *suite)
{
    state_free(state);
    if (state_read(state, suite) != OK)
        fail_msg("%s", refuse_reason());
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
    struct state state = {0};
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
    assert_false(state_stage_complete(&state.stage[STAGE_HARVEST]));

    make_tokens(&suite, 0, 3);
    look(&state, &suite);
    expect(&state, STAGE_TOKENIZE, 1, 2);
    expect(&state, STAGE_HARVEST, 0, -1);

    make_tokens(&suite, 1, 7);
    paths_harvest(path, &suite, 2);
    assert_int_equal(file_make_folder(path), OK);
    paths_shuffle(path, &suite, tap);
    assert_int_equal(file_make_folder(path), OK);
    paths_sae(path, &suite, tap, "w64-t2", ".h5");
    touch(path);
    paths_sae(path, &suite, tap, "w64-t3", ".h5.part");
    touch(path);
    paths_sae(path, &suite, tap, "w64-t3", ".tsv");
    touch(path);
    paths_sae(path, &suite, tap, "w64-t1", ".tsv");
    touch(path);
    paths_scores(path, &suite, tap, "w64-t2");
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
    assert_true(state_stage_complete(&state.stage[STAGE_TOKENIZE]));
    assert_int_equal(state.leftovers, 2);

    /* Killed between publishing it and removing its checkpoint. */
    paths_sae(path, &suite, tap, "w64-t2", ".checkpoint-before.h5");
    touch(path);
    look(&state, &suite);
    expect(&state, STAGE_TRAIN, 0, 3);
    assert_int_equal(file_remove(path), OK);
    look(&state, &suite);
    expect(&state, STAGE_TRAIN, 1, 3);

    paths_release(path, &suite);
    assert_int_equal(file_make_folder(path), OK);
    look(&state, &suite);
    expect(&state, STAGE_RELEASE, 1, 1);
    state_free(&state);
    suite_free(&suite);
}

/* In a child: say that `st` is OK, and live until killed, at the latest with the test. */
static _Noreturn void hold(enum status st, int ready)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (st == OK && write(ready, "x", 1) == 1)
        pause();
    _exit(1);
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
    if (child == 0)
        hold(lock_take(folder), ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(lock_holder(folder), child);
    refuse_clear();
    assert_int_equal(lock_take(folder), E_USAGE);
    snprintf(word, sizeof word, "(process %ld)", (long)child);
    assert_non_null(strstr(refuse_reason(), word));
    refuse_clear();

    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(lock_holder(folder), 0);
    assert_int_equal(lock_take(folder), OK);
    assert_int_equal(lock_holder(folder), getpid());
}

static void survey(struct survey *survey, const struct suite *suite)
{
    refuse_clear();
    if (survey_make(survey, suite) != OK)
        fail_msg("%s", refuse_reason());
}

static void log_line(const struct suite *suite, enum stage stage, int64_t task, const char *text)
{
    char path[PATH_LENGTH];

    record_log_path(path, suite, stage, task);
    assert_int_equal(file_write(path, text, (int64_t)strlen(text)), OK);
}

/* Does the text that survey_print() makes hold all of the words?  `no` is not to be there. */
static void expect_words(const struct survey *of, const struct suite *suite,
                         const char *const *words, const char *no)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    survey_print(out, of, suite, "x.yaml");
    assert_int_equal(fclose(out), 0);
    for (; *words != NULL; words++)
        if (strstr(text, *words) == NULL)
            fail_msg("no '%s' in:\n%s", *words, text);
    if (strstr(text, no) != NULL)
        fail_msg("'%s' in:\n%s", no, text);
    free(text);
}

/* What survey_print_json() makes must be JSON whatever a log holds: here half a character. */
static void expect_json(const struct survey *of, const struct suite *suite, const char *reason)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    survey_print_json(out, of, suite);
    assert_int_equal(fclose(out), 0);
    json_t *json = json_loads(text, 0, NULL), *stage, *task;
    assert_non_null(json);
    stage = json_array_get(json_object_get(json, "stages"), STAGE_TOKENIZE);
    task = json_array_get(json_object_get(stage, "unfinished"), 0);
    assert_string_equal(json_string_value(json_object_get(task, "reason")), reason);
    json_decref(json);
    free(text);
}

/* Of two corpus files one failed and one was never begun; of two streams one was stopped and
 * one killed. */
static void tells_failed_from_missing(void **state)
{
    static const char *const WORDS[] = {
        "tokenize      0 of     2 corpus files: 1 failed, 1 missing\n",
        "tokenize 0 failed (", "tokenize-00000.log):\n  saemill-tokenize: no text \xef\xbf\xbd\n",
        "shuffle       0 of     2 streams: 1 failed, 1 missing\n",
        "shuffle 1 failed (", "  Bus error\n  it did not come to its end", "To go on: ", NULL,
    };
    struct suite suite;
    struct survey now;

    (void)state;
    make_suite(&suite);
    assert_int_equal(file_remove(suite.run), OK);
    record_write(&(struct record){ .ending = ENDED_FAILED }, &suite, STAGE_TOKENIZE, 0);
    log_line(&suite, STAGE_TOKENIZE, 0, "== first\nsaemill-tokenize: old words\n== second\n"
             "srun: error\nsaemill-tokenize: no text \xc3\nMPI_ABORT was invoked\n");
    record_write(&(struct record){ .ending = ENDED_STOPPED }, &suite, STAGE_SHUFFLE, 0);
    record_write(&(struct record){ .ending = ENDED_NOT }, &suite, STAGE_SHUFFLE, 1);
    log_line(&suite, STAGE_SHUFFLE, 1, "== first\nBus error\n");
    survey(&now, &suite);
    assert_int_equal(now.stage[STAGE_TOKENIZE].task[0], TASK_FAILED);
    assert_int_equal(now.stage[STAGE_TOKENIZE].task[1], TASK_MISSING);
    assert_int_equal(now.stage[STAGE_SHUFFLE].task[0], TASK_MISSING);
    assert_int_equal(now.stage[STAGE_SHUFFLE].task[1], TASK_FAILED);
    expect_words(&now, &suite, WORDS, "old words");
    expect_json(&now, &suite, "saemill-tokenize: no text \xef\xbf\xbd\n");
    survey_free(&now);
    suite_free(&suite);
}

/* A task that holds its lock runs; a `saemill run` excludes it, and another task does not. */
static void sees_tasks_at_work(void **state)
{
    struct suite suite;
    struct survey now;
    int ready[2];
    char byte;

    (void)state;
    make_suite(&suite);
    assert_int_equal(pipe(ready), 0);
    record_write(&(struct record){ .ending = ENDED_NOT }, &suite, STAGE_SHUFFLE, 1);
    const pid_t child = fork();
    if (child == 0)
        hold(lock_take_task(suite.run, STAGE_SHUFFLE, 1), ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    survey(&now, &suite);
    assert_int_equal(now.stage[STAGE_SHUFFLE].task[1], TASK_RUNNING);
    assert_int_equal(now.holder, 0);
    survey_free(&now);
    assert_int_equal(lock_take(suite.run), E_USAGE);
    assert_non_null(strstr(refuse_reason(), "saemill submit"));
    refuse_clear();
    assert_int_equal(lock_take_task(suite.run, STAGE_SHUFFLE, 1), E_USAGE);
    assert_int_equal(lock_take_task(suite.run, STAGE_TRAIN, 1), OK);

    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    survey(&now, &suite);
    assert_int_equal(now.stage[STAGE_SHUFFLE].task[1], TASK_FAILED);
    survey_free(&now);
    suite_free(&suite);
}

/* A run does one task after the other: where it is, and where it ended. */
static void sees_where_a_run_is(void **state)
{
    static const char *const WORDS[] = {
        "a run is going on", "tokenize      0 of     2 corpus files: 1 running, 1 waiting\n",
        "train         0 of     3 autoencoders, 1 of 2 streams: 1 waiting\n", NULL,
    };
    static const char *const AFTER[] = {
        "no run is going on", "tokenize 0 failed (", "tokenize.log):\n  saemill-tokenize: why\n",
        NULL,
    };
    struct suite suite;
    struct survey now;
    int ready[2];
    char byte;

    (void)state;
    make_suite(&suite);
    assert_int_equal(file_remove(suite.run), OK);
    assert_int_equal(pipe(ready), 0);
    record_write(&(struct record){ .ending = ENDED_FAILED }, &suite, STAGE_TOKENIZE, WHOLE_STAGE);
    log_line(&suite, STAGE_TOKENIZE, WHOLE_STAGE, "saemill-tokenize: why\n");
    const pid_t child = fork();
    if (child == 0)
        hold(lock_take(suite.run), ready[1]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    survey(&now, &suite);
    assert_int_equal(now.holder, child);
    expect_words(&now, &suite, WORDS, "failed");
    survey_free(&now);

    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    survey(&now, &suite);
    expect_words(&now, &suite, AFTER, "running");
    survey_free(&now);
    suite_free(&suite);
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

static struct nodes with_memory(int64_t memory)
{
    return (struct nodes){ .count = 1, .cores = 8, .memory = memory };
}

/* Bytes that harvest needs on a node of eight cores with so many ranks. */
static int64_t harvest_memory(const struct suite *suite, const struct lm_config *model, int ranks)
{
    struct tasks tasks;
    struct stage_host host = { .suite = suite, .model = model, .tasks = &tasks, .nodes = 1,
                               .ranks = ranks, .threads = 8 / ranks,
                               .weights = weights_bytes(model, PRECISION_F32) };

    assert_int_equal(tasks_make(&tasks, suite, model->layers), OK);
    const int64_t bytes = stage_node_bytes(&host, harvest_bytes(&host));
    tasks_free(&tasks);
    return bytes;
}

/* Train gives each rank four tiles of 128 latents; the suite's 64 are enough for one rank.
 * Libraries take 50 MB of each rank, shuffle.memory 1 GB; the model's 4.2 million parameters
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
            expect_layout(layout_of(STAGE_TRAIN, &suite, &model, with_memory(plenty)), 1, 8);
        else
            expect_layout(layout_of((enum stage)stage, &suite, &model, with_memory(plenty)), 8, 1);
    expect_layout(layout_of(STAGE_SHUFFLE, &suite, &model, with_memory(2.5e9)), 2, 4);
    expect_layout(layout_of(STAGE_SHUFFLE, &suite, &model, with_memory(4.6e9)), 4, 2);
    expect_layout(layout_of(STAGE_SHUFFLE, &suite, &model, with_memory(1e6)), 1, 8);
    const int64_t of_three = harvest_memory(&suite, &model, 3);
    expect_layout(layout_of(STAGE_HARVEST, &suite, &model, with_memory(of_three)), 3, 2);
    expect_layout(layout_of(STAGE_HARVEST, &suite, &model, with_memory(of_three - 1)), 2, 4);
    expect_layout(layout_of(STAGE_HARVEST, &suite, &model, with_memory(1e7)), 1, 8);
    suite.saes[0].widths[0] = 1024;
    expect_layout(layout_of(STAGE_TRAIN, &suite, &model, with_memory(plenty)), 2, 4);
    suite.saes[0].widths[0] = 16384;
    expect_layout(layout_of(STAGE_TRAIN, &suite, &model, with_memory(plenty)), 8, 1);
    expect_layout(layout_of(STAGE_TRAIN, &suite, &model, with_memory(1e8)), 1, 8);
    expect_layout(layout_of(STAGE_TRAIN, &suite, &model, (struct nodes){ 16, 8, plenty, 0 }), 2, 4);
    expect_layout(layout_of(STAGE_SHUFFLE, &suite, &model, (struct nodes){ 16, 8, 2500000000, 0 }),
                  2, 4);
    suite_free(&suite);
}

/* A block of 2 x 1024 rows and Gemma 2 2B's 2304 outputs is cut into 8 x 3 tiles of 256 x 768 in
 * bf16, one of 16 sequences into 192, which keep 12 threads busy. */
static void threads_are_as_many_as_have_tiles_of_a_product(void **state)
{
    const struct nodes nodes = { .count = 1, .cores = 48, .memory = (int64_t)1e12 };
    struct lm_config model;
    struct suite suite;

    (void)state;
    make_suite(&suite);
    assert_int_equal(config_read(&model, "jobs/models/gemma-2-2b"), OK);
    suite.model.precision = PRECISION_BF16;
    suite.corpus.context = 1024;
    suite.harvest.block = 2;
    expect_layout(layout_of(STAGE_HARVEST, &suite, &model, nodes), 48, 1);
    suite.harvest.block = 16;
    expect_layout(layout_of(STAGE_HARVEST, &suite, &model, nodes), 4, 12);
    expect_layout(layout_of(STAGE_EVALUATE, &suite, &model, nodes), 48, 1);
    expect_layout(layout_of(STAGE_HARVEST, &suite, &model, with_memory((int64_t)1e12)), 1, 8);
    suite_free(&suite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_exists),
        cmocka_unit_test(a_lock_lasts_as_long_as_its_process),
        cmocka_unit_test(tells_failed_from_missing),
        cmocka_unit_test(sees_tasks_at_work),
        cmocka_unit_test(sees_where_a_run_is),
        cmocka_unit_test(counts_the_cores_it_may_use),
        cmocka_unit_test(ranks_are_as_many_as_cores_and_memory_allow),
        cmocka_unit_test(threads_are_as_many_as_have_tiles_of_a_product),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
