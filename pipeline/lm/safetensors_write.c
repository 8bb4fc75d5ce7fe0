#include "lm/safetensors_write.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t safetensors_write_count(const struct safetensors_array *array)
{
    return array->rows * (array->columns > 0 ? array->columns : 1);
}

static int64_t bytes_of(const struct safetensors_array *array)
{
    return (int64_t)sizeof(float) * safetensors_write_count(array);
}

char *safetensors_write_header(const struct safetensors_array *arrays, int count)
{
    json_t *header = json_object();
    int64_t offset = 0;
    char *text, *padded;
    size_t length;

    for (int i = 0; i < count; i++) {
        const struct safetensors_array *a = &arrays[i];
        json_t *shape = a->columns > 0 ? json_pack("[I, I]", (json_int_t)a->rows,
                                                   (json_int_t)a->columns)
                                       : json_pack("[I]", (json_int_t)a->rows);
        json_object_set_new(header, a->name, json_pack(
            "{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
            (json_int_t)offset, (json_int_t)(offset + bytes_of(a))));
        offset += bytes_of(a);
    }
    text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    if (text == NULL)
        die("no memory for a header");
    length = (strlen(text) + 7) / 8 * 8;
    padded = allocate((long long)length + 1, 1);
    snprintf(padded, length + 1, "%-*s", (int)length, text);
    free(text);
    return padded;
}

/* The format is little-endian, as all CPUs are that we support. */
static bool write_all(FILE *file, const char *header, const struct safetensors_array *arrays,
                      int count)
{
    const uint64_t length = strlen(header);

    if (fwrite(&length, sizeof length, 1, file) != 1
        || fwrite(header, 1, length, file) != length)
        return false;
    for (int i = 0; i < count; i++) {
        const size_t bytes = (size_t)bytes_of(&arrays[i]);

        if (fwrite(arrays[i].values, 1, bytes, file) != bytes)
            return false;
    }
    return fflush(file) == 0;
}

enum status safetensors_write(const char *path, const struct safetensors_array *arrays, int count)
{
    char *header = safetensors_write_header(arrays, count);
    FILE *file = fopen(path, "wb");
    enum status st = OK;

    if (file == NULL || !write_all(file, header, arrays, count))
        st = file_refuse("write", path);
    if (file != NULL && fclose(file) != 0 && st == OK)
        st = file_refuse("write", path);
    free(header);
    return st;
}
