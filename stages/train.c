/* train -- train the autoencoders of every stream, those of one stream on one read of it.
 *
 *   mpirun -n RANKS bin/saemill-train SUITE [--task N]
 *
 *   reads   RUN/shuffle/res.01/00000.h5 ...            rows in random order
 *   writes  RUN/train/res.01/w1024-l0.0006.h5          a trained autoencoder
 *           RUN/train/res.01/w1024-l0.0006.tsv         a line for each of its steps
 *           RUN/train/res.01/NAME.checkpoint*.h5       until it is trained
 *
 * A task is a stream.  All its autoencoders take the same batch before the next is read.
 * Each is spread over all ranks (training.h); the parameters have the same bits on any
 * number of ranks and threads, and after any interruption.
 */
#include "base/memory.h"
#include "base/run.h"
#include "lm/weights.h"
#include "train/trainings.h"
#include "train/resume.h"
#include "train/publish.h"
#include "train/monitor.h"
#include "suite/tasks.h"

#include <omp.h>
#include <stdlib.h>

static const char HELP[] =
    "saemill-train SUITE [--task N]\n"
    "\n"
    "Train the autoencoders that the suite asks for: RUN/train/SITE.LL/NAME.h5 and NAME.tsv,\n"
    "the log of every step.  Those that are done are skipped; one that was interrupted goes on\n"
    "from its checkpoint.  --task N does only the autoencoders of stream N.  On SIGTERM or\n"
    "SIGUSR1 checkpoints are written and the program ends with status 7.\n";

struct train {
    struct run   run;
    struct suite suite;
    struct lm_config model;
    struct tasks tasks;
    int64_t      total, done;   /* rows times autoencoders: in all, and up to now */
    int64_t      before;        /* of `done`, not in this run */
    double       since;         /* when training began */
    double       bytes;         /* read, before decompression */
};

/* --- begin ------------------------------------------------------------------------- */

/* From its checkpoint, if there is one.  Collective. */
static enum status resume(struct train *train, const struct class *class, struct pupil *pupil)
{
    struct run *run = &train->run;
    struct resumption resumption;
    char stem[PATH_LENGTH];
    enum status st;

    pupil_path(stem, class, pupil, "");
    TRY(training_load(&pupil->training, pupil_data(class, pupil), stem, &resumption));
    if (resumption.damage[0] != '\0')
        run_warn(run, "%s; it is left, for the checkpoint before it", resumption.damage);
    if (!resumption.found)
        goto done;
    run_note(run, "%s %s goes on at step %lld of %lld", class->name, pupil->task->name,
             (long long)pupil->training.step, (long long)pupil->recipe.steps);
    train->before += pupil->training.step * pupil->recipe.batch;
    train->done += pupil->training.step * pupil->recipe.batch;
done:
    return st;
}

/* Collective. */
static enum status start_pupil(struct train *train, const struct class *class,
                               struct pupil *pupil)
{
    MPI_Comm comm = train->run.comm;
    char log[PATH_LENGTH];
    enum status st;

    training_make(&pupil->training, comm, &pupil->recipe, pupil_shape(class, pupil));
    TRY(resume(train, class, pupil));
    pupil_path(log, class, pupil, ".tsv");
    TRY_ALL(comm, train->run.rank > 0 ? OK : folder_make_above(log));
    TRY_ALL(comm, train->run.rank > 0 ? OK
            : steplog_open(&pupil->log, log, pupil->training.step));
done:
    return st;
}

/* Collective. */
static enum status start_class(struct train *train, struct class *class)
{
    struct run *run = &train->run;
    enum status st;

    TRY(memory_check(run->comm, class_bytes(class, run->size, omp_get_max_threads()), "train"));
    TRY(class_open(class, run->comm));
    for (int i = 0; i < class->count; i++)
        if (class->pupils[i].going)
            TRY(start_pupil(train, class, &class->pupils[i]));
done:
    return st;
}

/* --- end, or stop ------------------------------------------------------------------ */

static enum status save(struct train *train, struct class *class, struct pupil *pupil)
{
    char stem[PATH_LENGTH];
    enum status st;

    phase_enter(PHASE_WRITE);
    class_rest(class);
    pupil_path(stem, class, pupil, "");
    TRY_ALL(train->run.comm, train->run.rank == 0 ? steplog_sync(&pupil->log) : OK);
    TRY(training_save(&pupil->training, pupil_data(class, pupil), stem));
done:
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* Leave everything so that the same command goes on from here.  Collective. */
static enum status stop(struct train *train, struct class *class)
{
    enum status st = OK;

    for (int i = 0; i < class->count; i++)
        if (class->pupils[i].going)
            TRY(save(train, class, &class->pupils[i]));
    st = refuse(E_STOPPED, "stopped by a signal; run the same command again to go on");
done:
    return st;
}

/* Publish a trained autoencoder, last of all its files; then its checkpoints are of no use. */
static enum status finish_pupil(struct train *train, struct class *class, struct pupil *pupil)
{
    const struct training *training = &pupil->training;
    const struct sae_origin origin = {
        .tap = class->tap,
        .target = pupil->task->target,
        .scale = class->feed.scale,
        .target_scale = pupil_target(class, pupil)->scale,
        .variance = pupil_target(class, pupil)->variance,
        .rows = training->step * training->recipe.batch,
        .suite = train->suite.text,
        .last = pupil->last,
    };
    MPI_Comm comm = train->run.comm;
    char path[PATH_LENGTH], stem[PATH_LENGTH];
    enum status st;

