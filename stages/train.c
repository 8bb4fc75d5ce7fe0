/* train -- train the autoencoders of every stream, those of one stream on one read of it.
 *
 *   mpirun -n RANKS bin/saemill-train SUITE [--task N]
 *
 *   reads   RUN/shuffle/res.01/00000.h5 ...            rows in random order
 *   writes  RUN/train/res.01/w1024-l0.0006.h5          a trained autoencoder
 *           RUN/train/res.01/w1024-l0.0006.tsv         a line for each of its steps
 *           RUN/train/res.01/NAME.checkpoint.h5        until it is trained
 *
 * A task is a stream.  All its autoencoders take the same batch before the next is read.
 * Each is spread over all ranks (training.h); the parameters have the same bits on any
 * number of ranks and threads, and after any interruption.
 */
#include "base/memory.h"
#include "base/run.h"
#include "lm/weights.h"
#include "sae/architecture.h"
#include "sae/resume.h"
#include "sae/feed.h"
#include "sae/saefile.h"
#include "sae/steplog.h"
#include "suite/tasks.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "saemill-train SUITE [--task N]\n"
    "\n"
    "Train the autoencoders that the suite asks for: RUN/train/SITE.LL/NAME.h5 and NAME.tsv,\n"
    "the log of every step.  Those that are done are skipped; one that was interrupted goes on\n"
    "from its checkpoint.  --task N does only the autoencoders of stream N.  On SIGTERM or\n"
    "SIGUSR1 checkpoints are written and the program ends with status 7.\n";

enum { ASK_STEPS = 4 };     /* steps between two looks whether to stop */

/* One autoencoder on its way. */
struct pupil {
    const struct sae_task *task;
    bool            going;      /* not trained yet */
    struct training training;
    struct steplog  log;        /* on rank 0 */
    double          first_mse;  /* of the first step of this run */
    struct step_report last;
};

/* The autoencoders of one stream. */
struct class {
    struct tap       tap;
    char             name[32];  /* of the tap */
    int              count;
    struct pupil    *pupils;
    struct feed      feed;      /* what they read */
    struct feed      targets[SITES];    /* what transcoders among them are to give, by site */
    struct workspace workspace;
};

struct train {
    struct run   run;
    struct suite suite;
    struct tasks tasks;
    int64_t      total, done;   /* rows times autoencoders: in all, and up to now */
    int64_t      before;        /* of `done`, not in this run */
    double       since;         /* when training began */
    double       spoken;        /* when the last line about a class was printed */
    double       bytes;         /* read, before decompression */
};

static void path_of(const struct train *train, const struct class *class,
                    const struct pupil *pupil, const char *ending, char path[PATH_LENGTH])
{
    path_sae(path, &train->suite, class->tap, pupil->task->name, ending);
}

/* --- begin ------------------------------------------------------------------------- */

/* What an autoencoder is to reconstruct. */
static const struct feed *target_of(const struct class *class, const struct pupil *pupil)
{
    return pupil->task->transcoder ? &class->targets[pupil->task->target.site] : &class->feed;
}

static struct shape shape_of(const struct class *class, const struct pupil *pupil)
{
    return (struct shape){ class->feed.activations.stream.width,
                           target_of(class, pupil)->activations.stream.width,
                           pupil->task->width };
}

/* Identifies the rows an autoencoder is trained on. */
static uint64_t data_of(const struct class *class, const struct pupil *pupil)
{
    const uint64_t read = class->feed.activations.statistics.hash;

    return pupil->task->transcoder
        ? read + target_of(class, pupil)->activations.statistics.hash : read;
}

/* What the steps of all that are still going need. */
static struct step_room room_of(const struct train *train, const struct class *class)
{
    struct step_room room = {0};

    for (int i = 0; i < class->count; i++) {
        struct recipe recipe;
        recipe_make(&recipe, &train->suite, class->pupils[i].task);
        if (class->pupils[i].going)
            step_room_add(&room, &recipe, shape_of(class, &class->pupils[i]));
    }
    return room;
}

