//! The idle file: an application touches it while no patient depends on the device.
//!
//! Its time stamp is of the wall clock, which may jump; only that it has changed since the last
//! look counts, and it counts from that last look, on the boot clock. A file that others may write,
//! that is no plain file or that cannot be opened says nothing. Invariant: a file that nobody touches is stale after
//! `fresh`, whatever the wall clock does.

use crate::config::IdleFile;
use rustix::fs::{Mode, OFlags};
use std::os::unix::fs::MetadataExt as _;

/// A file that others may write says nothing.
const OTHERS_WRITE: u32 = 0o002;

/// An idle file that is watched.
#[derive(Debug)]
pub(super) struct IdleWatch {
    settings: IdleFile,
    last: Option<Look>,
    free: Option<Free>,
}

/// What was last seen of it.
#[derive(Debug, Clone, Copy)]
struct Look {
    stamp: Stamp,
    boot_ms: u64,
}

/// What changes when a file is touched or replaced.
type Stamp = (u64, i64, i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Free {
    pub(super) since_boot_ms: u64,
    pub(super) until_boot_ms: u64,
}

impl IdleWatch {
    pub(super) const fn new(settings: IdleFile) -> Self {
        Self { settings, last: None, free: None }
    }

    /// Looks at the file.
    pub(super) fn look(&mut self, boot_ms: u64) {
        let stamp = self.stamp();
        let before = self.last;
        self.last = stamp.map(|stamp| Look { stamp, boot_ms });
        let Some(stamp) = stamp else {
            self.free = None;
            return;
        };
        // The first look says nothing: the touch may be old.
        let Some(before) = before.filter(|before| before.stamp != stamp) else { return };
        let fresh_ms = u64::try_from(self.settings.fresh.as_millis()).unwrap_or(0);
        let until_boot_ms = before.boot_ms.saturating_add(fresh_ms);
        let unbroken = self.free.filter(|free| boot_ms < free.until_boot_ms);
        let since_boot_ms = unbroken.map_or(boot_ms, |free| free.since_boot_ms);
        self.free = Some(Free { since_boot_ms, until_boot_ms });
    }

    /// Since when and until when it says free, at `boot_ms`.
    pub(super) fn free(&self, boot_ms: u64) -> Option<Free> {
        self.free.filter(|free| boot_ms < free.until_boot_ms)
    }

    fn stamp(&self) -> Option<Stamp> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::open(&self.settings.path, flags, Mode::empty()).ok()?;
        let meta = std::fs::File::from(file).metadata().ok()?;
        let closed = meta.mode() & OTHERS_WRITE == 0;
        (meta.is_file() && closed).then(|| (meta.ino(), meta.mtime(), meta.mtime_nsec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    fn watch(path: PathBuf) -> IdleWatch {
        IdleWatch::new(IdleFile { path, fresh: Duration::from_secs(10) })
    }

    /// Touches the file with a time stamp of its own, as a wall clock that is right or wrong would.
    fn touch(path: &Path, seconds: i64) {
        let file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        let mode = std::fs::Permissions::from_mode(0o644);
        file.set_permissions(mode).unwrap();
        let at = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 0 };
        let times = rustix::fs::Timestamps { last_access: at, last_modification: at };
        rustix::fs::futimens(&file, &times).unwrap();
    }

    #[test]
    fn a_file_counts_from_the_look_before_its_touch_was_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("idle");
        let mut file = watch(path.clone());
        file.look(0);
        assert_eq!(file.free(0), None, "absent");
        touch(&path, 100);
        file.look(1000);
        assert_eq!(file.free(1000), None, "nobody saw when it was touched");
        touch(&path, 101);
        file.look(2000);
        let free = Free { since_boot_ms: 2000, until_boot_ms: 11_000 };
        assert_eq!(file.free(2000), Some(free));
        file.look(10_000);
        assert_eq!(file.free(10_999), Some(free));
        assert_eq!(file.free(11_000), None, "stale");
    }

    #[test]
    fn an_unbroken_row_of_touches_settles_and_a_hole_begins_it_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("idle");
        touch(&path, 1);
        let mut file = watch(path.clone());
        for (stamp, boot_ms) in [(1, 0), (2, 4_000), (3, 8_000), (4, 12_000)] {
            touch(&path, stamp);
            file.look(boot_ms);
        }
        assert_eq!(file.free(12_000).unwrap().since_boot_ms, 4_000);
        touch(&path, 5);
        file.look(40_000);
        assert_eq!(file.free(40_000), None, "it may have been touched long ago");
        touch(&path, 6);
        file.look(41_000);
        assert_eq!(file.free(41_000).unwrap().since_boot_ms, 41_000);
        std::fs::remove_file(&path).unwrap();
        file.look(41_001);
        assert_eq!(file.free(41_001), None, "taken away is in use at once");
    }

    #[test]
    fn jumps_of_the_wall_clock_neither_make_it_fresh_nor_keep_it_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("idle");
        touch(&path, 4_000_000_000);
        let mut file = watch(path.clone());
        for boot_ms in [0, 1000, 2000] {
            file.look(boot_ms);
            assert_eq!(file.free(boot_ms), None, "a stamp in the future is no touch");
        }
        touch(&path, 5);
        file.look(3000);
        assert!(file.free(3000).is_some(), "a wall clock that was set back does not matter");
        assert_eq!(file.free(12_000), None);
    }

    #[test]
    fn what_others_may_write_or_is_no_plain_file_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("idle");
        touch(&path, 1);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut linked = watch(link);
        let mut open = watch(path.clone());
        let mut dir = watch(folder.path().to_owned());
        for (stamp, boot_ms) in [(1, 0), (2, 1000), (3, 2000)] {
            touch(&path, stamp);
            let mode = std::fs::Permissions::from_mode(0o666);
            std::fs::set_permissions(&path, mode).unwrap();
            for file in [&mut linked, &mut open, &mut dir] {
                file.look(boot_ms);
                assert_eq!(file.free(boot_ms), None);
            }
        }
    }
}
