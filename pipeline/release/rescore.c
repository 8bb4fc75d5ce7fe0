#include "release/rescore.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "evaluate/score_text.h"
#include "evaluate/scores.h"
#include "release/manifest.h"
#include "sae/shared_saes.h"
#include "suite/paths.h"

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
    struct shared_saes shared;              /* the one that is scored */
    char              folder[PATH_LENGTH];  /* of the autoencoder */
    float            *mean;                 /* [width] of the site's rows of text */
    struct scored     scored;
    struct held_out   text;
};

/* ---- what is at hand ------------------------------------------------------------ */

/* Are text and model there, and the record that says which they are?  Rank 0 looks.
 * Collective. */
static bool at_hand(const struct rescore *r)
{
    char tokens[PATH_LENGTH], inputs[PATH_LENGTH], config[PATH_LENGTH];
    MPI_Comm comm = r->run->comm;

    paths_tokens(tokens, &r->suite, 0);
    paths_inputs(inputs, &r->suite);
    path_print(config, "%s/config.json", r->suite.model.path);
    return comm_file_exists(comm, tokens) && comm_file_exists(comm, inputs)
           && comm_file_exists(comm, config);
}

/* Where the manifest says that it is spliced in.  Local. */
static enum status find_place(struct rescore *r, const char *folder, const json_t *entry)
{
    const char *site = json_string_value(json_object_get(entry, "site"));
    const char *target = json_string_value(json_object_get(entry, "target"));
    struct tap *read = &r->scored.place.read, *replaced = &r->scored.place.replaced;
    enum status st;

    path_print(r->folder, "%s/%s", folder,
               json_string_value(json_object_get(entry, "folder")));
    TRY(site_parse(&read->site, site == NULL ? "" : site));
    TRY(site_parse(&replaced->site, target == NULL ? "" : target));
    read->layer = replaced->layer = (int)json_integer_value(json_object_get(entry, "layer"));
    REQUIRE(read->layer >= 0 && read->layer < r->config.layers, E_FORMAT, "%s/params.npz is said "
            "to be of layer %d, but the model has %d", r->folder, read->layer, r->config.layers);
done:
    return st;
}

/* Collective. */
static enum status read_autoencoder(struct rescore *r)
{
    const int32_t inputs = lm_site_width(&r->config, r->scored.place.read.site);
    const int32_t outputs = lm_site_width(&r->config, r->scored.place.replaced.site);
    MPI_Comm comm = r->run->comm;
    char path[PATH_LENGTH];
    enum status st;

    path_print(path, "%s/params.npz", r->folder);
    shared_saes_make(&r->shared, 1);
    TRY(shared_saes_read(&r->shared, comm, sae_read_npz, path));
    const struct sae *sae = r->scored.saes = r->shared.saes;
    r->scored.count = 1;
    TRY_ALL(comm, sae->inputs == inputs && sae->outputs == outputs ? OK
            : refuse(E_FORMAT, "%s makes %d values from %d, but the model has %d and %d there",
                     path, sae->outputs, sae->inputs, outputs, inputs));
done:
    return st;
}

/* What this rank holds; the first of a node counts what its ranks share.  Collective. */
static int64_t bytes_needed(const struct rescore *r)
{
    const struct sae *sae = r->scored.saes;
    const int threads = omp_get_max_threads();
    const struct splice_capacity capacity = {
        .sequences = r->suite.harvest.block, .context = r->suite.corpus.context,
        .saes = 1, .latents = sae->latents,
        .transcoders = r->scored.place.read.site != r->scored.place.replaced.site,
    };
    const int64_t reading = weights_reading_bytes(&r->config, threads);
    int64_t bytes = splice_bytes(&r->config, r->precision, &capacity, threads)
                    + sae->latents * (int64_t)sizeof(int64_t);

    bytes = bytes > reading ? bytes : reading;
    if (comm_first_of_node(r->run->comm))
        bytes += weights_bytes(&r->config, r->precision)
                 + (int64_t)sizeof(float) * sae_parameters(sae->inputs, sae->outputs, sae->latents,
                                                           sae->skip != NULL);
    return bytes;
}

