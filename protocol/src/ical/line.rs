//! Content lines: unfolding, names, parameters.

/// A line after unfolding, with the number at which it begins.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) text: String,
}

/// `NAME;PARAMETER=VALUE:VALUE`, names in capitals.
#[derive(Debug, Clone)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) value: String,
}

/// Joins folded lines (RFC 5545, 3.1); empty lines are passed over.
pub(super) fn unfold(text: &str) -> Vec<Line> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines: Vec<Line> = Vec::new();
    for (number, raw) in (1_usize..).zip(text.split('\n')) {
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        let folded = raw.strip_prefix([' ', '\t']);
        match (folded, lines.last_mut()) {
            (Some(rest), Some(last)) => last.text.push_str(rest),
            _ if raw.is_empty() => {}
            _ => lines.push(Line { number, text: raw.to_owned() }),
        }
    }
    lines
}

impl Line {
    pub(super) fn property(&self) -> Option<Property> {
        let mut quoted = false;
        let colon = self.text.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == ':' && !quoted
        });
        let (head, value) = self.text.split_at_checked(colon?.0)?;
        let mut parts = split_unquoted(head, ';').into_iter();
        let name = parts.next()?.trim().to_ascii_uppercase();
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(good) {
            return None;
        }
        let mut parameters = Vec::new();
        for part in parts {
            let (name, value) = part.split_once('=')?;
            parameters.push((name.to_ascii_uppercase(), value.trim_matches('"').to_owned()));
        }
        Some(Property { name, parameters, value: value.get(1..)?.to_owned() })
    }
}

impl Property {
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(held, _)| held == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The value as text, without the escapes of RFC 5545, 3.3.11.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        let mut characters = self.value.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some('n' | 'N') => out.push(' '),
                    Some(other) => out.push(other),
                    None => {}
                },
                other => out.push(other),
            }
        }
        out.trim().to_owned()
    }
}

fn split_unquoted(text: &str, at: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c: char| {
        quoted ^= c == '"';
        c == at && !quoted
    })
    .collect()
}
