//! Bad input: a clear message with a code and what to do, for each line of the list.

use anyhow::Result;
use patchward_protocol::api::token::{MakeToken, MakeTokenRequest, RevokeToken, Scope, WhoAmI};
use patchward_protocol::id::FamilyId;
use patchward_protocol::reason::Reason;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::Programs;
use patchward_tests::desk::Desk;
use patchward_tests::device::Device;
use patchward_tests::image::Recipe;
use patchward_tests::running::{Said, run};
use patchward_tests::scene::{Scene, Stage};
use patchward_tests::server::QUICK;
use patchward_tests::turned_clock::TurnedClock;
use patchward_tests::world::World;
use serde_json::Value;
use std::process::Command;

/// The code and the hints of a refusal of the command line.
fn refusal(said: &Said) -> Result<(String, String)> {
    assert!(!said.status.success(), "it said yes: {}", said.out);
    let value: Value = serde_json::from_str(&said.err)
        .map_err(|error| anyhow::anyhow!("{error}: {}{}", said.out, said.err))?;
    for hint in ["hint_en", "hint_ja"] {
        assert!(value[hint].as_str().is_some_and(|hint| hint.len() > 10), "{value}");
    }
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    Ok((text("error"), text("detail")))
}

fn desk(folder: &tempfile::TempDir) -> Result<Desk> {
    Desk::new(Programs::for_tests()?, folder.path())
}

#[test]
fn a_wrong_passphrase_and_a_damaged_key_file_are_told_apart() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let desk = desk(&folder)?;
    let key = desk.make_key("tanaka", "root")?;
    let staged = desk.place("root-v1.stage.json");
    patchward_tests::image::put(&staged, b"{}")?;
    let wrong = desk.place("wrong.txt");
    patchward_tests::image::put(&wrong, b"not the passphrase\n")?;
    let mut import = desk.command(["key", "import"]);
    import.arg(&key.key).arg("--from-passphrase-file").arg(&wrong);
    import.args(["--person", "tanaka", "--passphrase-file"]).arg(&key.passphrase);
    import.arg("--out").arg(desk.place("again.key"));
    let (code, detail) = refusal(&desk.attempt(&mut import)?)?;
    assert_eq!(code, "passphrase_wrong", "{detail}");
    let text = std::fs::read_to_string(&key.key)?;
    patchward_tests::image::put(&key.key, text.replacen("MI", "!!", 1).as_bytes())?;
    let mut import = desk.command(["key", "import"]);
    import.arg(&key.key).arg("--from-passphrase-file").arg(&key.passphrase);
    import.args(["--person", "tanaka", "--passphrase-file"]).arg(&key.passphrase);
    import.arg("--out").arg(desk.place("again.key"));
    let (code, detail) = refusal(&desk.attempt(&mut import)?)?;
    assert_eq!(code, "key_file_corrupt", "{detail}");
    Ok(())
}

#[test]
fn a_wrong_configuration_of_the_server_is_told_with_its_line() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("server.toml");
    patchward_tests::image::put(&config, b"poll_s = 60\npol_s = 5\n")?;
    let mut command = Command::new(Programs::for_tests()?.server());
    command.arg("check-config").arg("--data").arg(folder.path()).arg("--config").arg(&config);
    let said = run(&mut command)?;
    assert!(!said.status.success());
    assert!(said.err.contains("line 2") && said.err.contains("pol_s"), "{}", said.err);
    Ok(())
}

#[test]
fn a_server_that_is_not_there_is_told_with_what_to_do() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let desk = desk(&folder)?;
    let token = desk.place("token.txt");
    patchward_tests::image::put(&token, format!("pw_{}\n", "0".repeat(64)).as_bytes())?;
    let mut login = desk.command(["login", "--server", "http://127.0.0.1:1", "--token-file"]);
    let (code, detail) = refusal(&desk.attempt(login.arg(&token))?)?;
    assert_eq!(code, "server_unreachable", "{detail}");
    Ok(())
}

#[test]
fn an_unknown_family_is_told_before_anything_is_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let family = FamilyId::new("acme.known")?;
    let world = World::begin(Programs::for_tests()?, folder.path(), &family, QUICK)?;
    let other = FamilyId::new("acme.unknown")?;
    let recipe = Recipe::small(&other, Kind::Tree, "1.0.0", 1);
    let told = format!("{:#}", world.maker.prepare(&recipe).unwrap_err());
    assert!(told.contains("hint_en") || told.contains("what to do"), "{told}");
    assert!(told.contains("acme.unknown"), "{told}");
    let got = world.server.client()?.get("/tuf/family/acme.unknown/metadata/timestamp.json")?;
    let problem: Value = serde_json::from_slice(&got.body)?;
    assert_eq!((got.status, problem["code"].as_str()), (404, Some("not_found")), "{problem}");
    assert!(problem["title_ja"].as_str().is_some_and(|text| !text.is_ascii()), "{problem}");
    Ok(())
}

