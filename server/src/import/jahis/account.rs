//! The account of a notebook: every line of it is used, or said to be not.
//!
//! To add a fault: a constant in [`fault`], with both languages. No text may
//! hold a value of the patient.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::split::Whole;
use crate::import::draft::{Issue, Line, Severity, Text};

/// What became of the lines so far.
#[derive(Default)]
pub(super) struct Account {
    used: BTreeSet<Line>,
    issues: Vec<Issue>,
}

impl Account {
    /// This line went into a draft.
    pub(super) fn used(&mut self, at: Line) {
        self.used.insert(at);
    }

    /// Something about this line.
    pub(super) fn tell(&mut self, fault: &Fault, at: Line) {
        self.push(fault, at, None);
    }

    /// Something about one field of this line.
    pub(super) fn tell_in(&mut self, fault: &Fault, at: Line, field: impl Into<Cow<'static, str>>) {
        self.push(fault, at, Some(field.into()));
    }

    fn push(&mut self, fault: &Fault, at: Line, column: Option<Cow<'static, str>>) {
        let text = Text::new(fault.en, fault.ja);
        let issue = Issue { at, column, severity: fault.severity, code: fault.code, text };
        if !self.issues.contains(&issue) {
            self.issues.push(issue);
        }
    }

    /// The issues by line; a line that is neither used nor explained is one more.
    pub(super) fn close(mut self, whole: &Whole) -> Vec<Issue> {
        for line in &whole.lines {
            if !self.used.contains(&line.at) && !self.issues.iter().any(|issue| issue.at == line.at) {
                self.tell(&fault::KEPT_IN_FILE, line.at);
            }
        }
        self.issues.sort_by_key(|issue| issue.at);
        self.issues
    }
}

/// One way in which a line can be unclear.
pub(super) struct Fault {
    code: &'static str,
    severity: Severity,
    en: &'static str,
    ja: &'static str,
}

/// All the ways.
pub(super) mod fault {
    use super::Fault;
    use super::Severity::{Error, Information, Warning};
    use crate::{import::date, my_number};

    macro_rules! faults {
        ($($name:ident = $severity:ident $code:expr, $en:literal $ja:literal;)*) => {$(
            pub(in super::super) const $name: Fault =
                Fault { code: $code, severity: $severity, en: $en, ja: $ja };
        )*};
    }

