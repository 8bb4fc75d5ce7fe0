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
#include "base/agree.h"
#include "base/memory.h"
#include "base/run.h"
#include "corpus/identities.h"
#include "lm/weights.h"
#include "shard/maker.h"
#include "suite/tasks.h"
#include "train/monitor.h"
#include "train/publish.h"
#include "train/resume.h"
#include "train/trainings.h"

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
    struct tasks tasks;
    struct identities identities;
    int32_t      width[SITES];  /* of the model's rows at each site */
    int64_t      total, done;   /* rows times autoencoders: in all, and up to now */
    int64_t      before;        /* of `done`, not in this run */
    double       since;         /* when training began */
    double       bytes;         /* read, before decompression */
};

/* --- begin ------------------------------------------------------------------------- */

/* Go on from the checkpoint, if there is one.  Collective. */
static enum status resume(struct train *train, const struct trainings *trainings,
                          struct member *member)
{
    struct run *run = &train->run;
    struct resumption resumption;
    char stem[PATH_LENGTH];
    enum status st;

    trainings_path(stem, trainings, member, "");
    const struct checkpoint_source source = trainings_source(trainings, member);
    TRY(resume_load(&member->training, &source, stem, &resumption));
    if (resumption.damage[0] != '\0')
        run_warn(run, "%s; it is left, for the checkpoint before it", resumption.damage);
    if (!resumption.found)
        goto done;
    run_note(run, "%s %s goes on at step %lld of %lld", trainings->name, member->task->name,
             (long long)member->training.step, (long long)member->recipe.steps);
    train->before += member->training.step * member->recipe.train.batch;
    train->done += member->training.step * member->recipe.train.batch;
done:
    return st;
}

/* Make a training or resume it, and open its log.  Collective. */
static enum status start_training(struct train *train, const struct trainings *trainings,
                                  struct member *member)
{
    MPI_Comm comm = train->run.comm;
    char log[PATH_LENGTH];
    enum status st;

    training_make(&member->training, comm, &member->recipe, trainings_shape(trainings, member));
    TRY(resume(train, trainings, member));
    trainings_path(log, trainings, member, ".tsv");
    TRY_ROOT(comm, file_make_folder_above(log));
    TRY_ROOT(comm, steplog_open(&member->log, log, member->training.step));
done:
    return st;
}

/* Start all unfinished trainings of a stream.  Collective. */
static enum status start_stream(struct train *train, struct trainings *trainings)
{
    struct run *run = &train->run;
    char folder[PATH_LENGTH];
    enum status st;

    TRY(memory_check(run->comm, trainings_bytes(trainings, run->size, omp_get_max_threads()),
                     "train"));
    trainings_path(folder, trainings, &trainings->members[0], "");
    TRY_ROOT(run->comm, file_check_disk(folder, trainings_disk_bytes(trainings), "train"));
    TRY(trainings_open(trainings, run->comm, &train->identities));
    for (int i = 0; i < trainings->count; i++)
        if (trainings->members[i].unfinished)
            TRY(start_training(train, trainings, &trainings->members[i]));
done:
    return st;
}

/* --- end, or stop ------------------------------------------------------------------ */

/* Write a checkpoint.  Collective. */
static enum status save(struct train *train, struct trainings *trainings, struct member *member)
{
    char stem[PATH_LENGTH];
    enum status st;

    phase_enter(PHASE_WRITE);
    trainings_wait(trainings);
    trainings_path(stem, trainings, member, "");
    TRY_ROOT(train->run.comm, steplog_sync(&member->log));
    const struct checkpoint_source source = trainings_source(trainings, member);
    TRY(resume_save(&member->training, &source, stem));
done:
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* Leave everything so that the same command goes on from here.  Collective. */
static enum status stop(struct train *train, struct trainings *trainings)
{
    enum status st = OK;

    for (int i = 0; i < trainings->count; i++)
        if (trainings->members[i].unfinished)
            TRY(save(train, trainings, &trainings->members[i]));
    st = run_stopped();
done:
    return st;
}

/* Publish the log, then the autoencoder; then remove its checkpoints.  Collective. */
static enum status finish_training(struct train *train, struct trainings *trainings,
                                   struct member *member)
{
    const struct training *training = &member->training;
    const struct identity identity = trainings_identity(trainings, member);
    const struct sae_origin origin = {
        .tap = trainings->tap,
        .target = member->task->target,
        .scale = trainings->reader.scale,
        .target_scale = trainings_target(trainings, member)->scale,
        .variance = trainings_target(trainings, member)->variance,
        .rows = training->step * training->recipe.train.batch,
        .identity = &identity,
        .last = member->last,
    };
    MPI_Comm comm = train->run.comm;
    char path[PATH_LENGTH], stem[PATH_LENGTH];
    enum status st;

    phase_enter(PHASE_WRITE);
    trainings_wait(trainings);
    TRY_ROOT(comm, steplog_publish(&member->log, &identity));
    trainings_path(path, trainings, member, ".h5");
    TRY(publish_sae(training, &origin, path));
    trainings_path(stem, trainings, member, "");
    TRY_ROOT(comm, resume_remove(stem));
    training_free(&member->training);
    member->unfinished = false;
done:
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* --- steps ------------------------------------------------------------------------- */

/* One step of one training, and what is due after it.  Collective. */
static enum status make_step(struct train *train, struct trainings *trainings,
                             struct member *member)
{
    const struct batch_reader *target = trainings_target(trainings, member);
    const struct recipe *recipe = &member->recipe;
    struct training *training = &member->training;
    enum status st;

