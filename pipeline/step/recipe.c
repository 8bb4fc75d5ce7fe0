#include "step/recipe.h"
#include "step/architecture.h"

#include <math.h>
#include <string.h>

void recipe_make(struct recipe *recipe, const struct suite *suite, const struct sae_task *task)
{
    const int64_t steps = task->tokens / suite->train.batch;

    *recipe = (struct recipe){
        .architecture = architecture_find(task->recipe),
        .transcoder = task->transcoder,
        .skip = task->skip,
        .batch = suite->train.batch,
        .steps = steps > 0 ? steps : 1,
        .learning_rate = suite->train.learning_rate,
        .warmup = suite->train.warmup,
        .decay = suite->train.decay,
        .sparsity = task->sparsity,
        .target_l0 = task->target_l0,
        .target_form = strcmp(suite->train.target_form, "quadratic") == 0 ? TARGET_QUADRATIC
                                                                          : TARGET_RATIO,
        .target_strength = suite->train.target_strength,
        .sparsity_warmup = suite->train.sparsity_warmup,
        .frequency_strength = suite->train.frequency_strength,
        .frequency = suite->train.frequency,
        .bandwidth = suite->train.bandwidth,
        .threshold = suite->train.threshold,
        .log_threshold = strcmp(suite->train.threshold_form, "log") == 0,
        .beta1 = suite->train.beta1,
        .beta2 = suite->train.beta2,
        .epsilon = suite->train.epsilon,
        .clip = suite->train.clip,
        .auxk = suite->train.auxk,
        .auxk_latents = suite->train.auxk_latents,
        .dead_after = suite->train.dead_after,
        .seed = suite->train.seed,
        .precision = strcmp(suite->train.precision, "bf16") == 0 ? PRECISION_BF16
                                                                 : PRECISION_F32,
    };
    if (recipe->architecture != &MATRYOSHKA)
        return;
    recipe->prefixes = (int)suite->train.prefixes_count;
    for (int p = 0; p < recipe->prefixes; p++)
        recipe->prefix[p] = suite->train.prefixes[p];
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

struct range recipe_group(const struct recipe *recipe, int32_t latents, int group)
{
    struct range range = { 0, latents };

    if (group > 0)
        range.first = llround(recipe->prefix[group - 1] * latents);
    if (group < recipe->prefixes)
        range.end = llround(recipe->prefix[group] * latents);
    return range;
}
