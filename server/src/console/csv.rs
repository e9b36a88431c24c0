//! Tables for spreadsheets (RFC 4180): UTF-8 with a byte order mark, CRLF.
//!
//! A cell that a spreadsheet would run as a formula gets an apostrophe in front. Not here: reading
//! tables (`protocol::inventory::csv`). Invariant: a row has as many cells as the header.

/// How the browser is told what it is.
pub const KIND: &str = "text/csv; charset=utf-8";

/// A table with these columns.
#[must_use]
pub fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut out = String::from('\u{feff}');
    line(&mut out, header.iter().copied());
    for row in rows {
        line(&mut out, row.iter().map(String::as_str));
    }
    out
}

fn line<'a>(out: &mut String, cells: impl Iterator<Item = &'a str>) {
    for (n, text) in cells.enumerate() {
        if n > 0 {
            out.push(',');
        }
        cell(out, text);
    }
    out.push_str("\r\n");
}

fn cell(out: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let quoted = formula || text.contains(['"', ',', '\n', '\r']) || text.starts_with(' ');
    if !quoted {
        out.push_str(text);
        return;
    }
    out.push('"');
    if formula {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_run() {
        let rows =
            [["a".to_owned(), "say \"x\", y".to_owned()], ["=1+1".to_owned(), String::new()]];
        let expected = "\u{feff}one,two\r\na,\"say \"\"x\"\", y\"\r\n\"'=1+1\",\r\n";
        assert_eq!(table(["one", "two"], rows), expected);
    }
}
