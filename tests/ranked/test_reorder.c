/* reorder_stream(): output row order(i) is input row i, in any number of passes.
 *
 *   mpirun -n RANKS build/tests/ranked/test_reorder [every]
 *
 * `every` takes many more sizes (make check-reorder).
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/random.h"
#include "kernels/bf16.h"
#include "kernels/permute.h"
#include "shard/activation_writer.h"
#include "shard/store.h"
#include "shuffle/reorder.h"
#include "shuffle/shuffle_plan.h"
#include "tests/ranked/ranked.h"

#include <unistd.h>

enum { WIDTH = 3, SEED = 5 };

static const struct identity NONE = { .suite = "" };
static const struct identity OF_OUTPUT = { "shuffle/mlp.01", 7, "", "train" };
static const struct tap TAP = { SITE_MLP, 1 };

/* One shuffle of the tests. */
struct trial {
    int64_t    rows, shard, bucket;
    int64_t    held;            /* chunks of a window that fit into a rank's memory */
    enum store store;
};

static void fill_row(void *values, struct row_origin *origin, int64_t row, enum store store)
{
    float x[WIDTH];

    for (int64_t i = 0; i < WIDTH; i++)
        x[i] = random_uniform(1, 1, (uint64_t)(row * WIDTH + i)) - 0.5f;
    if (store == STORE_BF16)
        bf16_from_float(values, x, WIDTH);
    else
        memcpy(values, x, sizeof x);
    *origin = (struct row_origin){ row << 32, (int32_t)(row % 77), (int32_t)(row % 1000) };
}

/* Input in three shards of uneven lengths, whose chunks do not lie at multiples of
 * CHUNK_ROWS of the whole.  Rank 0 writes. */
static void write_input(char paths[3][PATH_LENGTH], const struct trial *t)
{
    const int64_t ends[] = { t->rows / 3, t->rows - t->rows / 5, t->rows };
    const int64_t bytes = WIDTH * store_bytes(t->store);
    char *values = allocate(t->rows, bytes);
    struct row_origin *origins = allocate(t->rows, sizeof *origins);

    for (int64_t row = 0; row < t->rows; row++)
        fill_row(values + row * bytes, origins + row, row, t->store);
    for (int shard = 0; shard < 3; shard++) {
        const int64_t first = shard == 0 ? 0 : ends[shard - 1], rows = ends[shard] - first;
        struct activation_writer writer = {0};

        CHECK(activation_writer_create(&writer, MPI_COMM_SELF, paths[shard],
                                (struct stream){ TAP, WIDTH, t->store }, rows, &NONE) == OK);
        CHECK(activation_writer_write(&writer, (struct range){ 0, rows }, values + first * bytes,
                                      origins + first)
              == OK);
        CHECK(activation_writer_close(&writer, OK) == OK);
    }
    free(origins);
    free(values);
}

/* The least memory that lets a rank hold t->held chunks. */
static int64_t memory_for(const struct trial *t, int ranks)
{
    const int64_t value = store_bytes(t->store);
    const struct shuffle_memory_rows like = { WIDTH * value, value, CHUNK_ROWS,
                                              shuffle_plan_chunk(t->rows, t->shard) };
    struct shuffle_memory memory = {0};
    int64_t budget = 10000;

    while (shuffle_memory_make(&memory, budget, ranks, &like) != OK
           || memory.window_chunks < t->held)
        budget += 1000;
    refuse_clear();
    return budget;
}

/* Where input row i must go: in mode bucket, each bucket has a key of its own. */
static int64_t place_of(const struct trial *t, int64_t row)
{
    const struct range bucket = split_block(t->rows, t->bucket, row / t->bucket);
    int64_t place = row - bucket.first;
    struct permute permute;

    permute_make(&permute, bucket.end - bucket.first, SEED, RANDOM_SHUFFLE,
                 (uint64_t)(row / t->bucket));
    permute_forward(&place, &place, 1, &permute);
    return bucket.first + place;
}

/* Every row is where it must be, with its origin. */
static void check_rows(const struct trial *t, struct activations *output)
{
    const int64_t bytes = WIDTH * store_bytes(t->store);
    char *values, want[WIDTH * 4];
    struct row_origin *origins, origin;
    int64_t wrong = 0;

    CHECK(output->statistics.rows == t->rows);
    if (output->statistics.rows != t->rows)
        return;
    values = allocate(t->rows, bytes);
    origins = allocate(t->rows, sizeof *origins);
    CHECK(activations_read(output, (struct range){ 0, t->rows }, values, origins) == OK);
    for (int64_t row = 0; row < t->rows; row++) {
        const int64_t place = place_of(t, row);

        fill_row(want, &origin, row, t->store);
        wrong += memcmp(values + place * bytes, want, (size_t)bytes) != 0
                 || memcmp(origins + place, &origin, sizeof origin) != 0;
    }
    CHECK(wrong == 0);
    free(origins);
    free(values);
}

