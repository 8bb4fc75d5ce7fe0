/* activation.h -- the activation of a transformer's MLP, with and without a gate.
 *
 *   GELU (Hendrycks and Gimpel, arXiv:1606.08415)
 *     a(x) = x/2 (1 + erf(x / sqrt(2)))
 *   the same, approximated by tanh
 *     a(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
 *   SiLU
 *     a(x) = x / (1 + e^-x)
 *   ReLU
 *     a(x) = max(x, 0)
 */
#ifndef ACTIVATION_H
#define ACTIVATION_H

#include <stdint.h>

enum activation { ACTIVATION_GELU_TANH, ACTIVATION_GELU, ACTIVATION_SILU, ACTIVATION_RELU };

/* h = a(x); h = a(gate) * up.  n values each. */
void activation_apply(enum activation activation, float *restrict h, const float *restrict x,
                      int64_t n);
void activation_gate(enum activation activation, float *restrict h, const float *restrict gate,
                     const float *restrict up, int64_t n);

#endif
