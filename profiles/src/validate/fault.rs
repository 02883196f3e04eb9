//! What can be wrong, and how it is said in two languages.
//!
//! The words name elements, types, codes and rules. They never hold a value of the
//! resource; names from the resource are cut and freed of control characters.

use super::{
    Issue, IssueCode, Severity,
    narrative::NarrativeError,
    rules::{Element, Node},
    trail::Trail,
};
use crate::primitive::{DateError, JsonKind, Primitive, PrimitiveError};

/// One kind of fault and what is needed to tell it.
pub(super) enum Fault<'a> {
    NoResourceType,
    UnknownResource {
        name: &'a str,
    },
    UnknownElement {
        name: &'a str,
        known: &'a Node,
    },
    /// Another JSON type than expected.
    Kind {
        expected: &'static str,
        found: &'static str,
    },
    NotAList {
        found: &'static str,
    },
    List,
    Empty {
        kind: &'static str,
    },
    Null,
    TooMany {
        most: u32,
    },
    TooFew {
        least: u32,
    },
    Missing {
        element: &'a Element,
    },
    SecondChoice {
        element: &'a str,
    },
    Primitive {
        primitive: Primitive,
        error: PrimitiveError,
        found: &'static str,
    },
    /// A list of primitives and the list beside it do not match.
    Padding,
    NestedContained,
    Extension {
        is_both: bool,
    },
    Narrative {
        error: NarrativeError,
    },
    Code {
        code: &'a str,
        value_set: &'a str,
    },
    NoCode {
        value_set: &'a str,
    },
    Target {
        found: &'a str,
        allowed: &'a [Box<str>],
    },
    NoContained,
    /// A contained resource that nothing can point at, or that is not the only one.
    ContainedId {
        is_twice: bool,
    },
    /// The url of an extension that is not part of another one.
    ExtensionUrl,
    /// A relative reference that is no `[type]/[id]`.
    Reference,
    /// More faults than are told.
    Full,
}

