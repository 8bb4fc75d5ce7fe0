/* subnetwork_page.h -- RUN/circuit/NAME.html of the method subnetwork: which gates are open.
 * Local, for rank 0. */
#ifndef SUBNETWORK_PAGE_H
#define SUBNETWORK_PAGE_H

#include "circuit/graph.h"
#include "methods/methods.h"

#include <jansson.h>

/* Write the page of a penalty, from the JSON (RESULTS.md) and the gates.
 *   log_alpha [receivers - 1]  in: as circuit/subnetwork.h
 * E_IO, E_SPACE. */
enum status subnetwork_page_write(const struct circuit *circuit, const char *name, double penalty,
                                  const struct graph *graph, const float *log_alpha,
                                  const json_t *summary);

#endif
