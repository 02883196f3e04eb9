//! Resources made at random by the rules of their types go through XML and come back the same.

use super::{definitions, written};
use crate::json::Json;
use crate::primitive::{JsonKind, Primitive};
use crate::validate::{Content, Node, Slot, TypeRules};
use crate::xml::{Layout, read};

/// A xorshift generator: the same run every time.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }
}

/// A resource of `name` with members in the order of the definitions.
pub(super) fn resource(random: &mut Random, name: &str, depth: usize) -> Json {
    let types = definitions().rules().resource(definitions(), name).expect(name);
    let mut made = Json::object([("resourceType", Json::from(name))]);
    fill(random, types, types.root(), &mut made, depth);
    made
}

fn fill(random: &mut Random, types: &TypeRules, node: &Node, into: &mut Json, depth: usize) {
    for (at, element) in node.elements.iter().enumerate() {
        // Deeper objects have fewer members, but always one.
        let is_last = at + 1 == node.elements.len();
        let nothing_yet = into.members().iter().all(|member| &*member.name == "id");
        let wanted = random.below(2 + depth * 3) == 0 || (is_last && nothing_yet);
        let names: Vec<&str> =
            node.names().filter(|name| node.slot(name).is_some_and(|slot| slot.element == at)).collect();
        if !wanted || names.is_empty() {
            continue;
        }
        let name = names[random.below(names.len())];
        let Some(slot) = node.slot(name) else { continue };
        let is_simple = matches!(slot.content, Content::Primitive(_));
        if depth > 6 && !is_simple {
            continue;
        }
        let count = if element.is_list { 1 + random.below(3) } else { 1 };
        let (mut values, mut beside) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (value, other) = item(random, types, slot, element.is_attribute, depth + 1);
            values.push(value.unwrap_or_else(Json::null));
            beside.push(other.unwrap_or_else(Json::null));
        }
        for (name, list) in [(name.to_owned(), values), (format!("_{name}"), beside)] {
            if list.iter().all(Json::is_null) {
                continue;
            }
            let value =
                if element.is_list { Json::array(list) } else { list.into_iter().next().unwrap_or_else(Json::null) };
            into.set(name, value);
        }
    }
    let is_resource = types.is_resource && std::ptr::eq(node, types.root());
    if !is_resource && into.members().iter().all(|member| &*member.name == "id") {
        into.set("extension", Json::array([crate::json!({"url": "http://e", "valueBoolean": true})]));
    }
}

fn item(
    random: &mut Random,
    types: &TypeRules,
    slot: &Slot,
    plain: bool,
    depth: usize,
) -> (Option<Json>, Option<Json>) {
    let mut object = Json::object::<&str>([]);
    match slot.content {
        Content::Primitive(primitive) => {
            let kind = if plain || primitive == Primitive::Xhtml { 9 } else { random.below(10) };
            let beside = crate::json!({"id": "i", "extension": [{"url": "http://e", "valueString": (text(random))}]});
            return match kind {
                0 => (None, Some(beside)),
                1 => (Some(value(random, primitive)), Some(beside)),
                _ => (Some(value(random, primitive)), None),
            };
        }
        Content::Type(position) => {
            let inner = definitions().rules().at(definitions(), position);
            fill(random, inner, inner.root(), &mut object, depth);
        }
        Content::Node(position) => fill(random, types, types.node(position), &mut object, depth),
        Content::Resource => {
            let kinds = definitions().resource_types();
            let kind = kinds[random.below(kinds.len())];
            object = resource(random, kind, depth + 1);
        }
    }
    (Some(object), None)
}

fn value(random: &mut Random, primitive: Primitive) -> Json {
    let numbers = ["0", "-1", "1.10", "1e5", "0.000", "12345678901234567890.0"];
    match primitive.json_kind() {
        JsonKind::Boolean => Json::from(random.below(2) == 0),
        JsonKind::Number => Json::number(numbers[random.below(numbers.len())]).expect("a number"),
        JsonKind::String if primitive == Primitive::Xhtml => {
            Json::from("<div xmlns=\"http://www.w3.org/1999/xhtml\"><!-- a --><p>x &lt; &#x5C71;</p>\n<br/></div>")
        }
        JsonKind::String => Json::from(text(random)),
    }
}

fn text(random: &mut Random) -> String {
    let pieces =
        ["a", "山", " ", "&", "<", ">", "\"", "'", "\n", "\r", "\t", "]]>", "<!--", "&amp;", "\u{10FFFF}", "e\u{301}"];
    (0..=random.below(6)).map(|_| pieces[random.below(pieces.len())]).collect()
}

#[test]
fn what_is_made_by_the_rules_comes_back_the_same() {
    let mut random = Random(0x5EED_1234_5678_9ABC);
    for kind in definitions().resource_types() {
        for _ in 0..6 {
            let made = resource(&mut random, kind, 0);
            for layout in [Layout::Compact, Layout::Pretty] {
                let xml = written(&made, layout);
                let found = read(definitions(), xml.as_bytes()).unwrap_or_else(|error| panic!("{error:?}\n{xml}"));
                assert_eq!(found, made, "{xml}");
            }
        }
    }
}
