#include "invert/inversions.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "invert/inversion_files.h"
#include "methods/chosen_saes.h"

#include <stdlib.h>
#include <string.h>

int64_t inversions_tasks(const struct suite *suite)
{
    return suite->invert.count;
}

static bool has_decoder(const struct suite *suite)
{
    return suite->invert.generator == INVERT_DECODER;
}

/* --- before a run ------------------------------------------------------------------------ */

/* Make networks of the shapes that the suite names.
 *   site  the caller frees it, after a failure, too: the sizes of the autoencoder, or NULL */
static enum status find_shapes(struct inversion_parts *parts, struct latent_site **site,
                               const struct suite *suite, const struct lm_config *config)
{
    struct inversion_source source = { .suite = suite, .config = config };
    int count = 0;
    enum status st;

    *parts = (struct inversion_parts){0};
    *site = has_decoder(suite) ? chosen_saes_known(&count, suite, config) : NULL;
    REQUIRE(!has_decoder(suite) || count > 0, E_USAGE, "%s names no autoencoder", suite->path);
    if (count > 0)
        source.sae = &(*site)->sae;
    TRY(inversion_parts_shape(parts, &source));
done:
    return st;
}

static enum status check_autoencoder(const struct suite *suite, const struct lm_config *config)
{
    struct chosen_saes chosen = {0};
    char place[SUITE_PLACE];
    enum status st;

    TRY(chosen_saes_find(&chosen, suite, config->layers));
    REQUIRE(chosen.count == 1, E_USAGE, "%s: the generator is the decoder of one autoencoder; keep "
            "one of these %d", suite_place(place, suite, "invert", 0, "autoencoders"),
            chosen.count);
    TRY(chosen_saes_check(&chosen, suite));
done:
    chosen_saes_free(&chosen);
    return st;
}

/* Of a network, what is seen; of rows that is known when the texts are read. */
static enum status check_seen(const struct suite *suite, const struct inversion_parts *parts)
{
    const struct inversion_source source = { .suite = suite };
    const struct things things = { .source = &source };
    struct thing thing = {0};
    int64_t count;
    enum status st;

    if (suite->invert.generator != INVERT_NETWORK)
        return OK;
    TRY(things_count(&count, &things));
    REQUIRE(count >= suite->invert.count, E_USAGE, "%s: seen has %lld things, and 'invert.count' "
            "asks for %lld", suite->invert.networks, (long long)count,
            (long long)suite->invert.count);
    TRY(things_read(&thing, &things, 0));
    REQUIRE(thing.width == parts->seen.outputs, E_USAGE, "%s: seen has %d values for each thing, "
            "and the generator with the operator gives %d", suite->invert.networks,
            (int)thing.width, (int)parts->seen.outputs);
done:
    things_free(&thing);
    return st;
}

enum status inversions_check(const struct suite *suite, const struct lm_config *config)
{
    struct inversion_parts parts = {0};
    struct latent_site *site = NULL;
    enum status st;

    if (has_decoder(suite))
        TRY(check_autoencoder(suite, config));
    TRY(find_shapes(&parts, &site, suite, config));
    TRY(check_seen(suite, &parts));
done:
    inversion_parts_free(&parts);
    free(site);
    return st;
}

/* Ids of clean and corrupted texts, whose rows are as many as all things at most. */
static int64_t texts_bytes(const struct suite *suite)
{
    const struct suite_invert *invert = &suite->invert;

    return invert->generator == INVERT_NETWORK
               ? 0 : 2 * 2 * invert->count * invert->context * (int64_t)sizeof(int32_t);
}

struct stage_memory inversions_memory(const struct suite *suite, const struct lm_config *config,
                                      int threads)
{
    const struct suite_invert *invert = &suite->invert;
    const bool network = invert->generator == INVERT_NETWORK;
    struct inversion_parts parts;
    struct latent_site *site;
    struct stage_memory need = {0};

    if (find_shapes(&parts, &site, suite, config) == OK) {
        const struct inversion_setup setup = inversion_parts_setup(&parts, suite, NULL);
        const struct inversion_source source = { .suite = suite, .config = config,
                                                 .sae = site != NULL ? &site->sae : NULL };
        const int64_t searches = restarts_bytes(&setup, (int32_t)invert->restarts, 1, threads);
        need.rank = inversion_parts_bytes(&parts) + texts_bytes(suite)
                    + max_int64(things_bytes(&source, invert->context, threads),
                                searches + explanation_bytes(&setup));
    }
    if (!network) {
        need.rank = max_int64(need.rank, weights_reading_bytes(config, threads));
        need.node = weights_bytes(config, PRECISION_F32);
    }
    if (has_decoder(suite))
        need.node += chosen_saes_shared(suite, config);
    refuse_clear();
    inversion_parts_free(&parts);
    free(site);
    return need;
}

/* Two flops for a weight forward, and two on the way back. */
double inversions_work(const struct suite *suite, const struct lm_config *config)
{
    const struct suite_invert *invert = &suite->invert;
    const double searches = (double)invert->count * (double)invert->restarts;
    const double passes = 2 * (double)invert->starts + 4 * (double)invert->steps;
    struct inversion_parts parts;
    struct latent_site *site;
    double weights = 0;

    if (find_shapes(&parts, &site, suite, config) == OK)
        weights = (double)(network_bytes(&parts.map) + network_bytes(&parts.generator))
                  / sizeof(double);
    refuse_clear();
    inversion_parts_free(&parts);
    free(site);
    return searches * passes * weights;
}

