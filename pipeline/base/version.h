/* version.h -- which source this program was made from. */
#ifndef VERSION_H
#define VERSION_H

/* The git commit, with "-dirty" behind it if files differed from it; "unknown" if the source
 * was no checkout when the program was built. */
const char *version_commit(void);

#endif
