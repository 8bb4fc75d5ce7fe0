#include "intervene/steering_ways.h"
#include "base/allocate.h"
#include "kernels/gemm.h"
#include "kernels/svd.h"
#include "kernels/values.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Singular values below this part of the largest are rounding errors of float32. */
static const double NOISE = 1e-5;

const char *steering_ways_name(enum steering_way way)
{
    static const char *const NAMES[STEERING_WAYS] = { "decoder", "targeted", "rotated", "inverse",
                                                      "contrast" };

    return NAMES[way];
}

/* --- what latents have in common ----------------------------------------------------- */

/* The norms of M's columns. */
static double *column_norms(const struct approximator *map)
{
    double *norm = allocate(map->latents, sizeof *norm);

    for (int32_t k = 0; k < map->width; k++)
        for (int32_t i = 0; i < map->latents; i++) {
            const double value = (double)map->matrix[(int64_t)k * map->latents + i];
            norm[i] += value * value;
        }
    for (int32_t i = 0; i < map->latents; i++)
        norm[i] = sqrt(norm[i]);
    return norm;
}

/* The sum over latents of M_i d_i^T, both of norm 1: [width, width].  Caller frees. */
static double *correlate(const struct steering_ways *ways)
{
    const struct approximator *map = ways->map;
    const int64_t width = map->width, latents = map->latents;
    double *norm = column_norms(map), *sum = allocate(width * width, sizeof *sum);
    float *scaled = allocate(latents * width, sizeof *scaled);
    float *product = allocate(width * width, sizeof *product);

    for (int64_t i = 0; i < latents; i++) {
        const float *row = ways->decoder + i * width;
        const double both = norm[i] * sqrt(values_sum_squares(row, width));
        for (int64_t k = 0; k < width && both > 0; k++)
            scaled[i * width + k] = (float)((double)row[k] / both);
    }
    gemm_nn(product, width, map->matrix, latents, scaled, width, width, width, latents, false);
    for (int64_t i = 0; i < width * width; i++)
        sum[i] = (double)product[i];
    free(product);
    free(scaled);
    free(norm);
    return sum;
}

static double largest(const double *values, int64_t count)
{
    double most = 0;

    for (int64_t i = 0; i < count; i++)
        most = fmax(most, values[i]);
    return most;
}

/* U V^T, from the directions that the sum knows. */
static void find_rotation(struct steering_ways *ways)
{
    const int64_t width = ways->map->width;
    double *right = correlate(ways);
    double *left = allocate(width * width, sizeof *left), *value = allocate(width, sizeof *value);

    svd_square(left, value, right, width);
    const double noise = NOISE * largest(value, width);
    #pragma omp parallel for schedule(static)
    for (int64_t a = 0; a < width; a++)
        for (int64_t i = 0; i < width; i++)
            for (int64_t c = 0; c < width && value[i] > noise; c++)
                ways->rotation[a * width + c] += left[i * width + a] * right[i * width + c];
    free(value);
    free(left);
    free(right);
}

static void find_axes(struct steering_ways *ways)
{
    const int64_t width = ways->map->width, latents = ways->map->latents;
    const float *matrix = ways->map->matrix;
    double *square = allocate(width * width, sizeof *square);

    #pragma omp parallel for schedule(dynamic)
    for (int64_t a = 0; a < width; a++)
        for (int64_t c = 0; c <= a; c++)
            square[a * width + c] = square[c * width + a]
                = values_dot(matrix + a * latents, matrix + c * latents, latents);
    svd_square(ways->axis, ways->stretch, square, width);
    free(square);
}

int64_t steering_ways_bytes(int32_t width, int32_t latents)
{
    const int64_t square = (int64_t)width * width, rows = (int64_t)width * latents;

    return (4 * square + 3 * (int64_t)width + latents) * (int64_t)sizeof(double)
         + (square + rows) * (int64_t)sizeof(float);
}

