/* bench_train -- how much dearer than its one dense product is a step of training?
 *
 *   make bench-train
 *   mpirun -n 8 build/tests/bench/bench_train FOLDER
 *
 * Rows are sparse sums of a planted dictionary, the autoencoder's first decoder, written as
 * shards and read as train reads them; thresholds are placed so that a row has so many active
 * latents.  The first step is checked against definitions in double, then steps are timed on
 * one rank.  The measure is oneDNN's bf16 product of the encoder with the same batch, taken
 * in turn with the steps.  What a step sends on 2, 4 and 8 ranks is counted where it is given
 * to MPI.
 */
#include "base/memory.h"
#include "base/random.h"
#include "base/words.h"
#include "kernels/adam.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/product.h"
#include "sae/architecture.h"
#include "sae/feed.h"
#include "sae/step.h"
#include "shard/activation_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCHES = 2, ROUNDS = 5, ATOMS = 100, PROBE = 128 };

struct trial {
    const char *name;
    int32_t     inputs, latents;
    int64_t     batch;
    enum precision precision;
    double      l0;         /* where thresholds are placed; 0: where training starts */
};

/* The last shows what a wide dictionary costs, at a width of rows that fits in memory. */
static const struct trial TRIALS[] = {
    { "jumprelu",       2304,  16384, 4096, PRECISION_BF16, 100 },
    { "jumprelu f32",   2304,  16384, 4096, PRECISION_F32,  100 },
    { "jumprelu start", 2304,  16384, 4096, PRECISION_BF16,   0 },
    { "jumprelu small",  256,   2048, 2048, PRECISION_F32,   40 },
    { "jumprelu demo",   128,   1024, 1024, PRECISION_F32,   20 },
    { "jumprelu wide",   768, 131072, 4096, PRECISION_BF16, 100 },
};
enum { TRIALS_COUNT = sizeof TRIALS / sizeof *TRIALS };

struct result {
    double  step, product, read;    /* seconds, medians */
    double  spent[PARTS];           /* seconds a step, means */
    double  l0;
    int64_t peak, planned;          /* bytes */
};

static const struct recipe RECIPE = {
    .architecture = &JUMPRELU, .steps = 1000000, .learning_rate = 1e-7, .sparsity = 6e-4,
    .bandwidth = 0.001, .threshold = 0.001, .beta2 = 0.999, .epsilon = 1e-8, .dead_after = INT64_MAX, .seed = 1,
};

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, by_value);
    return values[count / 2];
}

static struct shape shape_of(const struct trial *trial)
{
    return (struct shape){ trial->inputs, trial->inputs, trial->latents };
}

/* One trial, ready to be stepped. */
struct scene {
    const struct trial *trial;
    struct training     training;
    struct step_room         room;
    struct workspace    workspace;
    struct feed         feed;
};

/* --- data -------------------------------------------------------------------------- */

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

/* One shard of BATCHES batches. */
static void write_shard(const char *folder, const struct training *dictionary)
{
    const int64_t rows = BATCHES * dictionary->recipe.batch;
    const struct stream stream = { { SITE_RES, 0 }, dictionary->inputs, STORE_BF16 };
    uint16_t *values = allocate(rows * dictionary->inputs, sizeof *values);
    struct row_origin *origins = allocate(rows, sizeof *origins);
    struct activation_writer writer = {0};
    char path[PATH_LENGTH], part[PATH_LENGTH];
    enum status st;

    path_print(path, "%s/00000.h5", folder);
    path_print(part, "%s.part", path);
    plant(values, dictionary, rows);
    TRY(folder_make(folder));
    TRY(activation_create(&writer, MPI_COMM_SELF, part, stream, rows, ""));
    TRY(activation_write(&writer, (struct range){ 0, rows }, values, origins));
done:
    if (activation_close(&writer, st) != OK || file_publish(path) != OK)
        die("%s", status_reason());
    free(origins);
    free(values);
}

/* The pre-activation that `l0` latents of a row exceed, on average. */
static double find_threshold(const struct training *whole, const float *x, double l0)
{
    const int64_t inputs = whole->inputs, latents = whole->latents;
    const int64_t place = (int64_t)(PROBE * ((double)latents - l0));
    float *pre = allocate(PROBE * latents, sizeof *pre);
    double *sorted = allocate(PROBE * latents, sizeof *sorted), threshold;

    gemm_nt(pre, latents, x, inputs, whole->tensors[ENCODER].value, inputs, PROBE, latents,
            inputs, false);
    for (int64_t k = 0; k < PROBE * latents; k++)
        sorted[k] = (double)pre[k];
    qsort(sorted, (size_t)(PROBE * latents), sizeof *sorted, by_value);
    threshold = sorted[place];
    free(sorted);
    free(pre);
    return threshold;
}

