#include "sae/step.h"
#include "kernels/sparse.h"
#include "sae/decode.h"
#include "sae/encode.h"
#include "sae/update.h"

#include <math.h>
#include <string.h>

/* Sums over rows or latents that every rank needs.  Each number below is found by one rank,
 * the owner of the column, block or tile; the others bring 0, so the order in which MPI
 * adds them does not matter. */
struct sums {
    double *columns;    /* [inputs] of the residual */
    double *squares;    /* [column blocks] of the residual */
    double *thresholds; /* [tiles] */
    int64_t column_blocks, tiles;
};

static void sum_columns(const struct training *training, const struct workspace *w,
                        struct range block, double *sums)
{
    const int64_t own = training->own_columns.end - training->own_columns.first;

    for (int64_t row = 0; row < w->batch; row++)
        for (int64_t j = block.first; j < block.end; j++)
            sums[training->own_columns.first + j] += (double)w->residual[row * own + j];
}

/* The own numbers, then everybody's.  Collective. */
static struct sums sum_up(const struct training *training, struct workspace *w)
{
    const int64_t own_columns = training->own_columns.end - training->own_columns.first;
    const int64_t own_latents = training->own_latents.end - training->own_latents.first;
    const int64_t row_blocks = split_blocks(w->batch, ROW_BLOCK);
    struct sums sums = { .column_blocks = split_blocks(training->inputs, COLUMNS),
                         .tiles = split_blocks(training->latents, LATENT_TILE) };
    const int64_t count = training->inputs + sums.column_blocks + sums.tiles;

    sums.columns = w->sums;
    sums.squares = sums.columns + training->inputs;
    sums.thresholds = sums.squares + sums.column_blocks;
    memset(w->sums, 0, (size_t)count * sizeof *w->sums);
    #pragma omp parallel for
    for (int64_t c = 0; c < split_blocks(own_columns, COLUMNS); c++) {
        double *square = &sums.squares[training->own_columns.first / COLUMNS + c];
        sum_columns(training, w, split_block(own_columns, COLUMNS, c), sums.columns);
        for (int64_t b = 0; b < row_blocks; b++)
            *square += w->squares[c * row_blocks + b];
    }
    for (int64_t i = 0; i < own_latents; i++)
        sums.thresholds[(training->own_latents.first + i) / LATENT_TILE] +=
            (double)w->threshold[i];
    MPI_Allreduce(MPI_IN_PLACE, w->sums, mpi_count(count), MPI_DOUBLE, MPI_SUM, training->comm);
    return sums;
}

static double sum_of(const double *values, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

static void report_step(struct step_report *report, const struct training *training,
                        const struct workspace *w, const struct sums *sums)
{
    const struct recipe *recipe = &training->recipe;
    int64_t active = 0;

    for (int64_t row = 0; row < w->batch; row++)
        active += w->rows->middle[row] - w->rows->start[row];
    *report = (struct step_report){
        .step = training->step,
        .mse = sum_of(sums->squares, sums->column_blocks) / (double)w->batch,
        .l0 = (double)active / (double)w->batch,
        .near = (double)(w->rows->start[w->batch] - active) / (double)w->batch,
        .rate = recipe_rate(recipe, training->step),
        .threshold = sum_of(sums->thresholds, sums->tiles) / training->latents,
    };
    report->slope = recipe_penalty_slope(recipe, training->step, report->l0);
    report->loss = report->mse + recipe_penalty(recipe, training->step, report->l0);
}

static void count_silence(struct training *training, const struct workspace *w)
{
    for (int32_t i = 0; i < training->latents; i++)
        if (w->columns->middle[i] > w->columns->start[i])
            training->silent[i] = 0;
        else
            training->silent[i] += w->batch;
}

enum status training_step(struct training *training, struct workspace *workspace, const float *x,
                          struct step_report *report)
{
    struct workspace *w = workspace;

    encode(training, w, x);
    double since = omp_get_wtime();
    decode(training, w);
    since = part_done(w->spent, PART_DECODE, 1, since);
    const struct sums sums = sum_up(training, w);
    report_step(report, training, w, &sums);
    if (!isfinite(report->loss))
        return refuse(E_NUMERIC, "the loss of step %lld is not finite", (long long)report->step);

    since = part_done(w->spent, PART_EXCHANGE, 1, since);
    decode_back(training, w);
    since = part_done(w->spent, PART_BACK, 1, since);
    find_latent_gradients(training, w, report->slope);
    find_decoder_bias_gradient(training, w, sums.columns);
    since = part_done(w->spent, PART_WEIGHTS, 1, since);
    update(training, w);
    part_done(w->spent, PART_UPDATE, 1, since);
    count_silence(training, w);
    report->dead = training_dead(training);
    training->density = report->l0 / training->latents;
    training->step++;
    return OK;
}
