/* step_run() gives the same bits on all ranks together as on one rank alone, and on one
 * thread as on two, for every architecture. */
#include "base/allocate.h"
#include "base/die.h"
#include "kernels/product.h"
#include "shard/store.h"
#include "step/architecture.h"
#include "step/dense.h"
#include "step/step.h"
#include "tests/synthetic.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing divides evenly; three tiles, three blocks of columns, three blocks of rows. */
enum { INPUTS = 300, OUTPUTS = 140, LATENTS = 333, BATCH = 290, STEPS = 6 };

/* Latents kept of a row, and of dead latents. */
enum { K = 7, K_DEAD = 5 };

/* Entries that lists may hold: all, or so few that dense steps take as many passes as there are
 * tiles, and sparse ones fewer and fewer. */
enum { ALL = BATCH * LATENTS * 2, FEW = BATCH * LATENT_TILE / 3 };

static const struct recipe RECIPE = {
    .architecture = ARCHITECTURE_JUMPRELU, .steps = STEPS, .sparsity = 0.03,
    .train = { .batch = BATCH, .learning_rate = 0.01, .warmup = 3, .decay = 0.3,
               .sparsity_warmup = 2, .bandwidth = 0.05, .threshold = 0.02, .beta2 = 0.999,
               .epsilon = 1e-8, .dead_after = 2 * BATCH, .seed = 11 },
};

/* [STEPS * BATCH, INPUTS] and [STEPS * BATCH, OUTPUTS] what all of them are trained on */
static float *inputs, *outputs;

static void train(struct training *training, struct step_report reports[STEPS], int64_t steps,
                  MPI_Comm comm, const struct recipe *recipe, int latents, int64_t capacity,
                  int threads)
{
    const struct shape shape = { INPUTS, recipe->transcoder ? OUTPUTS : INPUTS, latents };
    struct step memory = {0};
    struct step_needs needs = {0};

    omp_set_num_threads(threads);
    training_make(training, comm, recipe, shape);
    training->list_capacity = capacity;
    step_needs_add(&needs, recipe, (struct shape){ INPUTS, INPUTS, LATENTS });
    step_make(&memory, comm, &needs);
    for (int64_t step = 0; step < steps; step++) {
        const struct packed_rows rows = { inputs + step * BATCH * INPUTS, STORE_F32, INPUTS, 1,
                                          NULL };
        const struct packed_rows targets = { outputs + step * BATCH * OUTPUTS, STORE_F32, OUTPUTS,
                                             1, NULL };
        /* Bounds that leave out everything are lowered until all is found. */
        for (int s = 0; s < SECTIONS && comm == MPI_COMM_WORLD && step % 2 == 1; s++)
            training->state.bound[s] = 1000;
        if (step_run(&memory, training, &rows, recipe->transcoder ? &targets : &rows,
                     &reports[step]) != OK)
            die("a step failed: %s", refuse_reason());
    }
    step_free(&memory);
}

/* Is every value this rank holds the same as in the whole? */
static int differences(const struct tensor *part, const float *mine, const float *whole)
{
    const int64_t width = part->own_columns.end - part->own_columns.first;
    int bad = 0;

    for (int64_t i = part->own_rows.first; i < part->own_rows.end; i++)
        bad += memcmp(mine + (i - part->own_rows.first) * width,
                      whole + i * part->columns + part->own_columns.first,
                      (size_t)width * sizeof *mine) != 0;
    return bad;
}

/* Give all ranks what rank 0 trained alone. */
static void share(struct training *alone, struct step_report reports[STEPS], int latents)
{
    for (int i = 0; i < TENSORS; i++) {
        const struct tensor *t = &alone->tensors[i];
        const int values = (int)(t->rows * t->columns);
        if (t->name == NULL)
            continue;
        MPI_Bcast(t->value, values, MPI_FLOAT, 0, MPI_COMM_WORLD);
        MPI_Bcast(t->square, values, MPI_FLOAT, 0, MPI_COMM_WORLD);
        if (t->mean != NULL)
            MPI_Bcast(t->mean, values, MPI_FLOAT, 0, MPI_COMM_WORLD);
    }
    MPI_Bcast(alone->rows_since_active, latents, MPI_INT64_T, 0, MPI_COMM_WORLD);
    MPI_Bcast(reports, STEPS * (int)sizeof *reports, MPI_BYTE, 0, MPI_COMM_WORLD);
    MPI_Bcast(&alone->state.batch_threshold, (int)sizeof alone->state.batch_threshold, MPI_BYTE, 0,
              MPI_COMM_WORLD);
}

