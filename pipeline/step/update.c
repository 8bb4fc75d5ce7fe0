#include "step/update.h"
#include "kernels/bf16.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/architecture.h"
#include "step/decode.h"
#include "step/gradients.h"

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

static void add_blocks(const struct training *training, struct workspace *w)
{
    sum_over_ranks(training->comm, w->norms, w->block_norms,
                   split_blocks(length(training->own_columns), COLUMNS), training->latents);
}

static void square_blocks(const struct training *training, struct workspace *w, int64_t latent,
                          struct range columns)
{
    const float *row = training->tensors[DECODER].value
                       + latent * length(training->own_columns);

    for (int64_t first = columns.first; first < columns.end; first += COLUMNS) {
        const int64_t end = first + COLUMNS < columns.end ? first + COLUMNS : columns.end;
        w->block_norms[first / COLUMNS * training->latents + latent] =
            (float)values_sum_squares(row + first, end - first);
    }
}

void find_decoder_norms(const struct training *training, struct workspace *workspace)
{
    #pragma omp parallel for
    for (int64_t i = 0; i < training->latents; i++)
        square_blocks(training, workspace, i, (struct range){ 0, length(training->own_columns) });
    add_blocks(training, workspace);
}

/* What is moved, and how. */
struct mover {
    struct training  *training;
    struct workspace *w;
    struct adam       adam;
};

static void move_rows(struct tensor *tensor, int64_t at, int64_t ld, const float *gradient,
                      int64_t ld_gradient, const double *along, int64_t rows, int64_t columns,
                      const struct adam *adam)
{
    adam_rows(tensor->value + at, tensor->mean != NULL ? tensor->mean + at : NULL,
              tensor->square + at, ld, gradient, ld_gradient, along, rows, columns, adam);
}

static void move_decoder(void *context, struct range latents, struct range columns,
                         float *gradient, int64_t ld)
{
    const struct mover *m = context;
    const int64_t own = length(m->training->own_columns);

    move_rows(&m->training->tensors[DECODER], latents.first * own + columns.first, own, gradient,
              ld, m->w->along + latents.first, length(latents), length(columns), &m->adam);
    for (int64_t i = latents.first; i < latents.end; i++)
        square_blocks(m->training, m->w, i, columns);
}

static void move_encoder(void *context, struct range latents, struct range columns,
                         float *gradient, int64_t ld)
{
    const struct mover *m = context;
    const int64_t inputs = m->training->inputs;
    const int64_t own = latents.first - m->training->own_latents.first;

    move_rows(&m->training->tensors[ENCODER], own * inputs + columns.first, inputs, gradient, ld,
              NULL, length(latents), length(columns), &m->adam);
}

/* Rows of the decoder back to norm 1. */
static void normalise_decoder(struct training *training, struct workspace *w)
{
    const int64_t columns = length(training->own_columns);

    add_blocks(training, w);
    #pragma omp parallel for
    for (int64_t i = 0; i < training->latents; i++)
        values_scale(training->tensors[DECODER].value + i * columns,
                     (float)(1 / sqrt(w->norms[i])), columns);
}

/* ---- the others ---------------------------------------------------------------------- */

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

void update_weights(struct training *training, struct workspace *workspace)
{
    struct mover mover = { training, workspace, recipe_adam(&training->recipe, training->step) };

    visit_decoder_gradients(training, workspace, move_decoder, &mover);
    visit_encoder_gradients(training, workspace, move_encoder, &mover);
}

void update_rest(struct training *training, struct workspace *workspace)
{
    const struct architecture *architecture = training->recipe.architecture;
    const struct adam adam = recipe_adam(&training->recipe, training->step);

    if (architecture->unit_decoder)
        normalise_decoder(training, workspace);
    if (training->recipe.skip)
        update_skip(training, workspace, &adam);
    update_vectors(training, workspace, &adam);
    if (architecture->settle != NULL)
        architecture->settle(training, workspace);
}
