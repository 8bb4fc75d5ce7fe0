/* safetensors.h -- the tensors of a checkpoint, found by name in files that are not trusted.
 *
 * The format (https://github.com/huggingface/safetensors, "Format"): 8 bytes little-endian
 * length of a JSON header, the header, then the values of all tensors without gaps.  A
 * checkpoint is one model.safetensors, or several files named by
 * model.safetensors.index.json.  Files are mapped, not read: values come from disk when they
 * are used.  safetensors_write.h writes such files.  Everything here is Local.
 */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include "base/refuse.h"
#include "kernels/precision.h"

#include <stdbool.h>
#include <stdint.h>

enum { TENSOR_RANK_MAX = 4 };

enum tensor_type { TENSOR_F32, TENSOR_BF16, TENSOR_F16, TENSOR_OTHER };

struct safetensor {
    const char      *name;
    const char      *path;      /* of its file */
    enum tensor_type type;
    const char      *type_name;
    int              rank;      /* any; what is used here has TENSOR_RANK_MAX at most */
    int64_t          shape[TENSOR_RANK_MAX];    /* the first ones */
    int64_t          count;     /* elements; 0 if a length is */
    int64_t          begin, end;    /* offsets of its values after the header */
    const void      *values;    /* at no particular alignment */
};

struct mapped_file;

struct safetensors {
    int                 files;
    struct mapped_file *file;
    int64_t             count;
    struct safetensor  *tensors;    /* sorted by name */
};

/* Open the checkpoint in a folder.  E_IO, also if the index names a file that is not there;
 * E_FORMAT: truncated, a header longer than its file, not JSON, a name twice, no type, a shape
 * that does not fit its bytes, offsets that overlap, leave gaps or point outside the file, an
 * index that names a tensor which is not in its file. */
enum status safetensors_open(struct safetensors *checkpoint, const char *folder);

/* The same for one file of any name. */
enum status safetensors_open_file(struct safetensors *checkpoint, const char *path);

void safetensors_close(struct safetensors *checkpoint);

/* The tensor of this name; NULL if there is none. */
const struct safetensor *safetensors_find(const struct safetensors *checkpoint, const char *name);

/* All values as float32, exactly.  E_NUMERIC if one is not finite; E_FORMAT if they are of
 * another type than F32, BF16 and F16.
 *   values [tensor->count]  out */
enum status safetensors_values(float *values, const struct safetensor *tensor);

/* The same in three steps, for readers with several threads.  safetensors_check() refuses a type
 * that cannot be read.  safetensors_part() gives some of the values, exact in float32 or rounded
 * to bf16, and says whether all are finite.  safetensors_finite() is the refusal if some are not.
 *   values [count]  out, floats or bf16 */
enum status safetensors_check(const struct safetensor *tensor);
bool        safetensors_part(void *values, enum precision precision,
                            const struct safetensor *tensor, int64_t first, int64_t count);
enum status safetensors_finite(const struct safetensor *tensor, bool finite);

#endif
