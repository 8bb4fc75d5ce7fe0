/* Removed edges, their scores, and latents that are not kept give the same bits on any number of
 * ranks and threads. */
#include "base/allocate.h"
#include "circuit/eap.h"
#include "circuit/latent_circuit.h"
#include "tests/ranked/ranked.h"

#include <omp.h>

/* More prompts than a block holds, so that two ranks and three have blocks, and not all as many;
 * and a question at each token, so that the same holds for tiles of logits. */
enum { PROMPTS = 70, CONTEXT = 20, QUESTIONS = PROMPTS * CONTEXT, LATENTS = 24 };

static const char MODEL[] = "tests/golden/gpt2-random";

static double value_of(const struct experiment_setup *setup, MPI_Comm comm, int32_t removed)
{
    struct experiment e = {0};
    struct graph_edges edges;
    double value;

    graph_edges_make(&edges, setup->graph, true);
    CHECK(experiment_make(&e, setup, comm) == OK);
    for (int32_t v = 0; v < setup->graph->receivers; v++)
        edges.mask[v * setup->graph->senders + removed] = 0;
    value = experiment_value(&e, &edges, 0);
    experiment_free(&e);
    graph_edges_free(&edges);
    return value;
}

static void has_the_same_bits(struct experiment_setup *setup)
{
    for (enum circuit_metric metric = 0; metric < METRICS; metric++) {
        const int32_t removed = (int32_t)metric % setup->graph->senders;

        setup->metric = metric;
        const double together = value_of(setup, MPI_COMM_WORLD, removed);
        omp_set_num_threads(3);
        const double alone = value_of(setup, MPI_COMM_SELF, removed);
        omp_set_num_threads(1);
        CHECK(memcmp(&together, &alone, sizeof alone) == 0);
        CHECK(alone == alone && alone != 0);
    }
}

/* Scores, and the metric with no, half and all of the nodes. */
static void find_latents(double *found, const struct latent_circuit_setup *setup, MPI_Comm comm)
{
    const int64_t nodes = latent_circuit_nodes(setup);
    struct latent_circuit c;
    bool kept[LATENTS + 1];

    CHECK(latent_circuit_make(&c, setup, comm) == OK);
    latent_circuit_score(&c, found, 2);
    for (int64_t part = 0; part < 3; part++) {
        for (int64_t i = 0; i < nodes; i++)
            kept[i] = i % 2 < part;
        found[nodes + part] = latent_circuit_value(&c, kept);
    }
    CHECK(found[nodes + 2] == c.clean);
    CHECK(found[nodes] != c.clean && found[nodes] != found[nodes + 1]);
    latent_circuit_free(&c);
}

static void latents_have_the_same_bits(const struct experiment_setup *setup)
{
    const int32_t width = setup->weights->config.width;
    struct latent_site site = { .tap = { SITE_RES, 0 } };
    const struct latent_circuit_setup latents = { *setup, &site, 1 };
    double together[LATENTS + 4], alone[LATENTS + 4];

    sae_make(&site.sae, width, width, LATENTS);
    for (int32_t i = 0; i < LATENTS * width; i++) {
        site.sae.encoder[i] = (float)(i * 7 % 11 - 5) / 16;
        site.sae.decoder[i] = (float)(i * 5 % 13 - 6) / 16;
    }
    find_latents(together, &latents, MPI_COMM_WORLD);
    omp_set_num_threads(3);
    find_latents(alone, &latents, MPI_COMM_SELF);
    omp_set_num_threads(1);
    CHECK(memcmp(together, alone, sizeof alone) == 0);
    sae_free(&site.sae);
}

/* Scores of edges at the clean run itself: its last streams are already on all ranks. */
static void score(struct eap *eap, const struct experiment_setup *setup, MPI_Comm comm)
{
    struct experiment e = {0};

    CHECK(experiment_make(&e, setup, comm) == OK);
    CHECK(eap_run(eap, &e, 0) == OK);
    experiment_free(&e);
}

static void scores_have_the_same_bits(struct experiment_setup *setup)
{
    const struct graph *g = setup->graph;
    struct eap together, alone;

    setup->metric = METRIC_LOGIT_DIFFERENCE;
    score(&together, setup, MPI_COMM_WORLD);
    score(&alone, setup, MPI_COMM_SELF);
    CHECK(memcmp(together.score, alone.score,
                 2 * (size_t)(g->receivers * g->senders) * sizeof(double)) == 0);
    CHECK(memcmp(together.importance, alone.importance,
                 (size_t)g->senders * sizeof(double)) == 0);
    CHECK(alone.importance[0] > 0);
    eap_free(&alone);
    eap_free(&together);
}

int main(int argc, char **argv)
{
    static int32_t clean[QUESTIONS], corrupted[QUESTIONS], ids[2 * PROMPTS];
    static struct question questions[QUESTIONS];
    struct ranked here = ranked_start(&argc, &argv);
    struct lm_config config;
    struct weights weights = {0};
    struct graph graph;

    CHECK(config_read(&config, MODEL) == OK);
    CHECK(weights_read(&weights, &config, PRECISION_F32, MODEL, MPI_COMM_WORLD) == OK);
    CHECK(graph_make(&graph, &config, true) == OK);
    CHECK(QUESTIONS > 2 * head_tile(&config));
    for (int32_t i = 0; i < QUESTIONS; i++) {
        clean[i] = (37 * i + 11) % config.vocabulary;
        corrupted[i] = (53 * i + 5) % config.vocabulary;
    }
    for (int32_t p = 0; p < PROMPTS; p++) {
        ids[2 * p] = (7 * p + 1) % config.vocabulary;
        ids[2 * p + 1] = (11 * p + 2) % config.vocabulary;
        for (int32_t t = 0; t < CONTEXT; t++)
            questions[p * CONTEXT + t] =
                (struct question){ p, t, 1, 1, &ids[2 * p], &ids[2 * p + 1] };
    }
    struct experiment_setup setup = {
        .weights = &weights, .graph = &graph, .clean = clean, .corrupted = corrupted,
        .prompts = PROMPTS, .context = CONTEXT, .questions = questions, .count = QUESTIONS,
    };
    has_the_same_bits(&setup);
    scores_have_the_same_bits(&setup);
    setup.graph = NULL;
    setup.metric = METRIC_LOGIT_DIFFERENCE;
    latents_have_the_same_bits(&setup);
    weights_free(&weights);
    return ranked_finish(&here);
}