static void set_thresholds(struct training *training, double threshold)
{
    for (int64_t i = 0; i < training->own_latents.end - training->own_latents.first; i++)
        training->tensors[ENCODER_BIAS + 1].value[i] = (float)threshold;
}

/* Rank 0 of `comm` writes the rows.  Collective. */
static void scene_make(struct scene *scene, MPI_Comm comm, const struct trial *trial,
                       const char *folder)
{
    struct recipe recipe = RECIPE;
    struct training whole = {0};
    double threshold = RECIPE.threshold;
    int rank;

    *scene = (struct scene){ .trial = trial };
    recipe.batch = trial->batch;
    recipe.precision = product_offered() ? trial->precision : PRECISION_F32;
    MPI_Comm_rank(comm, &rank);
    if (rank == 0) {
        training_make(&whole, MPI_COMM_SELF, &recipe, shape_of(trial));
        write_shard(folder, &whole);
    }
    MPI_Barrier(comm);
    if (feed_open(&scene->feed, comm, folder, trial->batch) != OK
        || feed_batch(&scene->feed, 0) != OK)
        die("%s", status_reason());
    if (rank == 0 && trial->l0 > 0)
        threshold = find_threshold(&whole, scene->feed.x, trial->l0);
    training_free(&whole);
    MPI_Bcast(&threshold, 1, MPI_DOUBLE, 0, comm);
    training_make(&scene->training, comm, &recipe, shape_of(trial));
    set_thresholds(&scene->training, threshold);
    if (trial->l0 > 0)
        scene->training.density = trial->l0 / trial->latents;
    step_room_add(&scene->room, &recipe, shape_of(trial));
    workspace_make(&scene->workspace, comm, &scene->room);
}

static void scene_free(struct scene *scene)
{
    workspace_free(&scene->workspace);
    feed_close(&scene->feed);
    training_free(&scene->training);
}

/* --- is it right? ------------------------------------------------------------------ */

enum { ROWS_CHECKED = 4 };

/* y - x of one row by its definition, in double, with biases 0 as at the start. */
static void residual_of(double *residual, const struct training *training, const float *x)
{
    const struct tensor *tensors = training->tensors;
    const int64_t inputs = training->inputs;

    for (int64_t j = 0; j < inputs; j++)
        residual[j] = -(double)x[j];
    for (int64_t i = 0; i < training->latents; i++) {
        const float *encoder = tensors[ENCODER].value + i * inputs;
        const float *decoder = tensors[DECODER].value + i * inputs;
        double pre = 0;
        for (int64_t j = 0; j < inputs; j++)
            pre += (double)encoder[j] * (double)x[j];
        if (pre > (double)tensors[ENCODER_BIAS + 1].value[i])
            for (int64_t j = 0; j < inputs; j++)
                residual[j] += pre * (double)decoder[j];
    }
}

static double norm_of(const double *x, int64_t n)
{
    double squares = 0;

    for (int64_t i = 0; i < n; i++)
        squares += x[i] * x[i];
    return sqrt(squares);
}

/* A first step, and whether its residuals are what they must be. */
static void check_step(struct scene *scene)
{
    const struct training *training = &scene->training;
    const int64_t inputs = training->inputs;
    const float *x = scene->feed.x;
    double *want = allocate(ROWS_CHECKED * inputs, sizeof *want);
    struct step_report report;

    for (int64_t row = 0; row < ROWS_CHECKED; row++)
        residual_of(want + row * inputs, training, x + row * inputs);
    const double norm = norm_of(want, ROWS_CHECKED * inputs);
    if (training_step(&scene->training, &scene->workspace, x, x, &report) != OK)
        die("%s", status_reason());
    for (int64_t k = 0; k < ROWS_CHECKED * inputs; k++)
        want[k] -= (double)scene->workspace.residual[0][k];
    const double error = norm_of(want, ROWS_CHECKED * inputs) / norm;
    if (!(error < 1e-2))
        die("the residuals are wrong: relative error %g", error);
    free(want);
}

/* --- time -------------------------------------------------------------------------- */

enum { TILE_ROWS = 512, TILE_WIDTH = 1024 };

/* Seconds of the encoder's product in bf16, in the tiles that suit oneDNN best; what is
 * multiplied does not matter.  0 without oneDNN. */
