#include "driver/suite_model.h"
#include "base/file.h"

enum status suite_model_read(struct lm_config *model, const struct suite *suite)
{
    char path[PATH_LENGTH];

    path_print(path, "%s/config.json", suite->model.path);
    if (!file_exists(path) && suite->model.config[0] != '\0')
        return config_read(model, suite->model.config);
    return config_read(model, suite->model.path);
}
