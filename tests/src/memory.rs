//! How much memory a process has had at most, and how long it has been on a processor, as the kernel
//! counts it.

use anyhow::{Context as _, Result};

/// Most resident memory that a process ever had (`VmHWM`), in KiB.
///
/// # Errors
/// When there is no such process.
pub fn peak_kib(process_id: u32) -> Result<u64> {
    field(process_id, "VmHWM:")
}

/// Resident memory of a process now (`VmRSS`), in KiB.
///
/// # Errors
/// When there is no such process.
pub fn resident_kib(process_id: u32) -> Result<u64> {
    field(process_id, "VmRSS:")
}

/// How long all threads that a process has now have been on a processor, in nanoseconds.
///
/// # Errors
/// When there is no such process.
pub fn busy_ns(process_id: u32) -> Result<u64> {
    let path = format!("/proc/{process_id}/task");
    let mut all = 0_u64;
    for thread in std::fs::read_dir(&path).with_context(|| format!("read {path}"))?.flatten() {
        // A thread that has ended meanwhile counts no more.
        let text = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        let busy = text.split_whitespace().next().and_then(|number| number.parse().ok());
        all = all.saturating_add(busy.unwrap_or(0));
    }
    Ok(all)
}

fn field(process_id: u32, name: &str) -> Result<u64> {
    let path = format!("/proc/{process_id}/status");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("{path} has no {name}"))
}
