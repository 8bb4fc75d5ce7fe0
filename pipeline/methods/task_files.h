/* task_files.h -- what the files of all methods have in common: the attributes of the HDF5 file,
 * the first members of the JSON.  RESULTS.md defines the rest.  Local, for rank 0. */
#ifndef TASK_FILES_H
#define TASK_FILES_H

#include "methods/methods.h"
#include "shard/h5.h"

#include <jansson.h>

/* Create PATH.part, whose name is `part`, with format and version, identity, the effective suite,
 * layers and heads.  E_IO, E_SPACE. */
enum status task_files_create(hid_t *file, char part[PATH_LENGTH], const char *path,
                              const struct circuit *circuit, const char *format, int version);

/* Close it, and publish PATH unless `st` is a failure, which is returned. */
enum status task_files_publish(hid_t *file, const char *part, const char *path, enum status st);

/* Write the prompts: tokens, lengths, templates, classes, answers, wrong answers.  E_IO,
 * E_SPACE. */
enum status task_files_write_prompts(hid_t file, const char *path, const struct prompts *prompts);

/* An object with place, identity and kernels of the task.  Caller owns it. */
json_t *task_files_summary(const struct circuit *circuit);

/* Set a member; what is not finite becomes null. */
void task_files_put(json_t *object, const char *name, double value);

/* The number at a path of members, which ends with NULL; NaN: none, or null. */
double task_files_number(const json_t *object, ...) __attribute__((sentinel));

/* "9.6" of head 6 of layer 9. */
json_t *task_files_head(const struct lm_config *config, int64_t head);

/* The number of the head that an object has as "head". */
int64_t task_files_head_number(const json_t *object, const struct lm_config *config);

/* Write RUN/circuit/NAME.json, and free the summary.  E_IO, E_SPACE. */
enum status task_files_write(const struct circuit *circuit, const char *name, json_t *summary);

#endif
