//! Tiles of height 8: how a log is read over HTTP (C2SP tlog-tiles).
//!
//! A hash tile holds up to 256 hashes of one level; an entry bundle holds up to 256 entries, each
//! after its length in two bytes. A tile with 256 is full and never changes; a partial one is named
//! with its width. Not here: which bytes an entry has.
//! Invariant: a path that reads as a tile is the one spelling of that tile.

use super::Node;
use super::edge::Edge;
use crate::digest::Sha256Digest;
use std::fmt;
use std::str::FromStr;

/// Hashes or entries in a full tile.
pub const FULL: u64 = 256;
/// Levels of nodes that one tile spans.
const HEIGHT: u32 = 8;
/// The highest level of tiles that a tree of 2^63 leaves has.
const LEVEL_MAX: u32 = 7;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holds {
    /// The hashes of nodes at 8 times this level.
    Hashes {
        /// 0 for the hashes of leaves.
        level: u32,
    },
    /// The entries themselves.
    Entries,
}

/// One tile. Text form: `tile/0/x001/067`, `tile/1/000.p/4`, `tile/entries/000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    holds: Holds,
    index: u64,
    width: u64,
}

/// The text names no tile, or spells it in another way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no tile: write it as tile/L/N or tile/entries/N, with .p/W for a partial one (C2SP tlog-tiles)"
)]
pub struct BadTile;

/// The bytes are no tile of this width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTileBytes {
    /// Too few or too many bytes.
    #[error("the tile does not have the length that its width asks for")]
    Length,
    /// An entry is longer than a bundle can say.
    #[error("an entry is longer than 65535 bytes")]
    EntryTooLong,
}

impl Tile {
    /// A tile; nothing for a width outside 1..=256 or a level that no tree has.
    #[must_use]
    pub const fn new(holds: Holds, index: u64, width: u64) -> Option<Self> {
        let level = match holds {
            Holds::Hashes { level } => level,
            Holds::Entries => 0,
        };
        if width == 0 || width > FULL || level > LEVEL_MAX || index > u64::MAX / FULL - 1 {
            return None;
        }
        Some(Self { holds, index, width })
    }

    /// What it holds.
    #[must_use]
    pub const fn holds(&self) -> Holds {
        self.holds
    }

    /// Its position among the tiles of its level, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds.
    #[must_use]
    pub const fn width(&self) -> u64 {
        self.width
    }

    /// The first entry or node of its level that it holds.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.index.saturating_mul(FULL)
    }

    /// The nodes whose hashes it holds, in order; none for entries.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + use<> {
        let (first, width) = (self.first(), self.width);
        let level = match self.holds {
            Holds::Hashes { level } => Some(level.saturating_mul(HEIGHT)),
            Holds::Entries => None,
        };
        level.into_iter().flat_map(move |level| {
            (first..first.saturating_add(width)).map(move |index| Node { level, index })
        })
    }

    /// The hash tile from which a node of a tree of this size is read, as wide as it is there.
    #[must_use]
    pub fn having(node: Node, size: u64) -> Option<Self> {
        let (level, above) = (node.level / HEIGHT, node.level % HEIGHT);
        let index = node.index.checked_shl(above)? / FULL;
        let count = size.checked_shr(level.checked_mul(HEIGHT)?)?;
        let width = count.checked_sub(index.checked_mul(FULL)?)?.min(FULL);
        Self::new(Holds::Hashes { level }, index, width)
    }

    /// The hash of a node, from the hashes of the tile that has it.
    #[must_use]
    pub fn hash_of(&self, node: Node, hashes: &[Sha256Digest]) -> Option<Sha256Digest> {
        let above = node.level % HEIGHT;
        let first = node.index.checked_shl(above)?.checked_sub(self.first())?;
        let end = first.checked_add(1 << above)?;
        let range = usize::try_from(first).ok()?..usize::try_from(end).ok()?;
        let mut edge = Edge::empty();
        for hash in hashes.get(range)? {
            edge.append(*hash);
        }
        Some(edge.root())
    }

    /// Whether a tree of this size has all that the tile holds.
    #[must_use]
    pub const fn is_within(&self, size: u64) -> bool {
        let level = match self.holds {
            Holds::Hashes { level } => level,
            Holds::Entries => 0,
        };
        let count = match size.checked_shr(level.saturating_mul(HEIGHT)) {
            Some(count) => count,
            None => 0,
        };
        self.first().saturating_add(self.width) <= count
    }

    /// Every tile of a tree of this size, the partial ones as wide as they are: entries first, then
    /// hashes from below. One after the other, because a size that was only claimed may be huge.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let levels = (0..=LEVEL_MAX).flat_map(move |level| {
            let count = size.checked_shr(level.saturating_mul(HEIGHT)).unwrap_or(0);
            of_level(Holds::Hashes { level }, count)
        });
        of_level(Holds::Entries, size).chain(levels)
    }

    /// The tiles with the hashes of the leaves.
    pub fn leaves(size: u64) -> impl Iterator<Item = Self> {
        of_level(Holds::Hashes { level: 0 }, size)
    }

    /// The hashes in a hash tile's bytes.
    ///
    /// # Errors
    /// [`BadTileBytes::Length`].
    pub fn read_hashes(&self, bytes: &[u8]) -> Result<Vec<Sha256Digest>, BadTileBytes> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let fits = usize::try_from(self.width).is_ok_and(|width| width == hashes.len());
        if !fits || !rest.is_empty() {
            return Err(BadTileBytes::Length);
        }
        Ok(hashes.iter().copied().map(Sha256Digest::from_bytes).collect())
    }

    /// The entries in a bundle's bytes.
    ///
    /// # Errors
    /// [`BadTileBytes::Length`].
    pub fn read_entries<'a>(&self, mut bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, BadTileBytes> {
        let mut entries = Vec::new();
        for _ in 0..self.width {
            let (length, rest) = bytes.split_first_chunk::<2>().ok_or(BadTileBytes::Length)?;
            let length = usize::from(u16::from_be_bytes(*length));
            let (entry, rest) = rest.split_at_checked(length).ok_or(BadTileBytes::Length)?;
            entries.push(entry);
            bytes = rest;
        }
        if bytes.is_empty() { Ok(entries) } else { Err(BadTileBytes::Length) }
    }
}

