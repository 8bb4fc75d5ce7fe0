/* version.h -- which source this program was built from. */
#ifndef VERSION_H
#define VERSION_H

/* The git commit, with "-dirty" appended if files differed from it; "unknown" if the program was
 * built outside a git checkout. */
const char *version_commit(void);

#endif
