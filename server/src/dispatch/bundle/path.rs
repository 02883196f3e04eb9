//! What the URL of an entry asks for, where it does not name what is written.
//!
//! All that a `GET` may ask of the server it may ask in a Bundle: reads, searches of a
//! type, of several and in a compartment, histories, operations, what the server does.
//! Operations come by `POST` too, with their Parameters as the resource.
//!
//! Source: FHIR R4 http.html#transaction, operations.html

use techo_profiles::Definitions;

use super::entry::{fault, not_here};
use crate::interaction::expected;
use crate::interaction::query;
use crate::interaction::{Error, Ground, Interaction, Invocation, Issue, Known, Location, Past, Target};
use crate::operation;
use crate::search::shape::Shape;

/// What a `GET` asks for.
///
/// * `path`: below the base, without slashes around it.
pub(super) fn asked(path: &str, query: &str, known: Known) -> Result<Interaction, Error> {
    let owned = |text: &str| text.to_owned();
    let at = |kind: &str, id: &str| Location::named(owned(kind), owned(id));
    let parts: Vec<&str> = path.split('/').collect();
    if let Some(interaction) = operation(&parts, query, None)? {
        return Ok(interaction);
    }
    match parts[..] {
        [.., "_search"] => Err(by_get()),
        [""] => Ok(Interaction::Search(Ground::Types, pairs(query)?)),
        ["metadata"] => Ok(Interaction::Capabilities(pairs(query)?)),
        ["_history"] => Ok(Interaction::History(Past::System, pairs(query)?)),
        [kind] => Ok(Interaction::Search(Ground::Type(owned(kind)), pairs(query)?)),
        [kind, "_history"] => Ok(Interaction::History(Past::Type(owned(kind)), pairs(query)?)),
        [kind, id] => Ok(Interaction::Read(at(kind, id)?, known, shape(kind, query)?)),
        [kind, id, "_history"] => Ok(Interaction::History(Past::Instance(at(kind, id)?), pairs(query)?)),
        [kind, id, member] => {
            Ok(Interaction::Search(Ground::compartment(owned(kind), owned(id), owned(member))?, pairs(query)?))
        }
        [kind, id, "_history", version] => {
            // A version that is written otherwise was never given: it is not there.
            let version = expected::version(version).ok_or(Error::NotFound)?;
            Ok(Interaction::Vread(at(kind, id)?, version, shape(kind, query)?))
        }
        _ => Err(not_here()),
    }
}

/// The operation that a `POST` asks for; `None` where it creates.
///
/// * `body`: the text of the entry's resource; empty without one.
pub(super) fn posted(path: &str, query: &str, body: &[u8]) -> Result<Option<Interaction>, Error> {
    let parts: Vec<&str> = path.split('/').collect();
    if parts.last() == Some(&"_search") {
        return Err(by_get());
    }
    operation(&parts, query, Some(body))
}

/// * `body`: of a `POST`.
fn operation(parts: &[&str], query: &str, body: Option<&[u8]>) -> Result<Option<Interaction>, Error> {
    let at = |kind: &str, id: &str| Location::named(kind.to_owned(), id.to_owned());
    let Some((name, of)) = parts.split_last().and_then(|(last, of)| Some((last.strip_prefix('$')?, of))) else {
        return Ok(None);
    };
    let on = match *of {
        [] => Target::System,
        [kind] => Target::Type(kind.to_owned()),
        [kind, id] => Target::Instance(at(kind, id)?),
        [kind, id, "_history", version] => {
            Target::Version(at(kind, id)?, expected::version(version).ok_or(Error::NotFound)?)
        }
        _ => return Err(not_here()),
    };
    let media = if body.is_some_and(|body| !body.is_empty()) { "application/fhir+json" } else { "" };
    Ok(Some(Interaction::Operation(Invocation {
        name: name.to_owned(),
        on,
        post: body.is_some(),
        query: pairs(query)?,
        body: body.unwrap_or_default().to_vec(),
        media: media.to_owned(),
        file_name: None,
    })))
}

/// The resource that an interaction is asked of.
pub(super) fn about(interaction: &Interaction) -> Option<&Location> {
    match interaction {
        Interaction::Read(at, ..) | Interaction::Vread(at, ..) | Interaction::History(Past::Instance(at), _) => {
            Some(at)
        }
        Interaction::Search(Ground::Compartment(at, _), _) => Some(at),
        Interaction::Operation(asked) => match &asked.on {
            Target::Instance(at) | Target::Version(at, _) => Some(at),
            Target::System | Target::Type(_) => None,
        },
        _ => None,
    }
}

/// Refuses in a transaction an operation that writes by itself: it could not be undone
/// with the rest.
pub(super) fn undone(interaction: &Interaction) -> Result<(), Error> {
    let Interaction::Operation(asked) = interaction else { return Ok(()) };
    if operation::find(&asked.name, &asked.on).is_none_or(|operation| !operation.changes) {
        return Ok(());
    }
    Err(Error::Invalid(vec![
        Issue::error(
            "not-supported",
            format!("${} changes what is stored, and is not undone with a transaction. Ask for it by itself, or in a batch.", asked.name),
            format!("${} は保存内容を変更し、transaction では取り消せません。単独または batch で要求してください。", asked.name),
        )
        .at("request.url"),
    ]))
}

fn shape(kind: &str, query: &str) -> Result<Shape, Error> {
    Shape::asked(Definitions::embedded(), kind, &pairs(query)?).map_err(Error::from)
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, Error> {
    query::pairs(query).map_err(|misread| Error::Invalid(vec![misread.at("request.url")]))
}

fn by_get() -> Error {
    fault(
        "In a Bundle a search is asked for by GET: its form has no place in an entry.",
        "Bundle の中の検索は GET で要求してください。entry にはフォームを入れられません。",
        "request.url",
    )
}