/* All shards, and no more than there should be. */
static enum status open_output(struct activations *output, const char *folder,
                               const struct trial *t)
{
    char beyond[PATH_LENGTH];

    shards_numbered(beyond, folder, split_blocks(t->rows, t->shard));
    CHECK(!file_exists(beyond));
    return activations_open_folder(output, folder, &OF_OUTPUT);
}

static enum status shuffle(struct trial t, char paths[3][PATH_LENGTH], const char *folder,
                           MPI_Comm comm)
{
    struct run run = { .stage = "test", .comm = comm };
    struct activations input = {0};
    struct reorder_rows rows = {0};
    enum status st;

    MPI_Comm_rank(comm, &run.rank);
    MPI_Comm_size(comm, &run.size);
    TRY_ALL(comm, activations_open(&input, paths, NULL, 3));
    const struct reorder job = {
        .input = &input, .order = { t.rows, t.bucket, SEED }, .shard = t.shard,
        .memory = memory_for(&t, run.size), .rows = &rows, .folder = folder, .identity = OF_OUTPUT,
    };
    st = reorder_stream(&job, &run);
done:
    free(rows.memory);
    activations_close(&input);
    return st;
}

/* Paths of the input of a trial, which rank 0 writes. */
static void make_input(const struct ranked *here, char paths[3][PATH_LENGTH],
                       const struct trial *t)
{
    for (int shard = 0; shard < 3; shard++)
        path_print(paths[shard], "%s/in-%d.h5", here->folder, shard);
    if (here->rank == 0)
        write_input(paths, t);
    comm_meet(MPI_COMM_WORLD);
}

/* All ranks together and rank 0 alone with more memory: each checked row by row, and with
 * the same sums. */
static void puts_every_row_into_its_place(const struct ranked *here, struct trial t)
{
    char paths[3][PATH_LENGTH], together[PATH_LENGTH], alone[PATH_LENGTH], part[PATH_LENGTH];
    struct activations a = {0}, b = {0};

    path_print(together, "%s/together", here->folder);
    path_print(alone, "%s/alone", here->folder);
    path_print(part, "%s.part", together);
    make_input(here, paths, &t);
    CHECK(shuffle(t, paths, together, MPI_COMM_WORLD) == OK);
    CHECK(!file_exists(part));
    if (here->rank == 0) {
        t.held += 3;
        CHECK(shuffle(t, paths, alone, MPI_COMM_SELF) == OK);
        CHECK(open_output(&a, together, &t) == OK);
        CHECK(open_output(&b, alone, &t) == OK);
        check_rows(&t, &a);
        check_rows(&t, &b);
        CHECK(a.statistics.hash == b.statistics.hash);
        CHECK(a.statistics.sum != NULL && b.statistics.sum != NULL
              && memcmp(a.statistics.sum, b.statistics.sum, WIDTH * sizeof(double)) == 0);
        activations_close(&b);
        activations_close(&a);
        file_remove(together);
        file_remove(alone);
    }
    comm_meet(MPI_COMM_WORLD);
}

/* A flipped bit in a chunk is refused by all ranks, with the file's name, and nothing is
 * published; once it is mended, the same call goes on. */
static void refuses_a_flipped_bit(const struct ranked *here)
{
    const struct trial t = { 5000, 1000, 5000, 2, STORE_BF16 };
    char paths[3][PATH_LENGTH], folder[PATH_LENGTH];
    struct activations output = {0};
    int64_t bytes;

    path_print(folder, "%s/flipped", here->folder);
    make_input(here, paths, &t);
    CHECK(file_size(paths[1], &bytes) == OK);
    if (here->rank == 0)
        flip_bit(paths[1], bytes * 4);
    comm_meet(MPI_COMM_WORLD);
    CHECK(shuffle(t, paths, folder, MPI_COMM_WORLD) == E_FORMAT);
    CHECK(strstr(refuse_reason(), paths[1]) != NULL);
    CHECK(!file_exists(folder));
    refuse_clear();

    comm_meet(MPI_COMM_WORLD);
    if (here->rank == 0)
        flip_bit(paths[1], bytes * 4);
    comm_meet(MPI_COMM_WORLD);
    CHECK(shuffle(t, paths, folder, MPI_COMM_WORLD) == OK);
    CHECK(open_output(&output, folder, &t) == OK);
    check_rows(&t, &output);
    activations_close(&output);
    comm_meet(MPI_COMM_WORLD);
}

