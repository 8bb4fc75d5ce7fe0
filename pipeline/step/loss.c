#include "step/loss.h"
#include "step/architecture.h"

#include <math.h>
#include <string.h>

void loss_storage(struct penalty *penalty, struct errors *errors, const struct step_sizes *sizes,
                  struct storage *storage)
{
    const int64_t batch = sizes->needs.batch, latents = sizes->needs.shape.latents;

    STORAGE(storage, penalty->sparsity, batch);
    STORAGE(storage, penalty->fired, latents);
    STORAGE(storage, penalty->decoder_norms, latents);
    STORAGE(storage, penalty->slope, batch);
    STORAGE(storage, errors->memory, sizes->needs.shape.outputs
                                     + sizes->needs.residuals * sizes->column_blocks
                                     + sizes->tiles);
}

/* ---- counts -------------------------------------------------------------------------- */

void loss_begin(struct penalty *penalty, const struct training *training)
{
    penalty->active = penalty->auxiliary = 0;
    penalty->auxiliary_scale = 0;
    memset(penalty->sparsity, 0, (size_t)training->batch * sizeof *penalty->sparsity);
    memset(penalty->fired, 0, (size_t)training->latents * sizeof *penalty->fired);
}

void loss_count(struct penalty *penalty, const struct training *training,
                const struct lists *lists)
{
    const struct architecture *architecture = training->architecture;
    const struct codes *rows = &lists->rows;

    for (int64_t row = 0; row < rows->groups; row++) {
        const int32_t first = rows->start[row], middle = rows->middle[row];
        penalty->active += middle - first;
        penalty->auxiliary += rows->start[row + 1] - middle;
        penalty->sparsity[row] += architecture->sparsity != NULL
                                ? architecture->sparsity(rows, row, penalty->decoder_norms)
                                : (double)(middle - first);
        for (int32_t k = first; k < middle; k++)
            penalty->fired[rows->index[k]]++;
    }
}

/* ---- sums over ranks ----------------------------------------------------------------- */

/* Where the sums lie.  One rank finds each number, the owner of the column, block or tile; the
 * others bring 0, so the order in which MPI adds them does not matter. */
struct sums {
    double *columns;        /* [outputs] */
    double *squares;        /* [residuals, column blocks] */
    double *thresholds;     /* [tiles] */
    int64_t column_blocks, tiles, all;
};

static struct sums place_sums(const struct errors *errors, const struct training *training,
                              int residuals)
{
    struct sums sums = { .columns = errors->memory,
                         .column_blocks = split_blocks(training->outputs, COLUMNS),
                         .tiles = split_blocks(training->latents, LATENT_TILE) };

    sums.squares = sums.columns + training->outputs;
    sums.thresholds = sums.squares + residuals * sums.column_blocks;
    sums.all = sums.thresholds + sums.tiles - sums.columns;
    return sums;
}

static void sum_columns(const struct training *training, const struct residuals *residuals,
                        struct range block, double *columns)
{
    const int64_t own = training_own_columns(training);

    for (int64_t b = 0; b < split_blocks(training->batch, ROW_BLOCK); b++)
        for (int64_t j = block.first; j < block.end; j++)
            columns[training->own_columns.first + j] += residuals->column_sums[b * own + j];
}

/* The numbers that this rank owns.  Local. */
static void sum_own(const struct training *training, const struct criteria *criteria,
                    const struct residuals *residuals, const struct sums *sums)
{
    const int64_t own = training_own_columns(training), rows = training->batch;
    const int64_t first_block = training->own_columns.first / COLUMNS;

    #pragma omp parallel for
    for (int64_t c = 0; c < split_blocks(own, COLUMNS); c++) {
        sum_columns(training, residuals, split_block(own, COLUMNS, c), sums->columns);
        for (int r = 0; r < residuals->count; r++)
            for (int64_t b = 0; b < split_blocks(rows, ROW_BLOCK); b++)
                sums->squares[r * sums->column_blocks + first_block + c] +=
                    *residuals_square(residuals, rows, r, c, b);
    }
    for (int64_t i = 0; i < training_own_latents(training); i++)
        sums->thresholds[(training->own_latents.first + i) / LATENT_TILE] +=
            (double)criteria->threshold[i];
}

static double sum_of(const double *values, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += values[i];
    return sum;
}

void loss_sum_errors(struct errors *errors, const struct training *training,
                     const struct criteria *criteria, const struct residuals *residuals)
{
    const struct sums sums = place_sums(errors, training, residuals->count);

    memset(errors->memory, 0, (size_t)sums.all * sizeof *errors->memory);
    sum_own(training, criteria, residuals, &sums);
    MPI_Allreduce(MPI_IN_PLACE, errors->memory, comm_count(sums.all), MPI_DOUBLE, MPI_SUM,
                  training->comm);
    errors->columns = sums.columns;
    for (int r = 0; r < residuals->count; r++)
        errors->squares[r] = sum_of(sums.squares + r * sums.column_blocks, sums.column_blocks);
    errors->auxiliary = residuals->count > residuals->groups;
    errors->threshold = sum_of(sums.thresholds, sums.tiles) / training->latents;
}

void loss_find(struct penalty *penalty, const struct training *training,
               const struct errors *errors, struct step_report *report)
{
    const double batch = (double)training->batch;
    const int groups = training_groups(training);

    *report = (struct step_report){
        .step = training->step,
        .threshold = errors->threshold,
        .mse = errors->squares[groups - 1] / batch,
        .l0 = (double)penalty->active / batch,
        .near = (double)penalty->auxiliary / batch,
        .rate = recipe_rate(&training->recipe, training->step),
        .loss = sum_of(errors->squares, groups) / groups / batch,
    };
    training->architecture->penalise(training, errors, penalty, report);
    report->loss += report->auxiliary;
}
