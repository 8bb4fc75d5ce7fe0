#include "kernels/activation.h"
#include "kernels/clones.h"
#include "kernels/vectors.h"

/* (1 + tanh u) / 2 = 1 / (1 + e^-2u) takes one exponential, and loses no digits for u << 0. */
static inline float gelu_tanh_of(float x)
{
    const float u = 0.7978845608f * (x + 0.044715f * x * x * x);

    return x / (1 + vector_exp(-2 * u));
}

static inline float gelu_of(float x)
{
    return x * vector_normal(x);
}

static inline float silu_of(float x)
{
    return x / (1 + vector_exp(-x));
}

static inline float relu_of(float x)
{
    return x < 0 ? 0 : x;       /* NaN stays NaN */
}

/* The two loops of an activation. */
#define LOOPS(name)                                                                              \
    CLONES static void name(float *restrict h, const float *restrict x, int64_t n)               \
    {                                                                                            \
        _Pragma("omp simd")                                                                      \
        for (int64_t i = 0; i < n; i++)                                                          \
            h[i] = name##_of(x[i]);                                                              \
    }                                                                                            \
                                                                                                 \
    CLONES static void name##_gate(float *restrict h, const float *restrict gate,                \
                                   const float *restrict up, int64_t n)                          \
    {                                                                                            \
        _Pragma("omp simd")                                                                      \
        for (int64_t i = 0; i < n; i++)                                                          \
            h[i] = name##_of(gate[i]) * up[i];                                                   \
    }

LOOPS(gelu_tanh)
LOOPS(gelu)
LOOPS(silu)
LOOPS(relu)

static const struct {
    void (*apply)(float *restrict h, const float *restrict x, int64_t n);
    void (*gate)(float *restrict h, const float *restrict gate, const float *restrict up,
                 int64_t n);
} ACTIVATIONS[] = {
    [ACTIVATION_GELU_TANH] = { gelu_tanh, gelu_tanh_gate },
    [ACTIVATION_GELU] = { gelu, gelu_gate },
    [ACTIVATION_SILU] = { silu, silu_gate },
    [ACTIVATION_RELU] = { relu, relu_gate },
};

void activation_apply(enum activation activation, float *restrict h, const float *restrict x,
                      int64_t n)
{
    ACTIVATIONS[activation].apply(h, x, n);
}

void activation_gate(enum activation activation, float *restrict h, const float *restrict gate,
                     const float *restrict up, int64_t n)
{
    ACTIVATIONS[activation].gate(h, gate, up, n);
}
