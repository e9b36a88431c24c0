//! The slots installer on real files, with a boot loader made of files, and killed.

use super::*;
use crate::boot::exec::ExecBoot;
use crate::child::Argv;
use crate::journal::write_durably;
use crate::samples::{self, Hand};
use patchward_protocol::tuf::custom::Kind;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const SCRIPT: &str = r#"
cd "$0" || exit 9
echo "$*" >> calls
case "$1" in
get-current) cat current ;;
get-primary) cat primary ;;
set-primary) echo "$2" > primary.new; mv primary.new primary; rm -f "bad-$2" ;;
mark-good) rm -f "bad-$2" ;;
mark-bad) : > "bad-$2" ;;
restart) cp primary current; echo done ;;
*) exit 8 ;;
esac
"#;

struct Device {
    folder: TempDir,
    clock: Hand,
}

fn bytes(text: &str, length: usize) -> Vec<u8> {
    text.bytes().cycle().take(length).collect()
}

fn factory() -> Vec<u8> {
    bytes("factory ", 300_000)
}

impl Device {
    /// A device that runs its factory image from slot A.
    fn new() -> Self {
        let device = Self { folder: tempfile::tempdir().unwrap(), clock: Hand::default() };
        for (name, content) in [
            ("a.img", factory()),
            ("b.img", bytes("old ", 500_000)),
            ("current", b"A\n".to_vec()),
            ("primary", b"A\n".to_vec()),
        ] {
            write_durably(&device.at(name), &content).unwrap();
        }
        device
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn installer(&self) -> SlotsInstaller<Hand, ExecBoot> {
        self.installer_with(self.at("a.img"), self.at("b.img"))
    }

    fn installer_with(&self, a: PathBuf, b: PathBuf) -> SlotsInstaller<Hand, ExecBoot> {
        installer(self.folder.path(), a, b, self.clock.clone())
    }

    fn download(&self, bytes: &[u8]) -> PathBuf {
        let path = self.at("download");
        write_durably(&path, bytes).unwrap();
        path
    }

    fn is_bad(&self, slot: Slot) -> bool {
        self.at(&format!("bad-{slot}")).exists()
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(self.at("calls")).unwrap_or_default()
    }

    fn slot(&self, name: &str, length: usize) -> Vec<u8> {
        std::fs::read(self.at(name)).unwrap()[..length].to_vec()
    }

    async fn staged(&self, seq: u64, bytes: &[u8]) -> Verified<ImageTarget> {
        let image = image(seq, bytes);
        self.installer().stage(&image, &self.download(bytes)).await.unwrap();
        image
    }

    async fn update(&self, seq: u64, bytes: &[u8]) -> Verified<ImageTarget> {
        let image = self.staged(seq, bytes).await;
        let mut installer = self.installer();
        installer.check_staged(&image).await.unwrap();
        installer.arm().await.unwrap();
        let permit = samples::permit(Kind::Slots, &image, &self.clock).await;
        installer.activate(permit).await.unwrap();
        assert_eq!(installer.restart().await.unwrap(), Restart::Done);
        image
    }
}

fn installer(folder: &Path, a: PathBuf, b: PathBuf, clock: Hand) -> SlotsInstaller<Hand, ExecBoot> {
    let words = ["/bin/sh", "-c", SCRIPT, folder.to_str().unwrap()].map(str::to_owned);
    let boot = Argv::new(words.to_vec()).unwrap();
    let boot_limit = Duration::from_secs(20);
    let adapter = ExecBoot::new(boot.clone(), boot_limit);
    let settings = SlotSettings { a, b, spool: folder.join("spool"), boot, boot_limit };
    let first = Some(Sha256Digest::of(&factory()));
    SlotsInstaller::new(settings, adapter, clock, folder.join("slots.json"), first)
}

fn image(seq: u64, bytes: &[u8]) -> Verified<ImageTarget> {
    samples::image(Kind::Slots, seq, bytes, storage::length(bytes))
}

fn content(image: &ImageTarget) -> Content {
    Content::Image(image.firmware.payload.image_sha256)
}

#[tokio::test]
async fn an_update_goes_from_slot_to_slot_and_back_again() {
    let device = Device::new();
    let first = device.installer().observe().await.unwrap();
    assert_eq!(first.running, Content::Image(Sha256Digest::of(&factory())));
    let two = bytes("two ", 400_001);
    let image = device.update(2, &two).await;
    device.installer().keep().await.unwrap();
    let observed = device.installer().observe().await.unwrap();
    assert_eq!(observed, Observed { running: content(&image), next: content(&image) });
    assert_eq!(device.slot("b.img", two.len()), two);
    assert_eq!(device.slot("a.img", 300_000), factory());
    let three = bytes("three ", 200_000);
    let image = device.update(3, &three).await;
    assert_eq!(device.installer().observe().await.unwrap().running, content(&image));
    assert_eq!(device.slot("a.img", three.len()), three);
}

#[tokio::test]
async fn the_inactive_slot_is_unbootable_before_its_first_byte_changes() {
    let device = Device::new();
    let image = image(2, b"new image");
    let missing = device.at("no such download");
    device.installer().stage(&image, &missing).await.unwrap_err();
    assert!(device.is_bad(Slot::B));
    assert_eq!(device.slot("b.img", 500_000), bytes("old ", 500_000));
    device.staged(2, b"new image").await;
    assert!(device.is_bad(Slot::B), "only the activation makes it bootable");
    let observed = device.installer().observe().await.unwrap();
    assert_eq!(observed.next, Content::Image(Sha256Digest::of(&factory())));
}

#[tokio::test]
async fn going_back_may_be_repeated_and_makes_the_new_slot_unbootable() {
    let device = Device::new();
    device.update(2, b"new image").await;
    let mut installer = device.installer();
    for _ in 0..2 {
        installer.go_back().await.unwrap();
        assert_eq!(std::fs::read_to_string(device.at("primary")).unwrap(), "A\n");
        assert!(device.is_bad(Slot::B) && !device.is_bad(Slot::A));
    }
    installer.restart().await.unwrap();
    installer.discard().await.unwrap();
    let observed = installer.observe().await.unwrap();
    assert_eq!(observed.running, Content::Image(Sha256Digest::of(&factory())));
    let refused = installer.go_back().await.unwrap_err();
    assert_eq!(refused.reason, Reason::RollbackFailed);
}

#[tokio::test]
async fn discarding_before_anything_was_staged_keeps_the_other_slot_bootable() {
    let device = Device::new();
    device.installer().discard().await.unwrap();
    assert!(!device.is_bad(Slot::B));
    device.staged(2, b"new image").await;
    device.installer().discard().await.unwrap();
    assert!(device.is_bad(Slot::B));
}

#[tokio::test]
async fn another_image_than_the_signed_one_is_refused() {
    let device = Device::new();
    let image = image(2, b"new image");
    for wrong in [&b"new imagE"[..], b"new imag", b"new image+", b""] {
        let refused = device.installer().stage(&image, &device.download(wrong)).await.unwrap_err();
        assert_eq!(refused.reason, Reason::DownloadMismatch);
        let refused = device.installer().check_staged(&image).await.unwrap_err();
        assert_eq!(refused.reason, Reason::ImageMismatch);
    }
}

#[tokio::test]
async fn a_slot_that_changed_after_staging_is_found() {
    let device = Device::new();
    let image = device.staged(2, b"new image").await;
    device.installer().check_staged(&image).await.unwrap();
    write_durably(&device.at("b.img"), b"New image").unwrap();
    let found = device.installer().check_staged(&image).await.unwrap_err();
    assert_eq!(found.reason, Reason::ImageMismatch);
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_becomes_bootable() {
    let device = Device::new();
    let image = image(2, b"new image");
    let mut installer = device.installer_with(device.at("a.img"), "/dev/full".into());
    let refused = installer.stage(&image, &device.download(b"new image")).await.unwrap_err();
    assert_eq!(refused.reason, Reason::DiskFull);
    assert!(device.is_bad(Slot::B));
}

#[tokio::test]
async fn a_permit_that_is_over_activates_nothing() {
    let device = Device::new();
    let image = device.staged(2, b"new image").await;
    let mut installer = device.installer();
    installer.arm().await.unwrap();
    let permit = samples::permit(Kind::Slots, &image, &device.clock).await;
    device.clock.forward(60_000);
    let refused = installer.activate(permit).await.unwrap_err();
    assert_eq!(refused.reason, Reason::InterlockSilent);
    assert!(!device.calls().contains("set-primary B"));
}

#[tokio::test]
async fn what_is_not_staged_and_armed_is_not_activated() {
    let device = Device::new();
    let other = image(3, b"another image");
    device.staged(2, b"new image").await;
    let mut installer = device.installer();
    let permit = samples::permit(Kind::Slots, &image(2, b"new image"), &device.clock).await;
    let unarmed = installer.activate(permit).await.unwrap_err();
    assert_eq!(unarmed.reason, Reason::InstallFailed);
    installer.arm().await.unwrap();
    let permit = samples::permit(Kind::Slots, &other, &device.clock).await;
    let unstaged = installer.activate(permit).await.unwrap_err();
    assert_eq!(unstaged.reason, Reason::InstallFailed);
    assert!(!device.calls().contains("set-primary B"));
}

#[tokio::test]
async fn torn_records_are_an_error_and_not_the_factory_again() {
    let device = Device::new();
    device.update(2, b"new image").await;
    write_durably(&device.at("slots.json"), b"{").unwrap();
    let refused = device.installer().observe().await.unwrap_err();
    assert_eq!(refused.reason, Reason::JournalUnreadable);
}

const CRASH_FOLDER: &str = "PATCHWARD_TEST_CRASH_SLOTS";
const CRASH_BYTES: u32 = 9 * 1024 * 1024;

/// Stages and discards for ever, in a child of the next test.
#[tokio::test]
async fn crash_child() {
    #[allow(clippy::disallowed_methods, reason = "how the parent test tells its child the folder")]
    let Some(folder) = std::env::var_os(CRASH_FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let (a, b) = (folder.join("a.img"), folder.join("b.img"));
    let mut installer = installer(&folder, a, b, Hand::default());
    let image = image(2, &bytes("new ", usize::try_from(CRASH_BYTES).unwrap()));
    loop {
        installer.stage(&image, &folder.join("download")).await.unwrap();
        installer.discard().await.unwrap();
    }
}

#[tokio::test]
async fn killed_while_writing_the_running_slot_is_whole_and_stays_next() {
    let device = Device::new();
    let new = bytes("new ", usize::try_from(CRASH_BYTES).unwrap());
    device.download(&new);
    for n in 0..8 {
        write_durably(&device.at("b.img"), b"").unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "install::slots::tests::crash_child", "--nocapture"])
            .env(CRASH_FOLDER, device.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wanted = u64::from(CRASH_BYTES / 8 * n);
        while std::fs::metadata(device.at("b.img")).unwrap().len() < wanted.max(1) {
            assert!(child.try_wait().unwrap().is_none(), "the child must run until it is killed");
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let observed = device.installer().observe().await.unwrap();
        let factory_content = Content::Image(Sha256Digest::of(&factory()));
        assert_eq!(observed, Observed { running: factory_content, next: factory_content });
        assert_eq!(device.slot("a.img", 300_000), factory());
        assert!(device.is_bad(Slot::B), "a half-written slot is never bootable");
    }
    let image = image(2, &new);
    device.installer().stage(&image, &device.at("download")).await.unwrap();
    device.installer().check_staged(&image).await.unwrap();
}

#[tokio::test]
async fn a_place_for_windows_is_unbootable_before_it_is_opened_and_staged_only_when_read_back() {
    let device = Device::new();
    let two = bytes("two ", 400_001);
    let image = image(2, &two);
    let mut installer = device.installer();
    let early = installer.seal(&image).await.unwrap_err();
    assert_eq!(early.reason, Reason::InstallFailed, "nothing was prepared");
    let place = installer.prepare(&image).await.unwrap();
    assert!(device.is_bad(Slot::B));
    assert_eq!(place.path(), device.at("b.img"));
    let other = installer.seal(&image).await.unwrap_err();
    assert_eq!(other.reason, Reason::ImageMismatch, "the old bytes still stand there");
    assert!(installer.check_staged(&image).await.is_err());
    let calls = device.calls();
    installer.prepare(&image).await.unwrap();
    let more = device.calls().split_off(calls.len());
    assert!(!more.contains("mark"), "what is unbootable is not marked again: {more}");
    write_durably(&device.at("b.img"), &two).unwrap();
    device.installer().seal(&image).await.unwrap();
    installer.check_staged(&image).await.unwrap();
    // From here on it is an image like any other.
    installer.arm().await.unwrap();
    let permit = samples::permit(Kind::Slots, &image, &device.clock).await;
    installer.activate(permit).await.unwrap();
    assert!(!device.is_bad(Slot::B));
}

#[tokio::test]
async fn preparing_again_after_staging_takes_the_staged_image_back() {
    let device = Device::new();
    let image = device.staged(2, &bytes("two ", 400_001)).await;
    device.installer().prepare(&image).await.unwrap();
    assert!(device.is_bad(Slot::B));
    assert!(device.installer().check_staged(&image).await.is_err());
}

#[tokio::test]
async fn the_running_slot_is_read_as_the_old_image_only_if_it_is_known_to_be_it() {
    use patchward_protocol::delta::apply::Base as _;
    let device = Device::new();
    let mut installer = device.installer();
    let other = installer.base(Sha256Digest::of(b"other"), 10).await.unwrap_err();
    assert_eq!(other.reason, Reason::DeltaBaseUnknown);
    let mut old = installer.base(Sha256Digest::of(&factory()), 300_000).await.unwrap();
    let mut part = vec![0; 1000];
    old.read_at(77_777, &mut part).unwrap();
    assert_eq!(part, factory()[77_777..78_777]);
    assert!(old.read_at(299_999, &mut part).is_err());
}

#[tokio::test]
async fn a_slot_that_cannot_be_opened_is_told_before_anything_is_fetched() {
    let device = Device::new();
    let image = samples::image(Kind::Slots, 2, b"x", 1);
    let mut installer = device.installer_with(device.at("a.img"), "/no/such/folder/b.img".into());
    assert_eq!(installer.prepare(&image).await.unwrap_err().reason, Reason::StorageFailed);
}
