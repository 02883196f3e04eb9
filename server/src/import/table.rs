//! Tables of a town: CSV or JSON in, [`Row`]s out, each with its line.
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
//! JSON is an array of objects with the same names in English, checked against
//! a published schema before anything is read from it.
//!
//! To add an encoding: one row in [`ENCODINGS`]. To add a format: a [`Layout`]
//! and a schema in `schema/`.
//!
//! Source: infant-checkups.md §6, RFC 4180

use std::borrow::Cow;

use encoding_rs::{Encoding, SHIFT_JIS, UTF_8};
use techo_profiles::json;
use techo_profiles::json::{Json, Place, Value};
use unicode_normalization::UnicodeNormalization;

use super::draft::{Issue, LOCAL_BASE, Line, Refusal, Severity, Text};
use super::schema::Schema;

/// The columns of a format.
#[derive(Debug)]
pub struct Layout {
    /// Those that have a meaning, in the order of [`Row::get`]'s answers.
    pub columns: &'static [Column],
    /// Headers that are dropped without a word, as remarks of a test file.
    pub ignored: &'static [&'static str],
    /// The JSON name of the column by which the format is told from others.
    pub telling: &'static str,
    /// What the JSON form has to look like.
    pub schema: &'static Schema,
}

/// One column that has a meaning.
#[derive(Debug)]
pub struct Column {
    /// Its name in a CSV header.
    pub header: &'static str,
    /// Its name in a JSON object.
    pub property: &'static str,
    /// Whether a file without it is not of this format.
    pub required: bool,
}

/// What a file holds, as far as it could be cut into rows.
#[derive(Debug)]
pub struct Table {
    /// The rows in order.
    pub rows: Vec<Row>,
    /// The rows that could not be read.
    pub issues: Vec<Issue>,
}

/// One row: text by column.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it begins.
    pub at: Line,
    layout: &'static Layout,
    named: Names,
    cells: Vec<Option<String>>,
    /// Filled columns that have no meaning here: name and value as received.
    pub unknown: Vec<(String, String)>,
}

/// By which of a column's two names a report speaks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Header,
    Property,
}

impl Row {
    /// The text in the column of this JSON name, trimmed; `None` where it is blank.
    pub fn get(&self, property: &str) -> Option<&str> {
        self.cells.get(self.position(property)?)?.as_deref()
    }

