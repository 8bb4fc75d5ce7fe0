#include "lm/safetensors.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/file.h"
#include "base/json_file.h"
#include "kernels/bf16.h"
#include "kernels/values.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct mapped_file {
    char        path[PATH_LENGTH];
    const char *bytes;
    int64_t     size;
    json_t     *header;     /* owns the names of the tensors */
};

static const struct { const char *name; int64_t bytes; } TYPES[] = {
    [TENSOR_F32]  = { "F32", 4 },
    [TENSOR_BF16] = { "BF16", 2 },
    [TENSOR_F16]  = { "F16", 2 },
};

enum { TYPES_COUNT = sizeof TYPES / sizeof *TYPES };

/* --- one tensor of a header ---------------------------------------------------------- */

/* A type that cannot be read, no elements or many dimensions are refused only when the tensor is
 * used: checkpoints may also hold masks, counters and what training left behind. */
static enum status read_type(struct safetensor *tensor, const json_t *entry)
{
    enum status st = OK;

    tensor->type = TENSOR_OTHER;
    tensor->type_name = json_string_value(json_object_get(entry, "dtype"));
    REQUIRE(tensor->type_name != NULL, E_FORMAT, "%s: tensor %.80s needs a \"dtype\"", tensor->path,
            tensor->name);
    for (int i = 0; i < TYPES_COUNT; i++)
        if (strcmp(tensor->type_name, TYPES[i].name) == 0)
            tensor->type = (enum tensor_type)i;
done:
    return st;
}

static enum status read_shape(struct safetensor *tensor, const json_t *entry)
{
    const json_t *shape = json_object_get(entry, "shape");
    const size_t rank = json_array_size(shape);
    enum status st = OK;

    REQUIRE(json_is_array(shape) && rank <= INT_MAX, E_FORMAT, "%s: tensor %.80s needs a "
            "\"shape\"", tensor->path, tensor->name);
    tensor->rank = (int)rank;
    tensor->count = 1;
    for (int i = 0; i < tensor->rank; i++) {
        const json_t *length = json_array_get(shape, (size_t)i);
        const int64_t value = json_integer_value(length);
        REQUIRE(json_is_integer(length) && value >= 0
                && !__builtin_mul_overflow(tensor->count, value, &tensor->count), E_FORMAT,
                "%s: tensor %.80s has an impossible \"shape\"", tensor->path, tensor->name);
        if (i < TENSOR_RANK_MAX)
            tensor->shape[i] = value;
    }
done:
    return st;
}

/* `data` is the number of bytes after the file's header. */
static enum status read_place(struct safetensor *tensor, const json_t *entry, int64_t data)
{
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    const int64_t from = json_integer_value(begin), to = json_integer_value(end);
    int64_t bytes;
    enum status st = OK;

    REQUIRE(json_array_size(offsets) == 2 && json_is_integer(begin) && json_is_integer(end)
            && 0 <= from && from <= to, E_FORMAT,
            "%s: tensor %.80s needs \"data_offsets\" [begin, end]", tensor->path, tensor->name);
    REQUIRE(to <= data, E_FORMAT, "%s: tensor %.80s ends at byte %lld of the data, but there are "
            "only %lld; the file is truncated or damaged, fetch it again", tensor->path,
            tensor->name, (long long)to, (long long)data);
    REQUIRE(tensor->type == TENSOR_OTHER
            || (!__builtin_mul_overflow(tensor->count, TYPES[tensor->type].bytes, &bytes)
                && bytes == to - from), E_FORMAT, "%s: the shape of tensor %.80s does not fit its "
            "%lld bytes", tensor->path, tensor->name, (long long)(to - from));
    tensor->begin = from;
    tensor->end = to;
done:
    return st;
}

/* --- one file ------------------------------------------------------------------------ */

static enum status map_file(struct mapped_file *file)
{
    enum status st;
    void *bytes;
    int fd = -1;

