/* Rows whose norm stands out are dropped from all streams, whoever looks. */
#include "base/allocate.h"
#include "harvest/norm_filter.h"
#include "kernels/bf16.h"
#include "kernels/values.h"
#include "shard/activation_writer.h"
#include "shard/store.h"
#include "tests/ranked/ranked.h"

enum { ROWS = 9 * CHUNK_ROWS + 101, WIDE = 24, NARROW = 8 };

static const struct identity IDENTITY = { "harvest/00000", 7, "s", "shuffle" };
static const struct stream STREAMS[] = {
    { { SITE_ATTN, 0 }, WIDE, STORE_F32 },
    { { SITE_RES, 0 }, NARROW, STORE_BF16 },
};

/* Lengths of the rows of each stream, times 1 and 128. */
static float lengths[2][ROWS];

/* 0, or the length of a row that stands out: ten medians, or a little more.  In the first
 * stream, in the second, in both. */
static float outstanding(int s, int64_t row)
{
    if (row % 1000 == 17 || (s == 1 && row >= 2000 && row < 2600))
        return 20;
    return (s == 0 && row % 700 == 3) || (s == 1 && row == ROWS - 1) ? 21 : 0;
}

/* One row has length 2, which is the median: as many have 1 as have 3 and more. */
static void draw_lengths(void)
{
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0, usual = 0; i < ROWS; i++) {
            const int64_t row = 1009 * i % ROWS;

            lengths[s][row] = outstanding(s, row);
            if (lengths[s][row] == 0)
                lengths[s][row] = 2 * usual < ROWS - 1 ? 1 : 2 * usual == ROWS - 1 ? 2 : 3;
            usual += outstanding(s, row) == 0;
        }
}

static float length_of(int s, int64_t row)
{
    return s == 0 ? lengths[s][row] : 128 * lengths[s][row];
}

static struct row_origin origin_of(int64_t row)
{
    return (struct row_origin){ row << 20, (int32_t)(row % 100), (int32_t)(row % 4096) };
}

/* A row is its length in one place. */
static void fill(int s, struct range range, void *values, struct row_origin *origins)
{
    const int32_t width = STREAMS[s].width;

    for (int64_t row = range.first; row < range.end; row++) {
        const int64_t at = row - range.first;
        float x[WIDE] = {0};

        x[row % width] = row % 2 == 0 ? length_of(s, row) : -length_of(s, row);
        if (STREAMS[s].store == STORE_BF16)
            bf16_from_float((uint16_t *)values + at * width, x, width);
        else
            memcpy((float *)values + at * width, x, (size_t)width * sizeof *x);
        origins[at] = origin_of(row);
    }
}

/* Write both streams, on rank 0 alone. */
static void write_shard(const char *folder)
{
    void *values = allocate(ROWS, WIDE * 4);
    struct row_origin *origins = allocate(ROWS, sizeof *origins);
    char path[PATH_LENGTH], name[32];

    for (int s = 0; s < 2; s++) {
        const struct identity own = identity_of_stream(&IDENTITY, STREAMS[s].tap);
        struct activation_writer writer = {0};
        path_print(path, "%s/%s.h5", folder, site_tap_name(name, STREAMS[s].tap));
        fill(s, (struct range){ 0, ROWS }, values, origins);
        CHECK(activation_writer_create(&writer, MPI_COMM_SELF, path, STREAMS[s], ROWS,
                                       &own) == OK);
        CHECK(activation_writer_write(&writer, (struct range){ 0, ROWS }, values, origins) == OK);
        CHECK(activation_writer_close(&writer, OK) == OK);
    }
    free(origins);
    free(values);
}

/* Rows that are not longer than `most` medians in any stream, by the definition. */
static int64_t list_kept(int64_t *kept, double most)
{
    int64_t count = 0;

    for (int64_t row = 0; row < ROWS; row++)
        if ((double)length_of(0, row) <= most * 2 && (double)length_of(1, row) <= most * 256)
            kept[count++] = row;
    return count;
}

/* The stream holds the kept rows in their order, and says what its limit was. */
static void check_stream(const char *folder, int s, double most)
{
    const int64_t bytes = stream_row_bytes(STREAMS[s]);
    int64_t *kept = allocate(ROWS, sizeof *kept), count = list_kept(kept, most), dropped;
    char paths[1][PATH_LENGTH], values[WIDE * 4], expected[WIDE * 4], name[32];
    struct row_origin origin, expected_origin;
    const struct identity wanted = identity_of_stream(&IDENTITY, STREAMS[s].tap);
    struct activations stream = {0};
    double limit, squares = 0;
    hid_t file;

    path_print(paths[0], "%s/%s.h5", folder, site_tap_name(name, STREAMS[s].tap));
    CHECK(activations_open(&stream, paths, &wanted, 1) == OK);
    CHECK(stream.statistics.rows == count);
    for (int64_t i = 0; i < count; i++) {
        CHECK(activations_read(&stream, (struct range){ i, i + 1 }, values, &origin) == OK);
        fill(s, (struct range){ kept[i], kept[i] + 1 }, expected, &expected_origin);
        CHECK(memcmp(values, expected, (size_t)bytes) == 0);
        CHECK(memcmp(&origin, &expected_origin, sizeof origin) == 0);
        squares += (double)(length_of(s, kept[i]) * length_of(s, kept[i]));
    }
    CHECK(stream.statistics.sum_squares == squares);
    activations_close(&stream);
    CHECK(h5_open(&file, paths[0]) == OK);
    CHECK(h5_read_double(file, paths[0], "norm_limit", &limit) == OK);
    CHECK(limit == most * (s == 0 ? 2 : 256));
    CHECK(h5_read_int(file, paths[0], "dropped", &dropped) == OK);
    CHECK(dropped == ROWS - count);
    CHECK(h5_close(&file, paths[0], OK) == OK);
    path_print(paths[0] + strlen(paths[0]), ".part");
    CHECK(!file_exists(paths[0]));
    free(kept);
}

static void drops_what_stands_out(const struct ranked *here, double most, int64_t expected)
{
    const struct norm_filter filter = { MPI_COMM_WORLD, here->folder, STREAMS, 2, most,
                                        &IDENTITY };
    int64_t dropped;

    if (here->rank == 0)
        write_shard(here->folder);
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK(norm_filter_shard(&filter, &dropped) == OK);
    CHECK(dropped == expected);
    for (int s = 0; here->rank == 0 && s < 2; s++)
        check_stream(here->folder, s, most);
    MPI_Barrier(MPI_COMM_WORLD);
}

static void refuses_to_drop_all(const struct ranked *here)
{
    const struct norm_filter filter = { MPI_COMM_WORLD, here->folder, STREAMS, 2, 0.4,
                                        &IDENTITY };
    int64_t dropped;

    if (here->rank == 0)
        write_shard(here->folder);
    MPI_Barrier(MPI_COMM_WORLD);
    CHECK(norm_filter_shard(&filter, &dropped) == E_USAGE);
    CHECK(strstr(refuse_reason(), "max_norm") != NULL);
    refuse_clear();
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);
    int64_t kept[ROWS];

    draw_lengths();
    drops_what_stands_out(&here, 10, ROWS - list_kept(kept, 10));
    drops_what_stands_out(&here, 9.9, ROWS - list_kept(kept, 9.9));
    drops_what_stands_out(&here, 10.5, 0);
    CHECK(ROWS - list_kept(kept, 10) == 8);
    CHECK(ROWS - list_kept(kept, 9.9) == 8 + 600 + 4 - 1);
    refuses_to_drop_all(&here);
    return ranked_finish(&here);
}
