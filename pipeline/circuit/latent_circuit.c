#include "circuit/latent_circuit.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/die.h"
#include "base/minmax.h"
#include "base/ordered_sum.h"
#include "sae/latent_nodes.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* --- shapes and memory ------------------------------------------------------------------- */

int64_t latent_circuit_nodes(const struct latent_circuit_setup *setup)
{
    int64_t nodes = 0;

    for (int s = 0; s < setup->count; s++)
        nodes += setup->sites[s].sae.latents + 1;
    return nodes;
}

/* Values of a row at all sites together, at the widest, and its most latents. */
static int64_t all_columns(const struct latent_circuit_setup *setup)
{
    int64_t columns = 0;

    for (int s = 0; s < setup->count; s++)
        columns += setup->sites[s].sae.inputs;
    return columns;
}

static int64_t most_columns(const struct latent_circuit_setup *setup)
{
    int64_t most = 0;

    for (int s = 0; s < setup->count; s++)
        most = max_int64(most, setup->sites[s].sae.inputs);
    return most;
}

static int64_t most_latents(const struct latent_circuit_setup *setup)
{
    int64_t most = 0;

    for (int s = 0; s < setup->count; s++)
        most = max_int64(most, setup->sites[s].sae.latents);
    return most;
}

/* Rows of the largest block. */
static int64_t block_rows(const struct latent_circuit_setup *setup)
{
    return experiment_sequences(&setup->experiment) * setup->experiment.context;
}

static int64_t worker_bytes(const struct latent_circuit_setup *setup, const struct lm_config *c)
{
    const int64_t sequences = experiment_sequences(&setup->experiment);
    const int64_t context = setup->experiment.context;
    const int64_t row = c->width + 2 * (most_latents(setup) + most_columns(setup));

    return forward_bytes(c, PRECISION_F32, sequences, context, 1)
         + backward_bytes(c, sequences, context, 1)
         + block_rows(setup) * row * (int64_t)sizeof(float);
}

int64_t latent_circuit_bytes(const struct latent_circuit_setup *setup, const struct lm_config *c,
                             int size, int threads)
{
    const struct experiment_setup *s = &setup->experiment;
    const int64_t blocks = range_length(experiment_blocks(s, 0, size));

    return experiment_bytes(s, c, size, threads) + threads * worker_bytes(setup, c)
         + 3 * blocks * block_rows(setup) * all_columns(setup) * (int64_t)sizeof(float)
         + (blocks + 1) * latent_circuit_nodes(setup) * (int64_t)sizeof(double)
         + latent_circuit_nodes(setup)
         + s->count * c->width * (int64_t)sizeof(float);
}

static void make_worker(struct latent_worker *w, const struct latent_circuit_setup *setup)
{
    const struct weights *weights = setup->experiment.weights;
    const int64_t rows = block_rows(setup);

    forward_make(&w->forward, weights, experiment_sequences(&setup->experiment),
                 setup->experiment.context);
    backward_make(&w->backward, &w->forward);
    w->last = allocate(rows * weights->config.width, sizeof(float));
    w->to = allocate_big(rows * most_latents(setup), sizeof(float));
    w->from = allocate_big(rows * most_latents(setup), sizeof(float));
    w->to_error = allocate(rows * most_columns(setup), sizeof(float));
    w->from_error = allocate(rows * most_columns(setup), sizeof(float));
}

static void free_worker(struct latent_worker *w)
{
    free(w->from_error);
    free(w->to_error);
    free(w->from);
    free(w->to);
    free(w->last);
    backward_free(&w->backward);
    forward_free(&w->forward);
}

/* The buffers of a worker are one thread's. */
static void make_workers(struct latent_circuit *c)
{
    c->threads = omp_get_max_threads();
    c->workers = allocate(c->threads, sizeof *c->workers);
    omp_set_num_threads(1);
    for (int i = 0; i < c->threads; i++)
        make_worker(&c->workers[i], &c->setup);
    omp_set_num_threads(c->threads);
}

static void make_blocks(struct latent_circuit *c)
{
    const int64_t values = block_rows(&c->setup) * all_columns(&c->setup);

    c->blocks = allocate(range_length(c->e.blocks), sizeof *c->blocks);
    for (int64_t block = 0; block < range_length(c->e.blocks); block++)
        c->blocks[block] = (struct latent_block){
            .clean = allocate_big(values, sizeof(float)),
            .corrupted = allocate_big(values, sizeof(float)),
            .gradient = allocate_big(values, sizeof(float)),
        };
}

static void number_nodes(struct latent_circuit *c)
{
    const int count = c->setup.count;

    c->first = allocate(count + 1, sizeof *c->first);
    c->column = allocate(count + 1, sizeof *c->column);
    for (int s = 0; s < count; s++) {
        c->first[s + 1] = c->first[s] + c->setup.sites[s].sae.latents + 1;
        c->column[s + 1] = c->column[s] + c->setup.sites[s].sae.inputs;
    }
}

