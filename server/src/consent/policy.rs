//! A Consent's JSON → [`Policy`], or why it may not be `active` (Rule 0).
//!
//! What is stored active is enforced: an element or code that this engine does
//! not evaluate is refused, one [`Refusal`] a path, and the Consent may be stored
//! as a draft instead. So the reader works from lists of what it knows; a new R4
//! element is refused until somebody teaches it here.
//!
//! * this file: the Consent itself; * [`node`]: its provisions; * [`read`]: the
//!   small readers both use; * [`refusal`]: the reasons and their words.
//!
//! Source: `requirements/consent.md` §3, §4.1, §4.3; FHIR R4 consent.html

mod node;
mod read;
mod refusal;

use jiff::tz::TimeZone;
use techo_profiles::json::Json;

pub use super::rule::Policy;
pub use refusal::{Reason, Refusal};

use super::rule::{Effect, Node};
use super::stance::{FILER, StanceKey};
use read::Reader;

/// The base of the product's own codes. Other blocks should take it from here
/// until it has one home.
pub const LOCAL_BASE: &str = "https://techo.example/fhir";

/// The code system of the notebook's nine kinds, `{L}/CodeSystem/kind`.
pub const KIND_SYSTEM: &str = "https://techo.example/fhir/CodeSystem/kind";

/// What `policy.uri` may name: the policy under which nothing holds beyond what
/// the provision says. Others (break-glass-only, absolute-deny, stop all sharing)
/// have effects of their own and are refused until they are evaluated.
pub const POLICIES: &[&str] = &["https://techo.example/fhir/policy/normal-treatment"];

/// What the compiler asks of terminology and of the operator's directory.
pub trait Terms {
    /// Whether `code` is a purpose of use in v3-ActReason.
    fn is_purpose(&self, code: &str) -> bool;
    /// Whether `name` is a resource type of R4.
    fn is_type(&self, name: &str) -> bool;
    /// Codes that `code` subsumes in `system`, without itself; none if the system
    /// is flat or unknown.
    fn narrower(&self, system: &str, code: &str) -> Vec<Box<str>>;
    /// Whether the operator's verified directory knows `reference` as an actor
    /// (`Practitioner/dr-sato`, `Device/app-public`, `Organization/org-city`).
    fn is_actor(&self, reference: &str) -> bool;
}

/// Terms for a Consent that is stored already: its actors were resolved when it
/// was filed, and one who has left the directory since does not make it void.
pub struct Stored<'a>(pub &'a dyn Terms);

impl Terms for Stored<'_> {
    fn is_purpose(&self, code: &str) -> bool {
        self.0.is_purpose(code)
    }

    fn is_type(&self, name: &str) -> bool {
        self.0.is_type(name)
    }

    fn narrower(&self, system: &str, code: &str) -> Vec<Box<str>> {
        self.0.narrower(system, code)
    }

    fn is_actor(&self, _: &str) -> bool {
        true
    }
}

/// Reads a Consent that is to be filed; one that is stored already with [`Stored`].
///
/// * `zone`: where the day of a date without time ends.
/// * returns `None` for one that decides nothing: not `active`, or of another
///   scope than patient-privacy and research.
///
/// # Errors
/// What keeps it from being stored as `active`, each path once.
pub fn compile(consent: &Json, terms: &dyn Terms, zone: &TimeZone) -> Result<Option<Policy>, Vec<Refusal>> {
    let mut reader = Reader::new(terms, zone);
    if consent.str("resourceType") != Some("Consent") || consent.str("status") != Some("active") {
        return Ok(None);
    }
    if !decides(consent, &mut reader) {
        return reader.finish(None);
    }
    let policy = read(consent, &mut reader);
    reader.finish(policy)
}

/// The policy of all whose Consents are of one stance.
///
/// * `said`: what [`super::stance::Stance`] keeps of them.
///
/// # Errors
/// As [`compile`].
pub fn compile_stance(
    key: StanceKey,
    said: &Json,
    terms: &dyn Terms,
    zone: &TimeZone,
) -> Result<Option<Policy>, Vec<Refusal>> {
    let mut reader = Reader::new(terms, zone);
    reader.of_stance = true;
    let policy = provisions(said, &mut reader).map(|(root, nested)| Policy {
        id: Box::default(),
        version: 0,
        patient: Box::default(),
        stance: Some(key),
        performers: Vec::new(),
        filer: said.str(FILER).and_then(|key| key.parse().ok()),
        root,
        nested,
    });
    reader.finish(policy)
}

/// The system of Consent's scopes.
pub(super) const SCOPE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/consentscope";

/// The scopes that are enforced.
pub(super) const SCOPES: &[&str] = &["patient-privacy", "research"];

/// The elements of a Consent that are read here or decide nothing.
const ELEMENTS: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "language",
    "text",
    "identifier",
    "status",
    "scope",
    "category",
    "patient",
    "dateTime",
    "performer",
    "organization",
    "sourceAttachment",
    "sourceReference",
    "policy",
    "policyRule",
    "provision",
];

