#include "shard/h5.h"
#include "base/agree.h"
#include "base/allocate.h"
#include "base/comm.h"
#include "base/die.h"
#include "base/phase.h"
#include "base/version.h"
#include "shard/filter.h"
#include "shard/frame.h"
#include "shard/maker.h"
#include "shard/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* --- types ------------------------------------------------------------------------- */

hid_t h5_bf16(void)
{
    static hid_t type = -1;

    if (type < 0) {
        type = H5Tcopy(H5T_IEEE_F32LE);
        /* Bit of the sign; first bit and bits of the exponent, of the mantissa. */
        if (H5Tset_fields(type, 15, 7, 8, 0, 7) < 0
            || H5Tset_ebias(type, 127) < 0 || H5Tset_precision(type, 16) < 0
            || H5Tset_size(type, 2) < 0)
            die("no memory for a type of HDF5");
    }
    return type;
}

hid_t h5_store_type(enum store store)
{
    return store == STORE_BF16 ? h5_bf16() : H5T_IEEE_F32LE;
}

/* --- threads ----------------------------------------------------------------------- */

static pthread_mutex_t inside = PTHREAD_MUTEX_INITIALIZER;

void h5_enter(void)
{
    pthread_mutex_lock(&inside);
}

void h5_leave(void)
{
    pthread_mutex_unlock(&inside);
}

/* --- refusals ---------------------------------------------------------------------- */

/* What HDF5 says of a failure. */
struct told {
    char message[256];      /* the innermost one, in a line */
    bool full, unreadable;  /* the system said that the disk is full; that it failed */
    bool no_memory;
};

/* The innermost message comes first when the stack is walked upward.  That of a system call has the
 * time, a newline and all that was asked for between its two parts that say something. */
static herr_t keep_told(unsigned depth, const H5E_error2_t *error, void *context)
{
    struct told *told = context;
    const char *text = error->desc != NULL ? error->desc : "";
    const char *begin = strstr(text, ": time = "), *reason = strstr(text, "error message = '");

    if (depth == 0 && begin != NULL && reason != NULL) {
        reason += strlen("error message = '");
        snprintf(told->message, sizeof told->message, "%.*s: %.*s", (int)(begin - text), text,
                 (int)strcspn(reason, "'"), reason);
    } else if (depth == 0) {
        snprintf(told->message, sizeof told->message, "%s", text);
    }
    told->full |= strstr(text, "No space left") || strstr(text, "NO_SPACE")
                  || strstr(text, "quota");
    told->unreadable |= strstr(text, strerror(EIO)) != NULL
                        || strstr(text, strerror(EINTR)) != NULL;
    told->no_memory |= strstr(text, "memory allocation failed") != NULL;
    return 0;
}

/* Parallel writes do not report why they failed, so ask the disk. */
static bool disk_is_full(const char *path)
{
    struct statvfs disk;

    return statvfs(path, &disk) == 0 && disk.f_bavail * disk.f_frsize < 1 << 16;
}

/* Must be called right after the failure: every other HDF5 call clears the messages. */
enum status h5_refuse(enum status code, const char *action, const char *path)
{
    struct told told = {0};

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_told, &told);
    if (told.full || (code == E_IO && disk_is_full(path)))
        return refuse(E_SPACE, "cannot %s %s: the disk is full; free some space and run the same "
                      "command again, it continues where it stopped", action, path);
    if (told.no_memory)
        return refuse(E_SPACE, "cannot %s %s: there is no memory for it", action, path);
    if (strstr(told.message, "filter returned failure during read"))
        return refuse(E_FORMAT, "%s is damaged: a chunk cannot be decompressed to what was "
                      "written; if a stage made the file, remove the file: the same command "
                      "makes it again", path);
    return refuse(told.unreadable ? E_IO : code, "cannot %s %s: %s", action, path,
                  told.message[0] ? told.message : "HDF5 refuses");
}

/* --- compression ------------------------------------------------------------------- */

