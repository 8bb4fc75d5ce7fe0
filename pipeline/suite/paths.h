/* paths.h -- where in the run folder each thing lies. */
#ifndef PATHS_H
#define PATHS_H

#include "base/path.h"
#include "suite/site.h"
#include "suite/suite.h"

/* Paths in the run folder.  Each is published when complete: existence means completeness. */
void paths_tokens(char path[PATH_LENGTH], const struct suite *suite, int64_t file);
                                    /* RUN/tokens/00003.h5: sequences of one corpus file */
void paths_harvest(char path[PATH_LENGTH], const struct suite *suite, int64_t shard);
                                    /* RUN/harvest/00003: folder, one TAP.h5 per stream */
void paths_shuffle(char path[PATH_LENGTH], const struct suite *suite, struct tap tap);
                                    /* RUN/shuffle/res.01: folder, 00000.h5, 00001.h5, ... */
void paths_sae(char path[PATH_LENGTH], const struct suite *suite, struct tap tap,
               const char *name, const char *ending);
                                    /* RUN/train/res.01/w1024-l0.0006.h5; endings .h5, .tsv */
void paths_trained(char path[PATH_LENGTH], const struct suite *suite, const char *name);
/* RUN/train/res.01/w1024-l0.0006.h5 of "res.01/w1024-l0.0006" */
void paths_scores(char path[PATH_LENGTH], const struct suite *suite, struct tap tap,
                  const char *name); /* RUN/evaluate/res.01/w1024-l0.0006.json */
void paths_inputs(char path[PATH_LENGTH], const struct suite *suite);
                                    /* RUN/inputs: model and text that it reads */
void paths_release(char path[PATH_LENGTH], const struct suite *suite);
                                    /* RUN/release: folder */
void paths_result(char path[PATH_LENGTH], const struct suite *suite, const char *name,
                  const char *ending);
                                    /* RUN/circuit/ioi.h5, of a task file; endings .h5, .json */

#endif
