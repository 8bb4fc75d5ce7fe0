#!/bin/sh
# Whatever is wrong with a suite file: one sentence with file, line and what to do, soon.
. tests/lib.sh

# mistake SED WORD...: the suite changed by a sed script is refused, with a reason that has
# all the words.
mistake() {
    sed "$1" "$dir/suite.yaml" > "$dir/wrong.yaml"
    shift
    wrong "$dir/wrong.yaml" "$@"
}

# The same for a file.
wrong() {
    file=$1
    shift
    for verb in status plan submit; do
        if timeout "$hung" bin/saemill $verb "$file" > "$dir/out" 2> "$dir/err"; then return 1; fi
        refusal "$@"
    done
}

an_unknown_key()        { mistake 's/^  checkpoint:/  chekpoint:/' \
                              wrong.yaml:21: "'chekpoint' is not a key" "did you mean 'checkpoint'"; }
a_wrong_type()          { mistake 's/batch: 256/batch: many/' wrong.yaml:17: "must be an integer"; }
a_list_for_a_scalar()   { mistake 's/batch: 256/batch: [256]/' wrong.yaml:17: "a single value"; }
a_scalar_for_a_list()   { mistake 's/widths: .64./widths: 64/' wrong.yaml:24: "must be a list"; }
a_number_beyond_all()   { mistake 's/learning_rate: .*/learning_rate: 1e400/' wrong.yaml:20: \
                              "'1e400'" "up to 1"; }
a_layer_out_of_range()  { mistake 's/layers: .0, 2./layers: [0, 4]/' wrong.yaml:11: \
                              "layers 4, but the model has 4, numbered from 0"; }
a_layer_of_autoencoders_out_of_range() { mistake 's/layers: .2./layers: [1-7]/' wrong.yaml:28: \
                              "layers 1-7, but the model has 4"; }
two_of_one_name()       { mistake 's/target_l0: .*/target_l0: [5, 5]/' wrong.yaml:24: \
                              "asks twice for the autoencoder w64-t5 of res.00" "must differ"; }
a_site_not_harvested()  { mistake 's/sites: .attn, res./sites: [attn]/' wrong.yaml:23: \
                              "add it there"; }
tabs()                  { mistake 's/^  batch/\tbatch/' wrong.yaml:17: "not YAML"; }
a_key_twice()           { mistake 's/^  warmup: 5/  batch: 5/' wrong.yaml:18: "given twice"; }
no_autoencoders()       { mistake '/^saes:/,$d' wrong.yaml "'saes' is missing" explain; }

an_empty_file() {
    : > "$dir/empty.yaml"
    wrong "$dir/empty.yaml" "empty.yaml:1" "name is missing"
}

a_file_that_is_no_yaml() {
    head -c 2000 bin/saemill > "$dir/program.yaml"
    wrong "$dir/program.yaml" "program.yaml"
    printf 'just words\n' > "$dir/words.yaml"
    wrong "$dir/words.yaml" "words.yaml" "KEY: VALUE"
}

a_file_of_a_gigabyte() {
    truncate -s 1G "$dir/long.yaml"
    wrong "$dir/long.yaml" "long.yaml:1" "1.07 GB" "a few kB"
    rm "$dir/long.yaml"
}

a_file_that_is_not_there() { wrong "$dir/none.yaml" "none.yaml" "No such file"; }
a_folder()                 { wrong "$dir" "$dir is a folder"; }

a_missing_model()  { mistake 's,path: .*,path: /nowhere/model,' /nowhere/model/config.json; }
a_missing_corpus() { mistake "s,files: .*,files: [$dir/nowhere/*.txt]," "$dir/nowhere" \
                         corpus.files; }

