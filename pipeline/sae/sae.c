#include "sae/sae.h"
#include "base/allocate.h"
#include "kernels/gemm.h"
#include "kernels/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t sae_parameters(int32_t inputs, int32_t outputs, int32_t latents, bool skip)
{
    return ((int64_t)inputs + outputs + 2) * latents + outputs
           + (skip ? (int64_t)inputs * outputs : 0);
}

void sae_make(struct sae *sae, int32_t inputs, int32_t outputs, int32_t latents)
{
    *sae = (struct sae){
        .inputs = inputs,
        .outputs = outputs,
        .latents = latents,
        .encoder = allocate((long long)latents * inputs, sizeof(float)),
        .decoder = allocate((long long)latents * outputs, sizeof(float)),
        .encoder_bias = allocate(latents, sizeof(float)),
        .decoder_bias = allocate(outputs, sizeof(float)),
        .threshold = allocate(latents, sizeof(float)),
    };
}

void sae_free(struct sae *sae)
{
    free(sae->skip);
    free(sae->threshold);
    free(sae->decoder_bias);
    free(sae->encoder_bias);
    free(sae->decoder);
    free(sae->encoder);
    *sae = (struct sae){0};
}

enum { BAND = 64 };     /* rows transposed at a time, so that cache lines of the result fill up */

/* Matrix [rows, columns] as [columns, rows].  Caller frees. */
static float *transpose(const float *matrix, int64_t rows, int64_t columns)
{
    float *transposed = allocate(rows * columns, sizeof *transposed);

    #pragma omp parallel for schedule(static)
    for (int64_t first = 0; first < rows; first += BAND)
        for (int64_t k = 0; k < columns; k++)
            for (int64_t i = first; i < first + BAND && i < rows; i++)
                transposed[k * rows + i] = matrix[i * columns + k];
    return transposed;
}

float *sae_encoder_transposed(const struct sae *sae)
{
    return transpose(sae->encoder, sae->latents, sae->inputs);
}

float *sae_skip_transposed(const struct sae *sae)
{
    return transpose(sae->skip, sae->outputs, sae->inputs);
}

static void multiply(float *values, double factor, int64_t n)
{
    #pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)(factor * (double)values[i]);
}

void sae_fold(struct sae *sae, struct sae_units units)
{
    const double gain = units.target_scale / units.scale;

    #pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < sae->latents; i++) {
        const float *w = sae->encoder + i * sae->inputs;
        double bias = (double)sae->encoder_bias[i];

        for (int32_t k = 0; k < sae->inputs && units.centred; k++)
            bias -= (double)w[k] * (double)sae->decoder_bias[k];
        sae->encoder_bias[i] = (float)(units.scale * bias);
        sae->threshold[i] = (float)fmax(units.scale * (double)sae->threshold[i], 0);
    }
    multiply(sae->decoder_bias, units.target_scale, sae->outputs);
    multiply(sae->decoder, gain, (int64_t)sae->latents * sae->outputs);
    if (sae->skip != NULL)
        multiply(sae->skip, gain, (int64_t)sae->outputs * sae->inputs);
}

/* Set all but the `keep` largest to 0.
 *   active [latents]  buffer */
static void keep_largest(float *f, int32_t latents, int32_t keep, float *active)
{
    int32_t start = 0, n = 0;

    for (int32_t i = 0; i < latents; i++)
        if (f[i] > 0)
            active[n++] = f[i];
    struct cutoff cut = select_largest(active, &start, &n, 1, keep);
    for (int32_t i = 0; i < latents; i++) {
        if (f[i] > cut.value)
            continue;
        if (f[i] < cut.value || cut.ties-- <= 0)
            f[i] = 0;
    }
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
    if (sae->keep == 0)
        return;
    #pragma omp parallel
    {
        float *active = allocate(sae->latents, sizeof *active);
        #pragma omp for schedule(static)
        for (int64_t r = 0; r < rows; r++)
            keep_largest(f + r * sae->latents, sae->latents, sae->keep, active);
        free(active);
    }
}

void sae_decode(const struct sae *sae, float *y, const float *f, const float *x, int64_t rows)
{
    #pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++) {
        float *out = y + r * sae->outputs;

        memcpy(out, sae->decoder_bias, (size_t)sae->outputs * sizeof *out);
        for (int64_t i = 0; i < sae->latents; i++) {
            const float  active = f[r * sae->latents + i];
            const float *direction = sae->decoder + i * sae->outputs;

            if (active == 0)
                continue;
            for (int32_t k = 0; k < sae->outputs; k++)
                out[k] += active * direction[k];
        }
    }
    if (sae->skip != NULL)
        gemm_nt(y, sae->outputs, x, sae->inputs, sae->skip, sae->inputs, rows, sae->outputs,
                sae->inputs, true);
}
