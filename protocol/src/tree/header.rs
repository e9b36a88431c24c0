//! The bytes before an entry's content: a ustar header, with a pax record where it must be.
//!
//! [`encode`] is the one spelling; [`decode`] reads leniently, because the reader encodes what it
//! read and compares. Invariant: `encode` depends on nothing but the entry.

use super::{EntryKind, FileMode, LinkTarget, TreeEntry, TreeError, TreePath};

/// Bytes of a tar block.
pub(super) const BLOCK: usize = 512;
/// Most bytes of pax records before one entry: path, link target and size.
pub(super) const PAX_BYTES_MAX: u64 = 4096;

const NAME_BYTES: usize = 100;
const OCTAL_SIZE_MAX: u64 = 0o777_7777_7777;
const PAX_NAME: &[u8] = b"././@PaxHeader";

const FOLDER: u8 = b'5';
const FILE: u8 = b'0';
const LINK: u8 = b'2';
pub(super) const PAX: u8 = b'x';

/// What pax records say.
#[derive(Debug, Default)]
pub(super) struct Records {
    path: Option<String>,
    linkpath: Option<String>,
    size: Option<u64>,
}

/// The fields of a plain header that are looked at.
pub(super) struct Fields<'a> {
    name: &'a [u8],
    mode: &'a [u8],
    size: &'a [u8],
    kind: u8,
    link: &'a [u8],
}

/// The header bytes of an entry, a whole number of blocks.
pub(super) fn encode(entry: &TreeEntry) -> Vec<u8> {
    let (kind, mode, size, link) = match &entry.kind {
        EntryKind::Folder => (FOLDER, 0o755, 0, ""),
        EntryKind::File { mode, size_bytes } => (FILE, mode.bits(), *size_bytes, ""),
        EntryKind::Link { target } => (LINK, 0o755, 0, target.as_str()),
    };
    let mut name = entry.path.as_str().to_owned();
    if kind == FOLDER {
        name.push('/');
    }
    let mut records = Vec::new();
    if !fits(&name) {
        push_record(&mut records, "path", &name);
    }
    if !fits(link) {
        push_record(&mut records, "linkpath", link);
    }
    let field_size = if size > OCTAL_SIZE_MAX {
        push_record(&mut records, "size", &size.to_string());
        0
    } else {
        size
    };
    let mut bytes = Vec::with_capacity(BLOCK);
    if !records.is_empty() {
        let length = u64::try_from(records.len()).unwrap_or(u64::MAX);
        bytes.extend(header(PAX_NAME, 0o644, length, PAX, b""));
        bytes.append(&mut records);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes.extend(header(&plain(&name), mode, field_size, kind, &plain(link)));
    bytes
}

/// Reads a plain header; `None` when fields have no such form.
pub(super) fn fields(block: &[u8; BLOCK]) -> Option<Fields<'_>> {
    Some(Fields {
        name: text(block.get(..NAME_BYTES)?),
        mode: block.get(100..108)?,
        size: block.get(124..136)?,
        kind: *block.get(156)?,
        link: text(block.get(157..157 + NAME_BYTES)?),
    })
}

impl Fields<'_> {
    pub(super) const fn is_pax(&self) -> bool {
        self.kind == PAX
    }

    /// The size field in bytes.
    pub(super) fn size_bytes(&self) -> Option<u64> {
        octal(self.size)
    }
}

/// Reads an entry out of a plain header and the records before it.
pub(super) fn decode(
    fields: &Fields<'_>,
    records: &Records,
    at_byte: u64,
) -> Result<TreeEntry, TreeError> {
    let malformed = |rule| TreeError::Malformed { at_byte, rule };
    let utf8 = |bytes| str::from_utf8(bytes).map_err(|_| malformed("names are UTF-8"));
    let name = match &records.path {
        Some(path) => path,
        None => utf8(fields.name)?,
    };
    let size = records.size.or_else(|| fields.size_bytes());
    let size_bytes = size.ok_or(malformed("the size is octal digits"))?;
    if fields.kind == FOLDER {
        let name = name.strip_suffix('/').ok_or(malformed("a folder's path ends with '/'"))?;
        return Ok(TreeEntry { path: TreePath::new(name)?, kind: EntryKind::Folder });
    }
    let path = TreePath::new(name)?;
    let kind = match fields.kind {
        FILE => {
            let bits = octal(fields.mode).and_then(|bits| u32::try_from(bits).ok());
            let mode = FileMode::from_bits(bits.ok_or(malformed("the mode is octal digits"))?);
            EntryKind::File { mode, size_bytes }
        }
        LINK => {
            let target = match &records.linkpath {
                Some(target) => target,
                None => utf8(fields.link)?,
            };
            EntryKind::Link { target: LinkTarget::new(&path, target)? }
        }
        _ => return Err(malformed("only folders, files and symbolic links")),
    };
    Ok(TreeEntry { path, kind })
}

