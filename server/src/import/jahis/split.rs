//! The version line, and QR codes that hold a notebook in parts.
//!
//! A part begins with the version line and ends with record 911: data id,
//! number of parts, number of this part. Parts come as files of one call, or
//! one after the other in one file. They are merged only when every part is
//! there once and they agree; a piece of a notebook is never read as the whole.

use super::account::{Account, fault};
use super::decode;
use super::record::number_of;
use super::{LIMITS, whole_file};
use crate::import::Part;
use crate::import::draft::{Line, Refusal, Text};
use crate::import::limits::line_of;

/// A notebook in one piece.
pub(super) struct Whole {
    pub(super) edition: Edition,
    /// The lines that hold something, without those of version and 911.
    pub(super) lines: Vec<Numbered>,
}

/// One line and where it stood.
pub(super) struct Numbered {
    pub(super) at: Line,
    pub(super) text: String,
}

/// What the version line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edition {
    /// 8 of `JAHISTC08`.
    pub(super) version: u16,
    pub(super) made_by: MadeBy,
}

/// Who made the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MadeBy {
    /// 1: from provider to patient.
    Provider,
    /// 2: from patient to provider.
    Patient,
    /// Anything else; read as [`MadeBy::Provider`].
    Unknown,
}

/// The files that belong together: those of one data id. All others are whole.
pub(super) fn gather(parts: &[Part<'_>]) -> Vec<Vec<usize>> {
    let mut sets: Vec<(Option<String>, Vec<usize>)> = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let id = data_id(part.bytes);
        match sets.iter_mut().find(|(of, _)| of.is_some() && *of == id) {
            Some((_, members)) => members.push(at),
            None => sets.push((id, vec![at])),
        }
    }
    sets.into_iter().map(|(_, members)| members).collect()
}

/// The data id of the file's first 911; ASCII in every encoding there is.
fn data_id(bytes: &[u8]) -> Option<String> {
    let line = bytes.split(|&byte| byte == b'\n').find(|line| line.starts_with(b"911,"))?;
    let id = line.split(|&byte| byte == b',').nth(1)?;
    Some(String::from_utf8_lossy(id).trim().to_owned())
}