    phase_enter(PHASE_WRITE);
    class_rest(class);
    TRY_ALL(comm, train->run.rank == 0 ? steplog_publish(&pupil->log) : OK);
    pupil_path(path, class, pupil, ".h5");
    TRY(publish_sae(training, &origin, path));
    pupil_path(stem, class, pupil, "");
    TRY_ALL(comm, train->run.rank == 0 ? checkpoint_remove(stem) : OK);
    training_free(&pupil->training);
    pupil->going = false;
done:
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* --- steps ------------------------------------------------------------------------- */

/* One step of one autoencoder, and what is due after it.  Collective. */
static enum status teach(struct train *train, struct class *class, struct pupil *pupil)
{
    const struct feed *target = pupil_target(class, pupil);
    const struct recipe *recipe = &pupil->recipe;
    struct training *training = &pupil->training;
    enum status st;

    st = training_step(training, &class->workspace, &class->feed.batch, &target->batch,
                       &pupil->last);
    TRY(watch_loss(class, pupil, st));
    train->done += recipe->batch;
    if (train->run.rank == 0)
        steplog_add(&pupil->log, &pupil->last, training->step * recipe->batch, target->variance);
    watch_warn(&train->run, class, pupil);
    if (training->step == recipe->steps)
        TRY(finish_pupil(train, class, pupil));
    else if (training->step % train->suite.train.checkpoint == 0)
        TRY(save(train, class, pupil));
done:
    return st;
}

static void speak(struct train *train, const struct class *class, int64_t step, int64_t steps)
{
    char text[1024], what[1200];

    watch_text(class, text, sizeof text);
    snprintf(what, sizeof what, "%s step %lld of %lld: %s", class->name, (long long)step,
             (long long)steps, text);
    run_progress(&train->run, train->run.live ? class->name : what, train->since, train->before,
                 train->done, train->total, "rows");
}

/* Train all autoencoders of a stream.  Collective. */
static enum status train_class(struct train *train, struct class *class)
{
    struct run *run = &train->run;
    char text[1024];
    enum status st;

    TRY(start_class(train, class));
    const struct range steps = class_steps(class);
    for (int64_t t = steps.first; t < steps.end; t++) {
        phase_enter(PHASE_READ);
        TRY(class_batch(class, t));
        phase_enter(PHASE_COMPUTE);
        train->bytes += (double)train->suite.train.batch
                        * (double)stream_row_bytes(class->feed.activations.stream);
        for (int i = 0; i < class->count; i++)
            if (class->pupils[i].going && class->pupils[i].training.step == t)
                TRY(teach(train, class, &class->pupils[i]));
        speak(train, class, t + 1, steps.end);
        if (run_stopping(run))
            TRY(stop(train, class));
    }
    watch_text(class, text, sizeof text);
    run_note(run, "%s done: %s", class->name, text);
done:
    return st;
}

/* --- all --------------------------------------------------------------------------- */

/* The autoencoders of a stream, of which those that are trained do not go any more.  A run that
 * was killed when it had just published one leaves its checkpoints behind.  Collective. */
static enum status find_missing(struct train *train, struct class *class, int64_t t)
{
    MPI_Comm comm = train->run.comm;
    char path[PATH_LENGTH], stem[PATH_LENGTH];
    enum status st = OK;

    class_make(class, &train->suite, &train->model, &train->tasks.train[t]);
    for (int i = 0; i < class->count; i++) {
        struct pupil *pupil = &class->pupils[i];
        pupil_path(path, class, pupil, ".h5");
        pupil_path(stem, class, pupil, "");
        pupil->going = !comm_file_exists(comm, path);
        if (!pupil->going)
            TRY_ALL(comm, train->run.rank == 0 ? checkpoint_remove(stem) : OK);
    }
done:
    return st;
}

/* Rows that those see which are going. */
static int64_t rows_of(const struct class *class)
{
    int64_t rows = 0;

    for (int i = 0; i < class->count; i++) {
        const struct pupil *pupil = &class->pupils[i];
        rows += pupil->going ? pupil->recipe.steps * pupil->recipe.batch : 0;
    }
    return rows;
}

/* All streams that are asked for.  Collective. */
static enum status train_all(struct train *train)
{
    struct class class = {0};
    enum status st = OK;

    for (int t = 0; t < train->tasks.taps_count; t++) {
        if (!run_does_task(&train->run, t))
            continue;
        TRY(find_missing(train, &class, t));
        train->total += rows_of(&class);
        class_free(&class);
    }
    train->since = MPI_Wtime();
    for (int t = 0; t < train->tasks.taps_count; t++) {
        if (!run_does_task(&train->run, t))
            continue;
        TRY(find_missing(train, &class, t));
        if (rows_of(&class) > 0)
            TRY(train_class(train, &class));
        class_free(&class);
    }
done:
    class_free(&class);
    return st;
}

int main(int argc, char **argv)
{
    struct train train = {0};
    enum precision precision;
    enum status st;

    TRY(run_start(&train.run, "train", HELP, argc, argv));
    TRY(suite_read(&train.suite, train.run.comm, train.run.suite));
    TRY_ALL(train.run.comm, precision_parse(&precision, train.suite.train.precision));
    TRY_ALL(train.run.comm, config_read(&train.model, train.suite.model.path));
    TRY_ALL(train.run.comm, tasks_make(&train.tasks, &train.suite, train.model.layers));
    TRY(run_check_task(&train.run, train.tasks.taps_count));
    TRY(train_all(&train));
    run_summary(&train.run, (double)(train.done - train.before), "rows", train.bytes);
done:
    tasks_free(&train.tasks);
    suite_free(&train.suite);
    return run_finish(&train.run, st);
}
