/* page.h -- compare the report of a release with what it should be, but for its plots.
 *
 * A page's plots depend on training logs and on gnuplot, which verify may not have.  So a page is
 * compared with one without plots (report_text()), and each plot in it must be harmless.
 * Everything here is Local.
 */
#ifndef PAGE_H
#define PAGE_H

#include "base/refuse.h"

#include <stdint.h>

/* Check that a page holds no NUL, and that its plots draw only: known elements, no handlers of
 * events, references to themselves only.  E_FORMAT names `path`. */
enum status page_check_plots(const char *page, int64_t bytes, const char *path);

/* The text with PLOT_UNDRAWN in place of each plot, or of the words that say that there is
 * nothing to draw.  Caller frees. */
char *page_without_plots(const char *page);

#endif
