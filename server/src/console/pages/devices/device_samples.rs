//! One device: with an agent and a long history, forked, waiting for acceptance, and by hand.

use super::{Known, view};
use crate::console::frame::{Frame, Nav};
use crate::console::pages::devices::list::list_samples::{hospital, image};
use crate::console::sample::{Sample, noon, site_frame};
use crate::console::words::Words;
use crate::db::by_hand::ByHand;
use crate::fleet::roster::Member;
use crate::notify::said::Names;
use crate::publish::current::Snapshot;
use patchward_protocol::api::consent::WhyView;
use patchward_protocol::api::site::Management;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::id::{LedgerId, PersonId};
use patchward_protocol::ledger::{Carried, Entry, Fact, Kind};
use patchward_protocol::reason::Reason;
use patchward_protocol::slot::Slot;
use patchward_protocol::time::TimeQuality;

fn entry(member: &Member, kind: Kind, seq: u64) -> Entry {
    let held = matches!(kind, Kind::Held | Kind::Refused);
    let settings = matches!(kind, Kind::Committed).then(|| Sha256Digest::of(b"settings"));
    let at = noon().plus_seconds(-600 * i64::try_from(20 - seq).unwrap());
    Entry {
        v: 1,
        device: member.outline.device.clone(),
        ledger_id: LedgerId::from_random([7; 16]),
        seq,
        prev_sha256: None,
        at: (seq != 1).then_some(at),
        time_quality: TimeQuality::Plausible,
        boot_count: 3,
        fact: Fact {
            kind,
            release: Some(image(1)).filter(|_| kind != Kind::Enrolled),
            from: Some(image(0)).filter(|_| kind == Kind::Activating),
            approval: None,
            action: None,
            clinical_use_s: (kind == Kind::Used).then_some(180_000),
            slot: held.then(|| Slot::new(noon(), noon().plus_seconds(7200)).unwrap()),
            clinical_state: None,
            settings_before: settings,
            settings_after: settings,
            reason: held.then_some(Reason::SlotNotOpen),
            person: (kind == Kind::HoldSet).then(|| PersonId::new("nurse-5e").unwrap()),
            count: (kind == Kind::Refused).then_some(3),
            carried: (kind == Kind::Staged).then_some(Carried {
                delta_sha256: None,
                fetched_bytes: 5_400_000,
                full_bytes: 61_000_000,
                windows: 64,
                windows_full: 2,
            }),
            document_sha256: None,
            detail: None,
        },
    }
}

pub(in crate::console::pages::devices) fn samples(words: Words) -> Vec<Sample> {
    let (at, roster) = hospital(words, 40);
    let snapshot = Snapshot::default();
    let of = |n: usize| roster.members[n].clone();
    let why = |member: &Member, reason: Reason| WhyView {
        device: member.outline.device.clone(),
        state: member.outline.state.clone(),
        reason: Some(reason),
        en: reason.en().to_owned(),
        ja: reason.ja().to_owned(),
        last_seen: member.outline.last_seen,
        image: None,
        unapproved: Vec::new(),
    };
    let page = |member: Member, entries: Vec<Entry>, by_hand: Vec<ByHand>| {
        let has_agent = member.outline.management == Management::Agent;
        let known = Known {
            fingerprint: has_agent.then(|| "4821 0937 6650".to_owned()),
            why: has_agent.then(|| why(&member, Reason::InUse)),
            approvals: Vec::new(),
            holds: Vec::new(),
            entries,
            by_hand,
            names: Names(&snapshot),
            member,
        };
        let device = known.member.outline.device.as_str();
        let title = words.t1("devices-page-title", "device", device);
        let frame = Frame { title, ..site_frame(words, Nav::Devices, "devices-title") };
        view(frame, words, &at, known)
    };
    let full = of(5);
    let history = |member: &Member| {
        let kinds = Kind::ALL.iter().zip(1_u64..);
        let mut all: Vec<_> = kinds.map(|(kind, seq)| entry(member, *kind, seq)).collect();
        all.reverse();
        all
    };
    let mut forked = of(6);
    forked.outline.forked = true;
    let by_hand = ByHand {
        n: 1,
        performed: noon(),
        performed_by: words.pick("Sato Ken", "佐藤 健").to_owned(),
        from_version: None,
        to_version: "2.4.1".to_owned(),
        image: None,
        verified: words
            .pick(
                "Self-test passed, flow compared with a reference pump.",
                "自己診断に合格し、基準ポンプと流量を照合した。",
            )
            .to_owned(),
        written: noon(),
        written_by: "account:tanaka".to_owned(),
        printed_name: words.pick("Tanaka Yuki", "田中 由紀").to_owned(),
    };
    vec![
        Sample::of("devices/device.html", "full", &page(full.clone(), history(&full), Vec::new())),
        Sample::of("devices/device.html", "new", &page(of(3), Vec::new(), Vec::new())),
        Sample::of("devices/device.html", "forked", &page(forked, Vec::new(), Vec::new())),
        Sample::of("devices/device.html", "by-hand", &page(of(23), Vec::new(), vec![by_hand])),
    ]
}
