"""An independent reader of a site's record: an exported file, or a folder in the form of tlog-tiles.

Usage: record_check.py EXPORT.zip|FOLDER VERIFIER_KEY

Written from RFC 6962, RFC 9162 (2.1.3.2 and 2.1.4.2), C2SP signed-note, tlog-checkpoint and tlog-tiles, and
DSSE; nothing of Patchward's own code is used. VERIFIER_KEY is `NAME+ID+BASE64` as signed-note has it. Checks the
checkpoint's signature, the root over all entries, the hash tiles, in an export also every inclusion proof, the
consistency proof and the devices' signatures; prints what was checked as JSON.
"""

import base64
import hashlib
import json
import sys
import zipfile
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf)


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def tree_hash(hashes: list[bytes]) -> bytes:
    """MTH of RFC 6962, over leaf hashes."""
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    return node_hash(tree_hash(hashes[:k]), tree_hash(hashes[k:]))


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, path: list[bytes]) -> None:
    """RFC 9162, 2.1.3.2."""
    assert index < size
    fn, sn, r = index, size - 1, leaf
    for p in path:
        assert sn != 0
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0 and r == root, f"inclusion of {index}"


def check_consistency(first: int, first_root: bytes, second: int, root: bytes, path: list[bytes]) -> None:
    """RFC 9162, 2.1.4.2."""
    if first == second:
        assert not path and first_root == root
        return
    assert 0 < first < second and path
    if first & (first - 1) == 0:
        path = [first_root, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        assert sn != 0
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    assert fr == first_root and sr == root and sn == 0, "consistency"


def open_note(note: str, verifier_key: str) -> list[str]:
    """The lines of a signed note whose signature by this key verifies (C2SP signed-note)."""
    name, key_id, encoded = verifier_key.split("+", 2)
    tagged = base64.b64decode(encoded, validate=True)
    assert tagged[0] == 1 and len(tagged) == 33, "an Ed25519 key"
    assert sha256(name.encode() + b"\n" + tagged)[:4].hex() == key_id, "the key's id"
    end = note.rindex("\n\n") + 1
    text, signatures = note[:end], note[end + 1 :]
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        assert dash == "\u2014"
        raw = base64.b64decode(signature, validate=True)
        if signer == name and raw[:4].hex() == key_id:
            Ed25519PublicKey.from_public_bytes(tagged[1:]).verify(raw[4:], text.encode())
            return text.splitlines()
    raise AssertionError("not signed by this key")


def tile_path(level: str, index: int, width: int) -> str:
    """C2SP tlog-tiles: groups of three digits, all but the last with an x."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.append(f"x{index % 1000:03}")
    path = f"tile/{level}/" + "/".join(reversed(groups))
    return path if width == 256 else f"{path}.p/{width}"


class Source:
    """Files by name, from an archive or a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.archive = None if path.is_dir() else zipfile.ZipFile(path)
        if self.archive:
            assert self.archive.testzip() is None

    def read(self, name: str) -> bytes:
        return self.archive.read(name) if self.archive else (self.path / name).read_bytes()


def tiles(count: int) -> list[tuple[int, int]]:
    full = [(index, 256) for index in range(count // 256)]
    return full + ([(count // 256, count % 256)] if count % 256 else [])


def entries_of(source: Source, size: int) -> list[bytes]:
    if source.archive:
        text = source.read("entries.jsonl")
        assert text.endswith(b"\n")
        return text[:-1].split(b"\n")
    entries = []
    for index, width in tiles(size):
        bundle = source.read(tile_path("entries", index, width))
        for _ in range(width):
            length = int.from_bytes(bundle[:2], "big")
            assert len(bundle) >= 2 + length
            entries.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
        assert not bundle
    return entries


def check_tiles(source: Source, leaves: list[bytes]) -> int:
    checked, level, hashes = 0, 0, leaves
    while hashes:
        for index, width in tiles(len(hashes)):
            tile = source.read(tile_path(str(level), index, width))
            assert tile == b"".join(hashes[256 * index : 256 * index + width]), f"tile {level}/{index}"
            checked += 1
        whole = len(hashes) // 256
        hashes = [tree_hash(hashes[256 * i : 256 * (i + 1)]) for i in range(whole)]
        level += 1
    return checked


def check_ledgers(entries: list[bytes], devices: list[dict]) -> int:
    """Every device's entries: DSSE signature by its key, and the chain of digests."""
    keys = {(d["device"], d["ledger_id"]): bytes.fromhex(d["key"]) for d in devices}
    heads: dict[tuple[str, str], tuple[int, str | None]] = {}
    checked = 0
    for line in entries:
        entry = json.loads(line)
        if entry["kind"] != "ledger":
            continue
        envelope = entry["body"]
        payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
        said = json.loads(payload)
        ledger = (said["device"], said["ledger_id"])
        signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
        signature = base64.b64decode(envelope["signatures"][0]["sig"])
        Ed25519PublicKey.from_public_bytes(keys[ledger]).verify(signature, signed)
        seq, head = heads.get(ledger, (0, None))
        assert said["seq"] == seq + 1 and said.get("prev_sha256") == head, f"chain of {ledger}"
        heads[ledger] = (seq + 1, sha256(payload).hex())
        checked += 1
    return checked


def main() -> None:
    source, verifier_key = Source(Path(sys.argv[1])), sys.argv[2]
    name = "checkpoint.txt" if source.archive else "checkpoint"
    lines = open_note(source.read(name).decode(), verifier_key)
    assert lines[0] == verifier_key.split("+")[0], "origin"
    size, root = int(lines[1]), base64.b64decode(lines[2], validate=True)
    assert str(size) == lines[1]
    entries = entries_of(source, size)
    assert len(entries) == size
    leaves = [leaf_hash(entry) for entry in entries]
    assert tree_hash(leaves) == root, "root"
    for n, entry in enumerate(entries):
        assert json.loads(entry)["n"] == n
    told = {"size": size, "tiles": check_tiles(source, leaves)}
    if source.archive:
        proofs = json.loads(source.read("proofs.json"))
        for proof in proofs["inclusion"]:
            assert bytes.fromhex(proof["leaf"]) == leaves[proof["n"]]
            path = [bytes.fromhex(h) for h in proof["proof"]]
            check_inclusion(leaves[proof["n"]], proof["n"], size, root, path)
        told["inclusion"] = len(proofs["inclusion"])
        if earlier := proofs["consistency"]:
            path = [bytes.fromhex(h) for h in earlier["proof"]]
            first = earlier["from"]
            check_consistency(first["size"], bytes.fromhex(first["root"]), size, root, path)
        told["consistency"] = bool(earlier)
        told["ledger"] = check_ledgers(entries, json.loads(source.read("keys.json"))["devices"])
    print(json.dumps(told))


if __name__ == "__main__":
    main()