/* Bytes of everything that start_class() will allocate. */
static int64_t class_bytes(const struct train *train, const struct class *class)
{
    const struct step_room room = room_of(train, class);
    int64_t bytes = feed_bytes(train->suite.train.batch, class->feed.activations.stream.width);

    for (int s = 0; s < SITES; s++)
        bytes += feed_bytes(train->suite.train.batch, class->targets[s].activations.stream.width);

    for (int i = 0; i < class->count; i++) {
        const struct pupil *pupil = &class->pupils[i];
        struct recipe recipe;
        recipe_make(&recipe, &train->suite, pupil->task);
        if (pupil->going)
            bytes += training_bytes(&recipe, shape_of(class, pupil), train->run.size);
    }
    return bytes + workspace_bytes(&room, train->run.size, omp_get_max_threads());
}

/* From its checkpoint, or from the start.  Collective. */
static enum status start_pupil(struct train *train, struct class *class, struct pupil *pupil)
{
    MPI_Comm comm = train->run.comm;
    char path[PATH_LENGTH];
    struct recipe recipe;
    enum status st = OK;

    recipe_make(&recipe, &train->suite, pupil->task);
    training_make(&pupil->training, comm, &recipe, shape_of(class, pupil));
    path_of(train, class, pupil, ".checkpoint.h5", path);
    if (comm_file_exists(comm, path)) {
        TRY(training_load(&pupil->training, data_of(class, pupil), path));
        run_note(&train->run, "%s %s goes on at step %lld of %lld", class->name,
                 pupil->task->name, (long long)pupil->training.step, (long long)recipe.steps);
        train->before += pupil->training.step * recipe.batch;
        train->done += pupil->training.step * recipe.batch;
    }
    path_of(train, class, pupil, ".tsv", path);
    TRY_ALL(comm, train->run.rank > 0 ? OK : folder_make_above(path));
    TRY_ALL(comm, train->run.rank > 0 ? OK
            : steplog_open(&pupil->log, path, pupil->training.step));
done:
    return st;
}

/* Open the streams that transcoders are to give.  Collective. */
static enum status open_targets(struct train *train, struct class *class)
{
    char folder[PATH_LENGTH];
    enum status st = OK;

    for (int i = 0; i < class->count; i++) {
        const struct pupil *pupil = &class->pupils[i];
        struct feed *target = &class->targets[pupil->task->target.site];
        if (!pupil->going || !pupil->task->transcoder || target->x != NULL)
            continue;
        path_shuffle(folder, &train->suite, pupil->task->target);
        TRY(feed_open(target, train->run.comm, folder, train->suite.train.batch));
        TRY_ALL(train->run.comm, feed_check_aligned(&class->feed, target, folder));
    }
done:
    return st;
}

/* Collective. */
static enum status start_class(struct train *train, struct class *class)
{
    char folder[PATH_LENGTH];
    struct step_room room;
    enum status st;

    path_shuffle(folder, &train->suite, class->tap);
    TRY(feed_open(&class->feed, train->run.comm, folder, train->suite.train.batch));
    TRY(open_targets(train, class));
    TRY(memory_check(train->run.comm, class_bytes(train, class), "train"));
    for (int i = 0; i < class->count; i++)
        if (class->pupils[i].going)
            TRY(start_pupil(train, class, &class->pupils[i]));
    room = room_of(train, class);
    workspace_make(&class->workspace, train->run.comm, &room);
done:
    return st;
}

static void free_class(struct class *class)
{
    for (int i = 0; class->pupils != NULL && i < class->count; i++) {
        steplog_close(&class->pupils[i].log);
        training_free(&class->pupils[i].training);
    }
    workspace_free(&class->workspace);
    for (int s = 0; s < SITES; s++)
        feed_close(&class->targets[s]);
    feed_close(&class->feed);
    free(class->pupils);
    *class = (struct class){0};
}

