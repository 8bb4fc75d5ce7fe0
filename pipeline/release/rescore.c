#include "release/rescore.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/block_sum.h"
#include "base/memory.h"
#include "corpus/selection.h"
#include "evaluate/splice.h"
#include "release/manifest.h"
#include "suite/paths.h"
#include "suite/tasks.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const double TOLERANCE = 1e-4;

struct rescore {
    struct run       *run;
    struct suite      suite;
    struct lm_config  config;
    enum precision    precision;
    struct selection  selection;
    struct weights    weights;
    struct splice     splice;
    struct sae        sae;
    struct splice_place place;
    char              folder[PATH_LENGTH];  /* of the autoencoder */
    int32_t          *ids;                  /* [block, context] */
    struct sequence_origin *origins;        /* [block] */
    float            *mean;                 /* [width] of the site's rows of text */
    int64_t          *fired;                /* [latents] */
    struct score_sums sums;
    const char       *what;                 /* is being done, for progress, and ... */
    double            since;                /* ... since when */
};

/* ---- what is at hand ------------------------------------------------------------ */

/* Are text and model there?  Rank 0 looks.  Collective. */
static bool at_hand(const struct rescore *r)
{
    char tokens[PATH_LENGTH], config[PATH_LENGTH];

    paths_tokens(tokens, &r->suite, 0);
    path_print(config, "%s/config.json", r->suite.model.path);
    return comm_file_exists(r->run->comm, tokens) && comm_file_exists(r->run->comm, config);
}

/* Local. */
static enum status read_autoencoder(struct rescore *r, const char *folder, const json_t *entry)
{
    char path[PATH_LENGTH];
    const char *site = json_string_value(json_object_get(entry, "site"));
    const char *target = json_string_value(json_object_get(entry, "target"));
    struct tap *read = &r->place.read, *replaced = &r->place.replaced;
    enum status st;

    path_print(r->folder, "%s/%s", folder,
               json_string_value(json_object_get(entry, "folder")));
    path_print(path, "%s/params.npz", r->folder);
    TRY(site_parse(&read->site, site == NULL ? "" : site));
    TRY(site_parse(&replaced->site, target == NULL ? "" : target));
    read->layer = replaced->layer = (int)json_integer_value(json_object_get(entry, "layer"));
    TRY(read->layer >= 0 && read->layer < r->config.layers ? OK
        : refuse(E_FORMAT, "%s is said to be of layer %d, but the model has %d", path,
                 read->layer, r->config.layers));
    TRY(sae_read_npz(&r->sae, path));
    TRY(r->sae.inputs == lm_site_width(&r->config, read->site)
        && r->sae.outputs == lm_site_width(&r->config, replaced->site) ? OK
        : refuse(E_FORMAT, "%s makes %d values from %d, but the model has %d and %d there", path,
                 r->sae.outputs, r->sae.inputs, lm_site_width(&r->config, replaced->site),
                 lm_site_width(&r->config, read->site)));
done:
    return st;
}

/* Collective. */
static enum status set_up(struct rescore *r, const char *folder, const json_t *entry)
{
    const int64_t block = r->suite.harvest.block, context = r->suite.corpus.context;
    MPI_Comm comm = r->run->comm;
    int64_t bytes;
    enum status st;

    TRY_ALL(comm, config_read(&r->config, r->suite.model.path));
    r->precision = r->suite.model.precision;
    TRY_ALL(comm, weights_check_precision(r->precision));
    TRY_ALL(comm, read_autoencoder(r, folder, entry));
    TRY_ALL(comm, selection_of_evaluate(&r->selection, &r->suite));
    const struct splice_room room = {
        .sequences = block, .context = context, .saes = 1, .latents = r->sae.latents,
        .transcoders = r->place.read.site != r->place.replaced.site,
    };
    bytes = weights_reading_bytes(&r->config, omp_get_max_threads())
            + splice_bytes(&r->config, r->precision, &room);
    if (comm_first_of_node(comm))
        bytes += weights_bytes(&r->config, r->precision);
    TRY(memory_check(comm, bytes, "scoring again"));
    TRY(weights_read(&r->weights, &r->config, r->precision, r->suite.model.path, comm));
    splice_make(&r->splice, &r->weights, r->selection.tokens.special, &room);
    r->ids = allocate(block * context, sizeof *r->ids);
    r->origins = allocate(block, sizeof *r->origins);
    r->mean = allocate(r->sae.outputs, sizeof *r->mean);
    r->fired = allocate(r->sae.latents, sizeof *r->fired);
    scores_sums_make(&r->sums, context, 1);
done:
    return st;
}

static void tear_down(struct rescore *r)
{
    scores_sums_free(&r->sums);
    free(r->fired);
    free(r->mean);
    free(r->origins);
    free(r->ids);
    splice_free(&r->splice);
    weights_free(&r->weights);
    selection_close(&r->selection);
    sae_free(&r->sae);
    suite_free(&r->suite);
}

