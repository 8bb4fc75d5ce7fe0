/* unzstd.h -- the plain text of a zstd file as a stream, to be read like any other. */
#ifndef UNZSTD_H
#define UNZSTD_H

#include <stdint.h>
#include <stdio.h>

/* A stream of what `compressed` (one or more zstd frames) holds.  Reading fails, with errno
 * EBADMSG, where the file is torn or fails its checksum, and ENOMEM if there is no memory for a
 * frame's window, up to 2 GiB (zstd --long=31).  Closing it leaves `compressed`
 * open.  NULL if there is no memory.  Local. */
FILE *unzstd_open(FILE *compressed);

/* Bytes of memory that reading a zstd file takes, most of it the window of its first frame, which
 * may be 2 GiB; of a file that cannot be read, or is none, those of an ordinary window.  Local. */
int64_t unzstd_bytes(const char *path);

#endif
