#include "shuffle/unfinished.h"
#include "base/file.h"
#include "shard/h5.h"

static const char FORMAT[] = "saemill shuffle plan";
enum { VERSION = 2 };

struct unfinished unfinished_read(const char *path)
{
    struct unfinished plan = {0};
    hid_t file = -1;
    enum status st;

    if (!file_exists(path))
        return plan;
    TRY(h5_open(&file, path));
    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(h5_read_array(file, path, "plan", H5T_NATIVE_INT64, &plan, UNFINISHED_NUMBERS, 0));
done:
    st = h5_close(&file, path, st);
    refuse_clear();
    return st == OK ? plan : (struct unfinished){0};
}

enum status unfinished_write(const char *path, const struct unfinished *plan)
{
    char part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    path_print(part, "%s.part", path);
    TRY(h5_create(&file, part, MPI_COMM_NULL));
    TRY(h5_write_format(file, part, FORMAT, VERSION));
    TRY(h5_write_array(file, part, "plan", H5T_STD_I64LE, plan, UNFINISHED_NUMBERS, 0));
done:
    st = h5_close(&file, part, st);
    return st == OK ? file_publish(path) : st;
}

bool unfinished_goes_on(const struct unfinished *plan, const struct unfinished *earlier)
{
    return plan->hash == earlier->hash && plan->width == earlier->width
           && plan->store == earlier->store && plan->seed == earlier->seed
           && plan->bucket == earlier->bucket && plan->passes.rows == earlier->passes.rows
           && plan->passes.shard == earlier->passes.shard;
}
