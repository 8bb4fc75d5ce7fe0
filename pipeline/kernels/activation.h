/* activation.h -- the activation of a transformer's MLP, with and without a gate.
 *
 *   GELU (Hendrycks and Gimpel, arXiv:1606.08415)
 *     a(x) = x/2 (1 + erf(x / sqrt(2)))
 *   the same, approximated by tanh
 *     a(x) = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
 *   SiLU
 *     a(x) = x / (1 + e^-x)
 *   ReLU
 *     a(x) = max(x, 0), with the derivative 0 at 0
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

/* The way back: from x, and the gradient at h, to the gradient at x; n values each.  Gradients
 * replace what was read.
 *   x          in: x; out: the gradient there
 *   gate, up   in: gate and up; out: the gradients there
 *   gradient   in: at h */
void activation_apply_back(enum activation activation, float *restrict x,
                           const float *restrict gradient, int64_t n);
void activation_gate_back(enum activation activation, float *restrict gate, float *restrict up,
                          const float *restrict gradient, int64_t n);

#endif
