#include "sae/update.h"
#include "kernels/bf16.h"
#include "kernels/sparse.h"
#include "sae/architecture.h"
#include "sae/decode.h"
#include "sae/gradients.h"

#include <math.h>

static int64_t length(struct range range)
{
    return range.end - range.first;
}

static void move(struct tensor *tensor, int64_t first, int64_t count, const float *gradient,
                 double along, const struct adam *adam)
{
    adam_update(tensor->value + first, tensor->mean != NULL ? tensor->mean + first : NULL,
                tensor->square + first, gradient, (float)along, count, adam);
}

/* ---- decoder ------------------------------------------------------------------------- */

static void square_row(const struct training *training, struct workspace *w, int64_t latent)
{
    const int64_t columns = length(training->own_columns);
    const float *row = training->tensors[DECODER].value + latent * columns;

    for (int64_t c = 0; c < split_blocks(columns, COLUMNS); c++) {
        const struct range block = split_block(columns, COLUMNS, c);
        w->block_norms[c * training->latents + latent] =
            sum_squares(row + block.first, length(block));
    }
}

static void add_blocks(const struct training *training, struct workspace *w)
{
    sum_over_ranks(training->comm, w->norms, w->block_norms,
                   split_blocks(length(training->own_columns), COLUMNS), training->latents);
}

void find_decoder_norms(const struct training *training, struct workspace *workspace)
{
    #pragma omp parallel for
    for (int64_t i = 0; i < training->latents; i++)
        square_row(training, workspace, i);
    add_blocks(training, workspace);
}

static void update_decoder(struct training *training, struct workspace *w, struct range latents,
                           const struct adam *adam)
{
    const int64_t columns = length(training->own_columns);
    const float *gradient = decoder_gradient(training, w, latents);

    for (int64_t i = latents.first; i < latents.end; i++) {
        move(&training->tensors[DECODER], i * columns, columns,
             gradient + (i - latents.first) * columns, w->along[i], adam);
        square_row(training, w, i);
    }
}

/* Rows of the decoder back to norm 1. */
static void normalise_decoder(struct training *training, struct workspace *w)
{
    const int64_t columns = length(training->own_columns);

    add_blocks(training, w);
    #pragma omp parallel for
    for (int64_t i = 0; i < training->latents; i++)
        scale_values(training->tensors[DECODER].value + i * columns,
                     (float)(1 / sqrt(w->norms[i])), columns);
}

/* ---- the others ---------------------------------------------------------------------- */

static void update_encoder(struct training *training, struct workspace *w, struct range own,
                           const struct adam *adam)
{
    const int64_t inputs = training->inputs, first = training->own_latents.first;
    const struct range latents = { own.first + first, own.end + first };

    move(&training->tensors[ENCODER], own.first * inputs, length(own) * inputs,
         encoder_gradient(training, w, latents), 0, adam);
}

static void update_skip(struct training *training, struct workspace *w, const struct adam *adam)
{
    const int64_t columns = length(training->own_columns), inputs = training->inputs;

    #pragma omp parallel for schedule(dynamic)
    for (int64_t c = 0; c < split_blocks(columns, COLUMNS); c++) {
        const struct range block = split_block(columns, COLUMNS, c);
        move(&training->tensors[SKIP], block.first * inputs, length(block) * inputs,
             skip_gradient(training, w, block), 0, adam);
    }
}

static void update_vectors(struct training *training, struct workspace *w,
                           const struct adam *adam)
{
    move(&training->tensors[DECODER_BIAS], 0, training->outputs, w->decoder_bias_gradient, 0,
         adam);
    for (int v = 0; v < VECTORS; v++)
        if (training->tensors[ENCODER_BIAS + v].name != NULL)
            move(&training->tensors[ENCODER_BIAS + v], 0, own_count(training),
                 w->vector_gradient[v], 0, adam);
}

void update(struct training *training, struct workspace *workspace)
{
    const struct architecture *architecture = training->recipe.architecture;
    const struct adam adam = recipe_adam(&training->recipe, training->step);
    const int64_t group = latents_at_once(training), own = own_count(training);
    const int64_t groups = split_blocks(training->latents, group);
    const int64_t own_groups = split_blocks(own, group);

    #pragma omp parallel
    {
        #pragma omp for schedule(dynamic) nowait
        for (int64_t g = 0; g < groups; g++)
            update_decoder(training, workspace, split_block(training->latents, group, g), &adam);
        #pragma omp for schedule(dynamic)
        for (int64_t g = 0; g < own_groups; g++)
            update_encoder(training, workspace, split_block(own, group, g), &adam);
    }
    if (architecture->unit_decoder)
        normalise_decoder(training, workspace);
    if (training->recipe.skip)
        update_skip(training, workspace, &adam);
    update_vectors(training, workspace, &adam);
    if (architecture->settle != NULL)
        architecture->settle(training, workspace);
}
