//! Looking for a target through delegations, without input or output (TUF specification 5.6.7).
//!
//! Preorder, depth first, in the order of the delegations; a terminating delegation ends the search
//! beyond itself; at most [`SEARCH_ROLES_MAX`] roles are visited. A role is trusted anew under each
//! delegator that leads to it. Used with the `Plain` profile; a Patchward device knows which role it
//! wants and asks for it by name.
//! Invariant: a role whose paths do not cover the name is neither fetched nor asked.

use super::error::TufError;
use super::refresh::{Answer, Held, is_listed};
use super::role::Role;
use super::schema::{self, Delegations, PathSet, Targets};
use super::trusted_set::TrustedSet;
use crate::digest::Sha256Digest;
use crate::limits::SEARCH_ROLES_MAX;
use crate::verified::Verified;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A target that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its digest.
    pub sha256: Sha256Digest,
}

/// Where the search stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchStep {
    /// Fetch this file of a delegated role and [`Search::supply`] the answer.
    Fetch {
        /// The file, percent-encoded, below the metadata URL.
        file: String,
        /// Where to stop reading and give up.
        bytes_max: usize,
    },
    /// It is listed.
    Found(Verified<Listed>),
    /// No role that may list it does.
    NotFound,
}

/// A role to visit, and who delegates to it.
#[derive(Debug, Clone)]
struct Visit {
    name: String,
    by: Arc<Delegations>,
}

#[derive(Debug, Clone)]
enum At {
    Waiting(Visit, SearchStep),
    Ended(SearchStep),
}

/// A search on its way.
#[derive(Debug, Clone)]
pub struct Search {
    name: String,
    to_visit: Vec<Visit>,
    visited: BTreeSet<String>,
    at: At,
}

impl Search {
    /// Begins at the top-level targets. Delegated roles in `held` are used where they are still
    /// listed.
    ///
    /// # Errors
    /// [`TufError::OutOfTurn`] before targets are trusted; any reason not to trust a role on the way.
    pub fn begin(set: &mut TrustedSet, held: &Held, name: &str) -> Result<Self, TufError> {
        let (visited, at) = (BTreeSet::new(), At::Ended(SearchStep::NotFound));
        let mut search = Self { name: name.to_owned(), to_visit: Vec::new(), visited, at };
        let top = set.targets().ok_or(TufError::OutOfTurn { role: Role::Targets })?;
        if !search.ask(&top.signed) {
            search.go_on(set, held)?;
        }
        Ok(search)
    }

    /// Where the search stands.
    #[must_use]
    pub const fn step(&self) -> &SearchStep {
        match &self.at {
            At::Waiting(_, step) | At::Ended(step) => step,
        }
    }

    /// Takes the answer to [`SearchStep::Fetch`]; what is trusted goes into `held`.
    ///
    /// # Errors
    /// Any reason not to trust the role.
    pub fn supply(
        &mut self,
        set: &mut TrustedSet,
        held: &mut Held,
        answer: Answer,
    ) -> Result<(), TufError> {
        let At::Waiting(visit, step) = &self.at else {
            return Err(TufError::OutOfTurn { role: Role::Targets });
        };
        let bytes = match (answer, step) {
            (Answer::Bytes(bytes), _) => bytes,
            (Answer::NotFound, SearchStep::Fetch { file, .. }) => {
                return Err(TufError::MissingFile { file: file.clone() });
            }
            (Answer::NotFound, _) => return Err(TufError::OutOfTurn { role: Role::Targets }),
        };
        let visit = visit.clone();
        set.update_delegated(&visit.by, &visit.name, &bytes)?;
        held.delegated.insert(visit.name.clone(), bytes);
        if !self.visit(set, &visit)? {
            self.go_on(set, held)?;
        }
        Ok(())
    }

    /// Visits roles that are at hand until one must be fetched or none is left.
    fn go_on(&mut self, set: &mut TrustedSet, held: &Held) -> Result<(), TufError> {
        while let Some(visit) = self.to_visit.pop() {
            if self.visited.contains(&visit.name) {
                continue;
            }
            if self.visited.len() >= SEARCH_ROLES_MAX {
                let (path, roles) = (self.name.clone(), self.visited.len());
                return Err(TufError::EndlessDelegation { path, roles });
            }
            if !at_hand(set, held, &visit)? {
                let (file, bytes_max) = set.delegated_file(&visit.name)?;
                self.at = At::Waiting(visit, SearchStep::Fetch { file, bytes_max });
                return Ok(());
            }
            if self.visit(set, &visit)? {
                return Ok(());
            }
        }
        self.at = At::Ended(SearchStep::NotFound);
        Ok(())
    }

