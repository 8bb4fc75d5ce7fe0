/* selection.h -- the sequences that a stage takes from a run's token shards, in their order.
 *
 * Any share of a corpus should be a fair sample of it, so sequences are taken in a random
 * order: the first `wanted` ones of a permutation drawn from a seed (permute.h).
 */
#ifndef SELECTION_H
#define SELECTION_H

#include "base/split.h"
#include "corpus/identities.h"
#include "kernels/permute.h"
#include "shard/tokens.h"
#include "suite/suite.h"

struct selection {
    struct identities identities;
    struct tokens    tokens;
    enum tokens_part part;
    struct permute   order;
    int64_t          sequences;     /* taken: at most `wanted`, at most what there is */
};

/* Open the token shards of all corpus files of a suite and choose from one part.  `wanted`
 * 0 means all.  `suite` must stay.  Local.  E_USAGE if tokenize has not finished, or the part is
 * empty; E_IO, E_FORMAT; what inputs_read() refuses. */
enum status selection_open(struct selection *selection, const struct suite *suite,
                           enum tokens_part part, int64_t wanted, int64_t seed);
void        selection_close(struct selection *selection);

/* Read these sequences of the selection.  Local.  E_IO, E_FORMAT.
 *   ids      [range, context]  out
 *   origins  [range]           out */
enum status selection_read(struct selection *selection, struct range range,
                           int32_t *ids, struct sequence_origin *origins);

/* How many sequences has each part, of all corpus files?  As selection_open(). */
enum status selection_count(int64_t sequences[TOKENS_PARTS], const struct suite *suite);

/* Can the whole suite be done, from training to scores?  Both parts of its tokens must hold
 * sequences; before the tokens are there, what is known of the corpus must not exclude it.  And
 * nothing may have changed that the run has read (inputs_check()).  For the driver: a harvest by
 * itself needs no held-out text.  Local.  E_USAGE with a remedy that works; E_IO, E_FORMAT. */
enum status selection_check_parts(const struct suite *suite);

/* The training sequences that harvest takes, by suite.harvest.  As selection_open(). */
enum status selection_of_harvest(struct selection *selection, const struct suite *suite);

/* The held-out sequences that evaluate takes, by suite.evaluate.  As selection_open(). */
enum status selection_of_evaluate(struct selection *selection, const struct suite *suite);

#endif
