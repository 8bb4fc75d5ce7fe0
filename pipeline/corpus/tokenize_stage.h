/* tokenize_stage.h -- what tokenize needs and makes, for the stage and for plans. */
#ifndef TOKENIZE_STAGE_H
#define TOKENIZE_STAGE_H

#include "corpus/corpus.h"
#include "suite/stages.h"

/* In a round each rank takes this many documents or ready sequences, one after another; or fewer
 * documents, if they have this much text. */
enum { TOKENIZE_ROUND = 256, TOKENIZE_ROUND_BYTES = 1 << 24 };

/* The memory of a rank, and what rank 0 has besides.  Every rank reads every text.  Without the
 * documents of JSON files that are longer than a MiB.  Local. */
struct stage_memory tokenize_stage_memory(const struct suite *suite, const struct corpus *corpus,
                                          int ranks);

/* Bytes on disk of all token files.  Local. */
double tokenize_stage_bytes(const struct stage_amounts *amounts);

/* Bytes that the shard of a corpus file of `bytes` takes, low for compressed text.  Local. */
int64_t tokenize_stage_least_bytes(int64_t bytes);

#endif
