#include "sae/decode.h"
#include "base/chain.h"
#include "kernels/bf16.h"
#include "kernels/gemm.h"
#include "kernels/rows.h"
#include "kernels/slice.h"
#include "sae/architecture.h"
#include "sae/dense.h"
#include "sae/turns.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* A block of rows in a block of columns. */
struct block {
    struct range rows, columns;
};

static int64_t length(struct range range)
{
    return range.end - range.first;
}

/* Number c of its blocks of COLUMNS: what has one width for all, since its bits depend on it. */
static struct block part_of(struct block block, int64_t c)
{
    const struct range part = split_block(length(block.columns), COLUMNS, c);
    const int64_t first = block.columns.first;

    return (struct block){ block.rows, { first + part.first, first + part.end } };
}

/* Copy a block of columns of the decoder rows whose turn it is, which is then the slice that all
 * threads share.  To be called from outside of parallel regions. */
static void pack_decoder(const struct training *training, struct workspace *w,
                         struct range columns)
{
    const enum precision precision = training->recipe.precision;
    const struct range all = { 0, training->latents };
    const int64_t own = length(training->own_columns);
    const float *decoder = training->tensors[DECODER].value + columns.first;

    #pragma omp parallel for
    for (int64_t t = 0; t < turn_pieces(w, all, LATENT_TILE); t++) {
        const struct range latents = turn_piece(w, all, LATENT_TILE, t);
        slice_pack((char *)w->shared + slice_bytes(precision, latents.first, length(columns)),
                   precision, decoder + latents.first * own, own, length(latents), length(columns));
    }
}

/* ---- residuals ---------------------------------------------------------------------- */

/* Residual number r, and the entries that are added in it. */
static struct section section_of(const struct training *training, const struct workspace *w, int r)
{
    const int groups = group_count(training);

    if (r == groups)
        return (struct section){ &w->residual[r], w->rows->middle, w->rows->start + 1 };
    return (struct section){ &w->residual[r], group_start(w, r), group_end(w, r, groups) };
}

static int residual_count(const struct training *training, const struct workspace *w)
{
    return group_count(training) + w->aside_decoded;
}

/* Does a residual begin without latents?  The others begin with the one before. */
static bool begins_bare(const struct training *training, int r)
{
    return r == 0 || (r == group_count(training)
                      && training->recipe.architecture->aside == ASIDE_ROW);
}

/* Are the residuals complete with this turn? */
static bool is_last(const struct workspace *w)
{
    return w->turn == w->turns - 1;
}

/* A block of all residuals while it is worked on, in a thread's scratch.
 *   value   [residuals][rows, SLICE_COLUMNS] */
struct desk {
    struct block block;
    float       *value[RESIDUALS_MOST];
    float       *x;         /* [rows, inputs], if there is a skip matrix */
};

static struct desk desk_of(const struct training *training, const struct workspace *w,
                           struct block block)
{
    float *scratch = w->scratch[omp_get_thread_num()];
    struct desk desk = { .block = block };

    const int64_t each = ROW_BLOCK * SLICE_COLUMNS;
    const int count = residual_count(training, w);

    for (int r = 0; r < count; r++)
        desk.value[r] = scratch + r * each;
    desk.x = scratch + count * each;
    if (length(block.columns) % COLUMNS != 0)       /* as slices are filled up */
        memset(scratch, 0, (size_t)(count * each) * sizeof *scratch);
    return desk;
}

/* What is in a residual before any latent: b_dec (+ W_skip x) - target.  Products are made in
 * blocks of one width for all, since their bits depend on it. */
static void start_residual(const struct training *training, const struct workspace *w,
                           const struct desk *desk, float *residual)
{
    const struct block block = desk->block;
    const int64_t inputs = training->inputs, rows = length(block.rows);
    const int64_t first = training->own_columns.first + block.columns.first;
    const struct range columns = { first, first + length(block.columns) };

    rows_load(residual, SLICE_COLUMNS, w->target, block.rows, columns);
    rows_subtract(residual, SLICE_COLUMNS, training->tensors[DECODER_BIAS].value + first, residual,
                  SLICE_COLUMNS, rows, length(columns));
    if (!training->recipe.skip)
        return;
    rows_load(desk->x, inputs, w->x, block.rows, (struct range){ 0, inputs });
    for (int64_t c = 0; c < split_blocks(length(columns), COLUMNS); c++) {
        const struct range part = split_block(length(columns), COLUMNS, c);
        gemm_nt(residual + part.first, SLICE_COLUMNS, desk->x, inputs,
                training->tensors[SKIP].value + (block.columns.first + part.first) * inputs, inputs,
                rows, length(part), inputs, true);
    }
}

