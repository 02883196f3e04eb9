//! CSV files of a town.
//!
//! A CSV file does not say how it is encoded. Its encoding is the one whose
//! decoding gives the known header, and it holds for the whole file: a row with
//! bytes that it cannot have written is refused with its line, never read some
//! other way. Commas, quotes and line ends are the same single bytes in every
//! encoding taken here, so rows are cut first and decoded one by one.
//!
//! A quote that is never closed swallows what follows. Therefore a record that
//! does not come out well is given up as far as its first line, and reading goes
//! on at the next: one bad row costs one row.
//!
//! To add an encoding: one row in [`ENCODINGS`].
//!
//! Source: infant-checkups.md §6, RFC 4180

use encoding_rs::{Encoding, SHIFT_JIS, UTF_8};
use unicode_normalization::UnicodeNormalization;

use super::{Layout, Names, Row, Table, filled, unused_number};
use crate::import::draft::{Issue, Line, Refusal, Severity, Text};

/// The encodings tried, in this order.
const ENCODINGS: [(&Encoding, &str); 2] = [(UTF_8, "UTF-8"), (SHIFT_JIS, "Shift_JIS")];

/// The UTF-8 byte order mark.
pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What the first record of a CSV file told.
struct Header {
    encoding: &'static Encoding,
    /// For each column of the file, what it is.
    columns: Vec<Meaning>,
    /// Where the second record begins, and on which line.
    next: (usize, usize),
}

/// What a column of a file is.
enum Meaning {
    /// The column of the layout at this index.
    Known(usize),
    /// Preserved under this name.
    Unknown(String),
    /// Dropped.
    Ignored,
}

/// Reads a CSV file.
pub(super) fn read(bytes: &[u8], layout: &'static Layout) -> Result<Table, Refusal> {
    let header = find_header(bytes, layout)?;
    let (mut start, mut line) = header.next;
    let text_of = |from: usize, to: usize| header.encoding.decode_without_bom_handling(&bytes[from..to]).0;
    let in_header = unused_number(&text_of(0, start), Line::of(1));
    let mut table = Table { rows: Vec::new(), issues: in_header.into_iter().collect() };
    while start < bytes.len() {
        let record = cut(bytes, start);
        let outcome = if record.whole {
            fields(&bytes[start..record.end], header.encoding)
                .and_then(|cells| to_row(cells, &header, layout, Line::of(line), &mut table.issues))
        } else {
            Err(RowFault::Quote)
        };
        // A record of several lines that came out wrong most likely began with a stray quote.
        let give_up = !record.whole || (outcome.is_err() && record.lines > 1);
        let (next, lines) = if give_up { first_line(bytes, start) } else { (record.next, record.lines) };
        match outcome {
            Ok(Some(row)) => table.rows.push(row),
            Ok(None) => {}
            Err(fault) => {
                table.issues.push(fault.issue(Line::of(line), header.columns.len()));
                table.issues.extend(unused_number(&text_of(start, next), Line::of(line)));
            }
        }
        start = next;
        line += lines;
    }
    Ok(table)
}

/// Whether the first line has one of these columns in any encoding.
pub(super) fn mentions(bytes: &[u8], layout: &Layout, wanted: &[&str]) -> bool {
    let start = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let record = cut(bytes, start);
    ENCODINGS.iter().any(|(encoding, _)| {
        let Ok(names) = fields(&bytes[start..record.end], encoding) else { return false };
        names.iter().any(|name| match meaning(name, layout) {
            Meaning::Known(to) => wanted.contains(&layout.columns[to].property),
            Meaning::Unknown(_) | Meaning::Ignored => false,
        })
    })
}

