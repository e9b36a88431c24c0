//! The file of an export: a zip archive without compression, with exactly one spelling.
//!
//! No dates, no attributes, no comments; so the bytes follow from names and contents, and reading
//! checks that they do: what some zip program would see differently from another is refused. Any
//! zip program opens it. Not here: which files there are.
//! Invariant: `read(write(files)) == files`, and no other bytes are read.

use std::collections::BTreeSet;

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
/// Version needed: 2.0. Names are UTF-8 (flag bit 11). 1 January 1980.
const FIXED: [u16; 5] = [20, 0x0800, 0, 0, 0x0021];

/// One file: name and bytes.
pub type File = (String, Vec<u8>);

/// Why there is no archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadArchive {
    /// More than an archive of this form can hold.
    #[error("more than 65535 files or 4 GiB")]
    TooLarge,
    /// Not the one spelling.
    #[error("no archive as `record export` writes it (was it packed again?)")]
    Form,
    /// A name twice.
    #[error("a name stands twice in the archive")]
    Twice,
}

/// Writes an archive.
///
/// # Errors
/// [`BadArchive::TooLarge`].
pub fn write(files: &[File]) -> Result<Vec<u8>, BadArchive> {
    let (mut bytes, mut central) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let offset = length(bytes.len())?;
        let head = head(name, content)?;
        bytes.extend_from_slice(&LOCAL.to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(content);
        central.extend_from_slice(&CENTRAL.to_le_bytes());
        central.extend_from_slice(&FIXED[0].to_le_bytes());
        central.extend_from_slice(&head);
        // No comment, one disk, no attributes.
        central.extend_from_slice(&[0; 10]);
        central.extend_from_slice(&offset.to_le_bytes());
        central.extend_from_slice(name.as_bytes());
    }
    let count = u16::try_from(files.len()).map_err(|_| BadArchive::TooLarge)?;
    let (start, size) = (length(bytes.len())?, length(central.len())?);
    bytes.extend_from_slice(&central);
    bytes.extend_from_slice(&END.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&start.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    Ok(bytes)
}

/// Reads an archive.
///
/// # Errors
/// [`BadArchive`].
pub fn read(bytes: &[u8]) -> Result<Vec<File>, BadArchive> {
    let mut files = Vec::new();
    let mut rest = bytes;
    while let Some(after) = rest.strip_prefix(&LOCAL.to_le_bytes()) {
        let (file, left) = local(after).ok_or(BadArchive::Form)?;
        files.push(file);
        rest = left;
    }
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() != files.len() {
        return Err(BadArchive::Twice);
    }
    // Writing again shows every byte that was not looked at.
    if write(&files)? == bytes { Ok(files) } else { Err(BadArchive::Form) }
}

/// What local header and central directory have in common.
fn head(name: &str, content: &[u8]) -> Result<Vec<u8>, BadArchive> {
    let size = length(content.len())?;
    let name_length = u16::try_from(name.len()).map_err(|_| BadArchive::TooLarge)?;
    let mut head: Vec<u8> = FIXED.iter().flat_map(|word| word.to_le_bytes()).collect();
    head.extend_from_slice(&crc32(content).to_le_bytes());
    head.extend_from_slice(&size.to_le_bytes());
    head.extend_from_slice(&size.to_le_bytes());
    head.extend_from_slice(&name_length.to_le_bytes());
    head.extend_from_slice(&[0; 2]);
    Ok(head)
}

fn local(bytes: &[u8]) -> Option<(File, &[u8])> {
    let (head, rest) = bytes.split_at_checked(26)?;
    let size = u32::from_le_bytes(head.get(18..22)?.try_into().ok()?);
    let name_length = u16::from_le_bytes(head.get(22..24)?.try_into().ok()?);
    let (name, rest) = rest.split_at_checked(usize::from(name_length))?;
    let (content, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    Some(((name, content.to_vec()), rest))
}

fn length(length: usize) -> Result<u32, BadArchive> {
    u32::try_from(length).map_err(|_| BadArchive::TooLarge)
}

/// CRC-32 as zip has it (ISO 3309), a byte at a time.
fn crc32(bytes: &[u8]) -> u32 {
    let bit = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
    let of_byte: [u32; 256] =
        std::array::from_fn(|byte| (0..8).fold(u32::try_from(byte).unwrap_or_default(), bit));
    let step = |sum: u32, byte: &u8| {
        let [low, ..] = sum.to_le_bytes();
        of_byte.get(usize::from(low ^ byte)).copied().unwrap_or_default() ^ (sum >> 8)
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<File> {
        vec![
            ("a.txt".to_owned(), b"123456789".to_vec()),
            ("tile/0/000".to_owned(), vec![0; 300]),
            ("empty".to_owned(), Vec::new()),
        ]
    }

    #[test]
    fn files_are_read_back_and_every_other_byte_is_refused() {
        let bytes = write(&files()).unwrap();
        assert_eq!(read(&bytes).unwrap(), files());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_ne!(read(&changed).ok(), Some(files()), "byte {at}");
        }
        assert_eq!(read(&bytes[..bytes.len() - 1]), Err(BadArchive::Form));
        assert_eq!(read(&[bytes.as_slice(), b"x"].concat()), Err(BadArchive::Form));
        assert_eq!(read(b""), Err(BadArchive::Form));
    }

    #[test]
    fn a_name_that_stands_twice_is_refused() {
        let file = files()[0].clone();
        let bytes = write(&[file.clone(), file]).unwrap();
        assert_eq!(read(&bytes), Err(BadArchive::Twice));
    }

    #[test]
    fn the_check_sum_is_that_of_zip() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
