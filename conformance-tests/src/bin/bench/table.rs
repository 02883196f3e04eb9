//! The one table that a run prints.

use std::fmt::Write;

use crate::client::Run;

/// A line of the table.
pub(crate) struct Line {
    work: String,
    figure: String,
    limit: String,
    ratio: String,
    times: String,
}

/// Lines in the order measured.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<Line>,
    /// What the reader must know to judge the figures.
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// A rate beside its limit.
    ///
    /// * `each`: what one request counts for.
    /// * `limit`: its name and rate.
    pub(crate) fn rate(&mut self, work: &str, run: &Run, each: f64, limit: Option<(&str, f64)>) {
        let figure = run.rate() * each;
        let failed = if run.wrong > 0 { format!(" ({} failed)", run.wrong) } else { String::new() };
        if let Some(said) = &run.said {
            eprintln!("{work}: {}", said.chars().take(600).collect::<String>());
        }
        let line = Line {
            work: work.to_owned(),
            figure: format!("{figure:.0}/s{failed}"),
            limit: limit.map_or("–".to_owned(), |(name, rate)| format!("{rate:.0}/s {name}")),
            ratio: limit
                .filter(|(_, rate)| *rate > 0.0)
                .map_or("–".to_owned(), |(_, rate)| format!("{:.2}", figure / rate)),
            times: format!("{:.1} / {:.1}", run.p50, run.p99),
        };
        self.push(line);
    }

    /// A single figure.
    pub(crate) fn plain(&mut self, work: &str, figure: String) {
        let none = || "–".to_owned();
        self.push(Line { work: work.to_owned(), figure, limit: none(), ratio: none(), times: none() });
    }

    fn push(&mut self, line: Line) {
        eprintln!("{}: {} (limit {}, {} ms)", line.work, line.figure, line.limit, line.times);
        self.lines.push(line);
    }

    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| work | figure | limit | ratio | p50 / p99 ms |\n|---|---|---|---|---|\n");
        for line in &self.lines {
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                line.work, line.figure, line.limit, line.ratio, line.times
            );
        }
        for note in &self.notes {
            let _ = writeln!(text, "\n{note}");
        }
        text
    }
}
