//! Values of records in words: concepts, quantities, dates, references.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use techo_profiles::json::Json;
use techo_terminology::Terminology;

use super::super::words::{self, Words};
use crate::auth::wording::Language;
use crate::search::time::span;

/// How records are read out.
pub(super) struct Reading<'a> {
    pub(super) language: Language,
    pub(super) codes: &'a Terminology,
    pub(super) zone: &'a TimeZone,
    /// Names of organizations, places and people, by reference.
    pub(super) names: HashMap<String, String>,
}

/// When something was: for sorting, and in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct When {
    /// Microseconds since 1970; the earliest if unknown.
    pub(super) at: i64,
    pub(super) words: String,
}

impl Reading<'_> {
    pub(super) fn say(&self, words: Words) -> &'static str {
        words.say(self.language)
    }

    /// What a concept is called: as it was written, in English by a code where one has an English name.
    pub(super) fn concept(&self, concept: &Json) -> Option<String> {
        let text = concept.str("text").map(str::to_owned);
        let own = concept.list("coding").iter().find_map(|coding| {
            let (system, code) = (coding.str("system")?, coding.str("code")?);
            self.codes.display_in(system, code, self.language.code()).map(str::to_owned)
        });
        let displays = || concept.list("coding").iter().filter_map(|coding| coding.str("display"));
        let foreign = displays().find(|display| display.is_ascii()).map(str::to_owned);
        let any = displays().next().or_else(|| concept.list("coding").iter().find_map(|coding| coding.str("code")));
        let any = any.map(str::to_owned);
        match self.language {
            Language::Japanese => text.or(own).or(any),
            Language::English => own.or(foreign).or(text).or(any),
        }
    }

    /// The first concept of a list that has words.
    pub(super) fn first(&self, concepts: &[Json]) -> Option<String> {
        concepts.iter().find_map(|one| self.concept(one))
    }

    pub(super) fn quantity(&self, quantity: &Json) -> Option<String> {
        let value = quantity.get("value")?.as_number()?;
        let unit = words::unit(quantity.str("code"), quantity.str("unit"), self.language);
        let space = if unit.is_empty() || unit == "本" || unit == "歩" { "" } else { " " };
        Some(format!("{}{value}{space}{unit}", quantity.str("comparator").unwrap_or_default()))
    }

    /// The value of an Observation or of one of its components.
    pub(super) fn value(&self, observation: &Json) -> Option<String> {
        if let Some(quantity) = observation.get("valueQuantity") {
            return self.quantity(quantity);
        }
        if let Some(concept) = observation.get("valueCodeableConcept") {
            return self.concept(concept);
        }
        if let Some(truth) = observation.get("valueBoolean").and_then(Json::as_bool) {
            return Some(self.say(if truth { words::YES } else { words::NO }).to_owned());
        }
        if let Some(number) = observation.get("valueInteger").and_then(Json::as_number) {
            return Some(number.to_owned());
        }
        if let Some(at) = observation.str("valueDateTime") {
            return Some(words::date(at, self.language, self.zone));
        }
        if let Some(text) = observation.str("valueString").or_else(|| observation.str("valueTime")) {
            return Some(text.to_owned());
        }
        if let Some(period) = observation.get("valuePeriod") {
            return Some(self.period(period));
        }
        let parts: Vec<String> = observation
            .list("component")
            .iter()
            .filter_map(|part| Some(format!("{} {}", self.concept(part.get("code")?)?, self.value(part)?)))
            .collect();
        if !parts.is_empty() {
            return Some(parts.join(" / "));
        }
        observation.get("dataAbsentReason").map(|_| self.say(words::NOT_MEASURED).to_owned())
    }

    pub(super) fn period(&self, period: &Json) -> String {
        let say = |text: &str| words::date(text, self.language, self.zone);
        let around = |[before, after]: [Words; 2], text: &str| format!("{}{text}{}", self.say(before), self.say(after));
        match (period.str("start"), period.str("end")) {
            (Some(start), Some(end)) if start == end => say(start),
            (Some(start), Some(end)) => format!("{} – {}", say(start), say(end)),
            (Some(start), None) => around(words::FROM, &say(start)),
            (None, Some(end)) => around(words::TILL, &say(end)),
            (None, None) => String::new(),
        }
    }

    /// When a record is from: the first of its members that says so. A document
    /// that says nothing is dated by its arrival.
    pub(super) fn when(&self, resource: &Json, updated: i64) -> When {
        if resource.str("resourceType") == Some("DocumentReference") && resource.str("date").is_none() {
            let at = jiff::Timestamp::from_microsecond(updated).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            return When { at: updated, words: words::instant(at, self.language, self.zone) };
        }
        let text = WHEN.iter().find_map(|name| match resource.get(name)? {
            value if value.is_object() => value.str("start").or_else(|| value.str("end")),
            value => value.as_str(),
        });
        let at = text.and_then(|text| span(text, self.zone).ok()).map_or(i64::MIN, |span| span.low);
        let words = text.map(|text| words::date(text, self.language, self.zone));
        When { at, words: words.unwrap_or_else(|| self.say(words::NO_DATE).to_owned()) }
    }

    /// The name behind a reference: of the directory, of what is contained, or as written there.
    pub(super) fn named(&self, resource: &Json, reference: &Json) -> Option<String> {
        let inside = reference.str("reference").and_then(|text| text.strip_prefix('#')).and_then(|id| {
            let contained = resource.list("contained").iter().find(|one| one.str("id") == Some(id))?;
            contained.str("name").map(str::to_owned)
        });
        let outside = || self.names.get(reference.str("reference")?).cloned();
        inside.or_else(outside).or_else(|| reference.str("display").map(str::to_owned))
    }
}

