#include "evaluate/score_text.h"
#include "base/agree.h"
#include "base/allocate.h"

#include <stdlib.h>

/* For the splicing of these autoencoders, perhaps none. */
static void make_splice(struct splice *splice, const struct held_out *text,
                        const struct scored *scored)
{
    struct splice_capacity capacity = {
        .sequences = text->suite->harvest.block, .context = text->suite->corpus.context,
        .saes = scored->count,
        .transcoders = scored->place.read.site != scored->place.replaced.site,
    };

    for (int i = 0; i < scored->count; i++)
        if (scored->saes[i].latents > capacity.latents)
            capacity.latents = scored->saes[i].latents;
    splice_make(splice, &text->weights, text->selection.tokens.special, &capacity);
}

/* --- means --------------------------------------------------------------------------- */

struct means {
    struct splice     splice;
    const struct tap *taps;     /* [count] */
    int               count;
};

/* The sums of the taps lie one after the other; the number of rows comes last. */
static enum status add_rows(void *context, const int32_t *ids, int64_t sequences, double *sums)
{
    struct means *means = context;
    enum status st;

    TRY(splice_start(&means->splice, ids, sequences));
    for (int t = 0; t < means->count; t++) {
        splice_add_rows(&means->splice, means->taps[t], sums);
        sums += means->splice.forward.width;
    }
    *sums = (double)means->splice.texts;
done:
    return st;
}

enum status score_text_means(struct held_out *text, const struct tap *taps, int count,
                             float *const *mean)
{
    const struct lm_config *config = &text->weights.config;
    struct means means = { .taps = taps, .count = count };
    struct held_out_pass pass = { .context = &means, .count = 1, .add_block = add_rows };
    double *sums;
    enum status st;

    for (int t = 0; t < count; t++)
        pass.count += lm_site_width(config, taps[t].site);
    sums = allocate(pass.count, sizeof *sums);
    make_splice(&means.splice, text, &(struct scored){0});
    TRY(held_out_sum(text, &pass, sums));
    const double rows = sums[pass.count - 1], *sum = sums;
    REQUIRE(rows > 0, E_USAGE, "the held-out text has no tokens but BOS, EOS and padding; set "
            "'corpus: holdout' higher");
    for (int t = 0; t < count; t++)
        for (int32_t i = 0; i < lm_site_width(config, taps[t].site); i++)
            mean[t][i] = (float)(*sum++ / rows);
done:
    splice_free(&means.splice);
    free(sums);
    return st;
}

/* --- scores -------------------------------------------------------------------------- */

struct scoring {
    struct splice  splice;
    struct scored *scored;
};

static enum status add_scores(void *context, const int32_t *ids, int64_t sequences, double *sums)
{
    struct scoring *scoring = context;
    const struct scored *scored = scoring->scored;
    struct score_sums of_block = scored->sums;
    enum status st;

    of_block.values = sums;
    TRY(splice_start(&scoring->splice, ids, sequences));
    TRY(splice_score(&scoring->splice, &of_block, scored->fired, scored->place, scored->mean,
                     scored->saes, scored->count));
done:
    return st;
}

enum status score_text_splice(struct held_out *text, struct scored *scored)
{
    struct scoring scoring = { .scored = scored };
    enum status st;

    scored->fired = allocate(scored->count, sizeof *scored->fired);
    for (int i = 0; i < scored->count; i++)
        scored->fired[i] = allocate(scored->saes[i].latents, sizeof **scored->fired);
    scores_sums_make(&scored->sums, text->suite->corpus.context, scored->count);
    make_splice(&scoring.splice, text, scored);
    const struct held_out_pass pass = { .context = &scoring, .count = scored->sums.count,
                                        .add_block = add_scores };
    TRY(held_out_sum(text, &pass, scored->sums.values));
    for (int i = 0; i < scored->count; i++)
        MPI_Allreduce(MPI_IN_PLACE, scored->fired[i], scored->saes[i].latents, MPI_INT64_T, MPI_SUM,
                      text->run->comm);
done:
    splice_free(&scoring.splice);
    return st;
}

void score_text_free(struct scored *scored)
{
    for (int i = 0; i < scored->count && scored->fired != NULL; i++)
        free(scored->fired[i]);
    free(scored->fired);
    scored->fired = NULL;
    scores_sums_free(&scored->sums);
}
