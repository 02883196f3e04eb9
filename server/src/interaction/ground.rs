//! Where a search is asked: of one type, of several, or in a compartment.
//!
//! A compartment is a condition more, never a door: its members are found through
//! the caller's view like any others. So the compartment of a resource that is
//! hidden is empty, as is that of one that never was.
//!
//! Source: FHIR R4 http.html#search, compartmentdefinition.html

use techo_profiles::Definitions;
use techo_profiles::definitions::Compartment;
use techo_profiles::path::Model;

use super::{Call, Error, Issue, Location};
use crate::consent::caller::Action;
use crate::search::catalog::Catalog;
use crate::search::contained::{self, Which};
use crate::search::plan::{Filter, Plan};
use crate::search::row::ParamKey;
use crate::search::{Reason, SearchError};

/// Where a search is asked.
#[derive(Clone, Debug)]
pub enum Ground {
    /// `[type]?…`
    Type(String),
    /// `[base]?_type=…`, or all types: `[base]?…`
    Types,
    /// `[type]/[id]/[type]?…`, or `[type]/[id]/*?…`
    Compartment(Location, String),
}

impl Ground {
    /// A compartment, if there is one of that type; a member that is no type names nothing.
    pub fn compartment(kind: String, id: String, member: String) -> Result<Self, Error> {
        let definitions = Definitions::embedded();
        let known = member == "*" || definitions.type_number(&member).is_some();
        if !known || definitions.compartment(&kind).is_none() {
            return Err(Error::UnknownType(format!("{kind}/[id]/{member}")));
        }
        Location::named(kind, id).map(|at| Self::Compartment(at, member))
    }

    /// Whether it is of `AuditEvent`s alone, of all or about one Patient: they are rendered
    /// from the log, and no other record is asked.
    pub(super) fn is_audit(&self) -> bool {
        match self {
            Self::Type(kind) => kind == "AuditEvent",
            Self::Compartment(at, kind) => kind == "AuditEvent" && at.kind == "Patient",
            Self::Types => false,
        }
    }

    /// The path below the base.
    pub fn path(&self) -> String {
        match self {
            Self::Type(kind) => kind.clone(),
            Self::Types => String::new(),
            Self::Compartment(at, kind) => format!("{}/{kind}", at.reference()),
        }
    }

    pub(super) fn url(&self, base: &str) -> String {
        match self {
            Self::Types => base.to_owned(),
            Self::Type(_) | Self::Compartment(..) => format!("{base}/{}", self.path()),
        }
    }

    /// The types that are searched.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for a type that is named and that the token's scopes
    /// never allow; [`Error::Search`] about `_type`.
    pub(super) fn kinds(&self, call: &Call<'_>, query: &[(String, String)]) -> Result<Vec<String>, Error> {
        let named = match self {
            Self::Type(kind) => {
                call.may(Action::Search, kind)?;
                return Ok(vec![kind.clone()]);
            }
            Self::Compartment(_, kind) if kind != "*" => Some(vec![kind.clone()]),
            Self::Compartment(..) => named(call, query)?,
            Self::Types => match named(call, query)? {
                Some(named) => Some(named),
                None => return everywhere(call, query),
            },
        };
        if let Some(named) = &named {
            named.iter().try_for_each(|kind| searched(call, kind))?;
        }
        let Self::Compartment(at, _) = self else { return Ok(named.unwrap_or_default()) };
        let compartment = call.definitions.compartment(&at.kind).ok_or_else(|| Error::UnknownType(self.path()))?;
        if let Some(named) = named {
            named.iter().try_for_each(|kind| is_in(compartment, kind))?;
            return Ok(named);
        }
        let members = compartment.members.keys().filter(|kind| searched(call, kind).is_ok());
        let members: Vec<String> = members.cloned().collect();
        if members.is_empty() {
            // Nothing at all is allowed: said of what is asked first.
            call.may(Action::Search, &at.kind)?;
        }
        Ok(members)
    }

