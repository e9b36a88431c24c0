//! Tables for people's spreadsheets (RFC 4180): UTF-8 with a byte order mark, CRLF.
//!
//! Not here: tables that are read again, whose apostrophes must come off
//! ([`crate::inventory::csv`]). Invariant: no cell begins with a character that a spreadsheet takes for
//! a formula, every cell is quoted, and a row has as many cells as the header.

use super::words::is_hidden;

/// A table with these columns.
#[must_use]
pub fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut out = String::from('\u{feff}');
    out.push_str(&row(&header.map(str::to_owned)));
    for cells in rows {
        out.push_str(&row(&cells));
    }
    out
}

fn row<const N: usize>(cells: &[String; N]) -> String {
    format!("{}\r\n", cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(","))
}

/// A cell that no spreadsheet runs.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    let first = plain.trim_start().chars().next();
    // Full-width forms are taken for formulas by Japanese spreadsheets too.
    let runs = first.is_some_and(|c| "=+-@|%\u{ff1d}\u{ff0b}\u{ff0d}\u{ff20}".contains(c));
    let guard = if runs { "'" } else { "" };
    format!("\"{guard}{}\"", plain.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for odd in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\u{ff1d}1", "|calc"] {
            let cell = quoted(odd);
            assert!(cell.starts_with("\"'"), "{odd:?} became {cell}");
        }
        assert_eq!(quoted("a \"b\"\r\nc"), "\"a \"\"b\"\"  c\"");
        assert_eq!(quoted("2026-12-05"), "\"2026-12-05\"");
    }

    #[test]
    fn a_table_is_a_line_for_the_header_and_one_for_each_row() {
        let rows =
            [["a".to_owned(), "say \"x\", y".to_owned()], ["=1+1".to_owned(), String::new()]];
        let expected =
            "\u{feff}\"one\",\"two\"\r\n\"a\",\"say \"\"x\"\", y\"\r\n\"'=1+1\",\"\"\r\n";
        assert_eq!(table(["one", "two"], rows), expected);
    }
}
