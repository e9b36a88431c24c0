//! A release that is exploited, one with nothing to do, one without a dossier, one with a long bill.

use super::gather::Known;
use super::view::view;
use crate::console::frame::{Frame, Nav};
use crate::console::pages::devices::list::list_samples::{family, hospital};
use crate::console::sample::{Sample, noon, site_frame};
use crate::console::words::Words;
use crate::db::notice::Notice;
use crate::notify::answer::{Answer, Given, Signature};
use crate::notify::said::Names;
use crate::notify::subject::{NoticeId, Severity as Grave, Subject};
use crate::people::role::Place;
use crate::people::who::AccountId;
use crate::publish::current::Snapshot;
use patchward_protocol::advice::difference::Difference;
use patchward_protocol::advice::sbom::{BadSbom, Sbom};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::dossier::Dossier;
use patchward_protocol::id::{ApprovalId, HardwareId, Seq, SiteId, TargetPath, Version};
use patchward_protocol::tuf::custom::{
    Acceptance, Class, Document, Documents, Estimate, Firmware, Format, Kind, Payload,
    ReleaseState, Severity,
};
use std::sync::Arc;

const DOSSIER: &str = include_str!("../../../../../keys-example/dossier.toml");

pub(in crate::console) fn firmware(version: &str, seq: u64, state: ReleaseState) -> Firmware {
    let document = || Document {
        path: TargetPath::new("doc/acme.infusion-a-2.4.1.sbom.cdx.json").unwrap(),
        sha256: Sha256Digest::of(version.as_bytes()),
    };
    Firmware {
        v: 1,
        family: family(),
        version: Version::new(version).unwrap(),
        seq: Seq(seq),
        hw: vec![HardwareId::new("infusion-a.rev2").unwrap()],
        min_seq: Seq(0),
        rollback_ok: if seq > 11 { vec![Seq(10), Seq(11)] } else { Vec::new() },
        class: Class::Security,
        severity: Severity::High,
        cves: vec!["CVE-2026-1234".to_owned()],
        known_exploited: seq == 12,
        state,
        payload: Payload {
            format: Format::Pwd1,
            kind: Kind::Tree,
            image_sha256: Sha256Digest::of(&seq.to_be_bytes()),
            image_length: 61_000_000,
            slot_bytes: 62_000_000,
            table_sha256: None,
        },
        est: Estimate { activate_s: 5, boot_s: 60, health_s: 60, rollback_s: 90 },
        therapy: true,
        acceptance: Acceptance::SelfTest,
        docs: Documents {
            dossier: document(),
            sbom: document(),
            notes_ja: document(),
            notes_en: document(),
        },
    }
}

