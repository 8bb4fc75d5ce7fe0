#include "sae/step.h"
#include "kernels/slice.h"
#include "sae/architecture.h"
#include "sae/decode.h"
#include "sae/encode.h"
#include "sae/gradients.h"
#include "sae/update.h"

#include <math.h>
#include <string.h>

/* Sums over rows or latents that every rank needs.  Each number below is found by one rank,
 * the owner of the column, block or tile; the others bring 0, so the order in which MPI
 * adds them does not matter. */
struct sums {
    double *columns;    /* [outputs] of the first residual: of all groups together */
    double *squares;    /* [residuals, column blocks] */
    double *thresholds; /* [tiles] */
    int64_t residuals, column_blocks, tiles;
};

static struct sums place_sums(const struct training *training, const struct workspace *w)
{
    struct sums sums = { .residuals = group_count(training) + w->aside_decoded,
                         .column_blocks = split_blocks(training->outputs, COLUMNS),
                         .tiles = split_blocks(training->latents, LATENT_TILE) };

    sums.columns = w->sums;
    sums.squares = sums.columns + training->outputs;
    sums.thresholds = sums.squares + sums.residuals * sums.column_blocks;
    return sums;
}

static void sum_columns(const struct training *training, const struct workspace *w,
                        struct range block, double *sums)
{
    const int64_t own = training->own_columns.end - training->own_columns.first;

    for (int64_t b = 0; b < split_blocks(w->batch, ROW_BLOCK); b++)
        for (int64_t j = block.first; j < block.end; j++)
            sums[training->own_columns.first + j] += w->block_sums[b * own + j];
}

/* The own numbers.  Local. */
static void sum_own(const struct training *training, struct workspace *w, struct sums *sums)
{
    const int64_t own_columns = training->own_columns.end - training->own_columns.first;
    const int64_t own_blocks = split_blocks(own_columns, COLUMNS);
    const int64_t first_block = training->own_columns.first / COLUMNS;
    const int64_t row_blocks = split_blocks(w->batch, ROW_BLOCK);

    #pragma omp parallel for
    for (int64_t c = 0; c < own_blocks; c++) {
        sum_columns(training, w, split_block(own_columns, COLUMNS, c), sums->columns);
        for (int64_t r = 0; r < sums->residuals; r++)
            for (int64_t b = 0; b < row_blocks; b++)
                sums->squares[r * sums->column_blocks + first_block + c] +=
                    w->squares[(r * own_blocks + c) * row_blocks + b];
    }
    for (int64_t i = 0; i < own_count(training); i++)
        sums->thresholds[(training->own_latents.first + i) / LATENT_TILE] +=
            (double)w->threshold[i];
}

static double sum_of(const double *values, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

/* Everybody's; the mean threshold goes into the report.  Collective. */
static void sum_up(const struct training *training, struct workspace *w,
                   struct step_report *report)
{
    struct sums sums = place_sums(training, w);
    const int64_t count = training->outputs + sums.residuals * sums.column_blocks + sums.tiles;

    memset(w->sums, 0, (size_t)count * sizeof *w->sums);
    sum_own(training, w, &sums);
    MPI_Allreduce(MPI_IN_PLACE, w->sums, mpi_count(count), MPI_DOUBLE, MPI_SUM, training->comm);
    w->column_sums = sums.columns;
    for (int64_t r = 0; r < sums.residuals; r++)
        w->square_sums[r] = sum_of(sums.squares + r * sums.column_blocks, sums.column_blocks);
    report->threshold = sum_of(sums.thresholds, sums.tiles) / training->latents;
}

static void report_step(struct step_report *report, const struct training *training,
                        struct workspace *w)
{
    const double batch = (double)w->batch;
    const int groups = group_count(training);
    int64_t active = 0;

    for (int64_t row = 0; row < w->batch; row++)
        active += w->rows->middle[row] - w->rows->start[row];
    report->step = training->step;
    report->mse = w->square_sums[groups - 1] / batch;
    report->l0 = (double)active / batch;
    report->near = (double)(w->rows->start[w->batch] - active) / batch;
    report->rate = recipe_rate(&training->recipe, training->step);
    report->loss = sum_of(w->square_sums, groups) / groups / batch;
    training->recipe.architecture->penalise(training, w, report);
    report->loss += report->auxiliary;
}

static void count_silence(struct training *training, const struct workspace *w)
{
    for (int32_t i = 0; i < training->latents; i++)
        if (w->fired[i] > 0)
            training->silent[i] = 0;
        else
            training->silent[i] += w->batch;
}

enum status training_step(struct training *training, struct workspace *workspace, const float *x,
                          float *target, struct step_report *report)
{
    struct workspace *w = workspace;

    *report = (struct step_report){0};
    w->target = target;
    if (w->in_target)
        w->residual[0] = target;
    encode(training, w, x);
    double since = omp_get_wtime();
    if (!training->recipe.architecture->unit_decoder)
        find_decoder_norms(training, w);
    decode(training, w);
    since = part_done(w->spent, PART_DECODE, 1, since);
    sum_up(training, w, report);
    report_step(report, training, w);
    if (!isfinite(report->loss))
        return refuse(E_NUMERIC, "the loss of step %lld is not finite", (long long)report->step);

    since = part_done(w->spent, PART_EXCHANGE, 1, since);
    decode_back(training, w);
    since = part_done(w->spent, PART_BACK, 1, since);
    find_latent_gradients(training, w);
    find_decoder_bias_gradient(training, w);
    clip_gradients(training, w);
    since = part_done(w->spent, PART_LATENTS, 1, since);
    update(training, w);
    part_done(w->spent, PART_UPDATE, 1, since);
    count_silence(training, w);
    report->dead = training_dead(training);
    training->density = report->l0 / training->latents;
    training->step++;
    return OK;
}
