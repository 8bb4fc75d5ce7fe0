/* bytes.h -- numbers as planes of bytes: all lowest bytes, then all next ones, and so on.
 *
 * The bytes of one plane are more alike than those of one number, so they are compressed
 * better.  HDF5's shuffle filter does the same.
 */
#ifndef BYTES_H
#define BYTES_H

#include <stdint.h>

/* Take `count` numbers of `size` bytes (1 to 8) apart.
 *   planes   [size] planes, `stride` bytes from one to the next; out
 *   numbers  [count, size]  in */
void bytes_apart(uint8_t *restrict planes, int64_t stride, const void *restrict numbers,
                 int64_t count, int size);

/* Put them together again. */
void bytes_together(void *restrict numbers, const uint8_t *restrict planes, int64_t stride,
                    int64_t count, int size);

#endif
