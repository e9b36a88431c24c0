//! Running other programs: shown, read, or both.
//!
//! Invariant: a program that fails is an error that names the whole command line.

use anyhow::{Context as _, Result, bail};
use std::{
    io::{Read as _, Write as _},
    process::{Command, ExitStatus, Stdio},
};

/// Bytes taken from a child at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Runs and lets it print; fails when the program fails.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let line = line_of(command);
    println!("    $ {line}");
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("start {line}"))?;
    succeeded(&line, status)
}

/// Runs silently and returns what it printed; its error output is part of the failure.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let line = line_of(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {line}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{line}: {}\n{}", output.status, said.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs, shows what it prints as it comes, and returns it with the outcome.
pub(crate) fn show_and_read(command: &mut Command) -> Result<(ExitStatus, String)> {
    let line = line_of(command);
    println!("    $ {line}");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {line}"))?;
    let mut text = Vec::new();
    if let Some(mut output) = child.stdout.take() {
        let mut piece = [0_u8; PIECE_BYTES];
        loop {
            let count = output.read(&mut piece).with_context(|| format!("read from {line}"))?;
            let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            text.extend_from_slice(bytes);
            let mut shown = std::io::stdout().lock();
            shown.write_all(bytes).and_then(|()| shown.flush()).context("show output")?;
        }
    }
    let status = child.wait().with_context(|| format!("wait for {line}"))?;
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}

/// The command line as a person would type it.
pub(crate) fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn succeeded(line: &str, status: ExitStatus) -> Result<()> {
    if status.success() { Ok(()) } else { bail!("{line}: {status}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo broken >&2; exit 3"]);
        let error = read(&mut command).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("broken"), "{error}");
    }

    #[test]
    fn shown_output_is_also_returned() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; exit 1"]);
        let (status, text) = show_and_read(&mut command).unwrap();
        assert_eq!((status.success(), text.as_str()), (false, "one\ntwo\n"));
    }
}
