/* edge_files.h -- the files of methods that judge edges: RESULTS.md defines them.  Everything here
 * but edge_files_resume() is Local, for rank 0. */
#ifndef EDGE_FILES_H
#define EDGE_FILES_H

#include "circuit/acdc.h"
#include "circuit/eap.h"
#include "methods/methods.h"
#include "methods/roc_points.h"

/* All edges of a model, direct ones included; and bytes of a task's first file. */
int64_t edge_files_edges(const struct lm_config *config);
double  edge_files_bytes(const struct lm_config *config, struct circuit_shape shape);

/* Save the steps of a search, RUN/circuit/NAME.steps.h5.  E_IO, E_SPACE. */
enum status edge_files_save(const struct circuit *circuit, const char *name,
                            const struct acdc *acdc);

/* The steps that an earlier start of the task has saved, if it has; acdc_free() frees them.  The
 * same on all ranks.  Collective.  E_USAGE if they are another task's; E_IO, E_FORMAT. */
enum status edge_files_resume(const struct circuit *circuit, const char *name, struct acdc *before);

/* Write RUN/circuit/NAME.h5, with the point of the circuit next to the reference; NULL: there is
 * none.  Then, when the point has been read where it is needed, NAME.json, and remove the steps.
 * E_IO, E_SPACE. */
enum status edge_files_write_acdc(const struct circuit *circuit, const char *name,
                                  const struct acdc *acdc, const struct roc_points *point);
enum status edge_files_sum_up_acdc(const struct circuit *circuit, const char *name,
                                   const struct acdc *acdc, const struct graph_edges *edges,
                                   const struct roc_points *point);

/* Read the point from the file of a task.  E_IO, E_FORMAT, E_USAGE if it is another task's. */
enum status edge_files_read_point(const struct circuit *circuit, const char *path,
                                  struct roc_points *point);

/* The same for scores, next to the reference if there is one; `effects` of `count` edges, NULL:
 * none.  E_IO, E_SPACE; as reference_read(). */
enum status edge_files_write_eap(const struct circuit *circuit, const char *name,
                                 const struct graph *graph, const struct eap *eap,
                                 const int32_t (*edges)[2], const double *effects, int64_t count);

/* --- for files of other methods of this format -------------------------------------------- */

/* Create PATH.part, as task_files_create(); write a point, if there is one.  E_IO, E_SPACE. */
enum status edge_files_create(hid_t *file, char part[PATH_LENGTH], const char *path,
                              const struct circuit *circuit);
enum status edge_files_put_point(hid_t file, const char *part, const struct roc_points *point);

/* The first members of the JSON; a list of the names of edges.  Caller owns them.  And the members
 * of a point, if there is one. */
json_t *edge_files_summary(const struct circuit *circuit);
json_t *edge_files_list(const struct graph_edges *edges);
void    edge_files_sum_up_point(json_t *summary, const struct roc_points *point);

#endif
