//! The order of a tree: paths rise strictly in byte order, and every parent is there before.
//!
//! Byte order over whole paths is not the order of a plain walk: `a`, `a-b`, `a/c` is right,
//! because `-` sorts before `/`. [`visits`] gives a walk that meets it; [`Order`] checks it.
//! Invariant: [`Order`] holds only folders that may still get children.

use super::{EntryKind, TreeEntry, TreeError};
use crate::limits::{IMAGE_BYTES_MAX, TREE_ENTRIES_MAX};
use std::cmp::Ordering;

/// A child of a folder, as a walk finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Child {
    /// A folder: shown, and entered later.
    Folder,
    /// A file or a link: shown only.
    Leaf,
}

/// One step of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visit {
    /// Write the entry of this child.
    Show(String),
    /// Walk through this folder now.
    Enter(String),
}

/// In which order a walk takes the children of one folder (names without path).
#[must_use]
pub fn visits(children: Vec<(String, Child)>) -> Vec<Visit> {
    let mut steps = Vec::with_capacity(children.len());
    for (name, child) in children {
        if child == Child::Folder {
            steps.push((format!("{name}/"), Visit::Enter(name.clone())));
        }
        steps.push((name.clone(), Visit::Show(name)));
    }
    steps.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    steps.into_iter().map(|(_, visit)| visit).collect()
}

/// Checks order, parents, count and total size while entries pass by.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: String,
    open: Vec<String>,
    entries: u64,
    content_bytes: u64,
}

impl Order {
    /// Lets the next entry pass.
    pub(super) fn admit(&mut self, entry: &TreeEntry) -> Result<(), TreeError> {
        let path = entry.path.as_str();
        let refuse = |rule| Err(TreeError::Order { path: path.to_owned(), rule });
        self.entries += 1;
        if self.entries > TREE_ENTRIES_MAX {
            return Err(TreeError::too_many_entries());
        }
        match self.last.as_str().cmp(path) {
            Ordering::Less => {}
            Ordering::Equal => return refuse("each path stands once"),
            Ordering::Greater => return refuse("paths stand in byte order"),
        }
        while self.open.last().is_some_and(|folder| is_past(folder, path)) {
            self.open.pop();
        }
        let parent = entry.path.parent();
        if parent.is_some_and(|parent| !self.open.iter().rev().any(|folder| folder == parent)) {
            return refuse("its folder stands before it, as a folder");
        }
        match &entry.kind {
            EntryKind::Folder => self.open.push(path.to_owned()),
            EntryKind::File { size_bytes, .. } => self.add_content(*size_bytes)?,
            EntryKind::Link { .. } => {}
        }
        path.clone_into(&mut self.last);
        Ok(())
    }

    fn add_content(&mut self, size_bytes: u64) -> Result<(), TreeError> {
        self.content_bytes = self.content_bytes.saturating_add(size_bytes);
        if self.content_bytes > IMAGE_BYTES_MAX {
            return Err(TreeError::TooMany { what: "bytes", limit: IMAGE_BYTES_MAX });
        }
        Ok(())
    }
}

/// Whether nothing at or after `path` can lie in `folder`.
fn is_past(folder: &str, path: &str) -> bool {
    let inside = path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let bytes = path.as_bytes().iter();
    !inside && bytes.cmp(folder.as_bytes().iter().chain(b"/")) == Ordering::Greater
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{FileMode, TreePath};

    fn pass(paths: &[(&str, Child)]) -> Result<(), TreeError> {
        let mut order = Order::default();
        paths.iter().try_for_each(|(path, child)| {
            let kind = match child {
                Child::Folder => EntryKind::Folder,
                Child::Leaf => EntryKind::File { mode: FileMode::Plain, size_bytes: 1 },
            };
            order.admit(&TreeEntry { path: TreePath::new(path)?, kind })
        })
    }

    #[test]
    fn siblings_between_a_folder_and_its_children_are_in_order() {
        use Child::{Folder, Leaf};
        pass(&[("a", Folder), ("a-b", Folder), ("a-b/x", Leaf), ("a/c", Leaf), ("b", Leaf)])
            .unwrap();
    }

    #[test]
    fn a_walk_meets_byte_order() {
        let children = [("b", Child::Leaf), ("a-b", Child::Folder), ("a", Child::Folder)];
        let steps = visits(children.map(|(name, child)| (name.to_owned(), child)).into());
        let show = |name: &str| Visit::Show(name.into());
        let enter = |name: &str| Visit::Enter(name.into());
        assert_eq!(steps, [show("a"), show("a-b"), enter("a-b"), enter("a"), show("b")]);
    }

    #[test]
    fn wrong_order_doubles_and_missing_or_false_parents_are_refused() {
        use Child::{Folder, Leaf};
        for bad in [
            &[("b", Leaf), ("a", Leaf)][..],
            &[("a", Leaf), ("a", Leaf)],
            &[("a/b", Leaf)],
            &[("a", Leaf), ("a/b", Leaf)],
            &[("a", Folder), ("a/b", Folder), ("a/c", Leaf), ("a/b/c", Leaf)],
            &[("a", Folder), ("b", Folder), ("c/d", Leaf)],
        ] {
            assert!(pass(bad).is_err(), "{bad:?}");
        }
    }
}
