/* bench_shuffle -- how much dearer than a copy is a shuffle?
 *
 *   make bench-shuffle
 *   mpirun -n RANKS build/tests/bench/bench_shuffle FOLDER ROWS MEMORY
 *
 * Rows of 2304 bf16 values are shuffled with MEMORY bytes a rank; copied (read, decompressed,
 * compressed, written by the same ranks, each its own shards, synced while the next is copied: that
 * is the fastest); and shuffled with memory enough for one pass.  Half of the rows are shuffled and
 * copied, too, before and after, since files that were just removed leave the system memory at
 * hand for those that follow.  All that three times in turn, as a stage does several streams.
 *
 * Printed: seconds of each and the shares of its threads' time, which overlap; what twice as many
 * rows cost the shuffle and the copy, which need not take twice as long on every disk; medians of
 * the ratios within a round; payload per second; and the peak memory of two passes, beyond what
 * the process had before.  And first of all what a row's place in the order costs.
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/human.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/worker.h"
#include "kernels/bf16.h"
#include "kernels/permute.h"
#include "shard/activation_writer.h"
#include "shard/store.h"
#include "shuffle/reorder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 2304, ROUNDS = 3, SHARD = 32 * CHUNK_ROWS, STRETCH = 4 };

static const struct identity IDENTITY = { .suite = "" };
static const struct stream STREAM = { { SITE_RES, 0 }, WIDTH, STORE_BF16 };

/* Normal numbers, as activations are, more or less; one Box-Muller pair after another. */
static void fill(uint16_t *values, struct row_origin *origins, struct range rows)
{
    const double pi = acos(-1);
    float x[WIDTH];

    for (int64_t row = rows.first; row < rows.end; row++) {
        for (int64_t i = 0; i < WIDTH; i += 2) {
            uint32_t words[4];

            random_words(words, 1, 1, (uint64_t)(row * WIDTH + i));
            const double radius = sqrt(-2 * log((words[0] + 1.0) * 0x1p-32));
            x[i] = (float)(radius * cos(2 * pi * words[1] * 0x1p-32));
            x[i + 1] = (float)(radius * sin(2 * pi * words[1] * 0x1p-32));
        }
        bf16_from_float(values + (row - rows.first) * WIDTH, x, WIDTH);
        origins[row - rows.first] = (struct row_origin){ row, (int32_t)row, 1 };
    }
}

/* Write one shard of a stream: made rows, or (input) those of a stream that is there.  Local. */
static enum status write_shard(const char *path, struct range shard, struct activations *input)
{
    const int64_t step = STRETCH * CHUNK_ROWS;
    uint16_t *values = allocate(step * WIDTH, sizeof *values);
    struct row_origin *origins = allocate(step, sizeof *origins);
    struct activation_writer writer = {0};
    char part[PATH_LENGTH];
    enum status st;

    path_print(part, "%s.part", path);
    TRY(activation_writer_create(&writer, MPI_COMM_SELF, part, STREAM, shard.end - shard.first,
                                 &IDENTITY));
    for (int64_t first = shard.first; first < shard.end; first += step) {
        const struct range rows = { first, first + step < shard.end ? first + step : shard.end };

        phase_enter(PHASE_READ);
        if (input == NULL)
            fill(values, origins, rows);
        else
            TRY(activations_read(input, rows, values, origins));
        phase_enter(PHASE_WRITE);
        TRY(activation_writer_write(&writer, (struct range){ rows.first - shard.first,
                                                      rows.end - shard.first },
                             values, origins));
    }
done:
    phase_enter(PHASE_COMPUTE);
    free(origins);
    free(values);
    return activation_writer_close(&writer, st);
}

static enum status publish(void *path)
{
    phase_enter(PHASE_WRITE);
    return file_publish(path);
}

/* Write shards, each rank its own; while one is published, the next is written.  Collective. */
static enum status write_shards(struct run *run, const char *folder, int64_t rows,
                                struct activations *input)
{
    char paths[2][PATH_LENGTH], *path = paths[0];
    struct worker publisher;
    enum status st, published;

    worker_start(&publisher);
    TRY_ALL(run->comm, run->rank == 0 ? file_make_folder(folder) : OK);
    for (int64_t s = run->rank; s < split_blocks(rows, SHARD) && st == OK; s += run->size) {
        path = paths[path == paths[0]];
        shards_numbered(path, folder, s);
        st = write_shard(path, split_block(rows, SHARD, s), input);
        if (st == OK)
            worker_begin(&publisher, publish, path);
    }
    published = worker_wait(&publisher);
    st = agree(run->comm, st != OK ? st : published);
done:
    worker_stop(&publisher);
    return st;
}

