//! Names inside a tree: paths and the targets of symbolic links.
//!
//! A path is relative, UTF-8, without `.`, `..`, empty parts, control characters and characters
//! that turn the reading direction. A link's `..` stand only at its beginning: its own folder is a
//! real folder, so that going up is exact, and going down through another link of the tree ends
//! inside by the same rule. Invariant: no name of these types leads out of the tree.

use super::TreeError;
use crate::limits::{TREE_NAME_BYTES_MAX, TREE_PATH_BYTES_MAX};
use std::fmt;

/// A path inside a tree: `bin/pump`, parts divided by `/`, none at either end.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreePath(String);

/// Where a symbolic link of a tree points: `libpump.so.2`, `../lib/pump`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LinkTarget(String);

impl TreePath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`TreeError::Name`] with the rule that it breaks.
    pub fn new(text: &str) -> Result<Self, TreeError> {
        if text.len() > TREE_PATH_BYTES_MAX {
            return Err(TreeError::name(text, "a path has at most 1024 bytes"));
        }
        text.split('/').try_for_each(|part| check_part(text, part))?;
        Ok(Self(text.to_owned()))
    }

    /// The path of something in this folder.
    ///
    /// # Errors
    /// [`TreeError::Name`] with the rule that it breaks.
    pub fn join(&self, name: &str) -> Result<Self, TreeError> {
        Self::new(&format!("{}/{name}", self.0))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder it stands in; none for the top.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }

    fn depth(&self) -> usize {
        self.0.split('/').count()
    }
}

impl LinkTarget {
    /// Reads where the link at `path` points.
    ///
    /// # Errors
    /// [`TreeError::Name`] with the rule that it breaks.
    pub fn new(path: &TreePath, text: &str) -> Result<Self, TreeError> {
        if text.len() > TREE_PATH_BYTES_MAX {
            return Err(TreeError::name(text, "a link target has at most 1024 bytes"));
        }
        if text.starts_with('/') {
            return Err(TreeError::name(text, "a link target is relative"));
        }
        let up = text.split('/').take_while(|part| *part == "..").count();
        if up >= path.depth() {
            return Err(TreeError::name(text, "a link target stays inside the tree"));
        }
        text.split('/').skip(up).try_for_each(|part| check_part(text, part))?;
        Ok(Self(text.to_owned()))
    }

    /// The target as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks one part of a path.
fn check_part(text: &str, part: &str) -> Result<(), TreeError> {
    let rule = match part {
        "" => "no empty part: not absolute, no '//' and no '/' at the end",
        "." | ".." => "no '.', and '..' only at the beginning of a link target",
        _ if part.len() > TREE_NAME_BYTES_MAX => "each part has at most 255 bytes",
        _ if part.chars().any(is_deceptive) => {
            "no control characters and none that turn the reading direction"
        }
        _ => return Ok(()),
    };
    Err(TreeError::name(text, rule))
}

/// Characters that make a listing lie: controls, line ends, direction marks.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for LinkTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::new(text).unwrap()
    }

    #[test]
    fn ordinary_paths_are_read_whatever_their_script() {
        for good in ["a", "bin/pump", "ポンプ/取扱説明書.txt", "a b/c", "..a/b..", "a\\b", "-x"]
        {
            assert_eq!(path(good).as_str(), good);
        }
    }

    #[test]
    fn odd_names_and_path_tricks_are_refused() {
        let long_part = "p".repeat(256);
        let long_path = vec!["p".repeat(250); 5].join("/");
        let bad = [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/..",
            "./a",
            "a/.",
            "a\0b",
            "a\nb",
            "a\tb",
            "\u{7f}",
            "\u{85}",
            "a\u{202e}b",
            "\u{2066}",
            "\u{2028}",
            &long_part,
            &long_path,
        ];
        for text in bad {
            assert!(TreePath::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn links_may_point_anywhere_inside() {
        let link = path("usr/lib/pump.so");
        for good in ["pump.so.2", "../bin/pump", "../../etc", "..", "../..", "..x/y"] {
            assert_eq!(LinkTarget::new(&link, good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn links_that_leave_the_tree_are_refused() {
        let link = path("usr/lib/pump.so");
        let bad = [
            "",
            "/",
            "/etc/passwd",
            "../../..",
            "../../../etc",
            "a/../b",
            "a/..",
            "d/../..",
            "./a",
            "../",
            "..//a",
            "a/",
            "a\0",
            "\n",
        ];
        for text in bad {
            assert!(LinkTarget::new(&link, text).is_err(), "{text:?}");
        }
        assert!(LinkTarget::new(&path("top"), "..").is_err());
    }
}