impl Fault<'_> {
    pub(super) fn issue(&self, trail: &Trail<'_>, offset: usize) -> Issue {
        let (text_en, text_ja) = self.words();
        Issue {
            severity: Severity::Error,
            code: self.code(),
            expression: trail.expression(),
            offset,
            text_en,
            text_ja,
            diagnostics: self.rule(),
        }
    }

    fn code(&self) -> IssueCode {
        match self {
            Self::NoResourceType | Self::Missing { .. } | Self::TooFew { .. } => IssueCode::Required,
            Self::UnknownResource { .. } => IssueCode::NotSupported,
            Self::UnknownElement { .. }
            | Self::Kind { .. }
            | Self::NotAList { .. }
            | Self::List
            | Self::Empty { .. }
            | Self::Null
            | Self::TooMany { .. }
            | Self::SecondChoice { .. }
            | Self::Padding
            | Self::Target { .. }
            | Self::Primitive { error: PrimitiveError::Kind, .. } => IssueCode::Structure,
            Self::Primitive { .. } | Self::ExtensionUrl | Self::Reference => IssueCode::Value,
            Self::NestedContained
            | Self::Extension { .. }
            | Self::Narrative { .. }
            | Self::NoContained
            | Self::ContainedId { .. } => IssueCode::Invariant,
            Self::Code { .. } | Self::NoCode { .. } => IssueCode::CodeInvalid,
            Self::Full => IssueCode::TooCostly,
        }
    }

    /// The rule in FHIR's terms.
    fn rule(&self) -> String {
        match self {
            Self::NoResourceType | Self::UnknownResource { .. } => "json.html: resourceType".to_owned(),
            Self::UnknownElement { name, .. } => format!("unknown element {}", shown(name)),
            Self::Kind { expected, found } => format!("expected JSON {expected}, found {found}"),
            Self::NotAList { found } => format!("expected JSON array, found {found}"),
            Self::List => "expected one value, found JSON array".to_owned(),
            Self::Empty { .. } | Self::Null | Self::Padding => "json.html: no empty values".to_owned(),
            Self::TooMany { most } => format!("max = {most}"),
            Self::TooFew { least } => format!("min = {least}"),
            Self::Missing { element } => format!("min = {}", element.min),
            Self::SecondChoice { element } => format!("{element}[x]: one type only"),
            Self::Primitive { primitive, error, .. } => format!("{}: {error}", primitive.name()),
            Self::NestedContained => "dom-2".to_owned(),
            Self::Extension { .. } => "ext-1".to_owned(),
            Self::Narrative { error: NarrativeError::Empty } => "txt-2".to_owned(),
            Self::Narrative { .. } => "txt-1".to_owned(),
            Self::Code { value_set, .. } | Self::NoCode { value_set } => format!("required binding to {value_set}"),
            Self::Target { allowed, .. } => format!("Reference({})", allowed.join(" | ")),
            Self::NoContained => "ref-1".to_owned(),
            Self::ContainedId { .. } => "references.html: contained".to_owned(),
            Self::ExtensionUrl => "extensibility.html: url".to_owned(),
            Self::Reference => "references.html: literal".to_owned(),
            Self::Full => "further issues left out".to_owned(),
        }
    }

    /// What is wrong and what to do next, in English and in Japanese.
    fn words(&self) -> (String, String) {
        match self {
            Self::UnknownElement { name, known } => unknown(name, known),
            Self::Missing { element } => missing(element),
            Self::Primitive { primitive, error, found } => primitive_words(*primitive, *error, found),
            Self::Narrative { error } => narrative(*error),
            Self::NoResourceType
            | Self::UnknownResource { .. }
            | Self::Kind { .. }
            | Self::NotAList { .. }
            | Self::List
            | Self::Empty { .. }
            | Self::Null
            | Self::TooMany { .. }
            | Self::TooFew { .. }
            | Self::Padding
            | Self::Full => self.shape_words(),
            Self::SecondChoice { .. }
            | Self::NestedContained
            | Self::Extension { .. }
            | Self::Code { .. }
            | Self::NoCode { .. }
            | Self::Target { .. }
            | Self::NoContained
            | Self::ContainedId { .. }
            | Self::ExtensionUrl
            | Self::Reference => self.rule_words(),
        }
    }

    /// Faults of how JSON is written.
    fn shape_words(&self) -> (String, String) {
        match self {
            Self::NoResourceType => both(
                "The resource does not say what it is: add \"resourceType\" with a FHIR R4 resource type.",
                "リソースの種類が示されていません。FHIR R4のリソース型を\"resourceType\"に指定してください。",
            ),
            Self::UnknownResource { name } => (
                format!("FHIR R4 has no resource type {}: correct \"resourceType\".", shown(name)),
                format!("FHIR R4に{}というリソース型はありません。\"resourceType\"を訂正してください。", shown(name)),
            ),
            Self::Kind { expected, found } => (
                format!("Write this as a JSON {expected}; it is {found} now."),
                format!("ここはJSONの{}で記述してください（現在は{}です）。", kind_ja(expected), kind_ja(found)),
            ),
            Self::NotAList { found } => (
                format!("This element may repeat, so write it as a JSON array, even for one value; it is {found} now."),
                format!(
                    "繰り返し可能な要素です。値が1つでもJSONの配列で記述してください（現在は{}です）。",
                    kind_ja(found)
                ),
            ),
            Self::List => both(
                "This element stands at most once: write the value itself, not an array.",
                "この要素は1つだけです。配列にせず値をそのまま記述してください。",
            ),
            Self::Empty { kind } => (
                format!("An empty JSON {kind} says nothing: leave the element out, or give it content."),
                format!("空の{}は使えません。要素を省くか、内容を記述してください。", kind_ja(kind)),
            ),
            Self::Null => both(
                "FHIR has no null: leave the element out. In a list, null stands only where the list beside it has an extension.",
                "FHIRではnullを使えません。要素を省いてください。配列内のnullは、対応する\"_\"付き配列に拡張がある位置だけで使えます。",
            ),
            Self::TooMany { most } => (
                format!("At most {most} allowed here: remove the others."),
                format!("ここに置けるのは{most}個までです。余分なものを削除してください。"),
            ),
            Self::TooFew { least } => (
                format!("At least {least} needed here: add more."),
                format!("ここには{least}個以上が必要です。追加してください。"),
            ),
            Self::Padding => both(
                "The list of values and the list beside it must be equally long, and no place null in both: pad with null.",
                "値の配列と\"_\"付き配列は同じ長さにし、同じ位置を両方nullにしないでください（不足分はnullで埋めます）。",
            ),
            _ => both(
                "There are more faults than are listed: correct these, then send again.",
                "ほかにも誤りがあります。まずこれらを訂正してから再送してください。",
            ),
        }
    }

    /// Faults against rules over several elements.
    fn rule_words(&self) -> (String, String) {
        match self {
            Self::SecondChoice { element } => (
                format!("\"{element}[x]\" is given with two types: keep one of them."),
                format!("\"{element}[x]\"が2つの型で記述されています。どちらか1つだけにしてください。"),
            ),
            Self::NestedContained => both(
                "A contained resource must not contain others: move it up to the outermost resource.",
                "内包リソースの中にさらにリソースを内包することはできません。最も外側のリソースに移してください。",
            ),
            Self::Extension { is_both: true } => both(
                "An extension has either a value or extensions of its own: remove one of the two.",
                "拡張には値か子の拡張のどちらか一方だけを記述できます。一方を削除してください。",
            ),
            Self::Extension { is_both: false } => both(
                "An extension needs a value or extensions of its own: add one, or leave the extension out.",
                "拡張には値か子の拡張が必要です。どちらかを追加するか、拡張を省いてください。",
            ),
            Self::Code { code, value_set } => (
                format!("The code \"{}\" is not allowed here: use one from {value_set}.", shown(code)),
                format!("コード\"{}\"はここでは使えません。{value_set}にあるコードを使ってください。", shown(code)),
            ),
            Self::NoCode { value_set } => (
                format!("A code is needed here, text alone will not do: add a coding from {value_set}."),
                format!("ここにはコードが必要です。{value_set}にあるコードをcodingに追加してください。"),
            ),
            Self::Target { found, allowed } => (
                format!("This may not point at a {}: allowed are {}.", shown(found), allowed.join(", ")),
                format!("ここから{}は参照できません。参照できるのは{}です。", shown(found), allowed.join("、")),
            ),
            Self::ContainedId { is_twice: false } => both(
                "Nothing can point at a contained resource without an id: add one.",
                "idのない内包リソースはどこからも参照できません。idを追加してください。",
            ),
            Self::ContainedId { is_twice: true } => both(
                "Another contained resource has the same id: give each its own.",
                "同じidの内包リソースがほかにもあります。それぞれ異なるidにしてください。",
            ),
            Self::ExtensionUrl => both(
                "The url of an extension is the whole address of its definition, such as https://example.org/a.",
                "拡張のurlには、その定義の完全なアドレスを記述してください（例: https://example.org/a）。",
            ),
            Self::Reference => both(
                "A reference without an address of its own is written TYPE/ID, such as Patient/1; one by query is for transactions.",
                "相対参照はPatient/1のように「型/id」で記述してください。検索条件による参照はtransactionでのみ使えます。",
            ),
            _ => both(
                "There is no contained resource with this id: add it to \"contained\", or correct the reference.",
                "このidの内包リソースがありません。\"contained\"に追加するか、参照を訂正してください。",
            ),
        }
    }
}