    /// The column's name as this file writes it.
    pub fn column(&self, property: &'static str) -> &'static str {
        match (self.named, self.position(property)) {
            (Names::Header, Some(at)) => self.layout.columns[at].header,
            (Names::Header | Names::Property, _) => property,
        }
    }

    /// An issue of one column of this row.
    pub fn issue(&self, property: &'static str, severity: Severity, code: &'static str, text: Text) -> Issue {
        Issue { at: self.at, column: Some(Cow::Borrowed(self.column(property))), severity, code, text }
    }

    /// Rewrites every filled cell for which `change` has another text, and tells
    /// of each by its column's name. Names of unknown columns are cells as well.
    pub fn rewrite(&mut self, mut change: impl FnMut(&'static str, &str) -> Option<String>) -> Vec<Cow<'static, str>> {
        let mut changed = Vec::new();
        for (at, column) in self.layout.columns.iter().enumerate() {
            let Some(cell) = self.cells.get_mut(at).and_then(Option::as_mut) else { continue };
            if let Some(text) = change(column.property, cell) {
                *cell = text;
                let name = if self.named == Names::Header { column.header } else { column.property };
                changed.push(Cow::Borrowed(name));
            }
        }
        for (name, value) in &mut self.unknown {
            let new_name = change("", name);
            let new_value = change("", value);
            if let Some(text) = new_name {
                *name = text;
                changed.push(Cow::Owned(name.clone()));
            }
            if let Some(text) = new_value {
                *value = text;
                changed.push(Cow::Owned(name.clone()));
            }
        }
        changed.dedup();
        changed
    }

    fn position(&self, property: &str) -> Option<usize> {
        self.layout.columns.iter().position(|column| column.property == property)
    }
}

/// Columns that mean nothing to us, as extensions: `name` and `value` as received.
pub fn preserved(unknown: &[(String, String)]) -> impl Iterator<Item = Json> {
    unknown.iter().map(|(name, value)| {
        json!({"url": (format!("{LOCAL_BASE}/StructureDefinition/source-column")), "extension": [
            {"url": "name", "valueString": name},
            {"url": "value", "valueString": value}
        ]})
    })
}

/// Reads a file of either form.
///
/// # Errors
/// [`Refusal`] where no encoding gives the known header, a required column is
/// missing, or JSON does not follow its schema.
pub fn read(bytes: &[u8], layout: &'static Layout) -> Result<Table, Refusal> {
    if is_json(bytes) { read_json(bytes, layout) } else { read_csv(bytes, layout) }
}

/// Whether these bytes look like a file of this layout: the column that tells it
/// from others is there, and at least one of the columns that all towns send.
pub fn looks_like(bytes: &[u8], layout: &'static Layout) -> bool {
    let common = ["municipalityCode", "residentNumber"];
    if is_json(bytes) {
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(LOOK_AT)]);
        let has = |property: &str| head.contains(&format!("\"{property}\""));
        return has(layout.telling) && common.into_iter().any(has);
    }
    let record = cut(bytes, if bytes.starts_with(BOM) { BOM.len() } else { 0 });
    let start = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    ENCODINGS.iter().any(|(encoding, _)| {
        let Ok(names) = fields(&bytes[start..record.end], encoding) else { return false };
        let has = |property: &str| {
            let at = layout.columns.iter().position(|column| column.property == property);
            names.iter().any(|name| matches!(meaning(name, layout), Meaning::Known(to) if Some(to) == at))
        };
        has(layout.telling) && common.into_iter().any(has)
    })
}

/// How much of a JSON file is looked at to tell what it is.
const LOOK_AT: usize = 64 * 1024;

/// A text whose first sign opens an array or an object is taken for JSON.
fn is_json(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(BOM).unwrap_or(bytes);
    matches!(text.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'[' | b'{'))
}

/// The encodings tried, in this order.
const ENCODINGS: [(&Encoding, &str); 2] = [(UTF_8, "UTF-8"), (SHIFT_JIS, "Shift_JIS")];

/// The UTF-8 byte order mark.
const BOM: &[u8] = b"\xEF\xBB\xBF";

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

fn read_csv(bytes: &[u8], layout: &'static Layout) -> Result<Table, Refusal> {
    let header = find_header(bytes, layout)?;
    let mut table = Table { rows: Vec::new(), issues: Vec::new() };
    let (mut start, mut line) = header.next;
    while start < bytes.len() {
        let record = cut(bytes, start);
        let outcome = match record.whole {
            true => fields(&bytes[start..record.end], header.encoding)
                .and_then(|cells| to_row(cells, &header, layout, Line::of(line))),
            false => Err(RowFault::Quote),
        };
        // A record of several lines that came out wrong most likely began with a stray quote.
        let give_up = !record.whole || (outcome.is_err() && record.lines > 1);
        let (next, lines) = if give_up { first_line(bytes, start) } else { (record.next, record.lines) };
        match outcome {
            Ok(Some(row)) => table.rows.push(row),
            Ok(None) => {}
            Err(fault) => table.issues.push(fault.issue(Line::of(line), header.columns.len())),
        }
        start = next;
        line += lines;
    }
    Ok(table)
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
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(record.len().clamp(16, 8192))
        .from_reader(record);
    let mut cells = csv::ByteRecord::new();
    // Reading from memory cannot fail and nothing is decoded here: an error is as good as a bad quote.
    if !reader.read_byte_record(&mut cells).map_err(|_| RowFault::Quote)? {
        return Ok(Vec::new());
    }
    let decode = |(at, cell): (usize, &[u8])| {
        let text =
            encoding.decode_without_bom_handling_and_without_replacement(cell).ok_or(RowFault::Undecodable(at + 1))?;
        let control = |letter: char| letter.is_control() && !matches!(letter, '\t' | '\r' | '\n');
        if text.contains(control) { Err(RowFault::Control(at + 1)) } else { Ok(text.into_owned()) }
    };
    cells.iter().enumerate().map(decode).collect()
}