/* The zstd filter, whose time counts as compression and not as reading or writing. */
static size_t timed_filter(unsigned flags, size_t parameters, const unsigned parameter[],
                           size_t bytes, size_t *buffer_size, void **buffer)
{
    const enum phase before = phase_enter(flags & H5Z_FLAG_REVERSE ? PHASE_DECOMPRESS
                                                                   : PHASE_COMPRESS);
    const size_t n = filter_zstd.filter(flags, parameters, parameter, bytes, buffer_size, buffer);

    phase_enter(before);
    return n;
}

static void register_filter(void)
{
    H5Z_class2_t filter = filter_zstd;

    filter.filter = timed_filter;
    H5Zregister(&filter);       /* replaces the plug-in, which is not timed, if HDF5 has found it */
}

/* --- files ------------------------------------------------------------------------- */

/* Properties of a file that is opened by all ranks of comm, or by this process alone.  A property
 * that is not set would change the file's form, so its failure ends the job: there is no memory. */
static hid_t access_list(MPI_Comm comm)
{
    const hid_t list = H5Pcreate(H5P_FILE_ACCESS);

    if (H5Pset_libver_bounds(list, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0
        || (comm != MPI_COMM_NULL && (H5Pset_fapl_mpio(list, comm, MPI_INFO_NULL) < 0
                                      || H5Pset_coll_metadata_write(list, true) < 0)))
        die("no memory for the properties of a file");
    return list;
}

enum status h5_create(hid_t *file, const char *path, MPI_Comm comm)
{
    const hid_t list = access_list(comm);
    enum status st = OK;

    *file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, list);
    if (*file < 0)
        st = h5_refuse(E_IO, "create", path);
    H5Pclose(list);
    return comm == MPI_COMM_NULL ? st : agree(comm, st);
}

static enum status open_as(hid_t *file, const char *path, unsigned access)
{
    const hid_t list = access_list(MPI_COMM_NULL);
    enum status st = OK;

    register_filter();
    *file = H5Fopen(path, access, list);
    if (*file < 0) {
        const hid_t messages = H5Eget_current_stack();  /* which H5Fis_hdf5() would clear */
        if (H5Fis_hdf5(path) == 0)
            refuse(E_FORMAT, "%s is no HDF5 file, or its beginning is damaged", path);
        H5Eset_current_stack(messages);
        st = h5_refuse(E_FORMAT, "open", path);
    }
    H5Pclose(list);
    return st;
}

enum status h5_open(hid_t *file, const char *path)
{
    return open_as(file, path, H5F_ACC_RDONLY);
}

enum status h5_change(hid_t *file, const char *path)
{
    return open_as(file, path, H5F_ACC_RDWR);
}

enum status h5_close(hid_t *file, const char *path, enum status st)
{
    if (*file >= 0 && H5Fclose(*file) < 0) {
        comm_broken = true;
        st = st != OK ? st : h5_refuse(E_IO, "close", path);
    }
    *file = -1;
    return st;
}

enum status h5_close_set(hid_t *set, const char *path, enum status st)
{
    if (*set >= 0 && H5Dclose(*set) < 0) {
        comm_broken = true;
        st = st != OK ? st : h5_refuse(E_IO, "write", path);
    }
    *set = -1;
    return st;
}

/* --- attributes -------------------------------------------------------------------- */

static enum status write_attribute(hid_t object, const char *path, const char *name,
                                   hid_t type, const void *value)
{
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    enum status st = OK;

    if (attribute < 0 || H5Awrite(attribute, type, value) < 0)
        st = h5_refuse(E_IO, "write an attribute of", path);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return st;
}

enum status h5_write_int(hid_t object, const char *path, const char *name, int64_t value)
{
    return write_attribute(object, path, name, H5T_NATIVE_INT64, &value);
}

enum status h5_write_double(hid_t object, const char *path, const char *name, double value)
{
    return write_attribute(object, path, name, H5T_NATIVE_DOUBLE, &value);
}