/* --- what a person watches --------------------------------------------------------- */

static double dead_percent(const struct pupil *pupil)
{
    return 100.0 * (double)pupil->last.dead / pupil->task->width;
}

/* "w1024-t20 FVU 0.182, L0 20.3, dead 1.2 %; ..." */
static void class_text(const struct class *class, char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    for (int i = 0; i < class->count && n < size; i++) {
        const struct pupil *p = &class->pupils[i];
        if (p->last.mse > 0)
            n += (size_t)snprintf(text + n, size - n,
                                  "%s%s loss %.4g, FVU %.3f, L0 %.1f, dead %.1f %%",
                                  n > 0 ? "; " : "", p->task->name, p->last.loss,
                                  p->last.mse / target_of(class, p)->variance, p->last.l0,
                                  dead_percent(p));
    }
}

static void speak(struct train *train, const struct class *class, int64_t step, int64_t steps)
{
    const double now = MPI_Wtime();
    char text[1024];

    run_progress(&train->run, class->name, train->since, train->before, train->done,
                 train->total, "rows");
    if (train->run.live || now - train->spoken < 10)
        return;
    train->spoken = now;
    class_text(class, text, sizeof text);
    run_note(&train->run, "%s step %lld of %lld: %s", class->name, (long long)step,
             (long long)steps, text);
}

/* What went wrong without being an error, and what to do about it. */
static void warn(struct train *train, const struct class *class, const struct pupil *pupil)
{
    const struct recipe *recipe = &pupil->training.recipe;
    const struct step_report *last = &pupil->last;
    const double moved = fabs(last->threshold - recipe->threshold) / recipe->threshold;
    struct run *run = &train->run;

    if (recipe->target_l0 > 0 && fabs(last->l0 / recipe->target_l0 - 1) > 0.2)
        run_note(run, "warning: %s %s has L0 %.1f where %g was asked for; train longer, or raise "
                 "train.target_strength or train.learning_rate", class->name, pupil->task->name,
                 last->l0, recipe->target_l0);
    if (dead_percent(pupil) > 10)
        run_note(run, "warning: %s %s has %.0f %% dead latents; a longer train.sparsity_warmup, "
                 "a lower train.learning_rate or a smaller width leaves fewer", class->name,
                 pupil->task->name, dead_percent(pupil));
    if (recipe->architecture == &JUMPRELU && moved < 0.1)
        run_note(run, "warning: the thresholds of %s %s hardly moved (mean %.4g, from %.4g); "
                 "%.2g of a row's %d pre-activations lie just below them: a larger "
                 "train.bandwidth lets more of them learn", class->name, pupil->task->name,
                 last->threshold, recipe->threshold, last->near, pupil->task->width);
}

/* --- steps ------------------------------------------------------------------------- */

/* Batch t of all streams.  Collective. */
static enum status read_batch(struct class *class, int64_t t)
{
    enum status st;

    TRY(feed_batch(&class->feed, t));
    for (int s = 0; s < SITES; s++)
        if (class->targets[s].x != NULL)
            TRY(feed_batch(&class->targets[s], t));
done:
    return st;
}

static void rest_feeds(struct class *class)
{
    feed_rest(&class->feed);
    for (int s = 0; s < SITES; s++)
        feed_rest(&class->targets[s]);
}

static enum status save(struct train *train, struct class *class, struct pupil *pupil)
{
    const uint64_t data = data_of(class, pupil);
    MPI_Comm comm = train->run.comm;
    char path[PATH_LENGTH];
    enum status st;