fn both(english: &str, japanese: &str) -> (String, String) {
    (english.to_owned(), japanese.to_owned())
}

fn unknown(name: &str, known: &Node) -> (String, String) {
    let bare = name.strip_prefix('_').unwrap_or(name);
    match known.names().find(|other| is_near(bare, other)) {
        Some(near) if near == bare => (
            format!("\"{near}\" is no primitive, so nothing stands beside it: remove {}.", shown(name)),
            format!("\"{near}\"はプリミティブ型ではないため、{}は使えません。削除してください。", shown(name)),
        ),
        Some(near) => (
            format!("There is no element {} here; \"{near}\" may be meant.", shown(name)),
            format!("ここに{}という要素はありません。\"{near}\"ではありませんか。", shown(name)),
        ),
        None => (
            format!("There is no element {} here: remove it, or carry it in an extension.", shown(name)),
            format!("ここに{}という要素はありません。削除するか、拡張で表してください。", shown(name)),
        ),
    }
}

fn missing(element: &Element) -> (String, String) {
    let name = &element.name;
    if element.is_choice {
        let types = element.types.join(", ");
        return (
            format!("\"{name}[x]\" is required: add it with one of the types {types}."),
            format!("\"{name}[x]\"は必須です。次のいずれかの型で追加してください: {types}。"),
        );
    }
    (format!("\"{name}\" is required: add it."), format!("\"{name}\"は必須です。追加してください。"))
}

