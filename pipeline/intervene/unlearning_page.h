/* unlearning_page.h -- RUN/intervene/unlearning.html: the sweep as drawings and tables.  Local, for
 * rank 0. */
#ifndef UNLEARNING_PAGE_H
#define UNLEARNING_PAGE_H

#include "intervene/interventions.h"

#include <jansson.h>

/* Write it.
 *   sweep        what unlearning.json has
 *   tasks [...]  the contents of the files of all tasks
 * E_IO, E_SPACE. */
enum status unlearning_page_write(const struct intervention *intervention, const json_t *sweep,
                                  json_t *const *tasks);

#endif
