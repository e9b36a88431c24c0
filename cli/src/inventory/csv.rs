//! Comma-separated tables (RFC 4180) as spreadsheets write them: UTF-8, with or without BOM.
//!
//! A cell that a spreadsheet would take for a formula is written with an apostrophe before it, and
//! read without. Not here: what the columns mean ([`super::table`]).
//! Invariant: every fault names its line, and all faults are found at once.

/// Most rows of a table.
pub const ROWS_MAX: usize = 25_000;
/// What a spreadsheet would compute instead of show.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\''];

/// A row with the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// From 1.
    pub line: usize,
    cells: Vec<String>,
}

/// A table with its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub header: Vec<String>,
    /// Rows that are not empty.
    pub rows: Vec<Row>,
}

impl Table {
    /// The cell of a row; nothing when there is no such column or it is empty.
    #[must_use]
    pub fn cell<'a>(&self, row: &'a Row, column: &str) -> Option<&'a str> {
        let at = self.header.iter().position(|name| name == column)?;
        row.cells.get(at).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// Whether there is such a column.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.header.iter().any(|name| name == column)
    }

    /// Reads a table.
    ///
    /// # Errors
    /// Every fault, each with its line.
    pub fn read(bytes: &[u8]) -> Result<Self, Vec<String>> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1);
            vec![format!("line {line}: not UTF-8; save it as \"CSV UTF-8\"")]
        })?;
        let mut rows = split(text)?.into_iter();
        let header = rows.next().ok_or_else(|| vec!["line 1: there is no header".to_owned()])?;
        let width = header.cells.len();
        let names = header.cells.iter().map(|name| name.trim().to_owned()).collect();
        let (mut kept, mut problems) = (Vec::new(), Vec::new());
        for row in rows {
            let count = row.cells.len();
            if count != width {
                let line = row.line;
                problems.push(format!("line {line}: {count} cells, the header has {width}"));
            }
            kept.push(row);
        }
        if kept.len() > ROWS_MAX {
            problems.push(format!("{} rows, at most {ROWS_MAX}", kept.len()));
        }
        if problems.is_empty() { Ok(Self { header: names, rows: kept }) } else { Err(problems) }
    }
}

/// Writes a table, with BOM, so that spreadsheets read Japanese as it is.
#[must_use]
pub fn write(header: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = cells.map(quoted).collect::<Vec<_>>().join(",");
        line.push_str("\r\n");
        line
    };
    let mut text = String::from('\u{feff}');
    text.push_str(&line(&mut header.iter().copied()));
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text.into_bytes()
}

fn quoted(cell: &str) -> String {
    let mark = if cell.starts_with(FORMULA) { "'" } else { "" };
    let plain = !cell.contains([',', '"', '\r', '\n']);
    if plain { format!("{mark}{cell}") } else { format!("\"{mark}{}\"", cell.replace('"', "\"\"")) }
}

/// Rows of cells; lines without anything in them are left out.
fn split(text: &str) -> Result<Vec<Row>, Vec<String>> {
    let (mut rows, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut line, mut begun, mut quote) = (1_usize, 1_usize, None::<usize>);
    let mut chars = text.chars().peekable();
    loop {
        let next = chars.next();
        line = line.saturating_add(usize::from(next == Some('\n')));
        match (next, quote) {
            (None, Some(line)) => return Err(vec![format!("line {line}: a quote is not closed")]),
            (Some('"'), Some(_)) if chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            (Some('"'), Some(_)) => quote = None,
            (Some(other), Some(_)) => cell.push(other),
            (Some('"'), None) if cell.is_empty() => quote = Some(line),
            (Some(','), None) => cells.push(ended(&mut cell)),
            (Some('\r'), None) if chars.peek() == Some(&'\n') => {}
            (Some('\n') | None, None) => {
                cells.push(ended(&mut cell));
                let row = Row { line: begun, cells: std::mem::take(&mut cells) };
                if row.cells.iter().any(|cell| !cell.is_empty()) {
                    rows.push(row);
                }
                begun = line;
                if next.is_none() {
                    return Ok(rows);
                }
            }
            (Some(other), None) => cell.push(other),
        }
    }
}

fn ended(cell: &mut String) -> String {
    let cell = std::mem::take(cell);
    let trimmed = cell.trim();
    trimmed.strip_prefix('\'').unwrap_or(trimmed).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_commas_and_line_ends_stay_in_their_cell_and_lines_are_counted() {
        let text = "\u{feff}ward,name\r\nicu,\"a, \"\"b\"\"\nc\"\r\n,\r\ner,x\n";
        let table = Table::read(text.as_bytes()).unwrap();
        assert_eq!(table.header, ["ward", "name"]);
        assert_eq!(table.cell(&table.rows[0], "name"), Some("a, \"b\"\nc"));
        assert_eq!(table.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(table.cell(&table.rows[1], "nothing"), None);
    }

    #[test]
    fn every_bad_row_is_named_with_its_line() {
        let problems = Table::read(b"a,b\n1\n1,2\n1,2,3\n").unwrap_err();
        assert_eq!(
            problems,
            ["line 2: 1 cells, the header has 2", "line 4: 3 cells, the header has 2"]
        );
        assert_eq!(Table::read(b"a,b\n1,\"2\n").unwrap_err(), ["line 2: a quote is not closed"]);
        // Shift_JIS, as some spreadsheets still write it.
        let problems = Table::read(b"a,b\n1,2\n\x95\x61\x93\x8f,2\n").unwrap_err();
        assert_eq!(problems, ["line 3: not UTF-8; save it as \"CSV UTF-8\""]);
        assert!(Table::read(b"").is_err());
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            cells in prop::collection::vec("[ -~あ-ん\\n]{0,12}", 2..8)
        ) {
            let cells: Vec<_> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
            let row = [vec!["x".to_owned()], cells].concat();
            let header: Vec<_> = (0..row.len()).map(|n| format!("c{n}")).collect();
            let names: Vec<_> = header.iter().map(String::as_str).collect();
            let table = Table::read(&write(&names, std::slice::from_ref(&row))).unwrap();
            let read: Vec<_> = names
                .iter()
                .map(|name| table.cell(&table.rows[0], name).unwrap_or_default().to_owned())
                .collect();
            prop_assert_eq!(read, row);
        }

        #[test]
        fn bytes_that_nobody_meant_are_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Table::read(&bytes);
        }
    }
}
