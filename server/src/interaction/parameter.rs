//! A SearchParameter that is written defines what is indexed.
//!
//! It is stored as what it is, and beside it, in the same transaction, the
//! definition begins. It is about nobody, so only a custodian may write it
//! (`consent/write.rs`). Searches may ask for it when a reindex has brought the
//! records that were there up to it (`job/reindex.rs`).

use std::collections::BTreeSet;

use techo_profiles::definitions::SearchParameter;
use techo_profiles::json::Json;

use super::{Error, Issue};
use crate::app::App;
use crate::search::own::{self, Fault, OwnParameter};
use crate::store::write::{Extra, Put};

/// Refuses an active SearchParameter that nothing could be indexed by.
pub fn check(app: &App, kind: &str, id: &str, resource: &Json) -> Result<(), Error> {
    if kind != KIND || !is_active(resource) {
        return Ok(());
    }
    let parameter = own::read(app.definitions, resource).map_err(|fault| Error::Unprocessable(vec![told(&fault)]))?;
    free(app, &source(id), &parameter)
}

/// Refuses a name that another definition of this installation has, and too many of them.
pub fn free(app: &App, source: &str, parameter: &SearchParameter) -> Result<(), Error> {
    let catalog = app.catalog();
    let others: Vec<&OwnParameter> =
        catalog.own().iter().filter(|own| own.life.retired == i64::MAX && *own.source != *source).collect();
    if others.len() >= MOST {
        return Err(enough());
    }
    let types = parameter.types(app.definitions);
    let same = others.iter().filter(|own| own.definition.code == parameter.code);
    for own in same {
        if let Some(kind) = types.iter().find(|kind| !own.definition.expression_for(kind).is_empty()) {
            return Err(Error::Unprocessable(vec![told(&Fault::Taken((*kind).to_owned()))]));
        }
    }
    Ok(())
}

/// The same of what another put of the same set defines: the later of two would be
/// stored, and never be searched by.
pub fn beside(app: &App, puts: &[Put], put: &Put) -> Result<(), Error> {
    let number = app.definitions.type_number(KIND).unwrap_or(0);
    if put.kind != number {
        return Ok(());
    }
    let Some(new) = defined(app, put) else { return Ok(()) };
    let others = puts.iter().filter(|other| other.kind == number && other.rid != put.rid);
    let others: Vec<(String, SearchParameter)> =
        others.filter_map(|other| Some((source(&other.id), defined(app, other)?))).collect();
    let types = new.types(app.definitions);
    for (_, other) in others.iter().filter(|(_, other)| other.code == new.code) {
        if let Some(kind) = types.iter().find(|kind| !other.expression_for(kind).is_empty()) {
            return Err(Error::Unprocessable(vec![told(&Fault::Taken((*kind).to_owned()))]));
        }
    }
    let catalog = app.catalog();
    let live = catalog.own().iter().filter(|own| own.life.retired == i64::MAX).map(|own| own.source.to_string());
    let mut sources: BTreeSet<String> = live.chain(others.into_iter().map(|(source, _)| source)).collect();
    sources.remove(&source(&put.id));
    if sources.len() < MOST { Ok(()) } else { Err(enough()) }
}

/// What a put defines, if it is a definition in force.
fn defined(app: &App, put: &Put) -> Option<SearchParameter> {
    let body = put.body.as_ref().filter(|_| !put.method.deletes())?;
    let resource = super::plan::parse(&body.bytes).ok().filter(is_active)?;
    own::read(app.definitions, &resource).ok()
}

fn enough() -> Error {
    Error::Unprocessable(vec![Issue::error(
        "too-costly",
        format!("There are {MOST} search parameters of this server's own already."),
        format!("独自の検索パラメーターは {MOST} 件までです。"),
    )])
}

/// What a write of definitions changes in the definitions.
pub fn changes(app: &App, puts: &[Put]) -> Result<Vec<Extra>, Error> {
    let number = app.definitions.type_number(KIND).unwrap_or(0);
    let catalog = app.catalog();
    let mut extras = Vec::new();
    for put in puts.iter().filter(|put| put.kind == number) {
        let source = source(&put.id);
        let live = catalog.own().iter().rev().find(|own| own.life.retired == i64::MAX && *own.source == *source);
        let body = put.body.as_ref().filter(|_| !put.method.deletes());
        let resource = body.map(|body| super::plan::parse(&body.bytes)).transpose()?.filter(is_active);
        let text = resource.as_ref().map(own::text);
        // What indexes the same goes on.
        if text.as_deref() != live.map(|own| &*own.text) {
            extras.extend(app.store.define(&source, text.as_deref()));
        }
    }
    Ok(extras)
}

fn source(id: &str) -> String {
    format!("{KIND}/{id}")
}

fn is_active(resource: &Json) -> bool {
    resource.str("status") == Some("active")
}

/// A fault, for the author of the definition.
pub fn told(fault: &Fault) -> Issue {
    let at = |element: &str| format!("{KIND}.{element}");
    match fault {
        Fault::Element(element) => Issue::error(
            "value",
            format!("The element {element} is missing, or means nothing for this definition."),
            format!("{element} がないか、この定義では意味を持ちません。"),
        )
        .at(at(element)),
        Fault::Kind => Issue::error(
            "not-supported",
            "A definition of one's own cannot be of type special.",
            "独自の検索パラメーターに special は使えません。",
        )
        .at(at("type")),
        Fault::Code => Issue::error(
            "value",
            "A code has up to 64 letters, digits, '-' and '_', and does not begin with '_'.",
            "code は英数字と - _ の 64 文字以内で、_ で始めないでください。",
        )
        .at(at("code")),
        Fault::Taken(kind) => Issue::error(
            "duplicate",
            format!("{kind} has a search parameter of this code already."),
            format!("{kind} には同じ code の検索パラメーターが既にあります。"),
        )
        .at(at("code")),
        Fault::Path(error) => {
            Issue::error("invalid", error.to_string(), format!("{}。", error.japanese())).at(at("expression"))
        }
        Fault::Type { kind, found } => Issue::error(
            "invalid",
            format!("A parameter of type {kind} does not search {found}."),
            format!("{kind} のパラメーターでは {found} を検索できません。"),
        )
        .at(at("expression")),
        Fault::Component(number, None) => Issue::error(
            "not-found",
            "The definition of this component is no search parameter of R4.",
            "component の definition が R4 の検索パラメーターではありません。",
        )
        .at(at(&format!("component[{number}].definition"))),
        Fault::Component(number, Some(error)) => {
            Issue::error("invalid", error.to_string(), format!("{}。", error.japanese()))
                .at(at(&format!("component[{number}].expression")))
        }
    }
}

const KIND: &str = "SearchParameter";
/// Definitions of one's own that may stand at a time: each costs every write of its types.
const MOST: usize = 64;