/// Sorts the cells by the header; `None` where all are blank.
fn to_row(cells: Vec<String>, header: &Header, layout: &'static Layout, at: Line) -> Result<Option<Row>, RowFault> {
    if cells.is_empty() || (cells.len() == 1 && cells[0].trim().is_empty()) {
        return Ok(None);
    }
    if cells.len() != header.columns.len() {
        return Err(RowFault::ColumnCount(cells.len()));
    }
    let mut row =
        Row { at, layout, named: Names::Header, cells: vec![None; layout.columns.len()], unknown: Vec::new() };
    for (meaning, cell) in header.columns.iter().zip(cells) {
        let Some(cell) = filled(&cell) else { continue };
        match meaning {
            Meaning::Known(to) => row.cells[*to] = Some(cell),
            Meaning::Unknown(name) => row.unknown.push((name.clone(), cell)),
            Meaning::Ignored => {}
        }
    }
    let blank = row.unknown.is_empty() && row.cells.iter().all(Option::is_none);
    Ok(if blank { None } else { Some(row) })
}

fn filled(cell: &str) -> Option<String> {
    let cell = cell.trim();
    if cell.is_empty() { None } else { Some(cell.to_owned()) }
}

fn read_json(bytes: &[u8], layout: &'static Layout) -> Result<Table, Refusal> {
    let lines = Lines::of(bytes);
    let json = Json::parse(bytes).map_err(|error| {
        let place = Place::of(bytes, error.offset);
        let fault = &error.fault;
        Refusal {
            code: "not-json",
            text: Text::new(
                format!("line {}, column {}: {fault}", place.line, place.column),
                format!("{}行目{}文字目がJSONとして読めません（{fault}）", place.line, place.column),
            ),
            at: Line::of(place.line),
            offset: Some(error.offset),
        }
    })?;
    layout.schema.check(&json, bytes)?;
    let rows = json.items().iter().map(|object| json_row(object, layout, Line::of(lines.line(object.span().start))));
    Ok(Table { rows: rows.collect(), issues: Vec::new() })
}

