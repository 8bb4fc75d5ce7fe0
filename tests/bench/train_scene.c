#include "tests/bench/train_scene.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/memory.h"
#include "base/random.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/product.h"
#include "shard/activation_writer.h"
#include "shard/store.h"

#include <math.h>
#include <stdlib.h>

enum { BATCHES = 2, ATOMS = 100, PROBE = 32 };

/* A rate at which the parameters stay what they are, to seven digits. */
static const struct recipe RECIPE = {
    .steps = 1000000,
    .train = { .learning_rate = 1e-7, .bandwidth = 0.001, .threshold = 0.001, .beta2 = 0.999,
               .epsilon = 1e-8, .dead_after = INT64_MAX / 2, .auxk_latents = 512, .seed = 1 },
};

static struct recipe recipe_of(const struct trial *trial)
{
    static double prefixes[] = { 0.0625, 0.25, 1 };
    struct recipe recipe = RECIPE;

    recipe.architecture = trial->architecture;
    recipe.train.batch = trial->batch;
    recipe.train.precision = product_offered() ? trial->precision : PRECISION_F32;
    recipe.target_l0 = ARCHITECTURES[trial->architecture].keeps_k ? trial->l0 : 0;
    recipe.train.auxk = trial->dead > 0 ? 1.0 / 32 : 0;
    recipe.prefixes = trial->architecture == ARCHITECTURE_MATRYOSHKA ? 3 : 0;
    recipe.train.prefixes = prefixes;
    return recipe;
}

/* --- rows -------------------------------------------------------------------------- */

/* Sums of ATOMS rows of the dictionary, few of them often and many seldom, and some noise.
 *   x   [rows, inputs]   out */
static void plant(uint16_t *x, const struct training *dictionary, int64_t rows)
{
    const int64_t inputs = dictionary->inputs;

    #pragma omp parallel
    {
        float *sum = allocate(inputs, sizeof *sum);
        #pragma omp for
        for (int64_t row = 0; row < rows; row++) {
            for (int64_t j = 0; j < inputs; j++)
                sum[j] = 0.02f * (random_uniform(2, 2, (uint64_t)(row * inputs + j)) - 0.5f);
            for (int64_t k = 0; k < ATOMS; k++) {
                uint32_t words[4];
                random_words(words, 3, 3, (uint64_t)(row * ATOMS + k));
                const double place = pow(words[0] * 0x1p-32, 3) * dictionary->latents;
                const float weight = (float)(0.5 + words[1] * 0x1p-32);
                const float *atom = dictionary->tensors[DECODER].value + (int64_t)place * inputs;
                for (int64_t j = 0; j < inputs; j++)
                    sum[j] += weight * atom[j];
            }
            bf16_from_float(x + row * inputs, sum, inputs);
        }
        free(sum);
    }
}

static void write_shard(const char *folder, const struct training *dictionary)
{
    const int64_t rows = BATCHES * dictionary->recipe.train.batch;
    const struct stream stream = { { SITE_RES, 0 }, dictionary->inputs, STORE_BF16 };
    uint16_t *values = allocate(rows * dictionary->inputs, sizeof *values);
    struct row_origin *origins = allocate(rows, sizeof *origins);
    struct activation_writer writer = {0};
    char path[PATH_LENGTH], part[PATH_LENGTH];
    enum status st;

    path_print(path, "%s/00000.h5", folder);
    path_print(part, "%s.part", path);
    plant(values, dictionary, rows);
    TRY(file_make_folder(folder));
    TRY(activation_writer_create(&writer, MPI_COMM_SELF, part, stream, rows,
                                 &(struct identity){ .suite = "" }));
    TRY(activation_writer_write(&writer, (struct range){ 0, rows }, values, origins));
done:
    if (activation_writer_close(&writer, st) != OK || file_publish(path) != OK)
        die("%s", refuse_reason());
    free(origins);
    free(values);
}