/// Whether the Consent's scope is one that is enforced.
fn decides(consent: &Json, reader: &mut Reader<'_>) -> bool {
    let mut enforced = false;
    for (at, coding) in consent.get("scope").map_or(&[][..], |scope| scope.list("coding")).iter().enumerate() {
        if coding.str("code").is_some_and(|code| SCOPES.contains(&code)) {
            if coding.str("system") == Some(SCOPE_SYSTEM) {
                enforced = true;
            } else {
                // Its author means it to be enforced; guessing either way would deceive her.
                reader.refuse(&format!("Consent.scope.coding[{at}].system"), Reason::System);
            }
        }
    }
    enforced
}

fn read(consent: &Json, reader: &mut Reader<'_>) -> Option<Policy> {
    reader.only(consent, "Consent", ELEMENTS);
    for name in ["dateTime", "organization", "performer"] {
        reader.require(consent, "Consent", name);
    }
    if consent.get("sourceAttachment").is_none() && consent.get("sourceReference").is_none() {
        reader.refuse("Consent.source", Reason::Required);
    }
    if let Some(time) = consent.str("dateTime")
        && super::instant::span(time, reader.zone).is_none()
    {
        reader.refuse("Consent.dateTime", Reason::Date);
    }
    let patient = reader.reference(consent, "Consent", "patient", &["Patient"]);
    let performers = performers(consent, reader);
    policies(consent, reader);
    let (root, nested) = provisions(consent, reader)?;
    let patient = patient?.strip_prefix("Patient/")?.into();
    let id = consent.str("id").unwrap_or_default().into();
    let version = consent.at(&["meta", "versionId"]).and_then(Json::as_str).and_then(|text| text.parse().ok());
    Some(Policy { id, version: version.unwrap_or(0), patient, stance: None, performers, filer: None, root, nested })
}

fn performers(consent: &Json, reader: &mut Reader<'_>) -> Vec<Box<str>> {
    const PEOPLE: &[&str] = &["Patient", "RelatedPerson", "Practitioner", "Person"];
    let each = consent.list("performer").iter().enumerate();
    each.filter_map(|(at, performer)| reader.literal(performer, &format!("Consent.performer[{at}]"), PEOPLE)).collect()
}

/// `policy`: only URIs that are configured. One of `policy` and `policyRule` must be there (R4 ppc-1).
fn policies(consent: &Json, reader: &mut Reader<'_>) {
    for (at, policy) in consent.list("policy").iter().enumerate() {
        let path = format!("Consent.policy[{at}]");
        reader.only(policy, &path, &["id", "uri", "authority"]);
        match policy.str("uri") {
            Some(uri) if POLICIES.contains(&uri) => {}
            Some(_) => reader.refuse(&format!("{path}.uri"), Reason::Code),
            None => reader.refuse(&format!("{path}.uri"), Reason::Required),
        }
    }
    if consent.list("policy").is_empty() && consent.get("policyRule").is_none() {
        reader.refuse("Consent.policy", Reason::Required);
    }
}

/// The root and the exceptions in it. The root's own type stands; where it has
/// none, `policyRule` decides and every exception must be of the other type.
fn provisions(consent: &Json, reader: &mut Reader<'_>) -> Option<(Node, Vec<Node>)> {
    let nothing = Json::object::<&str>([]);
    let provision = consent.get("provision").unwrap_or(&nothing);
    let rule = policy_rule(consent, reader);
    let own = reader.effect(provision, "Consent.provision");
    let effect = match (own, provision.get("type"), rule) {
        (Some(own), ..) => Some(own),
        (None, None, Some(rule)) => Some(rule),
        (None, None, None) if consent.get("policyRule").is_none() => {
            reader.refuse("Consent.provision.type", Reason::Required);
            None
        }
        _ => None,
    };
    // A root whose type is not known is still read, so that all its faults are told at once.
    let root = node::root(provision, effect.unwrap_or(Effect::Deny), reader);
    let mut nested = Vec::new();
    for (at, exception) in provision.list("provision").iter().enumerate() {
        let path = format!("Consent.provision.provision[{at}]");
        let Some(inner) = node::exception(exception, &path, &root, reader) else { continue };
        if own.is_none() && Some(inner.effect) == effect {
            reader.refuse(&format!("{path}.type"), Reason::SameType);
        }
        nested.push(inner);
    }
    effect.map(|_| (root.node, nested))
}

const RULE_SYSTEM: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// `policyRule`: assent or dissent.
fn policy_rule(consent: &Json, reader: &mut Reader<'_>) -> Option<Effect> {
    let rule = consent.get("policyRule")?;
    let mut effects = Vec::new();
    for (path, coding) in reader.codings(rule, "Consent.policyRule", &[RULE_SYSTEM]) {
        match coding.str("code") {
            Some("OPTIN" | "OPTINR") => effects.push(Effect::Permit),
            Some("OPTOUT" | "OPTOUTE") => effects.push(Effect::Deny),
            _ => reader.refuse(&format!("{path}.code"), Reason::Code),
        }
    }
    let first = effects.first().copied();
    if effects.iter().any(|effect| Some(*effect) != first) {
        reader.refuse("Consent.policyRule", Reason::Code);
    }
    first
}
