#include "invert/inversion.h"
#include "base/allocate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int32_t inversion_latents(const struct inversion_setup *setup)
{
    return network_inputs(setup->map);
}

int64_t inversion_point(const struct inversion_setup *setup)
{
    return inversion_latents(setup) + (int64_t)setup->copies * network_outputs(setup->map);
}

static int64_t feature_count(const struct inversion_setup *setup)
{
    return setup->features != NULL ? network_outputs(setup->features) : 0;
}

/* --- memory ------------------------------------------------------------------------------ */

/* Memory of a loss: passes, and what lies between them. */
struct work {
    double *map, *generator, *features;         /* passes */
    double *seen, *seen_gradient;               /* [outputs of A] A G(w), and by it */
    double *part;                               /* [outputs of A] the features' part of it */
    double *feature_gradient;                   /* [features] */
    double *by_map;                             /* [outputs of M] the gradient by them */
    double *output_gradient;                    /* [outputs of G] */
    int64_t count;
};

static double *take(struct work *w, double *memory, int64_t count)
{
    double *taken = memory != NULL ? memory + w->count : NULL;

    w->count += count;
    return taken;
}

/* Lay it out.  Without memory this counts. */
static struct work lay_out(const struct inversion_setup *s, double *memory)
{
    const int64_t seen = s->seen->outputs;
    struct work w = {0};

    w.map = take(&w, memory, network_pass_count(s->map));
    w.generator = take(&w, memory, network_pass_count(s->generator));
    w.features = take(&w, memory, s->features != NULL ? network_pass_count(s->features) : 0);
    w.seen = take(&w, memory, seen);
    w.seen_gradient = take(&w, memory, seen);
    w.part = take(&w, memory, seen);
    w.feature_gradient = take(&w, memory, feature_count(s));
    w.by_map = take(&w, memory, network_outputs(s->map));
    w.output_gradient = take(&w, memory, network_outputs(s->generator));
    return w;
}

int64_t inversion_work_count(const struct inversion_setup *setup)
{
    return lay_out(setup, NULL).count;
}

/* --- what is refused --------------------------------------------------------------------- */

static enum status check_sizes(const struct inversion_setup *s)
{
    const int32_t w = network_outputs(s->map), input = network_inputs(s->generator);
    const int32_t output = network_outputs(s->generator);
    enum status st;

    REQUIRE(s->copies > 0, E_USAGE, "the generator reads %d copies of w, and needs 1 at least",
            (int)s->copies);
    REQUIRE((int64_t)s->copies * w == input, E_USAGE,
            "the map gives %d values, the generator reads %d: these are not %d copies", (int)w,
            (int)input, (int)s->copies);
    REQUIRE(s->seen->inputs == output, E_USAGE,
            "the generator gives %d values, the operator reads %d", (int)output,
            (int)s->seen->inputs);
    REQUIRE(s->features == NULL || network_inputs(s->features) == s->seen->outputs, E_USAGE,
            "the operator gives %d values, the network of features reads %d",
            (int)s->seen->outputs, (int)network_inputs(s->features));
done:
    return st;
}

static enum status check_weight(const char *name, double weight)
{
    enum status st;

    REQUIRE(isfinite(weight), E_NUMERIC, "the weight of %s is not finite", name);
    REQUIRE(weight >= 0, E_USAGE, "the weight of %s is %g: it must not be below 0", name, weight);
done:
    return st;
}

enum status inversion_check(const struct inversion_setup *s)
{
    enum status st;

    TRY(check_sizes(s));
    TRY(check_weight("data", s->weights.data));
    TRY(check_weight("features", s->weights.features));
    TRY(check_weight("mapping", s->weights.mapping));
    TRY(check_weight("prior", s->weights.prior));
    REQUIRE(s->weights.data > 0 || (s->features != NULL && s->weights.features > 0), E_USAGE,
            "nothing depends on the target: the weights of data and features are 0");
done:
    return st;
}

static enum status check_target(const struct inversion_setup *s)
{
    enum status st = OK;

    for (int32_t i = 0; i < s->seen->outputs; i++)
        REQUIRE(isfinite(s->target[i]), E_NUMERIC, "value %d of the target is not finite", (int)i);
done:
    return st;
}

enum status inversion_make(struct inversion *inversion, const struct inversion_setup *setup)
{
    const struct network *features = setup->features;
    enum status st;