/* --- sparsity ---------------------------------------------------------------------- */

static int descending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;

    return (x < y) - (x > y);
}

/* What the products of a row with `l0` latents exceed, on average. */
static double find_threshold(const struct training *whole, const struct packed_rows *rows,
                             double l0)
{
    const int64_t inputs = whole->inputs, latents = whole->latents;
    float *pre = allocate(PROBE * latents, sizeof *pre);
    float *x = allocate(PROBE * inputs, sizeof *x);

    packed_rows_load(x, inputs, rows, (struct range){ 0, PROBE }, (struct range){ 0, inputs });
    gemm_nt(pre, latents, x, inputs, whole->tensors[ENCODER].value, inputs, PROBE, latents,
            inputs, false);
    qsort(pre, (size_t)(PROBE * latents), sizeof *pre, descending);
    const double threshold = (double)pre[(int64_t)(PROBE * l0)];
    free(x);
    free(pre);
    return threshold;
}

/* Make the latents active whose product exceeds `threshold`.  TopK types need none. */
static void place_threshold(struct training *training, double threshold)
{
    enum architecture_id architecture = training->recipe.architecture;
    const bool jumprelu = architecture == ARCHITECTURE_JUMPRELU;
    float *value = training->tensors[jumprelu ? THRESHOLD : ENCODER_BIAS].value;

    if (ARCHITECTURES[architecture].keeps_k)
        return;
    for (int64_t i = 0; i < training_own_latents(training); i++)
        value[i] = (float)(jumprelu ? threshold : -threshold);
}

void scene_make(struct scene *scene, MPI_Comm comm, const struct trial *trial,
                const char *folder)
{
    const struct recipe recipe = recipe_of(trial);
    struct training whole = {0};
    double threshold = RECIPE.train.threshold;
    char rows[PATH_LENGTH];
    int rank;

    path_print(rows, "%s/%dx%d", folder, trial->inputs, trial->latents);
    *scene = (struct scene){ .trial = trial };
    MPI_Comm_rank(comm, &rank);
    if (rank == 0) {
        training_make(&whole, MPI_COMM_SELF, &recipe, trial_shape(trial));
        if (!file_exists(rows))
            write_shard(rows, &whole);
    }
    MPI_Barrier(comm);
    memory_start_peak();        /* what writing has freed is given back */
    if (batch_reader_open(&scene->reader, comm, rows, NULL, trial->batch) != OK
        || batch_reader_read(&scene->reader, 0) != OK)
        die("%s", refuse_reason());
    if (rank == 0 && trial->l0 > 0)
        threshold = find_threshold(&whole, &scene->reader.batch, trial->l0);
    training_free(&whole);
    MPI_Bcast(&threshold, 1, MPI_DOUBLE, 0, comm);
    training_make(&scene->training, comm, &recipe, trial_shape(trial));
    place_threshold(&scene->training, threshold);
    if (trial->l0 > 0)
        scene->training.density = trial->l0 / trial->latents;
    step_needs_add(&scene->needs, &recipe, trial_shape(trial));
    step_make(&scene->step, comm, &scene->needs);
}

void scene_free(struct scene *scene)
{
    step_free(&scene->step);
    batch_reader_close(&scene->reader);
    training_free(&scene->training);
}

/* They are spread evenly, and stay dead even if one of them fires. */
static void let_die(struct training *training, double share)
{
    for (int64_t i = 0; i < training->latents; i++)
        if ((int64_t)((double)(i + 1) * share) > (int64_t)((double)i * share))
            training->rows_since_active[i] = training->recipe.train.dead_after;
}

void scene_step(struct scene *scene, int64_t t, struct step_report *report)
{
    let_die(&scene->training, scene->trial->dead);
    if (batch_reader_read(&scene->reader, t) != OK
        || step_run(&scene->step, &scene->training, &scene->reader.batch, &scene->reader.batch,
                    report) != OK)
        die("%s", refuse_reason());
}
