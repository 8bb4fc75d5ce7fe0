/* trainings.h -- the trainings of one stream: all its autoencoders, which share one read of it.
 *
 * Each batch is read once.  One training after the other makes a step with it, so they also share
 * the memory of a step.
 */
#ifndef TRAININGS_H
#define TRAININGS_H

#include "corpus/identities.h"
#include "shard/store.h"
#include "step/step.h"
#include "suite/stages.h"
#include "suite/tasks.h"
#include "train/batch_reader.h"
#include "train/resume.h"
#include "train/steplog.h"

/* One autoencoder and its training. */
struct member {
    const struct sae_task *task;
    struct recipe      recipe;
    bool               unfinished;  /* still to be trained; if not, the rest is empty */
    struct training    training;
    struct steplog     log;         /* on rank 0 */
    struct step_report last;        /* of the last step in this run; zero before the first */
    unsigned           warned;      /* warnings that were given, a bit each (monitor.c) */
};

struct trainings {
    const struct suite *suite;
    const struct identities *identities;    /* of the suite; NULL until they are opened */
    struct tap          tap;
    char                name[32];           /* of the tap */
    int32_t             width[SITES];       /* of the rows at each site of the layer */
    enum store          store;              /* of the rows on disk */
    int                 count;
    struct member      *members;            /* [count] */
    struct batch_reader reader;             /* what the encoders see */
    struct batch_reader targets[SITES];     /* what transcoders reconstruct, by site; only those
                                               that an unfinished one needs are open */
    struct step         step;               /* the memory of their steps */
};

/* Fill from the suite: every autoencoder of a stream, marked unfinished.  Opens nothing.
 *   width   of the rows at each site of the layer
 * Suite and task must stay.  Local. */
void trainings_make(struct trainings *trainings, const struct suite *suite,
                    const struct tap_task *task, const int32_t width[SITES]);
void trainings_free(struct trainings *trainings);

/* Bytes that the unfinished trainings allocate from trainings_open() on, all together, on the rank
 * that gets most.  Local. */
int64_t trainings_bytes(const struct trainings *trainings, int ranks, int threads);

/* Disk that the unfinished trainings will take at most, next to their checkpoints of now: logs,
 * autoencoders, checkpoints.  Local. */
int64_t trainings_disk_bytes(const struct trainings *trainings);

/* Open the streams that the unfinished trainings need, and make the memory of a step.  The
 * identities must stay.  Collective.
 * E_IO, E_FORMAT, E_NUMERIC; E_USAGE if rows have another width, or streams do not belong
 * together. */
enum status trainings_open(struct trainings *trainings, MPI_Comm comm,
                           const struct identities *identities);

/* Read batch number t of every open stream.  Collective.  E_IO, E_FORMAT. */
enum status trainings_batch(struct trainings *trainings, int64_t t);

/* batch_reader_wait() for every stream.  Local. */
void trainings_wait(struct trainings *trainings);

/* The steps to be done: from the first one that an unfinished training lacks, to the last of the
 * longest. */
struct range trainings_steps(const struct trainings *trainings);

/* The rows that a training reconstructs. */
const struct batch_reader *trainings_target(const struct trainings *trainings,
                                            const struct member *member);

struct shape trainings_shape(const struct trainings *trainings, const struct member *member);

/* The identity of an autoencoder's files, and what its checkpoints were made from (resume.h). */
struct identity          trainings_identity(const struct trainings *trainings,
                                            const struct member *member);
struct checkpoint_source trainings_source(const struct trainings *trainings,
                                          const struct member *member);

/* Path of one of an autoencoder's files.  `ending` may be empty. */
void trainings_path(char path[PATH_LENGTH], const struct trainings *trainings,
                    const struct member *member, const char *ending);

#endif
