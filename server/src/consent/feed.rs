//! A calendar as an iCalendar file (RFC 5545), for the calendars that people have.
//!
//! It says when, which ward and how many devices; no product, no version, no name of a device, because
//! such a file is read on phones and passed on. Not here: who may read it. Invariant: lines end in
//! CRLF and are at most 75 octets; a character is never cut in two.

use super::calendar::{Event, What};
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::time::Timestamp;

/// Octets of a line, without its end (RFC 5545 3.1).
const LINE_OCTETS_MAX: usize = 75;

/// The words of one event.
#[derive(Debug, Clone)]
pub struct Said {
    /// The title.
    pub summary: String,
    /// More, on several lines.
    pub description: String,
    /// Where.
    pub location: String,
}

/// Writes a calendar of this name. `stamp` is when it was made.
#[must_use]
pub fn write(
    name: &str,
    site: &str,
    events: &[Event],
    stamp: Timestamp,
    said: impl Fn(&Event) -> Said,
) -> String {
    let mut file = File::default();
    file.line("BEGIN:VCALENDAR");
    file.line("VERSION:2.0");
    file.line("PRODID:-//Patchward//Patchward//EN");
    file.line("CALSCALE:GREGORIAN");
    file.line("METHOD:PUBLISH");
    file.text("X-WR-CALNAME", name);
    file.line("REFRESH-INTERVAL;VALUE=DURATION:PT1H");
    for event in events {
        let words = said(event);
        file.line("BEGIN:VEVENT");
        file.line(&format!("UID:{}@{site}", uid(event)));
        file.line(&format!("DTSTAMP:{}", utc(stamp)));
        file.line(&format!("DTSTART:{}", utc(event.from)));
        file.line(&format!("DTEND:{}", utc(event.to)));
        file.text("SUMMARY", &words.summary);
        file.text("DESCRIPTION", &words.description);
        file.text("LOCATION", &words.location);
        // It takes nobody's time by itself.
        file.line("TRANSP:TRANSPARENT");
        file.line("END:VEVENT");
    }
    file.line("END:VCALENDAR");
    file.0
}

/// The same for the same slot of the same ward, so that a calendar moves what it has.
fn uid(event: &Event) -> String {
    let ward = event.ward.as_ref().map_or("", |ward| ward.as_str());
    let what = match &event.what {
        What::Go(go) => format!("{} {}", go.approval_sha256, go.wave),
        What::Freeze { why } => format!("freeze {why}"),
        What::Window { en, .. } => format!("window {en}"),
    };
    let from = event.from.millis();
    let all = format!("{what} {ward} {from}");
    Sha256Digest::of(all.as_bytes()).to_string().chars().take(32).collect()
}

fn utc(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Lines of the file.
#[derive(Debug, Default)]
struct File(String);

impl File {
    /// A property whose value is text.
    fn text(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.line(&format!("{name}:{}", escaped(value)));
        }
    }

    /// A line, folded where it is too long.
    fn line(&mut self, line: &str) {
        let mut octets = 0;
        for c in line.chars() {
            if octets + c.len_utf8() > LINE_OCTETS_MAX {
                self.0.push_str("\r\n ");
                octets = 1;
            }
            self.0.push(c);
            octets += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

/// Text as a value (RFC 5545 3.3.11); other control characters are left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchward_protocol::ical::{Import, read};
    use patchward_protocol::id::WindowId;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_jiff(text.parse().unwrap())
    }

    fn freeze(why: &str) -> Event {
        Event {
            from: at("2026-12-05T17:00:00Z"),
            to: at("2026-12-05T19:00:00Z"),
            ward: None,
            what: What::Freeze { why: why.to_owned() },
        }
    }

    fn file(summary: &str) -> String {
        let said = |_: &Event| Said {
            summary: summary.to_owned(),
            description: "a\nb".to_owned(),
            location: String::new(),
        };
        write("City; Hospital", "city", &[freeze("audit")], at("2026-12-01T00:00:00Z"), said)
    }

    #[test]
    fn lines_end_in_crlf_and_no_line_is_too_long() {
        let file = file(&"集中治療室の機器を更新します。".repeat(12));
        assert!(file.ends_with("END:VCALENDAR\r\n"));
        for line in file.split_terminator("\r\n") {
            assert!(line.len() <= 75, "{} octets: {line}", line.len());
            assert!(!line.contains('\n') && !line.contains('\r'));
        }
        let unfolded = file.replace("\r\n ", "");
        assert!(unfolded.contains(&"集中治療室の機器を更新します。".repeat(12)));
    }

    #[test]
    fn what_means_something_in_the_format_is_escaped() {
        let file = file("one, two; \\three\u{7}");
        assert!(file.contains("SUMMARY:one\\, two\\; \\\\three\r\n"), "{file}");
        assert!(file.contains("DESCRIPTION:a\\nb\r\n") && file.contains("NAME:City\\; Hospital"));
    }

    #[test]
    fn our_own_strict_reader_understands_it_at_the_same_hours() {
        let name = WindowId::new("read").unwrap();
        let import = Import { name: &name, zone: None };
        let windows = read(file("plain").as_bytes(), &import).unwrap();
        assert_eq!(windows.len(), 1);
        let (from, to) = (at("2026-12-05T00:00:00Z"), at("2026-12-07T00:00:00Z"));
        let found =
            patchward_protocol::window::expand(&[&windows[0]], "Etc/UTC", from, to).unwrap();
        assert_eq!(found[0].start(), at("2026-12-05T17:00:00Z"));
        assert_eq!(found[0].end(), at("2026-12-05T19:00:00Z"));
    }

    #[test]
    fn the_same_slot_keeps_its_name_and_another_has_another() {
        assert_eq!(uid(&freeze("audit")), uid(&freeze("audit")));
        assert_ne!(uid(&freeze("audit")), uid(&freeze("move")));
    }
}