    TRY(file_size(file->path, &file->size));
    REQUIRE(file->size >= 8, E_FORMAT, "%s has %lld bytes, too few for a safetensors file",
            file->path, (long long)file->size);
    fd = open(file->path, O_RDONLY);
    REQUIRE(fd >= 0, E_IO, "cannot open %s", file->path);
    bytes = mmap(NULL, (size_t)file->size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    REQUIRE(bytes != MAP_FAILED, E_IO, "cannot map %s into memory", file->path);
    file->bytes = bytes;
done:
    return st;
}

static enum status parse_header(struct mapped_file *file, int64_t *data)
{
    uint64_t length = 0;
    json_error_t error;
    enum status st = OK;

    for (int i = 7; i >= 0; i--)
        length = length << 8 | (unsigned char)file->bytes[i];
    REQUIRE(length <= (uint64_t)(file->size - 8), E_FORMAT, "%s: its header claims %llu bytes, but "
            "the file has only %lld; it is truncated or damaged, fetch it again", file->path,
            (unsigned long long)length, (long long)file->size);
    file->header = json_loadb(file->bytes + 8, length, JSON_REJECT_DUPLICATES, &error);
    REQUIRE(json_is_object(file->header), E_FORMAT, "%s: its header is not a JSON object: %s",
            file->path, file->header == NULL ? error.text : "something else");
    *data = 8 + (int64_t)length;
done:
    return st;
}

static int by_place(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin > y->begin ? 1 : -1;
    return (x->end > y->end) - (x->end < y->end);   /* those without bytes first */
}

/* Tensors must follow each other without overlap or gap, up to the end of the file. */
static enum status check_places(struct safetensor *tensors, int64_t count, const char *path,
                                int64_t data)
{
    int64_t end = 0;
    enum status st = OK;

    qsort(tensors, (size_t)count, sizeof *tensors, by_place);
    for (int64_t i = 0; i < count; i++) {
        REQUIRE(tensors[i].begin == end, E_FORMAT, "%s: the values of tensor %.80s begin at byte "
                "%lld of the data, where %s; the file is damaged, fetch it again", path,
                tensors[i].name, (long long)tensors[i].begin,
                tensors[i].begin < end ? "another tensor lies" : "a gap precedes them");
        end = tensors[i].end;
    }
    REQUIRE(end == data, E_FORMAT, "%s: %lld bytes after the last tensor belong to none; the file "
            "is damaged, fetch it again", path, (long long)(data - end));
done:
    return st;
}

/* Append the tensors of one file to the checkpoint's. */
static enum status open_file(struct safetensors *checkpoint, struct mapped_file *file)
{
    struct safetensor *tensor;
    const char *name;
    json_t *entry;
    int64_t data = 0, first = checkpoint->count;
    enum status st;

    TRY(map_file(file));
    TRY(parse_header(file, &data));
    checkpoint->tensors = realloc(checkpoint->tensors, sizeof *checkpoint->tensors
                                  * ((size_t)first + json_object_size(file->header) + 1));
    if (checkpoint->tensors == NULL)
        die("no memory for the tensors of %s", file->path);
    json_object_foreach(file->header, name, entry) {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        tensor = &checkpoint->tensors[checkpoint->count];
        *tensor = (struct safetensor){ .name = name, .path = file->path };
        TRY(read_type(tensor, entry));
        TRY(read_shape(tensor, entry));
        TRY(read_place(tensor, entry, file->size - data));
        tensor->values = file->bytes + data + tensor->begin;
        checkpoint->count++;
    }
    TRY(check_places(checkpoint->tensors + first, checkpoint->count - first, file->path,
                     file->size - data));
done:
    return st;
}

/* --- the checkpoint ------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    const struct safetensor *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Read the index at `path`.
 *   map    out: the file of each tensor; caller frees it (json_decref)
 *   files  out: each file once */
static enum status read_index(json_t **map, json_t *files, const char *path)
{
    json_t *index = NULL, *place;
    const char *tensor;
    enum status st;

