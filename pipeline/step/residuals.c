#include "step/residuals.h"
#include "base/allocate.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

void residuals_make(struct residuals *residuals, const struct step_sizes *sizes)
{
    const int64_t batch = sizes->needs.batch, count = sizes->needs.residuals;
    const int64_t blocks = sizes->own_column_blocks * sizes->row_blocks;

    *residuals = (struct residuals){
        .squares = allocate(count * blocks, sizeof(double)),
        .column_sums = allocate(sizes->row_blocks * sizes->own_columns, sizeof(double)),
    };
    for (int r = 0; r < count; r++)
        residuals->rows[r] = (struct packed_rows){
            .memory = allocate_big(batch * sizes->own_columns, store_bytes(sizes->store)),
            .store = sizes->store,
            .factor = 1,
        };
}

void residuals_free(struct residuals *residuals)
{
    for (int r = 0; r < RESIDUALS_MOST; r++)
        free(residuals->rows[r].memory);
    free(residuals->column_sums);
    free(residuals->squares);
    *residuals = (struct residuals){0};
}

int64_t residuals_bytes(const struct step_sizes *sizes)
{
    const int64_t count = sizes->needs.residuals;
    const int64_t blocks = sizes->own_column_blocks * sizes->row_blocks;

    return count * sizes->needs.batch * sizes->own_columns * store_bytes(sizes->store)
           + (count * blocks + sizes->row_blocks * sizes->own_columns) * (int64_t)sizeof(double);
}

void residuals_begin(struct residuals *residuals, const struct training *training,
                     bool auxiliary_decoded)
{
    residuals->groups = training_groups(training);
    residuals->count = residuals->groups + auxiliary_decoded;
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
    float *own = scratch->own[omp_get_thread_num()];

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
    for (int r = 0; r < block->count; r++)
        packed_rows_store(&residuals->rows[r], block->value[r], SLICE_COLUMNS, block->rows,
                          block->columns);
}

int64_t residuals_block_floats(const struct step_sizes *sizes)
{
    return (int64_t)ROW_BLOCK * sizes->needs.residuals * SLICE_COLUMNS;
}
