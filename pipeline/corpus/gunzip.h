/* gunzip.h -- the plain text of a gzip file as a stream, to be read like any other. */
#ifndef GUNZIP_H
#define GUNZIP_H

#include <stdio.h>

/* A stream of what `compressed` (one or more gzip members) holds.  Reading fails, with errno
 * EBADMSG, where the file is torn or fails its checksum.  Closing it leaves `compressed` open.
 * NULL if there is no memory.  Local. */
FILE *gunzip_open(FILE *compressed);

#endif