fn json_row(object: &Json, layout: &'static Layout, at: Line) -> Row {
    let mut row =
        Row { at, layout, named: Names::Property, cells: vec![None; layout.columns.len()], unknown: Vec::new() };
    for member in object.members() {
        let text = match member.value.value() {
            Value::String(text) | Value::Number(text) => filled(text),
            Value::Bool(truth) => Some(truth.to_string()),
            // The schema lets no list or object through.
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        let Some(text) = text else { continue };
        match layout.columns.iter().position(|column| column.property == &*member.name) {
            Some(to) => row.cells[to] = Some(text),
            None if layout.ignored.contains(&&*member.name) => {}
            None => row.unknown.push((member.name.to_string(), text)),
        }
    }
    row
}

/// Line numbers by byte offset.
struct Lines(Vec<usize>);

impl Lines {
    fn of(bytes: &[u8]) -> Self {
        Self(bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at).collect())
    }

    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|&end| end < offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static COLUMNS: [Column; 2] = [
        Column { header: "甲", property: "first", required: true },
        Column { header: "乙", property: "second", required: false },
    ];
    static LAYOUT: Layout = Layout {
        columns: &COLUMNS,
        ignored: &["意図"],
        telling: "first",
        schema: &super::super::schema::INFANT_CHECKUPS,
    };

    /// `line: first/second`, or `line !code`.
    fn told(bytes: &[u8]) -> Vec<String> {
        let table = match read(bytes, &LAYOUT) {
            Ok(table) => table,
            Err(refusal) => return vec![format!("refused {}", refusal.code)],
        };
        let cell = |row: &Row, name| row.get(name).unwrap_or("").to_owned();
        let rows = table
            .rows
            .iter()
            .map(|row| (row.at.line, format!("{}: {}/{}", row.at.line, cell(row, "first"), cell(row, "second"))));
        let issues = table.issues.iter().map(|issue| (issue.at.line, format!("{} !{}", issue.at.line, issue.code)));
        let mut all: Vec<_> = rows.chain(issues).collect();
        all.sort();
        all.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn rows_and_their_lines() {
        for (text, expected) in [
            ("甲,乙\r\n1,2\r\n3,4\r\n", vec!["2: 1/2", "3: 3/4"]),
            ("甲,乙\n1,2\n\n3,4", vec!["2: 1/2", "4: 3/4"]),
            ("甲,乙\r1,2\r3,4\r", vec!["2: 1/2", "3: 3/4"]),
            ("\u{FEFF}\n 甲 ,\"乙\"\n1,2", vec!["3: 1/2"]),
            ("甲,乙\n\"a\nb\",2\n3,4", vec!["2: a\nb/2", "4: 3/4"]),
            ("甲,乙\n\"a,\"\"b\"\"\",2", vec!["2: a,\"b\"/2"]),
            ("甲,乙\n5\",2\n3,4", vec!["2: 5\"/2", "3: 3/4"]),
            ("甲,乙\n,\n3,4", vec!["3: 3/4"]),
            ("甲,乙,意図\n1,2,x", vec!["2: 1/2"]),
            ("甲,乙\n1\n1,2,3\n3,4", vec!["2 !column-count", "3 !column-count", "4: 3/4"]),
            ("甲,乙\n\u{1},2\n3,4", vec!["2 !control-character", "3: 3/4"]),
            ("甲,乙", vec![]),
            ("乙\n1", vec!["refused column-missing"]),
            ("甲,甲\n1,2", vec!["refused column-twice"]),
            ("a,b\n1,2", vec!["refused header-unknown"]),
            ("", vec!["refused header-unknown"]),
            ("\"甲\"x,乙\n1,2", vec!["refused header-unknown"]),
            ("\"甲,乙\n1,2", vec!["refused header-unknown"]),
        ] {
            assert_eq!(told(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_stray_quote_costs_one_row() {
        for (text, expected) in [
            ("甲,乙\n\"1,2\n3,4\n5,6", vec!["2 !quote-unclosed", "3: 3/4", "4: 5/6"]),
            ("甲,乙\n\"1,2\n3,4\n\"5\",6\n7,8", vec!["2 !quote-unclosed", "3: 3/4", "4: 5/6", "5: 7/8"]),
            ("甲,乙\n\"1\"x,2\n3,4", vec!["2 !quote-unclosed", "3: 3/4"]),
            ("甲,乙\n1,\"2\n3,\"4\n5,6", vec!["2 !quote-unclosed", "3 !quote-unclosed", "4: 5/6"]),
        ] {
            assert_eq!(told(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn bytes_of_another_encoding_cost_one_row() {
        let (mut sjis, ..) = encoding_rs::SHIFT_JIS.encode("甲,乙\r\n表,～髙﨑\r\nx,y\r\nz,ﾀﾞ\r\n");
        assert_eq!(told(&sjis), ["2: 表/～髙﨑", "3: x/y", "4: z/ﾀﾞ"]);
        let at = sjis.iter().position(|&byte| byte == b'x').expect("x");
        sjis.to_mut()[at] = 0xFD;
        assert_eq!(told(&sjis), ["2: 表/～髙﨑", "3 !undecodable", "4: z/ﾀﾞ"]);
        assert_eq!(
            told(&[&"甲,乙\n1,2\n".as_bytes()[..], b"\x82\xA0,1\n3,4"].concat()),
            ["2: 1/2", "3 !undecodable", "4: 3/4"]
        );
    }
}
