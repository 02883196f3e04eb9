//! The schedule over more than one file.
//!
//! A file rarely holds all doses of a person: the first came last month. Who
//! places drafts knows the doses that are stored, and asks here what the new
//! ones look like beside them. Like everything else here it is pure.
//!
//! Source: immunizations.md §7

use techo_profiles::json::Json;

use super::label::Program;
use super::resource::EVENT;
use super::schedule::{Dose, flags};
use super::vaccine::by_code;
use crate::import::draft::{Action, Draft, Issue, LOCAL_BASE, Line, PersonDrafts, Severity};
use crate::import::person::whole_day;

/// What the schedule says of this person's new doses beside the `stored`
/// Immunizations of hers, and did not say of the file alone. To be added to the
/// report before anything is placed.
pub fn beside(person: &PersonDrafts, stored: &[&Json]) -> Vec<Issue> {
    let birth = person.person.birth_date.as_deref().and_then(whole_day);
    let put = |draft: &&Draft| draft.action == Action::Put;
    let new: Vec<Dose> =
        person.drafts.iter().filter(put).filter_map(|draft| dose(&draft.resource, Some(draft.at))).collect();
    let events: Vec<&str> = person.drafts.iter().filter_map(|draft| event(&draft.resource)).collect();
    let older = stored.iter().filter(|resource| event(resource).is_none_or(|event| !events.contains(&event)));
    let all: Vec<Dose> = older.filter_map(|resource| dose(resource, None)).chain(new.iter().cloned()).collect();
    let known = flags(&new, birth);
    flags(&all, birth)
        .into_iter()
        .filter(|flag| !known.contains(flag))
        .map(|flag| Issue {
            at: flag.at,
            column: Some("接種日".into()),
            severity: Severity::Warning,
            code: flag.code,
            text: flag.text,
        })
        .collect()
}

/// The dose a stored Immunization tells of, if it was given on a known day.
fn dose(resource: &Json, at: Option<Line>) -> Option<Dose> {
    if resource.str("resourceType") != Some("Immunization") || resource.str("status") != Some("completed") {
        return None;
    }
    let local = |system: &str| format!("{LOCAL_BASE}/CodeSystem/{system}");
    let code = |concept: &Json, system: &str| {
        let system = local(system);
        let coding = concept.list("coding").iter().find(|coding| coding.str("system") == Some(&system))?;
        coding.str("code").map(str::to_owned)
    };
    let protocol = resource.list("protocolApplied").first();
    let number = protocol.and_then(|protocol| protocol.get("doseNumberPositiveInt")?.as_i64());
    Some(Dose {
        at,
        vaccine: by_code(&code(resource.get("vaccineCode")?, "jp-vaccine")?).code,
        day: whole_day(resource.str("occurrenceDateTime")?.get(..10)?)?,
        series: protocol.and_then(|protocol| protocol.str("series")).map(str::to_owned),
        number: number.and_then(|number| u32::try_from(number).ok()),
        program: resource
            .list("programEligibility")
            .iter()
            .find_map(|concept| Program::read(&code(concept, "immunization-program")?)),
    })
}

/// The name under which the same dose from anywhere is known.
fn event(resource: &Json) -> Option<&str> {
    let system = format!("{LOCAL_BASE}/Id/{EVENT}");
    resource.list("identifier").iter().find(|it| it.str("system") == Some(&system))?.str("value")
}
