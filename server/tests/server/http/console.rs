//! Every route of the console against everybody who must not come in; and what every answer carries.
//!
//! The routes come from the console's own list: a new one is tried without anybody naming it here.

use crate::http::house::{House, now, wait};
use crate::http::wire::{self, Answer};
use patchward_protocol::id::{MakerId, SiteId};
use patchward_server::console::answer::POLICY;
use patchward_server::console::form::TOKEN_FIELD;
use patchward_server::console::route::Route;
use patchward_server::console::routes;
use patchward_server::db;
use patchward_server::people::account::Account;
use patchward_server::people::name::{LoginName, Printed};
use patchward_server::people::role::{Grant, MakerPower, MakerRole, SitePower, SiteRole};
use patchward_server::people::session::{self, Browser, Session, SessionSecret, Stage};
use patchward_server::people::who::Language;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

const SITE_POWERS: [SitePower; 7] = [
    SitePower::See,
    SitePower::Stop,
    SitePower::Accept,
    SitePower::Plan,
    SitePower::Sign,
    SitePower::Administer,
    SitePower::Records,
];
const MAKER_POWERS: [MakerPower; 8] = [
    MakerPower::See,
    MakerPower::Stop,
    MakerPower::Release,
    MakerPower::Stage,
    MakerPower::Review,
    MakerPower::Publish,
    MakerPower::Administer,
    MakerPower::Records,
];

/// Somebody with a session.
#[derive(Clone)]
struct Visitor {
    who: String,
    secret: SessionSecret,
}

/// How a form is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// By a page of ours, with the session's token.
    Well,
    /// By a page of ours, without it.
    WithoutToken,
    /// By somebody else's page, which learned the token somehow.
    FromElsewhere,
}

impl Visitor {
    /// An account with these roles, signed in.
    fn new(house: &House, who: &str, grants: Vec<Grant>) -> Self {
        Self::at_stage(house, who, grants, Stage::Full)
    }

    fn at_stage(house: &House, who: &str, grants: Vec<Grant>, stage: Stage) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let secret = SessionSecret::from_random([n; 32]);
        let kept = secret.clone();
        let put = house.db.write(move |conn| {
            let id = db::account::next_id(conn)?;
            let account = Account {
                id,
                login: LoginName::read(&format!("person-{n}")).unwrap(),
                name: Printed::read("田中 由紀").unwrap(),
                title: Printed::read("臨床工学技士").unwrap(),
                language: Language::Ja,
                password: "no hash at all".to_owned(),
                second: Some("sealed".to_owned()),
                second_step: 0,
                enrol_until: now(),
                created: now(),
                disabled: None,
            };
            db::account::insert(conn, &account)?;
            for grant in &grants {
                db::grant::insert(conn, id, grant, "a test", now())?;
            }
            let session = Session::new(id, stage, &secret, &Browser::default(), now());
            session::begin(conn, &session, now())
        });
        wait(put).unwrap();
        Self { who: who.to_owned(), secret: kept }
    }

    fn at_site(house: &House, site: &str, role: SiteRole) -> Self {
        let id = SiteId::new(site).unwrap();
        Self::new(house, &format!("{role:?} of {site}"), vec![Grant::Site(id, role)])
    }

    fn at_maker(house: &House, maker: &str, role: MakerRole) -> Self {
        let id = MakerId::new(maker).unwrap();
        Self::new(house, &format!("{role:?} of {maker}"), vec![Grant::Maker(id, role)])
    }
}

