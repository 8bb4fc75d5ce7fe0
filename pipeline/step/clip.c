#include "kernels/bf16.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/architecture.h"
#include "step/clip.h"
#include "step/gradients.h"
#include "step/turns.h"

#include <math.h>
#include <string.h>

static int64_t length(struct range range)
{
    return range.end - range.first;
}

struct squarer {
    const struct training *training;
    struct workspace *w;
};

/* Squared norms of some decoder rows' gradients, without the part that is taken away, in each
 * block of own columns. */
static void square_decoder(void *context, struct range latents, struct range columns,
                           float *gradient, int64_t ld)
{
    const struct squarer *s = context;
    const int64_t own = length(s->training->own_columns), width = length(columns);

    for (int64_t i = latents.first; i < latents.end; i++) {
        const float *row = s->training->tensors[DECODER].value + i * own + columns.first;
        float *g = gradient + (i - latents.first) * ld;
        for (int64_t j = 0; j < width; j++)
            g[j] -= (float)s->w->along[i] * row[j];
        for (int64_t c = 0; c < split_blocks(width, COLUMNS); c++) {
            const struct range block = split_block(width, COLUMNS, c);
            s->w->block_norms[(columns.first / COLUMNS + c) * s->training->latents + i] =
                (float)values_sum_squares(g + block.first, length(block));
        }
    }
}

/* Those of encoder rows, in each block of columns. */
static void square_encoder(void *context, struct range latents, struct range columns,
                           float *gradient, int64_t ld)
{
    const struct squarer *s = context;
    const int64_t own = own_count(s->training), first = s->training->own_latents.first;
    const int64_t width = length(columns);

    for (int64_t i = latents.first; i < latents.end; i++)
        for (int64_t c = 0; c < split_blocks(width, COLUMNS); c++) {
            const struct range block = split_block(width, COLUMNS, c);
            s->w->block_norms[(columns.first / COLUMNS + c) * own + i - first] =
                (float)values_sum_squares(gradient + (i - latents.first) * ld + block.first,
                                   length(block));
        }
}

/* Those of the own latents' encoder rows and vectors, of this turn. */
static void square_latents(const struct training *training, struct workspace *w)
{
    const int64_t own = own_count(training);
    const struct range range = training->own_latents;

    visit_encoder_gradients(training, w, square_encoder, &(struct squarer){ training, w });
    for (int64_t t = 0; t < turn_pieces(w, range, LATENT_TILE); t++) {
        const struct range tile = turn_piece(w, range, LATENT_TILE, t);
        for (int64_t latent = tile.first; latent < tile.end; latent++) {
            const int64_t i = latent - range.first;
            double *norm = &w->gradient_norms[latent];
            for (int64_t c = 0; c < split_blocks(training->inputs, COLUMNS); c++)
                *norm += (double)w->block_norms[c * own + i];
            for (int v = 0; v < VECTORS; v++)
                if (training->tensors[ENCODER_BIAS + v].name != NULL)
                    *norm += pow((double)w->vector_gradient[v][i], 2);
        }
    }
}

/* The sum of the gradients' norms of this turn's latents. */
static double sum_norms(const struct training *training, const struct workspace *w)
{
    const struct range all = { 0, training->latents };
    double sum = 0;

    for (int64_t t = 0; t < turn_pieces(w, all, LATENT_TILE); t++) {
        const struct range tile = turn_piece(w, all, LATENT_TILE, t);
        for (int64_t i = tile.first; i < tile.end; i++)
            sum += w->gradient_norms[i];
    }
    return sum;
}

void add_gradient_squares(const struct training *training, struct workspace *workspace)
{
    struct workspace *w = workspace;
    const int64_t latents = training->latents;

    visit_decoder_gradients(training, w, square_decoder, &(struct squarer){ training, w });
    sum_over_ranks(training->comm, w->gradient_norms, w->block_norms,
                   split_blocks(length(training->own_columns), COLUMNS), latents);
    w->gradient_square += sum_norms(training, w);

    /* Each latent has one owner, the others bring 0: their order does not matter. */
    memset(w->gradient_norms, 0, (size_t)latents * sizeof *w->gradient_norms);
    square_latents(training, w);
    MPI_Allreduce(MPI_IN_PLACE, w->gradient_norms, comm_count(latents), MPI_DOUBLE, MPI_SUM,
                  training->comm);
    w->gradient_square += sum_norms(training, w);
}

/* The skip matrix's, a number for each block of columns; ranks own these in order, so their sum
 * goes round. */
static double square_skip(const struct training *training, struct workspace *w)
{
    const int64_t columns = length(training->own_columns);
    const int64_t blocks = split_blocks(columns, COLUMNS);
    double sum = 0;

    if (!training->recipe.skip)
        return 0;
    #pragma omp parallel for
    for (int64_t c = 0; c < blocks; c++) {
        const struct range block = split_block(columns, COLUMNS, c);
        w->block_norms[c] = (float)values_sum_squares(skip_gradient(training, w, block),
                                               length(block) * training->inputs);
    }
    sum_over_ranks(training->comm, &sum, w->block_norms, blocks, 1);
    return sum;
}

void find_clipping(const struct training *training, struct workspace *workspace)
{
    struct workspace *w = workspace;

    find_decoder_bias_gradient(training, w);
    w->gradient_square += square_skip(training, w)
                          + values_sum_squares(w->decoder_bias_gradient, training->outputs);
    const double norm = sqrt(w->gradient_square), most = training->recipe.train.clip;
    w->clipped = norm > most ? most / norm : 1;
}

/* The gradients of the weights are linear in the entries' coefficients. */
void clip_entries(const struct training *training, struct workspace *workspace)
{
    struct workspace *w = workspace;
    const int64_t entries = w->columns->start[training->latents];
    const float factor = (float)w->clipped;

    if (!(w->clipped < 1))
        return;
    values_scale(w->columns->value, factor, entries);
    values_scale(w->gradient, factor, entries);
    for (int64_t i = 0; i < training->latents; i++)
        w->along[i] *= w->clipped;
}

void clip_vectors(const struct training *training, struct workspace *workspace)
{
    struct workspace *w = workspace;
    const float factor = (float)w->clipped;

    values_scale(w->decoder_bias_gradient, factor, training->outputs);
    for (int v = 0; v < VECTORS; v++)
        values_scale(w->vector_gradient[v], factor, own_count(training));
}
