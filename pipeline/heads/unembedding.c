#include "heads/unembedding.h"
#include "base/allocate.h"
#include "kernels/rows.h"
#include "kernels/values.h"

#include <math.h>
#include <stdlib.h>

enum status unembedding_check(const struct weights *weights)
{
    const struct lm_config *c = &weights->config;
    enum status st = OK;

    REQUIRE(weights->precision == PRECISION_F32, E_USAGE,
            "the parts of a model are read in float32; set 'model: precision' to f32");
    REQUIRE(c->outputs == c->vocabulary, E_USAGE, "this model has %d logits for %d token ids; "
            "directions of tokens need as many of one as of the other", (int)c->outputs,
            (int)c->vocabulary);
done:
    return st;
}

int64_t unembedding_bytes(const struct lm_config *c)
{
    return ((int64_t)c->outputs * (c->width + 1) + c->width) * (int64_t)sizeof(float);
}

/* Fold the last norm into the direction of one token. */
static void fold(float *direction, const float *row, struct norm_weights norm, int64_t width)
{
    double sum = 0;

    for (int64_t i = 0; i < width; i++) {
        direction[i] = norm.scale == NULL ? row[i] : row[i] * norm.scale[i];
        sum += (double)direction[i];
    }
    for (int64_t i = 0; norm.bias != NULL && i < width; i++)
        direction[i] = (float)((double)direction[i] - sum / (double)width);
}

/* Subtract the mean over all tokens. */
static void centre(struct unembedding *u)
{
    double *sums = allocate(u->width, sizeof *sums);

    rows_sum(sums, u->direction, u->width, u->tokens, u->width);
    for (int64_t i = 0; i < u->width; i++)
        u->mean[i] = (float)(sums[i] / u->tokens);
    #pragma omp parallel for
    for (int64_t t = 0; t < u->tokens; t++)
        row_subtract(u->direction + t * u->width, u->mean, u->width);
    free(sums);
}

void unembedding_make(struct unembedding *u, const struct weights *weights, bool centred)
{
    const int64_t tokens = weights->config.outputs, width = weights->config.width;

    *u = (struct unembedding){
        .tokens = weights->config.outputs,
        .width = weights->config.width,
        .direction = allocate_big(tokens * width, sizeof(float)),
        .mean = allocate(width, sizeof(float)),
        .length = allocate(tokens, sizeof(float)),
    };
    #pragma omp parallel for
    for (int64_t t = 0; t < tokens; t++)
        fold(u->direction + t * width, weights->unembedding + t * width, weights->final_norm,
             width);
    if (centred)
        centre(u);
    #pragma omp parallel for
    for (int64_t t = 0; t < tokens; t++)
        u->length[t] = (float)sqrt(values_sum_squares(u->direction + t * width, width));
}

void unembedding_free(struct unembedding *u)
{
    free(u->direction);
    free(u->mean);
    free(u->length);
    *u = (struct unembedding){0};
}