fn bill(parts: impl Iterator<Item = (String, u32)>) -> Sbom {
    let parts = parts.map(|(name, version)| {
        format!(r#"{{"name":"{name}","version":"1.{version}","licenses":[{{"license":{{"id":"MIT"}}}}]}}"#)
    });
    let parts = parts.collect::<Vec<_>>().join(",");
    let text = format!(r#"{{"bomFormat":"CycloneDX","specVersion":"1.6","components":[{parts}]}}"#);
    Sbom::read(text.as_bytes()).unwrap()
}

fn known(words: Words, devices: usize, components: u32) -> Known {
    let (_, roster) = hospital(words, devices);
    let older =
        bill((0..components).map(|n| (format!("libold-{n}"), 1)).chain([("openssl".into(), 1)]));
    let newer =
        bill((0..components).map(|n| (format!("libnew-{n}"), 1)).chain([("openssl".into(), 2)]));
    let release = firmware("2.4.1", 12, ReleaseState::Released);
    let before = firmware("2.4.0", 11, ReleaseState::Released);
    Known {
        file_bytes: Some(21_000_000),
        dossier: Some(Arc::new(Dossier::read(DOSSIER.as_bytes()).unwrap())),
        since: Some((before.version.clone(), Difference::between(&older, &newer))),
        bill: Some(Arc::new(Ok(newer))),
        members: roster.members,
        all: vec![release.clone(), before, firmware("2.3.9", 10, ReleaseState::Withdrawn)],
        firmware: release,
        notice: None,
        answers: Vec::new(),
        approvals: Vec::new(),
        rolled_back: true,
        deltas: Some((1_200_000, 5_400_000)),
    }
}

fn notice(known: &Known) -> Notice {
    let place = Place::Site(SiteId::new("city-hospital").unwrap());
    let subject = Subject::Release {
        family: family(),
        image_sha256: known.firmware.payload.image_sha256,
        version: known.firmware.version.clone(),
        seq: known.firmware.seq,
        put_off: None,
    };
    Notice {
        id: NoticeId::of(&place, &subject),
        place,
        subject,
        severity: Grave::Urgent,
        created: noon(),
        due: Some(noon().plus_seconds(31 * 3600)),
        step: 0,
        step_due: None,
        acknowledged: None,
        closed: None,
    }
}

fn given(words: Words, answer: Answer) -> Given {
    Given {
        id: NoticeId::digest("answer"),
        site: SiteId::new("city-hospital").unwrap(),
        family: family(),
        image_sha256: Sha256Digest::of(b"image"),
        answer,
        reason: words
            .pick("No spare pump before Friday.", "金曜まで代替のポンプがない。")
            .to_owned(),
        by: Signature {
            name: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
            title: "engineer".to_owned(),
            account: AccountId(7),
        },
        at: noon(),
    }
}

pub(in crate::console) fn samples(words: Words) -> Vec<Sample> {
    let snapshot = Snapshot::default();
    let page = |known: &Known, devices: usize| {
        let (at, _) = hospital(words, devices);
        let version = known.firmware.version.as_str();
        let name =
            words.pick("Infusion pump A", "輸液ポンプA(長い製品名: 病棟用薬剤ライブラリ連携型)");
        let title = words.t2("dossier-title", "family", name, "version", version);
        let frame = Frame { title, ..site_frame(words, Nav::Releases, "devices-title") };
        view(frame, words, &at, (known, Names(&snapshot)))
    };
    let mut urgent = known(words, 60, 3);
    urgent.notice = Some(notice(&urgent));
    let deferred = Answer::Deferred {
        until: noon().plus_seconds(7 * 86_400),
        control: words.pick("isolated network", "ネットワーク分離").to_owned(),
    };
    urgent.answers = vec![given(words, Answer::Acknowledged), given(words, deferred)];
    let mut approved = known(words, 60, 300);
    approved.approvals = vec![ApprovalId::new("a-0042").unwrap()];
    approved.firmware.known_exploited = false;
    approved.answers = vec![given(words, Answer::Declined)];
    let mut bare = known(words, 0, 0);
    bare.dossier = None;
    bare.bill = Some(Arc::new(Err(BadSbom::NeitherForm)));
    bare.since = None;
    bare.deltas = None;
    let mut withdrawn = known(words, 20, 0);
    withdrawn.firmware.state = ReleaseState::Withdrawn;
    withdrawn.bill = None;
    let mut older = known(words, 20, 1);
    older.firmware = firmware("2.4.0", 11, ReleaseState::Released);
    let template = "dossier/release.html";
    let mut all = super::list::samples(words);
    all.extend([
        Sample::of(template, "urgent", &page(&urgent, 60)),
        Sample::of(template, "approved", &page(&approved, 60)),
        Sample::of(template, "bare", &page(&bare, 0)),
        Sample::of(template, "withdrawn", &page(&withdrawn, 20)),
        Sample::of(template, "older", &page(&older, 20)),
    ]);
    all
}

#[test]
fn everything_that_a_manufacturer_must_say_is_on_the_page() {
    use askama::Template as _;
    for language in crate::people::who::Language::ALL {
        let words = Words::of(language);
        let known = known(words, 5, 1);
        let (at, _) = hospital(words, 5);
        let frame = site_frame(words, Nav::Inbox, "devices-title");
        let snapshot = Snapshot::default();
        let html = view(frame, words, &at, (&known, Names(&snapshot))).render().unwrap();
        let dossier = known.dossier.as_deref().unwrap();
        let both = patchward_protocol::dossier::schema::FIELDS.iter().filter(|field| {
            field.shape == patchward_protocol::dossier::schema::Shape::BothLanguages
        });
        for field in both {
            let said = dossier.said(field.path, words.tag());
            assert!(!said.is_empty() && html.contains(said), "{}: {said}", field.path);
        }
        for line in dossier.why(words.tag()) {
            assert!(html.contains(line), "{line}");
        }
        let until = words.pick("31 Mar 2031", "2031年3月31日(月)");
        for text in ["CVE-2026-1234", "8.1", "CVSS:3.1/AV:N", until, "openssl"] {
            assert!(html.contains(text), "{text}");
        }
    }
}
