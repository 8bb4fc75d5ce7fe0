/* evaluate -- splice every trained autoencoder into the model and score it.
 *
 *   mpirun -n RANKS bin/saemill-evaluate SUITE
 *
 *   reads   RUN/tokens/00000.h5 ...         held-out sequences
 *           RUN/train/res.01/NAME.h5        autoencoders
 *   writes  RUN/evaluate/res.01/NAME.json   scores: FORMATS.md, "Scores"
 *
 * Two passes over the held-out text.  The first sums up the rows of every tap, for their
 * means.  The second, tap by tap, lets the model go on from there in all the ways that are
 * compared (splice.h).  Blocks of a fixed number of sequences are dealt to the ranks; their
 * sums are added in the order of the blocks, so that the scores have the same bits on any
 * number of ranks.
 */
#include "base/agree.h"
#include "base/allocate.h"
#include "base/block_sum.h"
#include "base/memory.h"
#include "base/run.h"
#include "corpus/selection.h"
#include "evaluate/splice.h"
#include "sae/saefile.h"
#include "suite/paths.h"
#include "suite/tasks.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "saemill-evaluate SUITE [--task N]\n"
    "\n"
    "Splice every trained autoencoder into the model on held-out text and write its scores:\n"
    "RUN/evaluate/SITE.LL/NAME.json.  Those that are done are skipped.  --task N does the\n"
    "autoencoders of tap N alone.\n";

/* The autoencoders of one place that have no scores yet. */
struct missing {
    struct splice_place place;
    struct sae_task **saes;     /* [count] */
    int               count;
    float            *mean;     /* [width] of the replaced tap's rows of text */
};

struct evaluate {
    struct run       *run;
    struct suite      suite;
    struct lm_config  config;
    enum precision    precision;    /* of the model's products */
    struct tasks      tasks;
    struct selection  selection;
    struct weights    weights;
    struct splice     splice;
    struct missing   *missing;      /* [places] in the order in which the model comes to them */
    int               places;
    struct splice_room room;
    int32_t          *ids;          /* [block, context] */
    struct sequence_origin *origins;    /* [block] */
    double            since;        /* when the first pass began */
    int64_t           passes;       /* over the text that are done */
};

/* --- what there is to do ------------------------------------------------------------- */

static int by_step(const void *a, const void *b)
{
    const struct missing *x = a, *y = b;
    const int64_t step_x = site_tap_step(x->place.replaced);
    const int64_t step_y = site_tap_step(y->place.replaced);

    return (step_x > step_y) - (step_x < step_y);
}

/* Note the autoencoders of one tap that give rows of one site and have no scores.
 * Collective. */
static void note_missing(struct evaluate *evaluate, const struct tap_task *task, enum site site)
{
    struct missing *missing = &evaluate->missing[evaluate->places];
    struct splice_room *room = &evaluate->room;
    char path[PATH_LENGTH];

    *missing = (struct missing){ .place = { task->tap, { site, task->tap.layer } } };
    missing->saes = allocate(task->count, sizeof(struct sae_task *));
    for (int i = 0; i < task->count; i++) {
        paths_scores(path, &evaluate->suite, task->tap, task->saes[i].name);
        if (task->saes[i].target.site != site || comm_file_exists(evaluate->run->comm, path))
            continue;
        missing->saes[missing->count++] = &task->saes[i];
        if (task->saes[i].width > room->latents)
            room->latents = task->saes[i].width;
        room->transcoders |= task->saes[i].transcoder;
    }
    if (missing->count > room->saes)
        room->saes = missing->count;
    if (missing->count == 0)
        free(missing->saes);
    else
        evaluate->places++;
}

/* Everything that is to be scored must be trained.  Local. */
static enum status check_trained(const struct evaluate *evaluate)
{
    char path[PATH_LENGTH];