/// Reads pax records; `None` for anything but `path`, `linkpath` and `size`.
pub(super) fn records(mut bytes: &[u8]) -> Option<Records> {
    let mut found = Records::default();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|byte| *byte == b' ')?;
        let length: usize = str::from_utf8(bytes.get(..space)?).ok()?.parse().ok()?;
        let record = str::from_utf8(bytes.get(space + 1..length)?).ok()?.strip_suffix('\n')?;
        let (key, value) = record.split_once('=')?;
        match key {
            "path" => found.path = Some(value.to_owned()),
            "linkpath" => found.linkpath = Some(value.to_owned()),
            "size" => found.size = Some(value.parse().ok()?),
            _ => return None,
        }
        bytes = bytes.get(length..)?;
    }
    Some(found)
}

/// Whether the plain header can say it.
fn fits(name: &str) -> bool {
    name.len() <= NAME_BYTES && name.is_ascii()
}

/// What the plain header says in place of a name that does not fit; readers use the record.
fn plain(name: &str) -> Vec<u8> {
    let ascii = |byte: u8| if byte.is_ascii() { byte } else { b'_' };
    name.bytes().take(NAME_BYTES).map(ascii).collect()
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself (POSIX.1-2001, pax).
fn push_record(records: &mut Vec<u8>, key: &str, value: &str) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
}

/// One ustar header block.
fn header(name: &[u8], mode: u32, size: u64, kind: u8, link: &[u8]) -> Vec<u8> {
    let build = |checksum: &str| {
        let mut block = Vec::with_capacity(BLOCK);
        let mut field = |bytes: &[u8], width: usize| {
            let end = block.len() + width;
            block.extend(bytes.iter().take(width));
            block.resize(end, 0);
        };
        field(name, NAME_BYTES);
        field(format!("{mode:07o}").as_bytes(), 8);
        field(b"0000000", 8);
        field(b"0000000", 8);
        field(format!("{size:011o}").as_bytes(), 12);
        field(b"00000000000", 12);
        field(checksum.as_bytes(), 8);
        field(&[kind], 1);
        field(link, NAME_BYTES);
        field(b"ustar\x0000", 8);
        field(b"", 64);
        field(b"0000000", 8);
        field(b"0000000", 8);
        field(b"", 155 + 12);
        block
    };
    let sum: u32 = build("        ").iter().map(|byte| u32::from(*byte)).sum();
    build(&format!("{sum:06o}\0 "))
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn octal(field: &[u8]) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(text(field)).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, size_bytes: u64) -> TreeEntry {
        let kind = EntryKind::File { mode: FileMode::Plain, size_bytes };
        TreeEntry { path: TreePath::new(path).unwrap(), kind }
    }

    #[test]
    fn a_short_ascii_path_needs_one_block_and_no_record() {
        assert_eq!(encode(&entry(&"p".repeat(100), OCTAL_SIZE_MAX)).len(), BLOCK);
    }

    #[test]
    fn long_paths_other_scripts_and_large_files_get_a_record() {
        for entry in
            [entry(&"p".repeat(101), 0), entry("ポンプ", 0), entry("p", OCTAL_SIZE_MAX + 1)]
        {
            assert_eq!(encode(&entry).len(), 3 * BLOCK);
        }
    }

    #[test]
    fn a_record_counts_its_own_length() {
        for length in 1..2000 {
            let mut bytes = Vec::new();
            push_record(&mut bytes, "path", &"p".repeat(length));
            let said: usize =
                str::from_utf8(&bytes).unwrap().split(' ').next().unwrap().parse().unwrap();
            assert_eq!(said, bytes.len());
            assert_eq!(records(&bytes).unwrap().path.unwrap().len(), length);
        }
    }
}
