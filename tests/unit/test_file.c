/* Files and folders are complete or not there; refusals name the file and the reason. */
#include "base/allocate.h"
#include "base/file.h"
#include "tests/unit/scratch.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void reads_back_what_was_written(void **state)
{
    const char text[] = "two\nlines\0and a NUL";
    const char *path = in_scratch("deep/er/file");
    char *bytes;
    int64_t size;

    (void)state;
    assert_int_equal(file_write(path, text, sizeof text), OK);
    assert_false(file_exists(in_scratch("deep/er/file.part")));
    assert_int_equal(file_read(path, &bytes, &size), OK);
    assert_int_equal(size, sizeof text);
    assert_memory_equal(bytes, text, sizeof text);
    assert_int_equal(bytes[size], '\0');
    free(bytes);
}

static void writing_again_replaces(void **state)
{
    const char *path = in_scratch("again");
    int64_t size;

    (void)state;
    assert_int_equal(file_write(path, "long", 4), OK);
    assert_int_equal(file_write(path, "s", 1), OK);
    assert_int_equal(file_size(path, &size), OK);
    assert_int_equal(size, 1);
}

static void a_folder_is_published_whole_and_replaces_the_old_one(void **state)
{
    (void)state;
    assert_int_equal(file_write(in_scratch("f/old"), "x", 1), OK);
    assert_int_equal(file_write(in_scratch("f.part/sub/new"), "y", 1), OK);
    assert_false(file_exists(in_scratch("f/sub/new")));
    assert_int_equal(file_publish(in_scratch("f")), OK);
    assert_true(file_exists(in_scratch("f/sub/new")));
    assert_false(file_exists(in_scratch("f/old")));
    assert_false(file_exists(in_scratch("f.part")));
}

static void publishing_nothing_is_refused(void **state)
{
    (void)state;
    refuse_clear();
    assert_int_equal(file_publish(in_scratch("nothing")), E_IO);
    assert_non_null(strstr(refuse_reason(), in_scratch("nothing.part")));
    assert_false(file_exists(in_scratch("nothing")));
    refuse_clear();
}

/* Bytes that a file takes on disk, whatever its size. */
static int64_t bytes_on_disk(const char *path)
{
    struct stat about;

    assert_int_equal(stat(path, &about), 0);
    return about.st_blocks * 512;
}

static void space_is_set_aside_and_given_back(void **state)
{
    const char *path = in_scratch("growing");
    int64_t size;

    (void)state;
    assert_int_equal(file_write(path, "x", 1), OK);
    assert_int_equal(file_reserve(path, 1 << 20), OK);
    assert_int_equal(file_size(path, &size), OK);
    assert_int_equal(size, 1);
    assert_true(bytes_on_disk(path) >= 1 << 20);
    assert_int_equal(file_trim(path), OK);
    assert_true(bytes_on_disk(path) < 1 << 16);
}

static void removes_trees_and_forgives_absence(void **state)
{
    (void)state;
    assert_int_equal(file_write(in_scratch("tree/a/b/c"), "x", 1), OK);
    assert_int_equal(file_remove(in_scratch("tree")), OK);
    assert_false(file_exists(in_scratch("tree")));
    assert_int_equal(file_remove(in_scratch("tree")), OK);
}

/* A link to a tree is removed, the tree is not. */
static void does_not_follow_links_out_of_what_it_removes(void **state)
{
    char target[PATH_LENGTH];

    (void)state;
    assert_int_equal(file_write(in_scratch("kept/file"), "x", 1), OK);
    assert_int_equal(file_make_folder(in_scratch("doomed")), OK);
    path_print(target, "%s", in_scratch("kept"));
    assert_int_equal(symlink(target, in_scratch("doomed/link")), 0);
    assert_int_equal(file_remove(in_scratch("doomed")), OK);
    assert_true(file_exists(in_scratch("kept/file")));
}

