//! The small readers that a Consent and its provisions share. Each notes what it
//! refuses and goes on, so that one answer tells all faults.

use jiff::tz::TimeZone;
use techo_profiles::json::Json;

use super::super::rule::{Effect, Policy};
use super::super::subject::local;
use super::{Reason, Refusal, Terms};

/// Collects refusals while a Consent is read.
pub(super) struct Reader<'a> {
    pub(super) terms: &'a dyn Terms,
    pub(super) zone: &'a TimeZone,
    /// What is read speaks for all Consents of a stance: the root's days are each one's own.
    pub(super) of_stance: bool,
    refusals: Vec<Refusal>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(terms: &'a dyn Terms, zone: &'a TimeZone) -> Self {
        Self { terms, zone, of_stance: false, refusals: Vec::new() }
    }

    /// Notes a refusal; a path is named once, with its first reason.
    pub(super) fn refuse(&mut self, path: &str, reason: Reason) {
        if !self.refusals.iter().any(|refusal| refusal.expression == path) {
            self.refusals.push(Refusal { expression: path.to_owned(), reason });
        }
    }

    pub(super) fn finish(self, policy: Option<Policy>) -> Result<Option<Policy>, Vec<Refusal>> {
        if self.refusals.is_empty() { Ok(policy) } else { Err(self.refusals) }
    }

    /// Refuses every member of `json` that is not listed.
    pub(super) fn only(&mut self, json: &Json, path: &str, known: &[&str]) {
        for member in json.members() {
            if !known.contains(&&*member.name) {
                // `_dateTime` carries extensions of `dateTime`; FHIRPath has one name for both.
                let name = member.name.strip_prefix('_').unwrap_or(&member.name);
                self.refuse(&format!("{path}.{name}"), Reason::Element);
            }
        }
    }

    pub(super) fn require(&mut self, json: &Json, path: &str, name: &str) {
        let present =
            json.get(name).is_some_and(|value| !value.is_null() && (!value.is_array() || !value.items().is_empty()));
        if !present {
            self.refuse(&format!("{path}.{name}"), Reason::Required);
        }
    }

    /// The reference in the required element `name`.
    pub(super) fn reference(&mut self, json: &Json, path: &str, name: &str, types: &[&str]) -> Option<Box<str>> {
        let path = format!("{path}.{name}");
        let Some(reference) = json.get(name) else {
            self.refuse(&path, Reason::Required);
            return None;
        };
        self.literal(reference, &path, types)
    }

    /// A Reference that holds a relative literal one, to one of `types`.
    pub(super) fn literal(&mut self, reference: &Json, path: &str, types: &[&str]) -> Option<Box<str>> {
        self.only(reference, path, &["id", "reference", "type", "display"]);
        let text = reference.str("reference").unwrap_or_default();
        match local(text, "") {
            Some((kind, id)) if types.contains(&kind) && text.len() == kind.len() + 1 + id.len() => Some(text.into()),
            _ => {
                self.refuse(&format!("{path}.reference"), Reason::Reference);
                None
            }
        }
    }

    /// `type` of a provision.
    pub(super) fn effect(&mut self, provision: &Json, path: &str) -> Option<Effect> {
        match provision.get("type")?.as_str() {
            Some("permit") => Some(Effect::Permit),
            Some("deny") => Some(Effect::Deny),
            _ => {
                self.refuse(&format!("{path}.type"), Reason::Code);
                None
            }
        }
    }

    /// The codings of a `CodeableConcept`, with their paths; all of the given systems.
    pub(super) fn codings<'j>(&mut self, concept: &'j Json, path: &str, systems: &[&str]) -> Vec<(String, &'j Json)> {
        self.only(concept, path, &["id", "coding", "text"]);
        if concept.list("coding").is_empty() {
            // Words alone are for people.
            self.refuse(&format!("{path}.coding"), Reason::Required);
        }
        let each = concept.list("coding").iter().enumerate();
        each.filter_map(|(at, coding)| {
            let path = format!("{path}.coding[{at}]");
            self.coding(coding, &path, systems).then_some((path, coding))
        })
        .collect()
    }

    /// Whether `coding` is one that can be read: of one of `systems`, if any are named.
    pub(super) fn coding(&mut self, coding: &Json, path: &str, systems: &[&str]) -> bool {
        self.only(coding, path, &["id", "system", "version", "code", "display", "userSelected"]);
        let known = match coding.str("system") {
            Some(system) => systems.is_empty() || systems.contains(&system),
            None => systems.is_empty(),
        };
        if !known {
            self.refuse(&format!("{path}.system"), Reason::System);
        } else if coding.str("code").is_none_or(str::is_empty) {
            self.refuse(&format!("{path}.code"), Reason::Required);
        }
        known && coding.str("code").is_some_and(|code| !code.is_empty())
    }
}