int latent_circuit_site(const struct latent_circuit *circuit, int64_t node)
{
    return (int)split_find(circuit->first, circuit->setup.count, node);
}

/* --- through a block --------------------------------------------------------------------- */

static struct latent_worker *own_worker(const struct latent_circuit *c)
{
    return &c->workers[omp_get_thread_num()];
}

/* The rows of a site among those of a block. */
static float *rows_of(const struct latent_circuit *c, const struct latent_worker *w, float *rows,
                      int site)
{
    return rows + w->forward.rows * c->column[site];
}

static int64_t values_of(const struct latent_circuit *c, const struct latent_worker *w, int site)
{
    return w->forward.rows * c->setup.sites[site].sae.inputs;
}

/* Embed the prompts of a block.  experiment_make() has checked the ids. */
static void start(const struct latent_circuit *c, struct latent_worker *w, int64_t block,
                  const int32_t *ids)
{
    const struct range prompts = experiment_prompts(&c->e, block);

    if (forward_start(&w->forward, ids + prompts.first * c->e.setup.context, range_length(prompts))
        != OK)
        die("bug: %s", refuse_reason());
}

/* Go to the end, and keep the last streams at the questions. */
static void finish(const struct latent_circuit *c, struct latent_worker *w, int64_t block)
{
    const struct range prompts = experiment_prompts(&c->e, block);
    const struct range questions = experiment_questions(&c->e, prompts);
    const int64_t width = c->e.setup.weights->config.width;

    forward_to(&w->forward, forward_end(&w->forward));
    for (int64_t i = questions.first; i < questions.end; i++)
        memcpy(c->e.streams + i * width,
               w->forward.values + experiment_row(&c->e, prompts, i) * width,
               (size_t)width * sizeof(float));
}

/* Run the clean or the corrupted prompts of a block, and keep the rows of the sites. */
static void keep_rows(const struct latent_circuit *c, int64_t block, bool corrupted)
{
    const struct latent_block *b = &c->blocks[block];
    struct latent_worker *w = own_worker(c);

    start(c, w, block, corrupted ? c->e.setup.corrupted : c->e.setup.clean);
    for (int s = 0; s < c->setup.count; s++) {
        forward_to(&w->forward, c->setup.sites[s].tap);
        memcpy(rows_of(c, w, corrupted ? b->corrupted : b->clean, s), w->forward.values,
               (size_t)values_of(c, w, s) * sizeof(float));
    }
    finish(c, w, block);
}

/* Run all blocks, and measure.  Collective. */
static double run_prompts(struct latent_circuit *c, bool corrupted)
{
    experiment_clear_streams(&c->e);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < range_length(c->e.blocks); block++)
        keep_rows(c, block, corrupted);
    return corrupted ? experiment_measure(&c->e) : experiment_measure_clean(&c->e);
}

/* --- making it --------------------------------------------------------------------------- */

static enum status check_sites(const struct latent_circuit_setup *setup)
{
    const struct lm_config *c = &setup->experiment.weights->config;
    char name[32];
    enum status st = OK;

    for (int s = 0; s < setup->count; s++) {
        const struct latent_site *site = &setup->sites[s];
        const int32_t width = lm_site_width(c, site->tap.site);

        site_tap_name(name, site->tap);
        REQUIRE(!site->sae.transcoder, E_USAGE, "%s has a transcoder, which does not read the row "
                "that it makes; latents of a circuit are those of autoencoders", name);
        REQUIRE(site->sae.inputs == width && site->sae.outputs == width, E_USAGE,
                "the autoencoder of %s has rows of %d values, but the model's have %d", name,
                (int)site->sae.inputs, (int)width);
        REQUIRE(s == 0 || site_tap_step(setup->sites[s - 1].tap) < site_tap_step(site->tap),
                E_USAGE, "%s has two autoencoders; its rows can be the sum of one's latents", name);
    }
done:
    return st;
}

enum status latent_circuit_make(struct latent_circuit *c, const struct latent_circuit_setup *setup,
                                MPI_Comm comm)
{
    enum status st;

    *c = (struct latent_circuit){ .setup = *setup };
    TRY_ALL(comm, check_sites(setup));
    TRY(experiment_make(&c->e, &setup->experiment, comm));
    number_nodes(c);
    make_workers(c);
    make_blocks(c);
    c->clean = run_prompts(c, false);
    c->corrupted = run_prompts(c, true);
done:
    return st;
}

