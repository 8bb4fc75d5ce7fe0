#include "step/update.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/architecture.h"

#include <math.h>

static void move(struct tensor *tensor, int64_t first, int64_t count, const float *gradient,
                 const struct adam *adam)
{
    adam_update(tensor->value + first, tensor->mean != NULL ? tensor->mean + first : NULL,
                tensor->square + first, gradient, 0, count, adam);
}

/* ---- weights ------------------------------------------------------------------------- */

struct mover {
    struct training *training;
    const struct gradients *gradients;
    struct norms    *norms;
    struct adam      adam;
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
    const int64_t own = training_own_columns(m->training);

    move_rows(&m->training->tensors[DECODER], latents.first * own + columns.first, own, gradient,
              ld, m->gradients->along + latents.first, range_length(latents),
              range_length(columns), &m->adam);
    for (int64_t i = latents.first; i < latents.end; i++)
        norms_square_row(m->norms, m->training, i, columns);
}

static void move_encoder(void *context, struct range latents, struct range columns,
                         float *gradient, int64_t ld)
{
    const struct mover *m = context;
    const int64_t inputs = m->training->inputs;
    const int64_t own = latents.first - m->training->own_latents.first;

    move_rows(&m->training->tensors[ENCODER], own * inputs + columns.first, inputs, gradient, ld,
              NULL, range_length(latents), range_length(columns), &m->adam);
}

void update_weights(struct training *training, const struct weight_sources *sources,
                    struct norms *norms)
{
    struct mover mover = { training, sources->gradients, norms,
                           recipe_adam(&training->recipe, training->step) };

    weight_gradients_decoder(sources, move_decoder, &mover);
    weight_gradients_encoder(sources, move_encoder, &mover);
}

/* ---- the others ---------------------------------------------------------------------- */

static void normalise_decoder(struct training *training, struct norms *norms)
{
    const int64_t columns = training_own_columns(training);

    norms_sum_blocks(norms, training, norms->sums);
    #pragma omp parallel for
    for (int64_t i = 0; i < training->latents; i++)
        values_scale(training->tensors[DECODER].value + i * columns,
                     (float)(1 / sqrt(norms->sums[i])), columns);
}

static void update_skip(struct training *training, const struct weight_sources *sources,
                        const struct adam *adam)
{
    const int64_t columns = training_own_columns(training), inputs = training->inputs;

    #pragma omp parallel for schedule(dynamic)
    for (int64_t c = 0; c < split_blocks(columns, COLUMNS); c++) {
        const struct range block = split_block(columns, COLUMNS, c);
        move(&training->tensors[SKIP], block.first * inputs, range_length(block) * inputs,
             weight_gradients_skip(sources, block), adam);
    }
}

static void update_vectors(struct training *training, const struct gradients *gradients,
                           const struct adam *adam)
{
    move(&training->tensors[DECODER_BIAS], 0, training->outputs, gradients->decoder_bias, adam);
    for (int v = 0; v < VECTORS; v++)
        if (training->tensors[ENCODER_BIAS + v].name != NULL)
            move(&training->tensors[ENCODER_BIAS + v], 0, training_own_latents(training),
                 gradients->vector[v], adam);
}

void update_rest(struct training *training, const struct weight_sources *sources,
                 struct norms *norms)
{
    const struct adam adam = recipe_adam(&training->recipe, training->step);

    if (training->architecture->unit_decoder)
        normalise_decoder(training, norms);
    if (training->recipe.skip)
        update_skip(training, sources, &adam);
    update_vectors(training, sources->gradients, &adam);
}
