/* identities.h -- the identity of every file of a run, computed from the suite and its inputs.
 *
 * The content of each file follows from values of the suite and from what it was made from, down to
 * model and text.  So its identity (shard/identity.h) is computed in the same way by who writes
 * it and by who reads it, and nobody reads the file for that:
 *
 *     token shard   section corpus, config.json, tokenizer, this corpus file
 *     harvest       the identities of all token shards, weights, model.precision, section harvest
 *     shuffle       that of the harvest, section shuffle
 *     autoencoder   that of the shuffle, section train, what is asked of it; so its checkpoints
 *     scores        that of the autoencoder, section evaluate
 *     result        of a task file: config.json, tokenizer, weights, files of prompts and what else
 *                   the task reads, model.precision, the section of its kind
 *
 * Of a section all keys count but technical ones and paths; of a file all of its bytes.
 * An identity depends neither on ranks or interruptions, nor on where run folder and inputs lie.
 * Everything here is Local unless it says otherwise.
 */
#ifndef IDENTITIES_H
#define IDENTITIES_H

#include "shard/identity.h"
#include "suite/tasks.h"

struct identities {
    const struct suite *suite;
    int       files;            /* of the corpus */
    uint64_t *tokens;           /* [files] */
    uint64_t  harvest, shuffle, result;     /* the place in the stage tells its files apart */
};

/* Compute them.  `suite` must stay.  identities_free() is due after a failure, too.  As
 * inputs_read(). */
enum status identities_read(struct identities *identities, const struct suite *suite);
void        identities_free(struct identities *identities);

/* The same from the record in the run folder, without model and text; *found: there is one.
 * E_IO. */
enum status identities_recorded(struct identities *identities, bool *found,
                                const struct suite *suite);

/* The same for a stage: rank 0 also keeps the record of the inputs.  Collective.  As
 * inputs_keep(). */
enum status identities_open(struct identities *identities, MPI_Comm comm,
                            const struct suite *suite);

/* Of the token shard of a corpus file. */
struct identity identities_tokens(const struct identities *identities, int64_t file);

/* Of a folder of the harvest, and of one of the shuffle: identity_within() gives that of a file. */
struct identity identities_harvest(const struct identities *identities, int64_t shard);
struct identity identities_shuffle(const struct identities *identities, struct tap tap);

/* Of the files of an autoencoder, "train/res.01/NAME", without ending; and of its scores. */
struct identity identities_sae(const struct identities *identities, struct tap tap,
                               const struct sae_task *task);
struct identity identities_scores(const struct identities *identities, struct tap tap,
                                  const struct sae_task *task);

/* Of the files of a task of a task file, "circuit/NAME", without ending. */
struct identity identities_result(const struct identities *identities, const char *name);

#endif
