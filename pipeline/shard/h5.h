/* h5.h -- HDF5 for the rest of the program: statuses instead of negative numbers, refusals that
 * name the file, and the types and filters that HDF5 lacks.
 *
 * Files have HDF5's 1.10 format, whose metadata carry checksums.  Every data set is byte-shuffled
 * and zstd-compressed with a checksum for each chunk.  So every flipped bit is detected.
 */
#ifndef H5_H
#define H5_H

#include "base/comm.h"
#include "shard/store.h"

#include <hdf5.h>

/* bfloat16 as a native HDF5 floating-point type: 16 bits, 8 of exponent (bias 127), 7 of
 * mantissa, little endian.  Every HDF5 tool reads it as numbers.  Do not close it. */
hid_t h5_bf16(void);

/* The HDF5 type of a store.  Do not close it. */
hid_t h5_store_type(enum store store);

/* Create or replace PATH; open it for reading; open it for changes.  h5_create() is Local if comm
 * is MPI_COMM_NULL, otherwise Collective over comm and agreed; the others are Local.  *file is -1
 * on failure.  E_IO, E_SPACE, E_FORMAT. */
enum status h5_create(hid_t *file, const char *path, MPI_Comm comm);
enum status h5_open(hid_t *file, const char *path);
enum status h5_change(hid_t *file, const char *path);

/* Close, and report errors that show only then.  Accepts -1, sets -1.  If `st` is not OK it only
 * closes, and returns st. */
enum status h5_close(hid_t *file, const char *path, enum status st);

/* The same for a data set, of which rows may be written to disk only now. */
enum status h5_close_set(hid_t *set, const char *path, enum status st);

/* Lock and unlock HDF5, which lets only one thread in at a time.  Any function that calls HDF5
 * while another thread may do so must hold the lock.  During a collective call the other threads of
 * the rank wait, too. */
void h5_enter(void);
void h5_leave(void);

/* Refuse with HDF5's message for the call that just failed: "cannot ACTION PATH: MESSAGE".
 * E_SPACE if the disk is full, otherwise `code`: E_FORMAT or E_IO. */
enum status h5_refuse(enum status code, const char *action, const char *path);

/* Everything below is Local for a file of one process.  For a file of several ranks, every rank
 * makes the same call, and the caller must agree() on the status. */

/* Attributes of an object; a file stands for its root group.  Caller frees a text that is read. */
enum status h5_write_int(hid_t object, const char *path, const char *name, int64_t value);
enum status h5_write_double(hid_t object, const char *path, const char *name, double value);
enum status h5_write_text(hid_t object, const char *path, const char *name, const char *value);
enum status h5_read_int(hid_t object, const char *path, const char *name, int64_t *value);
enum status h5_read_double(hid_t object, const char *path, const char *name, double *value);
enum status h5_read_text(hid_t object, const char *path, const char *name, char **value);

/* Write or check what a file is and what made it: attributes `format` ("saemill tokens"),
 * `version`, `commit`, `kernels` and `cpu` (maker.h).  The check refuses another format, and
 * another version by its number. */
enum status h5_write_format(hid_t file, const char *path, const char *format, int version);
enum status h5_check_format(hid_t file, const char *path, const char *format, int version);

/* Warn if other kernels made an open file than this program has (maker.h); find the kernels that
 * made the file of this path, NULL if it does not say it.  Caller frees. */
void        h5_compare_maker(hid_t file, const char *path);
enum status h5_read_maker(const char *path, char **kernels);

/* Create a data set in chunks of `chunk_rows` rows.  With columns 0 it is one-dimensional; with
 * rows -1 it starts empty and may grow.  *set is -1 on failure; otherwise close it with
 * h5_close_set(). */
enum status h5_make_set(hid_t *set, hid_t file, const char *path, const char *name, hid_t type,
                        int64_t rows, int64_t columns, int64_t chunk_rows);

/* Write or read rows [first, first + count) of a data set; `columns` as above.  `transfer` is
 * H5P_DEFAULT; or h5_collective() for a file of several ranks: then all ranks call, and a rank may
 * have no rows (count 0). */
enum status h5_write_rows(hid_t set, const char *path, hid_t type, hid_t transfer,
                          int64_t first, int64_t count, int64_t columns, const void *values);
enum status h5_read_rows(hid_t set, const char *path, hid_t type,
                         int64_t first, int64_t count, int64_t columns, void *values);
hid_t       h5_collective(void);

/* Write and read a whole data set.  Reading refuses another shape (E_FORMAT). */
enum status h5_write_array(hid_t file, const char *path, const char *name, hid_t type,
                           const void *values, int64_t rows, int64_t columns);
enum status h5_read_array(hid_t file, const char *path, const char *name, hid_t type,
                          void *values, int64_t rows, int64_t columns);

/* The shape of a data set; *columns is 0 if it is one-dimensional.  E_FORMAT if it is not
 * there or has more dimensions. */
enum status h5_shape(hid_t file, const char *path, const char *name,
                     int64_t *rows, int64_t *columns);

#endif
