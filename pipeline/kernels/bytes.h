/* bytes.h -- split numbers into byte planes: all lowest bytes, then all next ones, and so on.
 *
 * The bytes of a plane resemble each other more than those of a number, so they compress better.
 * HDF5's shuffle filter does the same.
 */
#ifndef BYTES_H
#define BYTES_H

#include <stdint.h>

/* Split `count` numbers of `size` bytes (1 to 8) into planes.
 *   planes   [size] planes, `stride` bytes apart; out
 *   numbers  [count, size]  in */
void bytes_apart(uint8_t *restrict planes, int64_t stride, const void *restrict numbers,
                 int64_t count, int size);

/* The reverse. */
void bytes_together(void *restrict numbers, const uint8_t *restrict planes, int64_t stride,
                    int64_t count, int size);

#endif
