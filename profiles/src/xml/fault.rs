//! What can be wrong with a FHIR XML text, in words for people.

use crate::json::{MAX_DEPTH, Place};
use crate::primitive::Primitive;
use crate::validate::{IssueCode, article, hint, shown};

/// Why a text is no FHIR XML that we take, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlError {
    /// What is wrong.
    pub fault: Fault,
    /// Byte offset into the text.
    pub offset: usize,
    /// The element at fault in `FHIRPath`, where it is known.
    pub expression: Option<String>,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Larger than 4 GiB.
    TooLarge,
    /// Bytes that are no UTF-8, or a declaration that says so.
    Encoding,
    /// A character that XML forbids.
    Character,
    /// The text ended inside something.
    Truncated,
    /// `<!DOCTYPE …>`
    Doctype,
    /// Something other than what the grammar of XML wants here, in English and Japanese.
    Syntax(&'static str, &'static str),
    /// A reference that is none of XML's own.
    Reference,
    /// An end tag that does not match.
    EndTag {
        /// What is open.
        open: Box<str>,
    },
    /// A prefix that was not declared, or a namespace that was not declared well.
    Prefix,
    /// An attribute twice.
    AttributeTwice,
    /// More attributes than anybody needs.
    TooManyAttributes,
    /// Nested too deep.
    TooDeep,
    /// An element of another namespace.
    Namespace {
        /// The namespace that belongs here.
        wanted: &'static str,
    },
    /// A root that is no resource of R4.
    UnknownResource(Box<str>),
    /// An element that the type does not have.
    UnknownElement {
        /// As written.
        name: Box<str>,
        /// One that differs by a slip.
        near: Option<Box<str>>,
    },
    /// An attribute that does not belong.
    UnknownAttribute(Box<str>),
    /// An element that XML writes as an attribute, or the other way about.
    WrongForm {
        /// Whether it has to be an attribute.
        attribute: bool,
    },
    /// After one that it has to stand before.
    Order {
        /// What stands before it and should not.
        after: Box<str>,
    },
    /// Once more than once.
    Twice,
    /// Text where only elements belong.
    Text,
    /// Neither value nor content.
    Empty,
    /// An empty value, or an empty attribute.
    EmptyValue,
    /// A value that JSON could not write as this type.
    Value(Primitive),
    /// Not exactly one resource inside.
    OneResource,
}

impl XmlError {
    pub(super) fn new(fault: Fault, offset: usize) -> Self {
        Self { fault, offset, expression: None }
    }

    /// Where it is, as people count.
    ///
    /// * `text`: what was read.
    pub fn place(&self, text: &[u8]) -> Place {
        Place::of(text, self.offset)
    }

    /// `OperationOutcome.issue.code`
    pub fn code(&self) -> IssueCode {
        match self.fault {
            Fault::Value(_) | Fault::EmptyValue => IssueCode::Value,
            Fault::TooLarge | Fault::TooDeep | Fault::TooManyAttributes => IssueCode::TooCostly,
            _ => IssueCode::Structure,
        }
    }

    /// What is wrong and what to do, in English and Japanese.
    pub fn words(&self) -> (String, String) {
        self.syntax_words().or_else(|| self.plain_words()).unwrap_or_else(|| self.named_words())
    }

    /// Faults of XML itself.
    fn syntax_words(&self) -> Option<(String, String)> {
        let (english, japanese) = match self.fault {
            Fault::TooLarge => ("The text is too large.", "テキストが大きすぎます。"),
            Fault::Encoding => {
                ("The XML is not in UTF-8: save it as UTF-8.", "XMLがUTF-8ではありません。UTF-8で保存してください。")
            }
            Fault::Character => {
                ("There is a character that XML forbids: remove it.", "XMLで使えない文字があります。削除してください。")
            }
            Fault::Truncated => ("The XML ends too early.", "XMLが途中で終わっています。"),
            Fault::Doctype => (
                "A document type declaration is not taken: remove <!DOCTYPE …> and write characters instead of entities.",
                "文書型宣言は使えません。<!DOCTYPE …>を削除し、実体参照は文字そのもので記述してください。",
            ),
            Fault::Reference => (
                "There is a reference other than &lt; &gt; &amp; &quot; &apos; or a number: write the character itself.",
                "&lt; &gt; &amp; &quot; &apos;と数値以外の参照があります。文字そのもので記述してください。",
            ),
            Fault::Prefix => (
                "A namespace prefix is not declared, or declared wrongly: declare it by xmlns.",
                "名前空間の接頭辞が宣言されていないか、宣言に誤りがあります。xmlnsで宣言してください。",
            ),
            Fault::AttributeTwice => {
                ("An attribute is given twice: keep one.", "同じ属性が2つあります。1つだけにしてください。")
            }
            Fault::TooManyAttributes => ("An element has too many attributes.", "属性が多すぎる要素があります。"),
            _ => return None,
        };
        Some((english.to_owned(), japanese.to_owned()))
    }

