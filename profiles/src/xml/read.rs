//! FHIR XML → [`Json`], along the rules of each type.

use smol_str::SmolStr;

use super::scan::{Attribute, Event, Scanner, Tag};
use super::text::is_space;
use super::{FHIR, Fault, XHTML, XSI, XmlError, div};
use crate::definitions::Definitions;
use crate::json::{Json, MAX_DEPTH, Member};
use crate::primitive::{JsonKind, Primitive};
use crate::validate::{Content, Node, Rules, Slot, Trail, TypeRules, is_near};

/// Reads one resource, the whole of `text`.
///
/// Members come in the order of the definitions, a primitive's id and extensions
/// right behind its value. Every value has the span where it stood in the XML.
///
/// # Errors
/// [`XmlError`] names the first fault and where it is.
pub fn read(definitions: &Definitions, text: &[u8]) -> Result<Json, XmlError> {
    let mut reader = Reader { definitions, rules: definitions.rules(), scanner: Scanner::new(text)? };
    let root = reader.child("a resource", "リソース")?;
    let resource = reader.resource(&root, &Trail::root(), 0)?;
    match reader.scanner.next()? {
        Event::End => Ok(resource),
        // The scanner lets nothing else stand behind the root.
        Event::Open(_) | Event::Close(_) | Event::Text { .. } => Err(XmlError::new(Fault::Truncated, text.len())),
    }
}

/// The namespace and the name of the outermost element; `None` where there is none that can
/// be read. What follows is not looked at.
pub fn root(text: &[u8]) -> Option<(String, String)> {
    match Scanner::new(text).ok()?.next().ok()? {
        Event::Open(tag) => Some((tag.space.into_owned(), tag.name.to_owned())),
        Event::Close(_) | Event::Text { .. } | Event::End => None,
    }
}

struct Reader<'d, 'a> {
    definitions: &'d Definitions,
    rules: &'d Rules,
    scanner: Scanner<'a>,
}

/// Where an object is: the types by whose rules it goes, and which of their nodes.
#[derive(Clone, Copy)]
struct Place<'d> {
    types: &'d TypeRules,
    node: &'d Node,
}

/// What was read of one object.
struct Found<'d> {
    place: Place<'d>,
    /// The JSON name of each slot that stands, in order, with its items.
    fields: Vec<Field<'d>>,
}

/// One element with its repetitions.
struct Field<'d> {
    slot: &'d Slot,
    name: SmolStr,
    /// Of each repetition the value, and what stands beside it.
    items: Vec<(Option<Json>, Option<Json>)>,
    at: usize,
}

