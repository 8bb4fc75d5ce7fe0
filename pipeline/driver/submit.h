/* submit.h -- a suite as Slurm job arrays.
 *
 * Each stage is an array (several, where Slurm's MaxArraySize is smaller), the index is the
 * number of the task, and only what is missing and not in the queue yet is submitted.  A task
 * waits for as little as it can: one of train for the shuffle of its stream, one of evaluate
 * for the training of its stream; shuffle for all of harvest, since any row may go anywhere.
 *
 * How many shards harvest makes follows from the tokens, unless harvest.tokens limits them:
 * then a small job submits the rest when the corpus is tokenized.
 */
#ifndef SUBMIT_H
#define SUBMIT_H

#include "suite/suite.h"

/* Submit what is missing, and say what; with `dry` only print the commands, as a shell script
 * that would do it.  `path` is that of the suite file.
 * Local.  What survey_make() refuses; E_USAGE if a `saemill run` is going on or there is no
 * Slurm; E_IO if sbatch fails. */
enum status submit(const struct suite *suite, const char *path, bool dry);

#endif
