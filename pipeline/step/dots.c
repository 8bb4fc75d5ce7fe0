#include "step/dots.h"
#include "kernels/slice.h"
#include "step/decoder_blocks.h"
#include "step/dense.h"

/* Auxiliary entries that are not decoded follow the active ones of the last group, and need the
 * same residual. */
static bool with_auxiliary(const struct residuals *residuals, int r)
{
    return r == residuals->groups - 1 && residuals->count == residuals->groups;
}

void dots_add_row(const struct training *training, const struct lists *lists,
                  const struct residuals *residuals, const struct residual_block *block,
                  const void *slice, int64_t row, float *dots)
{
    const struct codes *rows = &lists->rows;
    const int64_t at = block->rows.first + row;

    for (int r = 0; r < residuals->count; r++) {
        const struct section section = residuals_section(residuals, lists, r);
        const int32_t *end = with_auxiliary(residuals, r) ? rows->start + 1 : section.end;
        const int64_t first = section.start[at];
        slice_dots(dots + first, rows->index + first, end[at] - first,
                   residuals_row(block, r, row), slice, range_length(block->columns),
                   training->recipe.train.precision);
    }
}

/* What the threads of dots_add() work with. */
struct dotting {
    const struct training *training;
    const struct lists *lists;
    const struct residuals *residuals;
    const struct step_scratch *scratch;
    float *dots;
};

static void add_block(const void *context, struct range rows, struct range columns)
{
    const struct dotting *d = context;
    const struct residual_block block = residuals_block(d->residuals, d->scratch, rows, columns);

    residuals_load(d->residuals, &block);
    for (int64_t row = 0; row < range_length(rows); row++)
        dots_add_row(d->training, d->lists, d->residuals, &block, d->scratch->shared, row, d->dots);
}

static void add_dense(const struct training *training, const struct lists *lists,
                      const struct residuals *residuals, struct step_scratch *scratch,
                      struct range rows, float *dots)
{
    for (int r = 0; r < residuals->count; r++) {
        const struct section sections[] = {
            residuals_section(residuals, lists, r), lists_auxiliary(lists),
        };
        dense_dots(training, lists, &residuals->rows[r], scratch, rows, sections,
                   with_auxiliary(residuals, r) ? 2 : 1, dots);
    }
}

void dots_add(const struct training *training, const struct lists *lists,
              const struct residuals *residuals, struct step_scratch *scratch, struct range rows,
              float *dots)
{
    const struct dotting dotting = { training, lists, residuals, scratch, dots };

    if (dense_is_used(training))
        add_dense(training, lists, residuals, scratch, rows, dots);
    else
        decoder_blocks_visit(training, lists->pass, scratch, rows, add_block, &dotting);
}
