#include "heads/successor.h"
#include "base/allocate.h"
#include "heads/effective.h"
#include "kernels/gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t successor_bytes(const struct lm_config *c, int64_t rows, int64_t count, int32_t latents)
{
    const int64_t asked = rows > count * MOD_TEN ? rows : count * MOD_TEN;
    const int64_t answers = asked * (2 * (int64_t)c->width + c->head_width + count)
                          + count * c->width;
    const int64_t labels = count > MOD_TEN ? count : MOD_TEN;
    const int64_t exchanged = count * MOD_TEN * (c->width + 2) + count * latents;

    return (answers + exchanged + rows * c->width) * (int64_t)sizeof(float)
         + rows * (MOD_TEN * (int64_t)sizeof(double) + 4 * (int64_t)sizeof(int32_t))
         + ridge_bytes((int32_t)labels, c->width, rows);
}

/* --- the effective OV circuit ----------------------------------------------------------- */

/* The logits of the class's tokens for each row.  Caller frees.
 *   returns [rows, count of the class] */
static float *class_logits(const struct weights *weights, const struct unembedding *unembedding,
                           const struct ordinal_class *class, const float *x, int64_t rows,
                           int layer, int head)
{
    const struct lm_config *c = &weights->config;
    const struct effective_head h = effective_head(weights, layer, head);
    const int64_t width = c->width, e = c->head_width;
    float *read = allocate(rows * width, sizeof *read), *v = allocate(rows * e, sizeof *v);
    float *written = allocate(rows * width, sizeof *written);
    float *directions = allocate(class->count * width, sizeof *directions);
    float *logits = allocate(rows * class->count, sizeof *logits);

    effective_normalise(read, x, weights->layers[layer].attn_norm, c, rows);
    gemm_nt(v, e, read, width, h.value, width, rows, e, width, false);
    effective_write(written, &h, c, v, e, rows);
    for (int64_t i = 0; i < class->count; i++)
        memcpy(directions + i * width, unembedding->direction + class->id[i] * width,
               (size_t)width * sizeof *directions);
    gemm_nt(logits, class->count, written, width, directions, width, rows, class->count, width,
            false);
    free(directions);
    free(written);
    free(v);
    free(read);
    return logits;
}

void successor_answers(int32_t *answer, const struct weights *weights,
                       const struct unembedding *unembedding, const struct ordinal_class *class,
                       const float *x, int64_t rows, int layer, int head)
{
    float *logits = class_logits(weights, unembedding, class, x, rows, layer, head);

    for (int64_t r = 0; r < rows; r++) {
        const float *row = logits + r * class->count;
        answer[r] = 0;
        for (int32_t i = 1; i < class->count; i++)
            if (row[i] > row[answer[r]])
                answer[r] = i;
    }
    free(logits);
}

double successor_score(const int32_t *answer, const struct ordinal_class *class)
{
    int64_t right = 0, counted = 0;

    for (int32_t i = 0; i < class->count; i++) {
        const int32_t successor = ordinals_successor(class, i);
        counted += successor >= 0;
        right += successor >= 0 && answer[i] == successor;
    }
    return counted > 0 ? (double)right / (double)counted : NAN;
}

/* --- arithmetic ------------------------------------------------------------------------- */

/* The answer that is right when the last digit of token i becomes `digit`; -1 if there is none, or
 * if it is that digit already. */
static int32_t wanted(const struct ordinal_class *class, int32_t i, int digit)
{
    const int64_t number = ordinals_number(class, i);
    const int32_t target = ordinals_find(class, number - number % MOD_TEN + digit);

    return target < 0 || target == i ? -1 : ordinals_successor(class, target);
}