impl<'d, 'a> Reader<'d, 'a> {
    /// The next start tag; white space before it is passed over.
    fn child(&mut self, wanted: &'static str, wanted_ja: &'static str) -> Result<Tag<'a>, XmlError> {
        loop {
            match self.scanner.next()? {
                Event::Open(tag) => return Ok(tag),
                Event::Text { raw, at, .. } => blank(raw, at)?,
                Event::Close(span) => return Err(XmlError::new(Fault::Syntax(wanted, wanted_ja), span.start)),
                Event::End => return Err(XmlError::new(Fault::Truncated, self.scanner.source().len())),
            }
        }
    }

    /// A resource, whatever its type.
    fn resource(&mut self, tag: &Tag<'a>, trail: &Trail<'_>, depth: usize) -> Result<Json, XmlError> {
        in_fhir(tag).map_err(|error| placed(error, trail))?;
        let Some(types) = self.rules.resource(self.definitions, tag.name) else {
            return Err(placed(XmlError::new(Fault::UnknownResource(tag.name.into()), tag.span.start), trail));
        };
        let trail = trail.typed(&types.name);
        let own = tag.attributes.iter().find(|attribute| attribute.space != XSI || depth > 0);
        if let Some(own) = own {
            return Err(placed(unknown_attribute(own), &trail));
        }
        let place = Place { types, node: types.root() };
        let (members, end) = self.content(place, tag, &[], &trail, depth)?;
        let kind = Json::from(tag.name).placed(tag.span.clone());
        let mut all = vec![Member { name: "resourceType".into(), value: kind, name_at: 0 }];
        all.extend(members);
        Ok(Json::of_members(all).placed(tag.span.start..end))
    }

    /// What stands between the tags of an object, and where it ends.
    fn content(
        &mut self,
        place: Place<'d>,
        tag: &Tag<'a>,
        attributes: &[&Attribute<'a>],
        trail: &Trail<'_>,
        depth: usize,
    ) -> Result<(Vec<Member>, usize), XmlError> {
        if depth >= MAX_DEPTH {
            return Err(placed(XmlError::new(Fault::TooDeep, tag.span.start), trail));
        }
        let mut found = Found { place, fields: Vec::new() };
        for attribute in attributes {
            found.attribute(attribute, trail)?;
        }
        let mut last = None;
        loop {
            match self.scanner.next().map_err(|error| placed(error, trail))? {
                Event::Text { raw, at, .. } => blank(raw, at).map_err(|error| placed(error, trail))?,
                Event::Open(child) => {
                    let slot = found.slot(&child, &mut last, trail)?;
                    self.element(&mut found, slot, &child, trail, depth)?;
                }
                Event::Close(span) => return Ok((found.members(), span.end)),
                Event::End => return Err(XmlError::new(Fault::Truncated, self.scanner.source().len())),
            }
        }
    }

    /// One child element.
    fn element(
        &mut self,
        found: &mut Found<'d>,
        slot: &'d Slot,
        tag: &Tag<'a>,
        trail: &Trail<'_>,
        depth: usize,
    ) -> Result<(), XmlError> {
        let place = found.place;
        let element = &place.node.elements[slot.element];
        let named =
            if element.is_choice { trail.choice(&element.name, &slot.type_name) } else { trail.name(&element.name) };
        let index =
            found.fields.last().filter(|field| std::ptr::eq(field.slot, slot)).map_or(0, |field| field.items.len());
        let indexed = named.index(index);
        let trail = if element.is_list { &indexed } else { &named };
        let depth = depth + 1 + usize::from(element.is_list);
        let item = match slot.content {
            Content::Primitive(Primitive::Xhtml) => {
                let text = div::read(&mut self.scanner, tag).map_err(|error| placed(error, trail))?;
                (Some(Json::from(text).placed(tag.span.clone())), None)
            }
            Content::Primitive(primitive) => self.primitive(primitive, tag, trail, depth)?,
            Content::Resource => (Some(self.nested(tag, trail, depth)?), None),
            Content::Type(position) => {
                let types = self.rules.at(self.definitions, position);
                (Some(self.object(Place { types, node: types.root() }, tag, trail, depth)?), None)
            }
            Content::Node(position) => {
                let inner = Place { types: place.types, node: place.types.node(position) };
                (Some(self.object(inner, tag, trail, depth)?), None)
            }
        };
        found.put(slot, tag.name, tag.span.start, item);
        Ok(())
    }

    fn object(&mut self, place: Place<'d>, tag: &Tag<'a>, trail: &Trail<'_>, depth: usize) -> Result<Json, XmlError> {
        let attributes: Vec<_> = tag.attributes.iter().collect();
        let (members, end) = self.content(place, tag, &attributes, trail, depth)?;
        if members.is_empty() {
            return Err(placed(XmlError::new(Fault::Empty, tag.span.start), trail));
        }
        Ok(Json::of_members(members).placed(tag.span.start..end))
    }

    /// `<contained><Patient>…</Patient></contained>`
    fn nested(&mut self, tag: &Tag<'a>, trail: &Trail<'_>, depth: usize) -> Result<Json, XmlError> {
        if let Some(stray) = tag.attributes.first() {
            return Err(placed(unknown_attribute(stray), trail));
        }
        let one = |at| placed(XmlError::new(Fault::OneResource, at), trail);
        let child = self.child("a resource", "リソース").map_err(|error| match error.fault {
            Fault::Syntax(..) => one(tag.span.start),
            _ => placed(error, trail),
        })?;
        let resource = self.resource(&child, trail, depth)?;
        loop {
            match self.scanner.next().map_err(|error| placed(error, trail))? {
                Event::Close(_) => return Ok(resource),
                Event::Text { raw, at, .. } => blank(raw, at).map_err(|error| placed(error, trail))?,
                Event::Open(other) => return Err(one(other.span.start)),
                Event::End => return Err(XmlError::new(Fault::Truncated, self.scanner.source().len())),
            }
        }
    }

    /// `<birthDate value="…"/>` → the value, and its id and extensions.
    fn primitive(
        &mut self,
        primitive: Primitive,
        tag: &Tag<'a>,
        trail: &Trail<'_>,
        depth: usize,
    ) -> Result<(Option<Json>, Option<Json>), XmlError> {
        let is_value = |attribute: &&Attribute<'_>| attribute.full_name == "value";
        let value = match tag.attributes.iter().find(is_value) {
            Some(given) => Some(of_text(primitive, &given.value, given.at).map_err(|error| placed(error, trail))?),
            None => None,
        };
        let others: Vec<_> = tag.attributes.iter().filter(|attribute| !is_value(attribute)).collect();
        let types = self.rules.beside(self.definitions);
        let (members, end) = self.content(Place { types, node: types.root() }, tag, &others, trail, depth)?;
        if value.is_none() && members.is_empty() {
            return Err(placed(XmlError::new(Fault::Empty, tag.span.start), trail));
        }
        let beside = (!members.is_empty()).then(|| Json::of_members(members).placed(tag.span.start..end));
        Ok((value, beside))
    }
}