void latent_circuit_free(struct latent_circuit *c)
{
    for (int64_t block = 0; c->blocks != NULL && block < range_length(c->e.blocks); block++) {
        free(c->blocks[block].gradient);
        free(c->blocks[block].corrupted);
        free(c->blocks[block].clean);
    }
    for (int i = 0; i < c->threads; i++)
        free_worker(&c->workers[i]);
    free(c->blocks);
    free(c->workers);
    free(c->column);
    free(c->first);
    experiment_free(&c->e);
    *c = (struct latent_circuit){0};
}

/* --- gradients --------------------------------------------------------------------------- */

/* Embed this share of the clean prompts and the rest of the corrupted ones. */
static void embed(const struct latent_circuit *c, struct latent_worker *w, int64_t block,
                  float share)
{
    if (share < 1) {
        start(c, w, block, c->e.setup.corrupted);
        memcpy(w->last, w->forward.residual,
               (size_t)(w->forward.rows * c->e.setup.weights->config.width) * sizeof(float));
    }
    start(c, w, block, c->e.setup.clean);
    const int64_t values = w->forward.rows * c->e.setup.weights->config.width;

    for (int64_t i = 0; i < values && share < 1; i++)
        w->forward.residual[i] = share * w->forward.residual[i] + (1 - share) * w->last[i];
}

static void walk(const struct latent_circuit *c, int64_t block, float share)
{
    struct latent_worker *w = own_worker(c);

    embed(c, w, block, share);
    finish(c, w, block);
}

/* Put the gradients by the last streams at a block's questions where they belong. */
static void place_gradients(const struct latent_circuit *c, struct latent_worker *w, int64_t block,
                            const float *gradients)
{
    const struct range prompts = experiment_prompts(&c->e, block);
    const struct range questions = experiment_questions(&c->e, prompts);
    const int64_t width = c->e.setup.weights->config.width;

    memset(w->last, 0, (size_t)(w->forward.rows * width) * sizeof(float));
    for (int64_t i = questions.first; i < questions.end; i++)
        memcpy(w->last + experiment_row(&c->e, prompts, i) * width, gradients + i * width,
               (size_t)width * sizeof(float));
}

/* Go forward and back, and add the gradients at the sites with this weight. */
static void add_gradients(const struct latent_circuit *c, int64_t block, float share, float weight,
                          const float *gradients)
{
    struct latent_worker *w = own_worker(c);

    embed(c, w, block, share);
    backward_walk(&w->backward, forward_end(&w->forward));
    place_gradients(c, w, block, gradients);
    backward_start(&w->backward, w->last);
    for (int s = c->setup.count; s-- > 0; ) {
        float *to = rows_of(c, w, c->blocks[block].gradient, s);
        backward_to(&w->backward, c->setup.sites[s].tap);
        for (int64_t i = 0; i < values_of(c, w, s); i++)
            to[i] += weight * w->backward.gradient[i];
    }
}

/* Mean gradients at the sites of all blocks.  Collective. */
static void find_gradients(struct latent_circuit *c, int steps)
{
    const int64_t blocks = range_length(c->e.blocks), runs = max_int64(1, steps);
    const int64_t values = block_rows(&c->setup) * all_columns(&c->setup);
    float *gradients = allocate(c->e.setup.count * c->e.setup.weights->config.width,
                                sizeof *gradients);

    for (int64_t block = 0; block < blocks; block++)
        memset(c->blocks[block].gradient, 0, (size_t)values * sizeof(float));
    for (int64_t k = 1; k <= runs; k++) {
        const float share = (float)k / (float)runs;
        experiment_clear_streams(&c->e);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t block = 0; block < blocks; block++)
            walk(c, block, share);
        experiment_gradients(&c->e, gradients);
        #pragma omp parallel for schedule(dynamic)
        for (int64_t block = 0; block < blocks; block++)
            add_gradients(c, block, share, 1 / (float)runs, gradients);
    }
    free(gradients);
}

/* --- scores ------------------------------------------------------------------------------ */

