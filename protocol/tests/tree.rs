//! Laws of the tree archive: one spelling per tree, and everything else refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may stop at the first surprise"
)]

use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::limits::TREE_ENTRIES_MAX;
use patchward_protocol::tree::{
    EntryKind, FileMode, LinkTarget, TreeError, TreePath, TreeReader, TreeWriter,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Read;

/// A tree as a test sees it; the map's order is the archive's.
type Tree = BTreeMap<String, Thing>;

#[derive(Debug, Clone, PartialEq)]
enum Thing {
    Folder,
    File(FileMode, Vec<u8>),
    Link(String),
}

fn write(tree: &Tree) -> Result<Vec<u8>, TreeError> {
    let mut writer = TreeWriter::new(Vec::new());
    for (path, thing) in tree {
        let path = TreePath::new(path)?;
        match thing {
            Thing::Folder => writer.dir(&path)?,
            Thing::File(mode, bytes) => {
                writer.file(&path, *mode, len(bytes), &mut bytes.as_slice())?;
            }
            Thing::Link(target) => writer.symlink(&path, &LinkTarget::new(&path, target)?)?,
        }
    }
    let (bytes, length) = writer.finish()?;
    assert_eq!(len(&bytes), length);
    Ok(bytes)
}

fn len(bytes: &[u8]) -> u64 {
    bytes.len().try_into().unwrap()
}

fn read(source: impl Read) -> Result<Tree, TreeError> {
    let mut reader = TreeReader::new(source);
    let mut tree = Tree::new();
    while let Some(entry) = reader.next_entry()? {
        let thing = match entry.kind {
            EntryKind::Folder => Thing::Folder,
            EntryKind::Link { target } => Thing::Link(target.as_str().to_owned()),
            EntryKind::File { mode, .. } => {
                let (mut bytes, mut buffer) = (Vec::new(), [0; 100]);
                loop {
                    let count = reader.read_content(&mut buffer)?;
                    if count == 0 {
                        break;
                    }
                    bytes.extend_from_slice(&buffer[..count]);
                }
                Thing::File(mode, bytes)
            }
        };
        tree.insert(entry.path.as_str().to_owned(), thing);
    }
    Ok(tree)
}

/// Gives one byte at a time, to show that nothing depends on how bytes arrive.
struct Drip<'a>(&'a [u8]);

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let one = buffer.len().min(1);
        self.0.read(&mut buffer[..one])
    }
}

fn thing() -> impl Strategy<Value = Thing> {
    prop_oneof![
        2 => Just(Thing::Folder),
        4 => (any::<bool>(), prop::collection::vec(any::<u8>(), 0..1400)).prop_map(|(x, bytes)| {
            Thing::File(if x { FileMode::Executable } else { FileMode::Plain }, bytes)
        }),
        1 => "[a-z]{1,8}(/[a-z]{1,120}){0,2}".prop_map(Thing::Link),
        1 => Just(Thing::Link("ポンプ".into())),
    ]
}

