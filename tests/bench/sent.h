/* sent.h -- how many bytes this rank gives to MPI.
 *
 * Through MPI's profiling interface: the functions a step calls are there once more, count, and
 * pass on.  A rank that gathers passes on what it gets, round a ring; one that gets a broadcast
 * passes it on once; a sum goes round twice.
 */
#ifndef SENT_H
#define SENT_H

#include <stdint.h>

extern int64_t sent_bytes;      /* since it was last set to 0 */

#endif
