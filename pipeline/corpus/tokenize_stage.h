/* tokenize_stage.h -- what tokenize makes, for plans. */
#ifndef TOKENIZE_STAGE_H
#define TOKENIZE_STAGE_H

#include "suite/stages.h"

/* Bytes on disk of all token files.  Local. */
double tokenize_stage_bytes(const struct stage_amounts *amounts);

#endif