static hid_t text_type(size_t bytes)
{
    const hid_t type = H5Tcopy(H5T_C_S1);

    if (H5Tset_size(type, bytes > 0 ? bytes : 1) < 0 || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0
        || H5Tset_cset(type, H5T_CSET_UTF8) < 0)
        die("no memory for a type of HDF5");
    return type;
}

enum status h5_write_text(hid_t object, const char *path, const char *name, const char *value)
{
    const hid_t type = text_type(strlen(value));
    const enum status st = write_attribute(object, path, name, type, value);

    H5Tclose(type);
    return st;
}

/* How many values has an attribute? */
static hssize_t values_of(hid_t attribute)
{
    const hid_t space = H5Aget_space(attribute);
    const hssize_t values = H5Sget_simple_extent_npoints(space);

    H5Sclose(space);
    return values;
}

/* Open an attribute of one value.  E_FORMAT if it is missing, of another class, or an array, which
 * would not fit where one value is read to. */
static enum status open_attribute(hid_t *attribute, hid_t *type, hid_t object, const char *path,
                                  const char *name, H5T_class_t class)
{
    const htri_t exists = H5Aexists(object, name);

    *type = -1;
    *attribute = exists > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    if (*attribute < 0 && exists != 0)
        return h5_refuse(E_FORMAT, "read", path);
    if (*attribute < 0)
        return refuse(E_FORMAT, "%s has no attribute '%s': it is not a file of this program, "
                      "or damaged", path, name);
    *type = H5Aget_type(*attribute);
    if (H5Tget_class(*type) != class || values_of(*attribute) != 1)
        return refuse(E_FORMAT, "attribute '%s' of %s has the wrong type", name, path);
    return OK;
}

static void close_attribute(hid_t attribute, hid_t type)
{
    if (type >= 0)
        H5Tclose(type);
    if (attribute >= 0)
        H5Aclose(attribute);
}

static enum status read_number(hid_t object, const char *path, const char *name,
                               H5T_class_t class, hid_t memory, void *value)
{
    hid_t attribute, type;
    enum status st;

    TRY(open_attribute(&attribute, &type, object, path, name, class));
    if (H5Aread(attribute, memory, value) < 0)
        st = h5_refuse(E_FORMAT, "read an attribute of", path);
done:
    close_attribute(attribute, type);
    return st;
}

enum status h5_read_int(hid_t object, const char *path, const char *name, int64_t *value)
{
    return read_number(object, path, name, H5T_INTEGER, H5T_NATIVE_INT64, value);
}

enum status h5_read_double(hid_t object, const char *path, const char *name, double *value)
{
    return read_number(object, path, name, H5T_FLOAT, H5T_NATIVE_DOUBLE, value);
}

enum status h5_read_text(hid_t object, const char *path, const char *name, char **value)
{
    hid_t attribute, type;
    enum status st;

    *value = NULL;
    TRY(open_attribute(&attribute, &type, object, path, name, H5T_STRING));
    REQUIRE(H5Tis_variable_str(type) <= 0, E_FORMAT, "attribute '%s' of %s has the wrong type",
            name, path);
    *value = allocate((int64_t)H5Tget_size(type) + 1, 1);
    if (H5Aread(attribute, type, *value) < 0)
        st = h5_refuse(E_FORMAT, "read an attribute of", path);
done:
    close_attribute(attribute, type);
    if (st != OK) {
        free(*value);
        *value = NULL;
    }
    return st;
}

enum status h5_write_format(hid_t file, const char *path, const char *format, int version)
{
    enum status st;

    TRY(h5_write_text(file, path, "format", format));
    TRY(h5_write_int(file, path, "version", version));
    TRY(h5_write_text(file, path, "commit", version_commit()));
    TRY(h5_write_text(file, path, "kernels", maker_kernels()));
    TRY(h5_write_text(file, path, "cpu", maker_cpu()));
done:
    return st;
}

enum status h5_check_format(hid_t file, const char *path, const char *format, int version)
{
    char *found = NULL;
    int64_t number;
    enum status st;

