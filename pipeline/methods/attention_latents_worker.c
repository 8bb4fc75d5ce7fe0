#include "base/agree.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/minmax.h"
#include "methods/attention_latents.h"
#include "sae/latent_nodes.h"

#include <math.h>
#include <stdlib.h>

/* --- memory -------------------------------------------------------------------------- */

/* The sum, and the largest, of the latents of the chosen autoencoders of a site. */
static int64_t latents_at(enum site site, const struct latent_site *sites, int count,
                          int64_t *largest)
{
    int64_t sum = 0;

    *largest = 0;
    for (int i = 0; i < count; i++)
        if (sites[i].tap.site == site) {
            sum += sites[i].sae.latents;
            *largest = max_int64(*largest, sites[i].sae.latents);
        }
    return sum;
}

/* The number of targets at most. */
static int64_t count_targets(const struct suite *suite, const struct latent_site *sites, int count)
{
    const struct suite_circuit *circuit = &suite->circuit;
    int64_t targets = circuit->latents_count;

    for (int i = 0; i < count; i++)
        if (sites[i].tap.site == SITE_ATTN)
            targets += min_int64(circuit->samples, sites[i].sae.latents);
    return targets;
}

int64_t attention_latents_worker_bytes(const struct suite *suite, const struct lm_config *c,
                                       struct circuit_shape shape)
{
    int count;
    struct latent_site *sites = chosen_saes_known(&count, suite, c);
    struct field field[ATTENTION_LATENTS_FIELDS];
    const int64_t targets = count_targets(suite, sites, count), tokens = shape.tokens;
    int64_t own, below;
    const int64_t all = latents_at(SITE_ATTN, sites, count, &own);
    const bool goes_below = latents_at(SITE_RES, sites, count, &below) > 0;
    const int fields = attention_latents_name(field, targets, goes_below, c, tokens);
    const int64_t floats = tokens * own + tokens * below + tokens * c->width + all;
    const int64_t shares = all * c->heads;      /* while files are written */

    free(sites);
    return forward_bytes(c, PRECISION_F32, suite->circuit.block, tokens, shape.threads)
         + latent_sources_bytes(c, tokens) + targets * latent_sources_target_bytes(c)
         + floats * (int64_t)sizeof(float)
         + (tokens * below + shares) * (int64_t)sizeof(double)
         + fields_bytes(field, fields, c, shape.prompts);
}

void attention_latents_worker_make(struct attention_latents_worker *worker,
                                   struct attention_latents *all, const struct circuit *circuit)
{
    const struct lm_config *c = circuit->config;
    const int64_t tokens = circuit->prompts->tokens;
    int64_t own, below;
    const int64_t latents = latents_at(SITE_ATTN, all->saes, all->chosen->count, &own);

    latents_at(SITE_RES, all->saes, all->chosen->count, &below);
    *worker = (struct attention_latents_worker){
        .all = all, .circuit = circuit,
        .latents = allocate_big(tokens * own, sizeof(float)),
        .below = allocate_big(tokens * below, sizeof(float)),
        .part = allocate_big(tokens * below, sizeof(double)),
        .error = allocate(tokens * c->width, sizeof(float)),
        .most = allocate(latents, sizeof(float)),
    };
    latent_sources_make(&worker->sources, c, tokens);
    forward_make(&worker->forward, circuit->weights, circuit->suite->circuit.block, tokens);
}

void attention_latents_worker_free(struct attention_latents_worker *worker)
{
    forward_free(&worker->forward);
    latent_sources_free(&worker->sources);
    free(worker->most);
    free(worker->error);
    free(worker->part);
    free(worker->below);
    free(worker->latents);
    *worker = (struct attention_latents_worker){0};
}

/* --- from layer to layer ------------------------------------------------------------- */

/* A prompt at a site, where the forward pass stands. */
struct visit {
    int     site;
    int64_t prompt, sequence;
    const float *z;             /* [tokens, heads * head_width] its head outputs */
};

typedef void visit_prompt(struct attention_latents_worker *worker, const struct visit *visit);

/* Visit prompts [range] at all sites. */
static enum status walk(struct attention_latents_worker *worker, struct range range,
                        visit_prompt *act)
{
    const struct attention_latents *all = worker->all;
    const struct prompts *prompts = worker->circuit->prompts;
    struct forward *f = &worker->forward;
    enum status st;

    TRY(forward_start(f, prompts->clean + range.first * prompts->tokens, range_length(range)));
    for (int s = 0; s < all->sites; s++) {
        forward_to(f, all->saes[all->site[s].own].tap);
        for (int64_t p = range.first; p < range.end; p++) {
            const int64_t sequence = p - range.first;
            const float *z = f->values + sequence * prompts->tokens * f->width;
            sae_encode(&all->saes[all->site[s].own].sae, worker->latents, z, prompts->tokens);
            act(worker, &(struct visit){ s, p, sequence, z });
        }
    }
done:
    return st;
}

