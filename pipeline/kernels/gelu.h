/* gelu.h -- the activation of a transformer's MLP, with and without a gate.
 *
 * GELU with the tanh approximation (Hendrycks and Gimpel, arXiv:1606.08415):
 *   gelu(g) = g/2 (1 + tanh(sqrt(2/pi) (g + 0.044715 g^3)))
 */
#ifndef GELU_H
#define GELU_H

#include <stdint.h>

/* h = gelu(gate) * up; h = gelu(x).  n values each. */
void gelu_gate(float *restrict h, const float *restrict gate, const float *restrict up, int64_t n);
void gelu(float *restrict h, const float *restrict x, int64_t n);

#endif
