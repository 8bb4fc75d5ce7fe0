#include "train/trainings.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/minmax.h"
#include "sae/sae.h"
#include "shard/store.h"
#include "suite/paths.h"

#include <stdlib.h>
#include <string.h>

void trainings_make(struct trainings *trainings, const struct suite *suite,
                    const struct tap_task *task, const int32_t width[SITES])
{
    *trainings = (struct trainings){
        .suite = suite, .tap = task->tap, .store = suite->harvest.store, .count = task->count,
        .members = allocate(task->count, sizeof *trainings->members),
    };
    site_tap_name(trainings->name, task->tap);
    memcpy(trainings->width, width, sizeof trainings->width);
    for (int i = 0; i < task->count; i++) {
        struct member *member = &trainings->members[i];
        *member = (struct member){ .task = &task->saes[i], .unfinished = true };
        recipe_make(&member->recipe, suite, member->task);
    }
}

void trainings_free(struct trainings *trainings)
{
    for (int i = 0; i < trainings->count; i++) {
        steplog_close(&trainings->members[i].log);
        training_free(&trainings->members[i].training);
    }
    step_free(&trainings->step);
    for (int s = 0; s < SITES; s++)
        batch_reader_close(&trainings->targets[s]);
    batch_reader_close(&trainings->reader);
    free(trainings->members);
    *trainings = (struct trainings){0};
}

const struct batch_reader *trainings_target(const struct trainings *trainings,
                                            const struct member *member)
{
    const struct sae_task *task = member->task;

    return task->transcoder ? &trainings->targets[task->target.site] : &trainings->reader;
}

struct shape trainings_shape(const struct trainings *trainings, const struct member *member)
{
    return (struct shape){
        .inputs = trainings->width[trainings->tap.site],
        .outputs = trainings->width[member->task->target.site],
        .latents = member->task->width,
    };
}

struct identity trainings_identity(const struct trainings *trainings, const struct member *member)
{
    return identities_sae(trainings->identities, trainings->tap, member->task);
}

struct checkpoint_source trainings_source(const struct trainings *trainings,
                                          const struct member *member)
{
    struct checkpoint_source source = {
        .data = trainings->reader.activations.statistics.hash,
        .identity = trainings_identity(trainings, member),
    };

    if (member->task->transcoder)
        source.data += trainings_target(trainings, member)->activations.statistics.hash;
    return source;
}

void trainings_path(char path[PATH_LENGTH], const struct trainings *trainings,
                    const struct member *member, const char *ending)
{
    paths_sae(path, trainings->suite, trainings->tap, member->task->name, ending);
}

/* Does an unfinished transcoder reconstruct this site? */
static bool is_target(const struct trainings *trainings, int site)
{
    for (int i = 0; i < trainings->count; i++) {
        const struct member *member = &trainings->members[i];
        if (member->unfinished && member->task->transcoder
            && (int)member->task->target.site == site)
            return true;
    }
    return false;
}

/* What the steps of all unfinished trainings need. */
static struct step_needs needs_of(const struct trainings *trainings)
{
    struct step_needs needs = {0};

    for (int i = 0; i < trainings->count; i++)
        if (trainings->members[i].unfinished)
            step_needs_add(&needs, &trainings->members[i].recipe,
                           trainings_shape(trainings, &trainings->members[i]));
    return needs;
}

enum { LOG_LINE = 130 };    /* bytes of a step in a log, at most */

/* Of one training, whose checkpoints have the moments, too. */
static int64_t disk_bytes(const struct trainings *trainings, const struct member *member)
{
    const struct shape shape = trainings_shape(trainings, member);
    const int64_t parameters = (int64_t)sizeof(float) * sae_parameters(
        shape.inputs, shape.outputs, shape.latents, member->task->skip);
    const int64_t arrays = trainings->suite->train.beta1 > 0 ? 3 : 2;
    char stem[PATH_LENGTH], path[PATH_LENGTH];
    int64_t there = 0, bytes;

    trainings_path(stem, trainings, member, "");
    for (int age = 0; age < CHECKPOINTS; age++) {
        resume_path(path, stem, age);
        if (file_exists(path) && file_size(path, &bytes) == OK)
            there += bytes;
    }
    bytes = (1 + CHECKPOINTS * arrays) * parameters + LOG_LINE * member->recipe.steps - there;
    return bytes > 0 ? bytes : 0;
}