    /// The plans of a query, one a type.
    pub(super) async fn plans(
        &self,
        call: &Call<'_>,
        kinds: &[String],
        query: &[(String, String)],
    ) -> Result<Vec<Plan>, Error> {
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        if matches!(self, Self::Type(_)) || matches!(self, Self::Compartment(_, kind) if kind != "*") {
            let mut plans = call.plans(&kinds, query).await?;
            self.within(call, &mut plans);
            return Ok(plans);
        }
        let (types, rest): (Vec<_>, Vec<_>) = query.iter().cloned().partition(|(name, _)| name == "_type");
        let everywhere = matches!(self, Self::Types) && types.is_empty();
        let mut plans =
            call.plans(&kinds, &rest).await.map_err(|error| if everywhere { of_all(error) } else { error })?;
        if let Some(first) = plans.first_mut() {
            if everywhere {
                first.ignored.iter_mut().for_each(not_of_all);
            }
            first.used.extend(types.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())));
        }
        self.within(call, &mut plans);
        Ok(plans)
    }

    /// Adds the condition of a compartment.
    fn within(&self, call: &Call<'_>, plans: &mut [Plan]) {
        let Self::Compartment(at, _) = self else { return };
        let number = |name: &str| call.definitions.type_number(name).unwrap_or(0);
        let members = call.definitions.compartment(&at.kind).map(|compartment| &compartment.members);
        for plan in plans {
            let codes = members.and_then(|members| members.get(&*plan.resource_type));
            let index = Catalog::of(call.definitions).of_type(&plan.resource_type);
            let key = |code: &String| Some(index?.parameter(code)?.key.clone());
            let params: Vec<ParamKey> = codes.into_iter().flatten().filter_map(key).collect();
            let kind = number(&at.kind);
            plan.filters.push(match plan.contained.which {
                Which::Records => {
                    Filter::Compartment { of: number(&plan.resource_type), kind, id: at.id.as_str().into(), params }
                }
                Which::Held | Which::Both => contained::member(kind, &at.id, &params),
            });
        }
    }
}

/// The types of `_type`, each once; `None` if it is not there.
fn named(call: &Call<'_>, query: &[(String, String)]) -> Result<Option<Vec<String>>, Error> {
    let mut values = query.iter().filter(|(name, _)| name == "_type").map(|(_, value)| value);
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = |reason| Error::from(SearchError::new("_type", reason));
    if values.next().is_some() {
        return Err(wrong(Reason::Repeated));
    }
    let mut kinds: Vec<String> = Vec::new();
    for kind in value.split(',') {
        if call.definitions.type_number(kind).is_none() {
            let shown: String = kind.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
            return Err(wrong(Reason::NoType { name: shown.into() }));
        }
        if !kinds.iter().any(|known| known == kind) {
            kinds.push(kind.to_owned());
        }
    }
    Ok(Some(kinds))
}

/// All types that the caller may search.
///
/// What asks for words of the narrative asks it of the types that have one. A search that
/// says nothing at all is refused: who means everything can say so.
fn everywhere(call: &Call<'_>, query: &[(String, String)]) -> Result<Vec<String>, Error> {
    if query.iter().all(|(name, _)| matches!(&**name, "_format" | "_pretty")) {
        return Err(no_types());
    }
    let all = call.definitions.resource_types().iter().filter(|kind| searched(call, kind).is_ok());
    let all: Vec<String> = all.map(ToString::to_string).collect();
    if all.is_empty() {
        call.may(Action::Search, "Resource")?;
        return Err(no_types());
    }
    let narrated = || all.iter().filter(|kind| call.definitions.is_a(kind, "DomainResource")).cloned().collect();
    let told: Vec<String> = if query.iter().any(|(name, _)| name == "_text") { narrated() } else { Vec::new() };
    Ok(if told.is_empty() { all } else { told })
}

/// A parameter that one type does not have, in a search of all of them.
fn of_all(error: Error) -> Error {
    let Error::Search(mut errors) = error else { return error };
    errors.iter_mut().for_each(not_of_all);
    Error::Search(errors)
}

fn not_of_all(error: &mut SearchError) {
    if matches!(error.reason, Reason::Unknown { .. }) {
        error.reason = Reason::NotOfAll;
    }
}

/// Whether a type can be searched together with others.
fn searched(call: &Call<'_>, kind: &str) -> Result<(), Error> {
    call.may(Action::Search, kind)?;
    if kind != "AuditEvent" {
        return Ok(());
    }
    // These are rendered from the log, and are no rows beside others.
    Err(SearchError::new("_type", Reason::AuditBeside).into())
}

fn is_in(compartment: &Compartment, kind: &str) -> Result<(), Error> {
    if compartment.members.contains_key(kind) {
        return Ok(());
    }
    let of = &compartment.code;
    Err(Error::Invalid(vec![
        Issue::error(
            "not-supported",
            format!("{kind} is not in the compartment of a {of}; see CompartmentDefinition {of}."),
            format!("{kind} は {of} のコンパートメントに含まれません(CompartmentDefinition を参照)。"),
        )
        .at("_type"),
    ]))
}

fn no_types() -> Error {
    Error::Invalid(vec![
        Issue::error(
            "required",
            "Say which types to search (_type=Observation,Condition), or what to search for in all of them.",
            "検索する種別(_type=Observation,Condition など)、または全種別に共通する条件を指定してください。",
        )
        .at("_type"),
    ])
}