    /// Asks one role; true when the search has ended.
    fn visit(&mut self, set: &TrustedSet, visit: &Visit) -> Result<bool, TufError> {
        self.visited.insert(visit.name.clone());
        let out_of_turn = || TufError::OutOfTurn { role: Role::Delegated(visit.name.clone()) };
        let document = set.delegated(&visit.by, &visit.name)?.ok_or_else(out_of_turn)?;
        Ok(self.ask(&document.signed))
    }

    /// Looks into a role; else remembers where it delegates to. True when the search has ended.
    fn ask(&mut self, targets: &Targets) -> bool {
        if let Some(entry) = schema::entry(targets, &self.name)
            && let Some(sha256) = schema::listed_sha256(&entry.hashes)
        {
            let found = Listed { name: self.name.clone(), length: entry.length, sha256 };
            self.at = At::Ended(SearchStep::Found(Verified::new(found)));
            return true;
        }
        let Some(delegations) = &targets.delegations else { return false };
        let by = Arc::new(delegations.clone());
        let mut children = Vec::new();
        for delegated in by.roles.iter().filter(|role| covers(&role.paths, &self.name)) {
            children.push(Visit { name: delegated.name.clone(), by: Arc::clone(&by) });
            if delegated.terminating {
                self.to_visit.clear();
                break;
            }
        }
        self.to_visit.extend(children.into_iter().rev());
        false
    }
}

/// Whether the set has the role already, or can take it from what is held.
fn at_hand(set: &mut TrustedSet, held: &Held, visit: &Visit) -> Result<bool, TufError> {
    let role = Role::Delegated(visit.name.clone());
    let listing = set.listing(&role)?;
    if set.delegated(&visit.by, &visit.name)?.is_some() {
        return Ok(true);
    }
    let charset = set.profile().charset();
    let bytes = held.delegated.get(&visit.name);
    let Some(bytes) = bytes.filter(|bytes| is_listed(&role, listing, bytes, charset)) else {
        return Ok(false);
    };
    match set.update_delegated(&visit.by, &visit.name, bytes) {
        Ok(()) => Ok(true),
        Err(TufError::SignatureThreshold { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a delegation covers a name.
pub(super) fn covers(paths: &PathSet, name: &str) -> bool {
    match paths {
        PathSet::Paths(patterns) => patterns.iter().any(|pattern| matches(pattern.value(), name)),
        PathSet::PathHashPrefixes(prefixes) => {
            let digest = Sha256Digest::of(name.as_bytes()).to_string();
            prefixes.iter().any(|prefix| digest.starts_with(prefix.value()))
        }
    }
}

/// Shell-style pattern, segment by segment: no wildcard crosses `/`.
fn matches(pattern: &str, name: &str) -> bool {
    let (mut patterns, mut names) = (pattern.split('/'), name.split('/'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if segment(pattern.as_bytes(), name.as_bytes()) => {}
            _ => return false,
        }
    }
}

/// `*` stands for any text, `?` for one byte; steps back to the last `*` only, so it is quadratic
/// at worst.
fn segment(mut pattern: &[u8], mut name: &[u8]) -> bool {
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => return true,
            (Some((b'*', rest)), _) => {
                star = Some((rest, name));
                pattern = rest;
            }
            (Some((b'?', after)), Some((_, rest))) => (pattern, name) = (after, rest),
            (Some((a, after)), Some((b, rest))) if a == b => (pattern, name) = (after, rest),
            _ => {
                let Some((after, [_, rest @ ..])) = star else { return false };
                star = Some((after, rest));
                (pattern, name) = (after, rest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wildcard_crosses_a_slash() {
        let cases = [
            ("*.md", "README.md", true),
            ("*.md", "releases/README.md", false),
            ("releases/*/*", "releases/x/x_v1", true),
            ("foo-?.tgz", "foo-1.tgz", true),
            ("foo-?.tgz", "foo-alpha.tgz", false),
            ("*.md", "README.MD", false),
            ("*", "", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_more_than_quadratic_time() {
        let (pattern, name) = (format!("{}b", "*a".repeat(1000)), "a".repeat(4000));
        assert!(!matches(&pattern, &name));
    }
}
