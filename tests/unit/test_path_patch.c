/* Path patching against another implementation, with hooks and without a graph, in float64
 * (tests/golden/README.md). */
#include "base/allocate.h"
#include "circuit/path_patch.h"
#include "shard/h5.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/sanitized.h"
#include "tests/unit/pairs.h"

static const char GOLDEN[] = "tests/golden/circuits/path_patching.h5";

/* Of each layer one head in EVERY is patched, another one in each layer. */
enum { PROMPTS = 12, CONTEXT = 20, LAYERS = 4, HEADS = 8, EVERY = SANITIZED(8, 1) };

struct fixture {
    struct pairs      pairs;
    struct experiment clean_run, corrupted_run;
    double            unchanged[PROMPTS];       /* the clean run's values */
};

static void set_up(struct fixture *f)
{
    struct experiment_setup *setup = &f->pairs.setup;
    struct graph_edges none;

    pairs_open(&f->pairs, GOLDEN, PROMPTS, CONTEXT);
    setup->corrupted = f->pairs.clean;
    assert_int_equal(experiment_make(&f->clean_run, setup, MPI_COMM_SELF), OK);
    setup->clean = setup->corrupted = f->pairs.corrupted;
    assert_int_equal(experiment_make(&f->corrupted_run, setup, MPI_COMM_SELF), OK);
    graph_edges_make(&none, setup->graph, false);
    experiment_value(&f->clean_run, &none, 0);
    for (int32_t p = 0; p < PROMPTS; p++)
        f->unchanged[p] = experiment_values(&f->clean_run)[p];
    graph_edges_free(&none);
}

static void tear_down(struct fixture *f)
{
    experiment_free(&f->corrupted_run);
    experiment_free(&f->clean_run);
    pairs_close(&f->pairs);
}

/* The paths of heads to a receiver; heads that do not lie below it have none, and no effect. */
static void check_paths(struct fixture *f, const char *name, struct path_patch path)
{
    static float expected[PROMPTS][LAYERS][HEADS];
    const int32_t layer = graph_receiver_at(&f->pairs.graph, path.receiver).layer;
    double worst = 0;

    golden_read(f->pairs.file, name, H5T_NATIVE_FLOAT, PROMPTS * LAYERS * HEADS, expected);
    for (int32_t l = 0; l < LAYERS; l++)
        for (int32_t h = l % EVERY; h < HEADS; h += EVERY) {
            const int32_t sender = graph_head(&f->pairs.graph, l, h);
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
                .receiver = graph_receiver(&f.pairs.graph, to[i].part, 2, 4), .frozen = frozen,
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

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