/* The autoencoder of this name and tap that the suite asks for.  Local.  E_FORMAT. */
static enum status find_task(const struct sae_task **found, const struct rescore *r,
                             const struct tasks *tasks, const char *name)
{
    const struct tap tap = r->scored.place.read;
    enum status st;

    *found = NULL;
    for (int t = 0; t < tasks->taps_count; t++)
        for (int i = 0; i < tasks->train[t].count; i++)
            if (tasks->train[t].tap.site == tap.site && tasks->train[t].tap.layer == tap.layer
                && strcmp(tasks->train[t].saes[i].name, name) == 0)
                *found = &tasks->train[t].saes[i];
    REQUIRE(*found != NULL, E_FORMAT, "%s is said to be the autoencoder %s, which the release's "
            "suite does not ask for there", r->folder, name);
done:
    return st;
}

/* The scores must be of this autoencoder, of this run, of the model and the text that are there:
 * only then can they be compared.  Local.  E_USAGE, E_FORMAT, E_IO. */
static enum status check_identity(const struct rescore *r, const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "name"));
    struct identities identities = {0};
    struct tasks tasks = {0};
    const struct sae_task *task;
    json_t *scores = NULL;
    char path[PATH_LENGTH];
    enum status st;

    path_print(path, "%s/scores.json", r->folder);
    TRY(tasks_make(&tasks, &r->suite, r->config.layers));
    TRY(find_task(&task, r, &tasks, name == NULL ? "" : name));
    TRY(identities_read(&identities, &r->suite));
    const struct identity wanted = identities_scores(&identities, r->scored.place.read, task);
    TRY(scores_read(&scores, path));
    TRY(scores_check_identity(scores, path, &wanted));
done:
    json_decref(scores);
    tasks_free(&tasks);
    identities_free(&identities);
    return st;
}

/* Collective. */
static enum status set_up(struct rescore *r, const char *folder, const json_t *entry)
{
    MPI_Comm comm = r->run->comm;
    enum status st;

    TRY_ALL(comm, config_read(&r->config, r->suite.model.path));
    r->precision = r->suite.model.precision;
    TRY_ALL(comm, weights_check_precision(r->precision));
    TRY_ALL(comm, find_place(r, folder, entry));
    TRY_ALL(comm, check_identity(r, entry));
    TRY(read_autoencoder(r));
    TRY(held_out_open(&r->text, r->run, &r->suite, &r->config, r->precision, bytes_needed(r),
                      "scoring again"));
    r->text.planned = 2;
    r->mean = allocate(r->scored.saes->outputs, sizeof *r->mean);
done:
    return st;
}

static void tear_down(struct rescore *r)
{
    score_text_free(&r->scored);
    held_out_close(&r->text);
    free(r->mean);
    shared_saes_free(&r->shared);
    suite_free(&r->suite);
}

/* Collective. */
static enum status score(struct rescore *r, json_t **scores)
{
    struct scored *scored = &r->scored;
    enum status st;

    TRY(score_text_means(&r->text, &scored->place.replaced, 1, &r->mean));
    scored->mean = r->mean;
    TRY(score_text_splice(&r->text, scored));
    *scores = scores_json(&scored->sums, 0, scored->place.read, scored->fired[0],
                          scored->saes->latents);
done:
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
    json_t *stored = NULL, *now;
    const char *name;
    enum status st;

    path_print(path, "%s/scores.json", r->folder);
    TRY(scores_read(&stored, path));
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
        run_note(run, "not scored again: that needs the run's tokens and inputs next to the "
                 "release, and the model");
        goto done;
    }
    TRY(set_up(&r, folder, json_array_get(list, (size_t)which)));
    TRY(score(&r, &scores));
    TRY_ALL(run->comm, compare(&r, scores));
    run_note(run, "%s has the scores it says, on %lld held-out sequences",
             json_string_value(json_object_get(json_array_get(list, (size_t)which), "folder")),
             (long long)r.text.selection.sequences);
done:
    json_decref(scores);
    tear_down(&r);
    return st;
}
