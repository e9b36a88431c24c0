//! The tree installer on real files, with real child processes, and killed.

use super::*;
use crate::child::Argv;
use crate::samples::{self, Hand};
use patchward_protocol::tree::{FileMode, LinkTarget, TreePath, TreeWriter};
use patchward_protocol::tuf::custom::Kind;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const FILES: usize = 12;

/// A tree of one version: many small files, a program, a link.
fn archive(version: &str) -> Vec<u8> {
    let mut writer = TreeWriter::new(Vec::new());
    let path = |text: &str| TreePath::new(text).unwrap();
    let script = format!("#!/bin/sh\necho {version}\n");
    writer.dir(&path("bin")).unwrap();
    let (mode, length) = (FileMode::Executable, storage::length(script.as_bytes()));
    writer.file(&path("bin/pump"), mode, length, &mut script.as_bytes()).unwrap();
    writer.dir(&path("data")).unwrap();
    for n in 0..FILES {
        let text = format!("{version} {n}").repeat(400);
        let (mode, length) = (FileMode::Plain, storage::length(text.as_bytes()));
        writer.file(&path(&format!("data/{n:03}")), mode, length, &mut text.as_bytes()).unwrap();
    }
    let link = path("pump");
    writer.symlink(&link, &LinkTarget::new(&link, "bin/pump").unwrap()).unwrap();
    writer.finish().unwrap().0
}

fn image(archive: &[u8], seq: u64) -> Verified<ImageTarget> {
    samples::image(Kind::Tree, seq, archive, storage::length(archive))
}

struct Device {
    folder: TempDir,
    clock: Hand,
}

impl Device {
    /// A device with version 1 from the factory.
    fn new() -> Self {
        let device = Self { folder: tempfile::tempdir().unwrap(), clock: Hand::default() };
        let old = archive("one");
        let digest = Sha256Digest::of(&old);
        let versions = device.root().join("versions");
        std::fs::create_dir_all(&versions).unwrap();
        unpack(&device.download(&old), &versions.join(digest.to_string())).unwrap();
        device.point("current", digest);
        device
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("pump")
    }

    fn point(&self, link: &str, digest: Sha256Digest) {
        let target = Path::new("versions").join(digest.to_string());
        pointer::point(&self.root().join(link), &target).unwrap();
    }

    fn installer_with(&self, restart: &str, boot_id: &str) -> TreeInstaller<Hand> {
        let argv = ["/bin/sh", "-c", restart].map(str::to_owned).to_vec();
        let settings = TreeSettings {
            root: self.root(),
            restart: Argv::new(argv).unwrap(),
            restart_limit: Duration::from_secs(20),
        };
        TreeInstaller::new(settings, self.clock.clone(), boot_id)
    }

    fn installer(&self) -> TreeInstaller<Hand> {
        self.installer_with("exit 0", "boot-1")
    }

    fn download(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("download");
        write_durably(&path, bytes).unwrap();
        path
    }

