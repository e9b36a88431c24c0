//! Keys that have no letter (W3C WebDriver 2, 17.4.2).

/// A key of the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Tabulator: on to the next control.
    Tab,
    /// Tabulator with shift: back.
    BackTab,
    /// Return.
    Enter,
    /// Space bar.
    Space,
    /// Escape.
    Escape,
    /// Arrow down.
    Down,
    /// Arrow up.
    Up,
    /// A letter.
    Letter(char),
}

const SHIFT: char = '\u{e008}';

impl Key {
    /// Keys that are held and the one that is struck.
    pub(super) const fn code(self) -> (Option<char>, char) {
        match self {
            Self::Tab => (None, '\u{e004}'),
            Self::BackTab => (Some(SHIFT), '\u{e004}'),
            Self::Enter => (None, '\u{e007}'),
            Self::Space => (None, ' '),
            Self::Escape => (None, '\u{e00c}'),
            Self::Down => (None, '\u{e015}'),
            Self::Up => (None, '\u{e013}'),
            Self::Letter(letter) => (None, letter),
        }
    }
}
