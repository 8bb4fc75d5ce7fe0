/* What a suite costs: counted by hand for a small one, and what rates a plan counts on. */
#include "driver/plan.h"
#include "driver/suite_model.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char scratch[] = "/tmp/saemill-plan-XXXXXX";

/* A folder without anything but, later, kept rates. */
static int make_scratch(void **state)
{
    (void)state;
    return mkdtemp(scratch) == NULL || setenv("XDG_CACHE_HOME", scratch, 1) != 0;
}

static int remove_scratch(void **state)
{
    (void)state;
    return file_remove(scratch) != OK;
}

/* No checkpoint and no corpus: the shape is the demo's (4 layers, width 256, 4 heads of 64, 2
 * for keys and values, MLP 768, vocabulary 4096, windows of 64 and of all). */
static void make_suite(struct suite *suite, const char *more)
{
    char yaml[2048];

    snprintf(yaml, sizeof yaml,
             "name: s\nrun: %s/run\nmodel: {path: /nowhere, config: jobs/demo/tiny-gemma2}\n"
             "corpus: {files: [/nowhere/*.txt], context: 128, holdout: 0.5}\n"
             "harvest: {sites: [res, attn], layers: [0-1], tokens: 12800, shard: 30, block: 1, "
             "store: f32}\n"
             "train: {batch: 1000}\n"
             "saes: [{sites: [res], layers: ['1'], widths: [512], target_l0: [1, 2], "
             "tokens: 5500}]\nevaluate: {sequences: 10}\n%s", scratch, more);
    refuse_clear();
    if (suite_parse(suite, yaml, "x.yaml") != OK)
        fail_msg("%s", refuse_reason());
}

static void same(double one, double other)
{
    if (fabs(one / other - 1) > 1e-12)
        fail_msg("%.17g is not %.17g", one, other);
}

static void plan(struct plan *of, struct suite *suite, const char *more)
{
    make_suite(suite, more);
    if (plan_make(of, suite) != OK)
        fail_msg("%s", refuse_reason());
}

/* 100 sequences of 127 rows and a BOS in 4 shards; 2 layers through the model.  Of a sequence's
 * 128 tokens 64 * 65 / 2 + 64 * 64 pairs see each other in a window of 64, 128 * 129 / 2 in all. */
static void counts_what_is_asked(void **state)
{
    const double matrices = 256 * (2 * 256 + 2 * 128) + 3 * 256 * 768;
    const double first = 128 * 2 * matrices + 4 * 256 * 6176;
    const double second = 128 * 2 * matrices + 4 * 256 * 8256;
    const double total = 2 * (first + second) + 128 * 2. * 256 * 4096;
    const double to_tap = first + second;
    const struct stage_cost *stage;
    struct suite suite;
    struct plan of;

    (void)state;
    plan(&of, &suite, "");
    stage = of.cost.stage;
    assert_int_equal(of.cost.saes, 2);
    assert_int_equal(of.cost.streams, 1);
    same(of.cost.amounts.rows, 12700);
    same(of.cost.raw, 12700. * 4 * 256 * 4);
    assert_int_equal(stage[STAGE_HARVEST].tasks, 4);
    assert_int_equal(stage[STAGE_SHUFFLE].tasks, 4);
    assert_int_equal(stage[STAGE_TRAIN].tasks, 1);
    same(stage[STAGE_HARVEST].work, 100 * to_tap);
    same(stage[STAGE_TRAIN].work, 2 * 5000. * 2 * 256 * 512);
    /* Means, then model, zero, mean and two autoencoders from the stream on. */
    same(stage[STAGE_EVALUATE].work, 10 * (2 * to_tap + 5 * (total - to_tap)
                                           + 2 * 4 * 256 * 512 * 128));
    suite_free(&suite);
}

/* What the suite gives comes before what was measured, and that before typical figures;
 * another suite's text tells nothing about this one's. */
static void rates_come_from_the_nearest_source(void **state)
{
    struct suite suite, other;
    struct rates kept, rates;
    struct plan of;

    (void)state;
    plan(&of, &suite, "");
    assert_non_null(strstr(of.rates.source, "typical"));
    assert_true(of.rates.of_others);
    kept = of.rates;
    kept.stage[STAGE_TRAIN].work = 7e9;
    kept.stage[STAGE_TRAIN].task = 2;
    kept.stage[STAGE_HARVEST].work = 3e9;
    kept.rows = 0.5;
    assert_int_equal(rates_keep(&kept, &suite), OK);
    rates_of(&rates, &suite);
    assert_non_null(strstr(rates.source, "measured here with the suite s"));
    assert_true(rates.stage[STAGE_TRAIN].work == 7e9 && rates.stage[STAGE_TRAIN].task == 2
                && rates.rows == 0.5 && !rates.of_others);
    make_suite(&other, "");
    free(other.name);
    other.name = strdup("t");
    rates_of(&rates, &other);
    assert_true(rates.of_others && strstr(rates.source, "given") == NULL);
    other.rates.harvest = 4;
    rates_of(&rates, &other);
    assert_true(!rates.of_others && strstr(rates.source, "some given in the suite") != NULL);
    assert_true(rates.stage[STAGE_TRAIN].work == 7e9 && rates.stage[STAGE_HARVEST].work == 4e9);
    same(rates.rows, 127. / 128);
    suite_free(&other);
    suite_free(&suite);
}

