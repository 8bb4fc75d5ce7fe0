/* product.h -- a bfloat16 matrix product, compiled by oneDNN for one shape.
 *
 * Several threads may use one at a time: called from a parallel region it runs on the calling
 * thread alone.  The bits do not depend on that.
 *
 * Without oneDNN (product_none.c) product_offered() is false and the rest must not be called.
 */
#ifndef PRODUCT_H
#define PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

/* Y [rows, outputs] float32 = X [rows, inputs] bf16 times W^T, W [outputs, inputs] bf16. */
struct product;

/* Does this build, on this CPU, have such products? */
bool product_offered(void);

/* Compile.  product_free() accepts NULL. */
struct product *product_make(int64_t rows, int64_t outputs, int64_t inputs);
void product_free(struct product *product);

/* Bytes of W in the order that the product wants, and W brought into it; all aligned to 64. */
int64_t product_bytes(const struct product *product);
void product_pack(const struct product *product, void *packed, const uint16_t *w);

/* Multiply. */
void product_run(const struct product *product, float *y, const uint16_t *x, const void *packed);

#endif