    fn says(&self) -> String {
        let said = Command::new(self.root().join("current/pump")).output().unwrap();
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    fn versions(&self) -> usize {
        std::fs::read_dir(self.root().join("versions")).unwrap().count()
    }

    async fn staged(&self, version: &str, seq: u64) -> Verified<ImageTarget> {
        let archive = archive(version);
        let image = image(&archive, seq);
        self.installer().stage(&image, &self.download(&archive)).await.unwrap();
        image
    }

    async fn update(&self, version: &str, seq: u64) -> Verified<ImageTarget> {
        let image = self.staged(version, seq).await;
        let mut installer = self.installer();
        installer.check_staged(&image).await.unwrap();
        installer.arm().await.unwrap();
        let permit = samples::permit(Kind::Tree, &image, &self.clock).await;
        installer.activate(permit).await.unwrap();
        assert_eq!(installer.restart().await.unwrap(), Restart::Done);
        image
    }
}

fn content(image: &ImageTarget) -> Content {
    Content::Image(image.firmware.payload.image_sha256)
}

#[tokio::test]
async fn an_update_makes_the_new_tree_run_and_keeps_the_last_good_one() {
    let device = Device::new();
    assert_eq!(device.says(), "one");
    let two = device.update("two", 2).await;
    assert_eq!(device.says(), "two");
    let observed = device.installer().observe().await.unwrap();
    assert_eq!(observed, Observed { running: content(&two), next: content(&two) });
    device.installer().keep().await.unwrap();
    assert_eq!(device.versions(), 2);
    device.update("three", 3).await;
    device.installer().keep().await.unwrap();
    assert_eq!((device.says(), device.versions()), ("three".into(), 2));
    device.installer().go_back().await.unwrap();
    assert_eq!(device.says(), "two");
}

#[tokio::test]
async fn going_back_may_be_repeated_and_discard_removes_the_new_version() {
    let device = Device::new();
    device.update("two", 2).await;
    let mut installer = device.installer();
    for _ in 0..2 {
        installer.go_back().await.unwrap();
        assert_eq!(device.says(), "one");
    }
    installer.discard().await.unwrap();
    assert_eq!((device.says(), device.versions()), ("one".into(), 1));
}

#[tokio::test]
async fn staging_and_arming_change_nothing_that_runs() {
    let device = Device::new();
    let before = device.installer().observe().await.unwrap();
    device.staged("two", 2).await;
    device.installer().arm().await.unwrap();
    assert_eq!(device.installer().observe().await.unwrap(), before);
    device.installer().discard().await.unwrap();
    assert_eq!((device.says(), device.versions()), ("one".into(), 1));
}

#[tokio::test]
async fn between_activation_and_restart_the_old_one_runs_and_after_a_boot_the_new_one() {
    let device = Device::new();
    let mut installer = device.installer();
    installer.restart().await.unwrap();
    let one = installer.observe().await.unwrap().running;
    let two = device.staged("two", 2).await;
    installer.arm().await.unwrap();
    let permit = samples::permit(Kind::Tree, &two, &device.clock).await;
    installer.activate(permit).await.unwrap();
    let expected = Observed { running: one, next: content(&two) };
    assert_eq!(installer.observe().await.unwrap(), expected);
    let mut after_boot = device.installer_with("exit 0", "boot-2");
    assert_eq!(after_boot.observe().await.unwrap().running, content(&two));
}

#[tokio::test]
async fn a_device_that_was_never_restarted_by_the_agent_runs_the_old_one_after_an_activation() {
    let device = Device::new();
    let one = device.installer().observe().await.unwrap().running;
    let two = device.staged("two", 2).await;
    let mut installer = device.installer();
    installer.arm().await.unwrap();
    installer.activate(samples::permit(Kind::Tree, &two, &device.clock).await).await.unwrap();
    let expected = Observed { running: one, next: content(&two) };
    assert_eq!(device.installer().observe().await.unwrap(), expected);
}

#[tokio::test]
async fn a_restart_that_fails_leaves_unknown_what_runs() {
    let device = Device::new();
    for restart in ["exit 3", "kill -9 $$"] {
        let mut installer = device.installer_with(restart, "boot-1");
        let failed = installer.restart().await.unwrap_err();
        assert_eq!(failed.reason, Reason::RestartFailed);
        assert_eq!(installer.observe().await.unwrap().running, Content::Unknown);
    }
}

#[tokio::test]
async fn a_permit_that_is_over_activates_nothing() {
    let device = Device::new();
    let two = device.staged("two", 2).await;
    let mut installer = device.installer();
    installer.arm().await.unwrap();
    let permit = samples::permit(Kind::Tree, &two, &device.clock).await;
    device.clock.forward(60_000);
    let refused = installer.activate(permit).await.unwrap_err();
    assert_eq!(refused.reason, Reason::InterlockSilent);
    assert_eq!(device.says(), "one");
}

#[tokio::test]
async fn a_device_without_a_version_has_no_way_back_and_is_not_armed() {
    let device = Device::new();
    std::fs::remove_file(device.root().join("current")).unwrap();
    let refused = device.installer().arm().await.unwrap_err();
    assert_eq!(refused.reason, Reason::InstallFailed);
    let refused = device.installer().go_back().await.unwrap_err();
    assert_eq!(refused.reason, Reason::RollbackFailed);
}

#[tokio::test]
async fn another_archive_than_the_signed_one_is_refused_and_removed() {
    let device = Device::new();
    let image = image(&archive("two"), 2);
    let whole = archive("two");
    let cut = &whole[..whole.len() - 600];
    let mut odd = whole.clone();
    odd[0] ^= 1;
    for (bytes, reason) in [
        (archive("other").as_slice(), Reason::DownloadMismatch),
        (cut, Reason::TreeMalformed),
        (&odd, Reason::TreeMalformed),
        (b"", Reason::TreeMalformed),
    ] {
        let refused = device.installer().stage(&image, &device.download(bytes)).await.unwrap_err();
        assert_eq!(refused.reason, reason, "{}", refused.chain());
        assert_eq!(device.versions(), 1);
    }
}

#[tokio::test]
async fn the_active_version_is_never_unpacked_anew() {
    let device = Device::new();
    let one = image(&archive("one"), 2);
    let download = device.download(&archive("one"));
    device.installer().stage(&one, &download).await.unwrap();
    write_durably(&device.root().join("current/data/001"), b"changed").unwrap();
    let found = device.installer().stage(&one, &download).await.unwrap_err();
    assert_eq!((found.reason, device.says()), (Reason::ImageMismatch, "one".into()));
}

#[tokio::test]
async fn too_little_room_is_told_before_anything_is_written() {
    let device = Device::new();
    let archive = archive("two");
    let image = samples::image(Kind::Tree, 2, &archive, 1 << 60);
    let refused = device.installer().stage(&image, &device.download(&archive)).await.unwrap_err();
    assert_eq!(refused.reason, Reason::DiskFull);
    assert_eq!(device.versions(), 1);
}

#[tokio::test]
async fn any_change_of_the_staged_tree_is_found() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 10] = [
        ("a byte", |tree| write_durably(&tree.join("data/001"), b"x").unwrap()),
        ("a missing file", |tree| std::fs::remove_file(tree.join("data/002")).unwrap()),
        ("a new file", |tree| write_durably(&tree.join("data/new"), b"").unwrap()),
        ("an empty folder", |tree| std::fs::create_dir(tree.join("empty")).unwrap()),
        ("a mode", |tree| mode(&tree.join("bin/pump"), 0o644)),
        ("setuid", |tree| mode(&tree.join("bin/pump"), 0o4755)),
        ("a folder's mode", |tree| mode(&tree.join("bin"), 0o777)),
        ("a link", |tree| pointer::point(&tree.join("pump"), Path::new("data/001")).unwrap()),
        ("a link that leaves", |tree| {
            pointer::point(&tree.join("pump"), Path::new("/bin/sh")).unwrap();
        }),
        ("a second name", |tree| {
            std::fs::hard_link(tree.join("data/003"), tree.join("../../alias")).unwrap();
        }),
    ];
    for (what, change) in changes {
        let device = Device::new();
        let two = device.staged("two", 2).await;
        let mut installer = device.installer();
        installer.check_staged(&two).await.unwrap();
        change(&installer.version(two.firmware.payload.image_sha256));
        let found = installer.check_staged(&two).await.unwrap_err();
        assert_eq!(found.reason, Reason::ImageMismatch, "{what}: {}", found.chain());
        // Staging again mends it.
        installer.stage(&two, &device.download(&archive("two"))).await.unwrap();
        installer.check_staged(&two).await.unwrap();
    }
}

