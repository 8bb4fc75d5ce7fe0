#include "step/residual.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/slice.h"
#include "step/architecture.h"
#include "step/turns.h"

#include <omp.h>
#include <string.h>

static int64_t length(struct range range)
{
    return range.end - range.first;
}

int residual_count(const struct training *training, const struct workspace *w)
{
    return group_count(training) + w->aside_decoded;
}

struct section residual_section(const struct training *training, const struct workspace *w, int r)
{
    const int groups = group_count(training);

    if (r == groups)
        return (struct section){ &w->residual[r], w->rows->middle, w->rows->start + 1 };
    return (struct section){ &w->residual[r], group_start(w, r), group_end(w, r, groups) };
}

/* A skip matrix's gradient is made of the first when the decoder has been moved; a Matryoshka's
 * first is the sum of all. */
bool residual_kept_at_once(const struct recipe *recipe, int r, bool long_lists)
{
    if (recipe->prefixes > 0)
        return recipe->skip;
    return r == 0 && (recipe->skip || !long_lists);
}

bool residual_kept(const struct training *training, const struct workspace *w, int r)
{
    return w->turns > 1 || is_dense(training)
           || residual_kept_at_once(&training->recipe, r, lists_are_long(training));
}

/* ---- a block of all ----------------------------------------------------------------- */

struct residuals residuals_at(const struct workspace *w, struct block block, int count)
{
    const int64_t each = ROW_BLOCK * SLICE_COLUMNS;
    float *scratch = w->scratch[omp_get_thread_num()];
    struct residuals residuals = { .block = block, .count = count, .x = scratch + count * each };

    for (int r = 0; r < count; r++)
        residuals.value[r] = scratch + r * each;
    if (length(block.columns) % COLUMNS != 0)
        memset(scratch, 0, (size_t)(count * each) * sizeof *scratch);
    return residuals;
}

/* Does a residual begin without latents?  The others begin with the one before. */
static bool begins_bare(const struct training *training, int r)
{
    return r == 0 || (r == group_count(training)
                      && training->recipe.architecture->aside == ASIDE_ROW);
}

/* Is it AuxK's: of what the others have left? */
static bool is_of_rest(const struct training *training, int r)
{
    return r == group_count(training) && training->recipe.architecture->aside == ASIDE_REST;
}

/* b_dec (+ W_skip x) - target.  Products are made in blocks of one width for all, since their bits
 * depend on it. */
static void begin(const struct training *training, const struct workspace *w,
                  const struct residuals *residuals, float *value)
{
    const struct block block = residuals->block;
    const int64_t inputs = training->inputs, rows = length(block.rows);
    const int64_t first = training->own_columns.first + block.columns.first;
    const struct range columns = { first, first + length(block.columns) };

    packed_rows_load(value, SLICE_COLUMNS, w->target, block.rows, columns);
    rows_subtract(value, SLICE_COLUMNS, training->tensors[DECODER_BIAS].value + first, value,
                  SLICE_COLUMNS, rows, length(columns));
    if (!training->recipe.skip)
        return;
    packed_rows_load(residuals->x, inputs, w->x, block.rows, (struct range){ 0, inputs });
    for (int64_t c = 0; c < split_blocks(length(columns), COLUMNS); c++) {
        const struct range part = split_block(length(columns), COLUMNS, c);
        gemm_nt(value + part.first, SLICE_COLUMNS, residuals->x, inputs,
                training->tensors[SKIP].value + (block.columns.first + part.first) * inputs, inputs,
                rows, length(part), inputs, true);
    }
}

void residuals_begin(const struct training *training, const struct workspace *w,
                     const struct residuals *residuals)
{
    for (int r = 0; r < residuals->count; r++)
        if (begins_bare(training, r))
            begin(training, w, residuals, residuals->value[r]);
}

/* What the entries of a row write to residual number r. */
static void add(const struct training *training, const struct workspace *w,
                const struct residuals *residuals, int r, int64_t row)
{
    const struct section section = residual_section(training, w, r);
    const int64_t width = length(residuals->block.columns), at = residuals->block.rows.first + row;
    const int64_t first = section.start[at];
    float *to = residual_row(residuals, r, row);

    if (!begins_bare(training, r))
        memcpy(to, residual_row(residuals, r - 1, row), (size_t)width * sizeof *to);
    if (is_of_rest(training, r))
        packed_rows_round(&w->residual[r - 1], to, width);      /* as it may be kept */
    slice_combine(to, w->rows->index + first, w->rows->value + first, section.end[at] - first,
                  w->shared, width, training->recipe.train.precision);
}

void residuals_add(const struct training *training, const struct workspace *w,
                   const struct residuals *residuals, int64_t row)
{
    for (int r = 0; r < residuals->count; r++)
        add(training, w, residuals, r, row);
}

void residuals_finish(const struct training *training, const struct workspace *w,
                      const struct residuals *residuals, int64_t row)
{
    const int64_t width = length(residuals->block.columns);

    for (int g = group_count(training) - 2; g >= 0; g--) {
        float *to = residual_row(residuals, g, row);
        const float *from = residual_row(residuals, g + 1, row);
        for (int64_t j = 0; j < width; j++)
            to[j] += from[j];
    }
    for (int r = 0; r < residuals->count; r++)
        packed_rows_round(&w->residual[r], residual_row(residuals, r, row), width);
}

/* ---- kept and made anew ------------------------------------------------------------- */

void residuals_keep(const struct workspace *w, const struct residuals *residuals)
{
    for (int r = 0; r < residuals->count; r++)
        if (w->kept[r])
            packed_rows_store(&w->residual[r], residuals->value[r], SLICE_COLUMNS, residuals->block.rows,
                       residuals->block.columns);
}

void residuals_load(const struct workspace *w, const struct residuals *residuals)
{
    for (int r = 0; r < residuals->count; r++)
        if (w->kept[r])
            packed_rows_load(residuals->value[r], SLICE_COLUMNS, &w->residual[r], residuals->block.rows,
                      residuals->block.columns);
}

void residuals_again(const struct training *training, const struct workspace *w,
                     const struct residuals *residuals)
{
    bool all = true;

    residuals_load(w, residuals);
    for (int r = 0; r < residuals->count; r++) {
        all &= w->kept[r];
        if (!w->kept[r] && begins_bare(training, r))
            begin(training, w, residuals, residuals->value[r]);
    }
    for (int64_t row = 0; row < length(residuals->block.rows) && !all; row++) {
        for (int r = 0; r < residuals->count; r++)
            if (!w->kept[r])
                add(training, w, residuals, r, row);
        residuals_finish(training, w, residuals, row);
    }
}