int64_t trainings_disk_bytes(const struct trainings *trainings)
{
    int64_t bytes = 0;

    for (int i = 0; i < trainings->count; i++)
        if (trainings->members[i].unfinished)
            bytes += disk_bytes(trainings, &trainings->members[i]);
    return bytes;
}

int64_t trainings_bytes(const struct trainings *trainings, int ranks, int threads)
{
    const struct step_needs needs = needs_of(trainings);
    const int64_t batch = trainings->suite->train.batch;
    int64_t bytes = 0, of_batch = 0;

    for (int s = 0; s < SITES; s++)
        if (s == (int)trainings->tap.site || is_target(trainings, s))
            of_batch += batch_reader_bytes(batch, trainings->width[s], trainings->store);
    for (int i = 0; i < trainings->count; i++)
        if (trainings->members[i].unfinished)
            bytes += training_bytes(&trainings->members[i].recipe,
                                    trainings_shape(trainings, &trainings->members[i]), ranks);
    return bytes + 2 * of_batch + step_bytes(&needs, ranks, threads);
}

/* Collective. */
static enum status open_stream(struct trainings *trainings, struct batch_reader *reader,
                               MPI_Comm comm, struct tap tap)
{
    const struct identity identity = identities_shuffle(trainings->identities, tap);
    char folder[PATH_LENGTH];
    enum status st;

    paths_shuffle(folder, trainings->suite, tap);
    TRY(batch_reader_open(reader, comm, folder, &identity, trainings->suite->train.batch));
    REQUIRE(reader->activations.stream.width == trainings->width[tap.site], E_USAGE,
            "the rows in %s have %d values, those of the model have %d: they are another model's",
            folder, reader->activations.stream.width, trainings->width[tap.site]);
    if (reader != &trainings->reader)
        TRY_ALL(comm, batch_reader_check_aligned(&trainings->reader, reader, folder));
done:
    return st;
}

enum status trainings_open(struct trainings *trainings, MPI_Comm comm,
                           const struct identities *identities)
{
    const struct step_needs needs = needs_of(trainings);
    enum status st;

    trainings->identities = identities;
    TRY(open_stream(trainings, &trainings->reader, comm, trainings->tap));
    for (int s = 0; s < SITES; s++)
        if (is_target(trainings, s))
            TRY(open_stream(trainings, &trainings->targets[s], comm,
                            (struct tap){ (enum site)s, trainings->tap.layer }));
    step_make(&trainings->step, comm, &needs);
done:
    return st;
}

enum status trainings_batch(struct trainings *trainings, int64_t t)
{
    enum status st;

    TRY(batch_reader_read(&trainings->reader, t));
    for (int s = 0; s < SITES; s++)
        if (trainings->targets[s].batch.memory != NULL)
            TRY(batch_reader_read(&trainings->targets[s], t));
done:
    return st;
}

void trainings_wait(struct trainings *trainings)
{
    batch_reader_wait(&trainings->reader);
    for (int s = 0; s < SITES; s++)
        batch_reader_wait(&trainings->targets[s]);
}

struct range trainings_steps(const struct trainings *trainings)
{
    struct range steps = { INT64_MAX, 0 };

    for (int i = 0; i < trainings->count; i++) {
        const struct member *member = &trainings->members[i];
        if (!member->unfinished)
            continue;
        if (member->training.step < steps.first)
            steps.first = member->training.step;
        if (member->recipe.steps > steps.end)
            steps.end = member->recipe.steps;
    }
    return steps;
}
