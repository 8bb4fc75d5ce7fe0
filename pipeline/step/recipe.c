#include "step/recipe.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>

void recipe_make(struct recipe *recipe, const struct suite *suite, const struct sae_task *task)
{
    const bool prefixes = ARCHITECTURES[task->architecture].prefixes;
    const int64_t steps = task->tokens / suite->train.batch;

    *recipe = (struct recipe){
        .architecture = task->architecture,
        .train = suite->train,
        .saes = *task->group,
        .sparsity = task->sparsity,
        .target_l0 = task->target_l0,
        .transcoder = task->transcoder,
        .skip = task->skip,
        .steps = steps > 0 ? steps : 1,
        .prefixes = prefixes ? (int)suite->train.prefixes_count : 0,
    };
}

char *recipe_text(const struct recipe *recipe)
{
    char *text;
    size_t length;
    FILE *out = text_open(&text, &length);

    fprintf(out, "sparsity: %.17g\ntarget_l0: %.17g\n", recipe->sparsity, recipe->target_l0);
    suite_write_values(out, "saes", &recipe->saes);
    suite_write_values(out, "train", &recipe->train);
    text_close(out);
    return text;
}

double recipe_rate(const struct recipe *recipe, int64_t step)
{
    const double decay_steps = recipe->train.decay * (double)recipe->steps;
    const double left = (double)(recipe->steps - step);
    double rate = recipe->train.learning_rate;

    if (step < recipe->train.warmup)
        rate *= 0.1 + 0.45 * (1 - cos(M_PI * (double)step / (double)recipe->train.warmup));
    if (left < decay_steps)
        rate *= left / decay_steps;
    return rate;
}

double recipe_sparsity_share(const struct recipe *recipe, int64_t step)
{
    if (step >= recipe->train.sparsity_warmup)
        return 1;
    return (double)step / (double)recipe->train.sparsity_warmup;
}

struct adam recipe_adam(const struct recipe *recipe, int64_t step)
{
    const double t = (double)(step + 1);

    return (struct adam){
        .rate = (float)recipe_rate(recipe, step),
        .epsilon = (float)recipe->train.epsilon,
        .beta1 = (float)recipe->train.beta1,
        .rest1 = (float)(1 - recipe->train.beta1),
        .correct1 = (float)(1 - pow(recipe->train.beta1, t)),
        .beta2 = (float)recipe->train.beta2,
        .rest2 = (float)(1 - recipe->train.beta2),
        .correct2 = (float)(1 - pow(recipe->train.beta2, t)),
    };
}

struct range recipe_group(const struct recipe *recipe, int32_t latents, int group)
{
    struct range range = { 0, latents };

    if (group > 0)
        range.first = llround(recipe->train.prefixes[group - 1] * latents);
    if (group < recipe->prefixes)
        range.end = llround(recipe->train.prefixes[group] * latents);
    return range;
}
