/* tensorfile.h -- write and read whole tensors of a training, in an HDF5 file.
 *
 * The file does not depend on how the tensor is spread over the ranks.
 */
#ifndef TENSORFILE_H
#define TENSORFILE_H

#include "shard/h5.h"
#include "step/training.h"

/* Write one array of a tensor as data set `name`.  The owners send it to rank 0, which writes it, a
 * tile of rows at a time.
 *   values  [own_rows, own_columns]
 *   file    open for writing on rank 0; ignored elsewhere
 * Collective.  E_IO, E_SPACE. */
enum status tensorfile_write(const struct tensor *tensor, const float *values, hid_t file,
                             const char *path, const char *name, MPI_Comm comm);

/* Read this rank's rectangle.  Local.  E_IO, E_FORMAT. */
enum status tensorfile_read(const struct tensor *tensor, float *values, hid_t file,
                            const char *path, const char *name);

#endif