static void start_block(const struct training *training, const struct workspace *w,
                        const struct desk *desk)
{
    for (int r = 0; r < residual_count(training, w); r++)
        if (begins_bare(training, r))
            start_residual(training, w, desk, desk->value[r]);
}

static void load_block(const struct training *training, const struct workspace *w,
                       const struct desk *desk)
{
    for (int r = 0; r < residual_count(training, w); r++)
        rows_load(desk->value[r], SLICE_COLUMNS, &w->residual[r], desk->block.rows,
                  desk->block.columns);
}

static void store_block(const struct training *training, const struct workspace *w,
                        const struct desk *desk)
{
    for (int r = 0; r < residual_count(training, w); r++)
        if (w->kept[r])
            rows_store(&w->residual[r], desk->value[r], SLICE_COLUMNS, desk->block.rows,
                       desk->block.columns);
}

/* Row number `row` of a block, as all below count them. */
static float *row_at(const struct desk *desk, int r, int64_t row)
{
    return desk->value[r] + row * SLICE_COLUMNS;
}

/* Add what the entries of a row write to residual number r.  One that does not begin bare begins
 * with the one before. */
static void add_entries(const struct training *training, const struct workspace *w,
                        const struct desk *desk, int r, int64_t row)
{
    const struct section section = section_of(training, w, r);
    const int64_t width = length(desk->block.columns);
    const int64_t first = section.start[desk->block.rows.first + row];
    const int64_t end = section.end[desk->block.rows.first + row];

    if (!begins_bare(training, r))
        memcpy(row_at(desk, r, row), row_at(desk, r - 1, row), (size_t)width * sizeof(float));
    slice_combine(row_at(desk, r, row), w->rows->index + first, w->rows->value + first,
                  end - first, w->shared, width, training->recipe.precision);
}

/* Where the sum of squares of residual number r is, of a block no wider than COLUMNS. */
static double *squares_at(const struct training *training, const struct workspace *w,
                          struct block block, int r)
{
    const int64_t column_blocks = split_blocks(length(training->own_columns), COLUMNS);
    const int64_t row_blocks = split_blocks(w->batch, ROW_BLOCK);

    return &w->squares[(r * column_blocks + block.columns.first / COLUMNS) * row_blocks
                       + block.rows.first / ROW_BLOCK];
}

static void add_squares(const struct training *training, const struct workspace *w,
                        const struct desk *desk, int r, int64_t row)
{
    for (int64_t c = 0; c < split_blocks(length(desk->block.columns), COLUMNS); c++) {
        const struct block part = part_of(desk->block, c);
        *squares_at(training, w, part, r) += sum_squares(row_at(desk, r, row) + c * COLUMNS,
                                                         length(part.columns));
    }
}

static void start_squares(const struct training *training, const struct workspace *w,
                          struct block block)
{
    for (int r = 0; r < residual_count(training, w); r++)
        for (int64_t c = 0; c < split_blocks(length(block.columns), COLUMNS); c++)
            *squares_at(training, w, part_of(block, c), r) = 0;
}

/* What is to be looked at of a row that is complete: the residual of each group becomes the sum of
 * those from it on, since all depend on its latents; and all go on as they would be stored, so
 * that it does not matter which are. */
static void finish_row(const struct training *training, const struct workspace *w,
                       const struct desk *desk, int count, int64_t row)
{
    const int64_t width = length(desk->block.columns);

    for (int g = group_count(training) - 2; g >= 0; g--) {
        float *to = row_at(desk, g, row);
        const float *from = row_at(desk, g + 1, row);
        for (int64_t j = 0; j < width; j++)
            to[j] += from[j];
    }
    for (int r = 0; r < count; r++)
        row_round(&w->residual[r], row_at(desk, r, row), width);
}

/* The first `count` residuals once more, when they are complete: what is not kept is made anew. */
static void have_block(const struct training *training, const struct workspace *w,
                       const struct desk *desk, int count)
{
    bool all = true;

    for (int r = 0; r < count; r++) {
        all &= w->kept[r];
        if (w->kept[r])
            rows_load(desk->value[r], SLICE_COLUMNS, &w->residual[r], desk->block.rows,
                      desk->block.columns);
        else if (begins_bare(training, r))
            start_residual(training, w, desk, desk->value[r]);
    }
    for (int64_t row = 0; row < length(desk->block.rows) && !all; row++) {
        for (int r = 0; r < count; r++)
            if (!w->kept[r])
                add_entries(training, w, desk, r, row);
        finish_row(training, w, desk, count, row);
    }
}

/* ---- dot products ------------------------------------------------------------------- */