    phase_enter(PHASE_WRITE);
    rest_feeds(class);
    path_of(train, class, pupil, ".checkpoint.h5", path);
    TRY_ALL(comm, train->run.rank == 0 ? steplog_sync(&pupil->log) : OK);
    TRY(training_save(&pupil->training, data, path));
done:
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* Publish a trained autoencoder, last of all its files; then its checkpoint is of no use. */
static enum status finish_pupil(struct train *train, struct class *class, struct pupil *pupil)
{
    const struct training *training = &pupil->training;
    const struct sae_origin origin = {
        .tap = class->tap,
        .target = pupil->task->target,
        .scale = class->feed.scale,
        .target_scale = target_of(class, pupil)->scale,
        .variance = target_of(class, pupil)->variance,
        .rows = training->step * training->recipe.batch,
        .suite = train->suite.text,
        .last = pupil->last,
    };
    MPI_Comm comm = train->run.comm;
    char path[PATH_LENGTH];
    enum status st;

    phase_enter(PHASE_WRITE);
    rest_feeds(class);
    TRY_ALL(comm, train->run.rank == 0 ? steplog_publish(&pupil->log) : OK);
    path_of(train, class, pupil, ".h5", path);
    TRY(sae_write_h5(training, &origin, path));
    path_of(train, class, pupil, ".checkpoint.h5", path);
    TRY_ALL(comm, train->run.rank == 0 ? file_remove(path) : OK);
    warn(train, class, pupil);
    training_free(&pupil->training);
    pupil->going = false;
done:
    phase_enter(PHASE_COMPUTE);
    return st;
}

/* A loss that is not a number, or a hundred times what it was, will not come back. */
static enum status check_loss(const struct class *class, struct pupil *pupil, enum status st)
{
    const struct step_report *r = &pupil->last;

    if (pupil->first_mse == 0)
        pupil->first_mse = r->mse;
    if (st == OK && r->mse <= 100 * fmax(pupil->first_mse, 1))
        return OK;
    return refuse(E_NUMERIC, "training %s %s: the loss of step %lld is %g, it has exploded; lower "
                  "train.learning_rate (the last checkpoint is kept, for the old recipe)",
                  class->name, pupil->task->name, (long long)r->step, r->loss);
}

/* One step of one autoencoder, and what is due after it.  Collective. */
static enum status teach(struct train *train, struct class *class, struct pupil *pupil)
{
    struct training *training = &pupil->training;
    const struct recipe *recipe = &training->recipe;
    enum status st = OK;

    TRY(check_loss(class, pupil, training_step(training, &class->workspace, class->feed.x,
                                               target_of(class, pupil)->x, &pupil->last)));
    train->done += recipe->batch;
    if (train->run.rank == 0)
        steplog_add(&pupil->log, &pupil->last, training->step * recipe->batch,
                    target_of(class, pupil)->variance);
    if (training->step == recipe->steps)
        TRY(finish_pupil(train, class, pupil));
    else if (training->step % train->suite.train.checkpoint == 0)
        TRY(save(train, class, pupil));
done:
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

/* The steps that are still to be done: those of the pupil that is furthest behind, and so on. */
static struct range steps_left(const struct class *class)
{
    struct range steps = { INT64_MAX, 0 };

    for (int i = 0; i < class->count; i++) {
        const struct training *training = &class->pupils[i].training;
        if (!class->pupils[i].going)
            continue;
        if (training->step < steps.first)
            steps.first = training->step;
        if (training->recipe.steps > steps.end)
            steps.end = training->recipe.steps;
    }
    return steps;
}

/* Train all autoencoders of a stream.  Collective. */
static enum status train_class(struct train *train, struct class *class)
{
    struct run *run = &train->run;
    char text[1024];
    enum status st;

