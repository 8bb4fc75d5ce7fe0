/* inversion_files.h -- the files of inversions: JSON and page of a task, JSON that sums up all.
 *
 * INVERSIONS.md defines them.  Local, for rank 0.
 */
#ifndef INVERSION_FILES_H
#define INVERSION_FILES_H

#include "invert/explanation.h"
#include "methods/task_stage.h"

#include <jansson.h>

/* The name of the files of a task. */
void inversion_files_name(char name[METHODS_NAME], int64_t task);

/* Write RUN/invert/NAME.html and NAME.json.
 *   autoencoder  STREAM/NAME; NULL: there is none
 * E_IO, E_SPACE. */
enum status inversion_files_write(const struct task_work *work, const char *name,
                                  const struct explanation *explanation,
                                  const struct descent_options *options, const char *autoencoder);

/* The page alone; `summary` is the JSON of the task.  As above. */
enum status inversion_files_write_page(const struct circuit *task, const char *name,
                                       const struct explanation *explanation,
                                       const struct descent_options *options,
                                       const json_t *summary);

/* Write RUN/invert/inversions.json if the files of all tasks are there and it is not: the same
 * whichever task came last.  E_IO, E_SPACE, E_FORMAT. */
enum status inversion_files_write_summary(const struct task_work *work);

/* Its path.  Local. */
void inversion_files_summary_path(char path[PATH_LENGTH], const struct suite *suite);

#endif