    TRY(h5_read_text(file, path, "format", &found));
    REQUIRE(strcmp(found, format) == 0, E_FORMAT, "%s is of format '%s', where '%s' is wanted",
            path, found, format);
    TRY(h5_read_int(file, path, "version", &number));
    REQUIRE(number == version, E_FORMAT, "%s is %s version %lld; this program reads version %d: "
            "make it again, or use the program that made it", path, format, (long long)number,
            version);
done:
    free(found);
    return st;
}

void h5_compare_maker(hid_t file, const char *path)
{
    char *kernels = NULL;

    if (H5Aexists(file, "kernels") > 0 && h5_read_text(file, path, "kernels", &kernels) == OK)
        maker_compare(kernels, path);
    free(kernels);
}

enum status h5_read_maker(const char *path, char **kernels)
{
    hid_t file = -1;
    enum status st;

    *kernels = NULL;
    TRY(h5_open(&file, path));
    if (H5Aexists(file, "kernels") != 0)
        TRY(h5_read_text(file, path, "kernels", kernels));
done:
    return h5_close(&file, path, st);
}

/* --- data sets --------------------------------------------------------------------- */

enum { ZSTD_LEVEL = 1 };    /* higher levels cost many times the time for a percent of size */

/* Properties of a new data set: chunks, byte shuffle, zstd.  The shuffle is mandatory, too: where
 * HDF5 lacks memory it leaves out an optional one, and a collective write does not record that. */
static hid_t creation_list(int rank, const hsize_t chunk[], hid_t type)
{
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    const int level = H5Tget_class(type) == H5T_FLOAT ? FRAME_ENTROPY_ONLY : ZSTD_LEVEL;

    register_filter();
    if (H5Pset_chunk(list, rank, chunk) < 0
        || H5Pset_filter(list, H5Z_FILTER_SHUFFLE, H5Z_FLAG_MANDATORY, 0, NULL) < 0
        || H5Pset_filter(list, ZSTD_FILTER, H5Z_FLAG_MANDATORY, 1,
                         (const unsigned[]){ (unsigned)level }) < 0
        || H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) < 0)
        die("no memory for the properties of a data set");
    return list;
}

enum status h5_make_set(hid_t *set, hid_t file, const char *path, const char *name, hid_t type,
                        int64_t rows, int64_t columns, int64_t chunk_rows)
{
    const int rank = columns > 0 ? 2 : 1;
    const hsize_t dims[] = { rows < 0 ? 0 : (hsize_t)rows, (hsize_t)columns };
    const hsize_t most[] = { rows < 0 ? H5S_UNLIMITED : (hsize_t)rows, (hsize_t)columns };
    const hsize_t chunk[] = { rows >= 0 && rows < chunk_rows ? (hsize_t)(rows > 0 ? rows : 1)
                                                             : (hsize_t)chunk_rows,
                              (hsize_t)columns };
    const hid_t space = H5Screate_simple(rank, dims, most);
    const hid_t list = creation_list(rank, chunk, type);
    enum status st = OK;

    *set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    if (*set < 0)
        st = h5_refuse(E_IO, "make a data set in", path);
    H5Pclose(list);
    H5Sclose(space);
    return st;
}

hid_t h5_collective(void)
{
    static hid_t list = -1;

    if (list < 0) {
        list = H5Pcreate(H5P_DATASET_XFER);
        if (H5Pset_dxpl_mpio(list, H5FD_MPIO_COLLECTIVE) < 0)
            die("no memory for the properties of a transfer");
    }
    return list;
}

/* Make the selections of some rows in memory and in the file; `count` 0 selects nothing.  False if
 * HDF5 cannot: then what is selected must not be used. */
static bool select_rows(hid_t set, int64_t first, int64_t count, int64_t columns,
                        hid_t *memory, hid_t *disk)
{
    const int rank = columns > 0 ? 2 : 1;
    const hsize_t start[] = { (hsize_t)first, 0 }, size[] = { (hsize_t)count, (hsize_t)columns };

    *memory = H5Screate_simple(rank, size, NULL);
    *disk = H5Dget_space(set);
    if (count > 0)
        return H5Sselect_hyperslab(*disk, H5S_SELECT_SET, start, NULL, size, NULL) >= 0;
    return H5Sselect_none(*memory) >= 0 && H5Sselect_none(*disk) >= 0;
}

