/* filter.h -- zstd as an HDF5 filter, under its registered number.
 *
 * Frames are plain zstd frames with the content checksum switched on, so that a flipped
 * bit is an error and not a number.  The same code, built as lib/libh5zstd.so, lets h5py
 * and h5dump read our files (HDF5_PLUGIN_PATH=lib).
 */
#ifndef FILTER_H
#define FILTER_H

#include "base/status.h"

#include <hdf5.h>

enum { ZSTD_FILTER = 32015 };   /* https://github.com/HDFGroup/hdf5_plugins/blob/master/docs/RegisteredFilterPlugins.md */

/* A creation list for data sets of one chunk shape: byte shuffle, then zstd level 1.
 * rank 1 or 2.  Caller closes (H5Pclose). */
hid_t filter_list(int rank, const hsize_t chunk[]);

#endif
