/* task_page.h -- RUN/circuit/NAME.html: what the pages of all tasks have in common.  Local, for
 * rank 0. */
#ifndef TASK_PAGE_H
#define TASK_PAGE_H

#include "methods/methods.h"

#include <stdio.h>

struct task_page {
    const struct circuit *circuit;
    const char           *name;     /* of the task */
    bool                  without_table;    /* there is no NAME.h5 */
    FILE                 *out;      /* for what the page is about */
    char                 *text;
    size_t                bytes;
};

/* Start a page: style, heading, and a paragraph that says model and prompts, if there are any, and
 * is still open. */
void task_page_begin(struct task_page *page, const struct circuit *circuit, const char *name);

/* End it with the suite file, write it, and free it.  E_IO, E_SPACE. */
enum status task_page_write(struct task_page *page);

#endif
