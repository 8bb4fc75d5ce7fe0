/* latents_method.c -- which latents of trained autoencoders carry the answer.
 *
 * All nodes are scored by gradients; the strongest are also taken away one by one; and circuits of
 * the strongest 0, 1, 2, 4, ... nodes, and of all, tell how many it takes.
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "circuit/eap.h"
#include "methods/latents_files.h"
#include "methods/trial.h"

#include <math.h>
#include <stdlib.h>

/* Sizes of circuits: 0, all, and the powers of 2 between. */
enum { MOST_SIZES = 64 };

static enum status check(const struct suite *suite, const struct lm_config *config,
                         const struct prompts *prompts)
{
    struct chosen_saes chosen = {0};
    char place[SUITE_PLACE];
    enum status st;

    REQUIRE(suite->circuit.ablation == ABLATION_CORRUPTED, E_USAGE, "%s: latents that are not kept "
            "have the values of the corrupted prompts; take 'ablation' out",
            suite_place(place, suite, "circuit", 0, "ablation"));
    TRY(eap_check(suite->circuit.metric, (int)suite->circuit.steps));
    TRY(trial_check(suite, prompts));
    TRY(chosen_saes_find(&chosen, suite, config->layers));
    TRY(chosen_saes_check(&chosen, suite));
done:
    chosen_saes_free(&chosen);
    return st;
}

/* --- memory and time --------------------------------------------------------------------- */

static int64_t bytes(const struct suite *suite, const struct lm_config *config,
                     struct circuit_shape shape)
{
    int count;
    struct latent_site *sites = chosen_saes_known(&count, suite, config);
    const struct latent_circuit_setup setup = {
        .experiment = { .prompts = shape.prompts, .context = shape.tokens, .count = shape.prompts },
        .sites = sites, .count = count,
    };
    const int64_t nodes = latent_circuit_nodes(&setup);
    const int64_t each = sizeof(double) + sizeof(int64_t) + sizeof(bool);
    const int64_t needed = latent_circuit_bytes(&setup, config, shape.ranks, shape.threads)
                         + nodes * each
                         + min_int64(suite->circuit.samples, nodes) * (int64_t)sizeof(double);

    free(sites);
    return needed;
}

/* The number of circuits that are measured of a number of nodes, and their sizes.
 *   sizes [MOST_SIZES]  out */
static int64_t list_sizes(int64_t *sizes, int64_t nodes)
{
    int64_t count = 0;

    sizes[count++] = 0;
    for (int64_t size = 1; size < nodes; size *= 2)
        sizes[count++] = size;
    sizes[count++] = nodes;
    return count;
}

/* A pass back is about three forward.  A row is encoded twice wherever something changes. */
static double work(const struct suite *suite, const struct lm_config *config,
                   struct circuit_shape shape)
{
    const struct tap end = { SITE_RES, config->layers - 1 };
    const double model = (double)shape.prompts
                         * (forward_work(config, end, shape.tokens) + head_work(config));
    const double rows = (double)(shape.prompts * shape.tokens);
    int64_t nodes = 0, sizes[MOST_SIZES];
    double encodings = 0;
    int count;
    struct latent_site *sites = chosen_saes_known(&count, suite, config);

    for (int s = 0; s < count; s++) {
        encodings += 4 * rows * sites[s].sae.inputs * sites[s].sae.latents;
        nodes += sites[s].sae.latents + 1;
    }
    free(sites);
    const double circuits = (double)list_sizes(sizes, nodes);
    const double samples = (double)min_int64(suite->circuit.samples, nodes);
    const double gradients = 5 * (double)max_int64(1, suite->circuit.steps);
    return model * (2 + gradients + samples + circuits)
         + encodings * (1 + circuits + samples / fmax(1, count));
}

/* A score is less than a hundredth of what the autoencoders themselves take there. */
static double disk(const struct lm_config *config, struct circuit_shape shape)
{
    (void)config, (void)shape;
    return 0;
}

