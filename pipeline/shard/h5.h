/* h5.h -- HDF5 as the rest of the program sees it: statuses instead of negative numbers,
 * refusals that name the file, and the types and filters that HDF5 lacks.
 *
 * Files are made in HDF5's 1.10 format, whose metadata carry checksums; every data set is
 * byte-shuffled and zstd-compressed with a checksum of its own.  So no flipped bit goes
 * unseen.
 */
#ifndef H5_H
#define H5_H

#include "base/comm.h"
#include "shard/store.h"

#include <hdf5.h>


/* bfloat16 as a native HDF5 floating-point type: 16 bits, 8 of exponent (bias 127), 7 of
 * mantissa, little endian.  Every HDF5 tool reads it as numbers.  Not to be closed. */
hid_t h5_bf16(void);

/* The HDF5 type of a store, not to be closed; its bytes; "bf16" or "f32" and back (E_USAGE
 * if there is no store of that name). */
hid_t       h5_store_type(enum store store);

/* Create PATH (truncating), open it for reading, or open it for changes.  With comm MPI_COMM_NULL for this
 * process alone (Local), else by all ranks of comm together (Collective, agreed).
 * *file is -1 on failure.  E_IO, E_SPACE, E_FORMAT. */
enum status h5_create(hid_t *file, const char *path, MPI_Comm comm);
enum status h5_open(hid_t *file, const char *path);
enum status h5_change(hid_t *file, const char *path);

/* Close, and report what only comes out at closing.  Accepts -1, sets -1.  With `st` other
 * than OK only closes, and returns st. */
enum status h5_close(hid_t *file, const char *path, enum status st);

/* The same for a data set.  One that was written has rows that go to disk only now. */
enum status h5_close_set(hid_t *set, const char *path, enum status st);

/* HDF5 lets one thread in at a time: a function that another thread may run beside is in here
 * while it calls HDF5.  The other thread waits, also for what a collective call takes. */
void h5_enter(void);
void h5_leave(void);

/* What HDF5 has against the call that just failed: "cannot ACTION PATH: its words".
 * E_SPACE on a full disk, else E_FORMAT or E_IO as `code` says. */
enum status h5_refuse(enum status code, const char *action, const char *path);

/* All below: Local for a file opened alone; for a file of several ranks every rank makes
 * the same call, and the caller agrees. */

/* Attributes of an object (a file stands for its root group).  Text read is for the caller
 * to free. */
enum status h5_write_int(hid_t object, const char *path, const char *name, int64_t value);
enum status h5_write_double(hid_t object, const char *path, const char *name, double value);
enum status h5_write_text(hid_t object, const char *path, const char *name, const char *value);
enum status h5_read_int(hid_t object, const char *path, const char *name, int64_t *value);
enum status h5_read_double(hid_t object, const char *path, const char *name, double *value);
enum status h5_read_text(hid_t object, const char *path, const char *name, char **value);

/* Every file of ours says what it is and which program made it: attributes `format` ("saemill
 * tokens"), `version` and `commit`.
 * The check refuses another format, and an unknown version by its number. */
enum status h5_write_format(hid_t file, const char *path, const char *format, int version);
enum status h5_check_format(hid_t file, const char *path, const char *format, int version);

/* A two-dimensional data set, or with columns 0 a one-dimensional one, in chunks of
 * `chunk_rows` rows.  With rows -1 it starts empty and may grow.  *set is -1 on failure;
 * else h5_close_set() it. */
enum status h5_make_set(hid_t *set, hid_t file, const char *path, const char *name, hid_t type,
                        int64_t rows, int64_t columns, int64_t chunk_rows);

/* Read or write rows [first, first + count) of a data set; `columns` as above.  `transfer`
 * is H5P_DEFAULT, or h5_collective() for a file of several ranks, when all call and a rank
 * may bring none (count 0).  Both are Local in what they return: the caller agrees. */
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