/* May a latent be taken apart at this token?  The first one sees itself alone. */
static bool is_considered(const struct circuit *circuit, int64_t prompt, int64_t token)
{
    const struct prompts *prompts = circuit->prompts;
    const int32_t *positions;

    if (circuit->suite->circuit.at == AT_ALL)
        return token < prompts->length[prompt] && (token > 0 || prompts->length[prompt] == 1);
    const int64_t count = prompts_list(&prompts->positions, prompt, &positions);
    for (int64_t i = 0; i < count; i++)
        if (positions[i] == token)
            return true;
    return false;
}

/* --- which latents are strongest ----------------------------------------------------- */

static void note_most(struct attention_latents_worker *worker, const struct visit *visit)
{
    const struct attention_latents *all = worker->all;
    const int64_t latents = all->saes[all->site[visit->site].own].sae.latents;
    float *most = worker->most;

    for (int s = 0; s < visit->site; s++)
        most += all->saes[all->site[s].own].sae.latents;
    for (int64_t t = 0; t < worker->circuit->prompts->tokens; t++) {
        const bool considered = is_considered(worker->circuit, visit->prompt, t);
        for (int64_t i = 0; i < latents && considered; i++)
            most[i] = fmaxf(most[i], worker->latents[t * latents + i]);
    }
}

static enum status measure_block(void *context, struct fields *fields, struct range range)
{
    (void)fields;
    return walk(context, range, note_most);
}

enum status attention_latents_worker_measure(struct attention_latents_worker *worker)
{
    const struct attention_latents *all = worker->all;
    struct fields none = {0};
    int64_t largest;
    enum status st;

    fields_make(&none, NULL, 0, worker->circuit);
    TRY(fields_fill(&none, measure_block, worker, "measured"));
    MPI_Allreduce(MPI_IN_PLACE, worker->most,
                  comm_count(latents_at(SITE_ATTN, all->saes, all->chosen->count, &largest)),
                  MPI_FLOAT, MPI_MAX, worker->circuit->run->comm);
done:
    fields_free(&none);
    return st;
}

/* --- taking apart -------------------------------------------------------------------- */

/* The token where the target's pre-activation is largest, of equal ones the first. */
static int64_t find_token(const struct attention_latents_worker *worker, const struct visit *visit,
                          const struct attention_latents_target *target)
{
    const int64_t tokens = worker->circuit->prompts->tokens;
    double largest = -INFINITY;
    int64_t token = 0;

    for (int64_t t = 0; t < tokens; t++) {
        if (!is_considered(worker->circuit, visit->prompt, t))
            continue;
        const double pi = latent_sources_pre_activation(NULL, &target->reader,
                                                        visit->z + t * worker->forward.width);
        if (pi > largest) {
            largest = pi;
            token = t;
        }
    }
    return token;
}

/* The parts of the stream below, by source token, and the strongest single ones. */
static void go_below(struct attention_latents_worker *worker, const struct visit *visit, int64_t t)
{
    struct attention_latents *all = worker->all;
    const struct sae *sae = &all->saes[all->site[visit->site].below].sae;
    const struct latent_sources *sources = &worker->sources;
    const int64_t tokens = sources->context, p = visit->prompt;
    double *latents = attention_latents_values(all, ATTENTION_LATENTS_BELOW, p, t);
    double *error = attention_latents_values(all, ATTENTION_LATENTS_ERROR, p, t);
    double *bias = attention_latents_values(all, ATTENTION_LATENTS_BIAS, p, t);
    double *strongest = attention_latents_values(all, ATTENTION_LATENTS_STRONGEST, p, t);
    double *position = attention_latents_values(all, ATTENTION_LATENTS_STRONGEST_POSITION, p, t);
    double *latent = attention_latents_values(all, ATTENTION_LATENTS_STRONGEST_LATENT, p, t);
    int64_t place[ATTENTION_LATENTS_LISTED];

    latent_sources_go_below(&worker->sources, &all->target[t].reader, &worker->forward,
                            visit->sequence);
    latent_sources_below(worker->part, sources, sae, worker->below);
    for (int64_t s = 0; s < tokens; s++) {
        error[s] = latent_sources_of(sources, s, worker->error + s * sae->inputs, sae->inputs);
        bias[s] = latent_sources_of(sources, s, sae->decoder_bias, sae->inputs)
                + sources->constant[s];
        latents[s] = 0;
        for (int64_t i = 0; i < sae->latents; i++)
            latents[s] += worker->part[s * sae->latents + i];
    }
    const int found = attention_latents_strongest(place, ATTENTION_LATENTS_LISTED, worker->part,
                                                  tokens * sae->latents);
    for (int i = 0; i < ATTENTION_LATENTS_LISTED; i++) {
        strongest[i] = i < found ? worker->part[place[i]] : NAN;
        position[i] = i < found ? (double)(place[i] / sae->latents) : -1;
        latent[i] = i < found ? (double)(place[i] % sae->latents) : -1;
    }
}