fn of_level(holds: Holds, count: u64) -> impl Iterator<Item = Tile> {
    let full = (0..count / FULL).filter_map(move |index| Tile::new(holds, index, FULL));
    full.chain(Tile::new(holds, count / FULL, count % FULL))
}

/// The bytes of a hash tile.
#[must_use]
pub fn write_hashes(hashes: &[Sha256Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.as_bytes().iter().copied()).collect()
}

/// The bytes of an entry bundle.
///
/// # Errors
/// [`BadTileBytes::EntryTooLong`].
pub fn write_entries<'a>(
    entries: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, BadTileBytes> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| BadTileBytes::EntryTooLong)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.holds {
            Holds::Hashes { level } => write!(f, "tile/{level}/")?,
            Holds::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        f.write_str(&groups.join("/"))?;
        if self.width == FULL { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for Tile {
    type Err = BadTile;

    fn from_str(text: &str) -> Result<Self, BadTile> {
        let tile = read_path(text).ok_or(BadTile)?;
        // One spelling only: leading zeros, signs and wrong groups come out differently.
        if tile.to_string() == text { Ok(tile) } else { Err(BadTile) }
    }
}

fn read_path(text: &str) -> Option<Tile> {
    let (kind, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let holds = match kind {
        "entries" => Holds::Entries,
        level => Holds::Hashes { level: level.parse().ok()? },
    };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok().filter(|width| *width < FULL)?),
        None => (rest, FULL),
    };
    let mut number = 0_u64;
    for group in index.split('/') {
        let group: u64 = group.trim_start_matches('x').parse().ok()?;
        number = number.checked_mul(1000)?.checked_add(group)?;
    }
    Tile::new(holds, number, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_has_one_spelling() {
        for text in [
            "tile/0/000",
            "tile/0/x001/x234/067",
            "tile/3/005.p/255",
            "tile/entries/000.p/1",
            "tile/entries/x012/345",
        ] {
            assert_eq!(text.parse::<Tile>().unwrap().to_string(), text);
        }
        for bad in [
            "tile/0/0",
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/00/000",
            "tile/8/000",
            "tile/0/x000/001",
            "tile/0/001/001",
            "tile/0/+01",
            "tile/entries/x1/001",
            "tile/0/000/",
            "tile/x/000",
            "0/000",
            "",
        ] {
            assert!(bad.parse::<Tile>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tree_has_just_the_tiles_that_its_size_asks_for() {
        let names = |size| Tile::all(size).map(|tile| tile.to_string()).collect::<Vec<_>>();
        assert_eq!(names(0), Vec::<String>::new());
        assert_eq!(names(1), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(names(256), ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
        let more = names(70_000);
        assert!(
            more.contains(&"tile/1/001.p/17".to_owned())
                && more.contains(&"tile/2/000.p/1".to_owned())
        );
        for tile in Tile::all(70_000) {
            assert!(tile.is_within(70_000) && tile.to_string().parse() == Ok(tile));
        }
        assert_eq!(Tile::all(u64::MAX).take(3).count(), 3, "a huge size costs nothing");
        assert!(!"tile/0/000".parse::<Tile>().unwrap().is_within(255));
    }

    #[test]
    fn entries_are_read_back_and_a_byte_too_many_is_noticed() {
        let tile: Tile = "tile/entries/000.p/2".parse().unwrap();
        let mut bytes = write_entries([b"one".as_slice(), b""]).unwrap();
        assert_eq!(tile.read_entries(&bytes).unwrap(), [b"one".as_slice(), b""]);
        bytes.push(0);
        assert_eq!(tile.read_entries(&bytes), Err(BadTileBytes::Length));
        assert_eq!(tile.read_entries(&bytes[..4]), Err(BadTileBytes::Length));
        assert!(write_entries([vec![0; 65_536].as_slice()]).is_err());
    }
}
