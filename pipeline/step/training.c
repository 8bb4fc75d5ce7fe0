#include "step/training.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "base/random.h"
#include "kernels/slice.h"
#include "kernels/values.h"
#include "step/architecture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of an entry: in the lists by row and by latent, with a dot product and a gradient. */
enum { ENTRY_BYTES = 24 };

/* Part `rank` of n things, whole blocks of `block`. */
static struct range owned(int64_t n, int64_t block, int rank, int size)
{
    const struct range blocks = split_range(split_blocks(n, block), rank, size);
    const int64_t first = blocks.first * block, end = blocks.end * block;

    return (struct range){ first < n ? first : n, end < n ? end : n };
}

static void make_tensor(struct tensor *tensor, const char *name, int64_t rows, int64_t columns,
                        struct range own_rows, struct range own_columns, bool with_mean)
{
    const int64_t count = range_length(own_rows) * range_length(own_columns);

    *tensor = (struct tensor){
        .name = name,
        .rows = rows,
        .columns = columns,
        .own_rows = own_rows,
        .own_columns = own_columns,
        .value = allocate_big(count, sizeof(float)),
        .mean = with_mean ? allocate_big(count, sizeof(float)) : NULL,
        .square = allocate_big(count, sizeof(float)),
    };
}

static void make_tensors(struct training *training)
{
    const struct range latents = training->own_latents, columns = training->own_columns;
    const struct range all_latents = { 0, training->latents };
    const struct range all_inputs = { 0, training->inputs }, all_outputs = { 0, training->outputs };
    const struct range one = { 0, 1 };
    const char *const *vectors = training->architecture->vectors;
    const bool mean = training->recipe.train.beta1 != 0;
    struct tensor *t = training->tensors;

    make_tensor(&t[ENCODER], "encoder", training->latents, training->inputs, latents,
                all_inputs, mean);
    make_tensor(&t[DECODER], "decoder", training->latents, training->outputs, all_latents,
                columns, mean);
    make_tensor(&t[DECODER_BIAS], "decoder_bias", training->outputs, 1, all_outputs, one, mean);
    if (training->recipe.skip)
        make_tensor(&t[SKIP], "skip", training->outputs, training->inputs, columns, all_inputs,
                    mean);
    for (int v = 0; v < VECTORS && vectors[v] != NULL; v++)
        make_tensor(&t[ENCODER_BIAS + v], vectors[v], training->latents, 1, latents, one, mean);
}

/* Draw a row of a matrix, in a random direction.  The scaling to a norm removes He's factor. */
static void draw_row(float *row, const struct training *training, enum random_stream stream,
                     int64_t number, int64_t width)
{
    const uint64_t seed = (uint64_t)training->recipe.train.seed;

    for (int64_t j = 0; j < width; j++)
        row[j] = 2 * random_uniform(seed, stream, (uint64_t)(number * width + j)) - 1;
    const double norm = training->architecture->decoder_norm;
    values_scale(row, (float)(norm / sqrt(values_sum_squares(row, width))), width);
}

/* Every rank draws every row of the decoder, since a row's norm needs all of its columns. */
static void draw_weights(struct training *training)
{
    const int64_t inputs = training->inputs, outputs = training->outputs;
    const int64_t own = training_own_columns(training);
    const struct range latents = training->own_latents, columns = training->own_columns;

    #pragma omp parallel
    {
        float *row = allocate(inputs > outputs ? inputs : outputs, sizeof *row);
        #pragma omp for
        for (int64_t i = 0; i < training->latents; i++) {
            draw_row(row, training, RANDOM_DECODER, i, outputs);
            memcpy(training->tensors[DECODER].value + i * own, row + columns.first,
                   (size_t)own * sizeof *row);
            if (i < latents.first || i >= latents.end)
                continue;
            if (training->recipe.transcoder)
                draw_row(row, training, RANDOM_ENCODER, i, inputs);
            memcpy(training->tensors[ENCODER].value + (i - latents.first) * inputs, row,
                   (size_t)inputs * sizeof *row);
        }
        free(row);
    }
}

/* The first lists are taken for dense, unless the number of entries is known. */
static double first_density(const struct recipe *recipe, int32_t latents)
{
    return ARCHITECTURES[recipe->architecture].keeps_k ? recipe->target_l0 / latents : 1;
}

void training_make(struct training *training, MPI_Comm comm, const struct recipe *recipe,
                   struct shape shape)
{
    const struct architecture *architecture = architecture_of(recipe->architecture);
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    *training = (struct training){
        .recipe = *recipe,
        .architecture = architecture,
        .comm = comm,
        .inputs = shape.inputs,
        .outputs = shape.outputs,
        .latents = shape.latents,
        .batch = recipe->train.batch,
        .centred = architecture->centred && !recipe->transcoder,
        .own_latents = owned(shape.latents, LATENT_TILE, rank, size),
        .own_columns = owned(shape.outputs, COLUMNS, rank, size),
        .rows_since_active = allocate(shape.latents, sizeof(int64_t)),
        .density = first_density(recipe, shape.latents),
        .list_capacity = training_list_capacity(shape),
        .state.bound = { -1, -1 },
    };
    make_tensors(training);
    draw_weights(training);
    if (architecture->start != NULL)
        architecture->start(training);
}

void training_free(struct training *training)
{
    for (int i = 0; i < TENSORS; i++) {
        free(training->tensors[i].value);
        free(training->tensors[i].mean);
        free(training->tensors[i].square);
    }
    free(training->rows_since_active);
    *training = (struct training){0};
}

int64_t training_bytes(const struct recipe *recipe, struct shape shape, int ranks)
{
    const int64_t arrays = recipe->train.beta1 != 0 ? 3 : 2;
    const int64_t own_latents = range_length(owned(shape.latents, LATENT_TILE, 0, ranks));
    const int64_t own_columns = range_length(owned(shape.outputs, COLUMNS, 0, ranks));
    const int64_t skip = recipe->skip ? own_columns * shape.inputs : 0;
    const char *const *names = architecture_of(recipe->architecture)->vectors;
    int64_t vectors = 0;

    while (vectors < VECTORS && names[vectors] != NULL)
        vectors++;
    return (own_latents * (shape.inputs + vectors) + shape.latents * own_columns + shape.outputs
            + skip) * arrays * (int64_t)sizeof(float)
           + shape.latents * (int64_t)sizeof(int64_t);
}

int64_t training_list_capacity(struct shape shape)
{
    const int64_t parameters = (int64_t)shape.latents * (shape.inputs + shape.outputs);
    const int64_t entries = 2 * parameters * (int64_t)sizeof(float) / 40 / ENTRY_BYTES;

    return max_int64(entries, 1 << 19);
}

int64_t training_dead(const struct training *training)
{
    int64_t dead = 0;

    for (int32_t i = 0; i < training->latents; i++)
        dead += training->rows_since_active[i] >= training->recipe.train.dead_after;
    return dead;
}
