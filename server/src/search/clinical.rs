//! Which searches the clinical index drives: those by the code of a person's records.
//!
//! The index holds, for each subject, every coding of the element that
//! [`super::facts`] takes for the clinical code. A token parameter over exactly
//! that element, and a reference parameter over exactly the subject, find nothing
//! outside it. To let one more type be driven: a line in [`TYPES`]; the test
//! reads the definitions and says whether that is true.

use techo_profiles::Definitions;

use super::plan::{CodePattern, Filter, Match, Pattern, Plan};

/// A search that the clinical index drives.
#[derive(Debug, PartialEq)]
pub struct Clinical<'a> {
    /// Ids of the Patients whose records are asked for; empty: of whoever is visible.
    pub patients: Vec<&'a str>,
    /// One of these codes.
    pub codes: Vec<&'a CodePattern>,
}

impl Plan {
    /// The part of the plan that the clinical index answers; every match is among
    /// the rows that it gives.
    pub fn clinical(&self) -> Option<Clinical<'_>> {
        let (_, parameter) = TYPES.iter().find(|(kind, _)| **kind == *self.resource_type)?;
        let codes = self.asked(parameter)?.iter().map(code).collect::<Option<Vec<_>>>()?;
        Some(Clinical { patients: self.named(patient).unwrap_or_default(), codes })
    }

    /// The ids of the Patients whose records are asked for, if they are named. An id
    /// without a type may be that of a Group too.
    pub fn patients(&self) -> Option<Vec<&str>> {
        self.named(|one| match one {
            Match::Reference { kinds, id } if kinds.contains(&Definitions::embedded().type_number("Patient")?) => {
                Some(id)
            }
            _ => None,
        })
    }

    fn named<'a>(&'a self, read: impl Fn(&'a Match) -> Option<&'a str>) -> Option<Vec<&'a str>> {
        let mut named = ["patient", "subject"].into_iter().filter_map(|code| self.asked(code));
        named.find_map(|any| any.iter().map(&read).collect())
    }

    /// What is asked of one of the type's parameters.
    fn asked(&self, code: &str) -> Option<&Vec<Match>> {
        let name = format!("{}.{code}", self.resource_type);
        self.filters.iter().find_map(|filter| match filter {
            Filter::Indexed { param, any, negated: false } if **param == *name => Some(any),
            _ => None,
        })
    }
}

/// A coding of which the code is known.
fn code(one: &Match) -> Option<&CodePattern> {
    match one {
        Match::Token(pattern @ CodePattern { code: Pattern::Is(_), .. }) => Some(pattern),
        _ => None,
    }
}

fn patient(one: &Match) -> Option<&str> {
    match one {
        Match::Reference { kinds, id } if kinds[..] == [Definitions::embedded().type_number("Patient")?] => Some(id),
        _ => None,
    }
}

/// Types with the parameter that searches their clinical code.
const TYPES: &[(&str, &str)] = &[
    ("Condition", "code"),
    ("DiagnosticReport", "code"),
    ("DocumentReference", "type"),
    ("Immunization", "vaccine-code"),
    ("MedicationAdministration", "code"),
    ("MedicationDispense", "code"),
    ("MedicationRequest", "code"),
    ("MedicationStatement", "code"),
    ("Observation", "code"),
    ("Procedure", "code"),
    ("ServiceRequest", "code"),
];

#[cfg(test)]
mod tests {
    use super::super::facts::{clinical_elements, is_subject};
    use super::*;

    #[test]
    fn the_parameters_search_what_the_clinical_index_holds() {
        let definitions = Definitions::embedded();
        for (kind, parameter) in TYPES {
            let expression = |code: &str| definitions.parameter(kind, code).map(|found| found.expression_for(kind));
            let coded = expression(parameter).expect(parameter);
            let element = coded
                .strip_prefix(&format!("{kind}."))
                .or_else(|| coded.strip_prefix(&format!("({kind}."))?.strip_suffix(" as CodeableConcept)"))
                .map(|element| if element == "medication" { "medicationCodeableConcept" } else { element });
            assert!(element.is_some_and(|element| clinical_elements(kind).contains(&element)), "{kind} {coded}");
            for whom in ["patient", "subject"] {
                let Some(expression) = expression(whom) else { continue };
                let element = expression.strip_prefix(&format!("{kind}.")).unwrap_or(expression);
                let element = element.strip_suffix(".where(resolve() is Patient)").unwrap_or(element);
                assert!(is_subject(element), "{kind} {expression}");
            }
        }
    }
}
