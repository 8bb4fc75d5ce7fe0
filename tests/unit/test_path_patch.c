/* Path patching against another implementation, with hooks and without a graph, in float64
 * (tests/golden/README.md). */
#include "base/allocate.h"
#include "base/blas_core.h"
#include "circuit/path_patch.h"
#include "shard/h5.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char MODEL[] = "jobs/circuits/tiny-gpt2";
static const char GOLDEN[] = "tests/golden/circuits/path_patching.h5";

enum { PROMPTS = 12, CONTEXT = 20, LAYERS = 4, HEADS = 8 };

struct fixture {
    hid_t                   file;
    struct weights          weights;
    struct graph            graph;
    int32_t                 clean[PROMPTS * CONTEXT], corrupted[PROMPTS * CONTEXT];
    int32_t                 io[PROMPTS], s[PROMPTS], places[PROMPTS][5];
    struct question         questions[PROMPTS];
    struct experiment       clean_run, corrupted_run;
    double                  unchanged[PROMPTS];     /* the clean run's values */
};

static void read_set(hid_t file, const char *name, hid_t type, void *to)
{
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);

    assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to) >= 0);
    H5Dclose(set);
}

static void set_up(struct fixture *f)
{
    struct lm_config config;
    struct graph_edges none;

    assert_int_equal(h5_open(&f->file, GOLDEN), OK);
    read_set(f->file, "tokens", H5T_NATIVE_INT32, f->clean);
    read_set(f->file, "tokens_abc", H5T_NATIVE_INT32, f->corrupted);
    read_set(f->file, "io", H5T_NATIVE_INT32, f->io);
    read_set(f->file, "s", H5T_NATIVE_INT32, f->s);
    read_set(f->file, "pos", H5T_NATIVE_INT32, f->places);
    assert_int_equal(config_read(&config, MODEL), OK);
    assert_int_equal(weights_read(&f->weights, &config, PRECISION_F32, MODEL, MPI_COMM_SELF), OK);
    assert_int_equal(graph_make(&f->graph, &f->weights.config, false), OK);
    for (int32_t p = 0; p < PROMPTS; p++)
        f->questions[p] = (struct question){ p, f->places[p][4], 1, 1, &f->io[p], &f->s[p] };
    struct experiment_setup setup = {
        .weights = &f->weights, .graph = &f->graph, .clean = f->clean, .corrupted = f->clean,
        .prompts = PROMPTS, .context = CONTEXT, .questions = f->questions, .count = PROMPTS,
        .metric = METRIC_LOGIT_DIFFERENCE,
    };
    assert_int_equal(experiment_make(&f->clean_run, &setup, MPI_COMM_SELF), OK);
    setup.clean = setup.corrupted = f->corrupted;
    assert_int_equal(experiment_make(&f->corrupted_run, &setup, MPI_COMM_SELF), OK);
    graph_edges_make(&none, &f->graph, false);
    experiment_value(&f->clean_run, &none, 0);
    for (int32_t p = 0; p < PROMPTS; p++)
        f->unchanged[p] = experiment_values(&f->clean_run)[p];
    graph_edges_free(&none);
}

static void tear_down(struct fixture *f)
{
    experiment_free(&f->corrupted_run);
    experiment_free(&f->clean_run);
    weights_free(&f->weights);
    assert_int_equal(h5_close(&f->file, GOLDEN, OK), OK);
}

/* The paths of all heads to a receiver; heads that do not lie below it have none, and no effect. */
static void check_paths(struct fixture *f, const char *name, struct path_patch path)
{
    static float expected[PROMPTS][LAYERS][HEADS];
    const int32_t layer = graph_receiver_at(&f->graph, path.receiver).layer;
    double worst = 0;

    read_set(f->file, name, H5T_NATIVE_FLOAT, expected);
    for (int32_t l = 0; l < LAYERS; l++)
        for (int32_t h = 0; h < HEADS; h++) {
            const int32_t sender = graph_head(&f->graph, l, h);
            path.senders = &sender;
            path.count = l < layer;
            path_patch_value(&f->clean_run, &f->corrupted_run, &path);
            for (int32_t p = 0; p < PROMPTS; p++) {
                const double effect = f->unchanged[p] - experiment_values(&f->clean_run)[p];
                worst = fmax(worst, fabs(effect - (double)expected[p][l][h]));
            }
        }
    printf("    %s: worst difference %.2g\n", name, worst);
    assert_true(worst < 1e-4);
}

static void measures_the_paths_of_every_head(void **state)
{
    static struct fixture f;
    const struct { const char *name; enum graph_part part; bool questions; } to[] = {
        { "final", GRAPH_FINAL, false }, { "q", GRAPH_Q, false }, { "k", GRAPH_K, false },
        { "v", GRAPH_V, false }, { "q_end", GRAPH_Q, true },
    };

    (void)state;
    set_up(&f);
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        for (int frozen = 0; frozen < 2; frozen++) {
            char name[64];
            snprintf(name, sizeof name, "pp_%s_%s", to[i].name, frozen ? "frozen" : "recomputed");
            check_paths(&f, name, (struct path_patch){
                .receiver = graph_receiver(&f.graph, to[i].part, 2, 4), .frozen = frozen,
                .questions = to[i].questions,
            });
        }
    tear_down(&f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_the_paths_of_every_head),
    };

    blas_core_settle(argv);
    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
