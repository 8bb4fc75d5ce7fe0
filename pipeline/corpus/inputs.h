/* inputs.h -- the files that a run reads: model, tokenizer, corpus, prompts.  Are they still the
 * same?
 *
 * Stages take these files from the paths in the suite, days after one another.  So the run folder
 * keeps a record of them, RUN/inputs, with a hash of all bytes of each, and every start compares.
 * To hash gigabytes each time would take too long: a file whose size, inode and time of change
 * (ctime, which nobody sets back) are as recorded counts as unchanged; only others are read again.
 * The record is no more than that: without it the files are hashed, and what was made from others
 * is refused by its identity (corpus/identities.h).
 *
 * A token shard has the number of its file in the list that corpus.files gives.  If a file
 * arrives, goes or is renamed, that list is another one, and a number means another file; so the
 * record has the list, too.
 */
#ifndef INPUTS_H
#define INPUTS_H

#include "base/file.h"
#include "suite/suite.h"

enum input_kind {
    INPUT_CONFIG, INPUT_TOKENIZER, INPUT_WEIGHTS,
    INPUT_PROMPTS,          /* files of prompts, the words that a generator makes them of, and what
                               else a circuit's method reads */
    INPUT_MEANS,            /* what these are compared with: texts over which it takes a mean, or
                               which are not to be forgotten */
    INPUT_AUTOENCODERS,     /* of another run (suite/trained.h) */
    INPUT_CORPUS, INPUT_KINDS
};

struct input {
    enum input_kind kind;
    char            path[PATH_LENGTH];
    int64_t         bytes;
    int64_t         state[3];       /* stat() says: inode, seconds and nanoseconds of last change */
    uint64_t        hash;           /* XXH3 of all bytes */
};

struct inputs {
    struct input *file;     /* [count] by kind; of the corpus in its order, the others by name */
    int           count;
};

/* List the files and find their hashes, from the record where they are as recorded.  A file of the
 * model that is recorded and not there counts as it was.  Refuses, by name, what has changed since
 * something was made from it: a file of the model; a corpus file that has a token shard, or any
 * once the harvest has begun.  Corpus files may be added behind the others until then.
 * inputs_free() is due after a failure, too.  Local.  E_USAGE, E_IO. */
enum status inputs_read(struct inputs *inputs, const struct suite *suite);
void        inputs_free(struct inputs *inputs);

/* Take them from the record, and look at no file; none if there is no record.  inputs_free() is due
 * after a failure, too.  Local.  E_IO. */
enum status inputs_recorded(struct inputs *inputs, const struct suite *suite);

/* The same, and write the record if it is not that.  For one process of a run.  Local.  E_USAGE,
 * E_IO, E_SPACE. */
enum status inputs_keep(const struct suite *suite);

/* Has anything that is recorded changed?  For the driver, which may not see model or corpus: what
 * is not there is left to the stages.  Local.  E_USAGE, E_IO. */
enum status inputs_check(const struct suite *suite);

/* Refuse if another run's record names other weights than this one's, or has none.  Local.
 * E_USAGE, E_IO. */
enum status inputs_check_model(const struct suite *suite, const struct suite *other);

#endif
