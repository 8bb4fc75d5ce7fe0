#include "lm/checkpoint.h"
#include "base/minmax.h"
#include "base/split.h"

#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* --- finding ------------------------------------------------------------------------- */

/* "[161, 96]" */
static void shape_print(char *text, size_t size, const int64_t *shape, int rank)
{
    size_t used = (size_t)snprintf(text, size, "[");

    for (int i = 0; i < rank && i < TENSOR_RANK_MAX && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)shape[i]);
    if (used < size)
        snprintf(text + used, size - used, "%s]", rank > TENSOR_RANK_MAX ? ", ..." : "");
}

static enum status refuse_shape(const struct safetensor *tensor, int rank, const int64_t *shape)
{
    char expected[64], found[128];

    shape_print(expected, sizeof expected, shape, rank);
    shape_print(found, sizeof found, tensor->shape, tensor->rank);
    return refuse(E_FORMAT, "%s: by config.json tensor %s must have the shape %s, but it has %s",
                  tensor->path, tensor->name, expected, found);
}

/* Some programs write names with the name of the module that held the model in front. */
static const struct safetensor *find(const struct checkpoint *from, const char *name)
{
    static const char *const PREFIXES[] = {
        "", "model.", "transformer.", "gpt_neox.",
        "language_model.", "language_model.model.", "model.language_model.",    /* next to images */
    };
    const struct safetensor *tensor = NULL;
    char full[128];

    for (size_t i = 0; tensor == NULL && i < sizeof PREFIXES / sizeof *PREFIXES; i++) {
        snprintf(full, sizeof full, "%s%s", PREFIXES[i], name);
        tensor = safetensors_find(&from->tensors, full);
    }
    return tensor;
}

static enum status find_named(const struct safetensor **tensor, const struct checkpoint *from,
                              int64_t rows, int64_t columns, const char *name)
{
    const int rank = columns > 0 ? 2 : 1;
    enum status st;

    *tensor = find(from, name);
    REQUIRE(*tensor != NULL, E_FORMAT, "the checkpoint in %s lacks the tensor %s", from->folder,
            name);
    if ((*tensor)->rank != rank || (*tensor)->shape[0] != rows
        || (rank == 2 && (*tensor)->shape[1] != columns))
        TRY(refuse_shape(*tensor, rank, (const int64_t[]){ rows, columns }));
    TRY(safetensors_check(*tensor));
done:
    return st;
}

enum status checkpoint_find(struct matrix_part *part, const struct checkpoint *from, int64_t rows,
                            int64_t columns, const char *format, ...)
{
    char name[96];
    va_list args;

    *part = (struct matrix_part){ .count = rows, .run = rows, .stride = rows };
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    return find_named(&part->tensor, from, rows, columns, name);
}

/* --- reading ------------------------------------------------------------------------- */

enum status checkpoint_read(float *values, const struct checkpoint *from, int64_t count,
                            const char *format, ...)
{
    const struct safetensor *tensor;
    char name[96];
    enum status st;
    va_list args;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    TRY(find_named(&tensor, from, count, 0, name));
    TRY(safetensors_values(values, tensor));
done:
    return st;
}

enum status checkpoint_read_norm(struct norm_weights *norm, const struct checkpoint *from,
                                 int64_t count, const char *format, ...)
{
    char name[80];
    enum status st;
    va_list args;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    TRY(checkpoint_read(norm->scale, from, count, "%s.weight", name));
    TRY(checkpoint_read(norm->bias, from, count, "%s.bias", name));
done:
    return st;
}

enum status checkpoint_read_table(float *values, const struct checkpoint *from, int64_t rows,
                                  int64_t columns, const char *name)
{
    enum { ROWS = 256 };
    const struct range mine = split_range(rows, from->share, from->shares);
    const struct safetensor *table;
    bool finite = true;
    enum status st;

    TRY(find_named(&table, from, rows, columns, name));
    #pragma omp parallel for schedule(dynamic) reduction(&& : finite)
    for (int64_t row = mine.first; row < mine.end; row += ROWS) {
        const int64_t count = mine.end - row < ROWS ? mine.end - row : ROWS;
        finite = safetensors_part(values + row * columns, PRECISION_F32, table, row * columns,
                                  count * columns)
                 && finite;
    }
    TRY(safetensors_finite(table, finite));
done:
    return st;
}

