#include "heads/copy_ranks.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "heads/effective.h"
#include "kernels/gemm.h"
#include "kernels/values.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Tokens that are projected at a time; others that a tile is compared with at a time. */
enum { ROWS = GEMM_ROWS, COLUMNS = GEMM_COLUMNS, TILE = COPY_RANKS_TILE };

/* --- memory ---------------------------------------------------------------------------- */

enum status copy_ranks_check(const struct weights *weights, enum copy_ranks_kind kind)
{
    enum status st;

    TRY(unembedding_check(weights));
    REQUIRE(kind == COPY_RANKS_OV || weights->config.qk_norm == LM_QK_NORM_NONE, E_USAGE,
            "this model normalises its queries and keys, so there are no QK ranks of its heads");
done:
    return st;
}

int64_t copy_ranks_bytes(const struct lm_config *c, int threads)
{
    const int64_t floats = (int64_t)c->vocabulary * (c->width + 2 * c->head_width)
                         + (int64_t)ROWS * c->width + (int64_t)threads * TILE * COLUMNS;

    return floats * (int64_t)sizeof(float) + effective_bytes(c, threads);
}

void copy_ranks_make(struct copy_ranks *ranks, const struct weights *weights,
                     const struct unembedding *unembedding)
{
    const struct lm_config *c = &weights->config;
    const int64_t tokens = c->vocabulary;

    *ranks = (struct copy_ranks){
        .weights = weights,
        .unembedding = unembedding,
        .embeddings = allocate_big(tokens * c->width, sizeof(float)),
        .own = allocate_big(tokens * c->head_width, sizeof(float)),
        .other = allocate_big(tokens * c->head_width, sizeof(float)),
        .rows = allocate((int64_t)ROWS * c->width, sizeof(float)),
        .products = allocate_big((int64_t)omp_get_max_threads() * TILE * COLUMNS, sizeof(float)),
    };
    effective_embeddings(ranks->embeddings, weights, EFFECTIVE_BOTH, NULL, tokens);
}

void copy_ranks_free(struct copy_ranks *ranks)
{
    free(ranks->embeddings);
    free(ranks->own);
    free(ranks->other);
    free(ranks->rows);
    free(ranks->products);
    *ranks = (struct copy_ranks){0};
}

/* --- the two factors of a table -------------------------------------------------------- */

/* to[t] = W k(t), with W the head's keys or values. */
static void project_embeddings(struct copy_ranks *r, float *to, const float *w, int layer)
{
    const struct lm_config *c = &r->weights->config;
    const int64_t width = c->width, e = c->head_width;

    for (int64_t from = 0; from < c->vocabulary; from += ROWS) {
        const int64_t rows = min_int64(ROWS, c->vocabulary - from);
        effective_normalise(r->rows, r->embeddings + from * width,
                            r->weights->layers[layer].attn_norm, c, rows);
        gemm_nt(to + from * e, e, r->rows, width, w, width, rows, e, width, false);
    }
}

/* Copy directions, times a scale of each column unless it is NULL, times a sign. */
static void scale_directions(struct copy_ranks *r, const float *scale, float sign, int64_t from,
                             int64_t rows)
{
    const int64_t width = r->unembedding->width;
    const float *u = r->unembedding->direction + from * width;

    #pragma omp parallel for
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < width; j++)
            r->rows[i * width + j] = sign * u[i * width + j] * (scale == NULL ? 1 : scale[j]);
}

/* to[i] = u(i) W_O, or of QK -W_Q u(i), so that "above" becomes "below". */
static void project_directions(struct copy_ranks *r, float *to, const struct effective_head *h,
                               enum copy_ranks_kind kind, int layer)
{
    const struct lm_config *c = &r->weights->config;
    const int64_t width = c->width, e = c->head_width;

    for (int64_t from = 0; from < c->vocabulary; from += ROWS) {
        const int64_t rows = min_int64(ROWS, c->vocabulary - from);
        if (kind == COPY_RANKS_OV) {
            scale_directions(r, h->out_scale, 1, from, rows);
            gemm_nn(to + from * e, e, r->rows, width, h->out, h->out_stride, rows, e, width, false);
        } else {
            scale_directions(r, r->weights->layers[layer].attn_norm.scale, -1, from, rows);
            gemm_nt(to + from * e, e, r->rows, width, h->query, width, rows, e, width, false);
        }
    }
}

/* OV: own[t] = W_V k(t), other[i] = u(i) W_O.  QK: own[i] = -W_Q u(i), other[t] = W_K k(t). */
static void factor(struct copy_ranks *r, enum copy_ranks_kind kind, int layer, int head)
{
    const struct effective_head h = effective_head(r->weights, layer, head);
    const bool ov = kind == COPY_RANKS_OV;

    project_embeddings(r, ov ? r->own : r->other, ov ? h.value : h.key, layer);
    project_directions(r, ov ? r->other : r->own, &h, kind, layer);
}

/* --- counting -------------------------------------------------------------------------- */

/* How many of n entries of a row are below its diagonal entry?  `skip` is the diagonal's column:
 * that entry is not below itself, though it may seem so, since it was computed twice. */
static int32_t count_below(const float *row, float diagonal, int64_t n, int64_t skip)
{
    const bool seems = 0 <= skip && skip < n && row[skip] < diagonal;

    return values_count_below(row, diagonal, (int32_t)n) - seems;
}

/* The ranks of the tokens [from, from + rows).
 *   products [TILE, COLUMNS]  scratch */
static void rank_tile(const struct copy_ranks *r, int32_t *rank, int64_t from, int64_t rows,
                      float *products)
{
    const int64_t tokens = r->weights->config.vocabulary, e = r->weights->config.head_width;
    float diagonal[TILE];

    for (int64_t i = 0; i < rows; i++)
        diagonal[i] = (float)values_dot(r->own + (from + i) * e, r->other + (from + i) * e, e);
    memset(rank, 0, (size_t)rows * sizeof *rank);
    for (int64_t first = 0; first < tokens; first += COLUMNS) {
        const int64_t columns = min_int64(COLUMNS, tokens - first);
        gemm_nt(products, COLUMNS, r->own + from * e, e, r->other + first * e, e, rows, columns, e,
                false);
        for (int64_t i = 0; i < rows; i++)
            rank[i] += count_below(products + i * COLUMNS, diagonal[i], columns,
                                   from + i - first);
    }
}

void copy_ranks_of(struct copy_ranks *r, int32_t *rank, enum copy_ranks_kind kind, int layer,
                   int head, struct range tokens)
{
    assert(tokens.first % TILE == 0);
    assert(tokens.end % TILE == 0 || tokens.end == r->weights->config.vocabulary);
    factor(r, kind, layer, head);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t from = tokens.first; from < tokens.end; from += TILE)
        rank_tile(r, rank + from - tokens.first, from, min_int64(TILE, tokens.end - from),
                  r->products + omp_get_thread_num() * (int64_t)TILE * COLUMNS);
}