void successor_arithmetic(int32_t *right, int32_t *tried, const struct weights *weights,
                          const struct unembedding *unembedding,
                          const struct ordinal_class *class, const struct mod_ten *ten,
                          const float *x, int layer, int head)
{
    const int64_t count = class->count, width = ten->width;
    double *value = allocate(count * MOD_TEN, sizeof *value);
    float *exchanged = allocate(count * MOD_TEN * width, sizeof *exchanged);
    int32_t *answer = allocate(count * MOD_TEN, sizeof *answer);

    mod_ten_read(ten, value, x, count);
    for (int64_t i = 0; i < count * MOD_TEN; i++) {
        const int64_t row = i / MOD_TEN;
        const int from = (int)(ordinals_number(class, (int32_t)row) % MOD_TEN);
        mod_ten_exchange(ten, exchanged + i * width, x + row * width, value + row * MOD_TEN, from,
                         (int)(i % MOD_TEN));
    }
    successor_answers(answer, weights, unembedding, class, exchanged, count * MOD_TEN, layer,
                      head);
    memset(right, 0, (size_t)count * sizeof *right);
    memset(tried, 0, (size_t)count * sizeof *tried);
    for (int64_t i = 0; i < count * MOD_TEN; i++) {
        const int32_t want = wanted(class, (int32_t)(i / MOD_TEN), (int)(i % MOD_TEN));
        tried[i / MOD_TEN] += want >= 0;
        right[i / MOD_TEN] += want >= 0 && answer[i] == want;
    }
    free(answer);
    free(exchanged);
    free(value);
}

/* --- index and class --------------------------------------------------------------------- */

/* Tokens to be classified by one kind of label. */
struct labels {
    const float   *x;       /* [tokens, width] */
    int64_t        tokens;
    int32_t        width;
    const int32_t *fold;    /* [tokens] */
    const int32_t *label;   /* [tokens] */
    int32_t        labels;
};

/* Classify one fold by a map fitted to the others.  Labels that those do not have are not
 * counted. */
static void classify_fold(int64_t *right, int64_t *counted, const struct labels *all, int32_t fold)
{
    const int64_t width = all->width;
    float *x = allocate(all->tokens * width, sizeof *x);
    int32_t *label = allocate(all->tokens, sizeof *label);
    bool *known = allocate(all->labels, sizeof *known);
    struct ridge ridge;
    int64_t rows = 0;

    for (int64_t t = 0; t < all->tokens; t++) {
        if (all->fold[t] == fold)
            continue;
        memcpy(x + rows * width, all->x + t * width, (size_t)width * sizeof *x);
        label[rows++] = all->label[t];
        known[all->label[t]] = true;
    }
    ridge_fit(&ridge, x, label, rows, all->width, all->labels);
    for (int64_t t = 0; t < all->tokens; t++) {
        const bool counts = all->fold[t] == fold && known[all->label[t]];
        *counted += counts;
        *right += counts && ridge_label(&ridge, all->x + t * width) == all->label[t];
    }
    ridge_free(&ridge);
    free(known);
    free(label);
    free(x);
}

static void classify(int64_t *right, int64_t *counted, const struct labels *all)
{
    *right = *counted = 0;
    for (int32_t fold = 0; fold < SUCCESSOR_FOLDS; fold++)
        classify_fold(right, counted, all, fold);
}

void successor_decode(struct successor_decoding *result, const struct ordinals *ordinals,
                      const float *x, int32_t width)
{
    int64_t tokens = 0, at = 0;
    int32_t longest = 0;

    for (int32_t k = 0; k < ordinals->count; k++) {
        tokens += ordinals->classes[k].count;
        longest = ordinals->classes[k].length > longest ? ordinals->classes[k].length : longest;
    }
    int32_t *fold = allocate(tokens, sizeof *fold), *class = allocate(tokens, sizeof *class);
    int32_t *index = allocate(tokens, sizeof *index);
    for (int32_t k = 0; k < ordinals->count; k++)
        for (int32_t i = 0; i < ordinals->classes[k].count; i++, at++) {
            class[at] = k;
            index[at] = ordinals->classes[k].place[i];
            fold[at] = (index[at] + k) % SUCCESSOR_FOLDS;
        }
    struct labels all = { x, tokens, width, fold, class, ordinals->count };
    classify(&result->class_right, &result->tokens, &all);
    all.label = index;
    all.labels = longest;
    classify(&result->index_right, &result->indices, &all);
    free(index);
    free(class);
    free(fold);
}
