/* record.h -- what became of a task, for those who look later.
 *
 * The output of a task of `saemill submit` goes to RUN/logs/STAGE-NNNNN.log, the complaints
 * of a stage of `saemill run` to RUN/logs/STAGE.log.  Beside each lies a small JSON file,
 * from the beginning of the first attempt until the work is done.  A task that does not run,
 * is not done and whose record does not say how it ended was killed.
 */
#ifndef RECORD_H
#define RECORD_H

#include "base/file.h"
#include "suite/stages.h"

enum { WHOLE_STAGE = -1 };      /* in place of a task: what `saemill run` does of a stage */

enum ending { ENDED_NOT, ENDED_STOPPED, ENDED_FAILED };

struct record {
    enum ending ending;
    int64_t     progress;   /* when the last attempt began (stages.h) */
    int         idle;       /* attempts in a row before it that made no progress */
};

void record_log_path(char path[PATH_LENGTH], const struct suite *suite, enum stage stage,
                     int64_t task);

/* Is there a record?  What cannot be understood is no record.  Local. */
bool record_read(struct record *record, const struct suite *suite, enum stage stage,
                 int64_t task);

/* Local.  E_IO, E_SPACE. */
enum status record_write(const struct record *record, const struct suite *suite,
                         enum stage stage, int64_t task);
enum status record_remove(const struct suite *suite, enum stage stage, int64_t task);

/* The numbers of a stage's tasks that have a record: a flag for each of `tasks`, and after
 * them one for the whole stage.  Caller frees.  Local. */
bool *record_list(const struct suite *suite, enum stage stage, int64_t tasks);

/* Every attempt begins its part of a log with a line that begins so. */
#define LOG_HEADING "== "

/* The last lines, up to `lines` (16 at most), of what the last attempt wrote to a log: our own
 * words if there are any, else those of MPI or Slurm; in UTF-8.  "" if there are none.  Caller
 * frees.  Local. */
char *record_log_tail(const struct suite *suite, enum stage stage, int64_t task, int lines);

#endif
