/* Spill files: every record is found in its group, in order; a flipped bit is refused. */
#include "base/allocate.h"
#include "base/random.h"
#include "shuffle/spill.h"
#include "tests/ranked/ranked.h"

enum { ROW_BYTES = 6, RUNS = 3, ROWS = 100, GROUPS = 4 };

/* Chunks of 7 records: groups have several, the last of them short. */
static struct spill_form form(void)
{
    return (struct spill_form){ record_bytes(ROW_BYTES), 2, 7 };
}

/* The group of row `row`: group 2 gets none. */
static int32_t group_of(int64_t row)
{
    static const int32_t OF[] = { 0, 3, 1, 3, 0, 1, 1 };

    return OF[row % 7];
}

static void make_record(struct record *record, int64_t row)
{
    memset(record, 0, (size_t)record_bytes(ROW_BYTES));
    record->row = row;
    record->origin = (struct row_origin){ row * 3, (int32_t)row, 7 };
    memcpy(record->values, &row, ROW_BYTES);
}

/* Run r holds rows r * ROWS, r * ROWS + 1, ...; the last run has none. */
static int64_t rows_of(int64_t run)
{
    return run < RUNS - 1 ? ROWS : 0;
}

static void write_run(const char *folder, int64_t run)
{
    const int64_t bytes = record_bytes(ROW_BYTES), rows = rows_of(run);
    char *records = allocate(ROWS, bytes), path[PATH_LENGTH], part[PATH_LENGTH];
    const struct spill_form like = form();
    uint8_t *scratch = allocate(spill_scratch_bytes(&like), 1);
    int32_t groups[ROWS], sorted[ROWS];

    for (int64_t i = 0; i < rows; i++) {
        make_record(record_at(records, bytes, i), run * ROWS + i);
        groups[i] = group_of(run * ROWS + i);
    }
    spill_path(path, folder, run);
    const struct spill_run whole = { records, rows, groups, GROUPS, sorted, scratch };
    path_print(part, "%s.part", path);
    CHECK(spill_write(part, &like, &whole) == OK);
    CHECK(file_publish(path) == OK);
    free(scratch);
    free(records);
}

/* All records of a group, five at a time; whether they are the right ones. */
static enum status read_group(MPI_Comm comm, const char *folder, int32_t group, bool *right)
{
    const int64_t bytes = record_bytes(ROW_BYTES);
    char *records = allocate(5, bytes), *want = allocate(1, bytes);
    const struct spill_form like = form();
    struct spill spill = {0};
    int64_t row = 0, count;
    enum status st;

    *right = true;
    TRY(spill_open(&spill, comm, folder, RUNS, &like, group, GROUPS));
    for (struct range left = { 0, spill_rows(&spill) }; left.first < left.end; ) {
        TRY(spill_read(&spill, records, &count, 5, &left));
        for (int64_t i = 0; i < count; i++, row++) {
            while (group_of(row) != group && row < (RUNS - 1) * ROWS)
                row++;
            make_record((struct record *)(void *)want, row);
            *right &= memcmp(record_at(records, bytes, i), want, (size_t)bytes) == 0;
        }
    }
    while (row < (RUNS - 1) * ROWS)
        *right &= group_of(row++) != group;
done:
    spill_close(&spill);
    free(want);
    free(records);
    return st;
}

static void finds_every_record_in_its_group(const char *folder)
{
    bool right;

    for (int32_t group = 0; group < GROUPS; group++)
        CHECK(read_group(MPI_COMM_WORLD, folder, group, &right) == OK && right);
}

/* Bit after bit of one file: whatever group is read, it is right or refused by name.  Bits of
 * a group are missed by none that read it. */
static void refuses_flipped_bits(const char *folder)
{
    enum { STEP = 61, HEAD = 48 + 32 * GROUPS };
    char path[PATH_LENGTH];
    int64_t size, refused = 0;
    bool right;

    spill_path(path, folder, 1);
    CHECK(file_size(path, &size) == OK);
    for (int64_t bit = 3; bit < 8 * size; bit += STEP) {
        flip_bit(path, bit);
        for (int32_t group = 0; group < GROUPS; group++) {
            const enum status st = read_group(MPI_COMM_SELF, folder, group, &right);

            CHECK(st == OK ? right : strstr(refuse_reason(), path) != NULL);
            refused += st != OK;
            refuse_clear();
        }
        flip_bit(path, bit);
    }
    CHECK(refused > 8 * (size - HEAD) / STEP - 40);
}

static void refuses_a_short_file(const char *folder)
{
    char *bytes, path[PATH_LENGTH];
    int64_t size;
    bool right;

    spill_path(path, folder, 0);
    CHECK(file_read(path, &bytes, &size) == OK);
    CHECK(file_write(path, bytes, size - 1) == OK);
    CHECK(read_group(MPI_COMM_SELF, folder, GROUPS - 1, &right) == E_FORMAT);
    CHECK(strstr(refuse_reason(), "too short") != NULL);
    refuse_clear();
    free(bytes);
}

int main(int argc, char **argv)
{
    struct ranked here = ranked_start(&argc, &argv);

    for (int64_t run = here.rank; run < RUNS; run += here.size)
        write_run(here.folder, run);
    MPI_Barrier(MPI_COMM_WORLD);
    finds_every_record_in_its_group(here.folder);
    MPI_Barrier(MPI_COMM_WORLD);
    if (here.rank == 0) {
        refuses_flipped_bits(here.folder);
        refuses_a_short_file(here.folder);
    }
    return ranked_finish(&here);
}
