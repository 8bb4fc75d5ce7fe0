/* bench_train -- how much dearer than its one dense product is a step of training?
 *
 *   make bench-train
 *   mpirun -n 8 build/tests/bench/bench_train FOLDER [TRIAL]
 *
 * Every architecture takes steps on synthetic rows (train_scene.h): the first one is checked
 * against definitions in double, then steps are timed on one rank.  The measure is oneDNN's bf16
 * product of the encoder with the same batch, taken in turn with the steps.  What a step sends
 * on 2, 4 and 8 ranks is counted where it is given to MPI.
 */
#include "base/allocate.h"
#include "base/die.h"
#include "base/human.h"
#include "base/memory.h"
#include "kernels/gemm.h"
#include "kernels/product.h"
#include "shard/store.h"
#include "tests/bench/sent.h"
#include "tests/bench/train_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 5, SIZES = 3 };

/* The wide one's rows are narrower, so that it fits in memory. */
static const struct trial TRIALS[] = {
    { "jumprelu",        ARCHITECTURE_JUMPRELU,   2304,  16384, 4096, PRECISION_BF16, 100, 0 },
    { "topk",            ARCHITECTURE_TOPK,       2304,  16384, 4096, PRECISION_BF16, 100, 0 },
    { "gated",           ARCHITECTURE_GATED,      2304,  16384, 4096, PRECISION_BF16, 100, 0 },
    { "batch_topk",      ARCHITECTURE_BATCH_TOPK, 2304,  16384, 4096, PRECISION_BF16, 100, 0 },
    { "matryoshka",      ARCHITECTURE_MATRYOSHKA, 2304,  16384, 4096, PRECISION_BF16, 100, 0 },
    { "relu_l1",         ARCHITECTURE_RELU_L1,    2304,  16384, 4096, PRECISION_BF16, 100, 0 },
    { "jumprelu f32",    ARCHITECTURE_JUMPRELU,   2304,  16384, 4096, PRECISION_F32,  100, 0 },
    { "jumprelu start",  ARCHITECTURE_JUMPRELU,   2304,  16384, 4096, PRECISION_BF16,   0, 0 },
    { "gated start",     ARCHITECTURE_GATED,      2304,  16384, 4096, PRECISION_BF16,   0, 0 },
    { "topk, half dead", ARCHITECTURE_TOPK,       2304,  16384, 4096, PRECISION_BF16, 100, 0.5 },
    { "jumprelu wide",   ARCHITECTURE_JUMPRELU,    768, 131072, 4096, PRECISION_BF16, 100, 0 },
    { "jumprelu small",  ARCHITECTURE_JUMPRELU,    256,   2048, 2048, PRECISION_BF16,  40, 0 },
    { "the same, f32",   ARCHITECTURE_JUMPRELU,    256,   2048, 2048, PRECISION_F32,   40, 0 },
};
enum { JUMPRELUS, TOPKS, GATEDS, COUNTED = 6, TRIALS_COUNT = sizeof TRIALS / sizeof *TRIALS };

struct result {
    double  step, product;      /* seconds */
    double  spent[PARTS];       /* of the step's */
    double  l0;
    int64_t peak;               /* bytes of all that is resident, in any of its steps */
    int64_t parameters;         /* bytes of them and their moments */
    int64_t planned;            /* bytes, as train plans them */
};

static double ratio_of(const struct result *r)
{
    return r->product > 0 ? r->step / r->product : 0;
}

/* --- the machine ------------------------------------------------------------------- */

enum { TILE_ROWS = 512, TILE_WIDTH = 1024 };

/* Seconds of the encoder's product in bf16, in the tiles that suit oneDNN best; what is
 * multiplied does not matter.  0 without oneDNN. */
