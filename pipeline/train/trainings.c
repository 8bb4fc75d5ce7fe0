#include "train/trainings.h"
#include "lm/forward.h"
#include "step/turns.h"

#include <stdlib.h>
#include <string.h>

void class_make(struct class *class, const struct suite *suite, const struct lm_config *model,
                const struct tap_task *task)
{
    *class = (struct class){ .suite = suite, .tap = task->tap, .count = task->count,
                             .pupils = allocate(task->count, sizeof *class->pupils) };
    class->store = strcmp(suite->harvest.store, "f32") == 0 ? STORE_F32 : STORE_BF16;
    tap_name(class->name, task->tap);
    for (int s = 0; s < SITES; s++)
        class->width[s] = tap_width(model, (enum site)s);
    for (int i = 0; i < task->count; i++) {
        struct pupil *pupil = &class->pupils[i];
        *pupil = (struct pupil){ .task = &task->saes[i], .going = true };
        recipe_make(&pupil->recipe, suite, pupil->task);
    }
}

void class_free(struct class *class)
{
    for (int i = 0; i < class->count; i++) {
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

const struct feed *pupil_target(const struct class *class, const struct pupil *pupil)
{
    return pupil->task->transcoder ? &class->targets[pupil->task->target.site] : &class->feed;
}

struct shape pupil_shape(const struct class *class, const struct pupil *pupil)
{
    return (struct shape){ class->width[class->tap.site], class->width[pupil->task->target.site],
                           pupil->task->width };
}

uint64_t pupil_data(const struct class *class, const struct pupil *pupil)
{
    const uint64_t read = class->feed.activations.statistics.hash;

    return pupil->task->transcoder
        ? read + pupil_target(class, pupil)->activations.statistics.hash : read;
}

void pupil_path(char path[PATH_LENGTH], const struct class *class, const struct pupil *pupil,
                const char *ending)
{
    path_sae(path, class->suite, class->tap, pupil->task->name, ending);
}

/* Is there a transcoder that is going and is to give this site? */
static bool is_target(const struct class *class, int site)
{
    for (int i = 0; i < class->count; i++) {
        const struct pupil *pupil = &class->pupils[i];
        if (pupil->going && pupil->task->transcoder && (int)pupil->task->target.site == site)
            return true;
    }
    return false;
}

/* What the steps of all that are going need. */
static struct step_room room_of(const struct class *class)
{
    struct step_room room = {0};

    for (int i = 0; i < class->count; i++)
        if (class->pupils[i].going)
            step_room_add(&room, &class->pupils[i].recipe,
                          pupil_shape(class, &class->pupils[i]));
    return room;
}

int64_t class_bytes(const struct class *class, int ranks, int threads)
{
    const struct step_room room = room_of(class);
    const int64_t batch = class->suite->train.batch;
    int64_t bytes = 0, of_batch = 0;

    for (int s = 0; s < SITES; s++)
        if (s == (int)class->tap.site || is_target(class, s))
            of_batch += feed_bytes(batch, class->width[s], class->store);
    for (int i = 0; i < class->count; i++)
        if (class->pupils[i].going)
            bytes += training_bytes(&class->pupils[i].recipe,
                                    pupil_shape(class, &class->pupils[i]), ranks);
    return bytes + of_batch + workspace_bytes(&room, ranks, threads, of_batch);
}

/* Collective. */
static enum status open_stream(struct class *class, struct feed *feed, MPI_Comm comm,
                               struct tap tap)
{
    char folder[PATH_LENGTH];
    enum status st;

    path_shuffle(folder, class->suite, tap);
    TRY(feed_open(feed, comm, folder, class->suite->train.batch));
    if (feed->activations.stream.width != class->width[tap.site])
        st = refuse(E_USAGE, "the rows in %s have %d values, those of the model have %d: they are "
                    "another model's", folder, feed->activations.stream.width,
                    class->width[tap.site]);
    if (st == OK && feed != &class->feed)
        st = agree(comm, feed_check_aligned(&class->feed, feed, folder));
done:
    return st;
}

enum status class_open(struct class *class, MPI_Comm comm)
{
    const struct step_room room = room_of(class);
    enum status st;

    TRY(open_stream(class, &class->feed, comm, class->tap));
    for (int s = 0; s < SITES; s++)
        if (is_target(class, s))
            TRY(open_stream(class, &class->targets[s], comm,
                            (struct tap){ (enum site)s, class->tap.layer }));
    workspace_make(&class->workspace, comm, &room);
done:
    return st;
}

/* Not while lists are long: then a step takes long, and memory is what counts. */
static bool reads_ahead(const struct class *class)
{
    for (int i = 0; i < class->count; i++)
        if (class->pupils[i].going && lists_are_long(&class->pupils[i].training))
            return false;
    return true;
}

enum status class_batch(struct class *class, int64_t t)
{
    const bool ahead = reads_ahead(class);
    enum status st;

    TRY(feed_batch(&class->feed, t, ahead));
    for (int s = 0; s < SITES; s++)
        if (class->targets[s].batch.memory != NULL)
            TRY(feed_batch(&class->targets[s], t, ahead));
done:
    return st;
}

void class_rest(struct class *class)
{
    feed_rest(&class->feed);
    for (int s = 0; s < SITES; s++)
        feed_rest(&class->targets[s]);
}

struct range class_steps(const struct class *class)
{
    struct range steps = { INT64_MAX, 0 };

    for (int i = 0; i < class->count; i++) {
        const struct pupil *pupil = &class->pupils[i];
        if (!pupil->going)
            continue;
        if (pupil->training.step < steps.first)
            steps.first = pupil->training.step;
        if (pupil->recipe.steps > steps.end)
            steps.end = pupil->recipe.steps;
    }
    return steps;
}
