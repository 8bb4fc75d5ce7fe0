/* gpt2_shape.h -- for benchmarks: a model of the shape of GPT-2 small with random weights, and the
 * median of times. */
#ifndef GPT2_SHAPE_H
#define GPT2_SHAPE_H

#include "base/allocate.h"
#include "base/random.h"
#include "lm/weights.h"

#include <math.h>
#include <stdlib.h>

enum { LAYERS = 12, HEADS = 12, WIDTH = 768, HIDDEN = 3072, VOCABULARY = 50257 };

static void fill(float *x, int64_t count, float size, uint32_t stream)
{
    #pragma omp parallel for
    for (int64_t i = 0; i < count; i++)
        x[i] = size * (random_uniform(17, stream, (uint64_t)i) - 0.5f);
}

static void fill_linear(struct linear *w, uint32_t stream)
{
    float *rows = allocate(w->outputs * w->inputs, sizeof *rows);

    fill(rows, w->outputs * w->inputs, 3.46f / sqrtf((float)w->inputs), stream);
    for (int64_t block = 0; block < linear_blocks(w); block++)
        linear_pack(w, block, rows + block * LINEAR_COLUMNS * w->inputs);
    free(rows);
}

static void fill_norm(struct norm_weights norm)
{
    for (int32_t i = 0; i < WIDTH; i++)
        norm.scale[i] = 1;
}

/* Make the model with learned embeddings of `positions`. */
static void gpt2_shape_make(struct weights *weights, int64_t positions)
{
    const struct lm_config config = {
        .vocabulary = VOCABULARY, .outputs = VOCABULARY, .width = WIDTH, .mlp_width = HIDDEN,
        .layers = LAYERS, .heads = HEADS, .kv_heads = HEADS, .head_width = WIDTH / HEADS,
        .positions = (int32_t)positions, .learned_positions = true, .norm = LM_NORM_LAYER,
        .norm_epsilon = 1e-5f, .pre_norms = true, .bias = { true, true, true },
        .activation = ACTIVATION_GELU_TANH, .tied = true, .embedding_scale = 1,
        .score_scale = 1 / sqrtf(WIDTH / HEADS), .bos = -1, .eos = -1, .pad = -1,
    };

    weights_make(weights, &config, PRECISION_F32, MPI_COMM_SELF);
    fill(weights->embedding, (int64_t)VOCABULARY * WIDTH, 0.1f, 1);
    fill(weights->positions, positions * WIDTH, 0.1f, 2);
    fill_norm(weights->final_norm);
    for (int layer = 0; layer < LAYERS; layer++) {
        struct layer_weights *w = &weights->layers[layer];
        fill_norm(w->attn_norm);
        fill_norm(w->mlp_norm);
        fill_linear(&w->qkv, (uint32_t)(10 * layer + 3));
        fill_linear(&w->attn_out, (uint32_t)(10 * layer + 4));
        fill_linear(&w->mlp_in, (uint32_t)(10 * layer + 5));
        fill_linear(&w->mlp_out, (uint32_t)(10 * layer + 6));
    }
}

static int by_size(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double median(double *seconds, int count)
{
    qsort(seconds, (size_t)count, sizeof *seconds, by_size);
    return seconds[count / 2];
}

#endif
