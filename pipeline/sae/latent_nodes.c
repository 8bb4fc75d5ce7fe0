#include "sae/latent_nodes.h"

#include <assert.h>

void latent_nodes_error(const struct sae *sae, float *error, const float *f, const float *x,
                        int64_t rows)
{
    const int64_t values = rows * sae->inputs;

    assert(!sae->transcoder);
    sae_decode(sae, error, f, x, rows);
    for (int64_t i = 0; i < values; i++)
        error[i] = x[i] - error[i];
}

void latent_nodes_change(const struct sae *sae, float *x, const float *to, const float *from,
                         int64_t rows)
{
    assert(!sae->transcoder);
    #pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        float *row = x + r * sae->inputs;

        for (int64_t i = 0; i < sae->latents; i++) {
            const float change = to[r * sae->latents + i] - from[r * sae->latents + i];
            const float *direction = sae->decoder + i * sae->inputs;

            if (change == 0)
                continue;
            for (int32_t k = 0; k < sae->inputs; k++)
                row[k] += change * direction[k];
        }
    }
}