static double time_product(const struct trial *trial)
{
    if (!product_offered())
        return 0;
    struct product *product = product_make(TILE_ROWS, TILE_WIDTH, trial->inputs, false);
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

/* GB/s of a[i] = b[i] + c[i] on arrays that no cache holds. */
static double measure_triad(void)
{
    const int64_t n = 1 << 25;
    float *a = allocate(n, sizeof *a), *b = allocate(n, sizeof *b), *c = allocate(n, sizeof *c);
    double best = 0;

    for (int round = 0; round < ROUNDS; round++) {
        const double start = omp_get_wtime();
        #pragma omp parallel for simd
        for (int64_t i = 0; i < n; i++)
            a[i] = b[i] + 2 * c[i] + (float)round;
        const double rate = (double)n * 3 * sizeof *a / (omp_get_wtime() - start);
        best = rate > best && round > 0 ? rate : best;      /* the first one touches the memory */
    }
    free(c);
    free(b);
    free(a);
    return 1e-9 * best;
}

static double measure_gemm(void)
{
    const int64_t n = 2048;
    float *a = allocate(n * n, sizeof *a), *b = allocate(n * n, sizeof *b);
    float *c = allocate(n * n, sizeof *c);
    double start = 0;

    for (int round = 0; round < 2; round++) {
        start = omp_get_wtime();
        gemm_nt(c, n, a, n, b, n, n, n, n, false);
    }
    start = omp_get_wtime() - start;
    free(c);
    free(b);
    free(a);
    return 2e-9 * (double)(n * n * n) / start;
}

/* --- time -------------------------------------------------------------------------- */

static int by_ratio(const void *a, const void *b)
{
    const double x = ratio_of(a), y = ratio_of(b);

    return (x > y) - (x < y);
}

/* Of rounds of a product and a step the one whose ratio is the median. */
static struct result time_steps(struct scene *scene)
{
    const int count = scene->trial->l0 > 0 ? ROUNDS : 1;    /* where training starts: long enough */
    struct result rounds[ROUNDS] = {{0}};
    int64_t peak = 0;

    for (int round = 0; round < count; round++) {
        struct result *r = &rounds[round];
        struct step_report report;

        r->product = time_product(scene->trial);
        memset(scene->step.scratch.timer.spent, 0, sizeof scene->step.scratch.timer.spent);
        memory_start_peak();
        const double start = omp_get_wtime();
        scene_step(scene, round + 1, &report);
        r->step = omp_get_wtime() - start;
        r->l0 = report.l0;
        memcpy(r->spent, scene->step.scratch.timer.spent, sizeof r->spent);
        peak = memory_peak() > peak ? memory_peak() : peak;
    }
    qsort(rounds, (size_t)count, sizeof *rounds, by_ratio);
    rounds[count / 2].peak = peak;
    return rounds[count / 2];
}

static void measure(struct result *result, const struct trial *trial, const char *folder)
{
    struct scene scene;

    scene_make(&scene, MPI_COMM_SELF, trial, folder);
    scene_check(&scene);
    *result = time_steps(&scene);
    result->parameters = training_bytes(&scene.training.recipe, trial_shape(trial), 1);
    const int64_t batch = batch_reader_bytes(trial->batch, trial->inputs, STORE_BF16);
    result->planned = MEMORY_BASE + result->parameters + 2 * batch
                      + step_bytes(&scene.needs, 1, omp_get_max_threads());
    scene_free(&scene);
}

/* --- bytes ------------------------------------------------------------------------- */

/* The most that a rank of `comm` sends in a step, its share of the batch included. */
static int64_t count_sent(MPI_Comm comm, const struct trial *trial, const char *folder)
{
    struct scene scene;
    struct step_report report;

    scene_make(&scene, comm, trial, folder);
    scene_step(&scene, 0, &report);
    sent_bytes = 0;
    scene_step(&scene, 1, &report);
    int64_t most = sent_bytes;
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

/* A trial on 2, 4, 8 ranks, as far as there are so many.
 *   sent   [SIZES]   out, bytes by the rank that sends most
 * Collective. */
static void count_all(int64_t sent[SIZES], const struct trial *trial, const char *folder)
{
    int rank, size;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int i = 0; i < SIZES && 2 << i <= size; i++) {
        MPI_Comm comm;

        MPI_Comm_split(MPI_COMM_WORLD, rank < 2 << i ? 0 : MPI_UNDEFINED, 0, &comm);
        if (comm != MPI_COMM_NULL) {
            sent[i] = count_sent(comm, trial, folder);
            MPI_Comm_free(&comm);
        }
        wait_for_all();
    }
}

/* --- table ------------------------------------------------------------------------- */

static const char HEAD[] =
    "Milliseconds of a step on one rank, of the round whose ratio is the median of %d.\n"
    "  product  oneDNN's bf16 product of the encoder with the batch, alone\n"
    "  read     waiting for rows, and threads for each other\n"
    "  decode   the reconstruction and the latents' gradient, made in one pass\n"
    "  lists    latents' lists from rows' lists, gradients of biases and thresholds\n"
    "  update   the weights' gradients and Adam, made in one pass\n"
    "  comm.    sums over ranks\n"
    "MB that a rank sends in a step on 2, 4 and 8 ranks, and the bound 4 B d + 24 B L0.\n"
    "  memory   the most that is resident in a step, how much more that is than parameters and\n"
    "           their moments, and as a share of what train plans for all steps\n";

static void print_head(void)
{
    printf("This machine, %d threads: %.1f GB/s (triad), %.0f GFLOP/s (float32 product).\n",
           omp_get_max_threads(), measure_triad(), measure_gemm());
    printf(HEAD, ROUNDS);
    printf("%-15s %6s %7s %7s %5s %8s %6s %7s %6s %6s %6s %6s %5s %5s %5s %5s %5s %8s %6s %5s\n",
           "", "L0", "step", "product", "ratio", "tokens/s", "read", "encode", "scan", "decode",
           "lists", "update", "comm.", "on 2", "on 4", "on 8", "bound", "memory", "beyond", "plan");
}

static void print_shape(const struct trial *trial, const struct trial *before)
{
    if (before != NULL && before->inputs == trial->inputs && before->latents == trial->latents)
        return;
    printf("%d inputs, %d latents, %lld rows\n", trial->inputs, trial->latents,
           (long long)trial->batch);
}

static void print_result(const struct trial *trial, const struct result *r,
                         const int64_t sent[SIZES])
{
    const double bound = (4.0 * trial->inputs + 24 * trial->l0) * (double)trial->batch;
    double read = r->step;

    for (int p = 0; p < PARTS; p++)
        read -= r->spent[p];
    printf("%-15s %6.1f %7.1f %7.1f %5.2f %8.0f %6.1f", trial->name, r->l0, 1e3 * r->step,
           1e3 * r->product, ratio_of(r), (double)trial->batch / r->step, 1e3 * read);
    printf(" %7.1f %6.1f %6.1f %6.1f %6.1f %5.1f", 1e3 * r->spent[PART_ENCODE],
           1e3 * r->spent[PART_SCAN], 1e3 * (r->spent[PART_DECODE] + r->spent[PART_BACK]),
           1e3 * r->spent[PART_LATENTS], 1e3 * r->spent[PART_UPDATE],
           1e3 * r->spent[PART_EXCHANGE]);
    if (sent[0] > 0)
        printf(" %5.1f %5.1f %5.1f %5.1f", 1e-6 * (double)sent[0], 1e-6 * (double)sent[1],
               1e-6 * (double)sent[2], 1e-6 * bound);
    else
        printf(" %5s %5s %5s %5s", "", "", "", "");
    printf(" %8s %+5.1f%% %5.2f\n", human_bytes((double)r->peak),
           100 * ((double)r->peak / (double)r->parameters - 1),
           (double)r->peak / (double)r->planned);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct result results[TRIALS_COUNT] = {{0}};
    int64_t sent[TRIALS_COUNT][SIZES] = {{0}};
    const struct trial *before = NULL;
    int provided, rank;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (argc < 2)
        die("usage: bench_train FOLDER [TRIAL]");
    if (rank == 0)
        file_remove(argv[1]);
    const int threads = omp_get_max_threads(), only = argc > 2 ? atoi(argv[2]) : -1;

    omp_set_num_threads(1);
    for (int t = 0; t < COUNTED; t++)
        if (only < 0 || only == t)
            count_all(sent[t], &TRIALS[t], argv[1]);
    omp_set_num_threads(threads);
    if (rank == 0)
        print_head();
    for (int t = 0; rank == 0 && t < TRIALS_COUNT; t++) {
        if (only >= 0 && only != t)
            continue;
        measure(&results[t], &TRIALS[t], argv[1]);
        print_shape(&TRIALS[t], before);
        print_result(&TRIALS[t], &results[t], sent[t]);
        before = &TRIALS[t];
    }
    wait_for_all();
    if (rank == 0) {
        file_remove(argv[1]);
        printf("result jumprelu_ratio=%.2f topk_ratio=%.2f gated_ratio=%.2f "
               "jumprelu_tokens_per_s=%.0f bytes_per_step_4ranks=%lld\n",
               ratio_of(&results[JUMPRELUS]), ratio_of(&results[TOPKS]),
               ratio_of(&results[GATEDS]),
               (double)TRIALS[JUMPRELUS].batch / results[JUMPRELUS].step,
               (long long)sent[JUMPRELUS][1]);
    }
    MPI_Finalize();
    return 0;
}