static void refusals_name_the_file_and_the_reason(void **state)
{
    const char *absent = in_scratch("absent");
    char *bytes;
    int64_t size;

    (void)state;
    refuse_clear();
    assert_int_equal(file_read(absent, &bytes, &size), E_IO);
    assert_null(bytes);
    assert_non_null(strstr(refuse_reason(), absent));
    assert_non_null(strstr(refuse_reason(), "No such file"));

    refuse_clear();
    assert_int_equal(file_write(in_scratch("in-the-way"), "x", 1), OK);
    assert_int_equal(file_make_folder(in_scratch("in-the-way/below")), E_IO);
    assert_non_null(strstr(refuse_reason(), "in-the-way/below"));
    refuse_clear();
}

/* The disk is that of the first folder above that is there. */
static void asks_for_room_with_figures(void **state)
{
    char disk[PATH_LENGTH];

    (void)state;
    path_print(disk, "of disk under %s, which has", scratch);
    refuse_clear();
    assert_int_equal(file_check_disk(in_scratch("not/yet/there"), 1, "the test"), OK);
    assert_int_equal(file_check_disk(in_scratch("not/yet/there"), (int64_t)1e18, "the test"), E_SPACE);
    assert_non_null(strstr(refuse_reason(), "the test needs 1e+03 PB of disk"));
    assert_non_null(strstr(refuse_reason(), disk));
    refuse_clear();
    assert_int_equal(file_check_disk("not-there", (int64_t)1e18, "the test"), E_SPACE);
    assert_non_null(strstr(refuse_reason(), "under ., which"));
    refuse_clear();
    assert_int_equal(file_check_disk("/not-there/at/all", (int64_t)1e18, "the test"), E_SPACE);
    assert_non_null(strstr(refuse_reason(), "under /, which"));
    refuse_clear();
}

/* A file system of 64 kB, where one may be mounted. */
static void a_full_disk_is_room_and_leaves_the_old_file(void **state)
{
    enum { BIG = 1 << 20 };
    const char *path = in_scratch("full/file");
    char *bytes = allocate(BIG, 1);
    int64_t size;

    (void)state;
    assert_int_equal(file_make_folder(in_scratch("full")), OK);
    if (mount("none", in_scratch("full"), "tmpfs", 0, "size=64k") != 0) {
        free(bytes);
        skip();
    }
    refuse_clear();
    assert_int_equal(file_write(path, "old", 3), OK);
    assert_int_equal(file_write(path, bytes, BIG), E_SPACE);
    assert_non_null(strstr(refuse_reason(), "No space left"));
    assert_non_null(strstr(refuse_reason(), "full/file.part"));
    assert_non_null(strstr(refuse_reason(), "free some space"));
    refuse_clear();
    assert_int_equal(file_reserve(path, BIG), E_SPACE);
    assert_non_null(strstr(refuse_reason(), "reserve disk space"));
    assert_int_equal(file_size(path, &size), OK);
    assert_int_equal(size, 3);
    assert_int_equal(umount(in_scratch("full")), 0);
    refuse_clear();
    free(bytes);
}

static void a_folder_has_the_bytes_of_all_its_files(void **state)
{
    int64_t bytes;

    (void)state;
    assert_int_equal(file_folder_size(in_scratch("tree"), &bytes), OK);
    assert_int_equal(bytes, 0);
    assert_int_equal(file_write(in_scratch("tree/one"), "12345", 5), OK);
    assert_int_equal(file_write(in_scratch("tree/branch/two"), "123", 3), OK);
    assert_int_equal(file_folder_size(in_scratch("tree"), &bytes), OK);
    assert_int_equal(bytes, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_written),
        cmocka_unit_test(writing_again_replaces),
        cmocka_unit_test(a_folder_is_published_whole_and_replaces_the_old_one),
        cmocka_unit_test(publishing_nothing_is_refused),
        cmocka_unit_test(space_is_set_aside_and_given_back),
        cmocka_unit_test(removes_trees_and_forgives_absence),
        cmocka_unit_test(does_not_follow_links_out_of_what_it_removes),
        cmocka_unit_test(refusals_name_the_file_and_the_reason),
        cmocka_unit_test(asks_for_room_with_figures),
        cmocka_unit_test(a_full_disk_is_room_and_leaves_the_old_file),
        cmocka_unit_test(a_folder_has_the_bytes_of_all_its_files),
    };

    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
