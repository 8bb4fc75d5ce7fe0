#include "heads/latent_heads.h"

#include <math.h>

static double dot(const float *a, const float *b, int32_t n)
{
    double sum = 0;

    for (int32_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* The slice of a head in the decoder row of a latent, and its width. */
static const float *slice_of(const struct sae *sae, int32_t latent, int32_t heads, int32_t head,
                             int32_t *width)
{
    *width = sae->outputs / heads;
    return sae->decoder + (int64_t)latent * sae->outputs + (int64_t)head * *width;
}

void latent_heads_share(double *share, const struct sae *sae, int32_t latent, int32_t heads)
{
    double sum = 0;
    int32_t width;

    for (int32_t k = 0; k < heads; k++) {
        const float *slice = slice_of(sae, latent, heads, k, &width);
        share[k] = sqrt(dot(slice, slice, width));
        sum += share[k];
    }
    for (int32_t k = 0; k < heads && sum > 0; k++)
        share[k] /= sum;
}

void latent_heads_shares(double *share, const struct sae *sae, int32_t heads)
{
    #pragma omp parallel for
    for (int32_t i = 0; i < sae->latents; i++)
        latent_heads_share(share + (int64_t)i * heads, sae, i, heads);
}

int32_t latent_heads_strongest(int32_t *latent, int32_t most, const double *share, int32_t latents,
                               int32_t heads, int32_t head)
{
    int32_t n = 0;

    for (int32_t i = 0; i < latents; i++) {
        const double value = share[(int64_t)i * heads + head];
        /* All in the list are of lower numbers, so an equal one stays in front. */
        int32_t at = n;
        while (at > 0 && value > share[(int64_t)latent[at - 1] * heads + head])
            at--;
        if (at == most)
            continue;
        n += n < most;
        for (int32_t j = n - 1; j > at; j--)
            latent[j] = latent[j - 1];
        latent[at] = i;
    }
    return n;
}

double latent_heads_directions(const struct sae *sae, int32_t heads, int32_t head,
                               const int32_t *latent, int32_t count)
{
    double squares = 0;
    int32_t n = 0, width;

    for (int32_t i = 0; i < count; i++) {
        const float *a = slice_of(sae, latent[i], heads, head, &width);
        const double size = dot(a, a, width);
        n += size > 0;
        for (int32_t j = 0; j < count && size > 0; j++) {
            const float *b = slice_of(sae, latent[j], heads, head, &width);
            const double other = dot(b, b, width), product = dot(a, b, width);
            squares += other > 0 ? product / size * (product / other) : 0;
        }
    }
    return n > 0 ? (double)n * n / squares : 0;
}
