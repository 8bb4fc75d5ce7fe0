/* gelu.h -- the activation of a transformer's MLP, with and without a gate.
 *
 * GELU with the tanh approximation (Hendrycks and Gimpel, arXiv:1606.08415):
 *   gelu(g) = g/2 (1 + tanh(sqrt(2/pi) (g + 0.044715 g^3)))
 */
#ifndef GELU_H
#define GELU_H

#include <stdint.h>

/* h = gelu(gate) * up.
 *   h       [rows, width]      out
 *   gate_up [rows, 2 * width]  in, a row is the gates, then the ups */
void gelu_gate(float *restrict h, const float *restrict gate_up, int64_t rows, int32_t width);

/* h = gelu(h), n values in place. */
void gelu(float *h, int64_t n);

#endif
