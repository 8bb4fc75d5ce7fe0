#include "suite/recipes.h"

#include <math.h>
#include <string.h>

enum { PREFIXES_MOST = 8 };

static bool is_one_of(const char *recipe, const char *const names[3])
{
    for (int i = 0; i < 3; i++)
        if (names[i] != NULL && strcmp(recipe, names[i]) == 0)
            return true;
    return false;
}

/* Those that keep a number of latents, which target_l0 gives. */
static const char *const KEEP_K[3] = { "topk", "batch_topk", "matryoshka" };

/* Those whose penalty has a coefficient and no target. */
static const char *const NO_TARGET[3] = { "gated", "relu_l1" };

static bool can_keep(double k, int64_t width)
{
    return floor(k) >= k && 1 <= k && k <= (double)width;
}

static enum status check_group(const struct suite *suite, unsigned number)
{
    const struct suite_saes *group = &suite->saes[number];
    const char *recipe = group->recipe;
    char place[SUITE_PLACE];

    if (is_one_of(recipe, KEEP_K) && group->target_l0_count == 0)
        return refuse(E_USAGE, "%s: the recipe %s keeps a number of latents and has no penalty; "
                      "give that number as target_l0",
                      suite_place(place, suite, "saes", number, "recipe"), recipe);
    if (is_one_of(recipe, NO_TARGET) && group->target_l0_count > 0)
        return refuse(E_USAGE, "%s: the recipe %s has no target for L0; give coefficients of its "
                      "penalty as sparsities",
                      suite_place(place, suite, "saes", number, "target_l0"), recipe);
    for (unsigned t = 0; t < group->target_l0_count && is_one_of(recipe, KEEP_K); t++)
        for (unsigned w = 0; w < group->widths_count; w++)
            if (!can_keep(group->target_l0[t], group->widths[w]))
                return refuse(E_USAGE, "%s: the recipe %s cannot keep %g of %lld latents",
                              suite_place(place, suite, "saes", number, "target_l0"), recipe,
                              group->target_l0[t], (long long)group->widths[w]);
    if (strcmp(group->skip, "linear") == 0 && strcmp(group->target, "input") == 0)
        return refuse(E_USAGE, "%s: 'skip: linear' is for transcoders; give a target that is "
                      "another site than it reads",
                      suite_place(place, suite, "saes", number, "skip"));
    return OK;
}

static enum status check_prefixes(const struct suite *suite)
{
    const double *prefix = suite->train.prefixes;
    const unsigned count = suite->train.prefixes_count;
    bool good = 0 < count && count <= PREFIXES_MOST && prefix[count - 1] >= 1;
    char place[SUITE_PLACE];

    for (unsigned p = 1; p < count; p++)
        good = good && prefix[p - 1] < prefix[p];
    return good ? OK : refuse(E_USAGE, "%s: prefixes must ascend to 1, and be at most %d",
                              suite_place(place, suite, "train", 0, "prefixes"), PREFIXES_MOST);
}

enum status recipes_check(const struct suite *suite)
{
    enum status st;

    TRY(check_prefixes(suite));
    for (unsigned g = 0; g < suite->saes_count; g++)
        TRY(check_group(suite, g));
done:
    return st;
}