    for (int t = 0; t < evaluate->places; t++)
        for (int i = 0; i < evaluate->missing[t].count; i++) {
            paths_sae(path, &evaluate->suite, evaluate->missing[t].place.read,
                     evaluate->missing[t].saes[i]->name, ".h5");
            if (!file_exists(path))
                return refuse(E_USAGE, "cannot evaluate %s: it is not there; run train first",
                              path);
        }
    return OK;
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
    TRY_ALL(comm, check_trained(evaluate));
done:
    return st;
}

/* --- room ---------------------------------------------------------------------------- */

static int64_t sae_bytes(const struct lm_config *config, struct splice_place place,
                         const struct sae_task *task)
{
    const int64_t inputs = lm_site_width(config, place.read.site), latents = task->width;
    const int64_t outputs = lm_site_width(config, place.replaced.site);

    return (int64_t)sizeof(float) * ((inputs + outputs + 3) * latents + outputs
                                     + (task->skip ? inputs * outputs : 0));
}

static int64_t bytes_needed(const struct evaluate *evaluate)
{
    const struct lm_config *config = &evaluate->config;
    int64_t saes = 0, model = weights_reading_bytes(config, omp_get_max_threads());

    if (comm_first_of_node(evaluate->run->comm))
        model += weights_bytes(config, evaluate->precision);
    for (int t = 0; t < evaluate->places; t++) {
        const struct missing *missing = &evaluate->missing[t];
        int64_t bytes = 0;
        for (int i = 0; i < missing->count; i++)
            bytes += sae_bytes(config, missing->place, missing->saes[i]);
        saes = bytes > saes ? bytes : saes;
    }
    return model + saes
           + splice_bytes(config, evaluate->precision, &evaluate->room);
}

/* Collective. */
static enum status set_up(struct evaluate *evaluate)
{
    const struct suite *suite = &evaluate->suite;
    const int64_t block = suite->harvest.block, context = suite->corpus.context;
    MPI_Comm comm = evaluate->run->comm;
    enum status st;

    evaluate->room.sequences = block;
    evaluate->room.context = context;
    TRY_ALL(comm, selection_of_evaluate(&evaluate->selection, suite));
    TRY(memory_check(comm, bytes_needed(evaluate), "evaluate"));
    TRY(weights_read(&evaluate->weights, &evaluate->config, evaluate->precision,
                     suite->model.path, comm));
    splice_make(&evaluate->splice, &evaluate->weights, evaluate->selection.tokens.special,
                &evaluate->room);
    evaluate->ids = allocate(block * context, sizeof *evaluate->ids);
    evaluate->origins = allocate(block, sizeof *evaluate->origins);
    for (int t = 0; t < evaluate->places; t++) {
        const enum site replaced = evaluate->missing[t].place.replaced.site;
        evaluate->missing[t].mean = allocate(lm_site_width(&evaluate->config, replaced),
                                             sizeof(float));
    }
    evaluate->since = MPI_Wtime();
done:
    return st;
}

static void tear_down(struct evaluate *evaluate)
{
    for (int t = 0; t < evaluate->places; t++) {
        free(evaluate->missing[t].saes);
        free(evaluate->missing[t].mean);
    }
    free(evaluate->missing);
    free(evaluate->ids);
    free(evaluate->origins);
    splice_free(&evaluate->splice);
    weights_free(&evaluate->weights);
    selection_close(&evaluate->selection);
    tasks_free(&evaluate->tasks);
    suite_free(&evaluate->suite);
}

/* --- a block of text ----------------------------------------------------------------- */

/* Read block number `block` and take it up.  Local. */
static enum status start_block(struct evaluate *evaluate, int64_t block)
{
    const int64_t sequences = evaluate->selection.sequences;
    const struct range range = split_block(sequences, evaluate->suite.harvest.block, block);
    const enum phase before = phase_enter(PHASE_READ);
    enum status st = selection_read(&evaluate->selection, range, evaluate->ids, evaluate->origins);

    phase_enter(before);
    run_progress(evaluate->run, "held-out text", evaluate->since, 0,
                 evaluate->passes * sequences + range.first, (1 + evaluate->places) * sequences,
                 "sequences");
    return st == OK ? splice_start(&evaluate->splice, evaluate->ids, range.end - range.first) : st;
}

