#include "driver/cost.h"
#include "base/file.h"
#include "corpus/corpus.h"
#include "corpus/selection.h"
#include "driver/layout.h"
#include "driver/stage.h"
#include "harvest/harvest_stage.h"
#include "suite/tasks.h"

#include <math.h>

/* Text that is not compressed would shrink to about this part of it. */
static const double TEXT_KEPT = 1.0 / 3;

/* Bytes of text, compressed. */
static enum status text_bytes(double *bytes, int64_t *files, const struct suite *suite)
{
    struct corpus corpus = {0};
    int64_t size;
    enum status st;

    TRY(corpus_list(&corpus, suite->corpus.files, suite->corpus.files_count));
    *files = corpus.files;
    for (int f = 0; f < corpus.files; f++) {
        TRY(file_size(corpus.paths[f], &size));
        *bytes += (double)size * (corpus_is_compressed(corpus.paths[f]) ? 1 : TEXT_KEPT);
    }
done:
    corpus_free(&corpus);
    return st;
}

/* The exact number of sequences, where tokenize is done. */
static bool count_sequences(struct stage_amounts *amounts, const struct suite *suite)
{
    struct selection harvest = {0}, evaluate = {0};
    const bool known = selection_of_harvest(&harvest, suite) == OK
                       && selection_of_evaluate(&evaluate, suite) == OK;

    if (known) {
        amounts->tokens = (double)(harvest.sequences * suite->corpus.context);
        amounts->held_out = (double)(evaluate.sequences * suite->corpus.context);
    }
    selection_close(&harvest);
    selection_close(&evaluate);
    refuse_clear();
    return known;
}

/* By how many tokens the text probably makes. */
static void guess_sequences(struct stage_amounts *amounts, const struct suite *suite)
{
    const double wanted = (double)suite->harvest.tokens;
    const double there = amounts->all * (1 - suite->corpus.holdout);

    amounts->tokens = wanted > 0 && wanted < there ? wanted : there;
    amounts->held_out = amounts->all * suite->corpus.holdout;
    if (suite->evaluate.sequences > 0)
        amounts->held_out = fmin(amounts->held_out,
                                 (double)(suite->evaluate.sequences * suite->corpus.context));
}

static enum status count_text(struct stage_amounts *amounts, const struct suite *suite,
                              const struct rates *rates)
{
    const double wanted = (double)suite->harvest.tokens;
    enum status st = text_bytes(&amounts->text, &amounts->files, suite);

    if (st != OK) {     /* no corpus here: as much as is wanted */
        REQUIRE(wanted > 0, E_USAGE, "%s: the corpus is not here, and the suite does not say how "
                "much of it to take; give harvest.tokens", suite->path);
        refuse_clear();
        st = OK;
        amounts->text = wanted * rates->token_bytes / (1 - suite->corpus.holdout);
        amounts->files = 1;
    }
    amounts->all = amounts->text / rates->token_bytes / rates->rows;    /* padding included */
    if (!count_sequences(amounts, suite))
        guess_sequences(amounts, suite);
    amounts->rows = amounts->tokens * rates->rows;
    amounts->kept = rates->kept;
done:
    return st;
}

static void add_stages(struct cost *cost, const struct suite *suite, const struct lm_config *model,
                       const struct tasks *tasks)
{
    for (int s = 0; s < STAGES; s++) {
        const enum stage stage = (enum stage)s;
        if (!suite_has_stage(suite, stage))
            continue;
        const struct stage_host host = layout_host(stage, suite, model, tasks,
                                                   layout_nodes_of_task(stage, suite));
        cost->stage[s] = stage_traits(stage)->cost(&host, &cost->amounts);
    }
}

enum status cost_of(struct cost *cost, const struct suite *suite, const struct lm_config *model,
                    const struct rates *rates)
{
    const struct stage_host any = { .suite = suite, .model = model };
    struct tasks tasks = {0};
    enum status st;

    *cost = (struct cost){0};
    TRY(tasks_make(&tasks, suite, model->layers));
    if (suite_has_stage(suite, STAGE_TOKENIZE))
        TRY(count_text(&cost->amounts, suite, rates));
    for (int t = 0; t < tasks.taps_count; t++) {
        cost->raw += harvest_value_bytes(&any, cost->amounts.rows, tasks.taps[t]);
        cost->saes += tasks.train[t].count;
        cost->streams += tasks.train[t].count > 0;
    }
    add_stages(cost, suite, model, &tasks);
done:
    tasks_free(&tasks);
    return st;
}
