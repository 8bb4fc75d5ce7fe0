/* h5.h -- HDF5 as the rest of the program sees it: statuses instead of negative numbers,
 * refusals that name the file, and the types that HDF5 lacks.
 */
#ifndef H5_H
#define H5_H

#include "base/comm.h"

#include <hdf5.h>

/* Numbers as they lie on disk. */
enum store { STORE_F32, STORE_BF16 };

/* bfloat16 as a native HDF5 floating-point type: every HDF5 tool reads it as numbers.
 * Little endian, 16 bits.  Made once, never closed. */
hid_t h5_bf16(void);

/* The HDF5 type of a store; not to be closed. */
hid_t h5_store_type(enum store store);

/* "bf16", "f32".  E_USAGE if there is no store of that name. */
enum status store_parse(enum store *store, const char *name);
int64_t     store_bytes(enum store store);

/* The innermost of HDF5's own messages as a refusal: "cannot DO PATH: message".  A full
 * disk becomes E_ROOM, a failed checksum or a bad header E_FORMAT.  Returns the code. */
enum status h5_refuse(const char *action, const char *path);

/* Create PATH (truncating) or open it for reading; `comm` MPI_COMM_NULL is for this
 * process alone (Local), else by all ranks of comm (Collective).  *file is -1 on failure. */
enum status h5_create(hid_t *file, const char *path, MPI_Comm comm);
enum status h5_open(hid_t *file, const char *path, MPI_Comm comm);

/* Close, and report what only comes out at closing (a full disk).  Accepts -1, sets -1.
 * Collective for files opened by all ranks. */
enum status h5_close(hid_t *file, const char *path);

/* Attributes of the root group, always written by all who opened the file. */
enum status h5_write_int(hid_t file, const char *path, const char *name, int64_t value);
enum status h5_write_double(hid_t file, const char *path, const char *name, double value);
enum status h5_write_text(hid_t file, const char *path, const char *name, const char *value);
enum status h5_read_int(hid_t file, const char *path, const char *name, int64_t *value);
enum status h5_read_double(hid_t file, const char *path, const char *name, double *value);
enum status h5_read_text(hid_t file, const char *path, const char *name, char **value);

/* Every file of ours says what it is: attributes `format` ("saemill tokens") and `version`.
 * The check refuses another format and an unknown version by name. */
enum status h5_write_format(hid_t file, const char *path, const char *format, int version);
enum status h5_check_format(hid_t file, const char *path, const char *format, int version);

/* Whole small arrays as data sets (Local).  `type` is the type in memory and on disk,
 * `count` the elements in all; `columns` 0 makes it one-dimensional.  Reading refuses
 * another shape. */
enum status h5_write_array(hid_t file, const char *path, const char *name, hid_t type,
                           const void *values, int64_t rows, int64_t columns);
enum status h5_read_array(hid_t file, const char *path, const char *name, hid_t type,
                          void *values, int64_t rows, int64_t columns);

/* The shape of a data set: *columns is 0 if it is one-dimensional. */
enum status h5_shape(hid_t file, const char *path, const char *name,
                     int64_t *rows, int64_t *columns);

#endif
