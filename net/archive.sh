#!/bin/sh
# archive.sh OUTPUT INPUT DIRECTORY OBJCOPY AR CC...: joins the objects of an archive into one whose
# hidden symbols are local.
set -e
output=$1 input=$2 directory=$3 objcopy=$4 ar=$5
shift 5
mkdir -p "$directory"
"$@" -r -nostdlib -o "$directory/green.o" -Wl,--whole-archive "$input" -Wl,--no-whole-archive
"$objcopy" --localize-hidden "$directory/green.o"
rm -f "$output"
"$ar" rcs "$output" "$directory/green.o"
