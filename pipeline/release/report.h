/* report.h -- index.html: a release explained to the person who opens it.
 *
 * One file that needs no other and no network: style and diagrams are inside it.
 */
#ifndef REPORT_H
#define REPORT_H

#include "release/entries.h"

/* Write the report.  `manifest` is that of the release (manifest.h); training logs are read
 * from the run's folder.  The same inputs give the same bytes.
 * Local; starts gnuplot for each diagram.  E_IO, E_FORMAT, E_SPACE. */
enum status report_write(const char *path, const struct suite *suite,
                         const struct entries *entries, const json_t *manifest);

#endif
