/* evaluate -- splice every trained autoencoder into the model and score it.
 *
 *   mpirun -n RANKS bin/saemill-evaluate SUITE
 *
 *   reads   RUN/tokens/00000.h5 ...         held-out sequences
 *           RUN/train/res.01/NAME.h5        autoencoders
 *   writes  RUN/evaluate/res.01/NAME.json   scores: FORMATS.md, "Scores"
 *
 * A pass over the held-out text sums up the rows of every tap, for their means.  Then each place
 * takes a pass for its autoencoders, or several, if they do not all fit into memory (score_text.h,
 * evaluate_stage.h).
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/memory.h"
#include "base/run.h"
#include "evaluate/evaluate_stage.h"
#include "evaluate/score_text.h"
#include "sae/saefile.h"
#include "sae/shared_saes.h"
#include "shard/maker.h"
#include "suite/paths.h"

#include <omp.h>
#include <stdlib.h>

static const char HELP[] =
    "saemill-evaluate SUITE [--task N]\n"
    "\n"
    "Splice every trained autoencoder into the model on held-out text and write its scores:\n"
    "RUN/evaluate/SITE.LL/NAME.json.  Those that are done are skipped.  --task N does the\n"
    "autoencoders of tap N alone.\n";

/* Autoencoders of one place that have no scores yet. */
struct missing {
    struct placed placed;
    float        *mean;         /* [width] of the replaced tap's rows of text */
};

struct evaluate {
    struct run       *run;
    struct suite      suite;
    struct lm_config  config;
    enum precision    precision;    /* of the model's products */
    struct tasks      tasks;
    struct identities identities;
    struct stage_host host;
    struct held_out   text;
    struct missing   *missing;      /* [places] in the order in which the model comes to them */
    int               places;
};

/* --- what there is to do ------------------------------------------------------------- */

static int by_step(const void *a, const void *b)
{
    const struct missing *x = a, *y = b;
    const int64_t step_x = site_tap_step(x->placed.place.replaced);
    const int64_t step_y = site_tap_step(y->placed.place.replaced);

    return (step_x > step_y) - (step_x < step_y);
}

/* Note the autoencoders of one tap that give rows of one site and have no scores.
 * Collective. */
static void note_missing(struct evaluate *evaluate, const struct tap_task *task, enum site site)
{
    struct placed placed = evaluate_placed(task, site);
    char path[PATH_LENGTH];
    int count = 0;

    for (int i = 0; i < placed.count; i++) {
        paths_scores(path, &evaluate->suite, task->tap, placed.saes[i]->name);
        if (!comm_file_exists(evaluate->run->comm, path))
            placed.saes[count++] = placed.saes[i];
    }
    placed.count = count;
    if (count == 0)
        evaluate_placed_free(&placed);
    else
        evaluate->missing[evaluate->places++].placed = placed;
}

/* Everything that is to be scored must be trained.  Local. */
static enum status check_trained(const struct evaluate *evaluate)
{
    char path[PATH_LENGTH];
    enum status st = OK;

    for (int t = 0; t < evaluate->places; t++) {
        const struct placed *placed = &evaluate->missing[t].placed;
        for (int i = 0; i < placed->count; i++) {
            paths_sae(path, &evaluate->suite, placed->place.read, placed->saes[i]->name, ".h5");
            REQUIRE(file_exists(path), E_USAGE, "cannot evaluate %s: it is not there; run train "
                    "first", path);
            const struct identity wanted = identities_sae(&evaluate->identities,
                                                          placed->place.read, placed->saes[i]);
            TRY(saefile_check(path, &wanted));
        }
    }
done:
    return st;
}

/* Collective. */
static enum status find_missing(struct evaluate *evaluate)
{
    struct tasks *tasks = &evaluate->tasks;
    MPI_Comm comm = evaluate->run->comm;
    enum status st;

    TRY_ALL(comm, config_read(&evaluate->config, evaluate->suite.model.path));
    evaluate->precision = evaluate->suite.model.precision;
    TRY_ALL(comm, weights_check_precision(evaluate->precision));
    TRY_ALL(comm, tasks_make(tasks, &evaluate->suite, evaluate->config.layers));
    TRY(run_check_task(evaluate->run, tasks->taps_count));
    evaluate->missing = allocate(tasks->taps_count * SITES, sizeof *evaluate->missing);
    for (int t = 0; t < tasks->taps_count; t++)
        if (run_does_task(evaluate->run, t))
            for (int site = 0; site < SITES; site++)
                note_missing(evaluate, &tasks->train[t], (enum site)site);
    qsort(evaluate->missing, (size_t)evaluate->places, sizeof *evaluate->missing, by_step);
    TRY(identities_open(&evaluate->identities, comm, &evaluate->suite));
    TRY_ALL(comm, check_trained(evaluate));
done:
    return st;
}

