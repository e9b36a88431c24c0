//! People at the console of the demonstration: logins that everybody knows, and a walk through their pages.
//!
//! The walk is made over HTTP without scripts. Not here: signing in the page (that needs a browser; the
//! browser's tests do it). Invariant: such accounts work only on a server that was started for
//! demonstrations.

use crate::cast::{Cast, HOSPITALS};
use anyhow::{Context as _, Result, ensure};
use patchward_tests::person::{Person, Role};
use patchward_tests::server::Server;
use patchward_tests::visitor::Visitor;

/// Who can sign in: login, role, person of the site's root, name, role in words.
const PEOPLE: [(&str, &str, Option<&str>, &str, &str); 4] = [
    ("tanaka", "site:city-hospital:approver", Some("tanaka"), "田中 由紀", "臨床工学技士"),
    ("suzuki", "site:city-hospital:ward", None, "鈴木 花", "病棟看護師"),
    ("mori", "site:city-hospital:auditor", None, "森 誠", "監査担当"),
    ("ito", "maker:acme:key-holder", None, "伊藤 陽", "署名鍵の管理者"),
];

/// Makes the accounts.
pub(crate) fn invite(server: &Server) -> Result<((), String)> {
    for (login, role, person, name, title) in PEOPLE {
        let role = Role { role, person, name, title, language: "ja" };
        Person::demo(server, login, &role)?;
    }
    let names: Vec<_> = PEOPLE.iter().map(|(login, ..)| *login).collect();
    Ok(((), format!("{} with a password and codes for demonstrations only", names.join(", "))))
}

/// Somebody signs in, reads today's page and an approval form, stops everything, and it is lifted.
pub(crate) fn walk(cast: &Cast) -> Result<((), String)> {
    let base = cast.server.url()?;
    let hospital = cast.hospitals.first().context("a hospital")?;
    let site = HOSPITALS.first().context("a hospital")?;
    let (_, role, person, name, title) = PEOPLE.first().copied().context("a person")?;
    let role = Role { role, person, name, title, language: "ja" };
    let person = Person::demo(&cast.server, "tanaka", &role)?;
    let mut visitor = Visitor::new(&base);
    let before = visitor.get(&format!("/console/sites/{site}"))?;
    ensure!(before.status == 303, "a stranger sees the hospital: {}", before.status);
    visitor.sign_in(&person)?;
    let today = visitor.page(&format!("/console/sites/{site}"))?;
    ensure!(today.text().contains("<html lang=\"ja\""), "today's page is not in Japanese");
    let product = cast.products.first().context("the pumps")?;
    let (family, version) = (&product.recipe.family, &product.recipe.version);
    let form = format!("/console/sites/{site}/approvals/new?family={family}&version={version}");
    let form = visitor.page(&form)?;
    ensure!(form.text().contains("name=\"device\""), "the approval form offers no device");
    let elsewhere = HOSPITALS.get(1).context("another hospital")?;
    let others = visitor.get(&format!("/console/sites/{elsewhere}"))?;
    ensure!(others.status == 404, "another hospital's page: {}", others.status);
    visitor.page(&format!("/console/sites/{site}/stop"))?;
    let stopped = visitor.post(&format!("/console/sites/{site}/stop"), &[("reason", "訓練")])?;
    ensure!(stopped.status == 303, "STOP: {} {}", stopped.status, stopped.text());
    let mut list = hospital.desk.command(["hold", "list", "--site", site]);
    let holds = hospital.desk.say(&mut list)?;
    let standing = holds
        .as_array()
        .into_iter()
        .flatten()
        .find(|hold| hold.get("reason").and_then(serde_json::Value::as_str) == Some("訓練"));
    let id = standing.and_then(|hold| hold.get("id")).and_then(serde_json::Value::as_str);
    hospital.lift(id.context("the STOP stands in the list of holds")?)?;
    let detail = "signed in, Today and an approval form in Japanese; the other hospital is 404; STOP by a form, \
                  lifted by a signature";
    Ok(((), detail.to_owned()))
}

/// Says how to sign in.
pub(crate) fn told(url: &str) {
    println!("  console       {url}/console  (only a demonstration lets these in)");
    for (login, role, _, name, _) in PEOPLE {
        println!("    {login:<11} {name}  {role}");
    }
    println!("    password    only for demonstrations");
    println!("    code        secret PATCHWARDDEMOPATCHWARDDEMOPATCHW in any authenticator app");
}