/* --- packing ------------------------------------------------------------------------- */

/* Rows of a part, in the precision of the product. */
static bool read_rows(char *rows, const struct linear *to, const struct matrix_part *part,
                      int64_t first, int64_t count)
{
    const int64_t row_bytes = to->inputs * linear_input_bytes(to->precision);
    bool finite = true;

    for (int64_t row = first, n; row < first + count; row += n) {
        const int64_t in_run = row % part->run;
        const int64_t at = part->first + row / part->run * part->stride + in_run;
        n = min_int64(first + count - row, part->run - in_run);
        finite = safetensors_part(rows + (row - first) * row_bytes, to->precision, part->tensor,
                                  at * to->inputs, n * to->inputs) && finite;
    }
    return finite;
}

/* Outputs [first, first + count) of a matrix whose parts lie one above the other. */
static bool read_stacked(char *rows, const struct linear *to, const struct matrix *matrix,
                         int64_t first, int64_t count)
{
    const int64_t row_bytes = to->inputs * linear_input_bytes(to->precision);
    int64_t above = 0;
    bool finite = true;

    for (int p = 0; p < 3 && matrix->part[p].tensor != NULL; p++) {
        const int64_t height = matrix->part[p].count;
        const int64_t from = first > above ? first : above;
        const int64_t end = min_int64(first + count, above + height);
        if (from < end)
            finite = read_rows(rows + (from - first) * row_bytes, to, &matrix->part[p],
                               from - above, end - from) && finite;
        above += height;
    }
    return finite;
}

/* The same of a part that is [inputs, outputs]. */
static bool read_transposed(char *rows, const struct linear *to, const struct safetensor *part,
                            int64_t first, int64_t count)
{
    const size_t size = (size_t)linear_input_bytes(to->precision);
    const int64_t row_bytes = to->inputs * (int64_t)size;
    char column[LINEAR_COLUMNS * sizeof(float)];
    bool finite = true;

    for (int64_t i = 0; i < to->inputs; i++) {
        finite = safetensors_part(column, to->precision, part, i * to->outputs + first, count)
                 && finite;
        for (int64_t o = 0; o < count; o++)
            memcpy(rows + o * row_bytes + i * (int64_t)size, column + o * (int64_t)size, size);
    }
    return finite;
}

/* A block of gates and, below them, of the ups of the same outputs. */
static bool read_gated(char *rows, const struct linear *to, const struct matrix *matrix,
                       int64_t first, int64_t count)
{
    const int64_t half = count / 2 * to->inputs * linear_input_bytes(to->precision);
    const bool gates = read_rows(rows, to, &matrix->part[0], first / 2, count / 2);
    const bool ups = read_rows(rows + half, to, &matrix->part[1], first / 2, count / 2);

    return gates && ups;
}

/* Name the tensor with a value that is not finite; the threads only found that there is one. */
static enum status name_guilty(const struct linear *to, const struct checkpoint *from,
                               const struct matrix *matrix)
{
    const struct safetensor *tensor;
    enum status st = OK;

    for (int p = 0; st == OK && p < 3 && (tensor = matrix->part[p].tensor) != NULL; p++)
        for (int64_t row = 0; st == OK && row < tensor->shape[0]; row++)
            st = safetensors_finite(tensor, safetensors_part(
                from->blocks, to->precision, tensor, row * tensor->shape[1], tensor->shape[1]));
    return st;
}

enum status checkpoint_pack(struct linear *to, const struct checkpoint *from,
                            const struct matrix *matrix)
{
    const int64_t blocks = linear_blocks(to);
    bool finite = true;

    #pragma omp parallel for schedule(dynamic) reduction(&& : finite)
    for (int64_t block = 0; block < blocks; block++) {
        const int64_t first = block * LINEAR_COLUMNS, count = linear_block_outputs(to, block);
        char *rows = from->blocks + omp_get_thread_num() * from->block_bytes;
        finite = (to->gated ? read_gated(rows, to, matrix, first, count)
                  : matrix->transposed
                      ? read_transposed(rows, to, matrix->part[0].tensor, first, count)
                      : read_stacked(rows, to, matrix, first, count))
                 && finite;
        linear_pack(to, block, rows);
    }
    return finite ? OK : name_guilty(to, from, matrix);
}
