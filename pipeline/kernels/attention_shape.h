/* attention_shape.h -- the shape of attention (attention.h), there and back. */
#ifndef ATTENTION_SHAPE_H
#define ATTENTION_SHAPE_H

#include "kernels/precision.h"

#include <stdint.h>

enum { ATTENTION_STRIP = 64 };

struct attention {
    enum precision precision;
    int64_t sequences, context;
    int32_t heads, kv_heads, head_width;
    int32_t window;     /* tokens that a query sees, including itself; 0: all before it */
    float   scale;
    float   cap;        /* 0: none */
};

/* The distance between tokens, in values, in qkv and in the output. */
static inline int64_t attention_stride(const struct attention *shape)
{
    return (int64_t)(shape->heads + 2 * shape->kv_heads) * shape->head_width;
}

static inline int64_t attention_out_stride(const struct attention *shape)
{
    return (int64_t)shape->heads * shape->head_width;
}

#endif