/* --- a task ------------------------------------------------------------------------------ */

/* What all tasks have in common. */
struct inversions {
    const struct task_work *work;
    struct inversion_source source;
    struct things  things;
    struct prompts prompts;
    const char    *autoencoder;         /* STREAM/NAME; NULL: there is none */
};

/* Search, and write what was found.  Collective. */
static enum status explain(const struct inversions *inversions, const struct inversion *inversion,
                           const struct thing *thing, int64_t task)
{
    const struct suite_invert *invert = &inversions->work->suite->invert;
    const struct descent_options options = { invert->steps, invert->rate, invert->fall,
                                             (int32_t)invert->starts, (uint64_t)invert->seed };
    struct run *run = inversions->work->run;
    struct restarts restarts = {0};
    struct explanation explanation = {0};
    char name[METHODS_NAME];
    enum status st;

    TRY(restarts_run(&restarts, inversion, &options, (int32_t)invert->restarts, run));
    explanation_make(&explanation, inversion, &restarts, thing, &inversions->source);
    inversion_files_name(name, task);
    run_note(run, "%s: relative error %.3g, loss %.4g, search %d of %d", name, explanation.error,
             restarts.terms[restarts.best].loss, (int)restarts.best + 1, (int)restarts.count);
    TRY_ROOT(run->comm, inversion_files_write(inversions->work, name, &explanation, &options,
                                              inversions->autoencoder));
done:
    explanation_free(&explanation);
    restarts_free(&restarts);
    return st;
}

/* Collective. */
static enum status run_task(const struct inversions *inversions, int64_t task)
{
    const MPI_Comm comm = inversions->work->run->comm;
    struct thing thing = {0};
    struct inversion_parts parts = {0};
    struct inversion inversion = {0};
    double *values = NULL;
    enum status st;

    TRY_ALL(comm, things_read(&thing, &inversions->things, task));
    TRY_ALL(comm, inversion_parts_make(&parts, &inversions->source, thing.unit));
    values = allocate(parts.seen.outputs, sizeof *values);
    if (inversions->source.suite->invert.generator == INVERT_NETWORK)
        memcpy(values, thing.values, (size_t)thing.width * sizeof *values);
    else
        observation_apply(&parts.seen, values, thing.values);
    const struct inversion_setup setup = inversion_parts_setup(&parts, inversions->source.suite,
                                                               values);
    TRY_ALL(comm, inversion_make(&inversion, &setup));
    TRY(explain(inversions, &inversion, &thing, task));
done:
    inversion_free(&inversion);
    free(values);
    inversion_parts_free(&parts);
    things_free(&thing);
    return st;
}

/* --- all --------------------------------------------------------------------------------- */

/* Local; rank 0 alone. */
static enum status read_texts(struct inversions *inversions)
{
    const struct task_work *work = inversions->work;
    const struct suite_invert *invert = &work->suite->invert;
    struct prompts *prompts = &inversions->prompts;
    struct wording wording = {0};
    int64_t count;
    enum status st;

    TRY(wording_open(&wording, work->suite, work->config));
    prompts_make(prompts, invert->context);
    for (unsigned f = 0; f < invert->texts_count; f++)
        TRY(prompts_read(prompts, &wording, invert->texts[f], invert->count));
    REQUIRE(prompts->count > 0, E_USAGE, "%s has no texts", invert->texts[0]);
    prompts_trim(prompts);
    TRY(things_count(&count, &inversions->things));
    REQUIRE(count >= invert->count, E_USAGE, "the texts have %lld rows to explain, and "
            "'invert.count' asks for %lld", (long long)count, (long long)invert->count);
done:
    wording_close(&wording);
    return st;
}

/* Read the texts and the autoencoder, if there are any.  Collective. */
static enum status prepare(struct inversions *inversions, struct chosen_saes *chosen,
                           struct shared_saes *saes, struct latent_site **sites)
{
    const struct task_work *work = inversions->work;
    const struct suite *suite = work->suite;
    const MPI_Comm comm = work->run->comm;
    enum status st = OK;

    if (suite->invert.generator == INVERT_NETWORK)
        return OK;
    TRY_ROOT(comm, read_texts(inversions));
    prompts_share(&inversions->prompts, comm);
    inversions->things.tap = (struct tap){ SITE_MLP, (int)suite->invert.layer };
    if (!has_decoder(suite))
        return OK;
    TRY_ALL(comm, chosen_saes_find(chosen, suite, work->config->layers));
    TRY(chosen_saes_read(sites, saes, chosen, comm));
    inversions->source.sae = &(*sites)->sae;
    inversions->things.tap = (*sites)->tap;
    inversions->autoencoder = chosen->sae[0].name;
done:
    return st;
}

enum status inversions_run(const struct task_work *work, const bool *wanted)
{
    struct inversions inversions = {
        .work = work,
        .source = { .suite = work->suite, .config = work->config, .weights = work->weights },
        .things = { .source = &inversions.source, .prompts = &inversions.prompts },
    };
    struct chosen_saes chosen = {0};
    struct shared_saes saes = {0};
    struct latent_site *sites = NULL;
    enum status st;

    TRY(prepare(&inversions, &chosen, &saes, &sites));
    for (int64_t task = 0; task < inversions_tasks(work->suite); task++)
        if (wanted[task])
            TRY(run_task(&inversions, task));
done:
    prompts_free(&inversions.prompts);
    free(sites);
    shared_saes_free(&saes);
    chosen_saes_free(&chosen);
    return st;
}