fn mode(path: &Path, bits: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(bits)).unwrap();
}

#[tokio::test]
async fn what_a_crash_left_behind_does_not_stop_staging() {
    let device = Device::new();
    let two = image(&archive("two"), 2);
    let beside = device.installer().version(two.firmware.payload.image_sha256);
    let beside = beside.with_extension("new");
    std::fs::create_dir_all(beside.join("half")).unwrap();
    device.staged("two", 2).await;
    assert!(!beside.exists());
}

const CRASH_FOLDER: &str = "PATCHWARD_TEST_CRASH_TREE";

/// Updates, goes back and discards for ever, in a child of the next test.
#[tokio::test]
async fn crash_child() {
    #[allow(clippy::disallowed_methods, reason = "how the parent test tells its child the folder")]
    let Some(folder) = std::env::var_os(CRASH_FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let argv = Argv::new(vec!["/bin/true".into()]).unwrap();
    let restart_limit = Duration::from_secs(20);
    let settings = TreeSettings { root: folder.join("pump"), restart: argv, restart_limit };
    let clock = Hand::default();
    let mut installer = TreeInstaller::new(settings, clock.clone(), "boot-1");
    let two = image(&archive("two"), 2);
    loop {
        installer.stage(&two, &folder.join("download")).await.unwrap();
        installer.arm().await.unwrap();
        installer.activate(samples::permit(Kind::Tree, &two, &clock).await).await.unwrap();
        installer.go_back().await.unwrap();
        installer.discard().await.unwrap();
    }
}

/// How far the child has come, from what stands on the disk.
fn progress(root: &Path) -> usize {
    let unpacked = std::fs::read_dir(root.join("versions"))
        .unwrap()
        .filter_map(Result::ok)
        .filter(|entry| entry.path().extension().is_some())
        .filter_map(|entry| std::fs::read_dir(entry.path().join("data")).ok())
        .map(|files| files.count())
        .sum::<usize>();
    let armed = usize::from(root.join("previous").exists());
    unpacked + armed * FILES
}

#[tokio::test]
async fn killed_at_any_moment_the_old_or_the_new_tree_is_active_and_whole() {
    let device = Device::new();
    device.download(&archive("two"));
    let two = image(&archive("two"), 2);
    let one = Sha256Digest::of(&archive("one"));
    for n in 0..16 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "install::tree::tests::crash_child", "--nocapture"])
            .env(CRASH_FOLDER, device.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wanted = n * 2 * FILES / 16;
        while progress(&device.root()) < wanted {
            assert!(child.try_wait().unwrap().is_none(), "the child must run until it is killed");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut installer = device.installer();
        let next = installer.observe().await.unwrap().next;
        assert!(next == Content::Image(one) || next == content(&two), "{next:?}");
        let Content::Image(digest) = next else { panic!("nothing is active") };
        assert_eq!(digest_of(&installer.version(digest)).unwrap().0, digest);
        // From there the update can be made, and everything begins anew.
        if digest == one {
            device.update("two", 2).await;
        }
        installer.check_staged(&two).await.unwrap();
        device.point("previous", one);
        installer.go_back().await.unwrap();
        installer.discard().await.unwrap();
        std::fs::remove_file(device.root().join("previous")).unwrap();
    }
}

