//! Rows and cells: RFC 4180, and apostrophes against formulas.

use super::{BadCell, BadTable, Problem};
use crate::limits::CALENDAR_BYTES_MAX;

/// A column by its name.
pub(super) type Columns = [&'static str];

/// A row with the line at which it begins, its cells in the order of the columns.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
}

/// Reads a table with exactly these columns, in any order.
pub(super) fn read(bytes: &[u8], columns: &Columns) -> Result<Vec<Row>, BadTable> {
    let whole = |wrong| BadTable { problems: vec![Problem::new(1, "file", "", wrong)] };
    if bytes.len() > CALENDAR_BYTES_MAX {
        return Err(whole(BadCell::TooLong));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| whole(BadCell::NotUtf8))?;
    let (mut rows, mut problems) = rows(text.strip_prefix('\u{feff}').unwrap_or(text));
    if rows.is_empty() {
        return Err(whole(BadCell::NoHeader));
    }
    let mut header = rows.remove(0);
    for name in &mut header.cells {
        *name = name.trim().to_owned();
    }
    for (at, name) in header.cells.iter().enumerate() {
        let known = columns.contains(&name.as_str());
        let twice = header.cells.iter().take(at).any(|other| other == name);
        let wrong = if !known { BadCell::UnknownColumn } else { BadCell::ColumnTwice };
        if !known || twice {
            problems.push(Problem::new(header.line, name, name, wrong));
        }
    }
    let places: Vec<_> =
        columns.iter().map(|column| header.cells.iter().position(|name| name == column)).collect();
    for (column, _) in columns.iter().zip(&places).filter(|(_, place)| place.is_none()) {
        problems.push(Problem::new(header.line, column, "", BadCell::MissingColumn));
    }
    for row in &rows {
        if row.cells.len() != header.cells.len() {
            let count = row.cells.len().to_string();
            problems.push(Problem::new(row.line, "row", &count, BadCell::CellCount));
        }
    }
    if !problems.is_empty() {
        problems.sort_by_key(|problem| problem.line);
        return Err(BadTable { problems });
    }
    let sorted = rows.into_iter().map(|row| {
        let cell = |place: &Option<usize>| place.and_then(|at| row.cells.get(at).cloned());
        let cells = places.iter().map(|place| cell(place).unwrap_or_default());
        Row { line: row.line, cells: cells.collect() }
    });
    Ok(sorted.collect())
}

/// Splits into rows; rows without any text are passed over.
fn rows(text: &str) -> (Vec<Row>, Vec<Problem>) {
    let (mut rows, mut problems) = (Vec::new(), Vec::new());
    let mut reader = Reader { rest: text, line: 1 };
    while !reader.rest.is_empty() {
        let begin = reader.line;
        match reader.row() {
            Some(cells) if cells.iter().all(|cell| cell.trim().is_empty()) => {}
            Some(cells) => {
                let cells = cells.iter().map(|cell| plain(cell).to_owned()).collect();
                rows.push(Row { line: begin, cells });
            }
            None => {
                problems.push(Problem::new(begin, "row", "", BadCell::Quote));
                reader.skip_line();
            }
        }
    }
    (rows, problems)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    /// The cells of a row; nothing when a quotation mark is out of place.
    fn row(&mut self) -> Option<Vec<String>> {
        let mut cells = Vec::new();
        loop {
            cells.push(if self.rest.starts_with('"') { self.quoted()? } else { self.bare()? });
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let end = self.rest.strip_prefix("\r\n").or_else(|| self.rest.strip_prefix('\n'));
            if let Some(rest) = end {
                self.rest = rest;
                self.line = self.line.saturating_add(1);
            } else if !self.rest.is_empty() {
                return None;
            }
            return Some(cells);
        }
    }

    fn bare(&mut self) -> Option<String> {
        let end = self.rest.find([',', '\n', '"']).unwrap_or(self.rest.len());
        let (cell, rest) = self.rest.split_at_checked(end)?;
        if rest.starts_with('"') {
            return None;
        }
        // The CR of a CRLF belongs to the end of the line.
        let cell =
            if rest.starts_with('\n') { cell.strip_suffix('\r').unwrap_or(cell) } else { cell };
        self.rest = self.rest.get(cell.len()..)?;
        Some(cell.to_owned())
    }

    fn quoted(&mut self) -> Option<String> {
        let mut cell = String::new();
        let mut rest = self.rest.strip_prefix('"')?;
        loop {
            let (part, after) = rest.split_once('"')?;
            cell.push_str(part);
            match after.strip_prefix('"') {
                Some(more) => {
                    cell.push('"');
                    rest = more;
                }
                None => {
                    self.line = self.line.saturating_add(cell.matches('\n').count());
                    self.rest = after;
                    return Some(cell);
                }
            }
        }
    }

    fn skip_line(&mut self) {
        let (_, rest) = self.rest.split_once('\n').unwrap_or(("", ""));
        self.rest = rest;
        self.line = self.line.saturating_add(1);
    }
}

/// What a spreadsheet takes for a formula, full-width forms, too, and the apostrophe itself.
const FORMULA: [char; 12] = ['=', '+', '-', '@', '\t', '\r', '\n', '\'', '＝', '＋', '－', '＠'];

fn plain(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA)).unwrap_or(cell)
}

/// Writes a table.
pub(super) fn write(columns: &Columns, rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = String::from('\u{feff}');
    line(&mut out, columns.iter().copied());
    for row in rows {
        line(&mut out, row.iter().map(String::as_str));
    }
    out
}

fn line<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.push(',');
        }
        let safe = if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell.to_owned() };
        if safe.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&safe.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&safe);
        }
    }
    out.push_str("\r\n");
}
