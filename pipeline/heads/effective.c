#include "heads/effective.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "kernels/gemm.h"
#include "kernels/norm.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Tokens that go through the MLP at a time. */
enum { TILE = 512 };

struct buffers {
    float *normed, *added;      /* [TILE, width] */
    float *hidden;              /* [TILE, mlp_width] */
    void  *tiles;               /* of the products */
};

int64_t effective_bytes(const struct lm_config *c, int threads)
{
    return TILE * (2 * (int64_t)c->width + c->mlp_width) * (int64_t)sizeof(float)
         + linear_scratch(PRECISION_F32, threads);
}

static void make_buffers(struct buffers *b, const struct lm_config *c)
{
    *b = (struct buffers){
        .normed = allocate(TILE * (int64_t)c->width, sizeof(float)),
        .added = allocate(TILE * (int64_t)c->width, sizeof(float)),
        .hidden = allocate(TILE * (int64_t)c->mlp_width, sizeof(float)),
        .tiles = allocate(linear_scratch(PRECISION_F32, omp_get_max_threads()), 1),
    };
}

static void free_buffers(struct buffers *b)
{
    free(b->normed);
    free(b->added);
    free(b->hidden);
    free(b->tiles);
}

static void embed(float *x, const struct weights *weights, const int32_t *ids, int64_t first,
                  int64_t rows)
{
    const struct lm_config *c = &weights->config;

    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++) {
        const int64_t id = ids == NULL ? first + r : ids[first + r];
        for (int64_t i = 0; i < c->width; i++)
            x[r * c->width + i] = weights->embedding[id * c->width + i] * c->embedding_scale;
    }
}

/* What MLP 0 adds to rows x. */
static void run_mlp(struct buffers *b, const struct weights *weights, const float *x, int64_t rows)
{
    const struct lm_config *c = &weights->config;
    const struct layer_weights *w = &weights->layers[0];

    memset(b->added, 0, (size_t)(rows * c->width) * sizeof *b->added);
    if (c->mlp_width == 0)
        return;
    weights_normalise(b->normed, x, w->mlp_norm, c, rows);
    linear_activate(&w->mlp_in, c->activation, b->hidden, b->normed, w->mlp_in_bias, rows,
                    b->tiles);
    linear_apply(&w->mlp_out, b->added, b->hidden, w->mlp_out_bias, rows, b->tiles);
    if (c->post_norms)
        weights_normalise(b->added, b->added, w->mlp_post_norm, c, rows);
}

void effective_embeddings(float *x, const struct weights *weights, enum effective_kind kind,
                          const int32_t *ids, int64_t count)
{
    const int64_t width = weights->config.width;
    struct buffers buffers;

    make_buffers(&buffers, &weights->config);
    for (int64_t from = 0; from < count; from += TILE) {
        const int64_t rows = min_int64(TILE, count - from);
        float *to = x + from * width;
        embed(to, weights, ids, from, rows);
        if (kind != EFFECTIVE_EMBEDDING)
            run_mlp(&buffers, weights, to, rows);
        if (kind == EFFECTIVE_MLP)
            memcpy(to, buffers.added, (size_t)(rows * width) * sizeof *to);
        if (kind == EFFECTIVE_BOTH)
            norm_add_rows(to, buffers.added, rows * width);
    }
    free_buffers(&buffers);
}

void effective_normalise(float *y, const float *x, struct norm_weights norm,
                         const struct lm_config *c, int64_t rows)
{
    float *zeros = norm.bias == NULL ? NULL : allocate(c->width, sizeof *zeros);

    norm.bias = zeros;
    weights_normalise(y, x, norm, c, rows);
    free(zeros);
}

static double size_of(const float *x, bool centred, int64_t width, double epsilon)
{
    double sum = 0, squares = 0;

    for (int64_t i = 0; centred && i < width; i++)
        sum += (double)x[i];
    for (int64_t i = 0; i < width; i++) {
        const double d = (double)x[i] - sum / (double)width;
        squares += d * d;
    }
    return sqrt(squares / (double)width + epsilon);
}

void effective_norm_size(float *size, const float *x, struct norm_weights norm,
                         const struct lm_config *c, int64_t rows)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        size[r] = norm.scale == NULL ? 1
                : (float)size_of(x + r * c->width, norm.bias != NULL, c->width,
                                 (double)c->norm_epsilon);
}

struct effective_head effective_head(const struct weights *weights, int layer, int head)
{
    const struct lm_config *c = &weights->config;
    const struct layer_weights *w = &weights->layers[layer];
    const int64_t e = c->head_width, kv = head / (c->heads / c->kv_heads);

    return (struct effective_head){
        .query = linear_matrix(&w->qkv) + head * e * c->width,
        .key = linear_matrix(&w->qkv) + (c->heads + kv) * e * c->width,
        .value = linear_matrix(&w->qkv) + (c->heads + c->kv_heads + kv) * e * c->width,
        .out = linear_matrix(&w->attn_out) + head * e,
        .out_stride = c->heads * e,
        .out_scale = w->attn_post_norm.scale,
    };
}

void effective_write(float *y, const struct effective_head *head, const struct lm_config *c,
                     const float *v, int64_t stride, int64_t rows)
{
    gemm_nt(y, c->width, v, stride, head->out, head->out_stride, rows, c->width, c->head_width,
            false);
    if (head->out_scale == NULL)
        return;
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < c->width; i++)
            y[r * c->width + i] *= head->out_scale[i];
}
