/* linear.h -- y = x W^T with one W for many x, in float32 or in bfloat16.
 *
 * float32 is a product on BLAS.  bfloat16 is oneDNN's: W is rounded and packed once, x is
 * rounded as it comes, sums are float32; on a CPU with bf16 dot products it runs at twice
 * the float32 rate, on one with AMX at eight times.  Rows are taken in tiles of one fixed
 * shape, so that the same row gives the same bits however many rows come with it.
 */
#ifndef LINEAR_H
#define LINEAR_H

#include "kernels/precision.h"

#include <stdbool.h>
#include <stdint.h>

/* Does this build, on this CPU, multiply in that precision? */
bool linear_offers(enum precision precision);

struct linear {
    enum precision precision;
    int64_t outputs, inputs;
    void   *weights;        /* W, packed; not owned */
    void   *product;        /* oneDNN's compiled product; NULL for float32 */
};

/* Bytes of W when packed, and of the scratch that linear_apply() needs. */
int64_t linear_bytes(enum precision precision, int64_t outputs, int64_t inputs);
int64_t linear_scratch(enum precision precision, int64_t outputs, int64_t inputs);

/* Get ready to multiply with a W that lies packed, or will, in `room`: linear_bytes() bytes,
 * aligned to 64, perhaps shared with other processes.  linear_free() accepts an empty one. */
void linear_make(struct linear *linear, enum precision precision, int64_t outputs,
                 int64_t inputs, void *room);
void linear_free(struct linear *linear);

/* Pack W into the room.
 *   weights [outputs, inputs]  in
 *   scratch [outputs, inputs]  for W rounded; not needed for float32 */
void linear_pack(struct linear *linear, const float *weights, uint16_t *scratch);

/*   y       [rows, outputs]         out
 *   x       [rows, inputs]          in
 *   scratch [linear_scratch() bytes], aligned to 64 bytes
 * The result does not depend on the number of threads.  Not to be called from a parallel
 * region. */
void linear_apply(const struct linear *linear, float *y, const float *x, int64_t rows,
                  void *scratch);

#endif
