//! Which searches the clinical index drives: those by the code of a person's records.
//!
//! The index holds, for each subject, every coding of the element that
//! [`super::facts`] takes for the clinical code. A token parameter over exactly
//! that element, and a reference parameter over exactly the subject, find nothing
//! outside it. To let one more type be driven: a line in [`TYPES`]; the test
//! reads the definitions and says whether that is true.

use techo_profiles::Definitions;

use super::contained::Which;
use super::plan::{CodePattern, Filter, Match, Pattern, Plan};

/// A search that the clinical index drives.
#[derive(Debug, PartialEq)]
pub struct Clinical<'a> {
    /// Ids of the Patients whose records are asked for; empty: of whoever is visible.
    pub patients: Vec<&'a str>,
    /// One of these codes.
    pub codes: Vec<&'a CodePattern>,
    /// Which of the plan's filters hold for every row that the index gives for these, and
    /// need not be asked again.
    pub answered: Vec<usize>,
}

impl Plan {
    /// The part of the plan that the clinical index answers; every match is among
    /// the rows that it gives.
    pub fn clinical(&self) -> Option<Clinical<'_>> {
        let (_, parameter) = TYPES.iter().find(|(kind, _)| **kind == *self.resource_type)?;
        let (coded, codes) = (self.asked(parameter)?.0, self.codes()?);
        let (named, patients) = self.named(patient).unzip();
        // A medicine may be coded elsewhere, where the parameter does not look.
        let coded = Some(coded).filter(|_| !self.resource_type.starts_with("Medication"));
        let answered = coded.into_iter().chain(named).collect();
        Some(Clinical { patients: patients.unwrap_or_default(), codes, answered })
    }

    /// The ids of the Patients whose records are asked for, if they are named. An id
    /// without a type may be that of a Group too.
    pub fn patients(&self) -> Option<Vec<&str>> {
        self.named(patient_or_group).map(|(_, ids)| ids)
    }

    /// The clinical codes that are asked for one by one.
    pub fn codes(&self) -> Option<Vec<&CodePattern>> {
        let (_, parameter) = TYPES.iter().find(|(kind, _)| **kind == *self.resource_type)?;
        self.asked(parameter)?.1.iter().map(code).collect()
    }

    /// Whose records of which code, and the code's system, if the plan asks for nothing
    /// else and its rows come in their own order.
    pub fn of_one_code(&self) -> Option<[&str; 3]> {
        let clinical = self.clinical()?;
        let alone = clinical.answered.len() == 2 && self.filters.len() == 2 && self.sort.is_empty();
        let records = self.contained.which == Which::Records && self.newest_of.is_none();
        match (&clinical.patients[..], &clinical.codes[..]) {
            ([id], [CodePattern { system: Pattern::Is(system), code: Pattern::Is(code) }]) if alone && records => {
                Some([id, code, system])
            }
            _ => None,
        }
    }

    /// By which filter Patients are named, and their ids.
    fn named<'a>(&'a self, read: impl Fn(&str, &'a Match) -> Option<&'a str>) -> Option<(usize, Vec<&'a str>)> {
        ["patient", "subject"].into_iter().find_map(|code| {
            let (filter, any) = self.asked(code)?;
            Some((filter, any.iter().map(|one| read(code, one)).collect::<Option<_>>()?))
        })
    }

    /// What is asked of one of the type's parameters, and by which filter.
    fn asked(&self, code: &str) -> Option<(usize, &Vec<Match>)> {
        let name = format!("{}.{code}", self.resource_type);
        self.filters.iter().enumerate().find_map(|(number, filter)| match filter {
            Filter::Indexed { param, any, negated: false } if **param == *name => Some((number, any)),
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

/// The id, if it can only be a Patient's. `patient` finds nobody else, whatever else its
/// definition would let it refer to.
fn patient<'a>(code: &str, one: &'a Match) -> Option<&'a str> {
    let number = patient_number()?;
    match one {
        Match::Reference { kinds, id } if kinds[..] == [number] || code == "patient" && kinds.contains(&number) => {
            Some(id)
        }
        _ => None,
    }
}

fn patient_or_group<'a>(_: &str, one: &'a Match) -> Option<&'a str> {
    match one {
        Match::Reference { kinds, id } if kinds.contains(&patient_number()?) => Some(id),
        _ => None,
    }
}

fn patient_number() -> Option<u16> {
    Definitions::embedded().type_number("Patient")
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
    use techo_profiles::definitions::ElementType;

    use super::super::facts::{SUBJECTS, clinical_elements, is_subject};
    use super::*;

    #[test]
    fn the_parameters_search_what_the_clinical_index_holds() {
        let definitions = Definitions::embedded();
        for (kind, parameter) in TYPES {
            let definition = definitions.type_def(kind).expect(kind);
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
                let types = definition.element(expression).map_or(&[][..], |found| &found.types);
                let only = |one: &ElementType| matches!(&one.target_profiles[..], [only] if only.ends_with("/Patient"));
                let alone = expression.ends_with(".where(resolve() is Patient)") || types.iter().any(only);
                assert!(whom != "patient" || alone, "{kind} {expression}");
            }
            // No other element brings a subject or a code into the index.
            let has = |element: &&&str| definition.element(&format!("{kind}.{element}")).is_some();
            assert_eq!(SUBJECTS.iter().filter(has).count(), 1, "{kind}");
            let codes = clinical_elements(kind).iter().filter(has).count();
            assert_eq!(codes, usize::from(!kind.starts_with("Medication")), "{kind}");
        }
    }

    fn plan(kind: &str, filters: Vec<Filter>) -> Plan {
        Plan { resource_type: kind.into(), filters, ..Plan::default() }
    }

    #[test]
    fn what_the_index_answers_is_not_asked_again() {
        let number = |kind: &str| Definitions::embedded().type_number(kind).expect(kind);
        let (patient, group) = (number("Patient"), number("Group"));
        let whose = |code: &str, kinds: &[u16]| Filter::Indexed {
            param: format!("Observation.{code}").into(),
            any: vec![Match::Reference { kinds: kinds.to_vec(), id: "p".into() }],
            negated: false,
        };
        let coded = |kind: &str| Filter::Indexed {
            param: format!("{kind}.code").into(),
            any: vec![Match::Token(CodePattern { system: Pattern::Any, code: Pattern::Is("c".into()) })],
            negated: false,
        };
        let other = Filter::Missing { parts: vec![("Observation.value-date".into(), &[])], missing: true };
        for (kind, filters, patients, answered) in [
            ("Observation", vec![whose("patient", &[group, patient]), coded("Observation")], 1, vec![1, 0]),
            ("Observation", vec![other, coded("Observation"), whose("subject", &[patient])], 1, vec![1, 2]),
            // An id without a type may be that of a Group.
            ("Observation", vec![whose("subject", &[group, patient]), coded("Observation")], 0, vec![1]),
            ("Observation", vec![coded("Observation"), coded("Observation")], 0, vec![0]),
            ("MedicationStatement", vec![coded("MedicationStatement")], 0, vec![]),
        ] {
            let plan = plan(kind, filters);
            let clinical = plan.clinical().expect("driven");
            assert_eq!((clinical.patients.len(), clinical.answered), (patients, answered), "{:?}", plan.filters);
        }
    }
}
