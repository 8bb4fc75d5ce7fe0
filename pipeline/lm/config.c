#include "lm/config.h"
#include "base/json_file.h"
#include "base/path.h"
#include "lm/config_file.h"
#include "lm/config_keys.h"
#include "lm/config_wrapper.h"
#include "lm/families.h"

#include <stdlib.h>

static enum status read_family(struct lm_config *config, const struct config_file *file)
{
    const char *type = json_string_value(config_file_get(file, "model_type"));
    char names[FAMILIES_TEXT];
    enum status st;

    REQUIRE(type != NULL, E_FORMAT, "%s lacks the key \"model_type\" (expected: the name of a "
            "model family, as %s)", file->path, families_names(names));
    config->family = families_find(type);
    REQUIRE(config->family != NULL, E_FORMAT, "%s: the model family \"%.40s\" is not known; %s "
            "are", file->path, type, families_names(names));
    TRY(config->family->read_config(config, file));
done:
    return st;
}

static enum status read_specials(struct lm_config *config, const struct config_file *file)
{
    enum status st;

    TRY(config_file_id(&config->bos, file, "bos_token_id", config->vocabulary));
    TRY(config_file_id(&config->eos, file, "eos_token_id", config->vocabulary));
    TRY(config_file_id(&config->pad, file, "pad_token_id", config->vocabulary));
done:
    return st;
}

enum status config_read(struct lm_config *config, const char *folder)
{
    char path[PATH_LENGTH];
    struct config_file file = { .path = path, .asked = json_object() };
    enum status st;

    *config = (struct lm_config){0};
    path_print(path, "%s/config.json", folder);
    TRY(json_file_read(&file.root, path));
    TRY(config_wrapper_open(&file));
    TRY(read_family(config, &file));
    config->outputs = config->vocabulary;
    TRY(read_specials(config, &file));
    TRY(config_keys_check(&file));
done:
    json_decref(file.asked);
    json_decref(file.root);
    return st;
}

int32_t lm_site_width(const struct lm_config *config, enum site site)
{
    return site_traits(site)->rows == SITE_ROWS_HEADS ? config->heads * config->head_width
                                                      : config->width;
}

int32_t lm_widest_site(const struct lm_config *config)
{
    int32_t widest = 0;

    for (enum site site = 0; site < SITES; site++)
        if (lm_site_width(config, site) > widest)
            widest = lm_site_width(config, site);
    return widest;
}