    TRY(start_class(train, class));
    const struct range steps = steps_left(class);
    for (int64_t t = steps.first; t < steps.end; t++) {
        phase_enter(PHASE_READ);
        TRY(read_batch(class, t));
        phase_enter(PHASE_COMPUTE);
        train->bytes += (double)train->suite.train.batch * class->feed.activations.stream.width
                        * (double)store_bytes(class->feed.activations.stream.store);
        for (int i = 0; i < class->count; i++)
            if (class->pupils[i].going && class->pupils[i].training.step == t)
                TRY(teach(train, class, &class->pupils[i]));
        speak(train, class, t + 1, steps.end);
        if (t % ASK_STEPS == 0 && run_stopping(run))
            TRY(stop(train, class));
    }
    class_text(class, text, sizeof text);
    run_note(run, "%s done: %s", class->name, text);
done:
    return st;
}

/* --- all --------------------------------------------------------------------------- */

/* Which autoencoders of a stream are still to be trained; how many. */
static int find_missing(struct train *train, struct class *class, const struct tap_task *task)
{
    char path[PATH_LENGTH];
    int missing = 0;

    *class = (struct class){ .tap = task->tap, .count = task->count,
                             .pupils = allocate(task->count, sizeof *class->pupils) };
    tap_name(class->name, task->tap);
    for (int i = 0; i < task->count; i++) {
        class->pupils[i].task = &task->saes[i];
        path_of(train, class, &class->pupils[i], ".h5", path);
        class->pupils[i].going = !comm_file_exists(train->run.comm, path);
        missing += class->pupils[i].going;
    }
    return missing;
}

/* A run that was killed when it had just published an autoencoder leaves the checkpoint
 * behind.  Local. */
static enum status remove_used_checkpoints(struct train *train, const struct class *class)
{
    char path[PATH_LENGTH];
    enum status st = OK;

    for (int i = 0; i < class->count; i++) {
        if (class->pupils[i].going)
            continue;
        path_of(train, class, &class->pupils[i], ".checkpoint.h5", path);
        TRY(file_remove(path));
    }
done:
    return st;
}

static int64_t rows_of(const struct train *train, const struct class *class)
{
    int64_t rows = 0;

    for (int i = 0; i < class->count; i++) {
        struct recipe recipe;
        recipe_make(&recipe, &train->suite, class->pupils[i].task);
        rows += class->pupils[i].going ? recipe.steps * recipe.batch : 0;
    }
    return rows;
}

/* All streams that are asked for.  Collective. */
static enum status train_all(struct train *train)
{
    struct class class = {0};
    enum status st = OK;

    for (int t = 0; t < train->tasks.taps_count; t++) {
        find_missing(train, &class, &train->tasks.train[t]);
        train->total += run_does_task(&train->run, t) ? rows_of(train, &class) : 0;
        free_class(&class);
    }
    train->since = train->spoken = MPI_Wtime();
    for (int t = 0; t < train->tasks.taps_count; t++) {
        if (!run_does_task(&train->run, t))
            continue;
        const int missing = find_missing(train, &class, &train->tasks.train[t]);
        TRY_ALL(train->run.comm, train->run.rank > 0 ? OK
                : remove_used_checkpoints(train, &class));
        if (missing > 0)
            TRY(train_class(train, &class));
        free_class(&class);
    }
done:
    free_class(&class);
    return st;
}

int main(int argc, char **argv)
{
    struct train train = {0};
    struct lm_config config;
    enum precision precision;
    enum status st;

    TRY(run_start(&train.run, "train", HELP, argc, argv));
    TRY(suite_read(&train.suite, train.run.comm, train.run.suite));
    TRY_ALL(train.run.comm, precision_parse(&precision, train.suite.train.precision));
    TRY_ALL(train.run.comm, config_read(&config, train.suite.model.path));
    TRY_ALL(train.run.comm, tasks_make(&train.tasks, &train.suite, config.layers));
    TRY(run_check_task(&train.run, train.tasks.taps_count));
    TRY(train_all(&train));
    run_summary(&train.run, (double)(train.done - train.before), "rows", train.bytes);
done:
    tasks_free(&train.tasks);
    suite_free(&train.suite);
    return run_finish(&train.run, st);
}