    faults! {
        // The file
        VERSION_UNKNOWN = Warning "version-unknown",
            "This edition of the format is not known; read as far as it is like the known ones."
            "未知の版です。既知の版として読める範囲で取り込みます。";
        VERSION_EARLY = Warning "version-early",
            "The layout of this early edition is not certain; please compare with the original."
            "初期の版で書式が不確かです。原本と照合してください。";
        CATEGORY_UNKNOWN = Warning "category-unknown",
            "The first line does not say who made the file; read as made by a provider."
            "作成区分が不明のため、医療機関等からの出力として読みます。";
        AFTER_SPLIT_CONTROL = Warning "after-split-control",
            "The line stands after the record that closes this part."
            "分割制御レコードの後にある行です。";

        // A line
        UNKNOWN_RECORD = Warning "unknown-record",
            "The record number is not known; the line is kept in the original file only."
            "未知のレコード番号です。この行は原本にのみ残ります。";
        FIELD_MISSING = Error "field-missing",
            "A required field is blank; the record is not used."
            "必須項目が空のため、このレコードは取り込みません。";
        EXTRA_FIELDS = Warning "extra-fields",
            "There are more fields than the record has (a comma within a text?); the surplus is not used."
            "項目数が多すぎます(文中の半角カンマなど)。余分な項目は取り込みません。";
        QUOTED = Warning "quoted",
            "Quotation marks mean nothing in this format and were kept as text."
            "引用符はこの書式では意味を持たないため、文字として取り込みました。";
        TOO_LONG = Warning "too-long",
            "The field is longer than the format allows; kept."
            "規定より長い項目です。そのまま取り込みました。";
        WIDTH = Information "width",
            "A half-width field was written in full width; read as half-width."
            "半角の項目が全角で書かれていたため、半角として読みました。";
        NOT_DIGITS = Warning "not-digits",
            "The field should be a number."
            "数字の項目に数字以外があります。";
        UNKNOWN_CODE = Warning "unknown-code",
            "The code is not in the format's list; taken as not given."
            "定義にないコードのため、記載なしとして扱います。";
        CONTROL_CHARACTER = Warning "control-character",
            "Control characters were removed from the line."
            "制御文字を取り除きました。";
        PRIVATE_CHARACTER = Warning "private-character",
            "The line has characters outside the common set (gaiji), which others may not be able to show."
            "外字が含まれています。他の環境では表示できないことがあります。";
        MY_NUMBER = Warning my_number::MY_NUMBER,
            "A field holds what looks like an Individual Number (My Number); it was struck out."
            "個人番号(マイナンバー)とみられる数字があったため、伏せて取り込みました。";

        // Dates
        DATE_NOT_READ = Warning "date-not-read",
            "The date cannot be read; taken as not given."
            "日付として読めないため、記載なしとして扱います。";
        DATE_PAST_ERA = Warning date::ERA_OVERRUN,
            "The date lies past the end of the era it names; read by the calendar."
            "元号の終わりを過ぎた日付です。暦の上の日付として読みました。";
        DATE_PARTIAL = Warning date::PARTIAL,
            "The date is known only in part."
            "日付の一部が不明です。";
        PERIOD_REVERSED = Warning "period-reversed",
            "The end lies before the start; the end is not used."
            "終了日が開始日より前のため、終了日は取り込みません。";
        DATE_FUTURE = Error "date-future",
            "The date lies in the future; the record is not used."
            "未来の日付のため、取り込みません。";

        // A group
        DATE_IMPOSSIBLE = Error "date-impossible",
            "The dispensing date is no day of the calendar; the group is not used."
            "調剤等年月日が存在しない日付のため、この調剤分は取り込みません。";
        DATE_OUT_OF_ERA = Error date::ERA_OVERRUN,
            "The dispensing date lies outside the era it names; the group is not used."
            "調剤等年月日が元号の期間外のため、この調剤分は取り込みません。";
        GROUP_DATE_FUTURE = Error "date-future",
            "The dispensing date lies in the future; the group is not used."
            "調剤等年月日が未来のため、この調剤分は取り込みません。";
        INSTITUTION_MISSING = Error "institution-missing",
            "The dispensing institution (record 11) is missing; the group is not used."
            "調剤等医療機関(レコード11)がないため、この調剤分は取り込みません。";
        GROUP_REJECTED = Error "group-rejected",
            "Not used, because the group it belongs to is not."
            "属する調剤分を取り込まないため、この行も取り込みません。";
        GROUP_EMPTY = Warning "group-empty",
            "The group holds no drug that can be used."
            "取り込める薬品がない調剤分です。";
        OUT_OF_ORDER = Error "order",
            "The line stands before any dispensing date (record 5) and belongs to none."
            "調剤等年月日(レコード5)より前にあり、属する調剤分がありません。";
        DRUG_MISSING = Warning "drug-missing",
            "There is no drug (record 201) with this RP number; the line is not used."
            "同じRP番号の薬品(レコード201)がないため、この行は取り込みません。";
        USAGE_MISSING = Warning "usage-missing",
            "There is no usage (record 301) for this RP number; the drug is taken in without it."
            "同じRP番号の用法(レコード301)がないため、用法なしで取り込みます。";
        RECORD_REPEATED = Warning "record-repeated",
            "Only one such record can stand here; the first was used."
            "一つしか置けないレコードです。最初のものを使いました。";
        REPEATED_LINE = Warning "repeated-line",
            "The same record was there before; taken once."
            "同じ内容の行が既にあるため、一度だけ取り込みました。";
        OTC_MISSING = Warning "otc-missing",
            "There is no over-the-counter medicine (record 3) with this number; the line is not used."
            "同じ連番の要指導医薬品・一般用医薬品(レコード3)がないため、取り込みません。";

        // Values
        DOSE_NOT_A_NUMBER = Warning "dose-text",
            "The dose is not a number; kept as text."
            "用量が数値でないため、文字として取り込みました。";
        DOSE_WITHOUT_FORM = Warning "dose-meaning",
            "Without a dosage form it is not known what the dose counts; kept as text."
            "剤形が不明で用量の意味が定まらないため、文字として取り込みました。";
        DAYS_NOT_USED = Warning "quantity-not-used",
            "The quantity is no usable number of days; no end date was set."
            "日数として使えない数量のため、終了日を設定しません。";
        CODE_SHAPE = Warning "code-length",
            "The code does not fit its kind; the name is kept as text only."
            "コードが種別に合わないため、名称のみ取り込みました。";
        INSTITUTION_NUMBER = Information "institution-number",
            "The institution's number is incomplete or fails its check digit."
            "医療機関番号が不完全か、検査数字に合いません。";
        NONE_STATED = Information "none-stated",
            "The note says that there is nothing; no record was made of it."
            "「なし」との記載のため、記録は作成しません。";
        KEPT_IN_FILE = Information "kept-in-file",
            "Not made into a record; kept in the original file."
            "記録には変換せず、原本に残します。";
    }
}
