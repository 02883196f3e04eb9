//! What the CapabilityStatement claims of this installation's search parameters:
//! those that are ready, beside R4's.

use techo_profiles::definitions::ParameterKind;
use techo_profiles::json;
use techo_profiles::json::Json;

use super::capabilities::READ_ONLY;
use crate::search::catalog::Catalog;
use crate::search::own::OwnParameter;
use crate::search::reach::brought;

/// The statement with them in.
pub fn claimed(mut statement: Json, catalog: &Catalog) -> Json {
    let definitions = catalog.definitions();
    let ready = |own: &&OwnParameter| own.life.is_ready() && own.life.retired == i64::MAX;
    for own in catalog.own().iter().filter(ready) {
        let types = own.definition.types(definitions);
        for resource in resources(&mut statement) {
            let kind = resource.str("type").unwrap_or_default().to_owned();
            let code = own.definition.code.as_str();
            if READ_ONLY.contains(&kind.as_str()) {
                continue;
            }
            let reference = own.definition.kind == ParameterKind::Reference;
            let number = definitions.type_number(&kind);
            let leads = |source: &str, to: &dyn Fn(&[u16]) -> bool| {
                brought(definitions, source, &own.definition).as_deref().is_none_or(to)
            };
            if types.contains(&kind.as_str()) {
                let (url, name) = (own.definition.url.as_str(), own.definition.kind.name());
                add(resource, "searchParam", json!({"name": code, "definition": url, "type": name}));
                if reference && leads(&kind, &|reach| !reach.is_empty()) {
                    add(resource, "searchInclude", Json::from(format!("{kind}:{code}")));
                }
            }
            for source in types.iter().filter(|_| reference) {
                if leads(source, &|reach| number.is_some_and(|number| reach.contains(&number))) {
                    add(resource, "searchRevInclude", Json::from(format!("{source}:{code}")));
                }
            }
        }
    }
    statement
}

fn resources(statement: &mut Json) -> &mut [Json] {
    let rest = statement.get_mut("rest").map(Json::items_mut).and_then(<[Json]>::first_mut);
    rest.and_then(|rest| rest.get_mut("resource")).map_or(&mut [], Json::items_mut)
}

fn add(resource: &mut Json, name: &str, item: Json) {
    match resource.get_mut(name) {
        Some(list) => list.push(item),
        None => resource.set(name, Json::array([item])),
    }
}
