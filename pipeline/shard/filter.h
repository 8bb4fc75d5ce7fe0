/* filter.h -- zstd as an HDF5 filter, under its registered number.
 *
 * A chunk is one zstd frame with a content checksum (frame.h), so a flipped bit is an error and not
 * a wrong number.  The same code, built as lib/libh5zstd.so, lets h5py, h5dump and every other HDF5
 * program read our files (HDF5_PLUGIN_PATH=lib).
 */
#ifndef FILTER_H
#define FILTER_H

#include <hdf5.h>

enum { ZSTD_FILTER = 32015 };   /* in The HDF Group's list of registered filters */

/* For H5Zregister().  Its one parameter is the level that frame_make() gets. */
extern const H5Z_class2_t filter_zstd;

#endif
