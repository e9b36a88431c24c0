//! Devices and wards as tables (CSV, RFC 4180), for spreadsheets.
//!
//! UTF-8 with or without a byte order mark, lines ended by LF or CRLF. A table replaces its whole
//! list, or nothing when anything is wrong: every bad row is named with its line. Cells that a
//! spreadsheet would run as a formula are written with an apostrophe in front, and read without it.
//! Not here: merging tables, files. Invariant: what was written is read back the same.

mod columns;
mod table;

use super::{BrokenRule, Inventory};
use crate::sentences::sentences;
use std::fmt;

sentences! {
    /// What is wrong with a cell or a row.
    BadCell {
        NotUtf8, "not_utf8", "Save the file as CSV UTF-8.", "「CSV UTF-8」形式で保存してください。";
        TooLong, "too_long", "The file has more than 4 MiB.", "ファイルが4MiBを超えています。";
        NoHeader, "no_header", "The first row must name the columns.", "先頭行に列名が必要です。";
        UnknownColumn, "unknown_column", "There is no such column; take the header of an export.", "この列名はありません。書き出したファイルの先頭行を使用してください。";
        ColumnTwice, "column_twice", "The column stands there twice.", "列が重複しています。";
        MissingColumn, "missing_column", "This column is missing.", "この列がありません。";
        CellCount, "cell_count", "The row has more or fewer cells than the header.", "列の数が先頭行と一致しません。";
        Quote, "quote", "A quotation mark is open or stands in the middle; write \"\" for one inside.", "引用符が閉じていないか、途中にあります。文字としての引用符は\"\"と記入してください。";
        Name, "name", "This must be an id of a-z, 0-9 and '-'.", "a-z・0-9・「-」からなるIDを記入してください。";
        Word, "word", "This is none of the words that may stand here; see an export.", "使用できる語ではありません。書き出したファイルを参照してください。";
        Number, "number", "This must be a whole number.", "整数を記入してください。";
        MinInService, "min_in_service", "Write KIND=COUNT, several with a semicolon between.", "「種類=台数」の形式で、複数はセミコロンで区切ってください。";
        Hours, "hours", "Write DAYS HH:MM MINUTES like mon+tue 08:00 540, several with a semicolon between.", "「mon+tue 08:00 540」の形式で、複数はセミコロンで区切ってください。";
        Inventory, "inventory", "The row does not go with the rest of the inventory.", "台帳の他の内容と整合しません。";
    }
}

/// One thing that is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Number of the line in the file, from 1; 0 when it stands elsewhere in the inventory.
    pub line: usize,
    /// The column, or the place in the inventory.
    pub column: String,
    /// What stands there, as far as it is short.
    pub value: String,
    /// What is wrong.
    pub wrong: BadCell,
    /// Which rule of the inventory it breaks, when it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<BrokenRule>,
}

/// Why a table was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadTable {
    /// Everything that is wrong, by line.
    pub problems: Vec<Problem>,
}

impl Problem {
    fn new(line: usize, column: &str, value: &str, wrong: BadCell) -> Self {
        let value = value.chars().take(120).collect();
        Self { line, column: column.to_owned(), value, wrong, rule: None }
    }

    /// What is wrong, in English and in Japanese.
    #[must_use]
    pub fn words(&self) -> (&'static str, &'static str) {
        self.rule.map_or((self.wrong.en(), self.wrong.ja()), |rule| (rule.en(), rule.ja()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {:?}: {}", self.line, self.column, self.value, self.words().0)
    }
}

impl fmt::Display for BadTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the table has {} problems", self.problems.len())
    }
}

impl std::error::Error for BadTable {}

/// The columns of a table of wards: the fields of a form for one, too.
pub const WARD_COLUMNS: [&str; 7] = columns::WARDS;

/// The columns of a table of devices: the fields of a form for one, too.
pub const DEVICE_COLUMNS: [&str; 8] = columns::DEVICES;

