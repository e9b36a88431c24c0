//! The list of deltas: fetched when it is asked for, and nothing else suffers from it.

use super::*;
use crate::samples::{self, Container, Published};
use crate::stage::double::{Act, local, serve};
use patchward_protocol::tuf::custom::Kind;
use tempfile::TempDir;

const METADATA: &str = "/tuf/family/acme.infusion-a/metadata/";

/// A family with one delta, and its metadata as a server has it.
fn family() -> Published {
    let container = |text: &str| {
        let file = text.as_bytes().to_vec();
        Container { table_sha256: Sha256Digest::of(&file), file }
    };
    let (full, delta) = (container("a full container"), container("delta"));
    let image = samples::contained(Kind::Slots, 2, b"new", &full);
    let facts = samples::delta_facts(b"old", &image, &delta);
    samples::family_with_deltas(b"new", &full, &[(facts, &delta)]).1
}

async fn deltas(family: &Published, list: &[u8], act: Act) -> Result<usize, Reason> {
    let folder = TempDir::new().unwrap();
    let store = Store::new(folder.path(), "family").unwrap();
    let id: RepositoryId = "family:acme.infusion-a".parse().unwrap();
    let (mut repository, _) = Repository::open(id, store, &family.root).unwrap();
    let at = |name: &str| format!("{METADATA}{name}");
    let [timestamp, snapshot, targets, deltas] =
        ["timestamp.json", "1.snapshot.json", "1.targets.json", "1.deltas.json"].map(at);
    let files: [(&str, &[u8]); 4] = [
        (&timestamp, &family.timestamp),
        (&snapshot, &family.snapshot),
        (&targets, &family.targets),
        (&deltas, list),
    ];
    let server = serve(&files, vec![]).await;
    let mut client = server.client();
    let expiry = Expiry::Enforce(samples::now());
    repository.refresh(&mut client, None, expiry, None).await.unwrap();
    assert!(!server.asked().iter().any(|asked| asked.contains("deltas")), "nobody asked for it");
    let server = serve(&files, vec![act]).await;
    let found = repository.deltas(&mut server.client(), &[]).await;
    assert!(repository.set().unwrap().expires() > samples::now(), "the rest stays trusted");
    assert_eq!(repository.set().unwrap().images().len(), 1);
    found.map(|deltas| deltas.len())
}

#[test]
fn the_list_of_deltas_is_fetched_only_when_it_is_asked_for() {
    local(async {
        let family = family();
        let list = family.deltas.clone().unwrap();
        assert_eq!(deltas(&family, &list, Act::Serve).await, Ok(1));
    });
}

#[test]
fn a_list_that_is_missing_changed_or_cut_is_not_trusted_and_harms_nothing_else() {
    local(async {
        let family = family();
        let list = family.deltas.clone().unwrap();
        let mut changed = list.clone();
        changed[list.len() / 2] ^= 1;
        let untrusted = Err(Reason::DeltaRoleUntrusted);
        assert_eq!(deltas(&family, &changed, Act::Serve).await, untrusted);
        for act in [
            Act::Head("404 Not Found"),
            Act::Head("503 Busy"),
            Act::Cut(100),
            Act::Whole(vec![b'x'; 3_000_000]),
        ] {
            assert_eq!(deltas(&family, &list, act).await, untrusted);
        }
    });
}