/// Random things; those whose parent is no folder are dropped.
fn tree() -> impl Strategy<Value = Tree> {
    let name = prop_oneof![
        4 => "[a-c][!-.0-9a-z]{0,3}",
        1 => "[あ-ん]{1,30}",
        1 => "[a-z]{60,140}",
    ];
    let path = prop::collection::vec(name, 1..5).prop_map(|parts| parts.join("/"));
    prop::collection::btree_map(path, thing(), 0..24).prop_map(|things| {
        let mut tree = Tree::new();
        for (path, thing) in things {
            let mut parents = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
            let inside =
                parents.all(|parent| *tree.entry(parent).or_insert(Thing::Folder) == Thing::Folder);
            if inside {
                tree.entry(path).or_insert(thing);
            }
        }
        tree
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_however_it_arrives(tree in tree()) {
        let bytes = write(&tree).unwrap();
        prop_assert_eq!(read(bytes.as_slice()).unwrap(), tree.clone());
        prop_assert_eq!(read(Drip(&bytes)).unwrap(), tree);
    }

    #[test]
    fn one_changed_byte_is_refused_or_is_the_one_spelling_of_another_tree(
        tree in tree(),
        place in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let mut bytes = write(&tree).unwrap();
        *place.get_mut(&mut bytes) ^= flip;
        if let Ok(other) = read(bytes.as_slice()) {
            prop_assert_eq!(write(&other).unwrap(), bytes);
        }
    }

    #[test]
    fn a_cut_archive_is_refused(tree in tree(), place in any::<prop::sample::Index>()) {
        let bytes = write(&tree).unwrap();
        let cut = place.index(bytes.len());
        prop_assert!(read(&bytes[..cut]).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(read(bytes.as_slice()).is_err());
    }
}

fn sample() -> Tree {
    let file = |mode, bytes: &[u8]| Thing::File(mode, bytes.to_vec());
    Tree::from([
        ("bin".into(), Thing::Folder),
        ("bin/pump".into(), file(FileMode::Executable, b"#!/bin/sh\n")),
        ("lib".into(), Thing::Folder),
        ("lib/pump.so".into(), Thing::Link("pump.so.2".into())),
        ("lib/pump.so.2".into(), file(FileMode::Plain, &[7; 1000])),
        ("lib-x".into(), Thing::Folder),
        ("取扱説明書".into(), file(FileMode::Plain, b"")),
    ])
}

#[test]
fn the_spelling_of_a_tree_never_changes() {
    // GNU tar and Python's tarfile unpack these bytes; a change here is a new format.
    let bytes = write(&sample()).unwrap();
    assert_eq!(bytes.len(), 7168);
    assert_eq!(
        Sha256Digest::of(&bytes).to_string(),
        "0bfacccc49bea3b44f63be4cb4f23260183e2cb3d855e0330a002064d79b75db"
    );
}

#[test]
fn each_single_byte_of_every_header_counts() {
    let bytes = write(&sample()).unwrap();
    for place in 0..512 {
        for flip in [1, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[place] ^= flip;
            assert!(read(changed.as_slice()).is_err(), "byte {place} ^ {flip}");
        }
    }
}

/// A header as other programs write it, with the checksum right.
fn foreign(name: &str, kind: u8, mode: &str, size: u64, link: &str) -> Vec<u8> {
    let mut block = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, mode.as_bytes());
    put(108, b"0000000\x000000000\0");
    put(124, format!("{size:011o}\x0000000000000\0        ").as_bytes());
    put(156, &[kind]);
    put(157, link.as_bytes());
    put(257, b"ustar\x0000");
    put(329, b"0000000\x000000000\0");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn archive(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = blocks.concat();
    bytes.extend([0; 1024]);
    bytes
}

#[test]
fn the_helper_of_these_tests_writes_what_the_writer_writes() {
    let bytes = archive(&[foreign("a/", b'5', "0000755", 0, "")]);
    assert_eq!(read(bytes.as_slice()).unwrap(), Tree::from([("a".into(), Thing::Folder)]));
}

#[test]
fn hostile_archives_are_refused() {
    let file = |name: &str| foreign(name, b'0', "0000644", 0, "");
    let folder = |name: &str| foreign(name, b'5', "0000755", 0, "");
    let link = |name: &str, target: &str| foreign(name, b'2', "0000755", 0, target);
    let pax = |text: &str| {
        let mut block = foreign("././@PaxHeader", b'x', "0000644", len(text.as_bytes()), "");
        block.extend(text.as_bytes());
        block.resize(block.len().next_multiple_of(512), 0);
        block
    };
    let corpus: Vec<(&str, Vec<u8>)> = vec![
        ("absolute path", archive(&[file("/etc/passwd")])),
        ("path that climbs", archive(&[file("../evil")])),
        ("path that climbs inside", archive(&[folder("a/"), file("a/../../evil")])),
        ("dot path", archive(&[file("./a")])),
        ("empty path", archive(&[file("")])),
        ("folder without slash", archive(&[folder("a")])),
        ("file with slash", archive(&[file("a/")])),
        ("newline in a name", archive(&[file("a\nb")])),
        ("bidi override", archive(&[pax("17 path=a\u{202e}b\n"), file("a___b")])),
        ("link to the root", archive(&[link("a", "/")])),
        ("link that climbs", archive(&[link("a", "..")])),
        ("link that climbs later", archive(&[folder("d/"), link("d/a", "b/../../..")])),
        ("empty link", archive(&[link("a", "")])),
        ("file through a link", archive(&[link("a", "b"), file("a/x")])),
        ("file through a file", archive(&[file("a"), file("a/x")])),
        ("no parent", archive(&[file("a/x")])),
        ("wrong order", archive(&[file("b"), file("a")])),
        ("twice the same path", archive(&[file("a"), file("a")])),
        ("twice, as folder and file", archive(&[file("a"), folder("a/")])),
        ("hard link", archive(&[file("a"), foreign("b", b'1', "0000644", 0, "a")])),
        ("device node", archive(&[foreign("a", b'3', "0000644", 0, "")])),
        ("fifo", archive(&[foreign("a", b'6', "0000644", 0, "")])),
        ("setuid", archive(&[foreign("a", b'0', "0004755", 0, "")])),
        ("writable by all", archive(&[foreign("a", b'0', "0000666", 0, "")])),
        ("old file type", archive(&[foreign("a", 0, "0000644", 0, "")])),
        ("global pax", archive(&[foreign("g", b'g', "0000644", 0, ""), file("a")])),
        ("gnu long name", archive(&[foreign("././@LongLink", b'L', "0000644", 0, ""), file("a")])),
        ("pax where none is needed", archive(&[pax("10 path=a\n"), file("a")])),
        ("pax with another key", archive(&[pax("13 mtime=1.5\n"), file("a")])),
        ("pax after pax", archive(&[pax("10 path=a\n"), pax("10 path=b\n"), file("a")])),
        ("pax whose length lies", archive(&[pax("99 path=a\n"), file("a")])),
        ("pax of a length before its own end", archive(&[pax("1 path=a\n"), file("a")])),
        ("pax without a header", archive(&[pax("10 path=a\n")])),
        ("huge pax", archive(&[foreign("././@PaxHeader", b'x', "0000644", 1 << 30, "")])),
        ("folder with content", archive(&[foreign("a/", b'5', "0000755", 5, "")])),
        ("file bomb", archive(&[foreign("a", b'0', "0000644", 8_589_934_591, "")])),
        ("one block of zeros", vec![0; 512]),
        ("bytes after the end", [archive(&[]), vec![0]].concat()),
        ("padding to ten KiB as tar does it", [archive(&[]), vec![0; 9216]].concat()),
        ("no bytes", Vec::new()),
    ];
    for (what, bytes) in corpus {
        match read(bytes.as_slice()) {
            Err(error) => assert!(!error.is_io(), "{what}: {error}"),
            Ok(tree) => panic!("{what} was accepted: {tree:?}"),
        }
    }
}

#[test]
fn a_refused_archive_gives_nothing_more() {
    let good = foreign("a/", b'5', "0000755", 0, "");
    let bytes = archive(&[foreign("/", b'5', "0000755", 0, ""), good]);
    let mut reader = TreeReader::new(bytes.as_slice());
    assert!(reader.next_entry().is_err());
    assert!(reader.next_entry().is_err());
}

#[test]
fn too_many_entries_are_refused_on_both_sides() {
    let mut writer = TreeWriter::new(std::io::sink());
    let path = |n: u64| TreePath::new(&format!("{n:07}")).unwrap();
    (0..TREE_ENTRIES_MAX).try_for_each(|n| writer.dir(&path(n))).unwrap();
    let full = writer.dir(&path(TREE_ENTRIES_MAX));
    assert!(matches!(full, Err(TreeError::TooMany { what: "entries", .. })));
}

#[test]
fn a_file_that_grows_or_shrinks_while_it_is_read_is_an_error() {
    for size_bytes in [2, 4] {
        let mut writer = TreeWriter::new(Vec::new());
        let path = TreePath::new("a").unwrap();
        let written = writer.file(&path, FileMode::Plain, size_bytes, &mut &b"abc"[..]);
        assert!(matches!(written, Err(TreeError::Changed { .. })));
    }
}