/* 2 s a task and 5 a second and core, on two cores; then three that no rate explains. */
static void a_rate_is_told_from_what_tasks_take_besides(void **state)
{
    const struct sample less = { .seconds = 16, .tasks = 3, .work = 100 };
    const struct sample more = { .seconds = 46, .tasks = 3, .work = 400 };
    const struct sample slower = { .seconds = 50, .tasks = 3, .work = 100 };
    const struct sample faster = { .seconds = 5, .tasks = 3, .work = 100 };
    struct stage_rate rate = rates_fit(less, more, 2);

    (void)state;
    same(rate.work, 5);
    same(rate.task, 2);
    rate = rates_fit(slower, more, 2);
    same(rate.work, 400. / 46 / 2);
    rate = rates_fit(faster, more, 2);
    same(rate.work, 400. / 46 / 2);
    assert_true(rate.task == 0);
    rate = rates_fit(more, more, 2);
    same(rate.work, 400. / 46 / 2);
}

/* 10 blocks of evaluate for 4 ranks take as long as 12 would; each of the 4 shards, of 30
 * sequences in 30 blocks, as 32. */
static void blocks_that_ranks_cannot_share_evenly_cost_time(void **state)
{
    const char *even = "resources: {cores: 1, nodes: 1}\n";
    const char *four = "resources: {cores: 4, nodes: 1, memory: 64GB}\n";
    struct suite suite;
    struct plan one, of;

    (void)state;
    plan(&one, &suite, even);
    suite_free(&suite);
    plan(&of, &suite, four);
    assert_int_equal(of.stage[STAGE_EVALUATE].ranks, 4);
    same((of.stage[STAGE_EVALUATE].longest - of.rates.start) * 4,
         (one.stage[STAGE_EVALUATE].longest - of.rates.start) * 12 / 10);
    same((of.stage[STAGE_HARVEST].longest - of.rates.start) * 4,
         (one.stage[STAGE_HARVEST].longest - of.rates.start) * 32 / 30);
    suite_free(&suite);
}

/* Two checkpoints of each of two autoencoders, parameters and squares, and a third of one; and
 * four streams that do not fit into the memory of a rank, each dealt once. */
static void counts_what_is_on_disk_for_a_while(void **state)
{
    const double parameters = 2. * 256 * 512 + 2 * 512 + 256;
    struct suite suite;
    struct plan of;

    (void)state;
    plan(&of, &suite, "resources: {cores: 1, nodes: 1}\nshuffle: {memory: 10MB}\n");
    const double stream = of.cost.amounts.rows * 256 * 4;
    same(of.cost.stage[STAGE_TRAIN].passing.all, 4 * 2 * 5 * parameters);
    same(of.cost.stage[STAGE_TRAIN].passing.task, 4 * 2 * 5 * parameters);
    same(of.cost.stage[STAGE_SHUFFLE].passing.task, stream);
    same(of.cost.stage[STAGE_SHUFFLE].passing.all, 4 * stream);
    const double before = of.disk - of.cost.stage[STAGE_RELEASE].left;
    same(of.peak, before + 4 * 2 * 5 * parameters);
    same(of.peak_of_jobs, before + 4 * stream + 4 * 2 * 5 * parameters);
    suite_free(&suite);
    plan(&of, &suite, "resources: {cores: 1, nodes: 1, at_once: 3}\nshuffle: {memory: 10MB}\n");
    same(of.peak_of_jobs, before + 3 * stream + 4 * 2 * 5 * parameters);
    suite_free(&suite);
}

static void says_what_does_not_fit(void **state)
{
    struct suite suite;
    struct plan of;
    char *text;
    size_t length;

    (void)state;
    plan(&of, &suite, "resources: {memory: 500MB}\nshuffle: {memory: 2GB}\n");
    FILE *out = open_memstream(&text, &length);
    plan_print(out, &of, &suite);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "Does not fit: shuffle needs "));
    assert_non_null(strstr(text, "a smaller shuffle.memory"));
    free(text);
    suite_free(&suite);
}

/* Gemma Scope's autoencoders of res.12 are 192 GB of parameters, one of a million latents 19.3 GB:
 * they take a node of 240 GB in groups, with the model's 5.2 GB of matrices in bf16. */
static void large_autoencoders_are_scored_in_groups_that_fit(void **state)
{
    struct suite suite;
    struct plan of;
    char *yaml;
    int64_t bytes;

    (void)state;
    assert_int_equal(file_read("jobs/gemma2-2b.yaml", &yaml, &bytes), OK);
    assert_int_equal(suite_parse(&suite, yaml, "jobs/gemma2-2b.yaml"), OK);
    assert_int_equal(plan_make(&of, &suite), OK);
    const struct stage_plan *evaluate = &of.stage[STAGE_EVALUATE];
    assert_true(evaluate->node_memory <= 240e9);
    assert_true(evaluate->node_memory - evaluate->ranks * evaluate->memory >= 19.3e9 + 5.2e9);
    assert_true(evaluate->ranks > 32);
    suite_free(&suite);
    free(yaml);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_asked),
        cmocka_unit_test(rates_come_from_the_nearest_source),
        cmocka_unit_test(a_rate_is_told_from_what_tasks_take_besides),
        cmocka_unit_test(blocks_that_ranks_cannot_share_evenly_cost_time),
        cmocka_unit_test(counts_what_is_on_disk_for_a_while),
        cmocka_unit_test(says_what_does_not_fit),
        cmocka_unit_test(large_autoencoders_are_scored_in_groups_that_fit),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
