#include "step/step.h"
#include "base/allocate.h"
#include "kernels/slice.h"
#include "shard/store.h"
#include "step/architecture.h"
#include "step/clip.h"
#include "step/decode.h"
#include "step/encode.h"
#include "step/gradients.h"
#include "step/turns.h"
#include "step/update.h"

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
    MPI_Allreduce(MPI_IN_PLACE, w->sums, comm_count(count), MPI_DOUBLE, MPI_SUM, training->comm);
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

    report->step = training->step;
    report->mse = w->square_sums[groups - 1] / batch;
    report->l0 = (double)w->active / batch;
    report->near = (double)w->aside / batch;
    report->rate = recipe_rate(&training->recipe, training->step);
    report->loss = sum_of(w->square_sums, groups) / groups / batch;
    training->recipe.architecture->penalise(training, w, report);
    report->loss += report->auxiliary;
}

/* ---- turns -------------------------------------------------------------------------- */

/* Which residuals are kept; the memory of the others is not wanted. */
static void choose_residuals(const struct training *training, struct workspace *w)
{
    for (int r = 0; r < w->room.residuals; r++) {
        struct packed_rows *residual = &w->residual[r];
        residual->width = training->own_columns.end - training->own_columns.first;
        w->kept[r] = residual_kept(training, w, r);
        if (!w->kept[r])
            allocate_release(residual->memory,
                          w->batch * residual->width * store_bytes(residual->store));
    }
}

static void begin_step(const struct training *training, struct workspace *w,
                       const struct packed_rows *x, const struct packed_rows *target)
{
    w->x = x;
    w->target = target;
    w->turns = turn_count(training);
    choose_residuals(training, w);
    w->turn = -1;
    w->active = w->aside = 0;
    w->gradient_square = 0;
    memset(w->sparsity, 0, (size_t)w->batch * sizeof *w->sparsity);
    memset(w->fired, 0, (size_t)training->latents * sizeof *w->fired);
}

/* The lists of a turn, unless they are there.  Collective. */
static void list_turn(const struct training *training, struct workspace *w, int64_t turn)
{
    if (w->turn == turn)
        return;
    w->turn = turn;
    w->derived = false;
    encode_turn(training, w);
}

/* What is counted of all entries. */
static void count_entries(const struct training *training, struct workspace *w)
{
    const struct architecture *architecture = training->recipe.architecture;
    const struct codes *rows = w->rows;
    const double since = omp_get_wtime();

    for (int64_t row = 0; row < w->batch; row++) {
        const int32_t first = rows->start[row], middle = rows->middle[row];
        w->active += middle - first;
        w->aside += rows->start[row + 1] - middle;
        w->sparsity[row] += architecture->sparsity != NULL ? architecture->sparsity(w, row)
                                                           : (double)(middle - first);
        for (int32_t k = first; k < middle; k++)
            w->fired[rows->index[k]]++;
    }
    part_done(w->spent, PART_SCAN, 1, since);
}

/* All residuals.  Collective. */
static void reconstruct(const struct training *training, struct workspace *w)
{
    double since = omp_get_wtime();

    if (!training->recipe.architecture->unit_decoder)
        find_decoder_norms(training, w);
    part_done(w->spent, PART_DECODE, 1, since);
    for (int64_t turn = 0; turn < w->turns; turn++) {
        list_turn(training, w, turn);
        count_entries(training, w);
        since = omp_get_wtime();
        decode(training, w);
        part_done(w->spent, PART_DECODE, 1, since);
    }
}

/* What the gradients of a turn's latents are made of, unless it is there.  Collective. */
static void derive_turn(const struct training *training, struct workspace *w, int64_t turn)
{
    list_turn(training, w, turn);
    if (w->derived)
        return;
    double since = omp_get_wtime();
    decode_back(training, w);
    since = part_done(w->spent, PART_BACK, 1, since);
    find_latent_gradients(training, w);
    part_done(w->spent, PART_LATENTS, 1, since);
    w->derived = true;
}

/* The i-th turn when they are taken once more, from the one whose lists are there, the first or the
 * last, to the other. */
static int64_t again(const struct workspace *w, bool backwards, int64_t i)
{
    return backwards ? w->turns - 1 - i : i;
}

/* The factor that brings the norm of all gradients to what the recipe allows.  Collective. */
static void find_factor(const struct training *training, struct workspace *w)
{
    const bool backwards = w->turn > 0;

    w->clipped = 1;
    if (!(training->recipe.train.clip > 0))
        return;
    for (int64_t i = 0; i < w->turns; i++) {
        derive_turn(training, w, again(w, backwards, i));
        add_gradient_squares(training, w);
    }
    find_clipping(training, w);
}

/* Move everything.  Collective. */
static void update(struct training *training, struct workspace *w)
{
    find_factor(training, w);
    const bool backwards = w->turn > 0;
    for (int64_t i = 0; i < w->turns; i++) {
        derive_turn(training, w, again(w, backwards, i));
        const double since = omp_get_wtime();
        clip_entries(training, w);
        update_weights(training, w);
        part_done(w->spent, PART_UPDATE, 1, since);
    }
    double since = omp_get_wtime();
    find_decoder_bias_gradient(training, w);
    clip_vectors(training, w);
    since = part_done(w->spent, PART_LATENTS, 1, since);
    update_rest(training, w);
    part_done(w->spent, PART_UPDATE, 1, since);
}

static void count_silence(struct training *training, const struct workspace *w)
{
    for (int32_t i = 0; i < training->latents; i++)
        if (w->fired[i] > 0)
            training->silent[i] = 0;
        else
            training->silent[i] += w->batch;
}

enum status training_step(struct training *training, struct workspace *workspace,
                          const struct packed_rows *x, const struct packed_rows *target,
                          struct step_report *report)
{
    struct workspace *w = workspace;

    *report = (struct step_report){0};
    begin_step(training, w, x, target);
    reconstruct(training, w);
    const double since = omp_get_wtime();
    sum_up(training, w, report);
    report_step(report, training, w);
    part_done(w->spent, PART_EXCHANGE, 1, since);
    if (!isfinite(report->loss))
        return refuse(E_NUMERIC, "the loss of step %lld is not finite", (long long)report->step);
    update(training, w);
    count_silence(training, w);
    report->dead = training_dead(training);
    training->density = (report->l0 + report->near) / training->latents;
    training->step++;
    return OK;
}