impl<'d> Found<'d> {
    /// Takes up an attribute: `id`, or `url` of an extension.
    fn attribute(&mut self, attribute: &Attribute<'_>, trail: &Trail<'_>) -> Result<(), XmlError> {
        let slot = self.place.node.slot(attribute.name).filter(|_| attribute.space.is_empty());
        let Some(slot) = slot else { return Err(placed(unknown_attribute(attribute), trail)) };
        let element = &self.place.node.elements[slot.element];
        let trail = trail.name(&element.name);
        let Content::Primitive(primitive) = slot.content else {
            return Err(placed(XmlError::new(Fault::WrongForm { attribute: false }, attribute.at), &trail));
        };
        if !element.is_attribute {
            return Err(placed(XmlError::new(Fault::WrongForm { attribute: false }, attribute.at), &trail));
        }
        let value = of_text(primitive, &attribute.value, attribute.at).map_err(|error| placed(error, &trail))?;
        self.put(slot, attribute.name, attribute.at, (Some(value), None));
        Ok(())
    }

    /// What a child element stands for; refused where it may not stand.
    ///
    /// * `last`: the slot before it.
    fn slot(&self, tag: &Tag<'_>, last: &mut Option<&'d Slot>, trail: &Trail<'_>) -> Result<&'d Slot, XmlError> {
        let fail = |fault| Err(placed(XmlError::new(fault, tag.span.start), trail));
        let Some(slot) = self.place.node.slot(tag.name) else {
            in_fhir(tag).map_err(|error| placed(error, trail))?;
            let near = self.place.node.names().find(|other| is_near(tag.name, other)).map(Into::into);
            return fail(Fault::UnknownElement { name: tag.name.into(), near });
        };
        if !matches!(slot.content, Content::Primitive(Primitive::Xhtml)) {
            in_fhir(tag).map_err(|error| placed(error, trail))?;
        } else if tag.space != XHTML {
            return fail(Fault::Namespace { wanted: XHTML });
        }
        let element = &self.place.node.elements[slot.element];
        let trail = trail.name(&element.name);
        let fail = |fault| Err(placed(XmlError::new(fault, tag.span.start), &trail));
        if element.is_attribute {
            return fail(Fault::WrongForm { attribute: true });
        }
        if let Some(before) = *last {
            if before.element > slot.element {
                let after = self.place.node.elements[before.element].name.clone();
                return fail(Fault::Order { after });
            }
            if before.element == slot.element && !element.is_list {
                return fail(Fault::Twice);
            }
        }
        *last = Some(slot);
        Ok(slot)
    }

    fn put(&mut self, slot: &'d Slot, name: &str, at: usize, item: (Option<Json>, Option<Json>)) {
        match self.fields.last_mut() {
            Some(field) if std::ptr::eq(field.slot, slot) => field.items.push(item),
            _ => self.fields.push(Field { slot, name: name.into(), items: vec![item], at }),
        }
    }

    fn members(mut self) -> Vec<Member> {
        // Attributes were read first, wherever their element stands.
        self.fields.sort_by_key(|field| field.slot.element);
        let mut members = Vec::with_capacity(self.fields.len() + 1);
        for field in self.fields {
            let name_at = u32::try_from(field.at).unwrap_or(u32::MAX);
            let is_list = self.place.node.elements[field.slot.element].is_list;
            let span = field.at..field.at;
            let (values, beside): (Vec<_>, Vec<_>) = field.items.into_iter().unzip();
            let beside_name = SmolStr::from(format!("_{}", field.name));
            for (name, items) in [(field.name, values), (beside_name, beside)] {
                if let Some(value) = joined(items, is_list) {
                    let value = if is_list { value.placed(span.clone()) } else { value };
                    members.push(Member { name, value, name_at });
                }
            }
        }
        members
    }
}

/// One value, or a list with null where there is none; `None` if there is none at all.
fn joined(items: Vec<Option<Json>>, is_list: bool) -> Option<Json> {
    if items.iter().all(Option::is_none) {
        return None;
    }
    if !is_list {
        return items.into_iter().flatten().next();
    }
    Some(Json::array(items.into_iter().map(|item| item.unwrap_or_else(Json::null))))
}

/// A primitive's value as JSON writes it.
fn of_text(primitive: Primitive, text: &str, at: usize) -> Result<Json, XmlError> {
    if text.is_empty() {
        return Err(XmlError::new(Fault::EmptyValue, at));
    }
    let json = match (primitive.json_kind(), text) {
        (JsonKind::Boolean, "true") => Some(Json::from(true)),
        (JsonKind::Boolean, "false") => Some(Json::from(false)),
        (JsonKind::Boolean, _) => None,
        (JsonKind::Number, text) => Json::number(text),
        (JsonKind::String, text) => Some(Json::from(text)),
    };
    json.map(|json| json.placed(at..at)).ok_or_else(|| XmlError::new(Fault::Value(primitive), at))
}

fn in_fhir(tag: &Tag<'_>) -> Result<(), XmlError> {
    if tag.space == FHIR { Ok(()) } else { Err(XmlError::new(Fault::Namespace { wanted: FHIR }, tag.span.start)) }
}

fn unknown_attribute(attribute: &Attribute<'_>) -> XmlError {
    XmlError::new(Fault::UnknownAttribute(attribute.full_name.into()), attribute.at)
}

/// White space between elements says nothing; all else is refused.
fn blank(raw: &str, at: usize) -> Result<(), XmlError> {
    match raw.find(|letter| !is_space(letter)) {
        Some(stray) => Err(XmlError::new(Fault::Text, at + stray)),
        None => Ok(()),
    }
}

/// With the element at fault, unless it is known more exactly.
fn placed(mut error: XmlError, trail: &Trail<'_>) -> XmlError {
    error.expression.get_or_insert_with(|| trail.expression());
    error
}