static double dot(const float *a, const float *b, int64_t count)
{
    double sum = 0;

    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* The nodes of a site's rows in the corrupted prompts, and in others.
 *   x [rows, inputs]  in: the others */
static void split(const struct latent_circuit *c, struct latent_worker *w, int64_t block, int site,
                  const float *x)
{
    const struct sae *sae = &c->setup.sites[site].sae;
    const float *corrupted = rows_of(c, w, c->blocks[block].corrupted, site);

    sae_encode(sae, w->from, x, w->forward.rows);
    sae_encode(sae, w->to, corrupted, w->forward.rows);
    latent_nodes_error(sae, w->from_error, w->from, x, w->forward.rows);
    latent_nodes_error(sae, w->to_error, w->to, corrupted, w->forward.rows);
}

/* Score a site's nodes in a block.
 *   scores [latents + 1]  out */
static void score_site(const struct latent_circuit *c, struct latent_worker *w, int64_t block,
                       int site, double *scores)
{
    const struct sae *sae = &c->setup.sites[site].sae;
    const float *gradient = rows_of(c, w, c->blocks[block].gradient, site);

    split(c, w, block, site, rows_of(c, w, c->blocks[block].clean, site));
    for (int64_t r = 0; r < w->forward.rows; r++) {
        const float *from = w->from + r * sae->latents, *to = w->to + r * sae->latents;
        const float *by_row = gradient + r * sae->inputs;

        for (int64_t i = 0; i < sae->latents; i++)
            if (from[i] != to[i])
                scores[i] += ((double)from[i] - (double)to[i])
                             * dot(by_row, sae->decoder + i * sae->inputs, sae->inputs);
        scores[sae->latents] += dot(by_row, w->from_error + r * sae->inputs, sae->inputs)
                                - dot(by_row, w->to_error + r * sae->inputs, sae->inputs);
    }
}

/* The running sum and this rank's addends. */
struct total {
    const struct latent_circuit *c;
    const double *addends;      /* [blocks, nodes] */
    double       *sum;          /* [nodes] */
};

static void add_blocks(void *context, int64_t part)
{
    const struct total *total = context;
    const int64_t nodes = latent_circuit_nodes(&total->c->setup);

    (void)part;
    for (int64_t block = 0; block < range_length(total->c->e.blocks); block++)
        for (int64_t i = 0; i < nodes; i++)
            total->sum[i] += total->addends[block * nodes + i];
}

void latent_circuit_score(struct latent_circuit *c, double *scores, int steps)
{
    const int64_t nodes = latent_circuit_nodes(&c->setup), blocks = range_length(c->e.blocks);
    const int64_t bounds[] = { 0, nodes };
    const struct ordered_sum order = { .comm = c->e.comm, .type = MPI_DOUBLE, .parts = 1,
                                       .bounds = bounds };
    double *addends = allocate_big(blocks * nodes, sizeof *addends);
    struct total total = { c, addends, scores };

    find_gradients(c, steps);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < blocks; block++) {
        struct latent_worker *w = own_worker(c);
        start(c, w, block, c->e.setup.clean);
        for (int s = 0; s < c->setup.count; s++)
            score_site(c, w, block, s, addends + block * nodes + c->first[s]);
    }
    ordered_sum_run(&order, scores, add_blocks, &total);
    free(addends);
}

/* --- interventions ----------------------------------------------------------------------- */

/* Are all nodes of a site kept? */
static bool is_whole(const struct latent_circuit *c, int site, const bool *kept)
{
    for (int64_t i = c->first[site]; i < c->first[site + 1]; i++)
        if (!kept[i])
            return false;
    return true;
}

/* At the site where the model stands: give nodes that are not kept their values of the corrupted
 * prompts.
 *   kept [latents + 1]  in: of this site */
static void intervene(const struct latent_circuit *c, struct latent_worker *w, int64_t block,
                      int site, const bool *kept)
{
    const struct sae *sae = &c->setup.sites[site].sae;
    float *x = w->forward.values;

    split(c, w, block, site, x);
    for (int64_t r = 0; r < w->forward.rows; r++)
        for (int64_t i = 0; i < sae->latents; i++)
            if (kept[i])
                w->to[r * sae->latents + i] = w->from[r * sae->latents + i];
    latent_nodes_change(sae, x, w->to, w->from, w->forward.rows);
    for (int64_t i = 0; i < values_of(c, w, site) && !kept[sae->latents]; i++)
        x[i] += w->to_error[i] - w->from_error[i];
}

static void run_kept(const struct latent_circuit *c, int64_t block, const bool *kept)
{
    struct latent_worker *w = own_worker(c);

    start(c, w, block, c->e.setup.clean);
    for (int s = 0; s < c->setup.count; s++) {
        if (is_whole(c, s, kept))
            continue;
        forward_to(&w->forward, c->setup.sites[s].tap);
        intervene(c, w, block, s, kept + c->first[s]);
    }
    finish(c, w, block);
}

double latent_circuit_value(struct latent_circuit *c, const bool *kept)
{
    experiment_clear_streams(&c->e);
    #pragma omp parallel for schedule(dynamic)
    for (int64_t block = 0; block < range_length(c->e.blocks); block++)
        run_kept(c, block, kept);
    return experiment_measure(&c->e);
}

void latent_circuit_effects(struct latent_circuit *c, double *effects, const int64_t *nodes,
                            int64_t count)
{
    const int64_t all = latent_circuit_nodes(&c->setup);
    bool *kept = allocate(all, sizeof *kept);

    memset(kept, true, (size_t)all * sizeof *kept);
    for (int64_t i = 0; i < count; i++) {
        kept[nodes[i]] = false;
        effects[i] = latent_circuit_value(c, kept) - c->clean;
        kept[nodes[i]] = true;
    }
    free(kept);
}
