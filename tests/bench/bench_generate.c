/* How fast 64 completions are made next to the products that they cannot do without, on a model of
 * the shape of GPT-2 small with random weights: prompts of 16 tokens, 32 tokens added. */
#include "base/allocate.h"
#include "base/random.h"
#include "kernels/gemm.h"
#include "kernels/narrow.h"
#include "lm/completions.h"
#include "tests/bench/gpt2_shape.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPT = 16, TOKENS = 32, CAPACITY = PROMPT + TOKENS, BATCH = COMPLETIONS_ROWS, REPEATS = 3,
       SHAPES = 5 };

/* --- products alone ---------------------------------------------------------------------- */

/* Outputs and inputs of the products of a layer, and of the logits; and how often each is made. */
static const int64_t shapes[SHAPES][3] = {
    { 3 * WIDTH, WIDTH, LAYERS *(CAPACITY - 1) },
    { WIDTH, WIDTH, LAYERS *(CAPACITY - 1) },
    { HIDDEN, WIDTH, LAYERS *(CAPACITY - 1) },
    { WIDTH, HIDDEN, LAYERS *(CAPACITY - 1) },
    { VOCABULARY, WIDTH, TOKENS },
};

/* Seconds that the products of all steps take by BLAS, or by kernels/narrow.h; both pack the
 * inputs.  Measured for those of one layer after the other, on weights as large as the model's. */
static double products_seconds(const float *w, bool blas)
{
    float *x = allocate_big(BATCH * HIDDEN, sizeof *x);
    float *y = allocate_big(BATCH * VOCABULARY, sizeof *y);
    float *packed = allocate_big(narrow_count(BATCH, HIDDEN), sizeof *packed);
    double total = 0;

    fill(x, BATCH * HIDDEN, 1, 5);
    for (int s = 0; s < SHAPES; s++) {
        const int64_t outputs = shapes[s][0], inputs = shapes[s][1], size = outputs * inputs;
        const int64_t copies = size * LAYERS < (int64_t)VOCABULARY * WIDTH ? LAYERS : 1;
        double seconds[REPEATS];
        for (int r = 0; r < REPEATS; r++) {
            const double since = omp_get_wtime();
            for (int64_t i = 0; i < copies; i++)
                if (blas)
                    gemm_nt(y, outputs, x, inputs, w + i * size, inputs, BATCH, outputs, inputs,
                            false);
                else {
                    narrow_pack(packed, x, BATCH, inputs);
                    narrow_apply(y, outputs, packed, w + i * size, BATCH, outputs, inputs);
                }
            seconds[r] = (omp_get_wtime() - since) / (double)copies;
        }
        total += median(seconds, REPEATS) * (double)shapes[s][2];
    }
    free(packed);
    free(y);
    free(x);
    return total;
}

static double flops(void)
{
    double sum = 0;

    for (int s = 0; s < SHAPES; s++)
        sum += 2.0 * BATCH * (double)(shapes[s][0] * shapes[s][1] * shapes[s][2]);
    return sum;
}

/* --- completions ------------------------------------------------------------------------- */

/* Is each token of the first completion the most probable one of a plain forward pass? */
static bool is_right(const struct weights *weights, const struct completion *completion)
{
    int32_t ids[CAPACITY];
    struct forward forward;
    struct head head;
    float *logits = allocate((int64_t)CAPACITY * VOCABULARY, sizeof *logits);
    bool right = completion->count == TOKENS;

    memcpy(ids, completion->prompt, PROMPT * sizeof *ids);
    memcpy(ids + PROMPT, completion->ids, TOKENS * sizeof *ids);
    forward_make(&forward, weights, 1, CAPACITY);
    head_make(&head, weights);
    right = right && forward_start(&forward, ids, 1) == OK;
    forward_to(&forward, forward_end(&forward));
    head_logits(&head, logits, forward.values, CAPACITY);
    for (int64_t t = PROMPT; t < CAPACITY; t++)
        for (int64_t w = 0; w < VOCABULARY; w++)
            right = right && logits[(t - 1) * VOCABULARY + w]
                             <= logits[(t - 1) * VOCABULARY + ids[t]];
    head_free(&head);
    forward_free(&forward);
    free(logits);
    return right;
}

/* Seconds of all completions; the first time they are checked. */
static double completions_seconds(const struct weights *weights, bool *right)
{
    static int32_t prompts[BATCH][PROMPT], ids[BATCH][TOKENS];
    static struct completion completion[BATCH];
    struct completions c;
    double seconds[REPEATS];

    for (int64_t b = 0; b < BATCH; b++) {
        for (int64_t t = 0; t < PROMPT; t++)
            prompts[b][t] = (int32_t)(random_uniform(3, 0, (uint64_t)(b * PROMPT + t))
                                      * VOCABULARY);
        completion[b] =
            (struct completion){ .prompt = prompts[b], .prompt_tokens = PROMPT, .ids = ids[b] };
    }
    completions_make(&c, weights, CAPACITY, BATCH);
    c.sampling = (struct sampling){ .top_p = 1 };
    c.tokens = TOKENS;
    *right = completions_run(&c, completion, BATCH) == OK && is_right(weights, &completion[0]);
    for (int r = 0; r < REPEATS && *right; r++) {
        const double since = omp_get_wtime();
        *right = completions_run(&c, completion, BATCH) == OK;
        seconds[r] = omp_get_wtime() - since;
    }
    completions_free(&c);
    return *right ? median(seconds, REPEATS) : 0;
}

int main(int argc, char **argv)
{
    struct weights weights;
    bool right;

    MPI_Init(&argc, &argv);
    gpt2_shape_make(&weights, CAPACITY);
    const double seconds = completions_seconds(&weights, &right);
    if (!right) {
        printf("a completion is not what the plain forward pass says\n");
        return 1;
    }
    const double ours = products_seconds(weights.embedding, false);
    const double blas = products_seconds(weights.embedding, true);
    const double least = ours < blas ? ours : blas;

    printf("%d completions of %d tokens: %.2f s, %.0f tokens/s, %.0f GFLOP/s\n", BATCH, TOKENS,
           seconds, BATCH * TOKENS / seconds, flops() / seconds / 1e9);
    printf("their products alone: %.2f s, %.0f GFLOP/s; by BLAS %.2f s, %.0f GFLOP/s\n", ours,
           flops() / ours / 1e9, blas, flops() / blas / 1e9);
    printf("result generate_ratio=%.2f generate_blas_ratio=%.2f\n", least / seconds,
           blas / seconds);
    weights_free(&weights);
    MPI_Finalize();
    return 0;
}