/// Members that date a record, the most telling first.
const WHEN: &[&str] = &[
    "effectiveDateTime",
    "effectivePeriod",
    "effectiveInstant",
    "occurrenceDateTime",
    "occurrencePeriod",
    "occurrenceString",
    "performedDateTime",
    "performedPeriod",
    "onsetDateTime",
    "onsetPeriod",
    "period",
    "billablePeriod",
    "createdDateTime",
    "startDate",
    "sent",
    "date",
    "created",
    "recordedDate",
    "dateAsserted",
    "issued",
];

#[cfg(test)]
mod tests {
    use techo_profiles::Definitions;
    use techo_profiles::json;

    use super::*;
    use crate::import::draft::LOCAL_BASE;

    fn both(check: impl Fn(&Reading<'_>) -> Option<String>) -> (Option<String>, Option<String>) {
        let codes = Terminology::new(Definitions::embedded(), LOCAL_BASE);
        let zone = TimeZone::get("Asia/Tokyo").expect("a zone");
        let of = |language| Reading { language, codes: &codes, zone: &zone, names: HashMap::new() };
        (check(&of(Language::Japanese)), check(&of(Language::English)))
    }

    #[test]
    fn values_in_words() {
        let item = |code: &str| json!({"coding": [{"system": (format!("{LOCAL_BASE}/CodeSystem/infant-checkup-item")), "code": code}], "text": "身長"});
        let quantity = |value: &str, unit: &str, code: &str| json!({"value": (Json::number(value).expect("a number")), "unit": unit, "code": code});
        for (resource, japanese, english) in [
            (json!({"valueQuantity": (quantity("62.0", "cm", "cm"))}), Some("62.0 cm"), Some("62.0 cm")),
            (json!({"valueQuantity": (quantity("17.2", "kg/m2", "kg/m2"))}), Some("17.2"), Some("17.2")),
            (json!({"valueQuantity": (quantity("8", "本", "{teeth}"))}), Some("8本"), Some("8 teeth")),
            (json!({"valueCodeableConcept": (item("height"))}), Some("身長"), Some("Body height")),
            (json!({"valueBoolean": true}), Some("はい"), Some("Yes")),
            (json!({"dataAbsentReason": {"text": "x"}}), Some("記録なし"), Some("Not recorded")),
            (
                json!({"component": [
                    {"code": {"text": "最高"}, "valueQuantity": (quantity("118", "mmHg", "mm[Hg]"))},
                    {"code": {"text": "最低"}, "valueQuantity": (quantity("76", "mmHg", "mm[Hg]"))}
                ]}),
                Some("最高 118 mmHg / 最低 76 mmHg"),
                Some("最高 118 mmHg / 最低 76 mmHg"),
            ),
            (json!({}), None, None),
        ] {
            let expected = (japanese.map(str::to_owned), english.map(str::to_owned));
            assert_eq!(both(|reading| reading.value(&resource)), expected, "{resource}");
        }
    }

    #[test]
    fn a_record_is_dated_by_what_it_says() {
        for (resource, japanese) in [
            (json!({"effectiveDateTime": "2026-09-24", "issued": "2026-10-01T00:00:00Z"}), "2026年9月24日"),
            (json!({"effectivePeriod": {"start": "2026-09-24", "end": "2026-09-28"}}), "2026年9月24日"),
            (json!({"occurrenceString": "乳児期"}), "乳児期"),
            (json!({}), "日付なし"),
            (json!({"resourceType": "DocumentReference"}), "1970年1月1日 9:00"),
        ] {
            assert_eq!(
                both(|reading| Some(reading.when(&resource, 0).words)).0.as_deref(),
                Some(japanese),
                "{resource}"
            );
        }
    }
}
