/* observation_read.c -- operators from safetensors files. */
#include "base/allocate.h"
#include "invert/observation.h"
#include "lm/safetensors.h"

#include <stdlib.h>

/* A tensor, where it stands, and its numbers. */
struct numbers {
    const char *path, *name;
    int64_t     rows, columns;      /* columns 0: one-dimensional */
    double     *value;              /* [rows, columns], or [rows] */
};

/* Read the tensor `name`, of this rank.  Caller frees the values. */
static enum status read_numbers(struct numbers *n, const struct safetensors *file,
                                const char *path, const char *name, int rank)
{
    const struct safetensor *tensor = safetensors_find(file, name);
    float *values = NULL;
    enum status st;

    *n = (struct numbers){ .path = path, .name = name };
    REQUIRE(tensor != NULL, E_USAGE, "%s has no tensor %s, which the operator needs", path, name);
    REQUIRE(tensor->rank == rank && tensor->count > 0 && tensor->shape[0] <= INT32_MAX, E_FORMAT,
            "%s: %s must be %s, and not empty", path, name,
            rank == 1 ? "one list of numbers" : "a matrix [outputs, values]");
    n->rows = tensor->shape[0];
    n->columns = rank == 2 ? tensor->shape[1] : 0;
    values = allocate(tensor->count, sizeof *values);
    TRY(safetensors_values(values, tensor));
    n->value = allocate(tensor->count, sizeof *n->value);
    for (int64_t i = 0; i < tensor->count; i++)
        n->value[i] = (double)values[i];
done:
    free(values);
    return st;
}

/* There is one for each value of the generator. */
static enum status check_length(const struct numbers *n, int64_t length, int32_t inputs)
{
    enum status st;

    REQUIRE(length == inputs, E_FORMAT, "%s: %s is for %lld values, and the generator gives %d",
            n->path, n->name, (long long)length, (int)inputs);
done:
    return st;
}

static enum status read_mask(struct observation *seen, const struct safetensors *file,
                             const char *path, int32_t inputs)
{
    int32_t *kept = NULL, count = 0;
    struct numbers mask;
    enum status st;

    TRY(read_numbers(&mask, file, path, "observation.mask", 1));
    TRY(check_length(&mask, mask.rows, inputs));
    kept = allocate(inputs, sizeof *kept);
    for (int32_t i = 0; i < inputs; i++) {
        REQUIRE(mask.value[i] == 0 || mask.value[i] == 1, E_FORMAT,
                "%s: value %d of observation.mask is %g, and must be 0 or 1", path, (int)i,
                mask.value[i]);
        if (mask.value[i] == 1)
            kept[count++] = i;
    }
    TRY(observation_mask(seen, kept, count, inputs));
done:
    free(kept);
    free(mask.value);
    return st;
}

static enum status read_groups(struct observation *seen, const struct safetensors *file,
                               const char *path, int32_t inputs)
{
    int32_t *group = NULL, groups = 0;
    struct numbers numbers;
    enum status st;

    TRY(read_numbers(&numbers, file, path, "observation.group", 1));
    TRY(check_length(&numbers, numbers.rows, inputs));
    group = allocate(inputs, sizeof *group);
    for (int32_t i = 0; i < inputs; i++) {
        const double value = numbers.value[i];
        REQUIRE(value >= -1 && value < inputs && value == (double)(int32_t)value, E_FORMAT,
                "%s: value %d of observation.group is %g, and must be a number from -1 to %d", path,
                (int)i, value, (int)inputs - 1);
        group[i] = (int32_t)value;
        groups = group[i] >= groups ? group[i] + 1 : groups;
    }
    TRY(observation_average(seen, group, inputs, groups));
done:
    free(group);
    free(numbers.value);
    return st;
}

static enum status read_affine(struct observation *seen, const struct safetensors *file,
                               const char *path, int32_t inputs)
{
    struct numbers weight, bias = {0};
    enum status st;

    TRY(read_numbers(&weight, file, path, "observation.weight", 2));
    TRY(check_length(&weight, weight.columns, inputs));
    if (safetensors_find(file, "observation.bias") != NULL) {
        TRY(read_numbers(&bias, file, path, "observation.bias", 1));
        REQUIRE(bias.rows == weight.rows, E_FORMAT,
                "%s: observation.bias has %lld numbers, and "
                "observation.weight %lld outputs",
                path, (long long)bias.rows, (long long)weight.rows);
    }
    observation_affine(seen, weight.value, bias.value, (int32_t)weight.rows, inputs);
done:
    free(weight.value);
    free(bias.value);
    return st;
}

static enum status see_all(struct observation *seen, int32_t inputs)
{
    int32_t *all = allocate(inputs, sizeof *all);

    for (int32_t i = 0; i < inputs; i++)
        all[i] = i;
    const enum status st = observation_mask(seen, all, inputs, inputs);
    free(all);
    return st;
}

enum status observation_read(struct observation *seen, enum invert_observation kind,
                             const char *path, int32_t inputs)
{
    struct safetensors file = {0};
    enum status st;

    *seen = (struct observation){0};
    if (kind == OBSERVATION_NONE)
        return see_all(seen, inputs);
    TRY(safetensors_open_file(&file, path));
    if (kind == OBSERVATION_MASK)
        TRY(read_mask(seen, &file, path, inputs));
    else if (kind == OBSERVATION_AVERAGE)
        TRY(read_groups(seen, &file, path, inputs));
    else
        TRY(read_affine(seen, &file, path, inputs));
done:
    safetensors_close(&file);
    return st;
}
