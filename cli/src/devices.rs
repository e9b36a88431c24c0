//! `devices`, and which device an approval names: by id and key together.
//!
//! The list comes from the server or from a file that `devices --json` wrote; keys are shown as
//! fingerprints, to be compared with what stands on the device. Not here: trusting the list (a wrong
//! key only makes an approval that no device obeys).
//! Invariant: a picked device has an agent, a key, the right family and fitting hardware.

use crate::disk;
use crate::error::{Code, Failure, Outcome};
use crate::here::Here;
use crate::limits::REPLY_BYTES_MAX;
use crate::login;
use crate::said::Said;
use crate::server::{Reach, Server};
use patchward_protocol::api::site::{DeviceView, ListDevices};
use patchward_protocol::id::{DeviceId, SiteId};
use patchward_protocol::key::PublicKey;
use patchward_protocol::slot::Slot;
use patchward_protocol::tuf::custom::Firmware;
use std::path::Path;
use std::str::FromStr;

/// A device as it is named on the command line: `pump-01`, or `pump-01=START/END[,START/END]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDevice {
    /// Its id.
    pub id: DeviceId,
    /// Its own slots; empty for those of all.
    pub slots: Vec<SlotWord>,
}

/// A slot as it is written on the command line: `START/END`, both UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotWord(pub Slot);

impl FromStr for SlotWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (start, end) = text
            .split_once('/')
            .ok_or("a slot is START/END, e.g. 2026-12-05T04:30:00Z/2026-12-05T06:30:00Z")?;
        let at = |text: &str| text.parse().map_err(|error| format!("{error}"));
        Slot::new(at(start)?, at(end)?).map(Self).map_err(|error| error.to_string())
    }
}

impl FromStr for NamedDevice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, slots) =
            text.split_once('=').map_or((text, None), |(id, slots)| (id, Some(slots)));
        let id = id.parse().map_err(|error| format!("{error}"))?;
        let slots = slots.map(|slots| slots.split(',').map(str::parse).collect()).transpose()?;
        Ok(Self { id, slots: slots.unwrap_or_default() })
    }
}

/// `devices`.
///
/// # Errors
/// Failures of reaching the server.
pub fn list(here: &Here, reach: &Reach, site: &SiteId) -> Outcome<Said> {
    let devices = from_server(&login::connect(here, reach)?, site)?;
    let line = |device: &DeviceView| {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let installed =
            device.installed.as_ref().map(|image| format!("{} (seq {})", image.version, image.seq));
        let state = device.reason.map_or_else(
            || text(device.state.clone()),
            |reason| {
                format!(
                    "{}: {}",
                    text(device.state.clone()),
                    here.language.pick(reason.en(), reason.ja())
                )
            },
        );
        format!(
            "{}  {}  {}  {}  {}  {}",
            device.device,
            device.family,
            text(device.fingerprint.clone()),
            text(installed),
            state,
            text(device.last_seen.map(|at| at.to_string())),
        )
    };
    let value = serde_json::to_value(&devices)
        .map_err(|error| Failure::new(Code::ReplyUnreadable, error))?;
    Ok(Said::new(value).lines(devices.iter().map(line)))
}

/// The inventory of a site, from the server.
///
/// # Errors
/// Failures of reaching the server.
pub fn from_server(server: &Server, site: &SiteId) -> Outcome<Vec<DeviceView>> {
    server.call::<ListDevices>(&[site.as_str()], &())
}

/// The inventory of a site, from a file that `devices --json` wrote.
///
/// # Errors
/// [`Code::ValueBad`] and failures of reading.
pub fn from_file(path: &Path) -> Outcome<Vec<DeviceView>> {
    let bytes = disk::read(path, REPLY_BYTES_MAX)?;
    serde_json::from_slice(&bytes).map_err(|error| {
        let what = format!("{}: not what `devices --json` writes: {error}", path.display());
        Failure::new(Code::ValueBad, what)
    })
}

/// The keys of the named devices; everything that does not fit is named at once.
///
/// # Errors
/// [`Code::DeviceUnknown`].
pub fn pick(
    inventory: &[DeviceView],
    named: &[NamedDevice],
    firmware: &Firmware,
) -> Outcome<Vec<(NamedDevice, PublicKey)>> {
    let (mut picked, mut problems) = (Vec::new(), Vec::new());
    for device in named {
        match fits(inventory, device, firmware) {
            Ok(key) => picked.push((device.clone(), key)),
            Err(why) => problems.push(format!("{}: {why}", device.id)),
        }
    }
    if problems.is_empty() {
        return Ok(picked);
    }
    Err(Failure::with_problems(Code::DeviceUnknown, "devices that cannot be approved", problems))
}

fn fits(
    inventory: &[DeviceView],
    named: &NamedDevice,
    firmware: &Firmware,
) -> Result<PublicKey, String> {
    let view = inventory.iter().find(|view| view.device == named.id);
    let view = view.ok_or("not in the inventory")?;
    if view.family != firmware.family {
        return Err(format!("of family {}, the release is for {}", view.family, firmware.family));
    }
    if let Some(hardware) = view.hardware.as_ref().filter(|hw| !firmware.hw.contains(hw)) {
        return Err(format!("hardware {hardware}, the release is for others"));
    }
    if view.forked {
        return Err("its ledger forked: a cloned or restored device, look at it first".to_owned());
    }
    view.device_key.ok_or_else(|| "has no agent and no key".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_may_bring_its_own_slots() {
        let text = "pump-01=2026-12-05T04:30:00Z/2026-12-05T06:30:00Z,2026-12-06T04:30:00Z/2026-12-06T06:30:00Z";
        let device: NamedDevice = text.parse().unwrap();
        assert_eq!((device.id.as_str(), device.slots.len()), ("pump-01", 2));
        assert!("pump-01".parse::<NamedDevice>().unwrap().slots.is_empty());
        for bad in
            ["Pump", "pump-01=", "pump-01=x/y", "pump-01=2026-12-05T06:30:00Z/2026-12-05T04:30:00Z"]
        {
            assert!(bad.parse::<NamedDevice>().is_err(), "{bad}");
        }
    }
}
