//! A hospital whose root lets the server keep keys: made in the page, put into the root, used for an
//! approval, for a wave that goes on after its halt, for the way back; and what is printed of it all.

use crate::house::{House, all_chosen, only_reason, runs, text};
use crate::print;
use anyhow::{Result, ensure};
use patchward_protocol::ledger::Kind as Transition;
use patchward_protocol::reason::Reason;
use patchward_tests::browser::{Browser, Settings};
use patchward_tests::desk::Signing;
use patchward_tests::device::Health;
use patchward_tests::person::Person;
use patchward_tests::running::Running;
use patchward_tests::server::QUICK;

/// The form with which the server signs.
const CUSTODY: &str = "form[action$='/custodial']";

#[test]
fn a_key_that_the_server_keeps_approves_resumes_and_orders_back_and_paper_tells_it() -> Result<()> {
    let house = House::begin_as("en", Signing::Custodial, QUICK)?;
    let tanaka = Browser::start(&Settings::desk("en"))?;
    let sato = Browser::start(&Settings::desk("en"))?;
    let person = house.joins(&tanaka, "tanaka", "approver")?;
    house.joins(&sato, "sato", "approver")?;
    key_is_made(&house, &tanaka, &person)?;
    approve(&house, (&tanaka, &person), &sato)?;
    print::approval_sheet(&house, &tanaka)?;
    print::ward_notice(&house, &tanaka)?;
    let _agents = halts_and_goes_on(&house, &tanaka, &person)?;
    order_back(&house, (&tanaka, &person), &sato)?;
    print::record(&house, &tanaka)?;
    print::rollback_sheet(&house, &tanaka)?;
    standing(&house, &tanaka, &sato)?;
    emergency_of_kept_keys(&house, (&tanaka, &person), &sato)
}

/// The key is made with password and code; it signs nothing before it stands in the root.
fn key_is_made(house: &House, tanaka: &Browser, person: &Person) -> Result<()> {
    tanaka.open(&house.page("/approvals/key")?)?;
    confirm(tanaka, "main form", &person.password, &person.code()?)?;
    tanaka.wait("main dd.fingerprint")?;
    ensure!(tanaka.count("main .badge.good")? == 0, "a key signs that stands in no root");
    tanaka.click("main a[href$='/key/pub']")?;
    house.hospital.replace_first_key(&tanaka.saved(".pub")?)?;
    tanaka.reload()?;
    tanaka.wait("main .badge.good")
}

fn approve(house: &House, tanaka: (&Browser, &Person), sato: &Browser) -> Result<()> {
    all_chosen(house, tanaka.0, "2.4.1")?;
    wrong_password(house, tanaka)?;
    by_the_server(house, tanaka, &tanaka.1.code_again()?)?;
    house.signs_draft(sato, "sato")?;
    sato.comes_to("/approvals/done/")?;
    let acts = sato.text("main table")?;
    let way = text("en", "approvals-way-custodial")?;
    ensure!(acts.contains(&way), "the record does not say who kept the key: {acts}");
    Ok(())
}

/// A wrong password with a right code signs nothing, and takes no code.
fn wrong_password(house: &House, (tanaka, person): (&Browser, &Person)) -> Result<()> {
    only_reason(house, tanaka)?;
    confirm(tanaka, CUSTODY, "not the right one", &person.code()?)?;
    ensure!(!tanaka.text("body")?.contains(&text("en", "approvals-signed-note")?), "it was signed");
    tanaka.open(&house.page("/approvals/draft/sign")?)?;
    ensure!(!tanaka.text("body")?.contains(&text("en", "approvals-signed-note")?), "it was signed");
    Ok(())
}

/// Says why; password and code let the server sign.
fn by_the_server(house: &House, (tanaka, person): (&Browser, &Person), code: &str) -> Result<()> {
    tanaka.open(&house.page("/approvals/draft/sign")?)?;
    if tanaka.count(CUSTODY)? == 0 {
        only_reason(house, tanaka)?;
    }
    confirm(tanaka, CUSTODY, &person.password, code)?;
    tanaka.says(&text("en", "approvals-signed-note")?)
}

fn confirm(browser: &Browser, form: &str, password: &str, code: &str) -> Result<()> {
    browser.fill(&format!("{form} #password"), password)?;
    browser.fill(&format!("{form} #code"), code)?;
    browser.submit(&format!("{form} button.main"))
}

