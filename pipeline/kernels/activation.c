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

static inline float gelu_tanh_slope(float x)
{
    const float u = 0.7978845608f * (x + 0.044715f * x * x * x);
    const float u_slope = 0.7978845608f * (1 + 3 * 0.044715f * x * x);
    const float s = 1 / (1 + vector_exp(-2 * u));

    return s + x * s * (1 - s) * 2 * u_slope;
}

static inline float gelu_slope(float x)
{
    return vector_normal(x) + x * 0.3989422804f * vector_exp(-0.5f * x * x);
}

static inline float silu_of(float x)
{
    return x / (1 + vector_exp(-x));
}

static inline float silu_slope(float x)
{
    const float s = 1 / (1 + vector_exp(-x));

    return s + x * s * (1 - s);
}

static inline float relu_of(float x)
{
    return x < 0 ? 0 : x;       /* NaN stays NaN */
}

static inline float relu_slope(float x)
{
    return x > 0 ? 1 : 0;
}

/* The loops of an activation. */
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
    }                                                                                            \
                                                                                                 \
    CLONES static void name##_back(float *restrict x, const float *restrict gradient, int64_t n) \
    {                                                                                            \
        _Pragma("omp simd")                                                                      \
        for (int64_t i = 0; i < n; i++)                                                          \
            x[i] = gradient[i] * name##_slope(x[i]);                                             \
    }                                                                                            \
                                                                                                 \
    CLONES static void name##_gate_back(float *restrict gate, float *restrict up,                \
                                        const float *restrict gradient, int64_t n)               \
    {                                                                                            \
        _Pragma("omp simd")                                                                      \
        for (int64_t i = 0; i < n; i++) {                                                        \
            const float g = gate[i];                                                             \
            gate[i] = gradient[i] * up[i] * name##_slope(g);                                     \
            up[i] = gradient[i] * name##_of(g);                                                  \
        }                                                                                        \
    }

LOOPS(gelu_tanh)
LOOPS(gelu)
LOOPS(silu)
LOOPS(relu)

static const struct {
    void (*apply)(float *restrict h, const float *restrict x, int64_t n);
    void (*gate)(float *restrict h, const float *restrict gate, const float *restrict up,
                 int64_t n);
    void (*back)(float *restrict x, const float *restrict gradient, int64_t n);
    void (*gate_back)(float *restrict gate, float *restrict up, const float *restrict gradient,
                      int64_t n);
} ACTIVATIONS[] = {
    [ACTIVATION_GELU_TANH] = { gelu_tanh, gelu_tanh_gate, gelu_tanh_back, gelu_tanh_gate_back },
    [ACTIVATION_GELU] = { gelu, gelu_gate, gelu_back, gelu_gate_back },
    [ACTIVATION_SILU] = { silu, silu_gate, silu_back, silu_gate_back },
    [ACTIVATION_RELU] = { relu, relu_gate, relu_back, relu_gate_back },
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

void activation_apply_back(enum activation activation, float *restrict x,
                           const float *restrict gradient, int64_t n)
{
    ACTIVATIONS[activation].back(x, gradient, n);
}

void activation_gate_back(enum activation activation, float *restrict gate, float *restrict up,
                          const float *restrict gradient, int64_t n)
{
    ACTIVATIONS[activation].gate_back(gate, up, gradient, n);
}
