#include "sae/training.h"
#include "base/random.h"
#include "kernels/bf16.h"
#include "kernels/sparse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Part `rank` of n things, cut at multiples of `block`. */
static struct range owned(int64_t n, int64_t block, int rank, int size)
{
    const struct range blocks = split_range(split_blocks(n, block), rank, size);
    const int64_t first = blocks.first * block, end = blocks.end * block;

    return (struct range){ first < n ? first : n, end < n ? end : n };
}

static int64_t length(struct range range)
{
    return range.end - range.first;
}

static void make_tensor(struct tensor *tensor, const char *name, int64_t rows, int64_t columns,
                        struct range own_rows, struct range own_columns, bool with_mean)
{
    const int64_t count = length(own_rows) * length(own_columns);

    *tensor = (struct tensor){
        .name = name,
        .rows = rows,
        .columns = columns,
        .own_rows = own_rows,
        .own_columns = own_columns,
        .value = allocate(count, sizeof(float)),
        .mean = with_mean ? allocate(count, sizeof(float)) : NULL,
        .square = allocate(count, sizeof(float)),
    };
}

static void make_tensors(struct training *training)
{
    const struct range latents = training->own_latents, columns = training->own_columns;
    const struct range all_latents = { 0, training->latents };
    const struct range all_inputs = { 0, training->inputs }, one = { 0, 1 };
    const bool mean = training->recipe.beta1 != 0;
    struct tensor *t = training->tensors;

    make_tensor(&t[ENCODER], "encoder", training->latents, training->inputs, latents,
                all_inputs, mean);
    make_tensor(&t[DECODER], "decoder", training->latents, training->inputs, all_latents,
                columns, mean);
    make_tensor(&t[ENCODER_BIAS], "encoder_bias", training->latents, 1, latents, one, mean);
    make_tensor(&t[THRESHOLD], "threshold", training->latents, 1, latents, one, mean);
    make_tensor(&t[DECODER_BIAS], "decoder_bias", training->inputs, 1, all_inputs, one, mean);
}

/* Every rank draws every row, since a row's norm needs all of its columns.  He's factor is
 * lost in the scaling. */
static void draw_weights(struct training *training)
{
    const int64_t inputs = training->inputs;
    const struct range latents = training->own_latents, columns = training->own_columns;

    #pragma omp parallel
    {
        float *row = allocate(inputs, sizeof *row);
        #pragma omp for
        for (int64_t i = 0; i < training->latents; i++) {
            for (int64_t j = 0; j < inputs; j++)
                row[j] = 2 * random_uniform((uint64_t)training->recipe.seed, RANDOM_DECODER,
                                            (uint64_t)(i * inputs + j)) - 1;
            scale_values(row, (float)(1 / sqrt(sum_squares(row, inputs))), inputs);
            memcpy(training->tensors[DECODER].value + i * length(columns), row + columns.first,
                   (size_t)length(columns) * sizeof *row);
            if (latents.first <= i && i < latents.end)
                memcpy(training->tensors[ENCODER].value + (i - latents.first) * inputs, row,
                       (size_t)inputs * sizeof *row);
        }
        free(row);
    }
}

void training_make(struct training *training, MPI_Comm comm, const struct recipe *recipe,
                   int32_t inputs, int32_t latents)
{
    const double threshold = recipe->log_threshold ? log(recipe->threshold) : recipe->threshold;
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    *training = (struct training){
        .recipe = *recipe,
        .comm = comm,
        .inputs = inputs,
        .latents = latents,
        .own_latents = owned(latents, LATENT_TILE, rank, size),
        .own_columns = owned(inputs, COLUMNS, rank, size),
        .silent = allocate(latents, sizeof(int64_t)),
        .density = 1,
    };
    make_tensors(training);
    draw_weights(training);
    for (int64_t i = 0; i < length(training->own_latents); i++)
        training->tensors[THRESHOLD].value[i] = (float)threshold;
}

void training_free(struct training *training)
{
    for (int i = 0; i < TENSORS; i++) {
        free(training->tensors[i].value);
        free(training->tensors[i].mean);
        free(training->tensors[i].square);
    }
    free(training->silent);
    *training = (struct training){0};
}

int64_t training_bytes(const struct recipe *recipe, int32_t inputs, int32_t latents, int ranks)
{
    const int64_t arrays = recipe->beta1 != 0 ? 3 : 2;
    const int64_t own_latents = length(owned(latents, LATENT_TILE, 0, ranks));
    const int64_t own_columns = length(owned(inputs, COLUMNS, 0, ranks));
    const int64_t values = own_latents * inputs + latents * own_columns + 2 * own_latents + inputs;

    return values * arrays * (int64_t)sizeof(float) + latents * (int64_t)sizeof(int64_t);
}

int64_t training_dead(const struct training *training)
{
    int64_t dead = 0;

    for (int32_t i = 0; i < training->latents; i++)
        dead += training->silent[i] >= training->recipe.dead_after;
    return dead;
}