/// All parts of a notebook as one.
///
/// # Errors
/// [`Refusal`]: bytes that are no text, a file of another format, or parts
/// that are missing, doubled or of different notebooks.
pub(super) fn merge(parts: &[Part<'_>], account: &mut Account) -> Result<Whole, Refusal> {
    let mut segments = Vec::new();
    for (part, file) in parts.iter().enumerate() {
        segments.extend(segments_of(part, file.bytes)?);
    }
    let mut segments = in_order(segments)?;
    let lines: usize = segments.iter().map(|segment| segment.lines.len()).sum();
    let bytes: usize = parts.iter().map(|part| part.bytes.len()).sum();
    if lines > LIMITS.lines || bytes > LIMITS.bytes {
        let text = Text::new("The parts together are too large.", "全ての部分を合わせた大きさが上限を超えています。");
        return Err(refusal("too-large", text, whole_file(0)));
    }
    for segment in &segments {
        warn(segment, account);
    }
    let edition = segments.first().map(|segment| segment.edition);
    let lines = segments.iter_mut().flat_map(|segment| std::mem::take(&mut segment.lines)).collect();
    edition.map(|edition| Whole { edition, lines }).ok_or_else(|| not_jahis(0))
}

/// From one version line to before the next.
struct Segment {
    edition: Edition,
    at: Line,
    lines: Vec<Numbered>,
    control: Option<Control>,
}

/// Record 911.
#[derive(Clone, Debug)]
struct Control {
    at: Line,
    id: String,
    total: usize,
    part: usize,
}

fn segments_of(part: usize, bytes: &[u8]) -> Result<Vec<Segment>, Refusal> {
    let text = decode::text(bytes).map_err(|offset| Refusal {
        offset: Some(offset),
        ..refusal(
            "undecodable",
            Text::new(
                format!("Byte {offset} (counted from 0) is no character of Shift_JIS; the file is damaged or cut off."),
                format!("先頭から{offset}バイト目(0から数えて)が文字として読めません。破損または途中切れの可能性があります。"),
            ),
            Line { part, line: line_of(bytes, offset) },
        )
    })?;
    let mut segments: Vec<Segment> = Vec::new();
    for (before, text) in text.split('\n').enumerate() {
        let at = Line { part, line: before + 1 };
        let text = text.strip_suffix('\r').unwrap_or(text);
        if segments.is_empty() || text.starts_with("JAHISTC") {
            let edition = edition(text, at)?;
            segments.push(Segment { edition, at, lines: Vec::new(), control: None });
            continue;
        }
        let Some(segment) = segments.last_mut() else { continue };
        if number_of(text) == Some(911) {
            let control = control(text, at)?;
            if segment.control.replace(control).is_some() {
                return Err(broken(at));
            }
        } else if !text.trim().is_empty() {
            segment.lines.push(Numbered { at, text: text.to_owned() });
        }
    }
    Ok(segments)
}

fn edition(text: &str, at: Line) -> Result<Edition, Refusal> {
    let mut fields = text.split(',').map(str::trim);
    let name = fields.next().unwrap_or_default();
    let digits = |text: &str| !text.is_empty() && text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let version = match name.strip_prefix("JAHISTC") {
        Some(version) if digits(version) => version.parse().map_err(|_| not_jahis(at.part))?,
        _ if name.strip_prefix("JAHIS").is_some_and(digits) => return Err(prescription(at)),
        _ => return Err(not_jahis(at.part)),
    };
    let made_by = match fields.next() {
        Some("1") => MadeBy::Provider,
        Some("2") => MadeBy::Patient,
        _ => MadeBy::Unknown,
    };
    Ok(Edition { version, made_by })
}

fn control(text: &str, at: Line) -> Result<Control, Refusal> {
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    let number = |at: usize| fields.get(at).and_then(|text| text.parse::<usize>().ok());
    match (fields.get(1), number(2), number(3)) {
        (Some(id), Some(total), Some(part))
            if !id.is_empty() && (1..=LIMITS.parts).contains(&total) && (1..=total).contains(&part) =>
        {
            Ok(Control { at, id: (*id).to_owned(), total, part })
        }
        _ => Err(broken(at)),
    }
}

/// The segments of one notebook in their order.
fn in_order(mut segments: Vec<Segment>) -> Result<Vec<Segment>, Refusal> {
    let controls: Vec<Control> = segments.iter().filter_map(|segment| segment.control.clone()).collect();
    let Some(first) = controls.first() else {
        return match segments.get(1) {
            None => Ok(segments),
            Some(second) => Err(unmarked(second.at)),
        };
    };
    if let Some(whole) = segments.iter().find(|segment| segment.control.is_none()) {
        return Err(unmarked(whole.at));
    }
    if let Some(other) = controls.iter().find(|control| control.id != first.id) {
        let text =
            Text::new("The parts belong to different notebooks.", "異なるお薬手帳データの部分が混在しています。");
        return Err(refusal("split-mixed", text, other.at));
    }
    if let Some(other) = controls.iter().find(|control| control.total != first.total) {
        let text = Text::new("The parts disagree about their number.", "分割総数が部分によって異なります。");
        return Err(refusal("split-total", text, other.at));
    }
    if let Some(other) = segments.iter().find(|segment| segment.edition != segments[0].edition) {
        let text = Text::new("The parts are of different editions.", "部分によって版または作成区分が異なります。");
        return Err(refusal("split-version", text, other.at));
    }
    let missing = missing(&controls, first.total);
    let mut seen = std::collections::BTreeSet::new();
    if let Some(again) = controls.iter().find(|control| !seen.insert(control.part)) {
        let (en, ja) = missing.map_or_else(Default::default, |(en, ja)| (format!(" {en}"), ja));
        let text = Text::new(
            format!("Part {} of {} is there twice.{en}", again.part, again.total),
            format!("{}個中{}番目が重複しています。{ja}", again.total, again.part),
        );
        return Err(refusal("split-duplicate", text, again.at));
    }
    if let Some((en, ja)) = missing {
        return Err(refusal("split-missing", Text::new(en, ja), first.at));
    }
    segments.sort_by_key(|segment| segment.control.as_ref().map(|control| control.part));
    Ok(segments)
}

/// The list of missing parts, in words.
fn missing(controls: &[Control], total: usize) -> Option<(String, String)> {
    let missing: Vec<String> = (1..=total)
        .filter(|part| controls.iter().all(|control| control.part != *part))
        .map(|part| part.to_string())
        .collect();
    let shown = missing[..missing.len().min(SHOWN)].join(", ");
    let more = if missing.len() > SHOWN { ", …" } else { "" };
    (!missing.is_empty()).then(|| {
        (format!("Missing: part {shown}{more} of {total}."), format!("{total}個中、{shown}{more}番目がありません。"))
    })
}

/// How many missing parts a message lists.
const SHOWN: usize = 20;

fn warn(segment: &Segment, account: &mut Account) {
    if segment.edition.version > LATEST || segment.edition.version == 0 {
        account.tell(&fault::VERSION_UNKNOWN, segment.at);
    } else if segment.edition.version <= 2 {
        account.tell(&fault::VERSION_EARLY, segment.at);
    }
    if segment.edition.made_by == MadeBy::Unknown {
        account.tell(&fault::CATEGORY_UNKNOWN, segment.at);
    }
    if let Some(control) = &segment.control {
        for line in segment.lines.iter().filter(|line| line.at > control.at) {
            account.tell(&fault::AFTER_SPLIT_CONTROL, line.at);
        }
    }
}

/// `JAHISTC08` is edition 2.5 and 2.6.
const LATEST: u16 = 8;

fn refusal(code: &'static str, text: Text, at: Line) -> Refusal {
    Refusal { code, text, at, offset: None }
}

fn not_jahis(part: usize) -> Refusal {
    let text = Text::new(
        "The first line is not the version record of a medication notebook (JAHISTC01 to JAHISTC08).",
        "先頭行が電子版お薬手帳のバージョンレコード(JAHISTC01～JAHISTC08)ではありません。",
    );
    refusal("not-jahis", text, Line { part, line: 1 })
}

fn prescription(at: Line) -> Refusal {
    let text = Text::new(
        "This is a prescription QR code, not a medication notebook: it says what was prescribed, not what was dispensed.",
        "院外処方箋の2次元コードです。お薬手帳のデータではないため取り込めません。",
    );
    refusal("jahis-prescription", text, at)
}

fn broken(at: Line) -> Refusal {
    let text = Text::new(
        "The record of the split (911) is not complete, or is there twice.",
        "分割制御レコード(911)が不完全か、重複しています。",
    );
    refusal("split-broken", text, at)
}

fn unmarked(at: Line) -> Refusal {
    let text = Text::new(
        "Several notebooks came as one, and not as the parts of a split.",
        "分割ではない複数のお薬手帳データが一つになっています。",
    );
    refusal("split-unmarked", text, at)
}
