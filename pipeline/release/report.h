/* report.h -- index.html: the report of a release, for people.
 *
 * It is one file that needs no other file and no network: style and plots are inside it.
 */
#ifndef REPORT_H
#define REPORT_H

#include "release/entries.h"

/* The text of the report; unless `drawn`, without plots (figures.h).  Caller frees.
 * Local.  E_IO, E_FORMAT. */
enum status report_text(char **text, const struct suite *suite, const struct entries *entries,
                        const json_t *manifest, bool drawn);

/* Write the report.  `manifest` is that of the release (manifest.h); training logs are read from
 * the run folder.  The same inputs give the same bytes.  Local; starts gnuplot for each
 * plot.  E_IO, E_FORMAT, E_SPACE. */
enum status report_write(const char *path, const struct suite *suite,
                         const struct entries *entries, const json_t *manifest);

#endif
