//! A hospital with people at the console, devices, and a manufacturer that has published a release.
//!
//! Invariant: people come in by one-time links, and everything they sign is signed in the page.

use anyhow::{Context as _, Result, ensure};
use patchward_protocol::id::FamilyId;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::{Programs, workspace};
use patchward_tests::browser::Browser;
use patchward_tests::clock::eventually;
use patchward_tests::desk::{KeyFile, Signing, Title};
use patchward_tests::device::Device;
use patchward_tests::hospital::{Hospital, words};
use patchward_tests::image::{Recipe, Release};
use patchward_tests::person::{Person, Role, invited};
use patchward_tests::server::QUICK;
use patchward_tests::world::World;
use std::time::Duration;
use tempfile::TempDir;

/// The hospital's name in paths.
pub(crate) const SITE: &str = "city-hospital";
/// A slot begins on a full minute.
pub(crate) const SLOT: Duration = Duration::from_secs(150);
/// Any hour is a window.
const ANY_HOUR: [&str; 14] = [
    "windows",
    "add",
    "any-hour",
    "--days",
    "mon,tue,wed,thu,fri,sat,sun",
    "--start",
    "00:00",
    "--minutes",
    "1440",
    "--usual",
    "--name-en",
    "Any hour",
    "--name-ja",
    "終日",
];
/// Waves follow each other without soak.
const RULES: [&str; 7] = ["set", "--soak-h", "0", "--silent-after-s", "600", "--reserve-s", "1"];
/// Its wards.
const WARDS: &str = "\u{feff}\
id,name_en,name_ja,min_in_service,max_parallel,windows,staff_on_site
5-east,Fifth floor east,5階東病棟,infusion-pump=1,2,,
";
/// Its devices: two on the bench, which go first, and two on the ward.
const DEVICES: &str = "\u{feff}\
id,ward,kind,pair,usage,attended,udi,serial_number
pump-01,,infusion-pump,,bench,unattended,,SN-0001
pump-02,,infusion-pump,,bench,unattended,,SN-0002
pump-03,5-east,infusion-pump,,in-service,unattended,,SN-0003
pump-04,5-east,infusion-pump,,in-service,unattended,,SN-0004
";

/// Everybody.
pub(crate) struct House {
    // Dropped before the server that they ask.
    pub(crate) devices: Vec<Device>,
    pub(crate) hospital: Hospital,
    pub(crate) old: Release,
    pub(crate) new: Release,
    pub(crate) world: World,
    /// `ja` or `en`.
    pub(crate) language: &'static str,
    _folder: TempDir,
}

impl House {
    /// Server, manufacturer with two releases, hospital, four enrolled devices with the older one.
    pub(crate) fn begin(language: &'static str) -> Result<Self> {
        Self::begin_as(language, Signing::Console, QUICK)
    }

    /// The same, with a root that permits so much, and a server that is set up so.
    pub(crate) fn begin_as(language: &'static str, weakest: Signing, config: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("patchward-console-").tempdir()?;
        let family = FamilyId::new("acme.infusion-a")?;
        let pump = Title {
            en: "Infusor A7 infusion pump".to_owned(),
            ja: "輸液ポンプ インフューザA7".to_owned(),
        };
        let named = (&family, &pump);
        let world = World::begin_titled(Programs::for_tests()?, folder.path(), named, config)?;
        let recipes =
            [("2.4.0", 1), ("2.4.1", 2)].map(|(v, seq)| Recipe::small(&family, Kind::Tree, v, seq));
        for recipe in &recipes {
            world.maker.release(&world.maker.prepare(recipe)?)?;
        }
        let [old, new] = [recipes[0].release()?, recipes[1].release()?];
        let title = Title { en: "City Hospital".to_owned(), ja: "市立中央病院".to_owned() };
        let hospital = world.hospital_at_the_console(SITE, (&title, weakest))?;
        hospital.inventory(&ANY_HOUR)?;
        hospital.inventory(&RULES)?;
        hospital.describe(WARDS, DEVICES)?;
        let names = ["pump-01", "pump-02", "pump-03", "pump-04"];
        let devices =
            names.iter().map(|name| world.device(&hospital, name, &old)).collect::<Result<_>>()?;
        Ok(Self { devices, hospital, old, new, world, language, _folder: folder })
    }

    /// The console's address.
    pub(crate) fn base(&self) -> Result<String> {
        self.world.server.url()
    }

    /// The address of a page of the hospital.
    pub(crate) fn page(&self, rest: &str) -> Result<String> {
        Ok(format!("{}/console/sites/{SITE}{rest}", self.base()?))
    }

