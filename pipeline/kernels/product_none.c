#ifndef HAVE_ONEDNN
#include "kernels/product.h"

#include <stddef.h>
#include <stdlib.h>

bool product_offered(void)
{
    return false;
}

const char *product_isa(void)
{
    return "none";
}

struct product *product_make(int64_t rows, int64_t outputs, int64_t inputs, bool add)
{
    (void)rows, (void)outputs, (void)inputs, (void)add;
    abort();
}

void product_free(struct product *product)
{
    (void)product;
}

int64_t product_bytes(const struct product *product)
{
    (void)product;
    abort();
}

void product_pack(const struct product *product, void *packed, const void *w,
                  enum precision precision, int64_t by_output, int64_t by_input)
{
    (void)product, (void)packed, (void)w, (void)precision, (void)by_output, (void)by_input;
    abort();
}

void product_run(const struct product *product, float *y, const uint16_t *x, const void *packed)
{
    (void)product, (void)y, (void)x, (void)packed;
    abort();
}

#endif
