#include "lm/config_rope.h"

#include <string.h>

/* A number of one of the objects: `absent` if it has no such member. */
static enum status read_number(double *value, const struct config_file *file, const char *key,
                               const json_t *object, const char *member, double absent)
{
    const json_t *found = json_object_get(object, member);
    enum status st = OK;

    *value = absent;
    if (found == NULL || json_is_null(found))
        goto done;
    *value = json_number_value(found);
    REQUIRE(json_is_number(found) && *value > 0 && *value <= 1e30, E_FORMAT,
            "%s: \"%s\" of \"%s\" must be a number above 0", file->path, member, key);
done:
    return st;
}

/* The type: "default" and "linear" are computed here. */
static enum status read_is_linear(bool *linear, const struct config_file *file, const char *key,
                                  const json_t *object)
{
    const json_t *type = json_object_get(object, "rope_type");
    const json_t *older = json_object_get(object, "type");
    const char *name;
    enum status st;

    REQUIRE(type == NULL || older == NULL || json_equal(type, older), E_FORMAT,
            "%s: \"rope_type\" and \"type\" of \"%s\" differ", file->path, key);
    name = json_string_value(type != NULL ? type : older);
    *linear = name != NULL && strcmp(name, "linear") == 0;
    REQUIRE(*linear || (name != NULL && strcmp(name, "default") == 0)
            || (type == NULL && older == NULL && json_object_get(object, "factor") == NULL),
            E_FORMAT, "%s: the \"rope_type\" of \"%s\" must be \"default\" or \"linear\"",
            file->path, key);
done:
    return st;
}

/* The object "rope_scaling", or one of "rope_parameters".  *base is 0 if it has none. */
static enum status read_object(double *base, double *factor, const struct config_file *file,
                               const char *key, json_t *object)
{
    static const char *const KNOWN[] = { "rope_type", "type", "factor", "rope_theta",
                                         "partial_rotary_factor" };
    double share;
    bool linear;
    const char *member;
    json_t *value;
    enum status st;

    REQUIRE(json_is_object(object), E_FORMAT, "%s: \"%s\" must be null or an object", file->path,
            key);
    json_object_foreach(object, member, value) {
        bool known = json_is_null(value);
        for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++)
            known = known || strcmp(KNOWN[i], member) == 0;
        REQUIRE(known, E_FORMAT, "%s: the member \"%.80s\" of \"%s\" is not known", file->path,
                member, key);
    }
    TRY(read_is_linear(&linear, file, key, object));
    TRY(read_number(base, file, key, object, "rope_theta", 0));
    TRY(read_number(&share, file, key, object, "partial_rotary_factor", 1));
    TRY(read_number(factor, file, key, object, "factor", linear ? 0 : 1));
    REQUIRE(*factor >= 1 && (linear || *factor == 1), E_FORMAT, "%s: \"factor\" of \"%s\" must be "
            "at least 1, and 1 or absent if the type is \"default\"", file->path, key);
    REQUIRE(share == 1, E_FORMAT, "%s: \"partial_rotary_factor\" of \"%s\" must be 1", file->path,
            key);
done:
    return st;
}

/* The object in "rope_parameters" for this kind of layer; NULL if the file has none. */
static enum status find_parameters(json_t **object, const struct config_file *file,
                                   const char *kind)
{
    const char *member;
    json_t *value;
    enum status st = OK;

    *object = NULL;
    if (!config_file_has(file, "rope_parameters"))
        goto done;
    *object = config_file_get(file, "rope_parameters");
    if (kind == NULL)
        goto done;
    json_object_foreach(*object, member, value)
        REQUIRE(strcmp(member, "full_attention") == 0 || strcmp(member, "sliding_attention") == 0,
                E_FORMAT, "%s: \"rope_parameters\" must have a member for each kind of layer, "
                "\"full_attention\" and \"sliding_attention\", and not \"%.80s\"", file->path,
                member);
    *object = json_object_get(*object, kind);
    REQUIRE(*object != NULL, E_FORMAT, "%s: \"rope_parameters\" lacks \"%s\"", file->path, kind);
done:
    return st;
}

enum status config_rope_read(struct lm_rope *rope, const struct config_file *file,
                             const struct config_rope_keys *keys)
{
    double base, scaled_base = 0, newer_base = 0, factor = 1, newer_factor = 1;
    const bool scaled = keys->scaling != NULL && config_file_has(file, keys->scaling);
    json_t *newer;
    enum status st;

    TRY(config_file_optional(&base, file, keys->theta));
    if (scaled)
        TRY(read_object(&scaled_base, &factor, file, keys->scaling,
                        config_file_get(file, keys->scaling)));
    TRY(find_parameters(&newer, file, keys->kind));
    if (newer != NULL)
        TRY(read_object(&newer_base, &newer_factor, file, "rope_parameters", newer));
    REQUIRE(scaled_base == 0 || base == 0 || scaled_base == base, E_FORMAT, "%s: \"%s\" is %g, but "
            "%g in \"%s\"", file->path, keys->theta, base, scaled_base, keys->scaling);
    base = base > 0 ? base : scaled_base;
    REQUIRE(base == 0 || newer_base == 0 || base == newer_base, E_FORMAT, "%s: \"%s\" is %g, but "
            "%g in \"rope_parameters\"; they must be the same", file->path, keys->theta, base,
            newer_base);
    REQUIRE(!scaled || newer == NULL || factor == newer_factor, E_FORMAT, "%s: \"%s\" stretches "
            "positions by %g, but \"rope_parameters\" by %g; they must be the same", file->path,
            keys->scaling, factor, newer_factor);
    rope->base = base > 0 ? base : newer_base;
    rope->factor = scaled ? factor : newer_factor;
    REQUIRE(rope->base > 0, E_FORMAT, "%s lacks the key \"%s\" (expected: a number above 0), and "
            "\"rope_parameters\" does not say it either", file->path, keys->theta);
done:
    return st;
}