static double time_product(const struct trial *trial)
{
    if (!product_offered())
        return 0;
    struct product *product = product_make(TILE_ROWS, TILE_WIDTH, trial->inputs);
    const int64_t bytes = product_bytes(product), tiles = trial->latents / TILE_WIDTH;
    char *packed = aligned_alloc(64, (size_t)(bytes * tiles));
    uint16_t *x = allocate(trial->batch * trial->inputs, sizeof *x);
    float *y = allocate(TILE_ROWS * TILE_WIDTH, sizeof *y);
    double start = 0;

    memset(packed, 0, (size_t)(bytes * tiles));
    for (int round = 0; round < 2; round++) {       /* the first one touches the memory */
        start = omp_get_wtime();
        for (int64_t row = 0; row < trial->batch; row += TILE_ROWS)
            for (int64_t tile = 0; tile < tiles; tile++)
                product_run(product, y, x + row * trial->inputs, packed + tile * bytes);
    }
    start = omp_get_wtime() - start;
    free(y);
    free(x);
    free(packed);
    product_free(product);
    return start;
}

/* The most resident memory since the last call. */
static int64_t peak_since(void)
{
    FILE *file = fopen("/proc/self/status", "r"), *reset = fopen("/proc/self/clear_refs", "w");
    char line[256];
    long long kilobytes = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        sscanf(line, "VmHWM: %lld kB", &kilobytes);
    if (reset != NULL) {
        fputs("5", reset);
        fclose(reset);
    }
    if (file != NULL)
        fclose(file);
    return kilobytes * 1024;
}

static void step(struct scene *scene, int64_t t, struct step_report *report)
{
    if (feed_batch(&scene->feed, t) != OK
        || training_step(&scene->training, &scene->workspace, scene->feed.x, scene->feed.x,
                         report) != OK)
        die("%s", status_reason());
}

static void time_steps(struct result *result, struct scene *scene)
{
    double seconds[ROUNDS], product[ROUNDS];
    struct training *training = &scene->training;
    struct step_report report;
    const float threshold = training->tensors[ENCODER_BIAS + 1].value[0];

    memset(scene->workspace.spent, 0, sizeof scene->workspace.spent);
    for (int round = 0; round < ROUNDS; round++) {
        product[round] = time_product(scene->trial);
        training->density = scene->trial->l0 > 0 ? training->density : 1;
        set_thresholds(training, (double)threshold);    /* every round has the first's L0 */
        const double start = omp_get_wtime();
        step(scene, round + 1, &report);
        seconds[round] = omp_get_wtime() - start;
    }
    result->l0 = report.l0;
    result->step = median(seconds, ROUNDS);
    result->product = median(product, ROUNDS);
    result->read = result->step;
    for (int p = 0; p < PARTS; p++) {
        result->spent[p] = scene->workspace.spent[p] / ROUNDS;
        result->read -= result->spent[p];
    }
}

/* One trial on one rank. */
static void measure(struct result *result, const struct trial *trial, const char *folder)
{
    struct scene scene;

    peak_since();
    scene_make(&scene, MPI_COMM_SELF, trial, folder);
    check_step(&scene);
    time_steps(result, &scene);
    result->peak = peak_since();
    result->planned = training_bytes(&scene.training.recipe, shape_of(trial), 1)
                      + workspace_bytes(&scene.room, 1, omp_get_max_threads())
                      + feed_bytes(trial->batch, trial->inputs);
    scene_free(&scene);
}

static void print_head(void)
{
    printf("%-15s %6s %7s %6s %7s %8s %8s %6s %9s %7s %7s %7s %7s %7s %7s %7s %8s %8s %8s\n",
           "", "inputs", "latents", "batch", "L0", "step ms", "product", "ratio", "tokens/s",
           "read", "encode", "scan", "decode", "back", "latents", "update", "exchange", "peak",
           "planned");
}

static void print_result(const struct trial *trial, const struct result *r)
{
    printf("%-15s %6d %7d %6lld %7.1f %8.1f %8.1f %6.2f %9.0f %7.1f", trial->name, trial->inputs,
           trial->latents, (long long)trial->batch, r->l0, 1e3 * r->step, 1e3 * r->product,
           r->step / r->product, (double)trial->batch / r->step, 1e3 * r->read);
    for (int p = 0; p < PARTS; p++)
        printf(" %7.1f", 1e3 * r->spent[p]);
    printf("  %8s %8s\n", bytes_text((double)r->peak), bytes_text((double)r->planned));
    fflush(stdout);
}

