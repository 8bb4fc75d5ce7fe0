/* steering_page.h -- RUN/intervene/steering-targets.html: what each way does to its target and to
 * all other latents, how good the linear map is, and how scales are distributed.
 *
 * All numbers are those of the JSON.  Local, for rank 0.
 */
#ifndef STEERING_PAGE_H
#define STEERING_PAGE_H

#include "methods/methods.h"

#include <jansson.h>

/* Write it, of the task called `name`.  E_IO, E_SPACE. */
enum status steering_page_write(const struct circuit *task, const char *name,
                                const json_t *summary);

#endif