/// Finds the encoding that gives the known header.
fn find_header(bytes: &[u8], layout: &'static Layout) -> Result<Header, Refusal> {
    let mut start = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    let mut line = 1;
    let mut record = cut(bytes, start);
    while record.end == start && record.next < bytes.len() {
        start = record.next;
        line += record.lines;
        record = cut(bytes, start);
    }
    let mut best: Option<(usize, Vec<&'static str>)> = None;
    for (encoding, _) in ENCODINGS.into_iter().filter(|_| record.whole) {
        let Ok(names) = fields(&bytes[start..record.end], encoding) else { continue };
        let columns: Vec<Meaning> = names.iter().map(|name| meaning(name, layout)).collect();
        let known =
            |at: usize| columns.iter().filter(|column| matches!(column, Meaning::Known(to) if *to == at)).count();
        if let Some(column) = (0..layout.columns.len()).find(|&at| known(at) > 1) {
            let name = layout.columns[column].header;
            return Err(refusal(
                "column-twice",
                Text::new(
                    format!("the column {name} stands twice in the header"),
                    format!("見出しに「{name}」が二度あります"),
                ),
                line,
            ));
        }
        let missing: Vec<_> = (0..layout.columns.len())
            .filter(|&at| layout.columns[at].required && known(at) == 0)
            .map(|at| layout.columns[at].header)
            .collect();
        if missing.is_empty() {
            return Ok(Header { encoding, columns, next: (record.next, line + record.lines) });
        }
        let found = (0..layout.columns.len()).filter(|&at| known(at) > 0).count();
        if found > 0 && best.as_ref().is_none_or(|(most, _)| found > *most) {
            best = Some((found, missing));
        }
    }
    let encodings = ENCODINGS.map(|(_, name)| name).join(", ");
    Err(match best {
        Some((_, missing)) => refusal(
            "column-missing",
            Text::new(
                format!("the header lacks {}", missing.join(", ")),
                format!("見出しに必要な列がありません: {}", missing.join("、")),
            ),
            line,
        ),
        None => refusal(
            "header-unknown",
            Text::new(
                format!("no known header in any of {encodings}"),
                format!("どの文字コード（{encodings}）で読んでも見出しが見つかりません"),
            ),
            line,
        ),
    })
}

fn refusal(code: &'static str, text: Text, line: usize) -> Refusal {
    Refusal { code, text, at: Line::of(line), offset: None }
}

/// What the column of this header is; widths and outer spaces do not matter.
fn meaning(name: &str, layout: &Layout) -> Meaning {
    let plain = |text: &str| text.nfkc().collect::<String>().trim().to_owned();
    let name = plain(name);
    if let Some(at) = layout.columns.iter().position(|column| plain(column.header) == name) {
        return Meaning::Known(at);
    }
    if name.is_empty() || layout.ignored.iter().any(|ignored| plain(ignored) == name) {
        return Meaning::Ignored;
    }
    Meaning::Unknown(name)
}

/// Where one record lies.
struct Record {
    /// The byte after its last, its line end left out.
    end: usize,
    /// Where the next one begins.
    next: usize,
    /// How many lines it takes.
    lines: usize,
    /// Whether its quotes open and close as RFC 4180 wants.
    whole: bool,
}

/// Cuts the record that begins at `start`. A line end is CR, LF or both.
fn cut(bytes: &[u8], start: usize) -> Record {
    let mut lines = 1;
    let mut quoted = false;
    let mut field_start = true;
    let mut at = start;
    while let Some(&byte) = bytes.get(at) {
        match (quoted, byte) {
            (true, b'"') if bytes.get(at + 1) == Some(&b'"') => at += 1,
            (true, b'"') => {
                quoted = false;
                if !matches!(bytes.get(at + 1), None | Some(b',' | b'\r' | b'\n')) {
                    return Record { end: at, next: at, lines, whole: false };
                }
            }
            (true, b'\n') => lines += 1,
            (true, b'\r') if bytes.get(at + 1) != Some(&b'\n') => lines += 1,
            (false, b'"') if field_start => quoted = true,
            (false, b'\r' | b'\n') => {
                let wide = byte == b'\r' && bytes.get(at + 1) == Some(&b'\n');
                return Record { end: at, next: at + 1 + usize::from(wide), lines, whole: true };
            }
            _ => {}
        }
        field_start = !quoted && byte == b',';
        at += 1;
    }
    Record { end: at, next: at, lines, whole: !quoted }
}

/// Where the line after the one at `start` begins; it is one line further.
fn first_line(bytes: &[u8], start: usize) -> (usize, usize) {
    let end = bytes[start..].iter().position(|byte| matches!(byte, b'\r' | b'\n')).map_or(bytes.len(), |at| start + at);
    let wide = bytes[end..].starts_with(b"\r\n");
    ((end + 1 + usize::from(wide)).min(bytes.len()), 1)
}

/// Why one row is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowFault {
    Quote,
    Undecodable(usize),
    Control(usize),
    ColumnCount(usize),
}