/* Entries aside of which nothing is made are asked for with the last group. */
static bool with_near(const struct training *training, const struct workspace *w, int r)
{
    return r == group_count(training) - 1 && !w->aside_decoded;
}

/* Add to the dots of a row's entries those with their residuals in a block of columns. */
static void add_dots_of_row(const struct training *training, const struct workspace *w,
                            const struct desk *desk, int64_t row)
{
    const int64_t at = desk->block.rows.first + row;

    for (int r = 0; r < residual_count(training, w); r++) {
        const struct section section = section_of(training, w, r);
        const int32_t *end = with_near(training, w, r) ? w->rows->start + 1 : section.end;
        const int64_t first = section.start[at];
        slice_dots(w->dots + first, w->rows->index + first, end[at] - first, row_at(desk, r, row),
                   w->shared, length(desk->block.columns), training->recipe.precision);
    }
}

static void dots_of_block(const struct training *training, const struct workspace *w,
                          struct block block)
{
    const struct desk desk = desk_of(training, w, block);

    have_block(training, w, &desk, residual_count(training, w));
    for (int64_t row = 0; row < length(block.rows); row++)
        add_dots_of_row(training, w, &desk, row);
}

/* The dot products of some rows, over all own columns, by dense products. */
static void dots_of_rows(const struct training *training, struct workspace *w, struct range rows)
{
    for (int r = 0; r < residual_count(training, w); r++) {
        const struct section section = section_of(training, w, r);
        const struct section both[] = {
            section, { section.residual, w->rows->middle, w->rows->start + 1 },
        };
        dense_dots(training, w, rows, both, with_near(training, w, r) ? 2 : 1);
    }
}

/* ---- both --------------------------------------------------------------------------- */

static void sum_block(const struct training *training, const struct workspace *w,
                      const struct desk *desk)
{
    const int64_t own = length(training->own_columns);
    const struct block block = desk->block;

    rows_sum(w->block_sums + block.rows.first / ROW_BLOCK * own + block.columns.first,
             desk->value[0], SLICE_COLUMNS, length(block.rows), length(block.columns));
}

/* What the entries of this turn write to all residuals, in a block of columns, and what is made of
 * them when they are complete.  Row by row, so that the decoder rows which one has brought near
 * are used for all that is made of it. */
static void decode_block(const struct training *training, const struct workspace *w,
                         struct block block)
{
    const struct desk desk = desk_of(training, w, block);
    const int count = residual_count(training, w);

    if (w->turn == 0)
        start_block(training, w, &desk);
    else
        load_block(training, w, &desk);
    start_squares(training, w, block);
    for (int64_t row = 0; row < length(block.rows); row++) {
        for (int r = 0; r < count; r++)
            add_entries(training, w, &desk, r, row);
        if (!is_last(w))
            continue;
        for (int r = 0; r < count; r++)
            add_squares(training, w, &desk, r, row);
        finish_row(training, w, &desk, count, row);
        if (w->dots_begun)
            add_dots_of_row(training, w, &desk, row);
    }
    if (is_last(w))
        sum_block(training, w, &desk);
    store_block(training, w, &desk);
}

/* All residuals of some rows, or only their dot products.  The next block of columns is begun
 * when all rows have had the one before, whose slice stays in cache so long. */
static void visit_blocks(const struct training *training, struct workspace *w, struct range rows,
                         bool dots_only)
{
    const int64_t own = length(training->own_columns);
    const int64_t row_blocks = split_blocks(length(rows), ROW_BLOCK);

    for (int64_t c = 0; c < split_blocks(own, SLICE_COLUMNS); c++) {
        const struct range columns = split_block(own, SLICE_COLUMNS, c);
        pack_decoder(training, w, columns);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t b = 0; b < row_blocks; b++) {
            const struct range part = split_block(length(rows), ROW_BLOCK, b);
            const struct block block = { { rows.first + part.first, rows.first + part.end },
                                         columns };
            if (dots_only)
                dots_of_block(training, w, block);
            else
                decode_block(training, w, block);
        }
    }
}

/* ---- by dense products -------------------------------------------------------------- */

/* Of these only residuals that begin bare are made. */
static void begin_dense(const struct training *training, const struct workspace *w,
                        struct block block)
{
    const struct desk desk = desk_of(training, w, block);

    start_block(training, w, &desk);
    store_block(training, w, &desk);
}

static void complete_dense(const struct training *training, const struct workspace *w,
                           struct block block)
{
    const struct desk desk = desk_of(training, w, block);

    load_block(training, w, &desk);
    start_squares(training, w, block);
    for (int r = 0; r < residual_count(training, w); r++)
        for (int64_t row = 0; row < length(block.rows); row++)
            add_squares(training, w, &desk, r, row);
    sum_block(training, w, &desk);
}

