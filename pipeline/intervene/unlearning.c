#include "intervene/unlearning.h"

#include <math.h>

/* Put a latent where it belongs among the best so far, which are in order, and drop the last one if
 * there are too many.  Returns how many there are. */
static int32_t insert(int32_t *chosen, int32_t count, int32_t most, const double *score,
                      int32_t latent)
{
    int32_t at = count < most ? count : most;

    while (at > 0 && score[chosen[at - 1]] < score[latent]) {
        if (at < most)
            chosen[at] = chosen[at - 1];
        at--;
    }
    if (at < most)
        chosen[at] = latent;
    return count < most ? count + 1 : most;
}

int32_t unlearning_choose(int32_t *chosen, int32_t most, const double *score,
                          const double *retain, int32_t latents, double threshold)
{
    int32_t count = 0;

    for (int32_t i = 0; i < latents; i++)
        if (score[i] > 0 && retain[i] < threshold)
            count = insert(chosen, count, most, score, i);
    return count;
}

double unlearning_direction(float *direction, const double *forget, const double *retain,
                            int32_t width)
{
    double square = 0;

    for (int32_t k = 0; k < width; k++)
        square += (forget[k] - retain[k]) * (forget[k] - retain[k]);
    const double length = sqrt(square);
    for (int32_t k = 0; k < width; k++)
        direction[k] = length > 0 ? (float)((forget[k] - retain[k]) / length) : 0;
    return length;
}

static bool is_better(struct unlearning_point a, struct unlearning_point b)
{
    return a.forget <= b.forget && a.retain >= b.retain
           && (a.forget < b.forget || a.retain > b.retain);
}

void unlearning_front(bool *on_front, const struct unlearning_point *points, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        on_front[i] = true;
        for (int64_t k = 0; k < count; k++)
            on_front[i] = on_front[i] && !is_better(points[k], points[i]);
    }
}

double unlearning_score(const struct unlearning_point *points, int64_t count, double floor)
{
    double lowest = 1;

    for (int64_t i = 0; i < count; i++)
        if (points[i].retain >= floor && points[i].forget < lowest)
            lowest = points[i].forget;
    return 1 - lowest;
}
