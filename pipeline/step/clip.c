#include "step/clip.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/rank_sum.h"

#include <math.h>
#include <string.h>

struct squarer {
    const struct weight_sources *sources;
    struct norms *norms;
};

/* Square some decoder rows' gradients, without the part that is taken away, in each block of own
 * columns. */
static void square_decoder(void *context, struct range latents, struct range columns,
                           float *gradient, int64_t ld)
{
    const struct squarer *s = context;
    const struct training *training = s->sources->training;
    const int64_t own = training_own_columns(training), width = range_length(columns);

    for (int64_t i = latents.first; i < latents.end; i++) {
        const float *row = training->tensors[DECODER].value + i * own + columns.first;
        const float along = (float)s->sources->gradients->along[i];
        float *g = gradient + (i - latents.first) * ld;
        for (int64_t j = 0; j < width; j++)
            g[j] -= along * row[j];
        for (int64_t c = 0; c < split_blocks(width, COLUMNS); c++) {
            const struct range block = split_block(width, COLUMNS, c);
            s->norms->blocks[(columns.first / COLUMNS + c) * training->latents + i] =
                (float)values_sum_squares(g + block.first, range_length(block));
        }
    }
}

/* Square those of encoder rows, in each block of columns. */
static void square_encoder(void *context, struct range latents, struct range columns,
                           float *gradient, int64_t ld)
{
    const struct squarer *s = context;
    const struct training *training = s->sources->training;
    const int64_t own = training_own_latents(training), first = training->own_latents.first;
    const int64_t width = range_length(columns);

    for (int64_t i = latents.first; i < latents.end; i++)
        for (int64_t c = 0; c < split_blocks(width, COLUMNS); c++) {
            const struct range block = split_block(width, COLUMNS, c);
            s->norms->blocks[(columns.first / COLUMNS + c) * own + i - first] =
                (float)values_sum_squares(gradient + (i - latents.first) * ld + block.first,
                                          range_length(block));
        }
}

/* Square the gradients of the own latents' encoder rows and vectors, of this pass. */
static void square_latents(const struct weight_sources *sources, struct norms *norms)
{
    const struct training *training = sources->training;
    const struct gradients *gradients = sources->gradients;
    const struct range range = training->own_latents;
    const int64_t own = range_length(range);
    struct squarer squarer = { sources, norms };

    weight_gradients_encoder(sources, square_encoder, &squarer);
    for (int64_t t = 0; t < pass_pieces(gradients->pass, range, LATENT_TILE); t++) {
        const struct range tile = pass_piece(gradients->pass, range, LATENT_TILE, t);
        for (int64_t latent = tile.first; latent < tile.end; latent++) {
            const int64_t i = latent - range.first;
            double *sum = &norms->sums[latent];
            for (int64_t c = 0; c < split_blocks(training->inputs, COLUMNS); c++)
                *sum += (double)norms->blocks[c * own + i];
            for (int v = 0; v < VECTORS; v++)
                if (training->tensors[ENCODER_BIAS + v].name != NULL)
                    *sum += pow((double)gradients->vector[v][i], 2);
        }
    }
}

/* The sum over the latents of a pass. */
static double sum_of_pass(const double *sums, int64_t latents, struct pass pass)
{
    const struct range all = { 0, latents };
    double sum = 0;

    for (int64_t t = 0; t < pass_pieces(pass, all, LATENT_TILE); t++) {
        const struct range tile = pass_piece(pass, all, LATENT_TILE, t);
        for (int64_t i = tile.first; i < tile.end; i++)
            sum += sums[i];
    }
    return sum;
}

void clip_add_squares(const struct weight_sources *sources, struct norms *norms, double *squares)
{
    const struct training *training = sources->training;
    const struct pass pass = sources->gradients->pass;
    const int64_t latents = training->latents;
    struct squarer squarer = { sources, norms };

    weight_gradients_decoder(sources, square_decoder, &squarer);
    norms_sum_blocks(norms, training, norms->sums);
    *squares += sum_of_pass(norms->sums, latents, pass);

    /* Each latent has one owner, the others bring 0: the order of the ranks does not matter. */
    memset(norms->sums, 0, (size_t)latents * sizeof *norms->sums);
    square_latents(sources, norms);
    MPI_Allreduce(MPI_IN_PLACE, norms->sums, comm_count(latents), MPI_DOUBLE, MPI_SUM,
                  training->comm);
    *squares += sum_of_pass(norms->sums, latents, pass);
}

/* Square the skip matrix's gradient, one number for each block of columns, in the order of the
 * ranks that own them.  Collective. */
static double square_skip(const struct weight_sources *sources, struct norms *norms)
{
    const int64_t columns = training_own_columns(sources->training);
    const int64_t blocks = split_blocks(columns, COLUMNS), inputs = sources->training->inputs;
    double sum = 0;

    if (!sources->training->recipe.skip)
        return 0;
    #pragma omp parallel for
    for (int64_t c = 0; c < blocks; c++) {
        const struct range block = split_block(columns, COLUMNS, c);
        norms->blocks[c] = (float)values_sum_squares(weight_gradients_skip(sources, block),
                                                     range_length(block) * inputs);
    }
    rank_sum(sources->training->comm, &sum, norms->blocks, blocks, 1);
    return sum;
}

double clip_factor(const struct weight_sources *sources, struct norms *norms, double squares)
{
    const struct training *training = sources->training;

    squares += square_skip(sources, norms)
               + values_sum_squares(sources->gradients->decoder_bias, training->outputs);
    const double norm = sqrt(squares), most = training->recipe.train.clip;
    return norm > most ? most / norm : 1;
}

/* The gradients of the weights are linear in the entries' coefficients. */
void clip_entries(const struct training *training, struct gradients *gradients)
{
    const int64_t entries = gradients->latents.start[training->latents];
    const float factor = (float)gradients->factor;

    if (!(gradients->factor < 1))
        return;
    values_scale(gradients->latents.value, factor, entries);
    values_scale(gradients->gradient, factor, entries);
    for (int64_t i = 0; i < training->latents; i++)
        gradients->along[i] *= gradients->factor;
}

void clip_vectors(const struct training *training, struct gradients *gradients)
{
    const float factor = (float)gradients->factor;

    values_scale(gradients->decoder_bias, factor, training->outputs);
    for (int v = 0; v < VECTORS; v++)
        values_scale(gradients->vector[v], factor, training_own_latents(training));
}
