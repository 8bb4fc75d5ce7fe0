/* trainings.h -- the autoencoders of one stream in training, which share one read of it.
 *
 * They take the same batch one after the other, so they share the memory of a step, too.
 */
#ifndef TRAININGS_H
#define TRAININGS_H

#include "lm/config.h"
#include "train/batch_reader.h"
#include "step/step.h"
#include "train/steplog.h"

/* One of them. */
struct pupil {
    const struct sae_task *task;
    struct recipe   recipe;
    bool            going;      /* is to be trained, and is not yet */
    struct training training;   /* as long as it is going, from training_make() on */
    struct steplog  log;        /* on rank 0 */
    struct step_report last;    /* of its last step in this run, if it has made one */
    unsigned        warned;     /* of what (monitor.c), a bit each */
};

struct class {
    const struct suite *suite;
    struct tap       tap;
    char             name[32];  /* of the tap */
    int32_t          width[SITES];      /* of the rows at each site of the layer */
    enum store       store;     /* of their values on disk */
    int              count;
    struct pupil    *pupils;
    struct feed      feed;      /* what they read */
    struct feed      targets[SITES];    /* what transcoders among them are to give, by site */
    struct workspace workspace;
};

/* All that the suite asks for on a stream, going, and nothing opened yet.  Suite and task must
 * stay.  Local. */
void class_make(struct class *class, const struct suite *suite, const struct lm_config *model,
                const struct tap_task *task);
void class_free(struct class *class);

/* Of those that are going: bytes of everything that they will allocate, trainings and
 * workspace included, on the rank that gets most.  Local. */
int64_t class_bytes(const struct class *class, int ranks, int threads);

/* Open the streams that those that are going need, and make the workspace.  Collective.
 * E_IO, E_FORMAT, E_NUMERIC; E_USAGE if their rows do not belong together. */
enum status class_open(struct class *class, MPI_Comm comm);

/* Batch number t of all streams.  Collective.  E_IO, E_FORMAT. */
enum status class_batch(struct class *class, int64_t t);

/* feed_rest() of all streams.  Local. */
void class_rest(struct class *class);

/* The steps that are still to be done: from that of the pupil that is furthest behind on. */
struct range class_steps(const struct class *class);

/* What an autoencoder is to reconstruct; its sizes; what identifies the rows it sees. */
const struct feed *pupil_target(const struct class *class, const struct pupil *pupil);
struct shape       pupil_shape(const struct class *class, const struct pupil *pupil);
uint64_t           pupil_data(const struct class *class, const struct pupil *pupil);

/* Path of one of its files.  The ending may be empty. */
void pupil_path(char path[PATH_LENGTH], const struct class *class, const struct pupil *pupil,
                const char *ending);

#endif
