//! Tables of a town: CSV or JSON in, [`Row`]s out, each with its line.
//!
//! `csv.rs` and `json.rs` read the two forms; from here on they are alike.
//!
//! To add a format: a [`Layout`] and a schema in `schema/`.
//!
//! Source: infant-checkups.md §6

mod csv;
mod json;

use std::borrow::Cow;

use techo_profiles::json::Json;

use super::draft::{Issue, LOCAL_BASE, Line, Refusal, Severity, Text};
use super::schema::Schema;
use crate::my_number::{MY_NUMBER, strike};

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

impl Column {
    /// A column that a file of the format has.
    pub const fn required(header: &'static str, property: &'static str) -> Self {
        Self { header, property, required: true }
    }

    /// A column that it may have.
    pub const fn optional(header: &'static str, property: &'static str) -> Self {
        Self { header, property, required: false }
    }
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
    fn empty(at: Line, layout: &'static Layout, named: Names) -> Self {
        Self { at, layout, named, cells: vec![None; layout.columns.len()], unknown: Vec::new() }
    }

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
        techo_profiles::json!({"url": (format!("{LOCAL_BASE}/StructureDefinition/source-column")), "extension": [
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
    if is_json(bytes) { json::read(bytes, layout) } else { csv::read(bytes, layout) }
}

/// Whether these bytes look like a file of this layout: the column that tells it
/// from others is there, and at least one of the columns that all towns send.
pub fn looks_like(bytes: &[u8], layout: &'static Layout) -> bool {
    let has = |wanted: &[&str]| {
        if is_json(bytes) { json::mentions(bytes, wanted) } else { csv::mentions(bytes, layout, wanted) }
    };
    has(&[layout.telling]) && has(&["municipalityCode", "residentNumber"])
}

/// A text whose first sign opens an array or an object is taken for JSON.
fn is_json(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(csv::BOM).unwrap_or(bytes);
    matches!(text.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'[' | b'{'))
}

/// An issue where a text that is not used holds what may be an Individual Number:
/// nothing of it is stored here, but the file itself must not be kept either.
fn unused_number(text: &str, at: Line) -> Option<Issue> {
    strike(text)?;
    let text = Text::new(
        "a part that is not used holds twelve digits that may be an Individual Number (My Number)",
        "取り込まない部分に個人番号（マイナンバー）とみられる12桁の数字があります",
    );
    Some(Issue { at, column: None, severity: Severity::Warning, code: MY_NUMBER, text })
}

/// A cell without its outer spaces; `None` where it is blank.
fn filled(cell: &str) -> Option<String> {
    let cell = cell.trim();
    if cell.is_empty() { None } else { Some(cell.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    static COLUMNS: [Column; 2] = [Column::required("甲", "first"), Column::optional("乙", "second")];
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
            told(&["甲,乙\n1,2\n".as_bytes(), b"\x82\xA0,1\n3,4"].concat()),
            ["2: 1/2", "3 !undecodable", "4: 3/4"]
        );
    }
}
