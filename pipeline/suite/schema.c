#include "suite/schema.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#define TOP(member) \
    .section = "", .name = #member, .offset = offsetof(struct suite, member)
#define KEY(part, member) \
    .section = #part, .name = #member, .offset = offsetof(struct suite, part.member)
#define LIST(part, member) \
    KEY(part, member), .list = true, .count = offsetof(struct suite, part.member##_count)
#define SAE(member) \
    .section = "saes", .name = #member, .offset = offsetof(struct suite_saes, member)
#define SAE_LIST(member) \
    SAE(member), .list = true, .count = offsetof(struct suite_saes, member##_count)
#define INTEGER(from, to)   .type = KEY_INTEGER, .least = (from), .most = (to)
#define NUMBER(from, to)    .type = KEY_NUMBER, .least = (from), .most = (to)
#define WORD(allowed)       .type = KEY_WORD, .words = (allowed)
#define SITE_WORDS          "attn mlp res mlp_in"
#define ANY                 1e15                        /* no bound but sense */
#define ABOVE_0             DBL_MIN
#define BELOW_1             0x1.fffffffffffffp-1

const struct section SUITE_SECTIONS[] = {
    { "", "release", "" },
    { "model", "tokens",
      "The language model whose activations are explained." },
    { "corpus", "tokens",
      "The text it reads." },
    { "harvest", "harvest",
      "Which activations are kept." },
    { "shuffle", "shuffle",
      "The order in which training sees them." },
    { "train", "train",
      "How every autoencoder is trained.  The defaults are the recipe of Gemma Scope "
      "(arXiv:2408.05147, section 3.2).  Normalised units are those in which the rows of a "
      "stream have mean squared norm 1." },
    { "saes", "train",
      "The autoencoders: a list of groups.  Of each group, every combination of site, layer, "
      "width and sparsity is trained." },
    { "evaluate", "evaluate",
      "How they are judged, on text that was held out." },
    { "resources", NULL,
      "What a task gets from Slurm with saemill submit; a task is one job.  saemill run takes "
      "what the machine has." },
    { "rates", NULL,
      "What saemill plan counts on, of each core, all that a stage does besides included.  "
      "0: as `saemill measure` found it on this machine." },
};

const int SUITE_SECTIONS_COUNT = sizeof SUITE_SECTIONS / sizeof *SUITE_SECTIONS;

const struct key SUITE_KEYS[] = {
    { TOP(name), .type = KEY_NAME, .required = true, .value = "explained", .unit = "",
      .meaning = "Names the suite in reports and releases." },
    { TOP(run), .technical = true, .type = KEY_TEXT, .value = "\"\"", .unit = "",
      .meaning = "Folder for all that the stages make.  Empty: runs/NAME." },

    { KEY(model, path), .type = KEY_TEXT, .required = true, .value = "jobs/demo/tiny-gemma2",
      .unit = "",
      .meaning = "Folder of a Hugging Face checkpoint: config.json and *.safetensors." },
    { KEY(model, tokenizer), .type = KEY_TEXT, .value = "\"\"", .unit = "",
      .meaning = "Its tokenizer.  Empty: tokenizer.model (SentencePiece) in the folder above, or "
                 "else tokenizer.json (byte-level BPE, GPT-2)." },
    { KEY(model, precision), WORD("f32 bf16"), .value = "f32", .unit = "",
      .meaning = "Arithmetic of the forward pass." },
    { KEY(model, config), .technical = true, .type = KEY_TEXT, .value = "\"\"", .unit = "",
      .meaning = "Folder with the model's config.json, so that saemill plan can count where the "
                 "checkpoint is not." },

    { LIST(corpus, files), .type = KEY_TEXT, .required = true,
      .value = "[jobs/demo/corpus/*.jsonl.zst]", .unit = "",
      .meaning = "Text (.txt, .jsonl, .jsonl.zst) or token ids (.h5).  Wildcards are expanded "
                 "in alphabetical order." },
    { KEY(corpus, context), INTEGER(2, 1048576), .value = "1024", .unit = "tokens",
      .meaning = "Length of a sequence, BOS included." },
    { KEY(corpus, holdout), NUMBER(0, 0.99), .value = "0.01", .unit = "",
      .meaning = "Share of the documents that is kept for evaluation, by a hash of the text." },

    { LIST(harvest, sites), WORD(SITE_WORDS), .value = "[attn, mlp, res]", .unit = "",
      .meaning = "attn: head outputs before W_O.  mlp: MLP output as added to the residual.  "
                 "res: residual stream after the layer.  mlp_in: MLP input after its norm." },
    { LIST(harvest, layers), .type = KEY_LAYERS, .value = "[all]", .unit = "",
      .meaning = "Layers, from 0." },
    { KEY(harvest, tokens), INTEGER(0, ANY), .value = "0", .unit = "tokens",
      .meaning = "Stop when so many are fed to the model.  0: the whole corpus." },
    { KEY(harvest, seed), INTEGER(0, ANY), .value = "0", .unit = "",
      .meaning = "Seed of the order in which sequences are taken." },
    { KEY(harvest, block), INTEGER(1, 65536), .value = "8", .unit = "sequences",
      .meaning = "Sequences of one forward pass." },
    { KEY(harvest, shard), INTEGER(1, 1e9), .value = "1024", .unit = "sequences",
      .meaning = "Sequences of one shard on disk, which is one task." },
    { KEY(harvest, max_norm), NUMBER(0, ANY), .value = "0", .unit = "medians",
      .meaning = "Drop tokens whose row is longer than so many medians of the shard's rows in "
                 "any stream; 10 is usual.  0: keep all." },
    { KEY(harvest, store), WORD("bf16 f32"), .value = "bf16", .unit = "",
      .meaning = "Type of the values on disk." },

    { KEY(shuffle, mode), WORD("global bucket none"), .value = "global", .unit = "",
      .meaning = "global: one permutation of all rows.  bucket: permutations within buckets, "
                 "as Gemma Scope did.  none: the order of harvest, for comparison." },
    { KEY(shuffle, bucket), INTEGER(1, ANY), .value = "1000000", .unit = "rows",
      .meaning = "Rows of a bucket, for mode bucket." },
    { KEY(shuffle, memory), .technical = true, .type = KEY_BYTES, .least = 1e6, .most = ANY,
      .value = "1GB", .unit = "",
      .meaning = "What a rank may use for rows; less memory, more passes over the disk." },
    { KEY(shuffle, shard), INTEGER(512, ANY), .value = "1048576", .unit = "rows",
      .meaning = "Rows of one shard on disk." },
    { KEY(shuffle, seed), INTEGER(0, ANY), .value = "0", .unit = "",
      .meaning = "Seed of the permutation." },

    { KEY(train, batch), INTEGER(1, 1 << 24), .value = "4096", .unit = "rows",
      .meaning = "Rows of one step." },
    { KEY(train, learning_rate), NUMBER(ABOVE_0, 1), .value = "7e-5", .unit = "",
      .meaning = "Adam's step, after warm-up." },
    { KEY(train, warmup), INTEGER(0, ANY), .value = "1000", .unit = "steps",
      .meaning = "Steps to the full learning rate, by a cosine from a tenth of it." },
    { KEY(train, decay), NUMBER(0, 1), .value = "0", .unit = "",
      .meaning = "Last share of the steps, over which the learning rate falls linearly to 0." },
    { KEY(train, sparsity_warmup), INTEGER(0, ANY), .value = "10000", .unit = "steps",
      .meaning = "Steps to the full sparsity penalty, linear from 0." },
    { KEY(train, bandwidth), NUMBER(ABOVE_0, 1), .value = "0.001", .unit = "normalised units",
      .meaning = "Width of the window around a threshold in which it learns." },
    { KEY(train, threshold), NUMBER(ABOVE_0, 1), .value = "0.001", .unit = "normalised units",
      .meaning = "Initial threshold of every latent." },
    { KEY(train, threshold_form), WORD("raw log"), .value = "raw", .unit = "",
      .meaning = "Whether Adam moves the threshold or its logarithm." },
    { KEY(train, target_form), WORD("ratio quadratic"), .value = "ratio", .unit = "",
      .meaning = "Penalty of gemma_scope for target_l0.  ratio: (mean L0 / target - 1)^2.  "
                 "quadratic: mean over the rows of (L0 - target)^2 / (2 target), after Gemma "
                 "Scope 2." },
    { KEY(train, target_strength), NUMBER(ABOVE_0, ANY), .value = "1", .unit = "",
      .meaning = "Its coefficient." },
    { KEY(train, frequency_strength), NUMBER(0, ANY), .value = "0", .unit = "normalised units",
      .meaning = "Coefficient of a second penalty of gemma_scope, against latents that are "
                 "often active: the sum over latents of f^2 / frequency, f being the share of "
                 "the rows on which one is active." },
    { KEY(train, frequency), NUMBER(ABOVE_0, 1), .value = "0.1", .unit = "",
      .meaning = "For frequency_strength." },
    { LIST(train, prefixes), NUMBER(ABOVE_0, 1), .value = "[0.0625, 0.125, 0.25, 0.5, 1]",
      .unit = "share of the width",
      .meaning = "Parts of a matryoshka's dictionary that must reconstruct for themselves: "
                 "ascending, at most 8, the last one 1." },
    { KEY(train, auxk), NUMBER(0, ANY), .value = "0.03125", .unit = "",
      .meaning = "Coefficient of AuxK, by which topk and batch_topk revive dead latents." },
    { KEY(train, auxk_latents), INTEGER(1, ANY), .value = "512", .unit = "latents",
      .meaning = "How many dead latents of a row AuxK takes, at most; each takes time and memory "
                 "while many are dead." },
    { KEY(train, clip), NUMBER(0, ANY), .value = "0", .unit = "normalised units",
      .meaning = "Most norm of all gradients together, to which longer ones are scaled; costs "
                 "a second pass over them.  0: any." },
    { KEY(train, beta1), NUMBER(0, BELOW_1), .value = "0", .unit = "",
      .meaning = "Adam's decay of the first moment." },
    { KEY(train, beta2), NUMBER(0, BELOW_1), .value = "0.999", .unit = "",
      .meaning = "Adam's decay of the second moment." },
    { KEY(train, epsilon), NUMBER(ABOVE_0, 1), .value = "1e-8", .unit = "",
      .meaning = "Adam's, added to the root." },
    { KEY(train, dead_after), INTEGER(1, ANY), .value = "10000000", .unit = "rows",
      .meaning = "Rows without activation after which a latent counts as dead." },
    { KEY(train, checkpoint), .technical = true, INTEGER(1, ANY), .value = "1000", .unit = "steps",
      .meaning = "Steps between checkpoints." },
    { KEY(train, seed), INTEGER(0, ANY), .value = "0", .unit = "",
      .meaning = "Seed of the initial decoder." },
    { KEY(train, precision), WORD("f32 bf16"), .value = "f32", .unit = "",
      .meaning = "What rows and weights are rounded to before they are multiplied.  The weights "
                 "themselves, and sums, are float32.  bf16 is about twice as fast." },

    { SAE_LIST(sites), WORD(SITE_WORDS), .value = "[attn, mlp, res]", .unit = "",
      .meaning = "Sites; they must be harvested." },
    { SAE(target), WORD("input " SITE_WORDS), .value = "input", .unit = "",
      .meaning = "What is reconstructed.  input: what is read.  A site: a transcoder, from the "
                 "sites above to this one of the same layer, which must not come before them." },
    { SAE(skip), WORD("none linear"), .value = "none", .unit = "",
      .meaning = "linear: a transcoder also adds a matrix times its input." },
    { SAE_LIST(layers), .type = KEY_LAYERS, .value = "[all]", .unit = "",
      .meaning = "Layers.  all: every layer that is harvested." },
    { SAE(recipe), WORD("gemma_scope gated topk batch_topk matryoshka relu_l1"),
      .value = "gemma_scope", .unit = "",
      .meaning = "gemma_scope: JumpReLU with a penalty on L0.  gated: Gated with a penalty on "
                 "the gates' L1.  topk: the k largest latents of a row.  batch_topk: k times "
                 "the rows of a batch.  matryoshka: the same, with prefixes that reconstruct "
                 "for themselves.  relu_l1: ReLU with a penalty on L1 times decoder norms." },
    { SAE_LIST(widths), INTEGER(1, 1 << 30), .value = "[16384]", .unit = "latents",
      .meaning = "Sizes of the dictionary." },
    { SAE_LIST(sparsities), .empty = true, NUMBER(ABOVE_0, ANY), .value = "[6e-4]",
      .unit = "normalised units",
      .meaning = "Coefficients of the penalty of gemma_scope, gated and relu_l1.  Not together "
                 "with target_l0." },
    { SAE_LIST(target_l0), .empty = true, NUMBER(ABOVE_0, ANY), .value = "[]", .unit = "latents",
      .meaning = "Or, in place of sparsities: for gemma_scope, mean numbers of active latents "
                 "to be reached; for topk, batch_topk and matryoshka, their numbers k." },
    { SAE(tokens), INTEGER(1, ANY), .value = "4e9", .unit = "rows",
      .meaning = "Rows of activations to train on." },

    { KEY(evaluate, sequences), INTEGER(0, ANY), .value = "0", .unit = "sequences",
      .meaning = "Held-out sequences to splice into.  0: all there are." },
    { KEY(evaluate, seed), INTEGER(0, ANY), .value = "0", .unit = "",
      .meaning = "Seed of the choice of sequences." },

    { KEY(resources, nodes), .technical = true, INTEGER(1, 65536), .value = "1", .unit = "nodes",
      .meaning = "For a task of shuffle or train; those of the other stages get one." },
    { KEY(resources, cores), .technical = true, INTEGER(1, 65536), .value = "16", .unit = "cores",
      .meaning = "Of each node." },
    { KEY(resources, memory), .technical = true, .type = KEY_BYTES, .least = 1e8, .most = ANY,
      .value = "64GB", .unit = "",
      .meaning = "Of each node." },
    { KEY(resources, time), .technical = true, INTEGER(1, 1e7), .value = "1440", .unit = "minutes",
      .meaning = "Time limit of a job.  A task that needs longer goes on in the next one." },
    { KEY(resources, margin), .technical = true, INTEGER(1, 1e6), .value = "300",
      .unit = "seconds",
      .meaning = "So long before the time limit a task writes its checkpoints and requeues "
                 "itself." },
    { KEY(resources, at_once), .technical = true, INTEGER(0, 1e6), .value = "0", .unit = "jobs",
      .meaning = "Most jobs of a stage that run at the same time.  0: no limit." },
    { LIST(resources, options), .technical = true, .type = KEY_TEXT, .empty = true, .value = "[]",
      .unit = "",
      .meaning = "More options for sbatch, such as --partition=long." },

    { KEY(rates, tokenize), .technical = true, NUMBER(0, ANY), .value = "0", .unit = "MB/s",
      .meaning = "Compressed text." },
    { KEY(rates, harvest), .technical = true, NUMBER(0, ANY), .value = "0", .unit = "GFLOP/s",
      .meaning = "The model's forward pass." },
    { KEY(rates, shuffle), .technical = true, NUMBER(0, ANY), .value = "0", .unit = "MB/s",
      .meaning = "Rows, before compression, of each pass." },
    { KEY(rates, train), .technical = true, NUMBER(0, ANY), .value = "0", .unit = "GFLOP/s",
      .meaning = "The product of batch and encoder alone, in the time of the whole step." },
    { KEY(rates, evaluate), .technical = true, NUMBER(0, ANY), .value = "0", .unit = "GFLOP/s",
      .meaning = "Forward passes with autoencoders spliced in." },
};

const int SUITE_KEYS_COUNT = sizeof SUITE_KEYS / sizeof *SUITE_KEYS;

/* "one of attn, mlp, res, mlp_in"; "only f32" */
static void print_words(char *text, size_t size, const char *words)
{
    size_t n = (size_t)snprintf(text, size, strchr(words, ' ') ? "one of " : "only ");

    for (; *words != '\0' && n + 3 < size; words++) {
        if (*words == ' ')
            text[n++] = ',';
        text[n++] = *words;
    }
    text[n] = '\0';
}

const char *schema_key_expects(const struct key *key)
{
    static char text[128];
    char most[32] = "";

    switch (key->type) {
    case KEY_TEXT:
        return "a text";
    case KEY_NAME:
        return "made of letters, digits, '.', '_' and '-'";
    case KEY_LAYERS:
        return "all, a layer like 7, or a range like 3-9";
    case KEY_WORD:
        print_words(text, sizeof text, key->words);
        return text;
    default:
        if (key->most == BELOW_1)
            snprintf(most, sizeof most, ", less than 1");
        else if (key->most != ANY)
            snprintf(most, sizeof most, " up to %.15g", key->most);
        snprintf(text, sizeof text, "%s %s%.15g%s", key->type == KEY_NUMBER ? "a number"
                 : key->type == KEY_INTEGER ? "an integer" : "bytes, like 512MB or 1GB,",
                 key->least == ABOVE_0 ? "above " : "from ",
                 key->least == ABOVE_0 ? 0 : key->least, most);
        return text;
    }
}
