#include "shuffle/plan_file.h"
#include "base/file.h"
#include "shard/h5.h"

static const char FORMAT[] = "saemill shuffle plan";
enum { VERSION = 2 };

struct plan_file plan_file_read(const char *path)
{
    struct plan_file content = {0};
    hid_t file = -1;
    enum status st;

    if (!file_exists(path))
        return content;
    TRY(h5_open(&file, path));
    TRY(h5_check_format(file, path, FORMAT, VERSION));
    TRY(h5_read_array(file, path, "plan", H5T_NATIVE_INT64, &content, PLAN_FILE_NUMBERS, 0));
done:
    st = h5_close(&file, path, st);
    refuse_clear();
    return st == OK ? content : (struct plan_file){0};
}

enum status plan_file_write(const char *path, const struct plan_file *content)
{
    char part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    path_print(part, "%s.part", path);
    TRY(h5_create(&file, part, MPI_COMM_NULL));
    TRY(h5_write_format(file, part, FORMAT, VERSION));
    TRY(h5_write_array(file, part, "plan", H5T_STD_I64LE, content, PLAN_FILE_NUMBERS, 0));
done:
    st = h5_close(&file, part, st);
    return st == OK ? file_publish(path) : st;
}

bool plan_file_matches(const struct plan_file *now, const struct plan_file *earlier)
{
    return now->hash == earlier->hash && now->width == earlier->width
           && now->store == earlier->store && now->seed == earlier->seed
           && now->bucket == earlier->bucket && now->plan.rows == earlier->plan.rows
           && now->plan.shard == earlier->plan.shard;
}
