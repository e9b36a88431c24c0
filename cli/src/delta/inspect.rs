//! `delta inspect`: what a container says of itself, after its header and table were checked.
//!
//! Nothing is unpacked. Not here: whether it gives the image ([`super::apply`]).
//! Invariant: a file that breaks a rule of header or table is refused, never half shown.

use super::failure;
use crate::disk;
use crate::error::Outcome;
use crate::here::{Here, Language};
use crate::progress::size;
use crate::said::Said;
use patchward_protocol::delta::apply::{ApplyError, Entries};
use patchward_protocol::delta::format::{Frame, FrameKind, Head, Whole};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Arguments of `delta inspect`.
#[derive(Debug, clap::Args)]
pub struct Inspect {
    /// The container
    pub file: PathBuf,
    /// Show every window
    #[arg(long)]
    pub frames: bool,
}

/// Windows of one kind together.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    windows: u32,
    /// In bytes.
    image: u64,
    /// In bytes.
    payload: u64,
}

/// `delta inspect`.
///
/// # Errors
/// A code for each rule of header and table; failures of reading.
pub(super) fn inspect(here: &Here, args: &Inspect) -> Outcome<Said> {
    let path = args.file.as_path();
    let mut file = disk::open(path)?;
    let (head, frames) = read(&mut file).map_err(|error| failure::apply(path, &error))?;
    let (length, sha256) = disk::digest(here, path)?;
    let declared = head.header.file_len();
    if length != declared {
        let error = ApplyError::Length { found: length, declared };
        return Err(failure::apply(path, &error));
    }
    let mut sums = [Sum::default(); FrameKind::ALL.len()];
    for frame in &frames {
        for (kind, sum) in FrameKind::ALL.into_iter().zip(&mut sums) {
            if kind == frame.kind {
                sum.windows = sum.windows.saturating_add(1);
                sum.image = sum.image.saturating_add(u64::from(frame.raw_len));
                sum.payload = sum.payload.saturating_add(u64::from(frame.comp_len));
            }
        }
    }
    let header = &head.header;
    let image = |image: Whole| json!({"length": image.length, "sha256": image.sha256});
    let kinds: Map<_, _> = each(&sums)
        .map(|(kind, sum)| {
            let value = json!({
                "windows": sum.windows, "image_bytes": sum.image, "payload_bytes": sum.payload,
            });
            (kind.name().to_owned(), value)
        })
        .collect();
    let listed = args.frames.then(|| {
        frames.iter().enumerate().map(|(index, frame)| frame_value(index, frame)).collect()
    });
    let mut value = json!({
        "file": path, "length": length, "sha256": sha256, "full": header.old.is_none(),
        "old": header.old.map(image), "new": image(header.new), "table_sha256": head.sha256,
        "window": header.window, "windows": header.frames,
        "memory_bytes": header.memory_bytes(), "payload_bytes": header.payload_len,
        "kinds": kinds,
    });
    if let (Some(object), Some(listed)) = (value.as_object_mut(), listed) {
        object.insert("frames".to_owned(), Value::Array(listed));
    }
    let mut lines = words(here.language, path, length, &head);
    lines.push(format!("sha256 {sha256}"));
    lines.push(format!("table_sha256 {}", head.sha256));
    lines.extend(table(here.language, &sums));
    if args.frames {
        lines.extend(frames.iter().enumerate().map(|(index, frame)| frame_line(index, frame)));
    }
    Ok(Said::new(value).lines(lines))
}

fn each(sums: &[Sum]) -> impl Iterator<Item = (FrameKind, &Sum)> {
    FrameKind::ALL.into_iter().zip(sums)
}

/// Header and table, every rule checked.
fn read(file: &mut File) -> Result<(Head, Vec<Frame>), ApplyError> {
    let mut entries = Entries::of(file)?;
    let mut frames = Vec::new();
    while let Some(frame) = entries.next(file)? {
        frames.push(frame);
    }
    let sha256 = entries.sha256();
    Ok((entries.finish(sha256)?, frames))
}

fn words(language: Language, path: &Path, length: u64, head: &Head) -> Vec<String> {
    let header = &head.header;
    let word = |en, ja| language.pick(en, ja);
    let what = match header.old {
        Some(_) => word("delta", "差分"),
        None => word("full container", "全体コンテナー"),
    };
    let image = |name: &str, image: Whole| {
        format!("{name} {} ({} bytes) sha256 {}", size(image.length), image.length, image.sha256)
    };
    let mut lines = vec![format!("{}: {what}, {} ({length} bytes)", path.display(), size(length))];
    lines.extend(header.old.map(|old| image(word("from", "元:"), old)));
    lines.push(image(word("to", "新:"), header.new));
    lines.push(match language {
        Language::En => format!(
            "{} windows of {} bytes; unpacking takes {} bytes of memory",
            header.frames,
            header.window,
            header.memory_bytes()
        ),
        Language::Ja => format!(
            "{} 区画(各 {} バイト)。展開に要するメモリー {} バイト",
            header.frames,
            header.window,
            header.memory_bytes()
        ),
    });
    lines
}

fn table(language: Language, sums: &[Sum]) -> Vec<String> {
    let head = language.pick(
        "kind    windows    bytes of image    bytes in file",
        "種類       区画    イメージ内バイト    ファイル内バイト",
    );
    let row = |(kind, sum): (FrameKind, &Sum)| {
        format!("{:<7} {:>7} {:>17} {:>16}", kind.name(), sum.windows, sum.image, sum.payload)
    };
    let used = each(sums).filter(|(_, sum)| sum.windows > 0);
    std::iter::once(head.to_owned()).chain(used.map(row)).collect()
}

fn frame_value(index: usize, frame: &Frame) -> Value {
    json!({
        "index": index, "kind": frame.kind.name(), "image_bytes": frame.raw_len,
        "payload_bytes": frame.comp_len, "payload_offset": frame.payload_off,
        "old_offset": frame.old_off, "old_from": frame.old_range.start,
        "old_to": frame.old_range.end, "output_sha256": frame.output_sha256,
    })
}

fn frame_line(index: usize, frame: &Frame) -> String {
    let (from, to) = (frame.old_range.start, frame.old_range.end);
    let reads = if to > from { format!(" old {from}..{to}") } else { String::new() };
    let (kind, payload, image) = (frame.kind.name(), frame.comp_len, frame.raw_len);
    let gives = frame.output_sha256.map(|sha256| format!(" sha256 {sha256}"));
    format!("{index:>7} {kind:<6} {payload} -> {image}{reads}{}", gives.unwrap_or_default())
}
