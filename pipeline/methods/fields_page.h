/* fields_page.h -- RUN/circuit/NAME.html of methods whose numbers are fields: means over prompts,
 * as heat maps where heads have them.  Local, for rank 0.
 */
#ifndef FIELDS_PAGE_H
#define FIELDS_PAGE_H

#include "methods/fields.h"

/* Write the page; `about` completes the sentence that begins with model and prompts ("what each
 * head adds").  E_IO, E_SPACE. */
enum status fields_page_write(const struct fields *fields, const char *name, const char *about);

#endif