    /// Faults of FHIR that need no name.
    fn plain_words(&self) -> Option<(String, String)> {
        let (english, japanese) = match self.fault {
            Fault::Twice => (
                "This element stands at most once: remove the others.",
                "この要素は1つだけです。余分なものを削除してください。",
            ),
            Fault::Text => (
                "There is text where only elements belong: put values into the attribute \"value\".",
                "要素だけを置ける場所に文字があります。値は\"value\"属性に記述してください。",
            ),
            Fault::Empty => (
                "The element is empty: leave it out, or give it a value or content.",
                "要素が空です。要素を省くか、値や内容を記述してください。",
            ),
            Fault::EmptyValue => (
                "The attribute is empty: leave it out, or give it a value.",
                "属性が空です。省くか、値を記述してください。",
            ),
            Fault::WrongForm { attribute: true } => {
                ("XML writes this as an attribute, not as an element.", "XMLではこれを要素ではなく属性で記述します。")
            }
            Fault::WrongForm { attribute: false } => {
                ("XML writes this as an element, not as an attribute.", "XMLではこれを属性ではなく要素で記述します。")
            }
            Fault::OneResource => (
                "Exactly one resource stands in this element.",
                "この要素の中にはリソースをちょうど1つ記述してください。",
            ),
            _ => return None,
        };
        Some((english.to_owned(), japanese.to_owned()))
    }

    /// Faults that name something.
    fn named_words(&self) -> (String, String) {
        match &self.fault {
            Fault::TooDeep => (
                format!("Nested deeper than {MAX_DEPTH} levels of JSON."),
                format!("入れ子がJSONの{MAX_DEPTH}階層を超えています。"),
            ),
            Fault::EndTag { open } => (
                format!("The end tag does not match: {} is open.", shown(open)),
                format!("終了タグが一致しません（開いている要素: {}）。", shown(open)),
            ),
            Fault::Namespace { wanted } => (
                format!("The element is not of the namespace {wanted}: declare it by xmlns."),
                format!("要素が名前空間{wanted}のものではありません。xmlnsで宣言してください。"),
            ),
            Fault::UnknownResource(name) => (
                format!("FHIR R4 has no resource type {}.", shown(name)),
                format!("FHIR R4に{}というリソース型はありません。", shown(name)),
            ),
            Fault::UnknownElement { name, near: Some(near) } => (
                format!("There is no element {} here; \"{near}\" may be meant.", shown(name)),
                format!("ここに{}という要素はありません。\"{near}\"ではありませんか。", shown(name)),
            ),
            Fault::UnknownElement { name, near: None } => (
                format!("There is no element {} here: remove it, or carry it in an extension.", shown(name)),
                format!("ここに{}という要素はありません。削除するか、拡張で表してください。", shown(name)),
            ),
            Fault::UnknownAttribute(name) => (
                format!("There is no attribute {} here: remove it.", shown(name)),
                format!("ここに{}という属性はありません。削除してください。", shown(name)),
            ),
            Fault::Order { after } => (
                format!("FHIR XML has a fixed order: this stands before \"{after}\"."),
                format!("FHIR XMLでは要素の順序が決まっています。\"{after}\"より前に置いてください。"),
            ),
            Fault::Value(primitive) => {
                let name = primitive.name();
                let (hint_en, hint_ja) = hint(*primitive);
                (
                    format!("This is not written as {} {name}. Expected: {hint_en}.", article(name)),
                    format!("{name}の書式ではありません（書式: {hint_ja}）。"),
                )
            }
            Fault::Syntax(wanted, wanted_ja) => (
                format!("The XML is not well-formed: expected {wanted}."),
                format!("XMLが整形式ではありません（必要なもの: {wanted_ja}）。"),
            ),
            _ => ("The XML is not taken.".to_owned(), "このXMLは受け付けられません。".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_told_how_it_is_written() {
        let error = XmlError { fault: Fault::Value(Primitive::Decimal), offset: 0, expression: None };
        let (english, japanese) = error.words();
        assert_eq!(english, "This is not written as a decimal. Expected: a number such as 36.50.");
        assert!(japanese.contains("書式: "), "{japanese}");
    }
}