    /// Somebody of the hospital joins by a link, in a browser.
    pub(crate) fn joins(&self, browser: &Browser, login: &str, role: &str) -> Result<Person> {
        let place =
            if role.contains(':') { role.to_owned() } else { format!("site:{SITE}:{role}") };
        let signs = ["tanaka", "sato"].contains(&login);
        let (name, title) = match (login, self.language) {
            ("tanaka", "ja") => ("田中 由紀", "臨床工学技士"),
            ("tanaka", _) => ("Tanaka Yuki", "clinical engineer"),
            ("sato", "ja") => ("佐藤 健", "医療機器安全管理責任者"),
            ("sato", _) => ("Sato Ken", "medical device safety manager"),
            _ if role.starts_with("maker:") => {
                said(self.language, ("Kimura Akira", "quality"), ("木村 明", "品質保証部"))
            }
            (_, "ja") => ("鈴木 花", "病棟看護師"),
            _ => ("Suzuki Hana", "ward nurse"),
        };
        let role = Role {
            role: &place,
            person: signs.then_some(login),
            name,
            title,
            language: self.language,
        };
        let person = Person::new(login);
        browser.join(&self.base()?, &invited(&self.world.server, &role)?, &person)?;
        Ok(person)
    }

    /// The key with which somebody signs in the page.
    pub(crate) fn key(&self, person: &str) -> Result<&KeyFile> {
        let found = self.hospital.keys.targets.iter().find(|key| key.person == person);
        found.with_context(|| format!("{person} has no key"))
    }

    /// Gives key file and passphrase to the page, and signs.
    pub(crate) fn sign_in_page(&self, browser: &Browser, person: &str) -> Result<()> {
        let key = self.key(person)?;
        let passphrase = std::fs::read_to_string(&key.passphrase)?;
        browser.give("#key-file", &key.key)?;
        browser.fill("#passphrase", passphrase.trim_end())?;
        browser.submit("#sign button.main:not([disabled])")
    }

    /// Takes the draft away as a file, signs it with the command line where no page ever was, and brings
    /// it back.
    pub(crate) fn signs_elsewhere(&self, browser: &Browser, person: &str) -> Result<()> {
        browser.open(&self.page("/approvals/draft/sign")?)?;
        browser.click("#sign-now details:has(#signed) summary")?;
        let fingerprint = browser.text("#fingerprint")?.replace(' ', "");
        browser.click("a[href$='/approvals/draft/file']")?;
        let file = browser.saved(".draft.json")?;
        let desk = &self.hospital.desk;
        let mut command = desk.command(["stage", "sign"]);
        desk.with_key(command.arg(&file), self.key(person)?);
        command.args(["--fingerprint", &fingerprint]);
        desk.say(command.args(words(person, "medical device safety manager")))?;
        browser.give("#signed", &file)?;
        browser.submit("form[action$='/draft/upload'] button")
    }

    /// Reads the draft, says why, signs in the page.
    pub(crate) fn signs_draft(&self, browser: &Browser, person: &str) -> Result<()> {
        only_reason(self, browser)?;
        if person == "sato" {
            crate::screens::take(browser, self.language, "sign")?;
        }
        self.sign_in_page(browser, person)
    }
}

/// Chooses all devices of a release that waits, and has them planned.
pub(crate) fn all_chosen(house: &House, browser: &Browser, version: &str) -> Result<()> {
    let wanted = format!("/approvals/new?family=acme.infusion-a&version={version}");
    browser.open(&house.page(&wanted)?)?;
    ensure!(browser.count("input[name='device']:checked")? > 0, "no device is chosen");
    browser.fill("#settle", "0")?;
    browser.submit("main form button.main")?;
    browser.comes_to("/approvals/draft")
}

/// Reads the draft and says why, up to the page that signs.
pub(crate) fn only_reason(house: &House, browser: &Browser) -> Result<()> {
    browser.open(&house.page("/approvals/draft/sign")?)?;
    browser.fill("#reason", said(house.language, "Closes a hole.", "脆弱性の修正のため。"))?;
    if browser.count("#control")? > 0 {
        let control = said(house.language, "The ward is isolated.", "病棟網から隔離します。");
        browser.fill("#control", control)?;
        browser.fill("#owner", said(house.language, "IT security", "情報システム課"))?;
        browser.set("#due", &in_days(7))?;
    }
    browser.submit("form[action$='/draft/reason'] button.main")?;
    browser.wait("#sign")
}

/// A day, so many days from now, as fields of days hold it.
pub(crate) fn in_days(days: i64) -> String {
    let at = patchward_tests::clock::now().plus_seconds(days * 24 * 3600).to_string();
    at.split('T').next().unwrap_or_default().to_owned()
}

/// Waits until a device runs a release.
pub(crate) fn runs(device: &Device, release: &Release) -> Result<()> {
    let wanted = release.firmware.payload.image_sha256;
    eventually(&format!("{} to run {}", device.name, release.firmware.version), SLOT, || {
        Ok((device.running_image()? == wanted).then_some(()))
    })
    .with_context(|| device.story())
}

/// Words in the language of a person.
pub(crate) fn said<T>(language: &str, en: T, ja: T) -> T {
    if language == "ja" { ja } else { en }
}

/// A text of the console by its id, as the file of its area has it.
pub(crate) fn text(language: &str, id: &str) -> Result<String> {
    let area = id.split('-').next().unwrap_or_default();
    let file = workspace()?.join(format!("server/locales/{language}/{area}.ftl"));
    let all = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
    let begin = format!("{id} = ");
    let found = all.lines().find_map(|line| line.strip_prefix(&begin));
    found.map(str::to_owned).with_context(|| format!("{} has no {id}", file.display()))
}
