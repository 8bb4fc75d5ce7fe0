#include "lm/weights_permute.h"
#include "base/comm.h"
#include "base/random.h"

#include <assert.h>

/* Where in the random numbers a matrix begins. */
struct order {
    uint64_t seed, next;
};

/* Fisher and Yates' way, from the end. */
static void permute(float *values, int64_t count, struct order *order)
{
    for (int64_t i = count; values != NULL && i-- > 1; ) {
        uint32_t words[4];

        random_words(words, order->seed, RANDOM_WEIGHTS, order->next++);
        const uint64_t any = (uint64_t)words[0] << 32 | words[1];
        const int64_t j = (int64_t)(any % (uint64_t)(i + 1));
        const float value = values[i];
        values[i] = values[j];
        values[j] = value;
    }
}

static void permute_matrix(const struct linear *matrix, struct order *order)
{
    permute(matrix->weights, matrix->outputs * matrix->inputs, order);
}

static void permute_layer(const struct layer_weights *w, const struct lm_config *c,
                          struct order *order)
{
    const int64_t each = (int64_t)c->head_width * c->width;
    float *qkv = w->qkv.weights;

    permute(qkv, c->heads * each, order);
    permute(qkv + c->heads * each, c->kv_heads * each, order);
    permute(qkv + (c->heads + c->kv_heads) * each, c->kv_heads * each, order);
    permute_matrix(&w->attn_out, order);
    if (c->mlp_width > 0) {
        permute_matrix(&w->mlp_in, order);
        permute_matrix(&w->mlp_out, order);
    }
}

static void permute_all(struct weights *weights, uint64_t seed)
{
    const struct lm_config *c = &weights->config;
    struct order order = { .seed = seed };

    permute(weights->embedding, (int64_t)c->vocabulary * c->width, &order);
    if (weights->unembedding != weights->embedding)
        permute(weights->unembedding, (int64_t)c->outputs * c->width, &order);
    permute(weights->positions, (int64_t)c->positions * c->width, &order);
    for (int32_t layer = 0; layer < c->layers; layer++)
        permute_layer(&weights->layers[layer], c, &order);
}

void weights_permute(struct weights *weights, uint64_t seed, MPI_Comm comm)
{
    const bool first = comm_first_of_node(comm);

    assert(weights->precision == PRECISION_F32);
    MPI_Win_fence(0, weights->window);
    if (first)
        permute_all(weights, seed);
    MPI_Win_fence(0, weights->window);
}
