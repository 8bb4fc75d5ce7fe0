#include "intervene/steering_measure.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/split.h"

#include <mpi.h>
#include <stdlib.h>

int64_t steering_measure_bytes(int32_t latents)
{
    return 2 * (int64_t)latents * (int64_t)sizeof(double);
}

/* The mean of each latent with a vector, or without one. */
static enum status find_latents(struct steering_measure *m, struct steering steering, double *mean)
{
    enum status st;

    if (m->source == EFFECTS_TEACHER_FORCED)
        return steered_runs_latents(m->texts, steering, mean);
    TRY(steered_writing_write(m->writing, steering));
    TRY(steered_writing_latents(m->writing, mean));
done:
    return st;
}

enum status steering_measure_make(struct steering_measure *m)
{
    const int32_t latents = m->texts->setup.sae->latents;
    enum status st;

    m->plain = allocate(latents, sizeof *m->plain);
    m->mean = allocate(latents, sizeof *m->mean);
    TRY(steered_runs_loss(m->texts, (struct steering){0}, &m->search.loss));
    TRY(find_latents(m, (struct steering){0}, m->plain));
done:
    return st;
}

void steering_measure_free(struct steering_measure *m)
{
    free(m->plain);
    free(m->mean);
    *m = (struct steering_measure){0};
}

/* --- a vector ------------------------------------------------------------------------ */

/* A vector whose scale is sought. */
struct sought {
    struct steering_measure *measure;
    const float             *vector;
};

static enum status loss_at(void *context, double scale, double *loss)
{
    const struct sought *sought = context;

    return steered_runs_loss(sought->measure->texts, (struct steering){ sought->vector, scale },
                             loss);
}

static enum status measure(struct steering_measure *m, struct steered_vector *v)
{
    const int32_t latents = m->texts->setup.sae->latents;
    struct sought sought = { m, v->vector };
    struct steering steering = { .vector = v->vector };
    enum status st;

    if (run_stopping_here())
        return run_stopped();
    TRY(scale_search_run(&m->search, loss_at, &sought, &steering.scale, &v->costs));
    v->scale = steering.scale;
    TRY(loss_at(&sought, v->scale, &v->loss));
    TRY(find_latents(m, steering, m->mean));
    for (int32_t i = 0; i < latents; i++)
        v->effects[i] = (float)(m->mean[i] - m->plain[i]);
done:
    return st;
}

/* Those of this rank.  Local. */
static enum status measure_own(struct steering_measure *m, struct steered_vector *vectors,
                               struct range own)
{
    const double since = MPI_Wtime();
    enum status st = OK;

    for (int64_t i = own.first; i < own.end; i++) {
        TRY(measure(m, &vectors[i]));
        run_progress(m->run, "steering", since, 0, i + 1 - own.first, range_length(own), "vectors");
    }
done:
    return st;
}

/* A rank has 0 where another one has measured, so sums are exact.  Collective. */
static void gather(const struct steering_measure *m, struct steered_vector *vectors, int64_t count)
{
    const int latents = m->texts->setup.sae->latents;

    for (int64_t i = 0; i < count; i++) {
        double numbers[] = { vectors[i].scale, vectors[i].loss, vectors[i].costs };
        MPI_Allreduce(MPI_IN_PLACE, vectors[i].effects, latents, MPI_FLOAT, MPI_SUM, m->run->comm);
        MPI_Allreduce(MPI_IN_PLACE, numbers, 3, MPI_DOUBLE, MPI_SUM, m->run->comm);
        vectors[i].scale = numbers[0];
        vectors[i].loss = numbers[1];
        vectors[i].costs = numbers[2] > 0;
    }
}

/* Some vectors may change nothing that the model needs; but if all do, the keys are wrong. */
static enum status check_costs(const struct steering_measure *m,
                               const struct steered_vector *vectors, int64_t count)
{
    int64_t enough = 0;
    enum status st = OK;

    for (int64_t i = 0; i < count; i++)
        enough += vectors[i].costs;
    REQUIRE(enough > 0, E_USAGE, "up to scale %.4g none of %lld vectors raises the loss by %.3g "
            "nats; raise 'scale_most', or lower 'cost'", m->search.most, (long long)count,
            m->search.cost);
    if (enough < count)
        run_note(m->run, "%lld of %lld vectors cost less than %.3g nats at the largest scale, "
                 "which is theirs", (long long)(count - enough), (long long)count, m->search.cost);
done:
    return st;
}

enum status steering_measure_run(struct steering_measure *m, struct steered_vector *vectors,
                                 int64_t count)
{
    const struct range own = split_range(count, m->run->rank, m->run->size);
    enum status st;

    for (int64_t i = 0; i < count; i++) {
        vectors[i].scale = vectors[i].loss = 0;
        vectors[i].costs = false;
        for (int32_t k = 0; k < m->texts->setup.sae->latents; k++)
            vectors[i].effects[k] = 0;
    }
    TRY_ALL(m->run->comm, measure_own(m, vectors, own));
    gather(m, vectors, count);
    TRY(check_costs(m, vectors, count));
done:
    return st;
}
