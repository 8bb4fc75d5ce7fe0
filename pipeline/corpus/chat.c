#include "corpus/chat.h"
#include "base/die.h"
#include "shard/tokens.h"

#include <stdlib.h>
#include <string.h>

/* --- templates ----------------------------------------------------------------------- */

/* A turn of each role: {TOKEN}, text, and % for the content, or ~ for the content with a space
 * before it.  NULL: a turn that joins one of the user's. */
struct chat_template {
    const char *turn[ROLE_TEMPLATE];
    bool        trimmed;            /* white space around a content is dropped */
    bool joins_last; /* a system's message joins the last user's turn, not the next */
};

static const struct chat_template GEMMA = {
    .turn = { [ROLE_USER] = "{<start_of_turn>}user\n%{<end_of_turn>}\n",
              [ROLE_ASSISTANT] = "{<start_of_turn>}model\n%{<end_of_turn>}\n" },
    .trimmed = true,
};
static const struct chat_template LLAMA3 = {
    .turn = { "{<|start_header_id|>}system{<|end_header_id|>}\n\n%{<|eot_id|>}",
              "{<|start_header_id|>}user{<|end_header_id|>}\n\n%{<|eot_id|>}",
              "{<|start_header_id|>}assistant{<|end_header_id|>}\n\n%{<|eot_id|>}" },
    .trimmed = true,
};
static const struct chat_template CHATML = {
    .turn = { "{<|im_start|>}system\n%{<|im_end|>}\n", "{<|im_start|>}user\n%{<|im_end|>}\n",
              "{<|im_start|>}assistant\n%{<|im_end|>}\n" },
};
static const struct chat_template MISTRAL = {
    .turn = { [ROLE_USER] = "{[INST]}~{[/INST]}", [ROLE_ASSISTANT] = "~{</s>}" },
    .joins_last = true,
};
static const struct chat_template MISTRAL_TEKKEN = {
    .turn = { [ROLE_USER] = "{[INST]}%{[/INST]}", [ROLE_ASSISTANT] = "%{</s>}" },
    .joins_last = true,
};

static const struct chat_template *template_of(const struct chat *chat)
{
    switch (chat->format) {
    case CHAT_GEMMA: return &GEMMA;
    case CHAT_LLAMA3: return &LLAMA3;
    case CHAT_CHATML: return &CHATML;
    case CHAT_MISTRAL: return chat->tokenizer->byte_level ? &MISTRAL_TEKKEN : &MISTRAL;
    case CHAT_NONE: break;
    }
    die_as(E_IO, "bug: a chat without a format");
}

/* --- messages ------------------------------------------------------------------------ */

static const char *const NAMES[ROLE_TEMPLATE] = { "system", "user", "assistant" };

/* The role of a message; ROLE_TEMPLATE: none that is known. */
static enum chat_role role_of(const json_t *message)
{
    const char *name = json_string_value(json_object_get(message, "role"));
    enum chat_role role = ROLE_SYSTEM;

    while (role < ROLE_TEMPLATE && (name == NULL || strcmp(name, NAMES[role]) != 0))
        role++;
    return role;
}

const char *chat_fault(const json_t *messages)
{
    bool waits = false;         /* for a user's message, a system's one does */
    int systems = 0;
    const json_t *message;
    size_t i;

    json_array_foreach(messages, i, message) {
        const enum chat_role role = role_of(message);

        if (role == ROLE_TEMPLATE)
            return "has a message whose \"role\" is neither system, user nor assistant";
        if (!json_is_string(json_object_get(message, "content")))
            return "has a message whose \"content\" is no string";
        systems += role == ROLE_SYSTEM;
        waits = role == ROLE_SYSTEM || (waits && role != ROLE_USER);
    }
    if (systems > 1)
        return "has more than one system's message";
    return waits ? "has a system's message that no user's follows" : NULL;
}

/* --- text and ids -------------------------------------------------------------------- */

static void add_text(struct chat *chat, const char *text, int64_t bytes)
{
    if (chat->bytes + bytes > chat->capacity) {
        chat->capacity = 2 * (chat->bytes + bytes);
        chat->text = realloc(chat->text, (size_t)chat->capacity);
        if (chat->text == NULL)
            die("no memory for a conversation of %lld bytes", (long long)chat->capacity);
    }
    memcpy(chat->text + chat->bytes, text, (size_t)bytes);
    chat->bytes += bytes;
}

static void add_ids(struct chat *chat, const int32_t *ids, int64_t count, enum chat_role role)
{
    if (chat->count + count > chat->ids_capacity) {
        chat->ids_capacity = 2 * (chat->count + count);
        chat->ids = realloc(chat->ids, (size_t)chat->ids_capacity * sizeof *chat->ids);
        if (chat->ids == NULL)
            die("no memory for a conversation of %lld tokens", (long long)chat->ids_capacity);
    }
    for (int64_t i = 0; i < count; i++)
        chat->ids[chat->count++] = chat->kept[role] ? ids[i] : tokens_unkept(ids[i]);
}

/* Add a text, all of one role.  With `spaced` a space comes first and is tokenized with it. */
static enum status add_part(struct chat *chat, const char *text, int64_t bytes, bool spaced,
                            enum chat_role role)
{
    const int64_t from = chat->bytes;
    int32_t *ids = NULL;
    int64_t count;
    enum status st;