/* Train together and, on rank 0, alone; returns how many rows and reports differ. */
static int compare(const struct recipe *recipe, int latents, int64_t capacity, int threads,
                   struct step_report wanted[STEPS])
{
    struct training together = {0}, alone = {0};
    struct step_report reports[STEPS];
    int bad = 0, rank;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    train(&together, reports, STEPS, MPI_COMM_WORLD, recipe, latents, capacity, threads);
    train(&alone, wanted, rank == 0 ? STEPS : 0, MPI_COMM_SELF, recipe, latents, capacity, 1);
    share(&alone, wanted, latents);
    for (int i = 0; i < TENSORS; i++) {
        const struct tensor *t = &together.tensors[i], *whole = &alone.tensors[i];
        if (t->name == NULL)
            continue;
        bad += differences(t, t->value, whole->value);
        bad += differences(t, t->square, whole->square);
        if (t->mean != NULL)
            bad += differences(t, t->mean, whole->mean);
    }
    bad += memcmp(together.rows_since_active, alone.rows_since_active,
                  (size_t)latents * sizeof *alone.rows_since_active) != 0;
    bad += memcmp(reports, wanted, sizeof reports) != 0;
    bad += memcmp(&together.state.batch_threshold, &alone.state.batch_threshold,
                  sizeof alone.state.batch_threshold) != 0;
    training_free(&together);
    training_free(&alone);
    return bad;
}

/* Steps on the dense path and on the sparse one, with both forms of thresholds. */
static int compare_jumprelu(void)
{
    struct recipe with_mean = RECIPE, logarithms = RECIPE, other = RECIPE, bf16 = RECIPE;
    struct step_report reports[STEPS];
    int bad = 0;

    with_mean.train.beta1 = 0.9;
    logarithms.train.threshold_form = THRESHOLD_LOG;
    other.target_l0 = 20;
    other.train.target_form = TARGET_QUADRATIC;
    other.train.target_strength = 0.1;
    other.train.frequency_strength = 0.01;
    other.train.frequency = 0.1;
    bad += compare(&RECIPE, LATENTS, ALL, 1, reports);
    for (int threads = 1; threads <= 2; threads++)
        bad += compare(&RECIPE, LATENTS, FEW, threads, reports);
    if (reports[0].l0 < DENSE_ABOVE * LATENTS || reports[STEPS - 1].l0 > 0.1 * LATENTS
        || reports[STEPS - 1].l0 < 1)
        die("this test wants to see dense and sparse steps, but L0 went from %g to %g",
            reports[0].l0, reports[STEPS - 1].l0);
    bad += compare(&with_mean, LATENTS, ALL, 2, reports);
    bad += compare(&logarithms, LATENTS, FEW, 1, reports);
    bad += compare(&other, LATENTS, FEW, 1, reports);
    bf16.train.precision = PRECISION_BF16;
    for (int threads = 1; threads <= 2 && product_offered(); threads++)
        bad += compare(&bf16, LATENTS, FEW, threads, reports);
    bad += compare(&RECIPE, 100, ALL, 1, reports);   /* one tile: the other ranks own no latents */
    return bad;
}

static int compare_others(void)
{
    static const enum architecture_id OTHERS[] = {
        ARCHITECTURE_GATED, ARCHITECTURE_TOPK, ARCHITECTURE_BATCH_TOPK, ARCHITECTURE_MATRYOSHKA,
        ARCHITECTURE_RELU_L1,
    };
    struct step_report reports[STEPS];
    int bad = 0;

    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        struct recipe recipe = RECIPE;
        recipe.architecture = OTHERS[i];
        recipe.target_l0 = ARCHITECTURES[OTHERS[i]].keeps_k ? K : 0;
        recipe.train.clip = i % 2 == 0 || OTHERS[i] == ARCHITECTURE_MATRYOSHKA ? 0.01 : 0;
        recipe.train.auxk = 0.1;
        recipe.train.auxk_latents = K_DEAD;
        recipe.train.dead_after = BATCH;
        recipe.prefixes = OTHERS[i] == ARCHITECTURE_MATRYOSHKA ? 2 : 0;
        recipe.train.prefixes = (double[]){ 0.4, 1 };
        bad += compare(&recipe, LATENTS, FEW, 2, reports);
        if (ARCHITECTURES[OTHERS[i]].auxk && !(reports[STEPS - 1].auxiliary > 0))
            die("this test wants to see dead latents of %s", ARCHITECTURES[OTHERS[i]].name);
        recipe.train.precision = PRECISION_BF16;
        if (product_offered())
            bad += compare(&recipe, LATENTS, ALL, 2, reports);
    }
    return bad;
}

static int compare_transcoders(void)
{
    struct recipe recipe = RECIPE;
    struct step_report reports[STEPS];
    int bad;

    recipe.transcoder = true;
    bad = compare(&recipe, LATENTS, ALL, 2, reports);
    recipe.skip = true;
    recipe.train.clip = 0.1;
    return bad + compare(&recipe, LATENTS, FEW, 1, reports);
}

int main(int argc, char **argv)
{
    int bad;

    MPI_Init(&argc, &argv);
    inputs = allocate(STEPS * BATCH * INPUTS, sizeof *inputs);
    outputs = allocate(STEPS * BATCH * OUTPUTS, sizeof *outputs);
    synthetic_rows(inputs, 0, STEPS * BATCH, INPUTS);
    synthetic_rows(outputs, 0, STEPS * BATCH, OUTPUTS);
    bad = compare_jumprelu() + compare_others() + compare_transcoders();
    if (bad != 0)
        fprintf(stderr, "%d rows differ\n", bad);
    free(outputs);
    free(inputs);
    MPI_Finalize();
    return bad != 0;
}
