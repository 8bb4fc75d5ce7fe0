#include "driver/conditions.h"
#include "base/file.h"
#include "base/limits.h"
#include "driver/command.h"
#include "driver/cores.h"
#include "driver/launch.h"
#include "suite/paths.h"

enum status conditions_check_programs(const struct suite *suite)
{
    char release[PATH_LENGTH];
    enum status st;

    paths_release(release, suite);
    REQUIRE(file_exists(release) || command_exists("gnuplot"), E_IO, "there is no gnuplot in PATH; "
            "release draws with it: install it (Debian: gnuplot-nox) or load its module");
done:
    return st;
}

enum status conditions_check(const struct suite *suite)
{
    enum status st;

    TRY(launch_check_starter(STARTER_MPIRUN));
    TRY(conditions_check_programs(suite));
    TRY(limits_check_ranks(cores_available()));
done:
    return st;
}