/// The second device of the bench fails, the wave halts; from the board a signature lets it go on.
fn halts_and_goes_on(house: &House, tanaka: &Browser, person: &Person) -> Result<Vec<Running>> {
    let [first, second, third, _] = house.devices.as_slice() else {
        anyhow::bail!("four devices");
    };
    tanaka.open(&house.page("/rollouts")?)?;
    tanaka.submit("main ul.list a[href*='/rollouts/']")?;
    let mut agents = vec![first.start()?];
    runs(first, &house.new)?;
    second.set_health(Health::Unwell)?;
    agents.extend([second.start()?, third.start()?]);
    let halted = "[data-live] .note.bad:not([hidden])";
    tanaka.until("the wave to halt", || Ok((tanaka.count(halted)? > 0).then_some(())))?;
    second.noted(Transition::RolledBack, Reason::HealthFailed)?;
    tanaka.submit(&format!("{halted} a[href*='/act?do=resume']"))?;
    tanaka.fill("#reason", "The sensor was unplugged; it was looked at.")?;
    tanaka.submit("main form button.main")?;
    confirm(tanaka, CUSTODY, &person.password, &person.code()?)?;
    tanaka.done()?;
    // The wave goes on; the ward waits for its hour and for nothing else.
    tanaka.open(&house.page("/rollouts")?)?;
    tanaka.submit("main ul.list a[href*='/rollouts/']")?;
    tanaka.wait("[data-live]")?;
    ensure!(tanaka.count(halted)? == 0, "the wave is halted still");
    third.held_for(&[Reason::SlotNotOpen, Reason::WaveNotOpen])?;
    Ok(agents)
}

/// From the page of the way back to the order, signed by two.
fn order_back(house: &House, tanaka: (&Browser, &Person), sato: &Browser) -> Result<()> {
    let browser = tanaka.0;
    browser.open(&house.page("/rollback?family=acme.infusion-a")?)?;
    browser.submit("main a.danger[href*='kind=rollback']")?;
    browser.fill("#settle", "0")?;
    browser.submit("main form button.main")?;
    browser.comes_to("/approvals/draft")?;
    by_the_server(house, tanaka, &tanaka.1.code()?)?;
    house.signs_draft(sato, "sato")?;
    sato.comes_to("/approvals/done/")?;
    // The order stands beside the rollout that goes on; its hour comes later.
    browser.open(&house.page("/rollouts")?)?;
    browser.wait("main h1")?;
    let orders = browser.count("main ul.list a[href*='/rollouts/']")?;
    ensure!(orders == 2, "{orders} rollouts, not two");
    Ok(())
}

/// What is approved before it is there: by a key in the page and one that never was in any.
fn standing(house: &House, tanaka: &Browser, sato: &Browser) -> Result<()> {
    tanaka.open(&house.page("/approvals/standing")?)?;
    tanaka.fill("#days", "30")?;
    tanaka.submit("main form button.main")?;
    tanaka.comes_to("/approvals/draft")?;
    house.signs_draft(sato, "sato")?;
    sato.comes_to("/approvals/draft/sign")?;
    house.signs_elsewhere(sato, "suzuki")?;
    sato.comes_to("/approvals/done/")?;
    sato.submit("main a[href*='/approvals/sheet/']")?;
    sato.says(&text("en", "approvals-kind-standing")?)
}

/// What cannot wait needs one key that neither the server nor a page ever held.
fn emergency_of_kept_keys(
    house: &House,
    tanaka: (&Browser, &Person),
    sato: &Browser,
) -> Result<()> {
    let browser = tanaka.0;
    // What an approval names already has to be planned again, and at any hour.
    let kind = "&kind=emergency";
    browser.open(
        &house.page(&format!("/approvals/new?family=acme.infusion-a&version=2.4.1{kind}"))?,
    )?;
    browser.click("input[name='again']")?;
    browser.click("input[name='any_hours']")?;
    browser.submit("main form button.main")?;
    browser.comes_to("/approvals/draft")?;
    by_the_server(house, tanaka, &tanaka.1.code()?)?;
    house.signs_draft(sato, "sato")?;
    // Two persons have signed, and nothing is published.
    sato.done()?;
    sato.comes_to("/approvals/draft/sign")?;
    sato.says("EMERGENCY")?;
    sato.open(&house.page("/approvals")?)?;
    sato.wait("main h1")?;
    let listed = sato.text("main")?;
    ensure!(!listed.contains(&text("en", "approvals-kind-emergency")?), "published: {listed}");
    Ok(())
}
