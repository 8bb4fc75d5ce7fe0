#include "intervene/clamp.h"

#include "kernels/values.h"

#include <assert.h>
#include <math.h>

const char *clamp_name(enum clamp_kind kind)
{
    static const char *const NAMES[CLAMPS] = {
        [CLAMP_VALUE] = "value", [CLAMP_SCALE] = "scale", [CLAMP_PROJECTION] = "projection",
        [CLAMP_STEER] = "steer", [CLAMP_MEAN_DIFFERENCE] = "mean_difference",
    };

    return NAMES[kind];
}

bool clamp_steers(enum clamp_kind kind)
{
    return kind == CLAMP_STEER || kind == CLAMP_MEAN_DIFFERENCE;
}

/* x . d / d . d; 0 if the direction is. */
static double share_along(const float *x, const float *direction, int32_t width)
{
    const double square = values_sum_squares(direction, width);

    return square > 0 ? values_dot(x, direction, width) / square : 0;
}

/* 1 / |d|; 0 if the direction is. */
static double per_length(const float *direction, int32_t width)
{
    const double square = values_sum_squares(direction, width);

    return square > 0 ? 1 / sqrt(square) : 0;
}

/* The multiple of its decoder row that a latent of value `f` adds to the row. */
static float change_of(const struct clamp *clamp, const float *x, float f, const float *direction)
{
    switch (clamp->kind) {
    case CLAMP_STEER:
    case CLAMP_MEAN_DIFFERENCE:
        return (float)(-clamp->strength * per_length(direction, clamp->sae->outputs));
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
    const bool steers = clamp_steers(clamp->kind);

    for (int32_t i = 0; i < clamp->count; i++) {
        const int32_t latent = clamp->latents[i];
        const float *direction = clamp->sae->decoder + (int64_t)latent * width;

        if (!steers && f[latent] <= 0)
            continue;
        const float change = change_of(clamp, x, steers ? 0 : f[latent], direction);
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
