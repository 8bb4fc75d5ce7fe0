/* Activation shards: what is written is what is read, whoever wrote it. */
#include "base/allocate.h"
#include "base/random.h"
#include "kernels/bf16.h"
#include "kernels/values.h"
#include "shard/activation_writer.h"
#include "shard/store.h"
#include "tests/ranked/ranked.h"

#include <math.h>
#include <unistd.h>

enum { WIDTH = 24, ROWS = 5 * CHUNK_ROWS + 37 };

static const struct identity IDENTITY = { .suite = "s" };
static const struct tap TAP = { SITE_RES, 3 };

/* Value `i` of row `row`, and where the row comes from: functions of the place alone.  Sizes
 * differ widely, so that sums in another order have other last bits. */
static float value_at(int64_t row, int64_t i)
{
    const uint64_t place = (uint64_t)(row * WIDTH + i);

    return (random_uniform(7, 1, place) - 0.5f) * expf(20 * random_uniform(7, 2, place) - 15);
}

static struct row_origin origin_at(int64_t row)
{
    return (struct row_origin){ (row / 100) << 32 | row, (int32_t)(row % 100),
                                (int32_t)(row % 4096) };
}

static void fill(enum store store, struct range range, void *values, struct row_origin *origins)
{
    for (int64_t row = range.first; row < range.end; row++) {
        float x[WIDTH];
        for (int64_t i = 0; i < WIDTH; i++)
            x[i] = value_at(row, i);
        if (store == STORE_BF16)
            bf16_from_float((uint16_t *)values + (row - range.first) * WIDTH, x, WIDTH);
        else
            memcpy((float *)values + (row - range.first) * WIDTH, x, sizeof x);
        origins[row - range.first] = origin_at(row);
    }
}

/* Write `rows` rows with the ranks of comm, two chunks a rank and round. */
static enum status write_shard(MPI_Comm comm, const char *path, enum store store, int64_t rows)
{
    const int64_t chunks = split_blocks(rows, CHUNK_ROWS);
    void *values = allocate(2 * CHUNK_ROWS * WIDTH, 4);
    struct row_origin *origins = allocate(2 * CHUNK_ROWS, sizeof *origins);
    struct activation_writer writer = {0};
    enum status st;
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    TRY(activation_writer_create(&writer, comm, path, (struct stream){ TAP, WIDTH, store }, rows,
                                 &IDENTITY));
    for (int64_t first = 0; first < chunks; first += 2 * size) {
        int64_t from = (first + 2 * rank) * CHUNK_ROWS, to = from + 2 * CHUNK_ROWS;
        from = from < rows ? from : rows;
        to = to < rows ? to : rows;
        fill(store, (struct range){ from, to }, values, origins);
        TRY(activation_writer_write(&writer, (struct range){ from, to }, values, origins));
    }
done:
    free(origins);
    free(values);
    return activation_writer_close(&writer, st);
}

static void reads_back_what_was_written(const char *path, enum store store)
{
    char paths[2][PATH_LENGTH];
    struct activations stream = {0};
    void *got = allocate(3 * CHUNK_ROWS * WIDTH, 4), *want = allocate(3 * CHUNK_ROWS * WIDTH, 4);
    struct row_origin got_origins[3 * CHUNK_ROWS], want_origins[3 * CHUNK_ROWS];
    const struct range ranges[] = { { 0, 1 }, { 500, 1600 }, { ROWS - 1, ROWS } };

    path_print(paths[0], "%s", path);
    path_print(paths[1], "%s", path);
    CHECK(activations_open(&stream, paths, NULL, 2) == OK);
    CHECK(stream.statistics.rows == 2 * ROWS && stream.stream.width == WIDTH);
    CHECK(stream.stream.tap.layer == 3 && stream.stream.store == store);
    for (size_t i = 0; i < 3; i++) {
        const size_t rows = (size_t)(ranges[i].end - ranges[i].first);
        CHECK(activations_read(&stream, ranges[i], got, got_origins) == OK);
        fill(store, ranges[i], want, want_origins);
        CHECK(memcmp(got, want, rows * WIDTH * (size_t)store_bytes(store)) == 0);
        CHECK(memcmp(got_origins, want_origins, rows * sizeof *got_origins) == 0);
    }
    /* Across the border of two shards. */
    CHECK(activations_read(&stream, (struct range){ ROWS - 2, ROWS + 3 }, got, NULL) == OK);
    fill(store, (struct range){ 0, 3 }, want, want_origins);
    CHECK(memcmp((char *)got + 2 * WIDTH * store_bytes(store), want,
                 3 * WIDTH * (size_t)store_bytes(store)) == 0);
    activations_close(&stream);
    free(want);
    free(got);
}