/* Seconds of one job; its output is removed.  Shares of time are printed. */
static double time_of(struct run *run, const char *what, const char *folder,
                      const struct reorder *job, struct activations *input)
{
    double seconds, before[PHASES], spent[PHASES];
    char shares[PHASE_SHARES];
    enum status st;

    MPI_Barrier(run->comm);
    seconds = MPI_Wtime();
    phase_enter(PHASE_COMPUTE);
    phase_seconds(before);
    st = job != NULL ? reorder_stream(job, run)
                     : write_shards(run, folder, input->statistics.rows, input);
    if (st != OK)
        die("%s", refuse_reason());
    phase_seconds(spent);
    for (int p = 0; p < PHASES; p++)
        spent[p] -= before[p];
    MPI_Reduce(run->rank == 0 ? MPI_IN_PLACE : spent, spent, PHASES, MPI_DOUBLE, MPI_MAX, 0,
               run->comm);
    seconds = MPI_Wtime() - seconds;
    if (run->rank == 0) {
        file_remove(folder);
        printf("%-10s %7.2f s: %s\n", what, seconds, phase_shares(shares, spent, seconds));
    }
    MPI_Barrier(run->comm);
    return seconds;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

static struct reorder job_of(struct activations *input, int64_t memory, const char *output,
                             struct reorder_rows *kept)
{
    const int64_t rows = input->statistics.rows;

    return (struct reorder){ .input = input, .order = { rows, rows, 1 }, .shard = SHARD,
                             .memory = memory, .rows = kept, .folder = output,
                             .identity = IDENTITY };
}

static void measure(struct run *run, const char *folder, struct activations *input,
                    struct activations *half, int64_t memory)
{
    const int64_t rows = input->statistics.rows, before = memory_start_peak();
    const double bytes = (double)rows * WIDTH * 2;
    char output[PATH_LENGTH];
    struct reorder_rows kept = {0};
    struct reorder job = job_of(input, memory, output, &kept);
    struct reorder less = job_of(half, memory, output, &kept);
    double two[ROUNDS], one[ROUNDS], rate[ROUNDS], shuffles[ROUNDS], copies[ROUNDS];
    int64_t peak = 0;

    path_print(output, "%s/output", folder);
    for (int round = 0; round < ROUNDS; round++) {
        double halves;

        job.memory = memory;
        halves = time_of(run, "its half", output, &less, half);
        const double shuffle = time_of(run, "two passes", output, &job, input);
        halves += time_of(run, "its half", output, &less, half);
        shuffles[round] = shuffle / (halves / 2);
        if (round == 0)
            peak = memory_peak() - before;
        halves = time_of(run, "copy half", output, NULL, half);
        const double copy = time_of(run, "copy", output, NULL, input);
        job.memory = rows * (WIDTH * 2 + 16) / run->size * 5 / 4 + 4 * memory;
        one[round] = time_of(run, "one pass", output, &job, input) / copy;
        halves += time_of(run, "copy half", output, NULL, half);
        copies[round] = copy / (halves / 2);
        two[round] = shuffle / copy;
        rate[round] = bytes / shuffle * 1e-9;
    }
    free(kept.memory);
    MPI_Allreduce(MPI_IN_PLACE, &peak, 1, MPI_INT64_T, MPI_MAX, run->comm);
    if (run->rank == 0)
        printf("twice as many rows take %.2f times as long to shuffle, %.2f times to copy\n"
               "result two_pass_ratio=%.2f one_pass_ratio=%.2f gb_per_s=%.3f peak_bytes=%lld\n",
               median(shuffles), median(copies), median(two), median(one), median(rate),
               (long long)peak);
}

/* Of just above 2^30 rows, which is dearest: half of all places are outside and drawn again. */
static void time_order(struct run *run)
{
    const int64_t rows = ((int64_t)1 << 30) + 1, count = 1 << 20;
    int64_t *from = allocate(count, sizeof *from), *to = allocate(count, sizeof *to);
    struct permute order;

    permute_make(&order, rows, 1, 0, 0);
    for (int64_t i = 0; i < count; i++)
        to[i] = rows - count + i;
    permute_forward(from, to, count, &order);
    permute_inverse(from, from, count, &order);
    if (memcmp(from, to, (size_t)count * sizeof *to) != 0)
        die("the order is no bijection");
    const double since = MPI_Wtime();
    permute_forward(from, to, count, &order);
    run_note(run, "%.1f ns a row for its place in the order",
             1e9 * (MPI_Wtime() - since) / (double)count);
    free(from);
    free(to);
}

int main(int argc, char **argv)
{
    struct run run = { .stage = "bench", .comm = MPI_COMM_WORLD };
    struct activations input = {0}, half = {0};
    char folder[PATH_LENGTH], (*paths)[PATH_LENGTH] = NULL;
    enum status st;
    int provided;

    memory_keep();
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    MPI_Comm_rank(run.comm, &run.rank);
    MPI_Comm_size(run.comm, &run.size);
    if (argc != 4)
        die("usage: bench_shuffle FOLDER ROWS MEMORY");
    path_print(folder, "%s/input", argv[1]);
    const int64_t rows = atoll(argv[2]), shards = split_blocks(rows, SHARD);
    paths = allocate(shards, sizeof *paths);
    TRY(write_shards(&run, folder, rows, NULL));
    for (int64_t s = 0; s < shards; s++)
        shards_numbered(paths[s], folder, s);
    TRY_ALL(run.comm, activations_open(&input, paths, NULL, (int)shards));
    TRY_ALL(run.comm, activations_open(&half, paths, NULL, (int)(shards / 2)));
    run_note(&run, "%lld rows, %s, %d ranks with %s each", (long long)rows,
             human_bytes((double)rows * WIDTH * 2), run.size, human_bytes(atof(argv[3])));
    time_order(&run);
    measure(&run, argv[1], &input, &half, atoll(argv[3]));
done:
    activations_close(&half);
    activations_close(&input);
    free(paths);
    if (run.rank == 0)
        file_remove(argv[1]);
    return run_finish(&run, st);
}
