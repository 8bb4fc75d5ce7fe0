#include "invert/explanation.h"
#include "base/allocate.h"
#include "base/minmax.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the largest latent, for a latent to count. */
static const double COUNTS = 0.01;

/* --- distances --------------------------------------------------------------------------- */

static double norm(const double *a, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += a[i] * a[i];
    return sqrt(sum);
}

/* |a - b| / |b| */
static double distance(const double *a, const double *b, int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sqrt(sum) / norm(b, n);
}

/* --- what every inversion has ------------------------------------------------------------ */

static double gap_of(const struct explanation *e, double *pass)
{
    const struct inversion_setup *s = &e->inversion->setup;
    const double *mapped = network_forward(s->map, pass, e->z);
    const int64_t width = network_outputs(s->map);
    double sum = 0;

    for (int64_t i = 0; i < s->copies * width; i++)
        sum += (mapped[i % width] - e->w[i]) * (mapped[i % width] - e->w[i]);
    return sqrt(sum) / e->w_norm;
}

/* --- a decoder --------------------------------------------------------------------------- */

double explanation_latent(const struct explanation *e, int32_t latent)
{
    return e->w[latent] * e->thing->unit;
}

/* By which latents are ranked. */
static double strength(const struct explanation *e, int32_t latent)
{
    return fmax(fabs(explanation_latent(e, latent)), (double)e->thing->inner[latent]);
}

/* Insert each latent among the strongest that came before it. */
static void find_strongest(struct explanation *e)
{
    for (int32_t latent = 0; latent < e->thing->inners; latent++) {
        int32_t at = e->strongest_count;
        while (at > 0 && strength(e, e->strongest[at - 1]) < strength(e, latent))
            at--;
        if (at == EXPLANATION_STRONGEST)
            continue;
        e->strongest_count = (int32_t)min_int64(e->strongest_count + 1, EXPLANATION_STRONGEST);
        memmove(e->strongest + at + 1, e->strongest + at,
                (size_t)(e->strongest_count - at - 1) * sizeof *e->strongest);
        e->strongest[at] = latent;
    }
}

static int32_t count_latents(const struct explanation *e)
{
    double most = 0;
    int32_t count = 0;

    for (int32_t i = 0; i < e->thing->inners; i++)
        most = fmax(most, fabs(e->w[i]));
    for (int32_t i = 0; i < e->thing->inners; i++)
        count += fabs(e->w[i]) > COUNTS * most;
    return count;
}

/* The row that the encoder's latents make, and how many are active. */
static struct explanation_code encoded_of(const struct explanation *e, const struct sae *sae)
{
    const struct thing *thing = e->thing;
    float *y = allocate(thing->width, sizeof *y);
    double *row = allocate(thing->width, sizeof *row);
    struct explanation_code code = {0};

    sae_decode(sae, y, thing->inner, NULL, 1);
    for (int32_t i = 0; i < thing->width; i++)
        row[i] = (double)y[i] / thing->unit;
    code.error = distance(row, thing->values, thing->width);
    for (int32_t i = 0; i < thing->inners; i++)
        code.l0 += thing->inner[i] > 0;
    free(row);
    free(y);
    return code;
}

/* --- an MLP ------------------------------------------------------------------------------ */

static double cosine_of(const struct explanation *e)
{
    double dot = 0, square = 0;

    for (int32_t i = 0; i < e->thing->inners; i++) {
        dot += e->w[i] * (double)e->thing->inner[i];
        square += (double)e->thing->inner[i] * (double)e->thing->inner[i];
    }
    return dot / (e->w_norm * sqrt(square));
}

/* --- all --------------------------------------------------------------------------------- */

void explanation_make(struct explanation *e, const struct inversion *inversion,
                      const struct restarts *restarts, const struct thing *thing,
                      const struct inversion_source *source)
{
    const struct inversion_setup *s = &inversion->setup;
    const double *best = restarts->points + restarts->best * inversion_point(s);
    double *pass = allocate(max_int64(network_pass_count(s->map), network_pass_count(s->generator)),
                            sizeof *pass);

    *e = (struct explanation){
        .inversion = inversion, .restarts = restarts, .thing = thing,
        .z = best, .w = best + inversion_latents(s),
        .z_norm = norm(best, inversion_latents(s)),
        .w_norm = norm(best + inversion_latents(s), network_inputs(s->generator)),
        .generated = allocate(network_outputs(s->generator), sizeof(double)),
        .explained = allocate(s->seen->outputs, sizeof(double)),
        .cosine = NAN,
    };
    e->gap = gap_of(e, pass);
    memcpy(e->generated, network_forward(s->generator, pass, e->w),
           (size_t)network_outputs(s->generator) * sizeof *e->generated);
    observation_apply(s->seen, e->explained, e->generated);
    e->error = distance(e->explained, s->target, s->seen->outputs);
    if (source->suite->invert.generator == INVERT_DECODER) {
        e->found = (struct explanation_code){ distance(e->generated, thing->values, thing->width),
                                              count_latents(e) };
        e->encoded = encoded_of(e, source->sae);
        find_strongest(e);
    } else if (source->suite->invert.generator == INVERT_MLP) {
        e->cosine = cosine_of(e);
    }
    free(pass);
}

void explanation_free(struct explanation *explanation)
{
    free(explanation->generated);
    free(explanation->explained);
    *explanation = (struct explanation){0};
}

int64_t explanation_bytes(const struct inversion_setup *setup)
{
    const int64_t row = network_outputs(setup->generator);

    return (max_int64(network_pass_count(setup->map), network_pass_count(setup->generator))
            + 4 * row + setup->seen->outputs) * (int64_t)sizeof(double);
}
