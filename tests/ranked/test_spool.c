/* A spool: what goes in round by round lies in the shards row by row, whoever brought it. */
#include "base/allocate.h"
#include "base/random.h"
#include "harvest/spool.h"
#include "shard/activations.h"
#include "shard/store.h"
#include "tests/ranked/ranked.h"

#include <math.h>

/* Blocks of odd lengths, longer and shorter than a chunk, some empty. */
static const int64_t BLOCKS[] = { 700, 3, 0, 512, 1300, 1, 511, 0, 1024, 37, 90 };
enum { BLOCKS_COUNT = sizeof BLOCKS / sizeof *BLOCKS, LONGEST = 1300, STREAMS = 5 };

/* One of them has rows shorter than their origins. */
static const struct stream LIST[STREAMS] = {
    { { SITE_ATTN, 0 }, 24, STORE_BF16 }, { { SITE_RES, 0 }, 3, STORE_BF16 },
    { { SITE_ATTN, 1 }, 24, STORE_F32 }, { { SITE_MLP, 1 }, 40, STORE_F32 },
    { { SITE_RES, 11 }, 9, STORE_F32 },
};

/* The bytes of a row, and where it comes from: functions of the place alone. */
static void fill_row(char *row, struct stream stream, int64_t at)
{
    const int64_t bytes = store_bytes(stream.store);

    for (int64_t i = 0; i < stream.width; i++) {
        const float x = random_uniform((uint64_t)stream.tap.layer, stream.tap.site,
                                       (uint64_t)(at * stream.width + i));
        memcpy(row + i * bytes, (const char *)&x + 4 - bytes, (size_t)bytes);
    }
}

static struct row_origin origin_at(int64_t row)
{
    return (struct row_origin){ row << 32 | 5, (int32_t)row, (int32_t)(row % 100) };
}

/* The rows of blocks [0, n). */
static int64_t rows_before(int n)
{
    int64_t rows = 0;

    for (int b = 0; b < n; b++)
        rows += BLOCKS[b];
    return rows;
}

/* Give a round: block `first` + rank of the list, or nothing.  Row `bad` of stream 3 begins
 * with what is no number. */
static void give_round(struct spool *spool, int first, int64_t bad)
{
    const int n = first + spool->size < BLOCKS_COUNT ? first + spool->size : BLOCKS_COUNT;
    const int b = first + spool->rank < n ? first + spool->rank : n;
    const struct range mine = { rows_before(b), rows_before(b < n ? b + 1 : n) };
    struct row_origin *origins = spool_origins(spool);

    for (int64_t row = mine.first; row < mine.end; row++)
        origins[row - mine.first] = origin_at(row);
    spool_round(spool, mine, rows_before(n));
    for (int s = 0; s < STREAMS; s++) {
        const int64_t bytes = LIST[s].width * store_bytes(LIST[s].store);
        char *values = spool_values(spool, s);
        for (int64_t row = mine.first; row < mine.end; row++) {
            fill_row(values + (row - mine.first) * bytes, LIST[s], row);
            if (s == 3 && row == bad)
                memcpy(values + (row - mine.first) * bytes, &(float){ NAN }, sizeof(float));
        }
        spool_give(spool, s);
    }
}

static enum status write_shard(struct spool *spool, const char *folder, int64_t bad)
{
    enum status st;

    TRY(spool_open(spool, folder, rows_before(BLOCKS_COUNT),
                   &(struct identity){ .suite = "" }));
    for (int first = 0; first < BLOCKS_COUNT; first += spool->size)
        give_round(spool, first, bad);
done:
    return spool_close(spool, st);
}

static void check_stream(const char *folder, struct stream stream)
{
    const int64_t rows = rows_before(BLOCKS_COUNT),
                  bytes = stream.width * store_bytes(stream.store);
    char path[1][PATH_LENGTH], name[32], *values = allocate(rows, bytes), row[160];
    struct row_origin *origins = allocate(rows, sizeof *origins);
    struct activations got = {0};

    path_print(path[0], "%s/%s.h5", folder, site_tap_name(name, stream.tap));
    CHECK(activations_open(&got, path, NULL, 1) == OK);
    CHECK(got.statistics.rows == rows && got.stream.width == stream.width);
    CHECK(activations_read(&got, (struct range){ 0, rows }, values, origins) == OK);
    for (int64_t r = 0; r < rows; r++) {
        const struct row_origin want = origin_at(r);
        fill_row(row, stream, r);
        CHECK(memcmp(values + r * bytes, row, (size_t)bytes) == 0);
        CHECK(memcmp(&origins[r], &want, sizeof want) == 0);
    }
    activations_close(&got);
    free(origins);
    free(values);
}

static void writes_every_row_in_its_place(struct spool *spool, const char *folder)
{
    for (int shard = 0; shard < 2; shard++) {
        CHECK(write_shard(spool, folder, -1) == OK);
        MPI_Barrier(spool->comm);
        for (int s = 0; spool->rank == 0 && s < STREAMS; s++)
            check_stream(folder, LIST[s]);
        MPI_Barrier(spool->comm);
    }
}

/* All ranks come back with the reason, though the rounds behind the bad row were given too. */
static void brings_a_failure_to_all_ranks(struct spool *spool, const char *folder)
{
    CHECK(write_shard(spool, folder, 1000) == E_NUMERIC);
    CHECK(strstr(refuse_reason(), "mlp.01") != NULL && strstr(refuse_reason(), "finite") != NULL);
    refuse_clear();
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);
    struct spool spool;

    for (int failing = 0; failing < 2; failing++) {
        spool_make(&spool, MPI_COMM_WORLD, LIST, STREAMS, LONGEST);
        (failing ? brings_a_failure_to_all_ranks : writes_every_row_in_its_place)(&spool,
                                                                                  here.folder);
        spool_free(&spool);
    }
    return ranked_finish(&here);
}
