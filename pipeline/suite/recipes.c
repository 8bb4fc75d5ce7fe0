#include "suite/recipes.h"

#include <math.h>
#include <string.h>

static bool can_keep(double k, int64_t width)
{
    return floor(k) >= k && 1 <= k && k <= (double)width;
}

/* The model must compute a transcoder's target after its input, and other programs must be able to
 * load transcoders of the recipe. */
static enum status check_target(const struct suite *suite, unsigned number)
{
    const struct suite_saes *group = &suite->saes[number];
    const struct architecture_traits *recipe = &ARCHITECTURES[group->recipe];
    char place[SUITE_PLACE], order[SITE_TEXT];
    enum status st = OK;

    if (group->target == TARGET_INPUT) {
        REQUIRE(group->skip == SKIP_NONE, E_USAGE, "%s: 'skip: linear' is for transcoders; give a "
                "target that is another site than it reads",
                suite_place(place, suite, "saes", number, "skip"));
        goto done;
    }
    for (unsigned s = 0; s < group->sites_count; s++)
        REQUIRE(site_order(group->sites[s]) < site_order(group->target), E_USAGE,
                "%s: no transcoder can go from %s to %s, which the model computes before; the "
                "order is %s", suite_place(place, suite, "saes", number, "target"),
                site_name(group->sites[s]), site_name(group->target), site_list(order));
    REQUIRE(recipe->transcoders, E_USAGE, "%s: other programs load no transcoders of the recipe "
            "%s; choose one whose latents have thresholds when it is trained, such as batch_topk",
            suite_place(place, suite, "saes", number, "recipe"), recipe->name);
done:
    return st;
}

/* The numbers in target_l0 must be what the recipe takes. */
static enum status check_target_l0(const struct suite *suite, unsigned number)
{
    const struct suite_saes *group = &suite->saes[number];
    const struct architecture_traits *recipe = &ARCHITECTURES[group->recipe];
    char place[SUITE_PLACE];
    enum status st = OK;

    REQUIRE(!recipe->keeps_k || group->target_l0_count > 0, E_USAGE,
            "%s: the recipe %s keeps a number of latents and has no penalty; give that number as "
            "target_l0", suite_place(place, suite, "saes", number, "recipe"), recipe->name);
    REQUIRE(recipe->keeps_k || recipe->takes_target || group->target_l0_count == 0, E_USAGE,
            "%s: the recipe %s has no target for L0; give coefficients of its penalty as "
            "sparsities", suite_place(place, suite, "saes", number, "target_l0"), recipe->name);
    for (unsigned t = 0; t < group->target_l0_count && recipe->keeps_k; t++)
        for (unsigned w = 0; w < group->widths_count; w++)
            REQUIRE(can_keep(group->target_l0[t], group->widths[w]), E_USAGE,
                    "%s: the recipe %s cannot keep %g of %lld latents",
                    suite_place(place, suite, "saes", number, "target_l0"), recipe->name,
                    group->target_l0[t], (long long)group->widths[w]);
done:
    return st;
}

static enum status check_prefixes(const struct suite *suite)
{
    const double *prefix = suite->train.prefixes;
    const unsigned count = suite->train.prefixes_count;
    bool good = 0 < count && count <= PREFIXES_MOST && prefix[count - 1] >= 1;
    char place[SUITE_PLACE];
    enum status st = OK;

    for (unsigned p = 1; p < count; p++)
        good = good && prefix[p - 1] < prefix[p];
    REQUIRE(good, E_USAGE, "%s: prefixes must ascend to 1, and be at most %d",
            suite_place(place, suite, "train", 0, "prefixes"), PREFIXES_MOST);
done:
    return st;
}

enum status recipes_check(const struct suite *suite)
{
    enum status st;

    TRY(check_prefixes(suite));
    for (unsigned g = 0; g < suite->saes_count; g++) {
        TRY(check_target_l0(suite, g));
        TRY(check_target(suite, g));
    }
done:
    return st;
}
