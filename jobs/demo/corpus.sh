#!/bin/sh
# corpus.sh -- the demo's text, from Debian packages.
#
#   writes  jobs/demo/corpus/packages/*.deb     what it is made from
#           jobs/demo/corpus/NN.jsonl.zst       a document a line, in the field "text"
#
# The sources and their cuts are those the demo's model was trained on, as far as they are
# cheap to get (jobs/demo/tiny-gemma2/README.md).  Packages are unpacked, not installed:
# the dictionaries would start a server, and slim systems leave out documentation.
# The same packages give the same bytes.  Every file is a fair sample of all the sources;
# they appear together, so that 00.jsonl.zst is there only when all the others are.
set -eu
export LC_ALL=C.UTF-8
cd "$(dirname "$0")"

PACKAGES="bible-kjv-text dict-gcide dict-foldoc dict-jargon fortunes manpages manpages-dev"
FILE_BYTES=4000000      # of text, in one file

refuse() {
    echo "jobs/demo/corpus.sh: $*" >&2
    exit 1
}

# Have the package $1 as corpus/packages/$1_*.deb.
fetch() {
    ls corpus/packages/"$1"_*.deb > /dev/null 2>&1 && return
    command -v apt-get > /dev/null || refuse "the text comes from Debian packages, and there" \
        "is no apt-get here: put $(echo $PACKAGES | sed 's/[^ ]*/&_*.deb/g')" \
        "(packages.debian.org) into jobs/demo/corpus/packages, or name text of your own" \
        "under corpus.files in the suite file"
    rm -rf corpus/packages.part
    mkdir -p corpus/packages.part corpus/packages
    (cd corpus/packages.part && apt-get -qq -o APT::Sandbox::User="$(id -un)" download "$1") ||
        refuse "apt-get cannot download $1: is there a network, and has apt-get update been run?"
    mv corpus/packages.part/*.deb corpus/packages/
    rmdir corpus/packages.part
}

unpack() {
    (cd corpus.part && ar x ../corpus/packages/"$1"_*.deb && tar -xf data.tar.* && rm data.tar.*)
}

# --- sources: documents on standard output, each ended by a NUL ------------------------

# A chapter a document: "Ge 1", then lines of verse number and text.
bible() {
    command bible -p corpus.part/usr/lib -f gen1:1-rev22:21 | perl -ne '
        my ($book, $chapter, $verse, $text) = /^(\w*?[a-z]+)(\d+):(\d+) (.*)/i or next;
        if ("$book $chapter" ne $title) {
            print "\0" if $title;
            $title = "$book $chapter";
            print "$title\n";
        }
        print "$verse $text\n";
        END { print "\0" }'
}

# Entries of a dictionary up to about 3000 characters; of `every` such documents the first.
dictionary() {
    gzip -dc < "corpus.part/usr/share/dictd/$1.dict.dz" |
        grep -a -v -x -E ' *\[(1913 Webster|PJC)\]' | every=$2 perl -00 -ne '
            $document .= $_;
            if (length $document >= 3000 || eof) {
                print "$document\0" if $number++ % $ENV{every} == 0;
                $document = "";
            }'
}

# Sayings, put together up to about 2000 characters.  Without the drawings.
fortunes() {
    find corpus.part/usr/share/games/fortunes -type f ! -name '*.*' ! -name '*art' | sort |
        xargs cat | perl -e '
            $/ = "\n%\n";
            while (<>) {
                chomp;
                $document .= "$_\n\n";
                if (length $document >= 2000 || eof) {
                    print "$document\0";
                    $document = "";
                }
            }'
}

# Manual pages at 78 columns, cut every 6000 characters.
manuals() {
    find corpus.part/usr/share/man -type f -name '*.gz' -path '*/man/man*' | sort |
        xargs gzip -dc | groff -k -t -Tutf8 -P-cbou -man -rLL=78n 2> /dev/null |
        perl -CS -ne '
            # A page begins with a line such as "memcpy(3)   Library Functions   memcpy(3)".
            my $head = /^(\S.*\(\d\w*\)) .* \1$/;
            if ($head || length $document >= 6000) {
                print "$document\0" if $document;
                $document = "";
            }
            next if /^$/ && ($document eq "" || $document =~ /\n\n$/);
            $document .= $_;
            END { print "$document\0" if $document }'
}

# --- documents into files ----------------------------------------------------------------

# Lines of JSON.  The order is that of i * golden ratio mod 1, which spreads each source
# evenly: every part of the whole is a mix in the same shares.
as_json() {
    perl -0 -ne '
        chomp;
        utf8::decode($_) or utf8::upgrade($_);      # what is not UTF-8 is Latin-1
        next unless /\S/;
        s/(["\\])/\\$1/g;
        s/([\x00-\x1f\x7f])/sprintf "\\u%04x", ord $1/ge;
        utf8::encode($_);
        push @documents, $_;
        END {
            my @place = map { ($_ * 2654435769) % 4294967296 } 0 .. $#documents;
            print "{\"text\": \"$documents[$_]\"}\n"
                for sort { $place[$a] <=> $place[$b] } 0 .. $#documents;
        }'
}

rm -rf corpus.part
mkdir -p corpus corpus.part
for package in $PACKAGES; do
    fetch "$package"
    unpack "$package"
done
{ bible; dictionary gcide 4; dictionary foldoc 1; dictionary jargon 1; fortunes; manuals; } |
    as_json | split -d -a 2 -C "$FILE_BYTES" --additional-suffix=.jsonl - corpus.part/
for file in $(ls corpus.part/*.jsonl | sort -r); do
    zstd -q --no-progress -6 "$file"
    mv "$file.zst" corpus/
done
rm -rf corpus.part