    st = step_run(&trainings->step, training, &trainings->reader.batch, &target->batch,
                  &member->last);
    TRY(monitor_check_loss(trainings, member, st));
    train->done += recipe->train.batch;
    if (train->run.rank == 0)
        steplog_add(&member->log, &member->last, training->step * recipe->train.batch,
                    target->variance);
    monitor_warn(&train->run, trainings, member);
    if (training->step == recipe->steps)
        TRY(finish_training(train, trainings, member));
    else if (training->step % train->suite.train.checkpoint == 0)
        TRY(save(train, trainings, member));
done:
    return st;
}

static void report_progress(struct train *train, const struct trainings *trainings, int64_t step,
                            int64_t steps)
{
    char text[1024], line[1200];

    monitor_text(trainings, text, sizeof text);
    snprintf(line, sizeof line, "%s step %lld of %lld: %s", trainings->name, (long long)step,
             (long long)steps, text);
    run_progress(&train->run, train->run.live ? trainings->name : line, train->since, train->before,
                 train->done, train->total, "rows");
}

/* Train all autoencoders of a stream.  Collective. */
static enum status train_stream(struct train *train, struct trainings *trainings)
{
    struct run *run = &train->run;
    char text[1024];
    enum status st;

    TRY(start_stream(train, trainings));
    const struct range steps = trainings_steps(trainings);
    for (int64_t t = steps.first; t < steps.end; t++) {
        phase_enter(PHASE_READ);
        TRY(trainings_batch(trainings, t));
        phase_enter(PHASE_COMPUTE);
        train->bytes += (double)train->suite.train.batch
                        * (double)stream_row_bytes(trainings->reader.activations.stream);
        for (int i = 0; i < trainings->count; i++)
            if (trainings->members[i].unfinished && trainings->members[i].training.step == t)
                TRY(make_step(train, trainings, &trainings->members[i]));
        report_progress(train, trainings, t + 1, steps.end);
        if (run_stopping(run))
            TRY(stop(train, trainings));
    }
    monitor_text(trainings, text, sizeof text);
    run_note(run, "%s done: %s", trainings->name, text);
done:
    return st;
}

/* --- all --------------------------------------------------------------------------- */

/* List a stream's autoencoders and mark the finished ones.  A run that was killed just after it
 * published one has left its checkpoints; they are removed.  Collective. */
static enum status find_unfinished(struct train *train, struct trainings *trainings, int64_t t)
{
    MPI_Comm comm = train->run.comm;
    char path[PATH_LENGTH], stem[PATH_LENGTH];
    enum status st = OK;

    trainings_make(trainings, &train->suite, &train->tasks.train[t], train->width);
    for (int i = 0; i < trainings->count; i++) {
        struct member *member = &trainings->members[i];
        trainings_path(path, trainings, member, ".h5");
        trainings_path(stem, trainings, member, "");
        member->unfinished = !comm_file_exists(comm, path);
        if (!member->unfinished)
            TRY_ROOT(comm, resume_remove(stem));
    }
done:
    return st;
}

/* Rows that the unfinished trainings have to see, summed. */
static int64_t rows_of(const struct trainings *trainings)
{
    int64_t rows = 0;

    for (int i = 0; i < trainings->count; i++) {
        const struct member *member = &trainings->members[i];
        rows += member->unfinished ? member->recipe.steps * member->recipe.train.batch : 0;
    }
    return rows;
}

/* Train the streams of the run's tasks.  Collective. */
static enum status train_all(struct train *train)
{
    struct trainings trainings = {0};
    enum status st = OK;

    for (int t = 0; t < train->tasks.taps_count; t++) {
        if (!run_does_task(&train->run, t))
            continue;
        TRY(find_unfinished(train, &trainings, t));
        train->total += rows_of(&trainings);
        trainings_free(&trainings);
    }
    train->since = MPI_Wtime();
    for (int t = 0; t < train->tasks.taps_count; t++) {
        if (!run_does_task(&train->run, t))
            continue;
        TRY(find_unfinished(train, &trainings, t));
        if (rows_of(&trainings) > 0)
            TRY(train_stream(train, &trainings));
        trainings_free(&trainings);
    }
done:
    trainings_free(&trainings);
    return st;
}

int main(int argc, char **argv)
{
    struct train train = {0};
    struct lm_config model;
    enum status st;

    TRY(run_start(&train.run, "train", HELP, argc, argv));
    TRY(suite_read(&train.suite, &train.run));
    TRY(maker_settle(&train.run, &train.suite));
    TRY_ALL(train.run.comm, weights_check_precision(train.suite.train.precision));
    TRY_ALL(train.run.comm, config_read(&model, train.suite.model.path));
    for (int s = 0; s < SITES; s++)
        train.width[s] = lm_site_width(&model, (enum site)s);
    TRY_ALL(train.run.comm, tasks_make(&train.tasks, &train.suite, model.layers));
    TRY(run_check_task(&train.run, train.tasks.taps_count));
    TRY(identities_open(&train.identities, train.run.comm, &train.suite));
    TRY(train_all(&train));
    run_summary(&train.run, (double)(train.done - train.before), "rows", train.bytes);
done:
    identities_free(&train.identities);
    tasks_free(&train.tasks);
    suite_free(&train.suite);
    return run_finish(&train.run, st);
}
