//! The one text of what a person signs for a site: what changes, every approval with its devices and
//! hours, which holes open again, and the digest of the bytes.
//!
//! The console shows it, the command line prints it, paper carries it: the same lines from the same
//! bytes. Not here: what a signer's own machine found out besides.
//! Invariant: the text is made from the bytes that are signed and from nothing that is shown instead.

use super::error::BadDraft;
use super::{approval_text, back, changes, next};
use crate::approval::{Approval, BadApproval};
use crate::digest::Sha256Digest;
use crate::id::{RepositoryId, TargetPath};
use crate::language::Language;
use crate::tuf::build::TargetsSpec;
use crate::tuf::custom::Firmware;
use crate::tuf::role::Role;
use crate::tuf::stage::Staged;
use std::collections::BTreeSet;

/// What is signed for a site.
#[derive(Debug, Clone)]
pub struct Statement<'a> {
    /// The site's repository.
    pub repository: &'a RepositoryId,
    /// The targets that are signed.
    pub targets: &'a TargetsSpec,
    /// The targets that are published.
    pub published: Option<&'a TargetsSpec>,
    /// The new approvals, in the order of their files.
    pub approvals: &'a [Stated],
    /// Digest of the bytes that are signed.
    pub signed_sha256: Sha256Digest,
}

/// A new approval, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// The approval.
    pub approval: Approval,
    /// Digest of its file.
    pub sha256: Sha256Digest,
    /// What the manufacturer says of the release, where that is verified.
    pub release: Option<Firmware>,
    /// Holes that open again.
    pub cves: BTreeSet<String>,
}

/// Why the approvals of targets are not those that the targets name.
#[derive(Debug, thiserror::Error)]
pub enum BadStatement {
    /// Not an approval.
    #[error("{path} is no approval that a device would take")]
    Approval {
        /// Its path.
        path: TargetPath,
        /// Why.
        source: BadApproval,
    },
    /// Its bytes are not those that the targets list.
    #[error("{0} is not the file that is listed")]
    OtherBytes(TargetPath),
    /// It is another site's, or stands under another name.
    #[error("{path} holds {id} of {site}")]
    Misplaced {
        /// Its path.
        path: TargetPath,
        /// What it says that it is.
        id: String,
        /// Whose it says that it is.
        site: String,
    },
}

impl Statement<'_> {
    /// The text, line by line.
    #[must_use]
    pub fn lines(&self, language: Language) -> Vec<String> {
        let mut lines = vec![head(language, self.repository, self.targets.version)];
        lines.extend(changes::lines(language, self.published, self.targets));
        lines.extend(self.approvals.iter().flat_map(|stated| stated.lines(language)));
        lines.extend(signed(language, self.signed_sha256));
        lines
    }
}

impl Stated {
    /// Reads an approval's file and holds it against what the targets list.
    ///
    /// # Errors
    /// [`BadStatement`].
    pub fn read(
        repository: &RepositoryId,
        path: &TargetPath,
        listed: Sha256Digest,
        bytes: &[u8],
    ) -> Result<Self, BadStatement> {
        if Sha256Digest::of(bytes) != listed {
            return Err(BadStatement::OtherBytes(path.clone()));
        }
        let approval = Approval::read(bytes)
            .map_err(|source| BadStatement::Approval { path: path.clone(), source })?;
        let own = RepositoryId::Site(approval.site.clone());
        let named = next::path_of(&approval.id).is_ok_and(|named| named == *path);
        if own != *repository || !named {
            let (id, site) = (approval.id.to_string(), approval.site.to_string());
            return Err(BadStatement::Misplaced { path: path.clone(), id, site });
        }
        Ok(Self { approval, sha256: listed, release: None, cves: BTreeSet::new() })
    }

    /// The approval, what the manufacturer says of its release, and what opens again.
    #[must_use]
    pub fn lines(&self, language: Language) -> Vec<String> {
        let mut lines = approval_text::lines(language, &self.approval, self.sha256);
        if self.approval.release.is_some() {
            lines.extend(approval_text::release_lines(language, self.release.as_ref()));
        }
        lines.extend(back::opens_again(language, &self.cves));
        lines
    }
}

/// What is signed, in one line.
#[must_use]
pub fn head(language: Language, repository: &RepositoryId, version: u64) -> String {
    format!("{repository} {} {} {version}", Role::Targets, language.pick("version", "版"))
}

/// The digest of the bytes and its fingerprint: twelve digits in groups of four.
#[must_use]
pub fn signed(language: Language, sha256: Sha256Digest) -> Vec<String> {
    vec![
        format!("{} {sha256}", language.pick("signed bytes, SHA-256:", "署名対象 SHA-256:")),
        format!("{} {}", language.pick("fingerprint:", "照合コード:"), sha256.fingerprint()),
    ]
}

