#!/bin/sh
# Makes a complete example hierarchy with the real command line. Never for production: the
# passphrase stands beside the keys. Run in an empty folder; PATCHWARD names the program.
set -eu
program="${PATCHWARD:-patchward}"
[ -f passphrase ] || echo "public example passphrase" >passphrase
for owner in family site; do
    for role in root targets; do
        for letter in a b c; do
            "$program" key new --person "example-$owner-$role-$letter" --method offline \
                --passphrase-file passphrase --out "$owner-$role-$letter.key"
        done
    done
done
