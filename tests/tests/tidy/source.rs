//! The files of the workspace, read once per check.

use crate::root;
use anyhow::{Context as _, Result};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that are made, not written.
const MADE: [&str; 4] = ["target", ".git", "node_modules", "__pycache__"];

/// One file of the workspace.
pub(crate) struct Source {
    /// Relative to the workspace, with `/`.
    pub(crate) path: String,
    /// Empty for a file that is not UTF-8.
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The lines outside of `#[cfg(test)]` items, wherever those stand.
    pub(crate) fn code(&self) -> impl Iterator<Item = &str> {
        let mut in_test = false;
        self.text.lines().filter(move |line| {
            in_test |= line.starts_with("#[cfg(test)]");
            let skipped = in_test;
            in_test &= !ends_item(line);
            !skipped
        })
    }
}

/// Whether an item at the margin ends here: `mod tests;`, `use x::{…};`, or a brace that closes.
fn ends_item(line: &str) -> bool {
    let at_margin = !line.starts_with([' ', '#', '/']);
    at_margin && (line.ends_with(';') || line.ends_with('}'))
}

#[test]
fn what_stands_behind_tests_is_code_too() {
    let text = "use a;\n#[cfg(test)]\n#[path = \"t.rs\"]\nmod t;\nfn one() {\n}\n#[cfg(test)]\n\
                fn samples(\n    n: u8,\n) -> u8 {\n    n\n}\n\nfn two() {}\n#[cfg(test)]\n\
                mod tests {\n    use super::*;\n}\n";
    let source = Source { path: "a.rs".to_owned(), text: text.to_owned() };
    let code: Vec<&str> = source.code().collect();
    assert_eq!(code, ["use a;", "fn one() {", "}", "", "fn two() {}"]);
}

/// Every file in the workspace that is not made.
pub(crate) fn all() -> Result<Vec<Source>> {
    let root = root()?;
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
        for entry in entries {
            let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if MADE.contains(&name) || path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(read(&root, &path)?);
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Every Rust file.
pub(crate) fn rust() -> Result<Vec<Source>> {
    Ok(all()?.into_iter().filter(Source::is_rust).collect())
}

fn read(root: &Path, path: &Path) -> Result<Source> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let relative: PathBuf = path.strip_prefix(root).context("inside the workspace")?.into();
    let path = relative.to_str().context("a path in UTF-8")?.to_owned();
    Ok(Source { path, text: String::from_utf8(bytes).unwrap_or_default() })
}