/* Sum up all blocks of the text.  Collective. */
static enum status sum_text(struct evaluate *evaluate, struct block_sum deal, double *total)
{
    enum status st;

    deal.run = evaluate->run;
    deal.blocks = split_blocks(evaluate->selection.sequences, evaluate->suite.harvest.block);
    st = block_sum_run(&deal, total);
    evaluate->passes++;
    return st;
}

/* --- the first pass: means ----------------------------------------------------------- */

/* The sums of the taps lie behind each other; the number of rows comes last. */
static enum status add_rows_of_all_taps(void *context, int64_t block, double *sums)
{
    struct evaluate *evaluate = context;
    enum status st;

    TRY(start_block(evaluate, block));
    for (int t = 0; t < evaluate->places; t++) {
        const struct tap tap = evaluate->missing[t].place.replaced;
        splice_add_rows(&evaluate->splice, tap, sums);
        sums += lm_site_width(&evaluate->config, tap.site);
    }
    *sums = (double)evaluate->splice.texts;
done:
    return st;
}

/* Collective. */
static enum status find_means(struct evaluate *evaluate)
{
    struct block_sum deal = { .context = evaluate, .compute = add_rows_of_all_taps, .count = 1 };
    double *sums;
    enum status st;

    for (int t = 0; t < evaluate->places; t++)
        deal.count += lm_site_width(&evaluate->config, evaluate->missing[t].place.replaced.site);
    sums = allocate(deal.count, sizeof *sums);
    TRY(sum_text(evaluate, deal, sums));
    const double rows = sums[deal.count - 1], *sum = sums;
    TRY(rows > 0 ? OK : refuse(E_USAGE, "the held-out text has no tokens but BOS, EOS and "
                               "padding; set 'corpus: holdout' higher"));
    for (int t = 0; t < evaluate->places; t++) {
        const int32_t width = lm_site_width(&evaluate->config,
                                            evaluate->missing[t].place.replaced.site);
        for (int32_t i = 0; i < width; i++)
            evaluate->missing[t].mean[i] = (float)(*sum++ / rows);
    }
done:
    free(sums);
    return st;
}

/* --- the second pass: scores of a tap ------------------------------------------------ */

/* The autoencoders of one tap, and what is summed for them. */
struct tap_work {
    struct evaluate      *evaluate;
    const struct missing *missing;
    struct sae           *saes;     /* [missing->count] */
    int64_t             **fired;    /* [missing->count][latents] */
    struct score_sums     sums;     /* over all the text */
};

static enum status score_block(void *context, int64_t block, double *sums)
{
    struct tap_work *work = context;
    struct score_sums of_block = work->sums;
    enum status st;

    of_block.values = sums;
    TRY(start_block(work->evaluate, block));
    TRY(splice_score(&work->evaluate->splice, &of_block, work->fired, work->missing->place,
                     work->missing->mean, work->saes, work->missing->count));
done:
    return st;
}

/* Local. */
static enum status read_saes(struct evaluate *evaluate, struct tap_work *work)
{
    const enum phase before = phase_enter(PHASE_READ);
    char path[PATH_LENGTH];
    enum status st = OK;

    for (int i = 0; i < work->missing->count; i++) {
        const struct sae_task *task = work->missing->saes[i];
        paths_sae(path, &evaluate->suite, work->missing->place.read, task->name, ".h5");
        TRY(saefile_read(&work->saes[i], path));
        TRY(work->saes[i].latents == task->width ? OK
            : refuse(E_FORMAT, "%s has %d latents, but the suite asks for %d", path,
                     (int)work->saes[i].latents, (int)task->width));
    }
done:
    phase_enter(before);
    return st;
}

/* Write the scores of autoencoder number i, by rank 0.  Local. */
static enum status write_scores(struct evaluate *evaluate, const struct tap_work *work, int i)
{
    const struct sae_task *task = work->missing->saes[i];
    const struct tap tap = work->missing->place.read;
    char path[PATH_LENGTH], name[32];
    json_t *scores = scores_json(&work->sums, i, tap, work->fired[i], work->saes[i].latents);
    enum status st = OK;