/// The targets that a staged file says.
///
/// # Errors
/// [`BadDraft::Tuf`].
pub fn targets_of(staged: &Staged) -> Result<TargetsSpec, BadDraft> {
    let document = staged.typed::<crate::tuf::schema::Targets>()?;
    Ok(TargetsSpec::of(&Role::Targets, &document.signed)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::{
        Action, ApprovalState, ApprovedDevice, ApprovedRelease, Gates, RollbackTerms, Urgency, Wave,
    };
    use crate::draft::carried::Shown;
    use crate::draft::draw::Terms;
    use crate::id::Seq;
    use crate::key::{SecretKey, Signer as _};
    use crate::slot::Slot;
    use std::collections::BTreeMap;

    fn approval() -> Approval {
        let at = |text: &str| text.parse().unwrap();
        let slot = Slot::new(at("2026-12-05T04:30:00Z"), at("2026-12-05T06:30:00Z")).unwrap();
        let wave = Wave {
            n: 0,
            not_before: at("2026-12-05T04:30:00Z"),
            soak_s: 86_400,
            min_updated: 0,
            min_clinical_use_h: 0,
        };
        Approval {
            v: 1,
            id: "pump-7-v2".parse().unwrap(),
            site: "north".parse().unwrap(),
            serial: 2,
            issued: at("2026-12-01T00:00:00Z"),
            valid_until: at("2026-12-05T06:30:00Z"),
            action: Action::Install,
            urgency: Urgency::Routine,
            state: ApprovalState::Active,
            release: Some(ApprovedRelease {
                family: "acme.pump".parse().unwrap(),
                version: "2.4.1".parse().unwrap(),
                seq: Seq(7),
                image_sha256: Sha256Digest::of(b"image"),
                path: "img/pump-7.pwd".parse().unwrap(),
                image_length: 5,
                dossier_sha256: Sha256Digest::of(b"dossier"),
            }),
            standing: None,
            devices: vec![ApprovedDevice {
                id: "pump-01".parse().unwrap(),
                key: SecretKey::from_seed(&[7; 32]).public(),
                wave: 0,
                slots: vec![slot],
                attended: true,
                pair: None,
            }],
            conditions: Terms::default().conditions(),
            waves: vec![wave],
            gates: Gates { halt_permille: vec![0], silent_after_s: 3600 },
            rollback: RollbackTerms { automatic: true, to: vec![] },
            tz: "Asia/Tokyo".to_owned(),
            supersedes: None,
            snapshot: None,
        }
    }

    fn shown(language: Language) -> (Vec<String>, Sha256Digest, Sha256Digest) {
        let approval = approval();
        let first = TargetsSpec {
            repository: RepositoryId::Site(approval.site.clone()),
            version: 1,
            issued: approval.issued,
            expires: approval.issued.plus_seconds(90 * 86_400),
            targets: BTreeMap::new(),
            delegations: Vec::new(),
        };
        let mut targets = next::begin(&first, approval.issued, next::SITE_DAYS).unwrap();
        let drafted = next::add(&mut targets, approval).unwrap();
        let staged = targets.staged(Role::Targets).unwrap();
        let stated = Stated {
            approval: drafted.approval,
            sha256: drafted.sha256,
            release: None,
            cves: BTreeSet::from(["CVE-2026-1234".to_owned()]),
        };
        let statement = Statement {
            repository: &first.repository,
            targets: &targets,
            published: Some(&first),
            approvals: std::slice::from_ref(&stated),
            signed_sha256: staged.message_sha256(),
        };
        (statement.lines(language), drafted.sha256, staged.message_sha256())
    }

    #[test]
    fn the_text_in_english_names_every_device_hour_and_digest() {
        let (lines, approval, signed) = shown(Language::En);
        let key = SecretKey::from_seed(&[7; 32]).public().fingerprint();
        let image = Sha256Digest::of(b"image");
        let text = format!(
            "site:north targets version 2
expires: 2027-03-01T00:00:00Z
+ added approval/pump-7-v2.json {} bytes sha256 {approval}
Approval pump-7-v2 — install, routine
  site north
  release acme.pump 2.4.1 (seq 7)
  image SHA-256 {image}
  image fingerprint {}
  dossier SHA-256 {}
  valid until 2026-12-05 15:30:00 Asia/Tokyo (2026-12-05T06:30:00Z)
  condition: not in use on a patient for 300 s
  goes back by itself when its checks fail
  wave 0: 1 devices, watched for 24 h
  halts above 0 failures in 1000, by wave; silent for 3600 s is a failure; may go back to seq []
  1 devices:
    pump-01 (fingerprint {key}), wave 0, attended
      2026-12-05 13:30:00 Asia/Tokyo (2026-12-05T04:30:00Z)  ->  2026-12-05 15:30:00 Asia/Tokyo (2026-12-05T06:30:00Z)
  approval fingerprint {}
  ! this machine has not verified the release: downtime and state are unknown here
! GOING BACK OPENS AGAIN: CVE-2026-1234
signed bytes, SHA-256: {signed}
fingerprint: {}",
            self::approval().write().unwrap().len(),
            image.fingerprint(),
            Sha256Digest::of(b"dossier"),
            approval.fingerprint(),
            signed.fingerprint(),
        );
        assert_eq!(lines.join("\n"), text);
    }

    #[test]
    fn the_text_in_japanese_says_the_same_line_by_line() {
        let (en, ..) = shown(Language::En);
        let (ja, approval, signed) = shown(Language::Ja);
        assert_eq!(en.len(), ja.len());
        let text = ja.join("\n");
        for word in [
            "site:north targets 版 2",
            "承認 pump-7-v2 — 適用, 通常",
            "リリース acme.pump 2.4.1 (seq 7)",
            "対象機器 1 台:",
            "、第0段階、立会い",
            "2026-12-05 13:30:00 Asia/Tokyo (2026-12-05T04:30:00Z)",
            "! ロールバックにより再び生じる脆弱性: CVE-2026-1234",
            &format!("承認の照合コード {}", approval.fingerprint()),
            &format!("照合コード: {}", signed.fingerprint()),
        ] {
            assert!(text.contains(word), "{word}\n{text}");
        }
    }

    #[test]
    fn nothing_that_widens_an_approval_is_left_out_of_its_text() {
        type Bend = fn(&mut Approval);
        let at = |approval: &Approval| approval.devices[0].slots[0];
        let bends: [(&str, Bend); 14] = [
            ("what it replaces", |it| it.supersedes = Some("pump-6-v1".parse().unwrap())),
            ("versions to go back to", |it| it.rollback.to = vec![Seq(6), Seq(5)]),
            ("going back by itself", |it| it.rollback.automatic = false),
            ("the partner of a pair", |it| it.devices[0].pair = Some("pump-02".parse().unwrap())),
            ("a person beside it", |it| it.devices[0].attended = false),
            ("failures that are borne", |it| it.gates.halt_permille = vec![1000]),
            ("silence that is borne", |it| it.gates.silent_after_s = 86_400),
            ("how long a wave is watched", |it| it.waves[0].soak_s = 0),
            ("the dossier", |it| {
                it.release.as_mut().unwrap().dossier_sha256 = Sha256Digest::of(b"another");
            }),
            ("a bundle of any age", |it| {
                let sha256 = Sha256Digest::of(b"snapshot");
                it.snapshot = Some(crate::approval::SnapshotRef { version: 3, sha256 });
            }),
            ("acting unreached", |it| it.conditions.offline_ok = true),
            ("how well the hour is known", |it| {
                it.conditions.time = crate::approval::NeededTime::Plausible;
            }),
            ("how long nobody needed it", |it| it.conditions.settle_s = 0),
            ("urgency", |it| it.urgency = Urgency::Emergency),
        ];
        let digest = Sha256Digest::of(b"the same beside both texts");
        let text = |approval: &Approval, language| {
            crate::draft::approval_text::lines(language, approval, digest)
        };
        for (what, bend) in bends {
            let mut bent = approval();
            bend(&mut bent);
            assert_eq!(at(&bent), at(&approval()));
            for language in Language::ALL {
                assert_ne!(text(&bent, language), text(&approval(), language), "{what}");
            }
        }
    }

    #[test]
    fn a_text_that_hides_or_bends_a_line_differs_from_what_is_signed() {
        let (en, _, signed) = shown(Language::En);
        let (ja, ..) = shown(Language::Ja);
        let shown = Shown { en: en.clone(), ja, fingerprint: signed.fingerprint() };
        assert!(shown.against(Language::En, &en).is_empty());
        for at in 0..en.len() {
            let mut hidden = shown.clone();
            let line = hidden.en.remove(at);
            assert_eq!(hidden.against(Language::En, &en), [format!("+ {line}")]);
            let mut bent = shown.clone();
            bent.en[at].push('x');
            assert_eq!(
                bent.against(Language::En, &en),
                [format!("- {line}x"), format!("+ {line}")]
            );
        }
        let mut turned = shown.clone();
        turned.en.swap(0, 1);
        assert_eq!(turned.against(Language::En, &en), ["~"], "the order counts too");
    }

    #[test]
    fn an_approval_of_another_site_or_name_or_with_other_bytes_is_none_of_this_draft() {
        let bytes = approval().write().unwrap();
        let (north, south) = ("site:north".parse().unwrap(), "site:south".parse().unwrap());
        let path = next::path_of(&approval().id).unwrap();
        let other = "approval/other.json".parse().unwrap();
        let sha256 = Sha256Digest::of(&bytes);
        assert!(Stated::read(&north, &path, sha256, &bytes).is_ok());
        assert!(matches!(
            Stated::read(&south, &path, sha256, &bytes),
            Err(BadStatement::Misplaced { .. })
        ));
        assert!(matches!(
            Stated::read(&north, &other, sha256, &bytes),
            Err(BadStatement::Misplaced { .. })
        ));
        let elsewhere = Sha256Digest::of(b"other");
        assert!(matches!(
            Stated::read(&north, &path, elsewhere, &bytes),
            Err(BadStatement::OtherBytes(_))
        ));
    }
}
