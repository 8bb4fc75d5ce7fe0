/* product.h -- a bfloat16 matrix product, compiled by oneDNN for one shape.
 *
 * Several threads may use the same product at the same time.  Inside a parallel region it runs on
 * the calling thread alone, outside on all threads, with the same bits.
 *
 * Without oneDNN (product_none.c) product_offered() is false, product_isa() is "none", and nothing
 * else may be called.
 */
#ifndef PRODUCT_H
#define PRODUCT_H

#include "kernels/precision.h"

#include <stdbool.h>
#include <stdint.h>

/* Y [rows, outputs] float32 = X [rows, inputs] bf16 times W^T, W [outputs, inputs] bf16; or
 * added to Y. */
struct product;

/* Does this build have such products on this CPU? */
bool product_offered(void);

/* The instruction set that oneDNN compiles for, such as "avx512_core_bf16"; "none" without it. */
const char *product_isa(void);

/* Compile a product.  product_free() accepts NULL. */
struct product *product_make(int64_t rows, int64_t outputs, int64_t inputs, bool add);
void product_free(struct product *product);

/* Bytes of W in the product's own layout, aligned to 64. */
int64_t product_bytes(const struct product *product);

/* Pack W into that layout, from either precision.  The number of output o and input i is
 * w[o * by_output + i * by_input]; by_output or by_input must be 1. */
void product_pack(const struct product *product, void *packed, const void *w,
                  enum precision precision, int64_t by_output, int64_t by_input);

/* Multiply. */
void product_run(const struct product *product, float *y, const uint16_t *x, const void *packed);

#endif
