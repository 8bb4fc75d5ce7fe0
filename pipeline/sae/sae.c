#include "sae/sae.h"
#include "kernels/gemm.h"

#include <stdlib.h>
#include <string.h>

void sae_make(struct sae *sae, int32_t inputs, int32_t latents)
{
    *sae = (struct sae){
        .inputs = inputs,
        .latents = latents,
        .encoder = allocate((long long)latents * inputs, sizeof(float)),
        .decoder = allocate((long long)latents * inputs, sizeof(float)),
        .encoder_bias = allocate(latents, sizeof(float)),
        .decoder_bias = allocate(inputs, sizeof(float)),
        .threshold = allocate(latents, sizeof(float)),
    };
}

void sae_free(struct sae *sae)
{
    free(sae->threshold);
    free(sae->decoder_bias);
    free(sae->encoder_bias);
    free(sae->decoder);
    free(sae->encoder);
    *sae = (struct sae){0};
}

enum { BAND = 64 };     /* latents turned at a time: a cache line of each result row fills up */

float *sae_encoder_turned(const struct sae *sae)
{
    float *turned = allocate((long long)sae->latents * sae->inputs, sizeof *turned);

    #pragma omp parallel for schedule(static)
    for (int64_t first = 0; first < sae->latents; first += BAND)
        for (int64_t k = 0; k < sae->inputs; k++)
            for (int64_t i = first; i < first + BAND && i < sae->latents; i++)
                turned[k * sae->latents + i] = sae->encoder[i * sae->inputs + k];
    return turned;
}

void sae_fold(struct sae *sae, double scale)
{
    #pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < sae->latents; i++) {
        const float *w = sae->encoder + i * sae->inputs;
        double bias = (double)sae->encoder_bias[i];

        for (int32_t k = 0; k < sae->inputs; k++)
            bias -= (double)w[k] * (double)sae->decoder_bias[k];
        sae->encoder_bias[i] = (float)(scale * bias);
        sae->threshold[i] = (float)(scale * (double)sae->threshold[i]);
    }
    for (int32_t k = 0; k < sae->inputs; k++)
        sae->decoder_bias[k] = (float)(scale * (double)sae->decoder_bias[k]);
}

void sae_encode(const struct sae *sae, float *f, const float *x, int64_t rows)
{
    gemm_nt(f, sae->latents, x, sae->inputs, sae->encoder, sae->inputs,
            rows, sae->latents, sae->inputs, false);

    #pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        float *row = f + r * sae->latents;

        for (int32_t i = 0; i < sae->latents; i++) {
            const float pi = row[i] + sae->encoder_bias[i];
            row[i] = pi > 0 && pi > sae->threshold[i] ? pi : 0;
        }
    }
}

void sae_decode(const struct sae *sae, float *y, const float *f, int64_t rows)
{
    #pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        float *out = y + r * sae->inputs;

        memcpy(out, sae->decoder_bias, (size_t)sae->inputs * sizeof *out);
        for (int64_t i = 0; i < sae->latents; i++) {
            const float  active = f[r * sae->latents + i];
            const float *direction = sae->decoder + i * sae->inputs;

            if (active == 0)
                continue;
            for (int32_t k = 0; k < sae->inputs; k++)
                out[k] += active * direction[k];
        }
    }
}
