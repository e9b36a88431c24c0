//! What in an image makes deltas large, said at `release prepare`: advice, never a refusal.
//!
//! Layout beats every algorithm: compressed content, and identities and times that change with every
//! build, make two releases differ where nothing was meant to. File systems are recognised by their
//! superblocks; with the previous release's image at hand both are compared. Not here: changing an
//! image (docs/guide/en/images.md says how it is built).
//! Invariant: foreign bytes are only read; a field beyond the end reads as nothing.

mod content;
mod disk;
mod ext;
mod part;
mod system;

use crate::container;
use crate::delta::image::Image;
use crate::error::{Code, Failure, Outcome};
use crate::here::{Here, Language};
use crate::said::Said;
use part::Part;
use patchward_protocol::sentences;
use patchward_protocol::time::Timestamp;
use patchward_protocol::tuf::custom::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use system::{Aspect, System};

/// Before this many seconds have passed, a time in an image is that of its build.
const BUILT_JUST_NOW_S: i64 = 24 * 3600;

sentences! {
    /// What makes deltas large, what it costs, what to do. Figures: the same root file system, two
    /// releases of it, one delta.
    Lint {
        ImageWrapped, "image_wrapped",
            "The image as a whole is compressed: one changed byte changes all bytes after it, and a delta is as large as the image. Release it unpacked; the container packs it.",
            "イメージ全体が圧縮されています。1バイトの変更が後続すべてに及び、差分はイメージと同じ大きさになります。展開したものをリリースしてください。圧縮はコンテナーが行います。";
        SquashfsCompressed, "squashfs_compressed",
            "A compressed squashfs costs 34.1 MB per delta (zstd), an uncompressed one 4.9 MB. Make it with mksquashfs -noI -noD -noF -noX; the container packs it.",
            "圧縮したsquashfsの差分は34.1 MB(zstd)、無圧縮なら4.9 MBです。mksquashfs -noI -noD -noF -noX で作成してください。圧縮はコンテナーが行います。";
        ErofsCompressed, "erofs_compressed",
            "A compressed erofs costs 11.9 MB per delta (lz4), an uncompressed one 5.3 MB. Make it with mkfs.erofs without -z; the container packs it.",
            "圧縮したerofsの差分は11.9 MB(lz4)、無圧縮なら5.3 MBです。mkfs.erofs を -z なしで実行してください。圧縮はコンテナーが行います。";
        ContentCompressed, "content_compressed",
            "Much of the content is compressed or encrypted: what changes there costs its whole length. Store such files unpacked where you can; the container packs them.",
            "内容の多くが圧縮または暗号化されています。その部分の変更は全長分の差分になります。可能なら展開して格納してください。圧縮はコンテナーが行います。";
        ExtJournal, "ext_journal",
            "The file system has a journal, which a slot that is mounted read-only never needs; once written it makes the device's old image unusable as a base. Make it with mke2fs -O ^has_journal.",
            "ファイルシステムにジャーナルがあります。読み取り専用のスロットには不要で、一度書き込まれると差分の元として使えなくなります。mke2fs -O ^has_journal で作成してください。";
        ExtMounted, "ext_mounted",
            "The file system was mounted for writing after it was made: times and free blocks are of chance. Fill it while it is made, with mke2fs -d or debugfs.",
            "作成後に書き込み可能でマウントされています。時刻や空きブロックが偶然の値になります。mke2fs -d または debugfs で作成と同時に内容を入れてください。";
        ExtInodeTimes, "ext_inode_times",
            "Files carry the times at which they were copied (ctime, crtime), which change with every build: some KB to MB per delta. Fill with debugfs under E2FSPROGS_FAKE_TIME, as the guide shows.",
            "ファイルに複写時の時刻(ctime、crtime)が残り、作成のたびに変わります(差分ごとに数KBから数MB)。手引きのとおり E2FSPROGS_FAKE_TIME を設定した debugfs で内容を入れてください。";
        TimeOfBuild, "time_of_build",
            "The file system carries the time of its build. Give a fixed time that never changes (E2FSPROGS_FAKE_TIME; mksquashfs -mkfs-time -all-time; mkfs.erofs -T).",
            "ファイルシステムに作成時刻が残っています。常に同じ時刻を指定してください(E2FSPROGS_FAKE_TIME、mksquashfs -mkfs-time -all-time、mkfs.erofs -T)。";
        TimeChanged, "time_changed",
            "A time in the file system changed since the previous release, and with it every place that holds it. Give the same fixed time for every release.",
            "ファイルシステム内の時刻が前回のリリースから変わっています。すべてのリリースで同じ時刻を指定してください。";
        UuidChanged, "uuid_changed",
            "The UUID of the file system changed since the previous release; with metadata checksums every block of metadata changes with it. Give the same UUID for every release (mke2fs -U, mkfs.erofs -U).",
            "ファイルシステムのUUIDが前回のリリースから変わっています。メタデータのチェックサムがあると、すべてのメタデータが変わります。毎回同じUUIDを指定してください(mke2fs -U、mkfs.erofs -U)。";
        HashSeedChanged, "hash_seed_changed",
            "The hash seed of the file system changed since the previous release: every large folder is laid out anew. Give the same for every release (mke2fs -E hash_seed=UUID).",
            "ファイルシステムのハッシュシードが前回のリリースから変わり、大きなフォルダーの配置がすべて変わります。毎回同じ値を指定してください(mke2fs -E hash_seed=UUID)。";
        DiskIdChanged, "disk_id_changed",
            "An identity of disk or partition changed since the previous release. Give the same for every release (sgdisk -U and -u, sfdisk label-id and uuid).",
            "ディスクまたはパーティションの識別子が前回のリリースから変わっています。毎回同じ値を指定してください(sgdisk -U と -u、sfdisk の label-id と uuid)。";
        VolumeSerialChanged, "volume_serial_changed",
            "The serial number of a FAT volume changed since the previous release. Give the same for every release (mkfs.fat -i, --invariant).",
            "FATボリュームのシリアル番号が前回のリリースから変わっています。毎回同じ値を指定してください(mkfs.fat -i、--invariant)。";
        SystemChanged, "system_changed",
            "Kind or block length of the file system changed since the previous release: this one delta will be large, the later ones not.",
            "ファイルシステムの種類またはブロック長が前回のリリースから変わっています。今回の差分だけ大きくなります。";
    }
}