void steering_ways_make(struct steering_ways *ways, const struct approximator *map,
                        const float *decoder, double common)
{
    const int64_t width = map->width;

    *ways = (struct steering_ways){
        .map = map, .decoder = decoder, .common = common,
        .shared = allocate(width, sizeof(double)),
        .rotation = allocate(width * width, sizeof(double)),
        .axis = allocate(width * width, sizeof(double)),
        .stretch = allocate(width, sizeof(double)),
    };
    for (int64_t k = 0; k < width; k++)
        ways->shared[k] = values_dot(map->matrix + k * map->latents, map->bias, map->latents);
    find_rotation(ways);
    find_axes(ways);
}

void steering_ways_free(struct steering_ways *ways)
{
    free(ways->shared);
    free(ways->rotation);
    free(ways->axis);
    free(ways->stretch);
    *ways = (struct steering_ways){0};
}

/* --- a latent ------------------------------------------------------------------------ */

static double norm_of(const double *x, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

bool steering_ways_normalise(float *vector, const double *from, int32_t width)
{
    const double norm = norm_of(from, width);

    if (!(norm > 0) || !isfinite(norm))
        return false;
    for (int32_t k = 0; k < width; k++)
        vector[k] = (float)(from[k] / norm);
    return true;
}

/* x / |x| - lambda M b / |M b| */
static bool subtract_shared(const struct steering_ways *ways, double *x)
{
    const int64_t width = ways->map->width;
    const double norm = norm_of(x, width), shared = norm_of(ways->shared, width);

    for (int64_t k = 0; k < width && norm > 0; k++)
        x[k] = x[k] / norm - (shared > 0 ? ways->common * ways->shared[k] / shared : 0);
    return norm > 0;
}

static void take_column(const struct steering_ways *ways, double *x, int32_t latent)
{
    for (int64_t k = 0; k < ways->map->width; k++)
        x[k] = (double)ways->map->matrix[k * ways->map->latents + latent];
}

static void take_decoder(const struct steering_ways *ways, double *x, int32_t latent)
{
    for (int64_t k = 0; k < ways->map->width; k++)
        x[k] = (double)ways->decoder[(int64_t)latent * ways->map->width + k];
}

static void rotate(const struct steering_ways *ways, double *x, int32_t latent)
{
    const int64_t width = ways->map->width;
    double *d = allocate(width, sizeof *d);

    take_decoder(ways, d, latent);
    for (int64_t a = 0; a < width; a++) {
        x[a] = 0;
        for (int64_t c = 0; c < width; c++)
            x[a] += ways->rotation[a * width + c] * d[c];
    }
    free(d);
}

/* (t - b) M^T (M M^T)^+, along the axes of M M^T. */
static bool invert(const struct steering_ways *ways, double *x, int32_t latent)
{
    const int64_t width = ways->map->width;
    const double noise = NOISE * NOISE * largest(ways->stretch, width);
    double *target = allocate(width, sizeof *target);

    take_column(ways, target, latent);
    const double norm = norm_of(target, width);
    const double aim = norm + (double)ways->map->bias[latent];
    for (int64_t k = 0; k < width; k++) {
        target[k] = aim * target[k] - ways->shared[k];
        x[k] = 0;
    }
    for (int64_t i = 0; i < width; i++) {
        const double *axis = ways->axis + i * width;
        double along = 0;
        for (int64_t k = 0; k < width; k++)
            along += axis[k] * target[k];
        for (int64_t k = 0; k < width && ways->stretch[i] > noise; k++)
            x[k] += along / ways->stretch[i] * axis[k];
    }
    free(target);
    return norm > 0;
}

bool steering_ways_find(const struct steering_ways *ways, float *vector, enum steering_way way,
                        int32_t latent)
{
    const int32_t width = ways->map->width;
    double *x = allocate(width, sizeof *x);
    bool found = true;

    assert(way != STEERING_CONTRAST);
    if (way == STEERING_DECODER) {
        take_decoder(ways, x, latent);
    } else if (way == STEERING_TARGETED) {
        take_column(ways, x, latent);
        found = subtract_shared(ways, x);
    } else if (way == STEERING_ROTATED) {
        rotate(ways, x, latent);
        found = subtract_shared(ways, x);
    } else {
        found = invert(ways, x, latent);
    }
    found = found && steering_ways_normalise(vector, x, width);
    free(x);
    return found;
}