impl RowFault {
    fn issue(self, at: Line, expected: usize) -> Issue {
        let (code, text) = match self {
            Self::Quote => (
                "quote-unclosed",
                Text::new(
                    "a quotation mark is not closed; the row is left out",
                    "引用符が閉じていないため、この行は取り込みません",
                ),
            ),
            Self::Undecodable(column) => (
                "undecodable",
                Text::new(
                    format!(
                        "column {column} holds bytes that the file's encoding has no character for; the row is left out"
                    ),
                    format!("{column}列目に文字コードとして読めないバイトがあるため、この行は取り込みません"),
                ),
            ),
            Self::Control(column) => (
                "control-character",
                Text::new(
                    format!("column {column} holds a control character; the row is left out"),
                    format!("{column}列目に制御文字があるため、この行は取り込みません"),
                ),
            ),
            Self::ColumnCount(found) => (
                "column-count",
                Text::new(
                    format!("{found} columns instead of {expected}; the row is left out"),
                    format!("列の数が{expected}ではなく{found}のため、この行は取り込みません"),
                ),
            ),
        };
        Issue { at, column: None, severity: Severity::Error, code, text }
    }
}

/// The fields of one record, decoded.
fn fields(record: &[u8], encoding: &'static Encoding) -> Result<Vec<String>, RowFault> {
    let decode = |(at, cell): (usize, &[u8])| {
        let text =
            encoding.decode_without_bom_handling_and_without_replacement(cell).ok_or(RowFault::Undecodable(at + 1))?;
        let control = |letter: char| letter.is_control() && !matches!(letter, '\t' | '\r' | '\n');
        if text.contains(control) { Err(RowFault::Control(at + 1)) } else { Ok(text.into_owned()) }
    };
    // Where nothing is quoted a comma is the end of a field; in no encoding of ours is it
    // a part of a character.
    if !record.is_empty() && !record.contains(&b'"') {
        return record.split(|&byte| byte == b',').enumerate().map(decode).collect();
    }
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(record.len().clamp(16, 8192))
        .from_reader(record);
    let mut cells = ::csv::ByteRecord::new();
    // Reading from memory cannot fail and nothing is decoded here: an error is as good as a bad quote.
    if !reader.read_byte_record(&mut cells).map_err(|_| RowFault::Quote)? {
        return Ok(Vec::new());
    }
    cells.iter().enumerate().map(decode).collect()
}

/// Sorts the cells by the header; `None` where all are blank.
fn to_row(
    cells: Vec<String>,
    header: &Header,
    layout: &'static Layout,
    at: Line,
    issues: &mut Vec<Issue>,
) -> Result<Option<Row>, RowFault> {
    if cells.is_empty() || (cells.len() == 1 && cells[0].trim().is_empty()) {
        return Ok(None);
    }
    if cells.len() != header.columns.len() {
        return Err(RowFault::ColumnCount(cells.len()));
    }
    let mut row = Row::empty(at, layout, Names::Header);
    for (meaning, cell) in header.columns.iter().zip(cells) {
        let Some(cell) = filled(&cell) else { continue };
        match meaning {
            Meaning::Known(to) => row.cells[*to] = Some(cell),
            Meaning::Unknown(name) => row.unknown.push((name.clone(), cell)),
            Meaning::Ignored => issues.extend(unused_number(&cell, at)),
        }
    }
    let blank = row.unknown.is_empty() && row.cells.iter().all(Option::is_none);
    Ok(if blank { None } else { Some(row) })
}