/// Something that makes deltas large.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub lint: Lint,
    /// Where in the image.
    pub place: String,
    /// The particulars.
    pub detail: String,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order of the image.
    pub findings: Vec<Finding>,
    /// What the image was compared with.
    pub compared: Compared,
}

/// Whether the previous image was at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// It was.
    WithPrevious,
    /// It was not, though there is something that could be compared.
    NotAtHand,
    /// There is nothing to compare.
    NothingToCompare,
}

/// What findings do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LintWord {
    /// They are said
    Warn,
    /// They end the program with an exit status, for automatic builds
    Deny,
}

/// How an image is looked at.
#[derive(Debug, Clone, clap::Args)]
pub struct LintWords {
    /// The previous release's image: a file, or its full container (.pwd)
    #[arg(long, value_name = "PATH")]
    pub previous: Option<PathBuf>,
    /// What findings about the image do
    #[arg(long, value_enum, default_value = "warn")]
    pub lint: LintWord,
}

/// Arguments of `release lint`.
#[derive(Debug, clap::Args)]
pub struct LintArgs {
    /// Image file (slots) or folder (tree)
    pub image: PathBuf,
    /// How it is looked at
    #[command(flatten)]
    pub words: LintWords,
}

/// `release lint`: looks at an image without preparing a release.
///
/// # Errors
/// [`Code::LintDenied`]; failures of reading.
pub fn lint(here: &Here, args: &LintArgs) -> Outcome<Said> {
    let scratch = std::env::temp_dir();
    let kind = crate::image::kind_of(&args.image)?;
    let opened = container::open(&args.image, kind, &scratch)?;
    let report = look(here, &args.image, &opened.file, kind, &args.words, &scratch)?;
    let none = here.language.pick("nothing found", "指摘はありません");
    let said = Said::new(json!({"lint": report.value(), "compared": report.was_compared()}));
    let said = if report.findings.is_empty() { said.line(none) } else { said };
    Ok(said.lines(report.lines(here.language)))
}