enum status h5_write_rows(hid_t set, const char *path, hid_t type, hid_t transfer,
                          int64_t first, int64_t count, int64_t columns, const void *values)
{
    hid_t memory, disk;
    enum status st = OK;

    if (!select_rows(set, first, count, columns, &memory, &disk)
        || H5Dwrite(set, type, memory, disk, transfer, values) < 0)
        st = h5_refuse(E_IO, "write", path);
    H5Sclose(disk);
    H5Sclose(memory);
    return st;
}

enum status h5_read_rows(hid_t set, const char *path, hid_t type,
                         int64_t first, int64_t count, int64_t columns, void *values)
{
    hid_t memory, disk;
    enum status st = OK;

    if (!select_rows(set, first, count, columns, &memory, &disk)
        || H5Dread(set, type, memory, disk, H5P_DEFAULT, values) < 0)
        st = h5_refuse(E_FORMAT, "read", path);
    H5Sclose(disk);
    H5Sclose(memory);
    return st;
}

/* Rows of a chunk of at most a megabyte, or one row. */
static int64_t array_chunk(int64_t rows, int64_t columns, hid_t type)
{
    const int64_t row_bytes = (columns > 0 ? columns : 1) * (int64_t)H5Tget_size(type);
    const int64_t chunk = (1 << 20) / row_bytes;

    return chunk < 1 ? 1 : chunk > rows ? (rows > 0 ? rows : 1) : chunk;
}

enum status h5_write_array(hid_t file, const char *path, const char *name, hid_t type,
                           const void *values, int64_t rows, int64_t columns)
{
    enum status st;
    hid_t set;

    TRY(h5_make_set(&set, file, path, name, type, rows, columns,
                    array_chunk(rows, columns, type)));
    TRY(h5_write_rows(set, path, type, H5P_DEFAULT, 0, rows, columns, values));
done:
    return h5_close_set(&set, path, st);
}

enum status h5_shape(hid_t file, const char *path, const char *name,
                     int64_t *rows, int64_t *columns)
{
    const htri_t exists = H5Lexists(file, name, H5P_DEFAULT);
    const hid_t set = exists > 0 ? H5Dopen2(file, name, H5P_DEFAULT) : -1;
    const hid_t space = set >= 0 ? H5Dget_space(set) : -1;
    const int rank = space >= 0 ? H5Sget_simple_extent_ndims(space) : -1;
    hsize_t dims[2] = {0};
    enum status st = OK;

    if (rank == 1 || rank == 2)
        H5Sget_simple_extent_dims(space, dims, NULL);
    else if (set < 0 && exists != 0)
        st = h5_refuse(E_FORMAT, "read", path);
    else
        st = refuse(E_FORMAT, "%s has no data set '%s' of one or two dimensions", path, name);
    *rows = (int64_t)dims[0];
    *columns = (int64_t)dims[1];
    if (space >= 0)
        H5Sclose(space);
    if (set >= 0)
        H5Dclose(set);
    return st;
}

enum status h5_read_array(hid_t file, const char *path, const char *name, hid_t type,
                          void *values, int64_t rows, int64_t columns)
{
    int64_t found_rows, found_columns;
    hid_t set = -1;
    enum status st;

    TRY(h5_shape(file, path, name, &found_rows, &found_columns));
    REQUIRE(found_rows == rows && found_columns == columns, E_FORMAT,
            "data set '%s' of %s is %lld x %lld, where %lld x %lld is wanted", name, path,
            (long long)found_rows, (long long)found_columns, (long long)rows, (long long)columns);
    set = H5Dopen2(file, name, H5P_DEFAULT);
    TRY(set >= 0 ? OK : h5_refuse(E_FORMAT, "read", path));
    TRY(h5_read_rows(set, path, type, 0, rows, columns, values));
done:
    if (set >= 0)
        H5Dclose(set);
    return st;
}
