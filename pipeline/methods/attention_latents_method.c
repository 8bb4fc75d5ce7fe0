/* attention_latents_method.c -- which heads and which tokens made a latent of attention fire? */
#include "base/agree.h"
#include "base/allocate.h"
#include "methods/attention_latents.h"

#include <limits.h>
#include <stdlib.h>

/* Numbers of a field go to rank 0 in one message. */
static enum status check_amount(const struct suite *suite, const struct attention_latents *all,
                                const struct lm_config *config, const struct prompts *prompts)
{
    const double targets = (double)all->targets + (double)suite->circuit.samples * all->sites;
    const double parts = targets * (double)prompts->count * (double)prompts->tokens * config->heads;
    char place[SUITE_PLACE];
    enum status st = OK;

    REQUIRE(parts <= INT_MAX, E_USAGE, "%s: %.0f latents on %lld prompts of %lld tokens have %.3g "
            "parts, more than the file holds; take fewer",
            suite_place(place, suite, "circuit", 0, "count"), targets, (long long)prompts->count,
            (long long)prompts->tokens, parts);
done:
    return st;
}

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    struct chosen_saes chosen = {0};
    struct attention_latents all = {0};
    enum status st;

    TRY(chosen_saes_find(&chosen, suite, config->layers));
    TRY(attention_latents_find(&all, suite, &chosen));
    TRY(chosen_saes_check(&chosen, suite));
    TRY(check_amount(suite, &all, config, prompts));
done:
    attention_latents_free(&all);
    chosen_saes_free(&chosen);
    return st;
}

/* A pass to the last layer, two if latents are to be chosen, and a row encoded in each; what the
 * latents below take is little. */
static double work(const struct suite *suite, const struct lm_config *config,
                   struct circuit_shape shape)
{
    const struct tap end = { SITE_ATTN, config->layers - 1 };
    const double passes = suite->circuit.samples > 0 ? 2 : 1;
    const double rows = (double)(shape.prompts * shape.tokens);
    double encodings = 0;
    int count;
    struct latent_site *sites = chosen_saes_known(&count, suite, config);

    for (int s = 0; s < count; s++)
        encodings += 2 * rows * sites[s].sae.inputs * sites[s].sae.latents;
    free(sites);
    return passes
         * ((double)shape.prompts * forward_work(config, end, shape.tokens) + encodings);
}

/* The suite is not known here: that of ten latents. */
static double disk(const struct lm_config *config, struct circuit_shape shape)
{
    struct field field[ATTENTION_LATENTS_FIELDS];
    const int fields = attention_latents_name(field, 10, true, config, shape.tokens);

    return fields_disk(field, fields, config, shape);
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    const MPI_Comm comm = circuit->run->comm;
    struct chosen_saes chosen = {0};
    struct shared_saes saes = {0};
    struct attention_latents all = {0};
    struct attention_latents_worker worker = {0};
    struct latent_site *sites = NULL;
    char name[METHODS_NAME];
    enum status st;

    methods_name(name, circuit->suite, task);
    TRY_ALL(comm, chosen_saes_find(&chosen, circuit->suite, circuit->config->layers));
    TRY_ALL(comm, attention_latents_find(&all, circuit->suite, &chosen));
    TRY(chosen_saes_read(&sites, &saes, &chosen, comm));
    all.saes = sites;
    attention_latents_worker_make(&worker, &all, circuit);
    if (circuit->suite->circuit.samples > 0) {
        TRY(attention_latents_worker_measure(&worker));
        TRY_ALL(comm, attention_latents_choose(&all, worker.most));
    }
    TRY(attention_latents_worker_run(&worker));
    TRY_ROOT(comm, attention_latents_write(&all, circuit, name));
done:
    attention_latents_worker_free(&worker);
    attention_latents_free(&all);
    free(sites);
    shared_saes_free(&saes);
    chosen_saes_free(&chosen);
    return st;
}

const struct circuit_method ATTENTION_LATENTS_METHOD = {
    .name = "attention_latents", .check = check, .bytes = attention_latents_worker_bytes,
    .work = work, .disk = disk, .shared = chosen_saes_shared, .run = run_task,
};
