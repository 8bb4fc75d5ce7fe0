/* Permuted weights: the same numbers in each matrix, in another order, which the seed gives. */
#include "lm/weights_permute.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Each number of a model is its own place; matrices of the layer follow each other. */
enum { WIDTH = 8, HEADS = 2, EACH = 4, MLP = 16, WORDS = 10, PLACES = 6 };

static void fill(float *values, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)i;
}

static void make(struct weights *weights, bool tied)
{
    const struct lm_config config = {
        .vocabulary = WORDS, .outputs = WORDS, .width = WIDTH, .mlp_width = MLP, .layers = 1,
        .heads = HEADS, .kv_heads = HEADS, .head_width = EACH, .positions = PLACES,
        .learned_positions = true, .tied = tied,
    };

    weights_make(weights, &config, PRECISION_F32, MPI_COMM_SELF);
    const struct layer_weights *w = weights->layers;
    fill(weights->embedding, WORDS * WIDTH);
    fill(weights->unembedding, WORDS * WIDTH);
    fill(weights->positions, PLACES * WIDTH);
    fill(w->qkv.weights, 3 * HEADS * EACH * WIDTH);
    fill(w->attn_out.weights, WIDTH * HEADS * EACH);
    fill(w->mlp_in.weights, MLP * WIDTH);
    fill(w->mlp_out.weights, WIDTH * MLP);
}

static int by_size(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

/* Are these the numbers from `first` on, and few of them where they were? */
static void check(const float *values, int64_t count, int64_t first)
{
    float *sorted = malloc((size_t)count * sizeof *sorted);
    int64_t stayed = 0;

    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, by_size);
    for (int64_t i = 0; i < count; i++) {
        assert_true(sorted[i] == (float)(first + i));
        stayed += values[i] == (float)(first + i);
    }
    assert_true(stayed <= 5);       /* one is expected */
    free(sorted);
}

static void each_matrix_keeps_its_numbers(void **state)
{
    enum { QUERIES = HEADS * EACH * WIDTH };
    struct weights weights;

    (void)state;
    make(&weights, false);
    weights_permute(&weights, 7, MPI_COMM_SELF);
    const struct layer_weights *w = weights.layers;
    const float *qkv = w->qkv.weights;
    check(weights.embedding, WORDS * WIDTH, 0);
    check(weights.unembedding, WORDS * WIDTH, 0);
    check(weights.positions, PLACES * WIDTH, 0);
    for (int part = 0; part < 3; part++)
        check(qkv + part * QUERIES, QUERIES, part * QUERIES);
    check(w->attn_out.weights, WIDTH * HEADS * EACH, 0);
    check(w->mlp_in.weights, MLP * WIDTH, 0);
    check(w->mlp_out.weights, WIDTH * MLP, 0);
    assert_memory_not_equal(weights.embedding, weights.unembedding, WORDS * WIDTH * sizeof(float));
    weights_free(&weights);
}

static void the_seed_gives_the_order(void **state)
{
    struct weights a, b, other;

    (void)state;
    make(&a, true);
    make(&b, true);
    make(&other, true);
    assert_ptr_equal(a.embedding, a.unembedding);
    weights_permute(&a, 1, MPI_COMM_SELF);
    weights_permute(&b, 1, MPI_COMM_SELF);
    weights_permute(&other, 2, MPI_COMM_SELF);
    assert_memory_equal(a.embedding, b.embedding, WORDS * WIDTH * sizeof(float));
    assert_memory_not_equal(a.embedding, other.embedding, WORDS * WIDTH * sizeof(float));
    weights_free(&other);
    weights_free(&b);
    weights_free(&a);
}

/* Of three numbers each of the six orders comes as often, to four standard deviations. */
static void no_order_is_preferred(void **state)
{
    enum { SEEDS = 6000 };
    const struct lm_config config = { .vocabulary = 3, .outputs = 3, .width = 1, .heads = 1,
                                      .kv_heads = 1, .head_width = 1, .tied = true };
    int seen[27] = {0}, orders = 0;
    struct weights weights;

    (void)state;
    weights_make(&weights, &config, PRECISION_F32, MPI_COMM_SELF);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        fill(weights.embedding, 3);
        weights_permute(&weights, seed, MPI_COMM_SELF);
        seen[(int)(9 * weights.embedding[0] + 3 * weights.embedding[1] + weights.embedding[2])]++;
    }
    for (int i = 0; i < 27; i++) {
        orders += seen[i] > 0;
        assert_true(seen[i] == 0 || abs(seen[i] - SEEDS / 6) < 4 * 29);
    }
    assert_int_equal(orders, 6);
    weights_free(&weights);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_matrix_keeps_its_numbers),
        cmocka_unit_test(the_seed_gives_the_order),
        cmocka_unit_test(no_order_is_preferred),
    };

    MPI_Init(&argc, &argv);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failed;
}