/* A shuffled stream of which a shard is missing, or is there twice, is not read. */
static void knows_which_rows_it_should_have(const struct ranked *here)
{
    const struct trial t = { 5000, 1000, 5000, 2, STORE_BF16 };
    char paths[3][PATH_LENGTH], folder[PATH_LENGTH], shard[2][PATH_LENGTH], *bytes;
    struct activations output = {0};
    int64_t size;

    path_print(folder, "%s/evidence", here->folder);
    make_input(here, paths, &t);
    CHECK(shuffle(t, paths, folder, MPI_COMM_WORLD) == OK);
    if (here->rank == 0) {
        shards_numbered(shard[0], folder, 0);
        shards_numbered(shard[1], folder, 4);
        CHECK(open_output(&output, folder, &t) == OK);
        CHECK(output.source.rows == t.rows && output.source.hash == output.statistics.hash);
        activations_close(&output);
        CHECK(file_read(shard[0], &bytes, &size) == OK && file_write(shard[1], bytes, size) == OK);
        CHECK(open_output(&output, folder, &t) == E_USAGE);
        CHECK(strstr(refuse_reason(), "made as shuffle/mlp.01/00000.h5 of a run folder") != NULL);
        refuse_clear();
        activations_close(&output);
        CHECK(file_remove(shard[1]) == OK);
        CHECK(open_output(&output, folder, &t) == E_FORMAT);
        CHECK(strstr(refuse_reason(), "(4000 rows") != NULL);
        refuse_clear();
        activations_close(&output);
        free(bytes);
    }
    comm_meet(MPI_COMM_WORLD);
}

/* Notes of the shuffles are not for the test's reader: standard output waits elsewhere. */
static void run_all(const struct ranked *here)
{
    static const int64_t SIZES[] = { 1, 2, 3, 511, 512, 513, 997, 1023, 1025, 2047, 4095,
                                     4097, 4099, 10007 };
    static const int64_t SHARDS[] = { 512, 1000, 4096 };
    static const int64_t HELD[] = { 1, 4, 100 };

    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++)
        for (size_t h = here->size > 3 ? i % 3 : 0; h < 3; h += (here->size > 3 ? 3 : 1)) {
            const struct trial t = { SIZES[i], SHARDS[(i + h) % 3], SIZES[i], HELD[h],
                                     (i + h) % 2 == 0 ? STORE_F32 : STORE_BF16 };
            puts_every_row_into_its_place(here, t);
        }
    puts_every_row_into_its_place(here, (struct trial){ 5000, 1000, 700, 2, STORE_F32 });
    puts_every_row_into_its_place(here, (struct trial){ 5000, 1000, 700, 100, STORE_BF16 });
    puts_every_row_into_its_place(here, (struct trial){ 10007, 4096, 300, 2, STORE_BF16 });
    puts_every_row_into_its_place(here, (struct trial){ 10007, 4096, 1, 2, STORE_BF16 });
    puts_every_row_into_its_place(here, (struct trial){ 997, 16, 997, 2, STORE_BF16 });
    puts_every_row_into_its_place(here, (struct trial){ 61, 7, 61, 2, STORE_F32 });
    refuses_a_flipped_bit(here);
    knows_which_rows_it_should_have(here);
}

static bool prime(int64_t n)
{
    for (int64_t d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return n > 1;
}

/* Every number of rows to 300; beyond, to 10,000, some primes and all that are multiples of 512 or
 * beside one.  Shards may have a single row; memory is that for two to six chunks of them. */
static void run_every(const struct ranked *here)
{
    enum { ALL = 300, MOST = 10000, PRIMES = 12 };
    int64_t trials = 0, primes = 0;

    for (int64_t rows = 1; rows <= MOST; rows++) {
        const bool beside = (rows + 1) % CHUNK_ROWS <= 2;
        const bool chosen = prime(rows) && primes++ % PRIMES == 0;

        if (rows > ALL && !beside && !chosen)
            continue;
        const int64_t shard = 1 + rows * (trials % 7 + 1) / 8;      /* two to eight of them */
        const struct trial t = { rows, shard, rows, 2 + trials % 5,
                                 trials % 2 == 0 ? STORE_F32 : STORE_BF16 };

        puts_every_row_into_its_place(here, t);
        trials++;
    }
    if (here->rank == 0)
        fprintf(stderr, "%lld sizes on %d ranks\n", (long long)trials, here->size);
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);
    const int out = dup(STDOUT_FILENO);

    CHECK(freopen("/dev/null", "w", stdout) != NULL);
    if (argc > 1)
        run_every(&here);
    else
        run_all(&here);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    return ranked_finish(&here);
}