    json_object_set_new(scores, "name", json_string(task->name));
    json_object_set_new(scores, "recipe", json_string(ARCHITECTURES[task->architecture].name));
    json_object_set_new(scores, "target", json_string(site_name(task->target.site)));
    json_object_set_new(scores, "sequences", json_integer(evaluate->selection.sequences));
    paths_sae(path, &evaluate->suite, tap, task->name, ".h5");
    if (!json_is_number(json_object_get(scores, "ce_spliced")))
        st = refuse(E_NUMERIC, "cannot score %s: spliced in, it makes the model's loss infinite or "
                    "not a number; remove it and train it again", path);
    paths_scores(path, &evaluate->suite, tap, task->name);
    if (st == OK && evaluate->run->rank == 0)
        st = scores_write(scores, path);
    if (st == OK)
        run_note(evaluate->run, "%s %s: L0 %.1f, FVU %.3f, loss %+.3f nats, %lld of %d latents "
                 "never active", site_tap_name(name, tap), task->name,
                 json_number_value(json_object_get(scores, "l0")),
                 json_number_value(json_object_get(scores, "fvu")),
                 json_number_value(json_object_get(scores, "delta_loss")),
                 (long long)json_integer_value(json_object_get(scores, "never_active")),
                 (int)task->width);
    json_decref(scores);
    return st;
}

/* Collective. */
static enum status evaluate_tap(struct evaluate *evaluate, const struct missing *missing)
{
    MPI_Comm comm = evaluate->run->comm;
    struct tap_work work = { .evaluate = evaluate, .missing = missing };
    enum status st;

    work.saes = allocate(missing->count, sizeof *work.saes);
    work.fired = allocate(missing->count, sizeof *work.fired);
    for (int i = 0; i < missing->count; i++)
        work.fired[i] = allocate(missing->saes[i]->width, sizeof **work.fired);
    scores_sums_make(&work.sums, evaluate->suite.corpus.context, missing->count);
    TRY_ALL(comm, read_saes(evaluate, &work));
    TRY(sum_text(evaluate, (struct block_sum){ .context = &work, .compute = score_block,
                                          .count = work.sums.count }, work.sums.values));
    for (int i = 0; i < missing->count; i++) {
        MPI_Allreduce(MPI_IN_PLACE, work.fired[i], comm_count(missing->saes[i]->width), MPI_INT64_T,
                      MPI_SUM, comm);
        TRY_ALL(comm, write_scores(evaluate, &work, i));
    }
done:
    for (int i = 0; i < missing->count; i++) {
        sae_free(&work.saes[i]);
        free(work.fired[i]);
    }
    free(work.saes);
    free(work.fired);
    scores_sums_free(&work.sums);
    return st;
}

/* --- all of it ----------------------------------------------------------------------- */

/* Collective. */
static enum status evaluate_all(struct evaluate *evaluate)
{
    enum status st;

    TRY(set_up(evaluate));
    run_note(evaluate->run, "%d place%s, %lld held-out sequences", evaluate->places,
             evaluate->places == 1 ? "" : "s", (long long)evaluate->selection.sequences);
    TRY(find_means(evaluate));
    for (int t = 0; t < evaluate->places; t++)
        TRY(evaluate_tap(evaluate, &evaluate->missing[t]));
done:
    return st;
}

int main(int argc, char **argv)
{
    struct run run = {0};
    struct evaluate evaluate = { .run = &run };
    enum status st;

    TRY(run_start(&run, "evaluate", HELP, argc, argv));
    TRY(suite_read(&evaluate.suite, run.comm, run.suite));
    TRY(find_missing(&evaluate));
    if (evaluate.places == 0)
        run_note(&run, "every autoencoder has its scores already");
    else
        TRY(evaluate_all(&evaluate));
    run_summary(&run, (double)(evaluate.passes * evaluate.selection.sequences
                               * evaluate.suite.corpus.context), "tokens", 0);
done:
    tear_down(&evaluate);
    return run_finish(&run, st);
}