/// Looks at an image.
///
/// # Errors
/// [`Code::LintDenied`] when findings are denied; failures of reading.
pub fn look(
    here: &Here,
    path: &Path,
    image: &std::fs::File,
    kind: Kind,
    words: &LintWords,
    scratch: &Path,
) -> Outcome<Report> {
    let part = Part::whole(path, image)?;
    let before = match (&words.previous, kind) {
        (Some(previous), Kind::Slots) => {
            let image = Image::open(here, previous, scratch)?;
            Some(systems(&Part::whole(previous, &image.file)?)?)
        }
        (Some(_), Kind::Tree) | (None, _) => None,
    };
    let now = match kind {
        Kind::Slots => systems(&part)?,
        Kind::Tree => Vec::new(),
    };
    let mut findings: Vec<Finding> = content::wrapped(&part)?.into_iter().collect();
    findings.extend(now.iter().flat_map(|system| system.findings.iter().cloned()));
    let packed = [Lint::ImageWrapped, Lint::SquashfsCompressed, Lint::ErofsCompressed];
    if !findings.iter().any(|finding| packed.contains(&finding.lint)) {
        findings.extend(content::entropy(here, &part)?);
    }
    let compared = match (&before, now.is_empty()) {
        (_, true) => Compared::NothingToCompare,
        (Some(_), false) => Compared::WithPrevious,
        (None, false) => Compared::NotAtHand,
    };
    match &before {
        Some(before) => findings.extend(differences(before, &now)),
        None => findings.extend(now.iter().filter_map(|system| built_just_now(here.at, system))),
    }
    let report = Report { findings, compared };
    if words.lint == LintWord::Deny && !report.findings.is_empty() {
        let what = format!("{}: {} findings", path.display(), report.findings.len());
        let problems = report.findings.iter().map(|finding| finding.line(here.language)).collect();
        return Err(Failure::with_problems(Code::LintDenied, what, problems));
    }
    Ok(report)
}

impl Finding {
    fn head(&self) -> String {
        format!("lint[{}] {}: {}", self.lint.code(), self.place, self.detail)
    }

    fn line(&self, language: Language) -> String {
        format!("{}: {}", self.head(), language.pick(self.lint.en(), self.lint.ja()))
    }
}

impl Report {
    /// For people.
    #[must_use]
    pub fn lines(&self, language: Language) -> Vec<String> {
        let mut lines = Vec::new();
        for finding in &self.findings {
            lines.push(format!("! {}", finding.head()));
            lines.push(format!("    {}", language.pick(finding.lint.en(), finding.lint.ja())));
        }
        if self.compared == Compared::NotAtHand {
            let text = language.pick(
                "not compared with the previous release's image: --previous FILE",
                "前回のリリースのイメージとは比較していません: --previous ファイル",
            );
            lines.push(text.to_owned());
        }
        lines
    }

    /// For machines.
    #[must_use]
    pub fn value(&self) -> Value {
        let one = |finding: &Finding| {
            json!({
                "code": finding.lint.code(), "place": finding.place, "detail": finding.detail,
                "en": finding.lint.en(), "ja": finding.lint.ja(),
            })
        };
        Value::Array(self.findings.iter().map(one).collect())
    }

    /// Whether the previous image was at hand.
    #[must_use]
    pub fn was_compared(&self) -> bool {
        self.compared == Compared::WithPrevious
    }
}

/// Disk, partitions and file systems, in the order of the image.
fn systems(image: &Part<'_>) -> Outcome<Vec<System>> {
    let mut found = Vec::new();
    let (table, parts) = disk::partitions(image)?;
    found.extend(table);
    if parts.is_empty() {
        found.extend(system::recognise(image)?);
    }
    for part in &parts {
        found.extend(system::recognise(part)?);
    }
    Ok(found)
}

fn built_just_now(at: Timestamp, system: &System) -> Option<Finding> {
    let now_s = at.millis() / 1000;
    let fresh = |(aspect, value): (&Aspect, &String)| {
        let time_s: i64 = value.parse().ok().filter(|_| aspect.lint() == Lint::TimeChanged)?;
        let age_s = now_s.checked_sub(time_s)?;
        (-BUILT_JUST_NOW_S..BUILT_JUST_NOW_S).contains(&age_s).then(|| {
            let at = Timestamp::from_millis(time_s.saturating_mul(1000));
            format!("{} {at}", aspect.name())
        })
    };
    let fresh: Vec<_> = system.identity.iter().filter_map(fresh).collect();
    (!fresh.is_empty()).then(|| Finding {
        lint: Lint::TimeOfBuild,
        place: system.place.clone(),
        detail: fresh.join(", "),
    })
}

/// What changed, system by system; the order of systems is that of the image.
fn differences(before: &[System], now: &[System]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (old, new) in before.iter().zip(now) {
        let of = |lint, detail| Finding { lint, place: new.place.clone(), detail };
        if old.kind != new.kind || old.block_bytes != new.block_bytes {
            let (from, to) = (old.description(), new.description());
            findings.push(of(Lint::SystemChanged, format!("{from} -> {to}")));
            continue;
        }
        let mut changed: BTreeMap<Lint, Vec<String>> = BTreeMap::new();
        for (aspect, value) in &new.identity {
            let Some(old) = old.identity.get(aspect).filter(|old| *old != value) else { continue };
            let text = format!("{} {old} -> {value}", aspect.name());
            changed.entry(aspect.lint()).or_default().push(text);
        }
        findings.extend(changed.into_iter().map(|(lint, texts)| of(lint, texts.join(", "))));
    }
    findings
}