/* --- memory -------------------------------------------------------------------------- */

/* The host, the same on all ranks: that of the fullest node.  Collective. */
static struct stage_host find_host(const struct evaluate *evaluate)
{
    MPI_Comm comm = evaluate->run->comm, node = comm_of_node(comm);
    int64_t most[] = { 0, omp_get_max_threads(), -memory_limit() };
    int ranks;

    MPI_Comm_size(node, &ranks);
    MPI_Comm_free(&node);
    most[0] = ranks;
    MPI_Allreduce(MPI_IN_PLACE, most, 3, MPI_INT64_T, MPI_MAX, comm);
    return (struct stage_host){
        .suite = &evaluate->suite, .model = &evaluate->config, .tasks = &evaluate->tasks,
        .nodes = 1, .ranks = (int)most[0], .threads = (int)most[1], .memory = -most[2],
        .weights = weights_bytes(&evaluate->config, evaluate->precision),
    };
}

/* What this rank will allocate for the place that needs most.  Collective. */
static int64_t bytes_needed(const struct evaluate *evaluate)
{
    const bool first = comm_first_of_node(evaluate->run->comm);
    struct stage_memory need = {0};

    for (int t = 0; t < evaluate->places; t++)
        need = stage_larger(&evaluate->host, need,
                            evaluate_placed_bytes(&evaluate->host, &evaluate->missing[t].placed));
    return need.rank + (first ? need.node : 0);
}

/* Passes over the text: one for the means, and one for each group. */
static int64_t count_passes(const struct evaluate *evaluate)
{
    int64_t passes = 1;

    for (int t = 0; t < evaluate->places; t++)
        for (struct placed rest = evaluate->missing[t].placed; rest.count > 0; passes++)
            rest = evaluate_rest(&rest, evaluate_group(&evaluate->host, &rest));
    return passes;
}

static void tear_down(struct evaluate *evaluate)
{
    for (int t = 0; t < evaluate->places; t++) {
        evaluate_placed_free(&evaluate->missing[t].placed);
        free(evaluate->missing[t].mean);
    }
    free(evaluate->missing);
    held_out_close(&evaluate->text);
    identities_free(&evaluate->identities);
    tasks_free(&evaluate->tasks);
    suite_free(&evaluate->suite);
}

/* --- means --------------------------------------------------------------------------- */

/* Collective. */
static enum status find_means(struct evaluate *evaluate)
{
    struct tap *taps = allocate(evaluate->places, sizeof *taps);
    float **mean = allocate(evaluate->places, sizeof *mean);
    enum status st;

    for (int t = 0; t < evaluate->places; t++) {
        struct missing *missing = &evaluate->missing[t];
        taps[t] = missing->placed.place.replaced;
        missing->mean = allocate(lm_site_width(&evaluate->config, taps[t].site), sizeof(float));
        mean[t] = missing->mean;
    }
    st = score_text_means(&evaluate->text, taps, evaluate->places, mean);
    free(mean);
    free(taps);
    return st;
}

/* --- scores -------------------------------------------------------------------------- */

/* Collective. */
static enum status read_group(struct shared_saes *shared, const struct evaluate *evaluate,
                              const struct placed *group)
{
    MPI_Comm comm = evaluate->run->comm;
    char path[PATH_LENGTH];
    enum status st = OK;

    for (int i = 0; i < group->count; i++) {
        const struct sae_task *task = group->saes[i];
        paths_sae(path, &evaluate->suite, group->place.read, task->name, ".h5");
        TRY(shared_saes_read(shared, comm, saefile_read, path));
        TRY_ALL(comm, shared->saes[i].latents == task->width ? OK
                : refuse(E_FORMAT, "%s has %d latents, but the suite asks for %d", path,
                         (int)shared->saes[i].latents, (int)task->width));
    }
done:
    return st;
}

static void note_scores(struct evaluate *evaluate, struct tap tap, const struct sae_task *task,
                        const json_t *scores)
{
    char name[32];

    run_note(evaluate->run, "%s %s: L0 %.1f, FVU %.3f, loss %+.3f nats, %lld of %d latents never "
             "active", site_tap_name(name, tap), task->name,
             json_number_value(json_object_get(scores, "l0")),
             json_number_value(json_object_get(scores, "fvu")),
             json_number_value(json_object_get(scores, "delta_loss")),
             (long long)json_integer_value(json_object_get(scores, "never_active")),
             (int)task->width);
}

