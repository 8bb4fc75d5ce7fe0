#include "kernels/gelu.h"
#include "kernels/clones.h"
#include "kernels/vectors.h"

/* (1 + tanh u) / 2 = 1 / (1 + e^-2u): one exponential, and no digits lost for u << 0. */
static inline float gelu_of(float g)
{
    const float u = 0.7978845608f * (g + 0.044715f * g * g * g);

    return g / (1 + vector_exp(-2 * u));
}

CLONES static void gate_row(float *restrict h, const float *restrict gate,
                             const float *restrict up, int32_t width)
{
    #pragma omp simd
    for (int32_t i = 0; i < width; i++)
        h[i] = gelu_of(gate[i]) * up[i];
}

void gelu_gate(float *restrict h, const float *restrict gate_up, int64_t rows, int32_t width)
{
    #pragma omp parallel for
    for (int64_t r = 0; r < rows; r++)
        gate_row(h + r * width, gate_up + 2 * r * width, gate_up + (2 * r + 1) * width, width);
}

CLONES static void gelu_piece(float *h, int64_t n)
{
    #pragma omp simd
    for (int64_t i = 0; i < n; i++)
        h[i] = gelu_of(h[i]);
}

void gelu(float *h, int64_t n)
{
    enum { PIECE = 4096 };

    #pragma omp parallel for
    for (int64_t from = 0; from < n; from += PIECE)
        gelu_piece(h + from, n - from < PIECE ? n - from : PIECE);
}