/* What go_below() fills is not known. */
static void stay_above(struct attention_latents *all, int64_t prompt, int64_t t)
{
    for (int f = ATTENTION_LATENTS_BELOW; f < all->results.count; f++) {
        double *values = attention_latents_values(all, (enum attention_latents_field)f, prompt, t);
        for (int64_t i = 0; i < all->field[f].columns / all->targets; i++)
            values[i] = f < ATTENTION_LATENTS_STRONGEST_POSITION ? NAN : -1;
    }
}

static void take_target_apart(struct attention_latents_worker *worker, const struct visit *visit,
                              int64_t t)
{
    struct attention_latents *all = worker->all;
    const struct attention_latents_target *target = &all->target[t];
    const struct attention_latents_site *site = &all->site[visit->site];
    const int64_t token = find_token(worker, visit, target), p = visit->prompt;
    const int64_t parts = (int64_t)worker->circuit->config->heads * worker->sources.context;
    double *head = attention_latents_values(all, ATTENTION_LATENTS_HEAD, p, t);
    double *part = attention_latents_values(all, ATTENTION_LATENTS_PART, p, t);

    latent_sources_find(&worker->sources, &target->reader, &worker->forward, visit->sequence,
                        token);
    for (int64_t i = 0; i < parts; i++)
        part[i] = worker->sources.part[i];
    *attention_latents_values(all, ATTENTION_LATENTS_POSITION, p, t) = (double)token;
    *attention_latents_values(all, ATTENTION_LATENTS_PRE_ACTIVATION, p, t) =
        latent_sources_pre_activation(head, &target->reader,
                                      visit->z + token * worker->forward.width);
    *attention_latents_values(all, ATTENTION_LATENTS_ACTIVATION, p, t) =
        (double)worker->latents[token * all->saes[site->own].sae.latents + target->latent];
    if (site->below >= 0)
        go_below(worker, visit, t);
    else
        stay_above(all, p, t);
}

/* The rows of the stream below are encoded once for all targets. */
static void take_apart(struct attention_latents_worker *worker, const struct visit *visit)
{
    const struct attention_latents *all = worker->all;
    const int below = all->site[visit->site].below;
    const int64_t tokens = worker->circuit->prompts->tokens;
    const float *x = worker->forward.residual
                   + visit->sequence * tokens * worker->circuit->config->width;

    if (below >= 0) {
        sae_encode(&all->saes[below].sae, worker->below, x, tokens);
        latent_nodes_error(&all->saes[below].sae, worker->error, worker->below, x, tokens);
    }
    for (int64_t t = 0; t < all->targets; t++)
        if (all->target[t].site == visit->site)
            take_target_apart(worker, visit, t);
}

static enum status take_block_apart(void *context, struct fields *fields, struct range range)
{
    (void)fields;
    return walk(context, range, take_apart);
}

enum status attention_latents_worker_run(struct attention_latents_worker *worker)
{
    struct attention_latents *all = worker->all;
    const struct circuit *circuit = worker->circuit;
    bool below = false;

    for (int s = 0; s < all->sites; s++)
        below = below || all->site[s].below >= 0;
    for (int64_t t = 0; t < all->targets; t++) {
        const struct latent_site *site = &all->saes[all->site[all->target[t].site].own];
        latent_sources_target_make(&all->target[t].reader, circuit->weights, &site->sae,
                                   site->tap.layer, all->target[t].latent);
    }
    const int fields = attention_latents_name(all->field, all->targets, below, circuit->config,
                                              circuit->prompts->tokens);
    fields_make(&all->results, all->field, fields, circuit);
    return fields_fill(&all->results, take_block_apart, worker, "taken apart");
}
