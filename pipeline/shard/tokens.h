/* tokens.h -- token shards: sequences of one corpus file, ready for the model.
 *
 * FORMATS.md, "Token shard".  A shard has two parts, "train" and "holdout"; a sequence
 * is `context` ids, the first of them BOS, the tail of a document's last one padded.
 */
#ifndef TOKENS_H
#define TOKENS_H

#include "shard/h5.h"

enum tokens_part { TOKENS_TRAIN, TOKENS_HOLDOUT, TOKENS_PARTS };

/* The ids that are not text: their rows are fed to the model but never stored. */
struct special_tokens {
    int32_t bos, eos, pad;
};

/* Is a row of this token worth storing? */
bool token_is_text(struct special_tokens special, int32_t id);

/* Where a sequence comes from. */
struct origin {
    int64_t document;   /* corpus file number << 32 | document number in it */
    int32_t start;      /* position in the document of the id after BOS */
};

/* A shard being written, by one rank.  Sequences are appended in order. */
struct tokens_writer {
    char    path[1024];             /* final name */
    hid_t   file;
    int64_t context;
    int64_t written[TOKENS_PARTS];  /* sequences so far */
};

/* All four are Local.  Publish syncs, renames and closes; close abandons. */
enum status tokens_create(struct tokens_writer *writer, const char *path, int64_t context,
                          struct special_tokens special, const char *source, const char *suite);
enum status tokens_append(struct tokens_writer *writer, enum tokens_part part, int64_t sequences,
                          const int32_t *ids /* [sequences, context] */,
                          const struct origin *origins /* [sequences] */);
enum status tokens_publish(struct tokens_writer *writer);
void        tokens_abandon(struct tokens_writer *writer);

/* All shards of a run, as one long list of sequences per part. */
struct tokens {
    int       shards;
    char    (*paths)[1024];
    int64_t  *before[TOKENS_PARTS]; /* [shards + 1] sequences in the shards before each */
    int64_t   sequences[TOKENS_PARTS];
    int64_t   context;
    struct special_tokens special;
};

/* Open every shard's header.  Local.  E_IO, E_FORMAT. */
enum status tokens_open(struct tokens *tokens, char (*paths)[1024], int shards);
void        tokens_close(struct tokens *tokens);

/* Read the chosen sequences, in the order asked.  Local.  E_IO, E_FORMAT.
 *   ids      [count, context]  out
 *   origins  [count]           out */
enum status tokens_read(const struct tokens *tokens, enum tokens_part part,
                        const int64_t *sequences, int64_t count,
                        int32_t *ids, struct origin *origins);

#endif
