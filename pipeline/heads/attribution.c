#include "heads/attribution.h"

#include <math.h>

static double mean_of(const struct lm_config *config, const float *x)
{
    double sum = 0;

    if (config->norm == LM_NORM_RMS)
        return 0;
    for (int32_t i = 0; i < config->width; i++)
        sum += (double)x[i];
    return sum / config->width;
}

struct attribution_norm attribution_norm_of(const struct lm_config *config,
                                            struct norm_weights weights, const float *x)
{
    const double mean = mean_of(config, x);
    double squares = 0;

    for (int32_t i = 0; i < config->width; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    return (struct attribution_norm){
        .config = config, .weights = weights,
        .inverse = 1 / sqrt(squares / config->width + (double)config->norm_epsilon),
    };
}

void attribution_normalise(const struct attribution_norm *norm, float *y)
{
    const double mean = mean_of(norm->config, y);

    for (int32_t i = 0; i < norm->config->width; i++)
        y[i] = (float)(((double)y[i] - mean) * norm->inverse * (double)norm->weights.scale[i]);
}

void attribution_direction(double *direction, const struct weights *weights, const int32_t *ids,
                           int64_t count)
{
    const int32_t width = weights->config.width;

    for (int32_t i = 0; i < width; i++)
        direction[i] = 0;
    for (int64_t n = 0; n < count; n++)
        for (int32_t i = 0; i < width; i++)
            direction[i] += (double)weights->unembedding[(int64_t)ids[n] * width + i]
                            / (double)count;
}

double attribution_of(const struct attribution_norm *norm, const double *direction,
                      const float *part)
{
    const double mean = mean_of(norm->config, part);
    double sum = 0;

    for (int32_t i = 0; i < norm->config->width; i++)
        sum += ((double)part[i] - mean) * (double)norm->weights.scale[i] * direction[i];
    return sum * norm->inverse;
}

double attribution_of_bias(const struct norm_weights *norm, const double *direction, int32_t width)
{
    double sum = 0;

    for (int32_t i = 0; i < width && norm->bias != NULL; i++)
        sum += (double)norm->bias[i] * direction[i];
    return sum;
}
