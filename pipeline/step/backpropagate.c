#include "step/backpropagate.h"
#include "base/allocate.h"
#include "base/ordered_sum.h"
#include "kernels/rows.h"
#include "step/architecture.h"
#include "step/decode.h"
#include "step/rank_sum.h"

#include <omp.h>
#include <stdlib.h>

enum { LATENT_GROUP = 32 };     /* latents that a thread differentiates at a time */

/* ---- dot products -------------------------------------------------------------------- */

/* Rows of a piece of the running sum.  Every piece packs the decoder again, so there are few of
 * them, but enough for all ranks to work at the same time. */
static int64_t rows_of_piece(int64_t rows, MPI_Comm comm)
{
    int ranks;

    MPI_Comm_size(comm, &ranks);
    return split_blocks(split_blocks(rows, 4 * ranks), ROW_BLOCK) * ROW_BLOCK;
}

struct dot_sum {
    const struct training  *training;
    const struct lists     *lists;
    const struct residuals *residuals;
    struct step_scratch    *scratch;
    float                  *dots;
    int64_t                 rows;       /* of a piece */
};

static void add_dots(void *context, int64_t piece)
{
    const struct dot_sum *s = context;

    decode_dots(s->training, s->lists, s->residuals, s->scratch,
                split_block(s->lists->rows.groups, s->rows, piece), s->dots);
}

/* Sum the dot products over the columns of all ranks.  Collective. */
static void sum_dots(struct dot_sum *sum, bool begun)
{
    const struct codes *rows = &sum->lists->rows;
    const int64_t pieces = split_blocks(rows->groups, sum->rows);
    int64_t *bounds = allocate(pieces + 1, sizeof *bounds);

    for (int64_t p = 0; p < pieces; p++) {
        const struct range part = split_block(rows->groups, sum->rows, p);
        bounds[p] = rows->start[part.first];
        bounds[p + 1] = rows->start[part.end];
    }
    const struct ordered_sum chain = { sum->training->comm, MPI_FLOAT, pieces, bounds, begun };
    ordered_sum_run(&chain, sum->dots, add_dots, sum);
    free(bounds);
}

/* ---- latents ------------------------------------------------------------------------- */

/* Sum the own encoder rows of one tile, weighted by the sums of their gradients. */
static void sum_tile(const struct training *training, const struct gradients *gradients,
                     const struct step_scratch *scratch, struct range tile)
{
    const int64_t first = tile.first - training->own_latents.first, inputs = training->inputs;
    double *sum = step_scratch_own(scratch);

    rows_combine(sum, gradients->input_sum + first,
                 training->tensors[ENCODER].value + first * inputs, range_length(tile), inputs);
    for (int64_t j = 0; j < inputs; j++)
        gradients->tile_sums[first / LATENT_TILE * inputs + j] = (float)sum[j];
}

static void differentiate(const struct training *training, const struct criteria *criteria,
                          const struct penalty *penalty, const struct step_scratch *scratch,
                          struct gradients *gradients)
{
    const struct range all = { 0, training->latents }, own = training->own_latents;
    const struct pass pass = gradients->pass;

    #pragma omp parallel
    {
        #pragma omp for schedule(dynamic)
        for (int64_t p = 0; p < pass_pieces(pass, all, LATENT_GROUP); p++) {
            const struct range group = pass_piece(pass, all, LATENT_GROUP, p);
            for (int64_t latent = group.first; latent < group.end; latent++)
                training->architecture->differentiate(training, criteria, penalty, gradients,
                                                      latent);
        }
        #pragma omp for
        for (int64_t t = 0; t < pass_pieces(pass, own, LATENT_TILE); t++)
            if (training->centred)
                sum_tile(training, gradients, scratch, pass_piece(pass, own, LATENT_TILE, t));
    }
}

/* ---- all of it ----------------------------------------------------------------------- */

void backpropagate(const struct training *training, const struct criteria *criteria,
                   const struct penalty *penalty, const struct lists *lists,
                   const struct residuals *residuals, bool dots_begun,
                   struct step_scratch *scratch, struct gradients *gradients)
{
    struct dot_sum sum = { training, lists, residuals, scratch, gradients->dots,
                           rows_of_piece(lists->rows.groups, training->comm) };
    double since = omp_get_wtime();

    sum_dots(&sum, dots_begun);
    since = step_timer_part(&scratch->timer, PART_BACK, 1, since);
    gradients->pass = lists->pass;
    gradients->latents.groups = training->latents;
    codes_transpose(&gradients->latents, gradients->gradient, &lists->rows, gradients->dots);
    differentiate(training, criteria, penalty, scratch, gradients);
    step_timer_part(&scratch->timer, PART_LATENTS, 1, since);
}

void backpropagate_decoder_bias(const struct training *training, const struct errors *errors,
                                struct gradients *gradients)
{
    const int64_t tiles = split_blocks(training_own_latents(training), LATENT_TILE);
    const double scale = residuals_scale(training);

    for (int64_t j = 0; j < training->outputs; j++)
        gradients->decoder_bias[j] = (float)(scale * errors->columns[j]);
    if (!training->centred)
        return;
    rank_sum(training->comm, gradients->encoder_sums, gradients->tile_sums, tiles,
             training->inputs);
    for (int64_t j = 0; j < training->inputs; j++)
        gradients->decoder_bias[j] = (float)(scale * errors->columns[j]
                                             - gradients->encoder_sums[j]);
}

/* Besides that of decode_dots() each thread has a row of sums in double. */
struct scratch_size backpropagate_scratch(const struct step_sizes *sizes)
{
    return (struct scratch_size){
        .own = sizes->needs.shape.inputs * (int64_t)sizeof(double),
    };
}
