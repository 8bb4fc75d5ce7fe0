#include "lm/checkpoint.h"

#include <stdarg.h>
#include <stdio.h>

/* "[161, 96]" */
static void shape_print(char *text, size_t size, const int64_t *shape, int rank)
{
    size_t used = (size_t)snprintf(text, size, "[");

    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)shape[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
}

static enum status refuse_shape(const struct safetensor *tensor, int rank, const int64_t *shape)
{
    char expected[64], found[128];

    shape_print(expected, sizeof expected, shape, rank);
    shape_print(found, sizeof found, tensor->shape, tensor->rank);
    return refuse(E_FORMAT, "%s: by config.json tensor %s must have the shape %s, but it has %s",
                  tensor->path, tensor->name, expected, found);
}

/* Savers put the name of the part of the program in front that held the model, or not. */
static const struct safetensor *find(const struct checkpoint *from, const char *name)
{
    static const char *const PREFIXES[] = { "", "model.", "transformer." };
    const struct safetensor *tensor = NULL;
    char full[128];

    for (size_t i = 0; tensor == NULL && i < sizeof PREFIXES / sizeof *PREFIXES; i++) {
        snprintf(full, sizeof full, "%s%s", PREFIXES[i], name);
        tensor = safetensors_find(&from->tensors, full);
    }
    return tensor;
}

enum status checkpoint_read(float *values, const struct checkpoint *from, int64_t rows,
                            int64_t columns, const char *format, ...)
{
    const int rank = columns > 0 ? 2 : 1;
    const struct safetensor *tensor;
    char name[96];
    va_list args;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    tensor = find(from, name);
    if (tensor == NULL)
        return refuse(E_FORMAT, "the checkpoint in %s lacks the tensor %s", from->folder, name);
    if (tensor->rank != rank || tensor->shape[0] != rows
        || (rank == 2 && tensor->shape[1] != columns))
        return refuse_shape(tensor, rank, (const int64_t[]){ rows, columns });
    return safetensor_values(values, tensor);
}