    *inversion = (struct inversion){0};
    TRY(inversion_check(setup));
    TRY(check_target(setup));
    inversion->setup = *setup;
    if (features != NULL) {
        const int64_t count = network_outputs(features);
        double *pass = allocate(network_pass_count(features), sizeof *pass);
        inversion->target_features = allocate(count, sizeof(double));
        memcpy(inversion->target_features, network_forward(features, pass, setup->target),
               (size_t)count * sizeof(double));
        free(pass);
    }
done:
    return st;
}

void inversion_free(struct inversion *inversion)
{
    free(inversion->target_features);
    *inversion = (struct inversion){0};
}

/* --- the loss ---------------------------------------------------------------------------- */

/* |a - b|^2, and its gradient by a, times a weight. */
static double distance(double *gradient, const double *a, const double *b, double weight,
                       int64_t n)
{
    double sum = 0;

    for (int64_t i = 0; i < n; i++) {
        sum += (a[i] - b[i]) * (a[i] - b[i]);
        gradient[i] = 2 * weight * (a[i] - b[i]);
    }
    return sum;
}

/* The terms of what is seen; w->seen_gradient by it. */
static void compare(struct inversion_terms *terms, const struct inversion *v, struct work *w)
{
    const struct inversion_setup *s = &v->setup;
    const int64_t seen = s->seen->outputs;

    terms->data = distance(w->seen_gradient, w->seen, s->target, s->weights.data, seen);
    if (s->features == NULL)
        return;
    terms->features = distance(w->feature_gradient, network_forward(s->features, w->features,
                                                                    w->seen),
                               v->target_features, s->weights.features, feature_count(s));
    network_back(s->features, w->part, w->features, w->feature_gradient);
    for (int64_t i = 0; i < seen; i++)
        w->seen_gradient[i] += w->part[i];
}

/* The mapping error.  Adds its gradient by w to `gradient`; w->by_map becomes that by M(z).
 *   gradient  [copies, outputs of M] */
static double pull_together(double *gradient, const double *mapped, const double *points,
                            const struct inversion_setup *s, struct work *w)
{
    const int64_t width = network_outputs(s->map);
    double sum = 0;

    memset(w->by_map, 0, (size_t)width * sizeof *w->by_map);
    for (int64_t i = 0; i < s->copies * width; i++) {
        const double gap = mapped[i % width] - points[i];
        sum += gap * gap;
        w->by_map[i % width] += 2 * s->weights.mapping * gap;
        if (gradient != NULL)
            gradient[i] -= 2 * s->weights.mapping * gap;
    }
    return sum;
}

struct inversion_terms inversion_loss(const struct inversion *inversion, double *gradient,
                                      const double *point, double *work)
{
    const struct inversion_setup *s = &inversion->setup;
    const struct inversion_weights *weights = &s->weights;
    const int64_t latents = inversion_latents(s);
    double *by_w = gradient != NULL ? gradient + latents : NULL;
    struct work w = lay_out(s, work);
    struct inversion_terms terms = {0};

    observation_apply(s->seen, w.seen, network_forward(s->generator, w.generator, point + latents));
    compare(&terms, inversion, &w);
    if (gradient != NULL) {
        observation_back(s->seen, w.output_gradient, w.seen_gradient);
        network_back(s->generator, by_w, w.generator, w.output_gradient);
    }
    terms.mapping = pull_together(by_w, network_forward(s->map, w.map, point), point + latents, s,
                                  &w);
    for (int64_t i = 0; i < latents; i++)
        terms.prior += point[i] * point[i];
    if (gradient != NULL) {
        network_back(s->map, gradient, w.map, w.by_map);
        for (int64_t i = 0; i < latents; i++)
            gradient[i] += 2 * weights->prior * point[i];
    }
    terms.loss = weights->data * terms.data + weights->features * terms.features
               + weights->mapping * terms.mapping + weights->prior * terms.prior;
    return terms;
}

void inversion_map(const struct inversion *inversion, double *point, double *work)
{
    const struct inversion_setup *s = &inversion->setup;
    const int64_t latents = inversion_latents(s), width = network_outputs(s->map);
    const double *mapped = network_forward(s->map, lay_out(s, work).map, point);

    for (int64_t l = 0; l < s->copies; l++)
        memcpy(point + latents + l * width, mapped, (size_t)width * sizeof *point);
}