#[test]
fn an_upload_over_the_limit_is_refused_with_a_code_and_nothing_is_published() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let family = FamilyId::new("acme.large")?;
    let config = format!("{QUICK}[quota]\nupload_bytes = 1000000\n");
    let world = World::begin(Programs::for_tests()?, folder.path(), &family, &config)?;
    let recipe = Recipe::small(&family, Kind::Tree, "2.0.0", 2);
    let draft = world.maker.prepare(&Recipe { size_bytes: 2_000_000, ..recipe })?;
    let told = format!("{:#}", world.maker.release(&draft).unwrap_err());
    assert!(told.contains("body_too_long") || told.contains("quota_exceeded"), "{told}");
    let got =
        world.server.client()?.get(&format!("/tuf/family/{family}/metadata/2.targets.json"))?;
    assert_eq!(got.status, 404, "targets were published");
    Ok(())
}

#[test]
fn a_missing_field_of_the_dossier_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let desk = desk(&folder)?;
    let family = FamilyId::new("acme.dossier")?;
    let recipe = Recipe::small(&family, Kind::Tree, "2.0.0", 2);
    let text = String::from_utf8(recipe.dossier()?)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("severity")).collect();
    patchward_tests::image::put(&desk.place("dossier.toml"), lines.join("\n").as_bytes())?;
    recipe.write_to(&desk.place("image"))?;
    for name in ["sbom.json", "notes.ja.txt", "notes.en.txt"] {
        patchward_tests::image::put(&desk.place(name), b"{}")?;
    }
    let mut command = desk.command(["release", "prepare", "--image"]);
    command.arg(desk.place("image")).arg("--dossier").arg(desk.place("dossier.toml"));
    command.arg("--sbom").arg(desk.place("sbom.json"));
    command.arg("--notes-ja").arg(desk.place("notes.ja.txt"));
    command.arg("--notes-en").arg(desk.place("notes.en.txt")).arg("--out").arg(desk.place("out"));
    let said = desk.attempt(&mut command)?;
    refusal(&said)?;
    assert!(said.err.contains("severity"), "{}", said.err);
    assert!(!desk.place("out").exists(), "something was written");
    Ok(())
}

#[test]
fn a_revoked_token_and_a_stranger_are_refused_with_a_code() -> Result<()> {
    let stage = Stage::shared()?;
    let scope = Scope::Maker { families: vec![FamilyId::new("acme.token")?] };
    let request = MakeTokenRequest { label: "short".to_owned(), scope, life_s: 60 };
    let administrator = stage.server.administrator()?;
    let made = administrator.must::<MakeToken>(&[], &request)?;
    let holder = stage.server.client()?.with_token(&made.token);
    holder.must::<WhoAmI>(&[], &())?;
    administrator.must::<RevokeToken>(&[&made.id], &())?;
    let refused = holder.call::<WhoAmI>(&[], &())?.unwrap_err();
    assert_eq!((refused.code.code(), refused.status), ("token_invalid", 401));
    let refused = stage.server.client()?.call::<WhoAmI>(&[], &())?.unwrap_err();
    assert_eq!((refused.code.code(), refused.status), ("token_missing", 401));
    Ok(())
}

#[test]
fn a_wrong_configuration_of_the_agent_is_told_with_its_line() -> Result<()> {
    let scene = Scene::begin("badconfig")?;
    scene.device.reconfigure("poll_s = 1", "pol_s = 1")?;
    let mut command = Command::new(Programs::for_tests()?.agent());
    let said = run(command.arg("check-config").arg(scene.device.config_file()))?;
    assert!(!said.status.success());
    let told = format!("{}{}", said.out, said.err);
    assert!(told.contains("line ") && told.contains("pol_s"), "{told}");
    Ok(())
}

#[test]
fn a_used_enrolment_token_is_refused_with_what_to_do() -> Result<()> {
    let scene = Scene::begin("usedtoken")?;
    let folder = scene.stage.folder().join("device-second");
    let root = scene.family.root_file()?;
    let programs = Programs::for_tests()?;
    let second = Device::from_factory(programs, &folder, "pump-second", &scene.factory, &root)?;
    let used = std::fs::read(scene.device.folder.join("pack.json"))?;
    let used = patchward_protocol::pack::EnrolmentPack::read(&used)?;
    let said = run(&mut second.enrolment(&used)?)?;
    assert!(!said.status.success());
    let told = format!("{}{}", said.out, said.err);
    assert!(told.contains("enrolment_token"), "{told}");
    Ok(())
}

#[test]
fn a_clock_in_the_future_starts_nothing_and_the_device_says_so() -> Result<()> {
    let mut scene = Scene::begin("future")?;
    let clock = TurnedClock::on(&scene.device)?;
    clock.turn(14 * 365 * 24 * 3600)?;
    scene.approve()?;
    scene.start()?;
    scene.device.held(Reason::ClockDisagrees)?;
    scene.device.is_unchanged()?;
    scene.device.why(Reason::ClockDisagrees.code()).map(|_| ())
}