    if (spaced)
        add_text(chat, " ", 1);
    if (bytes > 0)
        add_text(chat, text, bytes);
    TRY(tokenizer_encode_part(chat->tokenizer, chat->text + from, chat->bytes - from, &ids,
                              &count));
    add_ids(chat, ids, count, role);
done:
    free(ids);
    return st;
}

static void add_token(struct chat *chat, const char *name, int64_t bytes)
{
    char copy[32];

    snprintf(copy, sizeof copy, "%.*s", (int)bytes, name);
    const int32_t id = tokenizer_find(chat->tokenizer, copy);
    add_text(chat, name, bytes);
    add_ids(chat, &id, 1, ROLE_TEMPLATE);
}

/* The content of a message; a system's one comes before it if `system` is not NULL. */
static enum status add_content(struct chat *chat, const json_t *message, const json_t *system,
                               bool spaced)
{
    static const char SPACE[] = " \t\n\v\f\r";
    const json_t *content = json_object_get(message, "content");
    const char *text = json_string_value(content);
    int64_t bytes = (int64_t)json_string_length(content);
    enum status st = OK;

    if (system != NULL) {
        content = json_object_get(system, "content");
        TRY(add_part(chat, json_string_value(content), (int64_t)json_string_length(content),
                     spaced, ROLE_SYSTEM));
        TRY(add_part(chat, "\n\n", 2, false, ROLE_TEMPLATE));
        spaced = false;
    }
    for (; template_of(chat)->trimmed && bytes > 0 && memchr(SPACE, text[0], sizeof SPACE - 1);
         text++)
        bytes--;
    while (template_of(chat)->trimmed && bytes > 0
           && memchr(SPACE, text[bytes - 1], sizeof SPACE - 1))
        bytes--;
    TRY(add_part(chat, text, bytes, spaced, role_of(message)));
done:
    return st;
}

static enum status add_turn(struct chat *chat, const char *turn, const json_t *message,
                            const json_t *system)
{
    enum status st = OK;

    while (*turn != '\0') {
        const int64_t length = (int64_t)strcspn(turn, "{%~");

        if (length > 0)
            TRY(add_part(chat, turn, length, false, ROLE_TEMPLATE));
        turn += length;
        if (*turn == '{') {
            const int64_t name = (int64_t)strcspn(turn, "}") - 1;
            add_token(chat, turn + 1, name);
            turn += name + 2;
        } else if (*turn != '\0') {
            TRY(add_content(chat, message, system, *turn == '~'));
            turn++;
        }
    }
done:
    return st;
}

/* Does the user's turn number `at` take in a system's message? */
static bool takes_system(const struct chat *chat, const json_t *messages, size_t at)
{
    if (role_of(json_array_get(messages, at)) != ROLE_USER)
        return false;
    for (size_t i = at + 1; template_of(chat)->joins_last && i < json_array_size(messages); i++)
        if (role_of(json_array_get(messages, i)) == ROLE_USER)
            return false;
    return true;
}

enum status chat_read(struct chat *chat, const json_t *messages)
{
    const struct chat_template *template = template_of(chat);
    const json_t *message, *system = NULL;
    size_t i;
    enum status st = OK;

    chat->bytes = chat->count = 0;
    json_array_foreach(messages, i, message) {
        const enum chat_role role = role_of(message);
        const bool takes = takes_system(chat, messages, i);

        if (template->turn[role] == NULL) {
            system = message;
            continue;
        }
        TRY(add_turn(chat, template->turn[role], message, takes ? system : NULL));
        system = takes ? NULL : system;
    }
done:
    return st;
}

/* --- the format ---------------------------------------------------------------------- */

/* Every token of a turn must be one of the tokenizer. */
static enum status check_turn(const struct chat *chat, const char *turn)
{
    enum status st = OK;

    while ((turn = strchr(turn, '{')) != NULL) {
        char name[32];

        snprintf(name, sizeof name, "%.*s", (int)strcspn(turn, "}") - 1, turn + 1);
        REQUIRE(tokenizer_find(chat->tokenizer, name) >= 0, E_USAGE, "corpus.chat needs the added "
                "token %s, which the tokenizer does not have; set model.tokenizer to the "
                "tokenizer.json of the instruction-tuned model, or corpus.chat to its format",
                name);
        turn++;
    }
done:
    return st;
}

enum status chat_open(struct chat *chat, const struct suite_corpus *corpus,
                      const struct tokenizer *tokenizer)
{
    enum status st = OK;

    *chat = (struct chat){ .tokenizer = tokenizer, .format = corpus->chat };
    for (unsigned i = 0; i < corpus->roles_count; i++)
        chat->kept[corpus->roles[i]] = true;
    for (enum chat_role role = ROLE_SYSTEM; role < ROLE_TEMPLATE; role++)
        if (template_of(chat)->turn[role] != NULL)
            TRY(check_turn(chat, template_of(chat)->turn[role]));
    REQUIRE(!tokenizer->marks_parts, E_USAGE, "corpus.chat does not know tokenizers that put a "
            "mark before each part of a text (\"Prepend\", or \"prepend_scheme\" \"always\")");
done:
    return st;
}

void chat_close(struct chat *chat)
{
    free(chat->text);
    free(chat->ids);
    *chat = (struct chat){0};
}