# Without held-out text days of work would end in evaluate; the remedy that is named works.
nothing_held_out() {
    mkdir -p "$dir/one"
    cat LICENSE LICENSE > "$dir/one/book.txt"
    sed "s,run: .*,run: $dir/unheld,; s,files: .*,files: [$dir/one/book.txt]," "$dir/suite.yaml" \
        > "$dir/unheld.yaml"
    not_started() {
        for verb in plan submit run; do
            if timeout "$hung" bin/saemill $verb "$1" > "$dir/out" 2> "$dir/err"; then return 1; fi
            refusal "$2" "$3"
        done
    }
    not_started "$dir/unheld.yaml" "$dir/one/book.txt" "cut it into"
    gzip -k "$dir/one/book.txt"
    sed "s,one/book.txt,&.gz," "$dir/unheld.yaml" > "$dir/wrong.yaml"
    not_started "$dir/wrong.yaml" "$dir/one/book.txt.gz" "cut it into"
    sed 's/holdout: .*/holdout: 0/' "$dir/suite.yaml" > "$dir/wrong.yaml"
    not_started "$dir/wrong.yaml" corpus.holdout "above 0"
    sed "s,run: .*,run: $dir/unheld,; s/holdout: .*/holdout: 1e-9/" "$dir/suite.yaml" \
        > "$dir/wrong.yaml"
    stage 1 tokenize "$dir/wrong.yaml"
    not_started "$dir/wrong.yaml" "0 held out" "remove $dir/unheld/tokens"
    rm -r "$dir/unheld/tokens"
    sed -i 's/holdout: .*/holdout: 0.1/' "$dir/wrong.yaml"
    stage 1 tokenize "$dir/wrong.yaml"
    bin/saemill plan "$dir/wrong.yaml" > /dev/null
}

# A path that leads back to itself.
a_circle_of_links() {
    ln -s circle "$dir/circle"
    mistake "s,path: .*,path: $dir/circle," "$dir/circle/config.json" "symbolic links"
    ln -s circle.yaml "$dir/circle.yaml"
    wrong "$dir/circle.yaml" "circle.yaml" "symbolic links"
}

# What stands behind the NULs would have its default.
a_page_of_zeros() {
    { head -n 12 "$dir/suite.yaml"; head -c 4096 /dev/zero; tail -n +13 "$dir/suite.yaml"; } \
        > "$dir/zeros.yaml"
    wrong "$dir/zeros.yaml" "byte $(head -n 12 "$dir/suite.yaml" | wc -c) is a NUL" "is lost"
    if stage 2 tokenize "$dir/zeros.yaml"; then return 1; fi
}

# 4 MB of one thing after the other, each refused or understood in time that grows with its length.
four_megabytes_of_anything() {
    for piece in '[' '{' '[{' '- ' '? ' 'a: ' '"' '&a ' '!a ' '#' 'a,' '{a: '; do
        { echo 'name: test'; printf 'saes: '; yes -- "$piece" | tr -d '\n' | head -c 4000000; } \
            > "$dir/much.yaml"
        if timeout 60 bin/saemill plan "$dir/much.yaml" > "$dir/out" 2> "$dir/err"; then return 1; fi
        refusal much.yaml
    done
    rm "$dir/much.yaml"
}

# A suite file that lies where the run folder keeps its own copy, and files next to it.
a_suite_file_in_the_place_of_the_claim() {
    rm -rf "$dir/run"
    mkdir "$dir/run"
    sed 's/^name:.*/& # mine/' "$dir/suite.yaml" > "$dir/run/suite.yaml"
    cp "$dir/run/suite.yaml" "$dir/run/suite.yaml.bak"
    wrong "$dir/run/suite.yaml" "$dir/run/suite.yaml has the name" "another name"
    if stage 1 tokenize "$dir/run/suite.yaml"; then return 1; fi
    cmp "$dir/run/suite.yaml" "$dir/run/suite.yaml.bak"
    rm -r "$dir/run"
}

for claim in an_unknown_key a_wrong_type a_list_for_a_scalar a_scalar_for_a_list \
    a_number_beyond_all a_layer_out_of_range a_layer_of_autoencoders_out_of_range \
    two_of_one_name a_site_not_harvested tabs a_key_twice no_autoencoders an_empty_file \
    a_file_that_is_no_yaml a_file_of_a_gigabyte a_file_that_is_not_there a_folder \
    a_missing_model a_missing_corpus nothing_held_out a_circle_of_links \
    a_suite_file_in_the_place_of_the_claim a_page_of_zeros four_megabytes_of_anything; do
    try $claim
done
finish
