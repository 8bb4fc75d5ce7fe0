/* safetensors_write.h -- write a file of float32 tensors in the format that safetensors.h reads.
 */
#ifndef SAFETENSORS_WRITE_H
#define SAFETENSORS_WRITE_H

#include "base/refuse.h"

#include <stdint.h>

/* A tensor to be written. */
struct safetensors_array {
    const char  *name;
    const float *values;            /* [rows, columns] */
    int64_t      rows, columns;     /* columns 0: one-dimensional */
};

/* Values of a tensor. */
int64_t safetensors_write_count(const struct safetensors_array *array);

/* The JSON header of these tensors, filled with blanks to a multiple of 8 bytes.  Caller frees. */
char *safetensors_write_header(const struct safetensors_array *arrays, int count);

/* Write the tensors in their order, without gaps.  The header is filled with blanks to a multiple
 * of 8 bytes, so that values lie at multiples of 8 bytes where the shapes allow it.  The same
 * tensors give the same bytes.  Not atomic: write into a .part folder.  Local.  E_IO, E_SPACE. */
enum status safetensors_write(const char *path, const struct safetensors_array *arrays, int count);

#endif