#[tokio::test]
async fn an_archive_that_came_by_windows_is_unpacked_like_a_download() {
    let device = Device::new();
    let archive = archive("two");
    let image = image(&archive, 2);
    let mut installer = device.installer();
    let place = installer.prepare(&image).await.unwrap();
    let path = place.path().to_owned();
    let early = installer.seal(&image).await.unwrap_err();
    assert!(matches!(early.reason, Reason::TreeMalformed | Reason::DownloadMismatch));
    write_durably(&path, &archive).unwrap();
    installer.seal(&image).await.unwrap();
    installer.check_staged(&image).await.unwrap();
    installer.arm().await.unwrap();
    let permit = samples::permit(Kind::Tree, &image, &device.clock).await;
    installer.activate(permit).await.unwrap();
    installer.restart().await.unwrap();
    assert_eq!(device.says(), "two");
    installer.keep().await.unwrap();
    assert!(!path.exists(), "the archive goes when the new version stays");
}

#[tokio::test]
async fn the_old_archive_is_rebuilt_byte_for_byte_and_removed_before_unpacking() {
    use patchward_protocol::delta::apply::Base as _;
    let device = Device::new();
    let (old, new) = (archive("one"), archive("two"));
    let (digest, length) = (Sha256Digest::of(&old), storage::length(&old));
    let mut installer = device.installer();
    let mut whole = vec![0; old.len()];
    installer.base(digest, length).await.unwrap().read_at(0, &mut whole).unwrap();
    assert_eq!(whole, old);
    let rebuilt = device.root().join(format!("spool/{digest}.base"));
    assert!(rebuilt.exists());
    installer.base(digest, length).await.unwrap();
    let image = image(&new, 2);
    let place = installer.prepare(&image).await.unwrap();
    write_durably(place.path(), &new).unwrap();
    installer.seal(&image).await.unwrap();
    assert!(!rebuilt.exists());
}

#[tokio::test]
async fn of_a_tree_that_was_changed_or_has_no_room_there_is_no_old_archive() {
    let device = Device::new();
    let old = archive("one");
    let (digest, length) = (Sha256Digest::of(&old), storage::length(&old));
    let mut installer = device.installer();
    // Longer or shorter than it was said to be.
    for said in [length - 1, length + 1, 0] {
        let refused = installer.base(digest, said).await;
        let reason = refused.map(drop).map_err(|failure| failure.reason);
        assert!(matches!(reason, Err(Reason::ImageMismatch | Reason::StorageFailed)), "{said}");
    }
    let room = installer.base(digest, u64::MAX / 4).await.unwrap_err();
    assert_eq!(room.reason, Reason::DiskFull);
    let file = device.root().join("current/data/003");
    write_durably(&file, b"changed").unwrap();
    assert_eq!(installer.base(digest, length).await.unwrap_err().reason, Reason::ImageMismatch);
    let left = std::fs::read_dir(device.root().join("spool")).unwrap().count();
    assert_eq!(left, 0, "nothing of it is left");
}

#[tokio::test]
async fn a_link_in_place_of_the_archive_is_not_followed() {
    let device = Device::new();
    let image = image(&archive("two"), 2);
    let outside = device.folder.path().join("outside");
    std::fs::create_dir_all(device.root().join("spool")).unwrap();
    let name = format!("spool/{}.image", image.firmware.payload.image_sha256);
    std::os::unix::fs::symlink(&outside, device.root().join(name)).unwrap();
    assert!(device.installer().prepare(&image).await.is_err());
    assert!(!outside.exists());
}
