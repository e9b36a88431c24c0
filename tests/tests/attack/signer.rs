//! 32 the second signer is shown a stale base that adds a withdrawn approval again.

use anyhow::{Context as _, Result};
use patchward_protocol::id::FamilyId;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::Programs;
use patchward_tests::desk::text;
use patchward_tests::forge;
use patchward_tests::hospital::{Wish, words};
use patchward_tests::image::{Recipe, put};
use patchward_tests::server::AT_ONCE;
use patchward_tests::world::World;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

#[test]
fn attack_32_a_second_signer_does_not_sign_a_stale_base_that_adds_a_withdrawn_approval_again()
-> Result<()> {
    let folder = tempfile::tempdir()?;
    let family = FamilyId::new("acme.a32")?;
    let world = World::begin(Programs::for_tests()?, folder.path(), &family, AT_ONCE)?;
    let (old, new) = (
        Recipe::small(&family, Kind::Tree, "1.0.0", 1),
        Recipe::small(&family, Kind::Tree, "2.0.0", 2),
    );
    world.maker.release(&world.maker.prepare(&new)?)?;
    let hospital = world.hospital("hospital-32")?;
    let device = world.device(&hospital, "pump-32", &old.release()?)?;
    // In an hour, so that the withdrawal comes before the slot.
    let wish = Wish {
        id: "first".to_owned(),
        family,
        version: "2.0.0".to_owned(),
        devices: vec!["pump-32".to_owned()],
        start_s: 3600,
        length_s: 3600,
    };
    let approved = hospital.approve(&wish)?;
    let with_approval: Value = serde_json::from_slice(&std::fs::read(text(&approved, "staged")?)?)?;
    hospital.withdraw("first")?;

    // Somebody shows the second signer the world of before the withdrawal, as the next version.
    let stale = hospital.desk.place("stale");
    let beside = Path::new(text(&approved, "staged")?).parent().context("its folder")?;
    let copied = Command::new("cp").arg("-a").arg(beside).arg(&stale).status()?;
    anyhow::ensure!(copied.success(), "cp failed");
    let mut draft = with_approval.clone();
    draft["signatures"] = json!([]);
    forge::set(&mut draft, "signed.version", 3);
    forge::set(&mut draft, "signed.x-issued", json!(forge::instant(0)));
    let (base, staged) = (stale.join("2.targets.json"), stale.join("targets-v3.stage.json"));
    put(&base, &forge::write(&with_approval)?)?;
    put(&staged, &forge::write(&draft)?)?;

    let second = hospital.keys.targets.get(1).context("a second signer")?;
    let base = base.to_string_lossy().into_owned();
    // Against what he is shown, his key's own memory speaks; against the server, the server does.
    let shown = (vec!["--against", base.as_str()], ["signer_saw_other", "signer_saw_newer"]);
    let asked = (vec!["--against", "server"], ["stage_base_moved", "signer_saw_other"]);
    for (against, meant) in [shown, asked] {
        let mut more = words("sato", "医療機器安全管理責任者").to_vec();
        more.extend(&against);
        let said = hospital.desk.attempt(&mut hospital.desk.signing(&staged, second, 3, &more))?;
        assert!(!said.status.success(), "signed: {}", said.out);
        let told: Value = serde_json::from_str(&said.err).context("a refusal in JSON")?;
        let code = text(&told, "error")?;
        assert!(meant.contains(&code), "{told}");
    }
    let after: Value = serde_json::from_slice(&std::fs::read(&staged)?)?;
    assert_eq!(after["signatures"], json!([]), "a signature was given");
    device.is_unchanged()
}
