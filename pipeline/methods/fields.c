#include "methods/fields.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdlib.h>

int64_t fields_columns(enum fields_per per, const struct lm_config *config)
{
    const int64_t heads = (int64_t)config->layers * config->heads;

    switch (per) {
    case FIELDS_PER_LAYER:
        return config->layers;
    case FIELDS_PER_HEAD:
        return heads;
    case FIELDS_PER_CLASS:
        return heads * PROMPTS_CLASSES;
    default:
        return 1;
    }
}

static int64_t columns_in(const struct field *field, const struct lm_config *config)
{
    return field->columns > 0 ? field->columns : fields_columns(field->per, config);
}

int64_t fields_bytes(const struct field *field, int count, const struct lm_config *config,
                     int64_t prompts)
{
    int64_t columns = 0;

    for (int f = 0; f < count; f++)
        columns += columns_in(&field[f], config);
    return prompts * columns * (int64_t)sizeof(double);
}

static int64_t columns_of(const struct fields *fields, int field)
{
    return columns_in(&fields->field[field], fields->circuit->config);
}

void fields_make(struct fields *fields, const struct field *field, int count,
                 const struct circuit *circuit)
{
    *fields = (struct fields){ .circuit = circuit, .field = field, .count = count,
                               .values = allocate(count, sizeof *fields->values) };
    for (int f = 0; f < count; f++)
        fields->values[f] = allocate(circuit->prompts->count * columns_of(fields, f),
                                     sizeof(double));
}

void fields_free(struct fields *fields)
{
    for (int f = 0; f < fields->count; f++)
        free(fields->values[f]);
    free(fields->values);
    *fields = (struct fields){0};
}

/* --- over the ranks ------------------------------------------------------------------ */

/* The blocks of a rank, and their prompts. */
static struct range blocks_of(const struct circuit *circuit, int rank)
{
    return split_range(split_blocks(circuit->prompts->count, circuit->suite->circuit.block), rank,
                       circuit->run->size);
}

static struct range prompts_of(const struct circuit *circuit, int rank)
{
    const struct range blocks = blocks_of(circuit, rank);
    const int64_t block = circuit->suite->circuit.block, count = circuit->prompts->count;

    return (struct range){ blocks.first * block < count ? blocks.first * block : count,
                           blocks.end * block < count ? blocks.end * block : count };
}

/* Gather a field from the ranks that computed its prompts, on rank 0.  Collective. */
static void gather(struct fields *fields, int which)
{
    const struct circuit *circuit = fields->circuit;
    const int64_t columns = columns_of(fields, which);
    const int size = circuit->run->size, rank = circuit->run->rank;
    const struct range own = prompts_of(circuit, rank);
    double *field = fields->values[which];
    int *counts = allocate(2 * size, sizeof *counts), *starts = counts + size;

    for (int r = 0; r < size; r++) {
        const struct range range = prompts_of(circuit, r);
        counts[r] = comm_count(range_length(range) * columns);
        starts[r] = comm_count(range.first * columns);
    }
    if (rank == 0)
        MPI_Gatherv(MPI_IN_PLACE, 0, MPI_DOUBLE, field, counts, starts, MPI_DOUBLE, 0,
                    circuit->run->comm);
    else
        MPI_Gatherv(field + own.first * columns, counts[rank], MPI_DOUBLE, NULL, NULL, NULL,
                    MPI_DOUBLE, 0, circuit->run->comm);
    free(counts);
}

/* Compute a block.  Local. */
static enum status fill_block(struct fields *fields, fields_compute *compute, void *context,
                              int64_t block)
{
    const struct circuit *circuit = fields->circuit;

    return compute(context, fields, split_block(circuit->prompts->count,
                                                circuit->suite->circuit.block, block));
}

enum status fields_fill(struct fields *fields, fields_compute *compute, void *context,
                        const char *what)
{
    const struct circuit *circuit = fields->circuit;
    const struct range mine = blocks_of(circuit, circuit->run->rank);
    const int64_t rounds = range_length(blocks_of(circuit, 0));     /* rank 0 has most */
    const double since = MPI_Wtime();
    enum status st = OK;

    for (int64_t r = 0; r < rounds; r++) {
        const int64_t block = mine.first + r;
        TRY_ALL(circuit->run->comm,
                block < mine.end ? fill_block(fields, compute, context, block) : OK);
        run_progress(circuit->run, what, since, 0, r + 1, rounds, "blocks of prompts");
        TRY(run_stopping(circuit->run) ? run_stopped() : OK);
    }
    for (int f = 0; f < fields->count; f++)
        gather(fields, f);
done:
    return st;
}

/* --- in files ------------------------------------------------------------------------ */

double fields_mean(const struct fields *fields, int field, int64_t column)
{
    const int64_t columns = columns_of(fields, field);
    double sum = 0;
    int64_t count = 0;

    for (int64_t p = 0; p < fields->circuit->prompts->count; p++) {
        const double value = fields->values[field][p * columns + column];
        if (!isnan(value)) {
            sum += value;
            count++;
        }
    }
    return sum / (double)count;
}

void fields_put_mean(json_t *object, const struct fields *fields, int field, int64_t column)
{
    task_files_put(object, fields->field[field].name, fields_mean(fields, field, column));
}

static enum status write_fields(hid_t file, const char *path, const struct fields *fields)
{
    enum status st = OK;

    for (int f = 0; f < fields->count; f++) {
        const int64_t columns = columns_of(fields, f);
        TRY(h5_write_array(file, path, fields->field[f].name, H5T_NATIVE_DOUBLE,
                           fields->values[f], fields->circuit->prompts->count,
                           columns > 1 ? columns : 0));
    }
done:
    return st;
}

enum status fields_write(const struct fields *fields, const char *name, const char *format,
                         int version)
{
    char path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    paths_result(path, fields->circuit->suite, name, ".h5");
    TRY(task_files_create(&file, part, path, fields->circuit, format, version));
    TRY(task_files_write_prompts(file, part, fields->circuit->prompts));
    TRY(write_fields(file, part, fields));
done:
    return task_files_publish(&file, part, path, st);
}

double fields_disk(const struct field *field, int count, const struct lm_config *config,
                   struct circuit_shape shape)
{
    return (double)fields_bytes(field, count, config, shape.prompts)
         + 2 * (double)(shape.prompts * shape.tokens) * sizeof(int32_t);
}
