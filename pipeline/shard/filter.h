/* filter.h -- zstd as an HDF5 filter, under its registered number.
 *
 * A chunk is one plain zstd frame with the content checksum switched on, so that a flipped
 * bit is an error and not a number.  The same code, built as lib/libh5zstd.so, lets h5py,
 * h5dump and every other HDF5 program read our files (HDF5_PLUGIN_PATH=lib).
 */
#ifndef FILTER_H
#define FILTER_H

#include <hdf5.h>

enum { ZSTD_FILTER = 32015 };   /* in The HDF Group's list of registered filters */

/* What the filter's one parameter may be, besides zstd's levels.  The bytes of floating-point
 * numbers repeat in no pattern, only some are more frequent than others: so this level looks
 * for no repetitions and is left with the entropy coding.  On activations it takes a third of
 * the time of level 1 and makes them as small, or smaller. */
enum { FILTER_ENTROPY_ONLY = -(128 << 10) };

/* To be given to H5Zregister().  One parameter: the compression level. */
extern const H5Z_class2_t zstd_filter;

#endif