/* --- bytes ------------------------------------------------------------------------- */

static int64_t sent;    /* bytes, by this rank, since it was last set to 0 */

static int64_t bytes_of(int64_t count, MPI_Datatype type)
{
    int bytes;

    MPI_Type_size(type, &bytes);
    return count * bytes;
}

/* MPI's profiling interface lets us stand between the program and MPI.  A rank that gathers
 * passes on what it gets, round a ring; one that gets a broadcast passes it on once; a sum
 * goes round twice. */
int MPI_Send(const void *data, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm)
{
    sent += bytes_of(count, type);
    return PMPI_Send(data, count, type, to, tag, comm);
}

int MPI_Bcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm)
{
    sent += bytes_of(count, type);
    return PMPI_Bcast(data, count, type, root, comm);
}

int MPI_Allreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op,
                  MPI_Comm comm)
{
    sent += 2 * bytes_of(count, type);
    return PMPI_Allreduce(from, to, count, type, op, comm);
}

int MPI_Allgather(const void *from, int count, MPI_Datatype type, void *to, int counts,
                  MPI_Datatype types, MPI_Comm comm)
{
    int size;

    MPI_Comm_size(comm, &size);
    sent += (size - 1) * bytes_of(counts, types);
    return PMPI_Allgather(from, count, type, to, counts, types, comm);
}

int MPI_Allgatherv(const void *from, int count, MPI_Datatype type, void *to, const int counts[],
                   const int places[], MPI_Datatype types, MPI_Comm comm)
{
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    for (int r = 0; r < size; r++)
        sent += r == (rank + 1) % size ? 0 : bytes_of(counts[r], types);
    return PMPI_Allgatherv(from, count, type, to, counts, places, types, comm);
}

/* The most that a rank of `comm` sends in a step, its share of the batch included. */
static int64_t count_bytes(MPI_Comm comm, const char *folder)
{
    struct scene scene;
    struct step_report report;

    omp_set_num_threads(1);
    scene_make(&scene, comm, &TRIALS[0], folder);
    step(&scene, 0, &report);
    sent = 0;
    step(&scene, 1, &report);
    int64_t most = sent;
    scene_free(&scene);
    PMPI_Allreduce(MPI_IN_PLACE, &most, 1, MPI_INT64_T, MPI_MAX, comm);
    return most;
}

/* Wait for all ranks without taking time from those that work. */
static void wait_for_all(void)
{
    MPI_Request request;
    int done = 0;

    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    while (MPI_Test(&request, &done, MPI_STATUS_IGNORE), !done)
        usleep(10000);
}

/* Bytes a rank sends in a step on 2, 4, 8 ranks, as far as there are so many.  Collective. */
static void count_all(int64_t bytes[3], const char *folder)
{
    const struct trial *t = &TRIALS[0];
    const double allowed = 4.0 * (double)t->batch * t->inputs + 24.0 * (double)t->batch * t->l0;
    int rank, size;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int i = 0; i < 3 && 2 << i <= size; i++) {
        MPI_Comm comm;

        MPI_Comm_split(MPI_COMM_WORLD, rank < 2 << i ? 0 : MPI_UNDEFINED, 0, &comm);
        if (comm != MPI_COMM_NULL) {
            bytes[i] = count_bytes(comm, folder);
            MPI_Comm_free(&comm);
        }
        if (rank == 0)
            printf("%d ranks: a rank sends %s a step; 4 B d + 24 B L0 is %s\n", 2 << i,
                   bytes_text((double)bytes[i]), bytes_text(allowed));
        wait_for_all();
    }
}

int main(int argc, char **argv)
{
    struct result results[TRIALS_COUNT] = {0};
    int64_t bytes[3] = {0};
    int provided, rank;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (argc < 2)
        die("usage: bench_train FOLDER [TRIAL]");
    if (rank == 0) {
        print_head();
        for (int t = 0; t < TRIALS_COUNT; t++) {
            if (argc > 2 && atoi(argv[2]) != t)
                continue;
            measure(&results[t], &TRIALS[t], argv[1]);
            print_result(&TRIALS[t], &results[t]);
        }
    }
    wait_for_all();
    count_all(bytes, argv[1]);
    if (rank == 0) {
        file_remove(argv[1]);
        printf("result jumprelu_ratio=%.2f jumprelu_tokens_per_s=%.0f bytes_per_step_4ranks=%lld\n",
               results[0].step / results[0].product,
               (double)TRIALS[0].batch / results[0].step, (long long)bytes[1]);
    }
    MPI_Finalize();
    return 0;
}