/* By their definition, in another order than the writer's. */
static void keeps_true_statistics(const char *path, enum store store)
{
    double squares = 0, sum[WIDTH] = {0};
    struct activations stream = {0};
    char paths[1][PATH_LENGTH];

    for (int64_t row = ROWS; row-- > 0; )
        for (int64_t i = 0; i < WIDTH; i++) {
            float x = value_at(row, i);
            if (store == STORE_BF16) {
                uint16_t half;
                bf16_from_float(&half, &x, 1);
                bf16_to_float(&x, &half, 1);
            }
            squares += (double)x * (double)x;
            sum[i] += (double)x;
        }
    path_print(paths[0], "%s", path);
    CHECK(activations_open(&stream, paths, NULL, 1) == OK);
    CHECK(fabs(stream.statistics.sum_squares / squares - 1) < 1e-12);
    for (int64_t i = 0; i < WIDTH; i++)
        CHECK(fabs(stream.statistics.sum[i] - sum[i]) < 1e-8);
    activations_close(&stream);
}

/* All ranks together, and each rank for itself, make the same statistics to the bit. */
static void does_not_depend_on_the_number_of_ranks(const char *together, const char *alone)
{
    struct activations a = {0}, b = {0};
    char paths[2][PATH_LENGTH];

    path_print(paths[0], "%s", together);
    path_print(paths[1], "%s", alone);
    CHECK(activations_open(&a, paths, NULL, 1) == OK);
    CHECK(activations_open(&b, paths + 1, NULL, 1) == OK);
    CHECK(a.statistics.hash == b.statistics.hash);
    CHECK(memcmp(&a.statistics.sum_squares, &b.statistics.sum_squares, sizeof(double)) == 0);
    CHECK(memcmp(a.statistics.sum, b.statistics.sum, WIDTH * sizeof(double)) == 0);
    activations_close(&b);
    activations_close(&a);
}

/* Flip one bit after another in a small shard: each is refused, or hit nothing we read. */
static void finds_flipped_bits(const char *path)
{
    enum { SMALL = 40, TRIES = 400 };
    char *bytes, paths[1][PATH_LENGTH];
    float want[SMALL * WIDTH], got[SMALL * WIDTH];
    struct row_origin want_origins[SMALL], got_origins[SMALL];
    int64_t size;
    int refused = 0;

    path_print(paths[0], "%s", path);
    CHECK(write_shard(MPI_COMM_SELF, path, STORE_F32, SMALL) == OK);
    CHECK(file_read(path, &bytes, &size) == OK);
    fill(STORE_F32, (struct range){ 0, SMALL }, want, want_origins);
    for (int t = 0; t < TRIES; t++) {
        const int64_t bit = (int64_t)((double)random_uniform(3, 2, (uint64_t)t) * (double)size * 8);
        struct activations stream = {0};
        FILE *file = fopen(path, "wb");

        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        fwrite(bytes, 1, (size_t)size, file);
        fclose(file);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        enum status st = activations_open(&stream, paths, NULL, 1);
        if (st == OK)
            st = activations_read(&stream, (struct range){ 0, SMALL }, got, got_origins);
        if (st == OK)
            CHECK(memcmp(got, want, sizeof got) == 0 &&
                  memcmp(got_origins, want_origins, sizeof got_origins) == 0);
        else
            refused++;
        CHECK(st == OK || strstr(refuse_reason(), path) != NULL);
        refuse_clear();
        activations_close(&stream);
    }
    CHECK(refused > TRIES / 3);
    free(bytes);
}

/* A value that is not a number stops all ranks, with a reason that names the stream. */
static void refuses_nan(const char *path)
{
    struct activation_writer writer = {0};
    struct row_origin origins[3] = {{0}};
    float values[3 * WIDTH] = {0};
    int rank;

    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    values[WIDTH + 2] = NAN;
    CHECK(activation_writer_create(&writer, MPI_COMM_WORLD, path,
                                   (struct stream){ TAP, WIDTH, STORE_F32 }, 3, &IDENTITY)
          == OK);
    CHECK(activation_writer_write(&writer, (struct range){ 0, rank == 0 ? 3 : 0 }, values, origins)
          == E_NUMERIC);
    CHECK(activation_writer_close(&writer, E_NUMERIC) == E_NUMERIC);
    CHECK(strstr(refuse_reason(), "res.03") != NULL);
    refuse_clear();
}

int main(int argc, char **argv)
{
    const enum store stores[] = { STORE_F32, STORE_BF16 };
    char together[PATH_LENGTH], alone[PATH_LENGTH];
    struct ranked here = ranked_start(&argc, &argv);

    path_print(together, "%s/together.h5", here.folder);
    path_print(alone, "%s/alone-%d.h5", here.folder, here.rank);
    for (int i = 0; i < 2; i++) {
        CHECK(write_shard(MPI_COMM_WORLD, together, stores[i], ROWS) == OK);
        CHECK(write_shard(MPI_COMM_SELF, alone, stores[i], ROWS) == OK);
        reads_back_what_was_written(together, stores[i]);
        keeps_true_statistics(together, stores[i]);
        does_not_depend_on_the_number_of_ranks(together, alone);
        MPI_Barrier(MPI_COMM_WORLD);
    }
    finds_flipped_bits(alone);
    refuses_nan(together);
    return ranked_finish(&here);
}