/// Asks, and reads no further than a stream that never ends.
fn ask(address: SocketAddr, route: &Route, visitor: Option<&Visitor>, sent: Sent) -> Answer {
    let mut head = format!("{} {} HTTP/1.1\r\nHost: patchward\r\n", route.method, path(route));
    head.push_str("Connection: close\r\nAccept-Language: ja\r\n");
    if let Some(visitor) = visitor {
        head.push_str(&format!("Cookie: patchward={}\r\n", visitor.secret.reveal()));
    }
    let mut body = String::new();
    if route.method == "POST" {
        let from = if sent == Sent::FromElsewhere { "cross-site" } else { "same-origin" };
        head.push_str(&format!("Sec-Fetch-Site: {from}\r\n"));
        if let (Some(visitor), true) = (visitor, sent != Sent::WithoutToken) {
            body = format!("{TOKEN_FIELD}={}", visitor.secret.form_token());
        }
        head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut told = Vec::new();
    while !told.ends_with(b"\r\n\r\n") {
        let read = reader.read_until(b'\n', &mut told).unwrap();
        assert!(read > 0, "{} {}: the answer breaks off", route.method, route.path);
    }
    let is_stream = String::from_utf8_lossy(&told).contains("text/event-stream");
    if !is_stream {
        reader.read_to_end(&mut told).unwrap();
    }
    wire::parsed(&told).unwrap()
}

/// The path of a route with names that are names.
fn path(route: &Route) -> String {
    let part = |part: &str| match part {
        "{site}" => "north".to_owned(),
        "{maker}" => "acme".to_owned(),
        "{family}" => "acme.a".to_owned(),
        "{language}" => "ja".to_owned(),
        part if part.starts_with('{') => "x-1".to_owned(),
        part => part.to_owned(),
    };
    route.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// What an answer was: `login`, `in`, or the code of the refusal that its page shows.
fn outcome(answer: &Answer) -> String {
    let to = answer.header("location").unwrap_or_default();
    if answer.status == 303 && to.starts_with("/console/login?back=") {
        return "login".to_owned();
    }
    if answer.status < 400 {
        return "in".to_owned();
    }
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let codes = ["form_foreign", "not_permitted", "not_found"];
    let shown = codes.iter().find(|code| text.contains(**code));
    shown.map_or_else(|| format!("{}", answer.status), |code| (*code).to_owned())
}

/// Sends a form as a page of ours would, with these fields.
fn post(address: SocketAddr, visitor: &Visitor, path: &str, fields: &str) -> Answer {
    let token = visitor.secret.form_token();
    let body = format!("{TOKEN_FIELD}={token}&{fields}");
    let cookie = visitor.secret.reveal();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: patchward\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\n\
         Cookie: patchward={cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    wire::raw(address, head.as_bytes()).unwrap()
}

fn site_power(route: &Route) -> SitePower {
    let named = SITE_POWERS.into_iter().find(|power| format!("{power:?}") == route.power);
    named.unwrap_or_else(|| panic!("{}: {}", route.path, route.power))
}

fn maker_power(route: &Route) -> MakerPower {
    let named = MAKER_POWERS.into_iter().find(|power| format!("{power:?}") == route.power);
    named.unwrap_or_else(|| panic!("{}: {}", route.path, route.power))
}

fn all() -> Vec<Route> {
    let routes = routes().listed().to_vec();
    assert!(routes.len() > 20, "the console lists its routes");
    routes
}

fn house() -> House {
    House::furnished()
}

#[test]
fn who_is_not_signed_in_is_led_to_the_login_by_every_route_that_wants_somebody() {
    let house = house();
    let site = SiteId::new("north").unwrap();
    let half = vec![Grant::Site(site.clone(), SiteRole::Admin)];
    let half = Visitor::at_stage(&house, "half signed in", half, Stage::Second);
    let garbage = Visitor {
        who: "a cookie that nobody has".to_owned(),
        secret: SessionSecret::from_random([255; 32]),
    };
    let mut wrong = Vec::new();
    for route in all().iter().filter(|route| route.entry != "anybody") {
        for visitor in [None, Some(&garbage), Some(&half)] {
            let got = outcome(&ask(house.address, route, visitor, Sent::Well));
            let who = visitor.map_or("nobody", |visitor| visitor.who.as_str());
            if got != "login" {
                wrong.push(format!("{} {} by {who}: {got}", route.method, route.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_session_that_ended_opens_nothing() {
    let house = house();
    let admin = Visitor::at_site(&house, "north", SiteRole::Admin);
    let routes = all();
    let mine = routes.iter().find(|route| route.entry == "site" && route.method == "GET").unwrap();
    assert_ne!(outcome(&ask(house.address, mine, Some(&admin), Sent::Well)), "login");
    house.clock.set(now().plus_seconds(session::IDLE_S));
    assert_eq!(outcome(&ask(house.address, mine, Some(&admin), Sent::Well)), "login");
}

#[test]
fn what_belongs_to_another_place_is_not_there_for_anybody() {
    let house = house();
    let mut strangers: Vec<_> =
        SiteRole::ALL.iter().map(|role| Visitor::at_site(&house, "south", *role)).collect();
    strangers.extend(MakerRole::ALL.iter().map(|role| Visitor::at_maker(&house, "beta", *role)));
    let operator = Visitor::new(&house, "the operator", vec![Grant::Operator]);
    let mut wrong = Vec::new();
    for route in all() {
        let operators = route.entry == "server";
        let owned = ["site", "maker"].contains(&route.entry);
        let operator = (owned && !operators).then_some(&operator);
        let others = strangers.iter().filter(|_| owned || operators);
        for visitor in others.chain(operator) {
            let got = outcome(&ask(house.address, &route, Some(visitor), Sent::Well));
            if got != "not_found" {
                wrong.push(format!("{} {} by {}: {got}", route.method, route.path, visitor.who));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_role_without_the_power_of_a_route_is_told_so_and_one_with_it_comes_in() {
    let house = house();
    let at_site = SiteRole::ALL.map(|role| (role, Visitor::at_site(&house, "north", role)));
    let for_maker = MakerRole::ALL.map(|role| (role, Visitor::at_maker(&house, "acme", role)));
    let mut wrong = Vec::new();
    for route in all() {
        let mut callers: Vec<(&Visitor, bool)> = Vec::new();
        match route.entry {
            "site" => {
                let power = site_power(&route);
                callers.extend(at_site.iter().map(|(role, visitor)| (visitor, role.may(power))));
            }
            "maker" => {
                let power = maker_power(&route);
                callers.extend(for_maker.iter().map(|(role, visitor)| (visitor, role.may(power))));
            }
            _ => {}
        }
        for (visitor, may) in callers {
            let got = ask(house.address, &route, Some(visitor), Sent::Well);
            let said = outcome(&got);
            let refused = said == "not_permitted";
            let failed = got.status >= 500 || said == "login" || said == "form_foreign";
            if refused == may || failed {
                wrong.push(format!("{} {} by {}: {said}", route.method, route.path, visitor.who));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_form_without_the_token_or_from_elsewhere_does_nothing() {
    let house = house();
    let north = SiteId::new("north").unwrap();
    let acme = MakerId::new("acme").unwrap();
    let everything = vec![
        Grant::Site(north.clone(), SiteRole::Admin),
        Grant::Maker(acme, MakerRole::Admin),
        Grant::Operator,
    ];
    let admin = Visitor::new(&house, "who may do much", everything);
    let mut wrong = Vec::new();
    for route in all().iter().filter(|route| route.method == "POST") {
        for sent in [Sent::WithoutToken, Sent::FromElsewhere] {
            let got = outcome(&ask(house.address, route, Some(&admin), sent));
            if got != "form_foreign" {
                wrong.push(format!("{} {sent:?}: {got}", route.path));
            }
        }
        let got = outcome(&ask(house.address, route, None, Sent::FromElsewhere));
        if got != "form_foreign" {
            wrong.push(format!("{} from elsewhere by nobody: {got}", route.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_comes_with_the_policy_and_with_nothing_inline() {
    let house = house();
    let visitors = [
        None,
        Some(Visitor::at_site(&house, "north", SiteRole::Admin)),
        Some(Visitor::at_site(&house, "north", SiteRole::Approver)),
        Some(Visitor::at_maker(&house, "acme", MakerRole::Admin)),
        Some(Visitor::at_maker(&house, "acme", MakerRole::KeyHolder)),
        Some(Visitor::at_maker(&house, "acme", MakerRole::Release)),
        Some(Visitor::new(&house, "the operator", vec![Grant::Operator])),
    ];
    let (mut wrong, mut shown) = (Vec::new(), 0);
    for route in all().iter().filter(|route| route.method == "GET") {
        for visitor in &visitors {
            let answer = ask(house.address, route, visitor.as_ref(), Sent::Well);
            shown += usize::from(answer.status == 200);
            let who = visitor.as_ref().map_or("nobody", |visitor| visitor.who.as_str());
            let at = format!("{} by {who} ({})", route.path, answer.status);
            wrong.extend(faults(&answer).into_iter().map(|fault| format!("{at}: {fault}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(shown > 20, "{shown} pages were shown");
}

fn faults(answer: &Answer) -> Vec<String> {
    let mut wrong = Vec::new();
    let headers = [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ];
    for (name, value) in headers {
        let told = answer.header(name);
        if told.as_deref() != Some(value) {
            wrong.push(format!("{name}: {told:?}"));
        }
    }
    if answer.status >= 500 {
        wrong.push("it failed".to_owned());
    }
    for cookie in answer.headers("set-cookie") {
        let flags = ["HttpOnly", "SameSite=", "Path=/"];
        let missing = flags.iter().find(|flag| !cookie.contains(**flag));
        // The language is no secret, but no script needs it either.
        wrong.extend(missing.map(|flag| format!("{flag} is missing in {cookie}")));
    }
    let html = String::from_utf8_lossy(&answer.body);
    if !answer.header("content-type").unwrap_or_default().starts_with("text/html") {
        return wrong;
    }
    for script in html.split("<script").skip(1) {
        let tag = script.split('>').next().unwrap();
        let own = tag.contains("src=\"/console/assets/");
        let empty = script[tag.len()..].starts_with("></script>");
        if !own || !empty {
            wrong.push(format!("a script inside the page: {tag}"));
        }
    }
    for inline in ["<style", " style=", " onclick=", " onload=", " onchange=", "javascript:"] {
        if html.contains(inline) {
            wrong.push(format!("{inline} inside the page"));
        }
    }
    for link in html.split("href=\"").chain(html.split("src=\"")).skip(1) {
        let to = link.split('"').next().unwrap();
        let elsewhere = to.starts_with("http:") || to.starts_with("https:") || to.starts_with("//");
        if elsewhere && answer.status == 200 && link.contains("rel=\"stylesheet") {
            wrong.push(format!("a style from elsewhere: {to}"));
        }
    }
    wrong
}

#[test]
fn nobody_is_kept_from_stopping_by_words_or_by_a_spoilt_inventory() {
    let house = house();
    let nurse = Visitor::at_site(&house, "north", SiteRole::Ward);
    let stop = "/console/sites/north/stop";
    let long = format!("reason={}%00%07&owner=%01", "smoke+".repeat(400));
    for fields in ["", "reason=two%0D%0Alines", "reason=++", long.as_str()] {
        let answer = post(house.address, &nurse, stop, fields);
        assert_eq!(answer.status, 303, "{fields}");
        assert!(answer.header("location").unwrap().contains("/holds/"), "{fields}");
    }
    let spoil = house.db.write(|conn| {
        let sql = "REPLACE INTO inventories (site, revision, document, frozen, changed, changed_by) \
                   VALUES ('north', 1, 'spoilt', '{}', 0, 'a test')";
        let db::Connection::Sqlite(conn) = conn else { panic!("SQLite") };
        diesel::RunQueryDsl::execute(diesel::sql_query(sql), &mut **conn)?;
        Ok::<_, db::DbError>(())
    });
    wait(spoil).unwrap();
    let answer = post(house.address, &nurse, stop, "");
    assert_eq!(answer.status, 303, "{}", String::from_utf8_lossy(&answer.body));
    let routes = all();
    for path in [stop, "/console/sites/{site}/holds"] {
        let path = path.replace("north", "{site}");
        let route = routes.iter().find(|route| route.method == "GET" && route.path == path);
        let answer = ask(house.address, route.unwrap(), Some(&nurse), Sent::Well);
        assert_eq!(answer.status, 200, "{path}");
    }
}

#[test]
fn a_page_says_that_something_was_done_only_when_it_was_done_just_now() {
    let house = house();
    let nurse = Visitor::at_site(&house, "north", SiteRole::Ward);
    let says = |to: &str| {
        let cookie = nurse.secret.reveal();
        let head = format!(
            "GET {to} HTTP/1.1\r\nHost: patchward\r\nConnection: close\r\n\
             Accept-Language: ja\r\nCookie: patchward={cookie}\r\n\r\n"
        );
        let answer = wire::raw(house.address, head.as_bytes()).unwrap();
        assert_eq!(answer.status, 200, "{to}");
        let page = String::from_utf8_lossy(&answer.body).into_owned();
        ["停止しました", "Stopped."].iter().any(|claim| page.contains(claim))
    };
    let sent = "/console/sites/north/devices?done=stop-set-done";
    assert!(!says(sent), "a link that anybody could send");
    let answer = post(house.address, &nurse, "/console/sites/north/stop", "");
    let to = answer.header("location").unwrap().to_owned();
    assert!(says(&to), "{to}");
    let (hold, done) = to.split_once('?').unwrap();
    assert!(!says(&format!("/console/sites/north/devices?{done}")), "on another page");
    house.clock.set(now().plus_seconds(121));
    assert!(!says(&to) && !says(hold), "opened again later");
}

#[test]
fn a_form_is_cut_off_before_it_fills_the_memory_and_none_is_taken_in_part() {
    let house = house();
    // The first part never begins: what stands before it is held by whoever takes a form apart.
    let head = "POST /console/login HTTP/1.1\r\nHost: patchward\r\nSec-Fetch-Site: same-origin\r\n\
                Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1073741824\r\n\r\n";
    let mut stream = TcpStream::connect(house.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    let piece = vec![b'x'; 1 << 20];
    let sent = (0..64).take_while(|_| stream.write_all(&piece).is_ok()).count();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let refused = String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 413");
    assert!(sent < 64 || refused, "{sent} MiB were taken from somebody whom nobody knows");
    // More fields than are read: a box further down would be taken as empty.
    let nurse = Visitor::at_site(&house, "north", SiteRole::Ward);
    let many = "x=1&".repeat(10_001);
    let answer = post(house.address, &nurse, "/console/sites/north/stop", &many);
    assert_eq!(answer.status, 413);
}
