//! What a resource contains, as far as it refers to what is hidden, itself or by something
//! else that is contained: the `display` of a reference to it (`#p`) names that.

use std::collections::HashMap;

use techo_profiles::json::Json;

use super::{CONTAINED, place, target};
use crate::consent::subject::local;

/// Of what is contained, that which leads to a hidden place: by its id, such a place.
pub(super) struct Inner<'j> {
    places: HashMap<&'j str, (&'j str, &'j str)>,
    /// Type and id of what contains it, and the base: it may name its parts by them too.
    own: Option<(&'j str, &'j str)>,
    base: String,
}

impl<'j> Inner<'j> {
    /// * `hidden`: of a type and an id.
    pub(super) fn of(resource: &'j Json, base: &str, hidden: &dyn Fn(&str, &str) -> bool) -> Self {
        let own = resource.str("resourceType").zip(resource.str("id"));
        let mut found = Self { places: HashMap::new(), own, base: base.to_owned() };
        // What refers to each, so that one which leads to a hidden place is gone back from.
        let mut referring: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut open = Vec::new();
        for one in resource.list(CONTAINED) {
            let Some(id) = one.str("id") else { continue };
            each(one, &mut |json| {
                if let Some(place) = place(json, base).filter(|(kind, id)| hidden(kind, id)) {
                    open.push((id, place));
                } else if let Some(part) = found.part(json) {
                    referring.entry(part).or_default().push(id);
                }
            });
        }
        while let Some((id, place)) = open.pop() {
            if found.places.insert(id, place).is_none() {
                open.extend(referring.remove(id).into_iter().flatten().map(|from| (from, place)));
            }
        }
        found
    }

    /// The hidden place to which what an element refers to leads.
    pub(super) fn place(&self, json: &Json) -> Option<(&'j str, &'j str)> {
        if self.places.is_empty() {
            return None;
        }
        self.places.get(self.part(json)?).copied()
    }

    /// The contained resource that an element refers to.
    fn part<'t>(&self, json: &'t Json) -> Option<&'t str> {
        let (holder, part) = target(json)?.split_once('#')?;
        (holder.is_empty() || self.own.is_some() && local(holder, &self.base) == self.own).then_some(part)
    }
}

fn each<'j>(json: &'j Json, ask: &mut dyn FnMut(&'j Json)) {
    ask(json);
    json.items().iter().for_each(|item| each(item, ask));
    json.members().iter().for_each(|member| each(&member.value, ask));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_contained_leads_where_it_refers_to() {
        let text = r##"{"resourceType":"Observation","id":"o","contained":[
            {"resourceType":"RelatedPerson","id":"direct","patient":{"reference":"Patient/hidden"}},
            {"resourceType":"RelatedPerson","id":"open","patient":{"reference":"Patient/open"}},
            {"resourceType":"Group","id":"one","member":[{"entity":{"reference":"#two"}}]},
            {"resourceType":"Group","id":"two","member":[{"entity":{"reference":"#one"}},{"entity":{"reference":"Observation/o#direct"}}]},
            {"resourceType":"Group","id":"holder","member":[{"entity":{"reference":"#"}},{"entity":{"reference":"#open"}}]}]}"##;
        let resource = Json::parse(text.as_bytes()).expect("JSON");
        let inner = Inner::of(&resource, "https://own.example/fhir", &|_, id| id == "hidden");
        for (reference, leads) in [
            ("#direct", true),
            ("Observation/o#direct", true),
            ("https://own.example/fhir/Observation/o/_history/2#direct", true),
            ("Observation/other#direct", false),
            ("#one", true),
            ("#two", true),
            ("#open", false),
            ("#holder", false),
            ("#", false),
            ("#nothing", false),
        ] {
            let json = Json::object([("reference", Json::from(reference))]);
            assert_eq!(inner.place(&json), leads.then_some(("Patient", "hidden")), "{reference}");
        }
    }
}