fn primitive_words(primitive: Primitive, error: PrimitiveError, found: &str) -> (String, String) {
    let name = primitive.name();
    let (a, (hint_en, hint_ja)) = (article(name), hint(primitive));
    match error {
        PrimitiveError::Kind => {
            let kind = match primitive.json_kind() {
                JsonKind::Boolean => "boolean",
                JsonKind::Number => "number",
                JsonKind::String => "string",
            };
            (
                format!("{} {name} is written as a JSON {kind}; it is {found} now.", if a == "a" { "A" } else { "An" }),
                format!("{name}はJSONの{}で記述してください（現在は{}です）。", kind_ja(kind), kind_ja(found)),
            )
        }
        PrimitiveError::Empty => both(
            "An empty string says nothing: leave the element out, or give it text.",
            "空の文字列は使えません。要素を省くか、文字を記述してください。",
        ),
        PrimitiveError::TooLong => (
            format!("The text is too long for {a} {name}: shorten it. Expected: {hint_en}."),
            format!("{name}として長すぎます。短くしてください（書式: {hint_ja}）。"),
        ),
        PrimitiveError::Date(DateError::NoSuchDay) => both(
            "There is no such day in the calendar: correct the date.",
            "暦に存在しない日付です。日付を訂正してください。",
        ),
        PrimitiveError::Date(DateError::NoSuchTime) => both(
            "There is no such time or zone: hours go from 00 to 23, zones to 14:00.",
            "存在しない時刻または時差です。時は00〜23、時差は14:00までで記述してください。",
        ),
        PrimitiveError::Zone => both(
            "With a time of day give seconds and zone: 2024-05-01T10:30:00+09:00.",
            "時刻には秒と時差が必要です（例: 2024-05-01T10:30:00+09:00）。",
        ),
        PrimitiveError::Range => (
            format!("The number is outside the range of {name}. Expected: {hint_en}."),
            format!("{name}の範囲外の数値です（書式: {hint_ja}）。"),
        ),
        PrimitiveError::Shape | PrimitiveError::Date(DateError::Shape) => (
            format!("This is not written as {a} {name}. Expected: {hint_en}."),
            format!("{name}の書式ではありません（書式: {hint_ja}）。"),
        ),
    }
}

/// Of a type's name: "an id", but "a uri" and "a uuid".
pub(crate) fn article(name: &str) -> &'static str {
    let is_an = name.starts_with(['a', 'e', 'i', 'o', 'x']) || name.starts_with("un") && !name.starts_with("uni");
    if is_an { "an" } else { "a" }
}

/// How a primitive is written.
pub(crate) fn hint(primitive: Primitive) -> (&'static str, &'static str) {
    match primitive {
        Primitive::Boolean => ("true or false", "trueまたはfalse"),
        Primitive::Integer => ("a whole number from -2147483648 to 2147483647", "-2147483648〜2147483647の整数"),
        Primitive::UnsignedInt => ("a whole number from 0 to 2147483647", "0〜2147483647の整数"),
        Primitive::PositiveInt => ("a whole number from 1 to 2147483647", "1〜2147483647の整数"),
        Primitive::Decimal => ("a number such as 36.50", "36.50のような数値"),
        Primitive::String | Primitive::Markdown | Primitive::Xhtml => {
            ("text without control characters, up to 1 MB", "制御文字を含まない1MBまでの文字列")
        }
        Primitive::Code => {
            ("a code without spaces at its ends or two in a row", "前後の空白や連続した空白のないコード")
        }
        Primitive::Id => ("1 to 64 letters A-Z, a-z, digits, - and .", "半角英数字と-と.で1〜64文字"),
        Primitive::Uri | Primitive::Url | Primitive::Canonical => {
            ("an address without spaces, such as https://example.org/a", "空白のないURI（例: https://example.org/a）")
        }
        Primitive::Oid => {
            ("urn:oid: and an OID, such as urn:oid:1.2.392.100495", "urn:oid:に続くOID（例: urn:oid:1.2.392.100495）")
        }
        Primitive::Uuid => ("urn:uuid: and a UUID in small letters", "urn:uuid:に続く小文字のUUID"),
        Primitive::Base64Binary => ("base64 in groups of four, padded with =", "=で補った4文字単位のbase64"),
        Primitive::Date => ("2024, 2024-05 or 2024-05-01", "2024、2024-05または2024-05-01"),
        Primitive::DateTime => (
            "2024, 2024-05, 2024-05-01 or 2024-05-01T10:30:00+09:00",
            "2024、2024-05、2024-05-01または2024-05-01T10:30:00+09:00",
        ),
        Primitive::Instant => ("2024-05-01T10:30:00+09:00", "2024-05-01T10:30:00+09:00"),
        Primitive::Time => ("10:30:00", "10:30:00"),
    }
}

