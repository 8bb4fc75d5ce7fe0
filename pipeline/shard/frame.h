/* frame.h -- compress bytes into a zstd frame with a content checksum, so that a flipped bit is an
 * error and not a wrong number.
 *
 * Chunks of HDF5 files are such frames (filter.h), and so are those of spill files (spill.h).
 * Calls nothing but zstd, since the plug-in for other programs is built from it.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>

/* A level in addition to zstd's: entropy coding only, without a search for repetitions.  The bytes
 * of floating-point numbers do not repeat, but some are more frequent than others.  On activations
 * this takes a third of the time of level 1, and the result is as small or smaller. */
enum { FRAME_ENTROPY_ONLY = -(128 << 10) };

/* Most bytes that zstd allocates to make or to open a frame. */
enum { FRAME_SCRATCH = 600 << 10 };

/* The largest frame of `bytes` bytes. */
size_t frame_bound(size_t bytes);

/* Make a frame.  Returns its bytes, or 0 if there is no memory.
 *   frame  [frame_bound(bytes)]  out
 *   from   [bytes]               in */
size_t frame_make(void *frame, const void *from, size_t bytes, int level);

/* Find the decompressed size of a frame.  False if its header does not tell it. */
bool frame_content(size_t *bytes, const void *frame, size_t frame_bytes);

/* Decompress one frame, or several consecutive ones.  False if one is damaged, or if together they
 * do not hold exactly `bytes` bytes.
 *   to     [bytes]        out
 *   frame  [frame_bytes]  in */
bool frame_open(void *to, size_t bytes, const void *frame, size_t frame_bytes);

#endif
