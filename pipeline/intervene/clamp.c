#include "intervene/clamp.h"

#include <assert.h>

/* x . d / d . d; 0 if the direction is. */
static double share_along(const float *x, const float *direction, int32_t width)
{
    double dot = 0, square = 0;

    for (int32_t k = 0; k < width; k++) {
        dot += (double)x[k] * (double)direction[k];
        square += (double)direction[k] * (double)direction[k];
    }
    return square > 0 ? dot / square : 0;
}

/* The multiple of its decoder row that an active latent of value `f` adds to the row. */
static float change_of(const struct clamp *clamp, const float *x, float f, const float *direction)
{
    switch (clamp->kind) {
    case CLAMP_VALUE:
        return (float)(-clamp->strength - (double)f);
    case CLAMP_SCALE:
        return (float)(-clamp->strength * (double)f);
    default:
        return (float)(-clamp->strength * share_along(x, direction, clamp->sae->outputs));
    }
}

static void clamp_row(const struct clamp *clamp, float *x, const float *f)
{
    const int32_t width = clamp->sae->outputs;

    for (int32_t i = 0; i < clamp->count; i++) {
        const int32_t latent = clamp->latents[i];
        const float *direction = clamp->sae->decoder + (int64_t)latent * width;

        if (f[latent] <= 0)
            continue;
        const float change = change_of(clamp, x, f[latent], direction);
        for (int32_t k = 0; k < width; k++)
            x[k] += change * direction[k];
    }
}

void clamp_rows(const struct clamp *clamp, float *x, const float *f, int64_t rows)
{
    const struct sae *sae = clamp->sae;

    assert(!sae->transcoder && sae->inputs == sae->outputs);
    #pragma omp parallel for schedule(static)
    for (int64_t r = 0; r < rows; r++)
        clamp_row(clamp, x + r * sae->outputs, f + r * sae->latents);
}
