/* tokenize_stage.h -- what tokenize makes, for plans. */
#ifndef TOKENIZE_STAGE_H
#define TOKENIZE_STAGE_H

#include "suite/stages.h"

/* Bytes on disk of all token files.  Local. */
double tokenize_stage_bytes(const struct stage_amounts *amounts);

/* Bytes that the shard of a corpus file of `bytes` takes, low for compressed text.  Local. */
int64_t tokenize_stage_least_bytes(int64_t bytes);

#endif