/* ---- over the text -------------------------------------------------------------- */

/* Take up a block of the text. */
static enum status start_block(struct rescore *r, int64_t block)
{
    const struct range range = split_block(r->selection.sequences, r->suite.harvest.block, block);
    enum status st;

    TRY(selection_read(&r->selection, range, r->ids, r->origins));
    TRY(splice_start(&r->splice, r->ids, range.end - range.first));
done:
    run_progress(r->run, r->what, r->since, 0, block + 1,
                 split_blocks(r->selection.sequences, r->suite.harvest.block), "blocks");
    return st;
}

/* The sum of a block's rows of text, and behind it how many they are. */
static enum status norm_add_rows(void *context, int64_t block, double *sums)
{
    struct rescore *r = context;
    enum status st;

    TRY(start_block(r, block));
    splice_add_rows(&r->splice, r->place.replaced, sums);
    sums[r->sae.outputs] = (double)r->splice.texts;
done:
    return st;
}

static enum status add_scores(void *context, int64_t block, double *sums)
{
    struct rescore *r = context;
    struct score_sums of_block = r->sums;
    enum status st;

    of_block.values = sums;
    TRY(start_block(r, block));
    TRY(splice_score(&r->splice, &of_block, &r->fired, r->place, r->mean, &r->sae, 1));
done:
    return st;
}

/* What `compute` adds for all blocks, `count` sums.  Collective. */
static enum status sum_blocks(struct rescore *r, const char *what, double *total, int64_t count,
                              enum status (*compute)(void *, int64_t, double *))
{
    const struct block_sum deal = {
        .run = r->run,
        .blocks = split_blocks(r->selection.sequences, r->suite.harvest.block),
        .count = count,
        .context = r,
        .compute = compute,
    };

    r->what = what;
    r->since = MPI_Wtime();
    return block_sum_run(&deal, total);
}

/* Collective. */
static enum status score(struct rescore *r, json_t **scores)
{
    const int32_t width = r->sae.outputs;
    double *sum = allocate(width + 1, sizeof *sum);
    enum status st;

    TRY(sum_blocks(r, "means of the text", sum, width + 1, norm_add_rows));
    for (int32_t i = 0; i < width; i++)
        r->mean[i] = (float)(sum[i] / sum[width]);
    TRY(sum_blocks(r, "scoring again", r->sums.values, r->sums.count, add_scores));
    MPI_Allreduce(MPI_IN_PLACE, r->fired, r->sae.latents, MPI_INT64_T, MPI_SUM, r->run->comm);
    *scores = scores_json(&r->sums, 0, r->place.read, r->fired, r->sae.latents);
done:
    free(sum);
    return st;
}

/* ---- comparing ------------------------------------------------------------------ */

/* Two scores are one if they differ by no more than rounding may; counts by one. */
static bool same_score(const json_t *a, const json_t *b)
{
    const double x = json_number_value(a), y = json_number_value(b);

    return fabs(x - y) <= TOLERANCE * fmax(fabs(x), fabs(y)) + (json_is_integer(a) ? 1 : 1e-6);
}

/* Local. */
static enum status compare(const struct rescore *r, json_t *scores)
{
    char path[PATH_LENGTH];
    json_error_t error;
    json_t *stored, *now;
    const char *name;
    enum status st = OK;

    path_print(path, "%s/scores.json", r->folder);
    stored = json_load_file(path, 0, &error);
    if (stored == NULL)
        return refuse(E_FORMAT, "cannot read %s: %s", path, error.text);
    json_object_foreach(scores, name, now) {
        const json_t *then = json_object_get(stored, name);

        if (json_is_number(now) && (!json_is_number(then) || !same_score(now, then)))
            TRY(refuse(E_NUMERIC, "%s says %s %.9g, but scoring it again gives %.9g", path, name,
                       json_number_value(then), json_number_value(now)));
    }
done:
    json_decref(stored);
    return st;
}

enum status rescore(struct run *run, const char *folder, const json_t *manifest, int64_t which)
{
    const json_t *list = json_object_get(manifest, "autoencoders");
    struct rescore r = { .run = run };
    json_t *scores = NULL;
    enum status st;

    TRY_ALL(run->comm, manifest_suite(&r.suite, folder, manifest));
    if (!at_hand(&r)) {
        run_note(run, "not scored again: that needs the run's tokens beside the release, and the "
                 "model");
        goto done;
    }
    TRY(set_up(&r, folder, json_array_get(list, (size_t)which)));
    TRY(score(&r, &scores));
    TRY_ALL(run->comm, compare(&r, scores));
    run_note(run, "%s has the scores it says, on %lld held-out sequences",
             json_string_value(json_object_get(json_array_get(list, (size_t)which), "folder")),
             (long long)r.selection.sequences);
done:
    json_decref(scores);
    tear_down(&r);
    return st;
}
