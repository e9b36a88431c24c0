//! kill -9 of the server while fifty devices report: no acknowledged report lost, none counted twice.
//!
//! The reporters are in this process, but what they send is real: enrolled keys, signed and chained
//! ledger entries, over HTTP, with the receipts checked.

use anyhow::{Context as _, Result, bail};
use patchward_protocol::api::device::{
    Enrol, EnrolRequest, Enrolment, LinkCertificate, Report, ReportRequest,
};
use patchward_protocol::api::site::{ListDevices, ReadLedger};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::envelope::{Envelope, PayloadType};
use patchward_protocol::id::{DeviceId, FamilyId, HardwareId, LedgerId, RepositoryId, SiteId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::ledger::{Entry, Fact, Kind, SealedEntry};
use patchward_protocol::pack::EnrolmentPack;
use patchward_protocol::receipt::Receipt;
use patchward_protocol::time::TimeQuality;
use patchward_tests::bin::rounds;
use patchward_tests::chance::Chance;
use patchward_tests::clock::{now, pause, until};
use patchward_tests::forge::Key;
use patchward_tests::http::Client;
use patchward_tests::image::HARDWARE;
use patchward_tests::owner::Owner;
use patchward_tests::scene::{Stage, pack_for};
use patchward_tests::server::QUICK;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const REPORTERS: usize = 50;

/// A device that only reports.
struct Reporter {
    device: DeviceId,
    key: Key,
    ledger_id: LedgerId,
    entries: Vec<SealedEntry>,
    /// Last position that a receipt covers.
    acknowledged: u64,
}

impl Reporter {
    fn enrol(n: usize, client: &Client, pack: &EnrolmentPack) -> Result<Self> {
        let (key, link) = (Key::named(&format!("reporter {n}")), Key::named(&format!("link {n}")));
        let device = DeviceId::new(&format!("reporter-{n:02}"))?;
        let ledger_id = LedgerId::from_random(
            *Sha256Digest::of(device.as_str().as_bytes())
                .as_bytes()
                .first_chunk()
                .context("sixteen of thirty-two bytes")?,
        );
        let family = pack.families.first().context("a family")?.clone();
        let enrolment = Enrolment {
            v: 1,
            token: pack.token.clone(),
            site: pack.site.clone(),
            device: device.clone(),
            device_key: key.public(),
            family,
            hardware: HardwareId::new(HARDWARE)?,
            installed: None,
            ledger_id,
            agent_version: "0.1.0".to_owned(),
        };
        let certificate = LinkCertificate {
            v: 1,
            site: pack.site.clone(),
            device: device.clone(),
            link_key: link.public(),
            n: 1,
        };
        let request = EnrolRequest {
            enrolment: Envelope::seal(PayloadType::Enrolment, &enrolment, key.secret())?,
            link_certificate: Envelope::seal(
                PayloadType::LinkCertificate,
                &certificate,
                key.secret(),
            )?,
        };
        client.must::<Enrol>(&[], &request)?;
        let mut reporter = Self { device, key, ledger_id, entries: Vec::new(), acknowledged: 0 };
        reporter.write(Kind::Enrolled)?;
        Ok(reporter)
    }

    fn write(&mut self, kind: Kind) -> Result<()> {
        let seq = u64::try_from(self.entries.len())? + 1;
        let entry = Entry {
            v: 1,
            device: self.device.clone(),
            ledger_id: self.ledger_id,
            seq,
            prev_sha256: self.entries.last().map(|entry| entry.sha256),
            at: Some(now()),
            time_quality: TimeQuality::Plausible,
            boot_count: 1,
            fact: Fact::new(kind),
        };
        self.entries.push(SealedEntry::seal(entry, self.key.secret())?);
        Ok(())
    }

    /// Sends what is not acknowledged; a receipt that comes back is checked and believed.
    fn send(&mut self, client: &Client, record_key: &PublicKey, site: &str) -> Result<()> {
        let after = usize::try_from(self.acknowledged)?;
        let waiting = self.entries.iter().skip(after).take(20);
        let entries: Vec<Envelope> = waiting.map(|entry| entry.envelope.clone()).collect();
        if entries.is_empty() {
            return Ok(());
        }
        let body = ReportRequest {
            site: site.parse()?,
            device: self.device.clone(),
            entries,
            log_size_seen: None,
        };
        // A connection that breaks is no answer: everything is sent again later.
        let Ok(answer) = client.call::<Report>(&[], &body) else { return Ok(()) };
        let reply = match answer {
            Ok(reply) => reply,
            Err(problem) if problem.status >= 500 => return Ok(()),
            Err(problem) => bail!("{}: {problem:?}", self.device),
        };
        let receipt = reply.receipt.open::<Receipt>(PayloadType::Receipt, record_key)?;
        let upto = usize::try_from(receipt.upto_seq)?;
        let covered = upto.checked_sub(1).and_then(|at| self.entries.get(at));
        if receipt.ledger_id != self.ledger_id
            || covered.map(|entry| entry.sha256) != Some(receipt.chain_sha256)
        {
            bail!("{}: a receipt for another ledger: {:?}", self.device, *receipt);
        }
        if receipt.upto_seq < self.acknowledged {
            bail!(
                "{}: the server forgot {} entries",
                self.device,
                self.acknowledged - receipt.upto_seq
            );
        }
        self.acknowledged = receipt.upto_seq;
        Ok(())
    }
}

#[test]
fn a_server_killed_while_fifty_devices_report_loses_and_doubles_nothing_it_acknowledged()
-> Result<()> {
    let mut stage = Stage::own(QUICK)?;
    let address = stage.server.address()?.to_owned();
    let url = stage.server.url()?;
    let (family, site_id) = (FamilyId::new("acme.reports")?, SiteId::new("reports")?);
    let administrator = stage.server.administrator()?;
    Owner::open(&administrator, &RepositoryId::Family(family.clone()))?;
    Owner::open(&administrator, &RepositoryId::Site(site_id.clone()))?;
    let mut reporters = Vec::new();
    let mut record_key = None;
    for n in 0..REPORTERS {
        let pack = pack_for(&stage.server, &site_id, &family, &url)?;
        record_key = Some(pack.record_key);
        reporters.push(Reporter::enrol(n, &Client::new(&url), &pack)?);
    }
    let record_key = record_key.context("a pack names the record key")?;
    let site = site_id.to_string();
    let (over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let kills = rounds(8, 3);
    let outcomes: Vec<Result<Reporter>> = std::thread::scope(|scope| {
        let (over, sent, site) = (&over, &sent, site.as_str());
        let threads: Vec<_> = reporters
            .into_iter()
            .map(|mut reporter| {
                let client = Client::new(&url);
                scope.spawn(move || -> Result<Reporter> {
                    while !over.load(Ordering::SeqCst) {
                        reporter.write(Kind::Held)?;
                        reporter.send(&client, &record_key, site)?;
                        sent.fetch_add(1, Ordering::SeqCst);
                        pause(Duration::from_millis(20));
                    }
                    Ok(reporter)
                })
            })
            .collect();
        let killed = kill_often(&mut stage, &address, kills, sent);
        over.store(true, Ordering::SeqCst);
        let mut outcomes: Vec<Result<Reporter>> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a panic"))))
            .collect();
        if let Err(error) = killed {
            outcomes.push(Err(error));
        }
        outcomes
    });
    let mut entries = 0;
    for outcome in outcomes {
        let mut reporter = outcome?;
        let client = Client::new(&url);
        let name = reporter.device.clone();
        until(&format!("{name} to deliver the rest"), Duration::from_secs(60), || {
            reporter.send(&client, &record_key, &site)?;
            let all = u64::try_from(reporter.entries.len())?;
            Ok((reporter.acknowledged == all).then_some(()))
        })?;
        entries += stored_once(&stage, &site, &reporter)?;
    }
    println!("{kills} kills, {entries} entries of {REPORTERS} devices, each stored once");
    Ok(())
}

/// Kills and starts the server again, each time after the reporters have got somewhere.
fn kill_often(stage: &mut Arc<Stage>, address: &str, kills: usize, sent: &AtomicU64) -> Result<()> {
    let mut chance = Chance::seeded(50);
    for _ in 0..kills {
        let before = sent.load(Ordering::SeqCst);
        until("the reporters to get on", Duration::from_secs(60), || {
            Ok((sent.load(Ordering::SeqCst) > before + 60).then_some(()))
        })?;
        pause(chance.at_most(Duration::from_millis(300)));
        let stage = Arc::get_mut(stage).context("this stage is not shared")?;
        stage.server.kill()?;
        stage.server.start_on(address)?;
    }
    Ok(())
}

/// The server has every entry of a reporter, in order, once; gives how many.
fn stored_once(stage: &Stage, site: &str, reporter: &Reporter) -> Result<usize> {
    let administrator = stage.server.administrator()?;
    let mut stored: Vec<Sha256Digest> = Vec::new();
    loop {
        let after = stored.len().to_string();
        let path = [site, reporter.device.as_str(), after.as_str()];
        let page = administrator.must::<ReadLedger>(&path, &())?;
        if page.entries.is_empty() {
            break;
        }
        for envelope in page.entries {
            stored.push(envelope.payload_sha256()?);
        }
    }
    let sent: Vec<Sha256Digest> = reporter.entries.iter().map(|entry| entry.sha256).collect();
    if stored != sent {
        bail!("{}: {} stored of {} sent", reporter.device, stored.len(), sent.len());
    }
    let devices = administrator.must::<ListDevices>(&[site], &())?;
    let seen = devices.into_iter().find(|view| view.device == reporter.device);
    let seen = seen.context("the reporter is in the inventory")?;
    let last = u64::try_from(sent.len())?;
    if seen.ledger_seq != last || seen.forked {
        bail!("{}: the inventory says {} of {last}", reporter.device, seen.ledger_seq);
    }
    Ok(stored.len())
}
