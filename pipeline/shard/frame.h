/* frame.h -- bytes as one zstd frame with the content checksum, which makes a flipped bit an
 * error and not a number.
 *
 * Chunks of HDF5 files are such frames (filter.h), and so are those of dealt files (spill.h).
 * Nothing here but zstd, since the plug-in for other programs is made of it.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* A level besides zstd's.  The bytes of floating-point numbers repeat in no pattern, only some
 * are more frequent than others: so this one looks for no repetitions and is left with the
 * entropy coding.  On activations it takes a third of the time of level 1 and makes them as
 * small, or smaller. */
enum { FRAME_ENTROPY_ONLY = -(128 << 10) };

/* What zstd takes besides to make a frame or to open one. */
enum { FRAME_ROOM = 600 << 10 };

/* Most bytes of the frame of so many. */
size_t frame_bound(size_t bytes);

/* Make a frame.  Returns its bytes, or 0 if there is no memory.
 *   frame  [frame_bound(bytes)]  out
 *   from   [bytes]               in */
size_t frame_make(void *frame, const void *from, size_t bytes, int level);

/* How many bytes are in a frame?  False if it does not say so. */
bool frame_content(size_t *bytes, const void *frame, size_t frame_bytes);

/* Open a frame of `bytes` bytes, or several one behind the other that have so many in all.  False
 * if one is damaged or they have not so many.
 *   to     [bytes]        out
 *   frame  [frame_bytes]  in */
bool frame_open(void *to, size_t bytes, const void *frame, size_t frame_bytes);

#endif
