//! What a signer's own machine finds out before a site's draft is signed: do the approvals keep the
//! ward rules, what changed in those rules since this key last signed, which holes open again.
//!
//! The inventory comes from the server, from files that are named, or from the draft's own folder; none
//! of these is trusted alone, which is why changes are shown. Not here: planning, the question itself.
//! Invariant: a broken rule stops the signature unless this signer accepts it by name.

use crate::approval_text;
use crate::approvals;
use crate::base::Against;
use crate::devices;
use crate::draft::Draft;
use crate::error::{Code, Failure, Outcome};
use crate::here::{Here, Language};
use crate::inventory::{self, difference, seen};
use crate::login;
use crate::repository;
use crate::rollback;
use crate::server::{Server, is_absent};
use crate::ward_rules;
use patchward_protocol::api::site::DeviceView;
use patchward_protocol::approval::{Action, Approval, ApprovalState};
use patchward_protocol::draft::back;
use patchward_protocol::draft::planned::{Known, need_s};
use patchward_protocol::draft::rules::{self as draft_rules, Needs};
use patchward_protocol::draft::statement::Stated;
use patchward_protocol::id::{ApprovalId, RepositoryId, SiteId};
use patchward_protocol::inventory::{Attendance, Inventory};
use patchward_protocol::plan::Busy;
use patchward_protocol::tuf::custom::Firmware;
use patchward_protocol::tuf::trusted_set::TrustedSet;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where the ward rules come from, and what is accepted.
#[derive(Debug, Clone, clap::Args)]
pub struct JudgedBy {
    /// Inventory of the hospital, for a machine without network (approvals)
    #[arg(long, value_name = "FILE", requires = "devices_file")]
    pub inventory: Option<PathBuf>,
    /// Its devices, from `devices --json` (approvals)
    #[arg(long, value_name = "FILE")]
    pub devices_file: Option<PathBuf>,
    /// Sign although the approval breaks this rule; it goes into the record (repeat)
    #[arg(long, value_name = "CODE")]
    pub accept_violation: Vec<String>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Look {
    /// What the signer reads.
    pub lines: Vec<String>,
    /// The inventory by which it was judged.
    pub inventory: Option<Inventory>,
    /// Names of the rules that are broken and accepted.
    pub accepted: BTreeSet<&'static str>,
    /// Holes that open again, by rollback approval.
    pub cves: BTreeMap<ApprovalId, BTreeSet<String>>,
    /// The server that was asked, when one was.
    pub server: Option<Server>,
}

/// Looks.
///
/// # Errors
/// [`Code::PlanViolates`], [`Code::InventoryUnseen`], failures of reading and of the server.
pub fn look(
    here: &Here,
    words: &JudgedBy,
    key_file: &Path,
    draft: &Draft,
    against: &Against,
    approvals: &[Stated],
) -> Outcome<Look> {
    let RepositoryId::Site(site) = &draft.repository else { return Ok(Look::default()) };
    let accepted = ward_rules::named(&words.accept_violation)?;
    let server = match against.against.as_deref() {
        None | Some("server") => login::connect_if_named(here, &against.reach)?,
        Some(_) => None,
    };
    let mut look = Look::default();
    let active =
        || approvals.iter().map(|stated| &stated.approval).filter(|approval| is_active(approval));
    if active().next().is_some() {
        let known = known(here, server.as_ref(), words, draft, site)?;
        let last = seen::last(key_file, site)?;
        look.lines = since_last(here.language, site, last.as_ref(), known.inventory.as_ref())?;
        for approval in active() {
            let family = family(here, server.as_ref(), approval)?;
            let found = judged(here, &known, approval, approvals, family.as_ref(), &accepted)?;
            look.lines.extend(draft_rules::accepted_lines(here.language, &found));
            look.accepted.extend(found.iter().map(|violation| violation.rule.code()));
            if approval.action == Action::Rollback {
                let cves = reexposed(here.language, approval, family.as_ref(), &known.views)?;
                look.cves.insert(approval.id.clone(), cves);
            }
        }
        look.inventory = known.inventory;
    }
    look.server = server;
    Ok(look)
}

fn is_active(approval: &Approval) -> bool {
    approval.state == ApprovalState::Active
}

/// From the named files, the server, or what travelled with the draft.
fn known(
    here: &Here,
    server: Option<&Server>,
    words: &JudgedBy,
    draft: &Draft,
    site: &SiteId,
) -> Outcome<Known> {
    let listed = match server {
        Some(server) => approvals::listed(here, server, &draft.repository)?,
        None => Vec::new(),
    };
    let approvals = listed.into_iter().map(|(_, approval)| approval).collect();
    let grounds = match (&words.inventory, &words.devices_file, server) {
        (Some(inventory), Some(devices), _) => {
            Some((inventory::open(inventory)?, devices::from_file(devices)?))
        }
        (_, _, Some(server)) => served(server, site)?,
        (_, _, None) => None,
    };
    let folder = draft.path.parent().unwrap_or_else(|| Path::new("."));
    let grounds = match grounds {
        Some(grounds) => Some(grounds),
        None => approvals::carried(folder)?,
    };
    let (inventory, views) = grounds.map_or((None, Vec::new()), |(a, b)| (Some(a), b));
    Ok(Known { inventory, views, approvals })
}

/// What the server says; nothing where it says nothing to this signer.
fn served(server: &Server, site: &SiteId) -> Outcome<Option<(Inventory, Vec<DeviceView>)>> {
    let silent = |failure: &Failure| failure.code == Code::NotLoggedIn || is_absent(failure);
    let inventory = match inventory::read(server, site) {
        Ok(Some(inventory)) => inventory,
        Ok(None) => return Ok(None),
        Err(failure) if silent(&failure) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    match devices::from_server(server, site) {
        Ok(views) => Ok(Some((inventory, views))),
        Err(failure) if silent(&failure) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What changed in the rules since this key last signed.
fn since_last(
    language: Language,
    site: &SiteId,
    last: Option<&Inventory>,
    now: Option<&Inventory>,
) -> Outcome<Vec<String>> {
    let word = |en, ja| language.pick(en, ja);
    match (last, now) {
        (Some(last), None) => {
            let what = format!("{site}: last signed by revision {}", last.revision);
            Err(Failure::new(Code::InventoryUnseen, what))
        }
        (None, None) => Ok(vec![
            word(
                "! this site has no inventory: no ward rule was checked",
                "! この医療機関の台帳がないため、病棟の規則は確認していません",
            )
            .to_owned(),
        ]),
        (None, Some(now)) => Ok(vec![match language {
            Language::En => format!(
                "ward rules of revision {}: this key signs by them for the first time; look at them with `patchward inventory show`",
                now.revision
            ),
            Language::Ja => format!(
                "病棟の規則(版 {})でこの鍵が署名するのは初めてです。patchward inventory show で確認してください",
                now.revision
            ),
        }]),
        (Some(last), Some(now)) => {
            let changes = difference::lines(language, last, now);
            if changes.is_empty() {
                let same = word(
                    "ward rules: unchanged since this key last signed",
                    "病棟の規則: この鍵が前回署名した時から変更はありません",
                );
                return Ok(vec![same.to_owned()]);
            }
            let mut lines = vec![format!(
                "{} ({} {} -> {}):",
                word(
                    "CHANGED IN THE INVENTORY SINCE THIS KEY LAST SIGNED",
                    "この鍵の前回署名後に変更された台帳の内容",
                ),
                word("revision", "版"),
                last.revision,
                now.revision
            )];
            lines.extend(changes.into_iter().map(|line| format!("  {line}")));
            Ok(lines)
        }
    }
}

/// The verified family of an approval of one release, when its root is trusted here.
fn family(
    here: &Here,
    server: Option<&Server>,
    approval: &Approval,
) -> Outcome<Option<TrustedSet>> {
    let Some(release) = &approval.release else { return Ok(None) };
    let id = RepositoryId::Family(release.family.clone());
    if repository::root(here, &id)?.is_none() {
        return Ok(None);
    }
    match (repository::stored(here, &id)?, server) {
        (Some(set), _) => Ok(Some(set)),
        (None, Some(server)) => repository::refresh(here, server, &id).map(Some),
        (None, None) => Ok(None),
    }
}

fn firmware(family: Option<&TrustedSet>, approval: &Approval) -> Option<Firmware> {
    approval_text::firmware(approval.release.as_ref()?, family)
}

/// The accepted violations of an approval; every other one is a refusal.
fn judged(
    here: &Here,
    known: &Known,
    approval: &Approval,
    drafted: &[Stated],
    family: Option<&TrustedSet>,
    accepted: &BTreeSet<patchward_protocol::check::Broken>,
) -> Outcome<Vec<patchward_protocol::check::Violation>> {
    let Some(inventory) = &known.inventory else { return Ok(Vec::new()) };
    let firmware = firmware(family, approval);
    let therapy = firmware.as_ref().is_some_and(|firmware| firmware.therapy);
    let needs = Needs {
        need_s: firmware.as_ref().map_or(0, |firmware| need_s(firmware, Some(inventory))),
        attended: if therapy { Attendance::Attended } else { Attendance::Unattended },
    };
    let before =
        drafted.iter().map(|stated| &stated.approval).take_while(|other| other.id != approval.id);
    let others: Vec<Busy> = before.flat_map(slots_of).collect();
    let found = draft_rules::of_approval(known, inventory, approval, needs, &others)
        .map_err(|error| Failure::because(Code::PlanRefused, approval.id.as_str(), &error))?;
    ward_rules::refuse(here.language, approval.id.as_str(), &found, accepted)?;
    Ok(found)
}

fn slots_of(approval: &Approval) -> Vec<Busy> {
    let of = |device: &patchward_protocol::approval::ApprovedDevice| {
        let slot = |slot: &_| Busy { device: device.id.clone(), slot: *slot };
        device.slots.iter().map(slot).collect::<Vec<_>>()
    };
    approval.devices.iter().flat_map(of).collect()
}

/// Holes that a rollback opens again, as the manufacturer names them.
fn reexposed(
    language: Language,
    approval: &Approval,
    family: Option<&TrustedSet>,
    views: &[DeviceView],
) -> Outcome<BTreeSet<String>> {
    let (Some(_), Some(set)) = (&approval.release, family) else {
        let family = approval.families().into_iter().next().map(ToString::to_string);
        let what = format!("{}: family {}", approval.id, family.unwrap_or_default());
        return Err(Failure::new(Code::RootUnknown, what));
    };
    let releases = rollback::releases(set);
    if let Some(firmware) = firmware(family, approval) {
        let named = back::named(approval, views);
        rollback::must_be_permitted(language, &releases, &firmware, named)?;
    }
    Ok(back::reexposed_by(approval, &releases, views))
}

/// Names the holes that each rollback opens again, as far as what lies beside the draft tells.
///
/// # Errors
/// Failures of reading.
pub fn add_reexposed(here: &Here, approvals: &mut [Stated], folder: &Path) -> Outcome<()> {
    let Some((_, views)) = approvals::carried(folder)? else { return Ok(()) };
    let back = |stated: &&mut Stated| {
        is_active(&stated.approval) && stated.approval.action == Action::Rollback
    };
    for stated in approvals.iter_mut().filter(back) {
        if let Some(set) = family(here, None, &stated.approval)? {
            let releases = rollback::releases(&set);
            stated.cves = back::reexposed_by(&stated.approval, &releases, &views);
        }
    }
    Ok(())
}