impl super::InventoryDevice {
    /// Its cells, in the order of [`DEVICE_COLUMNS`].
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        columns::device_cells(self)
    }

    /// Reads it from cells in the order of [`DEVICE_COLUMNS`].
    ///
    /// # Errors
    /// [`BadTable`] names every column that does not read.
    pub fn of_cells(cells: Vec<String>) -> Result<Self, BadTable> {
        let rows = [table::Row { line: 1, cells }];
        let (devices, _) = columns::each(&rows, &columns::DEVICES, columns::device)?;
        devices.into_iter().next().ok_or_else(|| BadTable { problems: Vec::new() })
    }
}

impl super::Ward {
    /// Its cells, in the order of [`WARD_COLUMNS`].
    #[must_use]
    pub fn cells(&self) -> Vec<String> {
        columns::ward_cells(self)
    }

    /// Reads it from cells in the order of [`WARD_COLUMNS`].
    ///
    /// # Errors
    /// [`BadTable`] names every column that does not read.
    pub fn of_cells(cells: Vec<String>) -> Result<Self, BadTable> {
        let rows = [table::Row { line: 1, cells }];
        let (wards, _) = columns::each(&rows, &columns::WARDS, columns::ward)?;
        wards.into_iter().next().ok_or_else(|| BadTable { problems: Vec::new() })
    }
}

impl Inventory {
    /// This inventory with the devices of a table instead of its own.
    ///
    /// # Errors
    /// [`BadTable`] names every bad row; nothing is taken then.
    pub fn with_devices(&self, bytes: &[u8]) -> Result<Self, BadTable> {
        let rows = table::read(bytes, &columns::DEVICES)?;
        let (devices, lines) = columns::each(&rows, &columns::DEVICES, columns::device)?;
        self.judged(&Self { devices, ..self.clone() }, "devices", &lines)
    }

    /// This inventory with the wards of a table instead of its own.
    ///
    /// # Errors
    /// [`BadTable`] names every bad row; nothing is taken then.
    pub fn with_wards(&self, bytes: &[u8]) -> Result<Self, BadTable> {
        let rows = table::read(bytes, &columns::WARDS)?;
        let (wards, lines) = columns::each(&rows, &columns::WARDS, columns::ward)?;
        self.judged(&Self { wards, ..self.clone() }, "wards", &lines)
    }

    /// The devices as a table, with a byte order mark and CRLF, as spreadsheets like it.
    #[must_use]
    pub fn devices_table(&self) -> String {
        table::write(&columns::DEVICES, self.devices.iter().map(columns::device_cells))
    }

    /// The wards as a table.
    #[must_use]
    pub fn wards_table(&self) -> String {
        table::write(&columns::WARDS, self.wards.iter().map(columns::ward_cells))
    }

    /// Takes the new inventory when the table is in order and broke nothing elsewhere.
    fn judged(&self, new: &Self, list: &str, lines: &[usize]) -> Result<Self, BadTable> {
        let before = self.check();
        let new_or_here =
            |problem: &super::Problem| problem.path.starts_with(list) || !before.contains(problem);
        let problems = new.check().into_iter().filter(new_or_here);
        let problems = problems.map(|problem| {
            let place = problem.path.strip_prefix(list).and_then(|rest| rest.strip_prefix('['));
            let row = place.and_then(|rest| rest.split_once(']'));
            let line = row.and_then(|(at, _)| lines.get(at.parse::<usize>().ok()?).copied());
            let column = match (line, row) {
                (Some(_), Some((_, rest))) if !rest.is_empty() => rest.trim_start_matches('.'),
                (Some(_), _) => "id",
                (None, _) => &problem.path,
            };
            Problem {
                rule: Some(problem.rule),
                ..Problem::new(line.unwrap_or(0), column, &problem.value, BadCell::Inventory)
            }
        });
        let mut problems: Vec<_> = problems.collect();
        problems.sort_by_key(|problem| problem.line);
        if problems.is_empty() { Ok(new.clone()) } else { Err(BadTable { problems }) }
    }
}