/* Write the scores of autoencoder number i of a group, by rank 0.  Local. */
static enum status write_scores(struct evaluate *evaluate, const struct scored *scored,
                                const struct sae_task *task, int i)
{
    const struct tap tap = scored->place.read;
    const struct identity identity = identities_scores(&evaluate->identities, tap, task);
    char path[PATH_LENGTH], *of_training = NULL;
    json_t *scores = scores_json(&scored->sums, i, tap, scored->fired[i], scored->saes[i].latents);
    enum status st;

    scores_tell_identity(scores, &identity);
    json_object_set_new(scores, "name", json_string(task->name));
    json_object_set_new(scores, "recipe", json_string(ARCHITECTURES[task->architecture].name));
    json_object_set_new(scores, "target", json_string(site_name(task->target.site)));
    json_object_set_new(scores, "sequences", json_integer(evaluate->text.selection.sequences));
    paths_sae(path, &evaluate->suite, tap, task->name, ".h5");
    TRY(h5_read_maker(path, &of_training));
    json_object_set_new(scores, "kernels", json_string(maker_kernels()));
    json_object_set_new(scores, "kernels_of_training",
                        of_training != NULL ? json_string(of_training) : json_null());
    REQUIRE(json_is_number(json_object_get(scores, "ce_spliced")), E_NUMERIC, "cannot score %s: "
            "spliced in, it makes the model's loss infinite or not a number; remove it and train "
            "it again", path);
    paths_scores(path, &evaluate->suite, tap, task->name);
    if (evaluate->run->rank == 0)
        TRY(scores_write(scores, path));
    note_scores(evaluate, tap, task, scores);
done:
    free(of_training);
    json_decref(scores);
    return st;
}

/* Collective. */
static enum status score_group(struct evaluate *evaluate, const struct placed *group,
                               const float *mean)
{
    struct shared_saes shared;
    struct scored scored = {0};
    enum status st;

    shared_saes_make(&shared, group->count);
    TRY(read_group(&shared, evaluate, group));
    scored = (struct scored){ .place = group->place, .mean = mean, .saes = shared.saes,
                              .count = shared.count };
    TRY(score_text_splice(&evaluate->text, &scored));
    for (int i = 0; i < group->count; i++)
        TRY_ALL(evaluate->run->comm, write_scores(evaluate, &scored, group->saes[i], i));
done:
    score_text_free(&scored);
    shared_saes_free(&shared);
    return st;
}

/* Collective. */
static enum status score_place(struct evaluate *evaluate, const struct missing *missing)
{
    enum status st = OK;

    for (struct placed rest = missing->placed; rest.count > 0; ) {
        struct placed group = rest;
        group.count = evaluate_group(&evaluate->host, &rest);
        TRY(score_group(evaluate, &group, missing->mean));
        rest = evaluate_rest(&rest, group.count);
    }
done:
    return st;
}

/* --- all of it ----------------------------------------------------------------------- */

/* Autoencoders without scores. */
static int64_t count_missing(const struct evaluate *evaluate)
{
    int64_t count = 0;

    for (int t = 0; t < evaluate->places; t++)
        count += evaluate->missing[t].placed.count;
    return count;
}

/* Collective. */
static enum status evaluate_all(struct evaluate *evaluate)
{
    char path[PATH_LENGTH];
    enum status st;

    evaluate->host = find_host(evaluate);
    TRY(held_out_open(&evaluate->text, evaluate->run, &evaluate->suite, &evaluate->config,
                      evaluate->precision, bytes_needed(evaluate), "evaluate"));
    paths_scores(path, &evaluate->suite, evaluate->missing[0].placed.place.read, "");
    TRY_ROOT(evaluate->run->comm,
             file_check_disk(path, EVALUATE_SCORES_BYTES * count_missing(evaluate), "evaluate"));
    evaluate->text.planned = count_passes(evaluate);
    run_note(evaluate->run, "%d place%s, %lld held-out sequences, %lld passes over them",
             evaluate->places, evaluate->places == 1 ? "" : "s",
             (long long)evaluate->text.selection.sequences, (long long)evaluate->text.planned);
    TRY(find_means(evaluate));
    for (int t = 0; t < evaluate->places; t++)
        TRY(score_place(evaluate, &evaluate->missing[t]));
done:
    return st;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct evaluate evaluate = { .run = &run };
    enum status st;

    TRY(run_start(&run, "evaluate", HELP, argc, argv));
    TRY(suite_read(&evaluate.suite, &run));
    TRY(maker_settle(&run, &evaluate.suite));
    TRY(find_missing(&evaluate));
    if (evaluate.places == 0)
        run_note(&run, "every autoencoder has its scores already");
    else
        TRY(evaluate_all(&evaluate));
    run_summary(&run, (double)(evaluate.text.passes * evaluate.text.selection.sequences
                               * evaluate.suite.corpus.context), "tokens", 0);
done:
    tear_down(&evaluate);
    return run_finish(&run, st);
}
