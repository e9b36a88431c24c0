//! A manufacturer at work with the command line: keys, repository, releases.
//!
//! Not here: what is in a release ([`crate::image`]).
//! Invariant: every document is signed by two people of three.

use crate::bin::Programs;
use crate::desk::{Desk, Hierarchy, Signing, Title, number, text};
use crate::image::{Carrier, Recipe, put};
use anyhow::{Context as _, Result};
use patchward_protocol::id::{FamilyId, RepositoryId};
use std::path::{Path, PathBuf};

/// A manufacturer.
#[derive(Debug)]
pub struct Maker {
    /// Its desk.
    pub desk: Desk,
    /// Its family.
    pub family: FamilyId,
    /// Its keys.
    pub keys: Hierarchy,
    /// Its first root, as devices get it with their agent.
    pub root: PathBuf,
}

/// A release that is ready to be signed.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The staged file.
    pub staged: PathBuf,
    /// The version of the targets.
    pub version: u64,
    /// Fingerprint of the image, as the command line says it.
    pub image_sha256: String,
}

impl Maker {
    /// Makes keys, opens the family's repository with them and publishes its first documents.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn begin(
        programs: &Programs,
        folder: &Path,
        server: (&str, &str),
        family: &FamilyId,
    ) -> Result<Self> {
        let title =
            Title { en: format!("Test family:{family}"), ja: format!("試験 family:{family}") };
        Self::begin_titled(programs, folder, server, (family, &title))
    }

    /// The same with a name for people.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn begin_titled(
        programs: &Programs,
        folder: &Path,
        server: (&str, &str),
        (family, title): (&FamilyId, &Title),
    ) -> Result<Self> {
        let desk = Desk::new(programs, folder)?;
        desk.enter("login", server.0, server.1)?;
        let keys = desk.make_hierarchy()?;
        let id = RepositoryId::Family(family.clone());
        let root = desk.open_repository_as(&id, &keys, (title, Signing::Offline))?;
        Ok(Self { desk, family: family.clone(), keys, root })
    }

    /// Writes what `release prepare` takes and runs it.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn prepare(&self, recipe: &Recipe) -> Result<Draft> {
        let folder = self.desk.place(&format!("build-{}", recipe.version));
        std::fs::create_dir_all(&folder).context("make the build folder")?;
        let image = folder.join("image");
        recipe.write_to(&image)?;
        self.prepare_image(recipe, &image)
    }

    /// The same for an image that is there already.
    ///
    /// # Errors
    /// When the command line refuses.
    pub fn prepare_image(&self, recipe: &Recipe, image: &Path) -> Result<Draft> {
        let folder = self.desk.place(&format!("build-{}", recipe.version));
        std::fs::create_dir_all(&folder).context("make the build folder")?;
        let sbom = serde_json::json!({
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "components": [{ "type": "library", "name": "libexample", "version": "1.2.4" }],
        });
        put(&folder.join("dossier.toml"), &recipe.dossier()?)?;
        put(&folder.join("sbom.json"), sbom.to_string().as_bytes())?;
        put(&folder.join("notes.ja.txt"), "通信処理を修正しました。\n".as_bytes())?;
        put(&folder.join("notes.en.txt"), b"Corrects the network code.\n")?;
        let out = self.desk.place(&format!("release-{}", recipe.version));
        let mut command = self.desk.command(["release", "prepare", "--image"]);
        command.arg(image).arg("--dossier").arg(folder.join("dossier.toml"));
        command.arg("--sbom").arg(folder.join("sbom.json"));
        command.arg("--notes-ja").arg(folder.join("notes.ja.txt"));
        command.arg("--notes-en").arg(folder.join("notes.en.txt")).arg("--out").arg(&out);
        if recipe.carrier == Carrier::Plain {
            command.args(["--format", "plain"]);
        }
        let said = self.desk.say(&mut command)?;
        let payload = said.get("payload").context("the answer describes the image")?;
        Ok(Draft {
            staged: PathBuf::from(text(&said, "staged")?),
            version: number(&said, "version")?,
            image_sha256: text(payload, "image_sha256")?.to_owned(),
        })
    }

    /// Has a draft signed by two people and publishes it.
    ///
    /// # Errors
    /// When any step is refused.
    pub fn release(&self, draft: &Draft) -> Result<()> {
        for key in self.keys.targets.iter().take(2) {
            self.desk.sign(&draft.staged, key, draft.version, &[])?;
        }
        self.desk.publish(&[&draft.staged]).map(|_| ())
    }
}
