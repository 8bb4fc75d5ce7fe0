/* edge_page.h -- RUN/circuit/NAME.html of methods that judge edges: a drawing of the strongest, and
 * a table.  Local, for rank 0.
 */
#ifndef EDGE_PAGE_H
#define EDGE_PAGE_H

#include "circuit/acdc.h"
#include "circuit/eap.h"
#include "methods/methods.h"

#include <jansson.h>

/* The page of a search: the edges that remain, each with what the metric grew by without it when it
 * was tested.  E_IO, E_SPACE. */
enum status edge_page_acdc(const struct circuit *circuit, const char *name, double threshold,
                           const struct acdc *acdc, const struct graph_edges *edges);

/* The page of scores: the hundred edges of largest score, signs aside; and the curves next to the
 * reference, `roc` of the JSON (RESULTS.md), NULL without one.  E_IO, E_SPACE. */
enum status edge_page_eap(const struct circuit *circuit, const char *name,
                          const struct graph *graph, const struct eap *eap, const json_t *roc);

/* The page of a sweep's curve (sweep_curve.h), `roc` of its JSON.  E_IO, E_SPACE. */
enum status edge_page_roc(const struct circuit *circuit, const char *name, const json_t *roc);

#endif