/* --- the task ---------------------------------------------------------------------------- */

/* A node and the size of its score. */
struct ranked {
    double  size;
    int64_t node;
};

static int by_size(const void *a, const void *b)
{
    const struct ranked *p = a, *q = b;

    if (p->size != q->size)
        return p->size < q->size ? 1 : -1;
    return (p->node > q->node) - (p->node < q->node);
}

static void rank_nodes(int64_t *order, const double *scores, int64_t nodes)
{
    struct ranked *ranked = allocate(nodes, sizeof *ranked);

    for (int64_t i = 0; i < nodes; i++)
        ranked[i] = (struct ranked){ fabs(scores[i]), i };
    qsort(ranked, (size_t)nodes, sizeof *ranked, by_size);
    for (int64_t i = 0; i < nodes; i++)
        order[i] = ranked[i].node;
    free(ranked);
}

/* The metric of circuits of each size, made of the strongest nodes.  Collective. */
static void measure_circuits(struct latents_results *r, struct latent_circuit *c)
{
    bool *kept = allocate(latent_circuit_nodes(&c->setup), sizeof *kept);
    int64_t nodes = 0;

    for (int64_t i = 0; i < r->sizes; i++) {
        while (nodes < r->kept[i])
            kept[r->order[nodes++]] = true;
        r->values[i] = latent_circuit_value(c, kept);
    }
    free(kept);
}

/* Find all results.  Collective. */
static void find(struct latents_results *r, struct latent_circuit *c,
                 const struct suite_circuit *options)
{
    const int64_t nodes = latent_circuit_nodes(&c->setup);

    r->scores = allocate(nodes, sizeof *r->scores);
    r->order = allocate(nodes, sizeof *r->order);
    r->samples = min_int64(options->samples, nodes);
    r->effects = allocate(r->samples, sizeof *r->effects);
    r->kept = allocate(MOST_SIZES, sizeof *r->kept);
    r->values = allocate(MOST_SIZES, sizeof *r->values);
    r->sizes = list_sizes(r->kept, nodes);
    latent_circuit_score(c, r->scores, (int)options->steps);
    rank_nodes(r->order, r->scores, nodes);
    latent_circuit_effects(c, r->effects, r->order, r->samples);
    measure_circuits(r, c);
}

static void free_results(struct latents_results *r)
{
    free(r->values);
    free(r->kept);
    free(r->effects);
    free(r->order);
    free(r->scores);
}

static enum status run_task(const struct circuit *circuit, int64_t task)
{
    const MPI_Comm comm = circuit->run->comm;
    struct chosen_saes chosen = {0};
    struct shared_saes saes = {0};
    struct latent_circuit nodes = {0};
    struct latents_results results = { .nodes = &nodes, .chosen = &chosen };
    struct latent_circuit_setup setup = {0};
    struct latent_site *sites = NULL;
    struct question *questions = NULL;
    char name[METHODS_NAME];
    enum status st;

    methods_name(name, circuit->suite, task);
    TRY_ALL(comm, chosen_saes_find(&chosen, circuit->suite, circuit->config->layers));
    TRY(chosen_saes_read(&sites, &saes, &chosen, comm));
    setup = (struct latent_circuit_setup){ .experiment = trial_setup(circuit, &questions),
                                           .sites = sites, .count = chosen.count };
    TRY(latent_circuit_make(&nodes, &setup, comm));
    find(&results, &nodes, &circuit->suite->circuit);
    TRY_ROOT(comm, latents_files_write(circuit, name, &results));
done:
    free_results(&results);
    latent_circuit_free(&nodes);
    free(questions);
    free(sites);
    shared_saes_free(&saes);
    chosen_saes_free(&chosen);
    return st;
}

const struct circuit_method LATENTS_METHOD = {
    .name = "latents", .check = check, .bytes = bytes, .work = work, .disk = disk,
    .shared = chosen_saes_shared, .run = run_task,
};
