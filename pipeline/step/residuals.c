#include "step/residuals.h"
#include "step/architecture.h"

#include <omp.h>
#include <string.h>

void residuals_storage(struct residuals *residuals, const struct step_sizes *sizes,
                       struct storage *storage)
{
    const int64_t bytes = sizes->needs.batch * sizes->own_columns * store_bytes(sizes->store);
    const int count = sizes->needs.residuals;

    for (int r = 0; r < count; r++) {
        struct packed_rows *rows = &residuals->rows[r];
        rows->memory = storage_aligned(storage, rows->memory, bytes);
        rows->store = sizes->store;
        rows->factor = 1;
    }
    STORAGE(storage, residuals->squares, count * sizes->own_column_blocks * sizes->row_blocks);
    STORAGE(storage, residuals->column_sums, sizes->row_blocks * sizes->own_columns);
}

/* A second reconstruction of the row, with the decoder held fixed, only needs dot products. */
void residuals_begin(struct residuals *residuals, const struct training *training,
                     bool auxiliary_decoded, bool dots_complete)
{
    const bool only_dots = auxiliary_decoded && training->architecture->auxiliary == AUXILIARY_ROW;

    residuals->groups = training_groups(training);
    residuals->count = residuals->groups + auxiliary_decoded;
    residuals->stored = residuals->count - (only_dots && dots_complete);
    for (int r = 0; r < residuals->count; r++)
        residuals->rows[r].width = training_own_columns(training);
}

bool residuals_is_auxiliary(const struct residuals *residuals, int r)
{
    return r == residuals->groups;
}

struct section residuals_section(const struct residuals *residuals, const struct lists *lists,
                                 int r)
{
    return residuals_is_auxiliary(residuals, r) ? lists_auxiliary(lists) : lists_group(lists, r);
}

double residuals_scale(const struct training *training)
{
    return 2 / ((double)training->batch * training_groups(training));
}

double *residuals_square(const struct residuals *residuals, int64_t rows, int r,
                         int64_t column_block, int64_t row_block)
{
    const int64_t column_blocks = split_blocks(residuals->rows[0].width, COLUMNS);

    return &residuals->squares[(r * column_blocks + column_block) * split_blocks(rows, ROW_BLOCK)
                               + row_block];
}

struct residual_block residuals_block(const struct residuals *residuals,
                                      const struct step_scratch *scratch, struct range rows,
                                      struct range columns)
{
    const int64_t each = ROW_BLOCK * SLICE_COLUMNS;
    struct residual_block block = { .rows = rows, .columns = columns, .count = residuals->count };
    float *own = step_scratch_own(scratch);

    for (int r = 0; r < block.count; r++)
        block.value[r] = own + r * each;
    if (range_length(columns) % COLUMNS != 0)
        memset(own, 0, (size_t)(block.count * each) * sizeof *own);
    return block;
}

void residuals_load(const struct residuals *residuals, const struct residual_block *block)
{
    for (int r = 0; r < block->count; r++)
        packed_rows_load(block->value[r], SLICE_COLUMNS, &residuals->rows[r], block->rows,
                         block->columns);
}

void residuals_store(const struct residuals *residuals, const struct residual_block *block)
{
    for (int r = 0; r < residuals->stored; r++)
        packed_rows_store(&residuals->rows[r], block->value[r], SLICE_COLUMNS, block->rows,
                          block->columns);
}

int64_t residuals_block_floats(const struct step_sizes *sizes)
{
    return (int64_t)ROW_BLOCK * sizes->needs.residuals * SLICE_COLUMNS;
}
