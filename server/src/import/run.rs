//! One door for all files: limits → detect → open → place → report.
//!
//! `techo import` and `POST /fhir/$import` both come here.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::crew::{self, Placed};
use super::draft::{Issue, Line, Refusal, Text};
use super::place::{Carrier, Placing};
use super::report::{FileReport, Report};
use super::{About, Importer, Input, Opened, Part, detect};
use crate::app::App;
use crate::interaction::Error;
use crate::my_number::MY_NUMBER;

/// A file to import.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: Arc<Vec<u8>>,
}

impl File {
    /// As importers are given it.
    pub fn part(&self) -> Part<'_> {
        Part { name: Some(&self.name), bytes: &self.bytes }
    }
}

/// How the files are to be imported.
pub struct Order<'a> {
    /// Who imports, for whom.
    pub carrier: &'a Carrier,
    /// A format's name; any that fits, if `None`.
    pub format: Option<&'a str>,
    /// Called after each person: persons done, persons in all.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

/// Imports the files of one call. The report has a line for each of them, in
/// their order; files that belong together (the parts of a QR code) share one fate.
pub async fn run(app: &App, order: &Order<'_>, files: &[File]) -> Result<Report, Error> {
    let mut reports: Vec<Option<FileReport>> = files.iter().map(|_| None).collect();
    let mut by_format: Vec<(&'static Importer, Vec<usize>)> = Vec::new();
    for (number, file) in files.iter().enumerate() {
        match chosen(order.format, &file.part()) {
            Some(importer) => match by_format.iter_mut().find(|(known, _)| known.name == importer.name) {
                Some((_, numbers)) => numbers.push(number),
                None => by_format.push((importer, vec![number])),
            },
            None => reports[number] = Some(unknown(file, order.carrier.japanese)),
        }
    }
    for (importer, numbers) in by_format {
        let parts: Vec<Part<'_>> = numbers.iter().map(|&number| files[number].part()).collect();
        for group in (importer.gather)(&parts) {
            let members: Vec<&File> = group.iter().map(|&member| &files[numbers[member]]).collect();
            let mut done = input(app, order, importer, &members).await?;
            for (member, report) in group.iter().zip(done.drain(..)) {
                reports[numbers[*member]] = Some(report);
            }
        }
    }
    Ok(Report { files: reports.into_iter().flatten().collect() })
}

fn chosen(format: Option<&str>, part: &Part<'_>) -> Option<&'static Importer> {
    match format {
        Some(name) if name != "auto" => detect::named(name),
        _ => detect::detect(part),
    }
}

fn unknown(file: &File, japanese: bool) -> FileReport {
    let mut report = FileReport::new(&file.name, "unknown");
    let text = Text::new(
        "No format that this server reads. See the guide for the formats and their samples.",
        "読み取れる形式ではありません。対応形式と見本は手引きを参照してください。",
    );
    report.refuse(&Refusal { code: "unknown-format", text, at: Line::default(), offset: None }, japanese);
    report
}

/// One input: a file, or the files that belong together.
async fn input(
    app: &App,
    order: &Order<'_>,
    importer: &'static Importer,
    files: &[&File],
) -> Result<Vec<FileReport>, Error> {
    let carrier = order.carrier;
    let mut reports: Vec<FileReport> = files.iter().map(|file| FileReport::new(&file.name, importer.name)).collect();
    let parts: Vec<Part<'_>> = files.iter().map(|file| file.part()).collect();
    let parts = &parts[..];
    let today = app.clock.now().to_zoned(TimeZone::get("Asia/Tokyo").unwrap_or(TimeZone::UTC)).date();
    let mut opened = match importer.limits.refuses(parts) {
        Some(refusal) => Opened::from(refusal),
        None => (importer.open)(&Input { parts, today }),
    };
    if importer.about == About::OneCitizen && carrier.patient.is_none() && opened.refused.is_none() {
        opened.refused = Some(nobody_named());
    }
    if let Some(refusal) = &opened.refused {
        for report in &mut reports {
            report.refuse(refusal, carrier.japanese);
        }
        return Ok(reports);
    }
    // An Individual Number is never kept, not even in the file it came in.
    let clean = !opened.issues.iter().any(|issue| issue.code == MY_NUMBER);
    let placing = Placing::new(app, carrier, importer, files, clean);
    let placed = crew::place(placing, opened.people, order.progress).await?;
    told(&mut reports, opened.issues, placed, carrier.japanese);
    reports.iter_mut().for_each(FileReport::settle);
    // The parts of one set share what was made of it.
    let outcome = reports[0].outcome;
    for report in &mut reports {
        report.outcome = outcome;
    }
    Ok(reports)
}

fn nobody_named() -> Refusal {
    let text = Text::new(
        "Name the patient whose file this is: --patient on the command line, ?patient= for $import.",
        "どなたのファイルか指定してください(コマンドでは --patient、$import では ?patient=)。",
    );
    Refusal { code: "patient-missing", text, at: Line::default(), offset: None }
}

/// First what was unclear in the files, by line; then what became of their people.
fn told(reports: &mut [FileReport], mut issues: Vec<Issue>, placed: Vec<Placed>, japanese: bool) {
    for person in placed {
        issues.extend(person.issues);
        // The first of them stands for all.
        reports[0].add(person.report);
    }
    issues.sort_by_key(|issue| issue.at);
    for (number, report) in reports.iter_mut().enumerate() {
        let afterwards = std::mem::take(&mut report.issues);
        issues.iter().filter(|issue| issue.at.part == number).for_each(|issue| report.push(issue, japanese));
        report.issues.extend(afterwards);
    }
}
