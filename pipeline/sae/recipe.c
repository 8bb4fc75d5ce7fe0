#include "sae/recipe.h"

#include <math.h>
#include <string.h>

void recipe_make(struct recipe *recipe, const struct suite *suite, const struct sae_task *task)
{
    const int64_t steps = task->tokens / suite->train.batch;

    *recipe = (struct recipe){
        .batch = suite->train.batch,
        .steps = steps > 0 ? steps : 1,
        .learning_rate = suite->train.learning_rate,
        .warmup = suite->train.warmup,
        .decay = suite->train.decay,
        .sparsity = task->sparsity,
        .target_l0 = task->target_l0,
        .target_strength = suite->train.target_strength,
        .sparsity_warmup = suite->train.sparsity_warmup,
        .bandwidth = suite->train.bandwidth,
        .threshold = suite->train.threshold,
        .log_threshold = strcmp(suite->train.threshold_form, "log") == 0,
        .beta1 = suite->train.beta1,
        .beta2 = suite->train.beta2,
        .epsilon = suite->train.epsilon,
        .dead_after = suite->train.dead_after,
        .seed = suite->train.seed,
    };
}

double recipe_rate(const struct recipe *recipe, int64_t step)
{
    const double decay_steps = recipe->decay * (double)recipe->steps;
    const double left = (double)(recipe->steps - step);
    double rate = recipe->learning_rate;

    if (step < recipe->warmup)
        rate *= 0.1 + 0.45 * (1 - cos(M_PI * (double)step / (double)recipe->warmup));
    if (left < decay_steps)
        rate *= left / decay_steps;
    return rate;
}

double recipe_sparsity_share(const struct recipe *recipe, int64_t step)
{
    if (step >= recipe->sparsity_warmup)
        return 1;
    return (double)step / (double)recipe->sparsity_warmup;
}

struct adam recipe_adam(const struct recipe *recipe, int64_t step)
{
    const double t = (double)(step + 1);

    return (struct adam){
        .rate = (float)recipe_rate(recipe, step),
        .epsilon = (float)recipe->epsilon,
        .beta1 = (float)recipe->beta1,
        .rest1 = (float)(1 - recipe->beta1),
        .correct1 = (float)(1 - pow(recipe->beta1, t)),
        .beta2 = (float)recipe->beta2,
        .rest2 = (float)(1 - recipe->beta2),
        .correct2 = (float)(1 - pow(recipe->beta2, t)),
    };
}

double recipe_penalty(const struct recipe *recipe, int64_t step, double l0)
{
    const double share = recipe_sparsity_share(recipe, step);

    if (recipe->target_l0 > 0)
        return share * recipe->target_strength * pow(l0 / recipe->target_l0 - 1, 2);
    return share * recipe->sparsity * l0;
}

double recipe_penalty_slope(const struct recipe *recipe, int64_t step, double l0)
{
    const double share = recipe_sparsity_share(recipe, step);

    if (recipe->target_l0 > 0)
        return share * recipe->target_strength * 2 * (l0 / recipe->target_l0 - 1)
               / recipe->target_l0;
    return share * recipe->sparsity;
}
