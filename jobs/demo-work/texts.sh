#!/bin/sh
# texts.sh -- the demo's text, divided: chapters of the Bible, and all else.
#
#   reads   jobs/demo/corpus/00.jsonl.zst
#   writes  jobs/demo-work/texts/bible.jsonl, other.jsonl   a document a line, in the field "text"
set -eu
cd "$(dirname "$0")"

CHAPTER='^\{"text": "[0-9]?[A-Za-z]+ [0-9]+\\u000a1 '      # "Ge 1", and its first verse

rm -rf texts.part
mkdir texts.part
zstd -q -d -c ../demo/corpus/00.jsonl.zst > texts.part/all
grep -E "$CHAPTER" texts.part/all > texts.part/bible.jsonl
grep -v -E "$CHAPTER" texts.part/all > texts.part/other.jsonl
rm texts.part/all
rm -rf texts
mv texts.part texts
