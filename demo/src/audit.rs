//! The auditor's part: both hospitals' records are exported, checked offline, and one is tampered with.
//!
//! Invariant: what passes was checked by the command line without a server.

use crate::cast::Cast;
use crate::table::Table;
use anyhow::{Context as _, Result, bail};
use patchward_tests::image::put;

/// The file that an auditor gets.
const RECORD: &str = "record.zip";

/// Tells it.
pub(crate) fn tell(table: &mut Table, cast: &Cast) -> Result<()> {
    table.step("records exported, verified", || export(cast))?;
    table.step("a changed record fails", || tamper(cast))
}

fn export(cast: &Cast) -> Result<((), String)> {
    let mut sizes = Vec::new();
    for hospital in &cast.hospitals {
        let said = hospital.export_and_verify(RECORD)?;
        let entries = said.get("size").and_then(serde_json::Value::as_u64);
        let rollbacks = said.get("rollbacks").and_then(serde_json::Value::as_u64);
        sizes.push(format!(
            "{}: {} entries, {} rollbacks",
            hospital.site,
            entries.context("how many entries")?,
            rollbacks.context("how many rollbacks")?
        ));
    }
    Ok(((), format!("{}; proofs, signatures and chains hold offline", sizes.join(", "))))
}

/// One bit of the export is turned.
fn tamper(cast: &Cast) -> Result<((), String)> {
    let hospital = cast.hospitals.first().context("a hospital")?;
    let file = hospital.desk.place(RECORD);
    let mut bytes = std::fs::read(&file).context("read the export")?;
    let middle = bytes.len() / 3;
    let Some(byte) = bytes.get_mut(middle) else { bail!("the export is empty") };
    *byte ^= 1;
    let changed = hospital.desk.place("record-changed.zip");
    put(&changed, &bytes)?;
    let said = hospital.desk.attempt(&mut hospital.verifying(&changed))?;
    if said.status.success() {
        bail!("a changed record passes: {}", said.out);
    }
    let refusal: serde_json::Value = serde_json::from_str(&said.err).context("why it fails")?;
    let word = |field| refusal.get(field).and_then(serde_json::Value::as_str);
    let (code, detail) = (word("error").context("a code")?, word("detail").unwrap_or_default());
    Ok(((), format!("one bit turned: {code}: {detail}")))
}
