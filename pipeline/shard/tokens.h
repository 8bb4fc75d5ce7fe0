/* tokens.h -- token shards: the sequences of one corpus file, ready for the model.
 *
 * FORMATS.md, "Token shard".  A shard has two parts, "train" and "holdout".  A sequence is
 * `context` ids, the first of them BOS; the last sequence of a document is padded.
 */
#ifndef TOKENS_H
#define TOKENS_H

#include "base/file.h"
#include "shard/identity.h"
#include "shard/shards.h"

enum tokens_part { TOKENS_TRAIN, TOKENS_HOLDOUT, TOKENS_PARTS };

/* The ids that are not text.  The model sees them, but their activations are not stored. */
struct special_tokens {
    int32_t bos, eos, pad;
};

/* The same of any id in its place in a sequence, such as one of a chat's template: a sequence then
 * holds its complement, which is below 0.  Taking the complement again gives the id. */
int32_t tokens_unkept(int32_t id);

/* Is this the id of text, whose activation is stored?  Else it is a special token or not kept. */
bool tokens_is_text(struct special_tokens special, int32_t id);

/* What the model sees: the ids of sequences, kept or not.
 *   seen [count]  out
 *   ids  [count]  in */
void tokens_seen(int32_t *seen, const int32_t *ids, int64_t count);

/* Where a sequence comes from. */
struct sequence_origin {
    int64_t document;   /* corpus file number << 32 | document number in it */
    int64_t start;      /* position in the document of the id after BOS */
};

/* The data sets of one part, while they are written. */
struct tokens_sets {
    hid_t   ids, documents, starts;
    int64_t sequences;  /* written so far */
};

/* A shard being written, by one rank. */
struct tokens_writer {
    char    path[PATH_LENGTH];  /* its final name */
    int64_t context;
    hid_t   file;
    struct tokens_sets parts[TOKENS_PARTS];
};

/* Create PATH.part.  `source` is the corpus file; `unkept`: sequences may hold ids that are not
 * kept.  Local.  E_IO, E_SPACE. */
enum status tokens_create(struct tokens_writer *writer, const char *path, int64_t context,
                          struct special_tokens special, bool unkept, const char *source,
                          const struct identity *identity);

/* Append sequences to a part.  Local.  E_IO, E_SPACE.
 *   ids      [sequences, context]
 *   origins  [sequences] */
enum status tokens_append(struct tokens_writer *writer, enum tokens_part part, int64_t sequences,
                          const int32_t *ids, const struct sequence_origin *origins);

/* Close and publish the file.  If `st` is not OK it only closes, and returns st.  Accepts a writer
 * that was never created.  Local. */
enum status tokens_publish(struct tokens_writer *writer, enum status st);

/* All token shards of a run, read as one list of sequences for each part. */
struct tokens {
    int64_t context;
    struct special_tokens special;
    bool    unkept;             /* may sequences hold ids that are not kept? */
    int64_t sequences[TOKENS_PARTS];

    struct shards shards;
    int64_t *before[TOKENS_PARTS];  /* [shards.count + 1] sequences in earlier shards */
};

/* Read the headers of all shards, whose sequences must be `context` ids long: buffers of the
 * suite's context hold what is read.
 *   paths       [shards]  is copied
 *   identities  [shards]  that they must have; NULL: any
 * Local.  E_IO, E_FORMAT (unknown version, sequences of another length, shards of different special
 * tokens), E_USAGE (another identity). */
enum status tokens_open(struct tokens *tokens, char (*paths)[PATH_LENGTH],
                        const struct identity *identities, int shards, int64_t context);
void        tokens_close(struct tokens *tokens);

/* Read the chosen sequences, in the order of `chosen`; cheapest if consecutive ones are in the same
 * shard.  Local.  Other threads may call HDF5 at the same time.  E_IO, E_FORMAT.
 *   ids      [count, context]  out   those that are not kept as complements
 *   origins  [count]           out
 *   chosen   [count]           in    numbers in [0, sequences[part]) */
enum status tokens_read(struct tokens *tokens, enum tokens_part part,
                        const int64_t *chosen, int64_t count,
                        int32_t *ids, struct sequence_origin *origins);

#endif
