/* training_step() gives the same bits on all ranks together as on one rank alone, and on one
 * thread as on two. */
#include "kernels/sparse.h"
#include "sae/decode.h"
#include "sae/step.h"
#include "tests/ranked/synthetic.h"

#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing divides evenly; three tiles, three blocks of columns, three blocks of rows. */
enum { INPUTS = 300, LATENTS = 333, BATCH = 290, STEPS = 6 };

static const struct recipe RECIPE = {
    .batch = BATCH, .steps = STEPS, .learning_rate = 0.01, .warmup = 3, .decay = 0.3,
    .sparsity = 0.03, .sparsity_warmup = 2, .bandwidth = 0.05, .threshold = 0.02,
    .beta2 = 0.999, .epsilon = 1e-8, .dead_after = 2 * BATCH, .seed = 11,
};

static void train(struct training *training, struct step_report reports[STEPS], MPI_Comm comm,
                  const struct recipe *recipe, int latents, int threads)
{
    struct workspace workspace = {0};
    float *x = allocate(BATCH * INPUTS, sizeof *x);

    omp_set_num_threads(threads);
    training_make(training, comm, recipe, INPUTS, latents);
    workspace_make(&workspace, comm, BATCH, INPUTS, LATENTS);
    for (int64_t step = 0; step < STEPS; step++) {
        synthetic_rows(x, step * BATCH, BATCH, INPUTS);
        if (training_step(training, &workspace, x, &reports[step]) != OK)
            die("a step failed: %s", status_reason());
    }
    workspace_free(&workspace);
    free(x);
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

/* Train together and alone; returns how many rows and reports differ. */
static int compare(const struct recipe *recipe, int latents, int threads)
{
    struct training together = {0}, alone = {0};
    struct step_report reports[STEPS], wanted[STEPS];
    int bad = 0;

    train(&together, reports, MPI_COMM_WORLD, recipe, latents, threads);
    train(&alone, wanted, MPI_COMM_SELF, recipe, latents, 1);
    for (int i = 0; i < TENSORS; i++) {
        const struct tensor *t = &together.tensors[i], *whole = &alone.tensors[i];
        bad += differences(t, t->value, whole->value);
        bad += differences(t, t->square, whole->square);
        if (t->mean != NULL)
            bad += differences(t, t->mean, whole->mean);
    }
    bad += memcmp(together.silent, alone.silent, (size_t)latents * sizeof *alone.silent) != 0;
    bad += memcmp(reports, wanted, sizeof reports) != 0;
    if (wanted[0].l0 < DENSE_ABOVE * latents || wanted[STEPS - 1].l0 > 0.1 * latents
        || wanted[STEPS - 1].l0 < 1)
        die("this test wants to see dense and sparse steps, but L0 went from %g to %g",
            wanted[0].l0, wanted[STEPS - 1].l0);
    training_free(&together);
    training_free(&alone);
    return bad;
}

int main(int argc, char **argv)
{
    struct recipe with_mean = RECIPE, logarithms = RECIPE;
    int bad = 0;

    MPI_Init(&argc, &argv);
    with_mean.beta1 = 0.9;
    logarithms.log_threshold = true;
    for (int threads = 1; threads <= 2; threads++)
        bad += compare(&RECIPE, LATENTS, threads);
    bad += compare(&with_mean, LATENTS, 2);
    bad += compare(&logarithms, LATENTS, 1);
    bad += compare(&RECIPE, 100, 1);    /* one tile: the other ranks own no latents */
    if (bad != 0)
        fprintf(stderr, "%d rows differ\n", bad);
    MPI_Finalize();
    return bad != 0;
}
