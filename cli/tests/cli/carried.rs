//! A draft that a console handed out: signed where the console showed what is signed, refused where it
//! showed something else.

use crate::approval::{APPROVE, hospital};
use crate::place::Place;
use patchward_protocol::act::{Act, Subject};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::draft::carried::{CarriedDraft, Shown, encode};
use patchward_protocol::draft::statement::{Stated, Statement, targets_of};
use patchward_protocol::id::RepositoryId;
use patchward_protocol::language::Language;
use patchward_protocol::tuf::role::Role;
use patchward_protocol::tuf::stage::Staged;
use std::collections::BTreeMap;

const FILE: &str = "city-hospital-v2.draft.json";
const ID: &str = "infusion-a-12-v2";

/// What a console would hand out of a draft folder.
fn carried(place: &Place, folder: &str) -> CarriedDraft {
    let stage = place.read(&format!("{folder}/targets-v2.stage.json"));
    let staged = Staged::read(Role::Targets, &stage).unwrap();
    let path = format!("approval/{ID}.json").parse().unwrap();
    let bytes = place.read(&format!("{folder}/targets/approval/{ID}.json"));
    let repository: RepositoryId = "site:city-hospital".parse().unwrap();
    let stated = Stated::read(&repository, &path, Sha256Digest::of(&bytes), &bytes).unwrap();
    let targets = targets_of(&staged).unwrap();
    let published = published(&targets);
    let statement = Statement {
        repository: &repository,
        targets: &targets,
        published: Some(&published),
        approvals: std::slice::from_ref(&stated),
        signed_sha256: staged.message_sha256(),
    };
    CarriedDraft {
        v: 1,
        stage: encode(&stage),
        approvals: BTreeMap::from([(path, encode(&bytes))]),
        base: None,
        inventory: None,
        devices: Vec::new(),
        told: BTreeMap::new(),
        shown: Shown {
            en: statement.lines(Language::En),
            ja: statement.lines(Language::Ja),
            fingerprint: staged.message_sha256().fingerprint(),
        },
        acts: Vec::new(),
    }
}

/// The first version of a site, which lists nothing; its times are those of the trusted one.
fn published(
    next: &patchward_protocol::tuf::build::TargetsSpec,
) -> patchward_protocol::tuf::build::TargetsSpec {
    let mut first = next.clone();
    first.version = 1;
    first.targets.clear();
    first
}

/// The lines that name the published expiry differ between what this test knows and what is published;
/// a console knows both.
fn with_real_expiry(place: &Place, mut carried: CarriedDraft, folder: &str) -> CarriedDraft {
    for (language, lines) in [("en", &mut carried.shown.en), ("ja", &mut carried.shown.ja)] {
        let staged = format!("{folder}/targets-v2.stage.json");
        let shown = place.good(&format!("stage show {staged} --lang {language}"));
        let real = shown.out.lines().nth(1).unwrap().to_owned();
        lines[1] = real;
    }
    carried
}

fn put(place: &Place, carried: &CarriedDraft) {
    place.write(FILE, carried.write().unwrap());
}

const SIGN: &str = "stage sign city-hospital-v2.draft.json --key ta.key --passphrase-file pass \
    --name N --role R --reason S";

fn two_drafts() -> (Place, crate::double::Double, CarriedDraft, CarriedDraft) {
    let (place, server) = hospital();
    place.good(&format!("{APPROVE} --device pump-01 --out a1"));
    let later = APPROVE.replace("@13T", "@14T");
    place.good(&format!("{later} --device pump-01 --out b1"));
    let shown = with_real_expiry(&place, carried(&place, "a1"), "a1");
    let other = with_real_expiry(&place, carried(&place, "b1"), "b1");
    (place, server, shown, other)
}

#[test]
fn a_draft_that_says_what_the_console_showed_is_signed_and_comes_back_with_its_act() {
    let (place, _server, carried, _) = two_drafts();
    put(&place, &carried);
    let shown = place.good("stage show city-hospital-v2.draft.json");
    for line in &carried.shown.en {
        let told = !line.contains("this machine has not verified");
        assert!(!told || shown.out.contains(line.trim_end()), "{line}\n{}", shown.out);
    }
    assert!(!shown.out.contains("would be signed"), "{}", shown.out);
    place.refused("not_confirmed", SIGN);
    place.good(&format!("{SIGN} --fingerprint {}", carried.shown.fingerprint.replace(' ', "")));
    let back = CarriedDraft::read(&place.read(FILE)).unwrap();
    assert_ne!(back.stage, carried.stage, "it carries a signature now");
    let act: Act = back.acts[0].insecure_peek().unwrap();
    assert!(matches!(act.subject, Subject::Approval { .. }));
    assert_eq!(back.acts.len(), 1);
    let status = place.json("stage status city-hospital-v2.draft.json");
    assert_eq!(status["status"][0]["signed"][0]["person"], "ta");
    assert!(crate::place::names(&place.path(".")).iter().all(|name| !name.contains(".open")));
}

#[test]
fn text_a_with_bytes_b_is_shown_as_a_difference_and_never_signed() {
    let (place, _server, a, b) = two_drafts();
    let swapped = CarriedDraft { shown: a.shown.clone(), ..b };
    put(&place, &swapped);
    let before = place.read(FILE);
    let shown = place.good("stage show city-hospital-v2.draft.json");
    assert!(shown.out.contains("The console showed something else"), "{}", shown.out);
    let fingerprint = a.shown.fingerprint.replace(' ', "");
    let refused =
        place.refused("statement_differs", &format!("{SIGN} --fingerprint {fingerprint}"));
    for (sign, day) in [("-", "@13T04:30:00Z"), ("+", "@14T04:30:00Z")] {
        let day = crate::place::dated(day);
        let listed = refused.err.lines().filter_map(|line| line.trim_start().strip_prefix("- "));
        let mut listed = listed.filter(|line| line.contains(&format!("({day})")));
        let line = listed.next().unwrap_or_else(|| panic!("{day} is in\n{}", refused.err));
        assert!(line.starts_with(sign), "{line}");
    }
    assert_eq!(place.read(FILE), before, "nothing was signed");
}

#[test]
fn a_page_that_shows_another_fingerprint_than_the_file_is_found_out_by_the_person() {
    let (place, _server, a, b) = two_drafts();
    put(&place, &b);
    let seen = a.shown.fingerprint.replace(' ', "");
    place.refused("fingerprint_differs", &format!("{SIGN} --fingerprint {seen}"));
    let mut damaged = b;
    damaged.approvals.clear();
    put(&place, &damaged);
    place.refused("target_not_at_hand", &format!("{SIGN} --fingerprint {seen}"));
}
