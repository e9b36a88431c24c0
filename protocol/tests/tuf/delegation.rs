//! Searching through delegations, as any TUF repository may have them.

use crate::repository::*;
use patchward_protocol::tuf::build::{FileSpec, KeySpec};
use patchward_protocol::tuf::error::TufError;
use patchward_protocol::tuf::profile::Profile;
use patchward_protocol::tuf::refresh::Answer;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::search::{Search, SearchStep};
use patchward_protocol::tuf::stage::Staged;
use patchward_protocol::tuf::trusted_set::TrustedSet;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Delegator, role, path pattern, whether it terminates.
type Edge<'a> = (&'a str, &'a str, &'a str, bool);

/// Every role has the deltas key, but for those named in `other`, which have another.
struct Graph {
    repository: Repository,
}

fn graph(edges: &[Edge<'_>], files: &[(&str, &str)], other: &[(&str, &str)]) -> Graph {
    let mut repository = Repository::new("family:acme.infusion-a");
    let mut roles: BTreeMap<&str, Value> = BTreeMap::new();
    let mut base: Value = serde_json::from_slice(&repository.files["1.targets.json"]).unwrap();
    let base = base["signed"].take();
    roles.insert("targets", base.clone());
    for (from, to, ..) in edges {
        for name in [from, to] {
            roles.entry(name).or_insert_with(|| {
                let mut part = base.clone();
                part["targets"] = json!({});
                part
            });
        }
    }
    for (role, name) in files {
        let entry = base["targets"]["doc/readme.txt"].clone();
        roles.get_mut(role).unwrap()["targets"][name] = entry;
    }
    let keys: Vec<KeySpec> = [DELTAS, DELTAS + 1].map(key_spec).into();
    let listed: BTreeMap<String, Value> = keys.iter().map(|key| (key.id(), key.object())).collect();
    for (from, to, pattern, terminating) in edges {
        let key = &keys[usize::from(other.contains(&(from, to)))];
        let delegations = &mut roles.get_mut(from).unwrap()["delegations"];
        delegations["keys"] = json!(listed);
        if delegations["roles"].is_null() {
            delegations["roles"] = json!([]);
        }
        delegations["roles"].as_array_mut().unwrap().push(json!({
            "name": to, "keyids": [key.id()], "threshold": 1,
            "paths": [pattern], "terminating": terminating,
        }));
    }
    let mut meta = BTreeMap::new();
    for (name, part) in roles {
        let role = Role::named(name);
        let mut staged = Staged::unsigned(role.clone(), part).unwrap();
        let bytes = if role == Role::Targets {
            signed(staged, &TARGETS[..2], &repository.root)
        } else {
            sign_as(&mut staged, DELTAS, &role);
            staged.to_bytes()
        };
        meta.insert(name.to_owned(), FileSpec::of(1, &bytes));
        repository.files.insert(format!("1.{name}.json"), bytes);
    }
    // The builder keeps the house's limit on roles; this repository is anybody's.
    let mut snapshot: Value = serde_json::from_slice(&repository.files["1.snapshot.json"]).unwrap();
    for (name, file) in meta {
        snapshot["signed"]["meta"][format!("{name}.json")] = json!({
            "version": file.version, "length": file.length, "hashes": {"sha256": file.sha256},
        });
    }
    let staged = Staged::unsigned(Role::Snapshot, snapshot["signed"].take()).unwrap();
    let bytes = signed(staged, &[SNAPSHOT], &repository.root);
    repository.publish_timestamp(FileSpec::of(1, &bytes));
    repository.files.insert("1.snapshot.json".to_owned(), bytes);
    Graph { repository }
}

impl Graph {
    fn device(&self) -> (TrustedSet, Device) {
        let mut device = Device::of(&self.repository);
        device.profile = Profile::Plain;
        let set = device.refresh(&self.repository.files).unwrap();
        (set, device)
    }

    /// Roles fetched, and whether the target was found.
    fn search(&self, name: &str) -> Result<(Vec<String>, bool), TufError> {
        let (mut set, mut device) = self.device();
        self.search_in(&mut set, &mut device, name)
    }

    fn search_in(
        &self,
        set: &mut TrustedSet,
        device: &mut Device,
        name: &str,
    ) -> Result<(Vec<String>, bool), TufError> {
        let mut search = Search::begin(set, &device.held, name)?;
        let mut visited = Vec::new();
        loop {
            let file = match search.step() {
                SearchStep::Found(_) => return Ok((visited, true)),
                SearchStep::NotFound => return Ok((visited, false)),
                SearchStep::Fetch { file, .. } => file.clone(),
            };
            visited.push(file.split('.').nth(1).unwrap().to_owned());
            let answer = self.repository.files.get(&file);
            let answer = answer.map_or(Answer::NotFound, |bytes| Answer::Bytes(bytes.clone()));
            search.supply(set, &mut device.held, answer)?;
        }
    }
}

#[test]
fn roles_are_visited_depth_first_in_their_order() {
    let edges = [
        ("targets", "a", "*", false),
        ("targets", "b", "*", false),
        ("a", "c", "*", false),
        ("c", "d", "*", false),
        ("b", "c", "*", false),
        ("d", "a", "*", false),
    ];
    let graph = graph(&edges, &[("b", "x")], &[]);
    let (visited, found) = graph.search("x").unwrap();
    assert_eq!((visited, found), (["a", "c", "d", "b"].map(str::to_owned).to_vec(), true));
    assert_eq!(graph.search("doc/readme.txt").unwrap(), (vec![], true));
}

#[test]
fn a_terminating_delegation_ends_the_search_beyond_itself() {
    let edges = [("targets", "a", "*", true), ("targets", "b", "*", false), ("a", "c", "*", false)];
    let graph = graph(&edges, &[("b", "x"), ("c", "y")], &[]);
    assert!(!graph.search("x").unwrap().1);
    assert!(graph.search("y").unwrap().1);
}

#[test]
fn a_role_whose_paths_do_not_cover_the_name_is_neither_fetched_nor_asked() {
    let edges = [
        ("targets", "a", "releases/*", false),
        ("a", "b", "releases/x/*", false),
        ("targets", "c", "*.txt", false),
    ];
    let graph = graph(&edges, &[("a", "y.txt"), ("b", "releases/x/z")], &[]);
    assert_eq!(graph.search("y.txt").unwrap(), (vec!["c".to_owned()], false));
    assert_eq!(graph.search("releases/x/z").unwrap(), (vec![], false));
}

#[test]
fn a_role_known_under_one_delegator_is_checked_under_the_next() {
    let edges = [
        ("targets", "a", "a-*", false),
        ("targets", "b", "b-*", false),
        ("a", "release", "a-*", false),
        ("b", "release", "b-*", false),
    ];
    let graph = graph(&edges, &[("release", "a-x"), ("release", "b-x")], &[("b", "release")]);
    let (mut set, mut device) = graph.device();
    assert!(graph.search_in(&mut set, &mut device, "a-x").unwrap().1);
    let error = graph.search_in(&mut set, &mut device, "b-x").unwrap_err();
    assert_eq!(error.code(), "tuf_signature_threshold");
}

#[test]
fn what_is_held_is_not_fetched_again() {
    let graph = graph(&[("targets", "a", "*", false)], &[("a", "x")], &[]);
    let (mut set, mut device) = graph.device();
    graph.search_in(&mut set, &mut device, "x").unwrap();
    let mut again = device.refresh(&graph.repository.files).unwrap();
    assert_eq!(graph.search_in(&mut again, &mut device, "x").unwrap(), (vec![], true));
}

/// Attack 10: endless delegations.
#[test]
fn a_search_visits_no_more_roles_than_its_limit() {
    let names: Vec<String> = (0..40).map(|n| format!("r{n}")).collect();
    let edges: Vec<Edge<'_>> =
        names.iter().map(|name| ("targets", name.as_str(), "*", false)).collect();
    let error = graph(&edges, &[], &[]).search("x").unwrap_err();
    assert_eq!(error.code(), "tuf_endless_delegation");
}

#[test]
fn a_role_that_the_snapshot_does_not_list_is_not_fetched() {
    let mut graph = graph(&[("targets", "a", "*", false)], &[("a", "x")], &[]);
    let targets = graph.repository.targets_file();
    graph.repository.publish_snapshot(BTreeMap::from([("targets".to_owned(), targets)]));
    assert_eq!(graph.search("x").unwrap_err().code(), "tuf_not_listed");
}
