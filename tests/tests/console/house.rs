//! A hospital with people at the console, devices, and a manufacturer that has published a release.
//!
//! Invariant: people come in by one-time links, and everything they sign is signed in the page.

use anyhow::{Context as _, Result};
use patchward_protocol::id::FamilyId;
use patchward_protocol::tuf::custom::Kind;
use patchward_tests::bin::{Programs, workspace};
use patchward_tests::browser::Browser;
use patchward_tests::desk::{KeyFile, Title};
use patchward_tests::device::Device;
use patchward_tests::hospital::Hospital;
use patchward_tests::image::{Recipe, Release};
use patchward_tests::person::{Person, Role, invited};
use patchward_tests::server::QUICK;
use patchward_tests::world::World;
use tempfile::TempDir;

/// The hospital's name in paths.
pub(crate) const SITE: &str = "city-hospital";
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
        let folder = tempfile::Builder::new().prefix("patchward-console-").tempdir()?;
        let family = FamilyId::new("acme.infusion-a")?;
        let pump = Title { en: "Infusion pump A".to_owned(), ja: "輸液ポンプA".to_owned() };
        let named = (&family, &pump);
        let world = World::begin_titled(Programs::for_tests()?, folder.path(), named, QUICK)?;
        let recipes =
            [("2.4.0", 1), ("2.4.1", 2)].map(|(v, seq)| Recipe::small(&family, Kind::Tree, v, seq));
        for recipe in &recipes {
            world.maker.release(&world.maker.prepare(recipe)?)?;
        }
        let [old, new] = [recipes[0].release()?, recipes[1].release()?];
        let title = Title { en: "City Hospital".to_owned(), ja: "市立中央病院".to_owned() };
        let hospital = world.hospital_at_the_console(SITE, &title)?;
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
        browser.click("#sign button.main:not([disabled])")
    }

    /// Reads the draft, says why, signs in the page.
    pub(crate) fn signs_draft(&self, browser: &Browser, person: &str) -> Result<()> {
        browser.open(&self.page("/approvals/draft/sign")?)?;
        browser.fill("#reason", said(self.language, "Closes a hole.", "脆弱性の修正のため。"))?;
        if browser.count("#control")? > 0 {
            let control = said(self.language, "The ward is isolated.", "病棟網から隔離します。");
            browser.fill("#control", control)?;
            browser.fill("#owner", said(self.language, "IT security", "情報システム課"))?;
            // The field takes a day as people of the browser's language type it.
            let due = "document.querySelector('#due').value = \
                new Date(Date.now() + 7 * 864e5).toISOString().slice(0, 10)";
            browser.run(due, &[])?;
        }
        browser.click("form[action$='/draft/reason'] button.main")?;
        browser.wait("#sign")?;
        if person == "sato" {
            crate::screens::take(browser, self.language, "sign")?;
        }
        self.sign_in_page(browser, person)
    }
}

/// Words in the language of a person.
pub(crate) fn said(language: &str, en: &'static str, ja: &'static str) -> &'static str {
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