static void visit_all(const struct training *training, const struct workspace *w,
                      void (*visit)(const struct training *, const struct workspace *,
                                    struct block))
{
    const int64_t own = length(training->own_columns);
    const int64_t across = split_blocks(own, SLICE_COLUMNS);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < split_blocks(w->batch, ROW_BLOCK) * across; i++)
        visit(training, w, (struct block){ split_block(w->batch, ROW_BLOCK, i / across),
                                           split_block(own, SLICE_COLUMNS, i % across) });
}

static void decode_dense(const struct training *training, struct workspace *w)
{
    if (w->turn == 0)
        visit_all(training, w, begin_dense);
    for (int r = 0; r < residual_count(training, w); r++)
        dense_decode(training, w, section_of(training, w, r));
    if (!is_last(w))
        return;
    visit_all(training, w, complete_dense);
    if (w->dots_begun)
        dots_of_rows(training, w, (struct range){ 0, w->batch });
}

/* A skip matrix's gradient is made of its residual when the decoder has been moved. */
bool residual_kept_at_once(const struct recipe *recipe, int r)
{
    if (recipe->skip)
        return true;
    if (recipe->architecture->aside == ASIDE_ROW)
        return r == 0;
    return recipe->prefixes == 0;
}

bool residual_kept(const struct training *training, const struct workspace *workspace, int r)
{
    return workspace->turns > 1 || is_dense(training) || residual_kept_at_once(&training->recipe, r);
}

void *slice_residuals(const struct training *training, struct workspace *workspace, int count,
                      struct range columns)
{
    struct workspace *w = workspace;
    const enum precision precision = training->recipe.precision;
    const int64_t each = slice_bytes(precision, w->batch, length(columns));
    char *slices = w->shared;
    bool all = true;

    for (int r = 0; r < count; r++)
        all &= w->kept[r];
    if (!all) {
        slices += slice_bytes(precision, training->latents, length(columns));
        pack_decoder(training, w, columns);
    }
    #pragma omp parallel for schedule(dynamic)
    for (int64_t b = 0; b < split_blocks(w->batch, ROW_BLOCK); b++) {
        const struct range rows = split_block(w->batch, ROW_BLOCK, b);
        const struct desk desk = desk_of(training, w, (struct block){ rows, columns });
        have_block(training, w, &desk, count);
        for (int r = 0; r < count; r++)
            slice_pack(slices + r * each + slice_bytes(precision, rows.first, length(columns)),
                       precision, desk.value[r], SLICE_COLUMNS, length(rows), length(columns));
    }
    return slices;
}

void decode(const struct training *training, struct workspace *workspace)
{
    struct workspace *w = workspace;
    int rank;

    MPI_Comm_rank(training->comm, &rank);
    w->dots_begun = rank == 0 && w->turns == 1;
    if (w->dots_begun)
        memset(w->dots, 0, (size_t)w->rows->start[w->batch] * sizeof *w->dots);
    if (is_dense(training))
        decode_dense(training, w);
    else
        visit_blocks(training, w, (struct range){ 0, w->batch }, false);
}

/* The rows of a piece of the chain.  A piece packs the decoder anew, so there are few of them,
 * but enough for all ranks to work at the same time. */
static int64_t rows_of_piece(const struct workspace *w)
{
    const int64_t rows = split_blocks(w->batch, 4 * w->ranks);

    return split_blocks(rows, ROW_BLOCK) * ROW_BLOCK;
}

struct back {
    const struct training *training;
    struct workspace      *workspace;
};

static void add_dots(void *context, int64_t piece)
{
    const struct back *back = context;
    struct workspace *w = back->workspace;
    const struct range rows = split_block(w->batch, rows_of_piece(w), piece);

    if (is_dense(back->training))
        dots_of_rows(back->training, w, rows);
    else
        visit_blocks(back->training, w, rows, true);
}

void decode_back(const struct training *training, struct workspace *workspace)
{
    const int64_t each = rows_of_piece(workspace), pieces = split_blocks(workspace->batch, each);
    int64_t *cuts = allocate(pieces + 1, sizeof *cuts);
    struct back back = { training, workspace };

    for (int64_t p = 0; p < pieces; p++) {
        const struct range rows = split_block(workspace->batch, each, p);
        cuts[p] = workspace->rows->start[rows.first];
        cuts[p + 1] = workspace->rows->start[rows.end];
    }
    const struct chain chain = { training->comm, MPI_FLOAT, pieces, cuts, workspace->dots_begun };
    chain_sum(&chain, workspace->dots, add_dots, &back);
    free(cuts);
}