fn narrative(error: NarrativeError) -> (String, String) {
    match error {
        NarrativeError::Root => both(
            "A narrative is <div xmlns=\"http://www.w3.org/1999/xhtml\">…</div>: write it so.",
            "説明文は<div xmlns=\"http://www.w3.org/1999/xhtml\">…</div>の形で記述してください。",
        ),
        NarrativeError::Shape => both(
            "The narrative is no well-formed XHTML: close every tag, and write characters instead of named references.",
            "説明文が整形式のXHTMLではありません。すべてのタグを閉じ、名前付き文字参照は文字そのもので記述してください。",
        ),
        NarrativeError::Element => both(
            "The narrative has an element that FHIR does not allow, such as script or form: remove it.",
            "説明文にFHIRで許されない要素（script、formなど）があります。削除してください。",
        ),
        NarrativeError::Attribute => both(
            "The narrative has an attribute that FHIR does not allow, such as onclick, or an address that runs: remove it.",
            "説明文にFHIRで許されない属性（onclickなど）や実行されるアドレスがあります。削除してください。",
        ),
        NarrativeError::Empty => both(
            "The narrative has nothing to read: add text, or leave \"text\" out.",
            "説明文に内容がありません。文字を追加するか、\"text\"を省いてください。",
        ),
    }
}

fn kind_ja(kind: &str) -> &str {
    match kind {
        "object" => "オブジェクト",
        "array" => "配列",
        "string" => "文字列",
        "number" => "数値",
        "boolean" => "真偽値",
        other => other,
    }
}

/// A name or code from the resource, fit to be shown.
pub(crate) fn shown(name: &str) -> String {
    let clean = name.chars().map(|letter| if letter.is_control() { '\u{FFFD}' } else { letter });
    let mut text: String = clean.take(MAX_SHOWN).collect();
    if name.chars().nth(MAX_SHOWN).is_some() {
        text.push('…');
    }
    text
}

/// Whether two names differ in case alone, or in one letter more, less or other.
pub(crate) fn is_near(one: &str, other: &str) -> bool {
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len().abs_diff(other.len()) > 1 || one.len() < 3 || other.len() < 3 {
        return false;
    }
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[same..], &other[same..]);
    let rest = |bytes: &'_ [u8], skip: usize| bytes.get(skip..).map(<[u8]>::to_vec);
    let swapped = one.len() == other.len()
        && one.len() > 1
        && (one[0], one[1]) == (other[1], other[0])
        && rest(one, 2) == rest(other, 2);
    swapped
        || rest(one, 1) == rest(other, 1)
        || rest(one, 1).as_deref() == Some(other)
        || rest(other, 1).as_deref() == Some(one)
}

const MAX_SHOWN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_one_letter_is_near() {
        for (one, other, expected) in [
            ("birthdate", "birthDate", true),
            ("brithDate", "birthDate", true),
            ("birthDat", "birthDate", true),
            ("birthDates", "birthDate", true),
            ("birthDape", "birthDate", true),
            ("gender", "birthDate", false),
            ("id", "ib", false),
        ] {
            assert_eq!(is_near(one, other), expected, "{one} {other}");
        }
    }

    #[test]
    fn names_are_cut_and_cleaned() {
        assert_eq!(shown("a\nb\u{1b}"), "a\u{FFFD}b\u{FFFD}");
        assert_eq!(shown(&"x".repeat(100)).chars().count(), 65);
    }

    #[test]
    fn a_type_has_its_article() {
        for (primitive, error, starts) in [
            (Primitive::Integer, PrimitiveError::Kind, "An integer is written as a JSON number"),
            (Primitive::UnsignedInt, PrimitiveError::Kind, "An unsignedInt is"),
            (Primitive::Uri, PrimitiveError::Kind, "A uri is"),
            (Primitive::Uuid, PrimitiveError::Shape, "This is not written as a uuid. Expected: "),
            (Primitive::Instant, PrimitiveError::Shape, "This is not written as an instant. Expected: "),
            (Primitive::Decimal, PrimitiveError::Shape, "This is not written as a decimal. Expected: "),
        ] {
            let (english, _) = primitive_words(primitive, error, "an array");
            assert!(english.starts_with(starts), "{english}");
        }
    }
}