    TRY(json_file_read(&index, path));
    *map = json_incref(json_object_get(index, "weight_map"));
    REQUIRE(json_is_object(*map), E_FORMAT, "%s is not an index of safetensors files: it needs an "
            "object \"weight_map\"", path);
    json_object_foreach(*map, tensor, place) {
        const char *name = json_string_value(place);
        REQUIRE(name != NULL && strchr(name, '/') == NULL, E_FORMAT, "%s: tensor %.80s needs the "
                "name of a file in the same folder", path, tensor);
        json_object_set(files, name, json_true());
    }
done:
    json_decref(index);
    return st;
}

/* Every tensor must be in the file that the index says. */
static enum status check_index(const struct safetensors *checkpoint, json_t *map, const char *path)
{
    const char *name;
    json_t *place;
    enum status st = OK;

    json_object_foreach(map, name, place) {
        const struct safetensor *tensor = safetensors_find(checkpoint, name);
        REQUIRE(tensor != NULL && path_ends(tensor->path, json_string_value(place)), E_FORMAT,
                "%s says that tensor %.80s is in %s, but it is not; fetch both files again", path,
                name, json_string_value(place));
    }
done:
    return st;
}

/* Sort tensors by name, and refuse a name that occurs twice. */
static enum status index_names(struct safetensors *checkpoint)
{
    const struct safetensor *tensors = checkpoint->tensors;
    enum status st = OK;

    qsort(checkpoint->tensors, (size_t)checkpoint->count, sizeof *tensors, by_name);
    for (int64_t i = 1; i < checkpoint->count; i++)
        REQUIRE(strcmp(tensors[i - 1].name, tensors[i].name) != 0, E_FORMAT, "tensor %.80s is both "
                "in %s and in %s", tensors[i].name, tensors[i - 1].path, tensors[i].path);
done:
    return st;
}

enum status safetensors_open_file(struct safetensors *checkpoint, const char *path)
{
    enum status st;

    *checkpoint = (struct safetensors){ .files = 1,
                                        .file = allocate(1, sizeof *checkpoint->file) };
    path_print(checkpoint->file->path, "%s", path);
    TRY(open_file(checkpoint, checkpoint->file));
    TRY(index_names(checkpoint));
done:
    return st;
}

enum status safetensors_open(struct safetensors *checkpoint, const char *folder)
{
    char single[PATH_LENGTH], index[PATH_LENGTH];
    json_t *files = json_object(), *map = NULL, *unused;
    const char *name;
    enum status st;

    *checkpoint = (struct safetensors){0};
    path_print(single, "%s/model.safetensors", folder);
    path_print(index, "%s/model.safetensors.index.json", folder);
    REQUIRE(file_exists(single) || file_exists(index), E_IO, "there is neither model.safetensors "
            "nor model.safetensors.index.json in %s; 'model: path' must be the folder of a "
            "checkpoint", folder);
    if (file_exists(single))
        json_object_set(files, "model.safetensors", json_true());
    else
        TRY(read_index(&map, files, index));
    checkpoint->file = allocate((long long)json_object_size(files), sizeof *checkpoint->file);
    json_object_foreach(files, name, unused) {
        struct mapped_file *file = &checkpoint->file[checkpoint->files++];
        REQUIRE(strlen(name) < PATH_LENGTH - PATH_LONGEST - 1, E_FORMAT, "%s names a file by %zu "
                "bytes, which is too long: %.60s...", index, strlen(name), name);
        path_print(file->path, "%s/%s", folder, name);
        REQUIRE(file_exists(file->path), E_IO, "%s names the file %s, which is not there; fetch "
                "it", index, name);
        TRY(open_file(checkpoint, file));
    }
    TRY(index_names(checkpoint));
    TRY(check_index(checkpoint, map, index));
done:
    json_decref(map);
    json_decref(files);
    return st;
}

void safetensors_close(struct safetensors *checkpoint)
{
    for (int i = 0; i < checkpoint->files; i++) {
        json_decref(checkpoint->file[i].header);
        if (checkpoint->file[i].bytes != NULL)
            munmap((void *)(uintptr_t)checkpoint->file[i].bytes,
                   (size_t)checkpoint->file[i].size);
    }
    free(checkpoint->file);
    free(checkpoint->tensors);
    *checkpoint = (struct safetensors){0};
}

const struct safetensor *safetensors_find(const struct safetensors *checkpoint, const char *name)
{
    const struct safetensor key = { .name = name };

    return bsearch(&key, checkpoint->tensors, (size_t)checkpoint->count,
                   sizeof *checkpoint->tensors, by_name);
}

/* --- values -------------------------------------------------------------------------- */

/* Release the whole pages that were read.  They stay in the system's cache, but no longer count as
 * this process's memory, where a large tensor would else be twice. */
static void release_pages(const char *bytes, int64_t count)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t first = ((uintptr_t)bytes + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)bytes + (uintptr_t)count) / page * page;

    if (first < end)
        madvise((void *)first, end - first, MADV_DONTNEED);
}

