//! Bad input: a clear message with a code and what to do, for each line of the list.

use anyhow::Result;
use patchward_tests::bin::Programs;
use patchward_tests::desk::Desk;
use patchward_tests::running::Said;
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
    let said = patchward_tests::running::run(&mut command)?;
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
