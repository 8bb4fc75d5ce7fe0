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

/* A transcoder's target must be what the model comes to later, and its recipe one that other
 * programs know transcoders of. */
static enum status check_target(const struct suite *suite, unsigned number)
{
    const struct suite_saes *group = &suite->saes[number];
    char place[SUITE_PLACE];
    enum site target, read;
    enum status st = OK;

    if (strcmp(group->target, "input") == 0)
        return OK;
    TRY(site_parse(&target, group->target));
    for (unsigned s = 0; s < group->sites_count; s++) {
        TRY(site_parse(&read, group->sites[s]));
        TRY(site_order(read) < site_order(target) ? OK
            : refuse(E_USAGE, "%s: no transcoder can go from %s to %s, which the model computes "
                     "before; the order is attn, mlp_in, mlp, res",
                     suite_place(place, suite, "saes", number, "target"), group->sites[s],
                     group->target));
    }
    if (strcmp(group->recipe, "topk") == 0)
        st = refuse(E_USAGE, "%s: there are no transcoders of the recipe topk; batch_topk has a "
                    "threshold when it is trained, as others expect it",
                    suite_place(place, suite, "saes", number, "recipe"));
done:
    return st;
}

static enum status check_group(const struct suite *suite, unsigned number)
{
    const struct suite_saes *group = &suite->saes[number];
    const char *recipe = group->recipe;
    char place[SUITE_PLACE];
    enum status st = OK;

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
    TRY(check_target(suite, number));
    if (strcmp(group->skip, "linear") == 0 && strcmp(group->target, "input") == 0)
        return refuse(E_USAGE, "%s: 'skip: linear' is for transcoders; give a target that is "
                      "another site than it reads",
                      suite_place(place, suite, "saes", number, "skip"));
done:
    return st;
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
