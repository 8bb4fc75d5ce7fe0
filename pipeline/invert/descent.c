#include "invert/descent.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

#define BETA1 0.9
#define BETA2 0.999
#define EPSILON 1e-8

/* The work of a loss, and a point or a gradient. */
int64_t descent_work_count(const struct inversion_setup *setup)
{
    return inversion_work_count(setup) + inversion_point(setup);
}

enum status descent_check(const struct descent_options *options)
{
    enum status st;

    REQUIRE(options->steps >= 0, E_USAGE, "there are %lld steps", (long long)options->steps);
    REQUIRE(options->starts >= 0, E_USAGE, "there are %d starts", (int)options->starts);
    REQUIRE(options->rate > 0, E_USAGE, "the rate is %g: it must be above 0", options->rate);
    REQUIRE(options->fall >= 0 && options->fall <= 1, E_USAGE,
            "the rate falls in a share %g of the steps: it must be 0 to 1", options->fall);
done:
    return st;
}

/* --- the start --------------------------------------------------------------------------- */

/* A number of the standard normal distribution (Box and Muller, 1958). */
static double draw_normal(uint64_t seed, uint64_t index)
{
    uint32_t words[4];

    random_words(words, seed, RANDOM_STARTS, index);
    const uint64_t one = (uint64_t)words[0] << 32 | words[1];
    const uint64_t two = (uint64_t)words[2] << 32 | words[3];
    const double u = ((double)(one >> 11) + 1) * 0x1p-53;       /* 0 < u <= 1 */
    const double v = (double)(two >> 11) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* Number `candidate` of the z that a search tries.  More starts begin with those of fewer. */
static void draw(double *z, int64_t latents, const struct descent_options *options,
                 int64_t number, int64_t candidate)
{
    const uint64_t first = ((uint64_t)number << 40) + (uint64_t)(candidate * latents);

    for (int64_t i = 0; i < latents; i++)
        z[i] = options->starts > 0 ? draw_normal(options->seed, first + (uint64_t)i) : 0;
}

struct inversion_terms descent_start(const struct inversion *inversion, double *point,
                                     const struct descent_options *options, int64_t number,
                                     double *work)
{
    const struct inversion_weights *weights = &inversion->setup.weights;
    const int64_t count = inversion_point(&inversion->setup);
    const int64_t latents = inversion_latents(&inversion->setup);
    double *tried = work, *rest = work + count, least = INFINITY;
    struct inversion_terms best = { .loss = INFINITY };

    memset(point, 0, (size_t)count * sizeof *point);
    for (int64_t c = 0; c < options->starts || c == 0; c++) {
        draw(tried, latents, options, number, c);
        inversion_map(inversion, tried, rest);
        const struct inversion_terms terms = inversion_loss(inversion, NULL, tried, rest);
        const double error = weights->data * terms.data + weights->features * terms.features;
        if (error < least) {
            least = error;
            best = terms;
            memcpy(point, tried, (size_t)count * sizeof *point);
        }
    }
    return best;
}

/* --- the way down ------------------------------------------------------------------------ */

/* The rate of step t, 1 <= t <= steps. */
static double rate_of(const struct descent_options *options, int64_t t)
{
    const double falling = options->fall * (double)options->steps;
    const double at = falling - (double)(options->steps - t + 1);

    return at > 0 ? options->rate * (1 + cos(M_PI * at / falling)) / 2 : options->rate;
}

/* One step of Adam.  All arrays are [n]. */
static void step(double *point, double *mean, double *square, const double *gradient, double rate,
                 int64_t t, int64_t n)
{
    const double mean_scale = 1 - pow(BETA1, (double)t), square_scale = 1 - pow(BETA2, (double)t);

    for (int64_t i = 0; i < n; i++) {
        mean[i] = BETA1 * mean[i] + (1 - BETA1) * gradient[i];
        square[i] = BETA2 * square[i] + (1 - BETA2) * gradient[i] * gradient[i];
        point[i] -= rate * (mean[i] / mean_scale) / (sqrt(square[i] / square_scale) + EPSILON);
    }
}

double descent_steps(const struct inversion *inversion, double *point, double *averages,
                     const struct descent_options *options, struct range some, double *work)
{
    const int64_t count = inversion_point(&inversion->setup);
    double *gradient = work, *rest = work + count, first = NAN;

    for (int64_t t = some.first; t < some.end; t++) {
        const double loss = inversion_loss(inversion, gradient, point, rest).loss;
        step(point, averages, averages + count, gradient, rate_of(options, t + 1), t + 1, count);
        if (t == some.first)
            first = loss;
    }
    return first;
}