enum { PIECE = 4096 };      /* numbers converted at a time; they stay in the cache */

/* Convert values to float32.  Are all finite? */
static bool to_floats(float *values, const char *bytes, int64_t count, enum tensor_type type)
{
    uint16_t half[PIECE];

    if (type == TENSOR_F32) {
        memcpy(values, bytes, (size_t)count * sizeof *values);
        return values_finite(values, count);
    }
    memcpy(half, bytes, (size_t)count * sizeof *half);
    (type == TENSOR_BF16 ? bf16_to_float : bf16_half_to_float)(values, half, count);
    return values_finite_bf16(half, count, type == TENSOR_BF16 ? 0x7f80 : 0x7c00);
}

/* The same, rounded to bf16.  Most checkpoints hold bf16 already. */
static bool to_bf16(uint16_t *values, const char *bytes, int64_t count, enum tensor_type type)
{
    float exact[PIECE];
    bool finite;

    if (type == TENSOR_BF16) {
        memcpy(values, bytes, (size_t)count * sizeof *values);
        return values_finite_bf16(values, count, 0x7f80);
    }
    finite = to_floats(exact, bytes, count, type);
    bf16_from_float(values, exact, count);
    return finite;
}

bool safetensors_part(void *values, enum precision precision, const struct safetensor *tensor,
                      int64_t first, int64_t count)
{
    const int64_t size = TYPES[tensor->type].bytes;
    const char *from = (const char *)tensor->values + first * size;
    bool finite = true;

    for (int64_t i = 0; i < count; i += PIECE) {
        const int64_t n = count - i < PIECE ? count - i : PIECE;
        finite &= precision == PRECISION_BF16
            ? to_bf16((uint16_t *)values + i, from + i * size, n, tensor->type)
            : to_floats((float *)values + i, from + i * size, n, tensor->type);
    }
    release_pages(from, count * size);
    return finite;
}

enum status safetensors_check(const struct safetensor *tensor)
{
    enum status st = OK;

    REQUIRE(tensor->type != TENSOR_OTHER, E_FORMAT, "%s: tensor %.80s is stored as %.20s; F32, "
            "BF16 and F16 can be read", tensor->path, tensor->name, tensor->type_name);
done:
    return st;
}

enum status safetensors_finite(const struct safetensor *tensor, bool finite)
{
    enum status st = OK;

    REQUIRE(finite, E_NUMERIC, "%s: tensor %.80s holds a value that is not finite; the file is "
            "damaged, fetch it again", tensor->path, tensor->name);
done:
    return st;
}

enum status safetensors_values(float *values, const struct safetensor *tensor)
{
    enum status st;

    TRY(safetensors_check(tensor));
    TRY(safetensors_finite(tensor, safetensors_part(values, PRECISION_F32, tensor, 0,
                                                  tensor->count)));
done:
    return st;
}
