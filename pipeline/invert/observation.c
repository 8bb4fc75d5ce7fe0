#include "invert/observation.h"
#include "base/allocate.h"
#include "kernels/affine.h"

#include <stdlib.h>
#include <string.h>

int64_t observation_bytes(int32_t inputs, int32_t outputs, bool affine)
{
    return affine ? ((int64_t)inputs + 1) * outputs * (int64_t)sizeof(double)
                  : inputs * (int64_t)sizeof(int32_t) + outputs * (int64_t)sizeof(double);
}

static void make_groups(struct observation *seen, int32_t inputs, int32_t outputs)
{
    *seen = (struct observation){
        .inputs = inputs,
        .outputs = outputs,
        .group = allocate(inputs, sizeof(int32_t)),
        .share = allocate(outputs, sizeof(double)),
    };
}

/* A mask has a group for each input that is kept. */
enum status observation_mask(struct observation *seen, const int32_t *kept, int32_t count,
                             int32_t inputs)
{
    enum status st;

    *seen = (struct observation){0};
    REQUIRE(count > 0, E_USAGE, "the mask keeps no value");
    make_groups(seen, inputs, count);
    for (int32_t i = 0; i < inputs; i++)
        seen->group[i] = -1;
    for (int32_t i = 0; i < count; i++) {
        REQUIRE(kept[i] >= 0 && kept[i] < inputs, E_USAGE,
                "the mask keeps value %d, and the generator gives 0 to %d", (int)kept[i],
                (int)inputs - 1);
        REQUIRE(seen->group[kept[i]] < 0, E_USAGE, "the mask keeps value %d twice",
                (int)kept[i]);
        seen->group[kept[i]] = i;
        seen->share[i] = 1;
    }
done:
    if (st != OK)
        observation_free(seen);
    return st;
}

enum status observation_average(struct observation *seen, const int32_t *group, int32_t inputs,
                                int32_t groups)
{
    enum status st;

    *seen = (struct observation){0};
    REQUIRE(groups > 0, E_USAGE, "there are no groups to average");
    make_groups(seen, inputs, groups);
    for (int32_t i = 0; i < inputs; i++) {
        REQUIRE(group[i] >= -1 && group[i] < groups, E_USAGE,
                "value %d is in group %d, and there are groups 0 to %d, and -1 for none", (int)i,
                (int)group[i], (int)groups - 1);
        seen->group[i] = group[i];
        if (group[i] >= 0)
            seen->share[group[i]]++;
    }
    for (int32_t g = 0; g < groups; g++) {
        REQUIRE(seen->share[g] > 0, E_USAGE, "group %d has no values to average", (int)g);
        seen->share[g] = 1 / seen->share[g];
    }
done:
    if (st != OK)
        observation_free(seen);
    return st;
}

void observation_affine(struct observation *seen, const double *weight, const double *bias,
                        int32_t outputs, int32_t inputs)
{
    const int64_t count = (int64_t)outputs * inputs;

    *seen = (struct observation){
        .inputs = inputs,
        .outputs = outputs,
        .weight = allocate(count, sizeof(double)),
        .bias = allocate(outputs, sizeof(double)),
    };
    memcpy(seen->weight, weight, (size_t)count * sizeof *weight);
    if (bias != NULL)
        memcpy(seen->bias, bias, (size_t)outputs * sizeof *bias);
}

void observation_free(struct observation *seen)
{
    free(seen->group);
    free(seen->share);
    free(seen->weight);
    free(seen->bias);
    *seen = (struct observation){0};
}

void observation_apply(const struct observation *seen, double *y, const double *x)
{
    if (seen->group == NULL) {
        affine_apply(y, seen->weight, seen->bias, x, seen->outputs, seen->inputs);
        return;
    }
    memset(y, 0, (size_t)seen->outputs * sizeof *y);
    for (int32_t i = 0; i < seen->inputs; i++)
        if (seen->group[i] >= 0)
            y[seen->group[i]] += seen->share[seen->group[i]] * x[i];
}

void observation_back(const struct observation *seen, double *x, const double *y)
{
    if (seen->group == NULL) {
        affine_apply_back(x, seen->weight, y, seen->outputs, seen->inputs);
        return;
    }
    for (int32_t i = 0; i < seen->inputs; i++) {
        const int32_t g = seen->group[i];
        x[i] = g >= 0 ? seen->share[g] * y[g] : 0;
    }
}
