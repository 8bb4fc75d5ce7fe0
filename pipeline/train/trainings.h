/* trainings.h -- the autoencoders of one stream in training, which share one read of it.
 *
 * They take the same batch one after the other, so they share the memory of a step, too.
 */
#ifndef TRAININGS_H
#define TRAININGS_H

#include "lm/config.h"
#include "shard/store.h"
#include "step/step.h"
#include "train/batch_reader.h"
#include "train/steplog.h"

/* One of them. */
struct member {
    const struct sae_task *task;
    struct recipe   recipe;
    bool            unfinished;      /* is to be trained, and is not yet */
    struct training training;   /* as long as it is unfinished, from training_make() on */
    struct steplog  log;        /* on rank 0 */
    struct step_report last;    /* of its last step in this run, if it has made one */
    unsigned        warned;     /* of what (monitor.c), a bit each */
};

struct trainings {
    const struct suite *suite;
    struct tap       tap;
    char             name[32];  /* of the tap */
    int32_t          width[SITES];      /* of the rows at each site of the layer */
    enum store       store;     /* of their values on disk */
    int              count;
    struct member    *members;
    struct batch_reader      reader;      /* what they read */
    struct batch_reader      targets[SITES];    /* what transcoders among them are to give, by site */
    struct step      step;      /* memory of their steps */
};

/* All that the suite asks for on a stream, unfinished, and nothing opened yet.  Suite and task must
 * stay.  Local. */
void trainings_make(struct trainings *trainings, const struct suite *suite, const struct lm_config *model,
                const struct tap_task *task);
void trainings_free(struct trainings *trainings);

/* Of those that are unfinished: bytes of everything that they will allocate, trainings and
 * step included, on the rank that gets most.  Local. */
int64_t trainings_bytes(const struct trainings *trainings, int ranks, int threads);

/* Open the streams that those that are unfinished need, and make the memory of a step.  Collective.
 * E_IO, E_FORMAT, E_NUMERIC; E_USAGE if their rows do not belong together. */
enum status trainings_open(struct trainings *trainings, MPI_Comm comm);

/* Batch number t of all streams.  Collective.  E_IO, E_FORMAT. */
enum status trainings_batch(struct trainings *trainings, int64_t t);

/* batch_reader_wait() of all streams.  Local. */
void trainings_wait(struct trainings *trainings);

/* The steps that are still to be done: from that of the member that is furthest behind on. */
struct range trainings_steps(const struct trainings *trainings);

/* What an autoencoder is to reconstruct; its sizes; what identifies the rows it sees. */
const struct batch_reader *trainings_target(const struct trainings *trainings, const struct member *member);
struct shape       trainings_shape(const struct trainings *trainings, const struct member *member);
uint64_t           trainings_data(const struct trainings *trainings, const struct member *member);

/* Path of one of its files.  The ending may be empty. */
void trainings_path(char path[PATH_LENGTH], const struct trainings *trainings, const struct member *member,
                const char *ending);

#endif
