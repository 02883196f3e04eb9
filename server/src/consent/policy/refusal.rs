//! Why a Consent may not be active, in words a person can act on.

/// One thing that keeps a Consent from being stored as `active`: an issue of the
/// 422 answer, code `business-rule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// FHIRPath of the element.
    pub expression: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An element that the engine does not evaluate.
    Element,
    /// A required element is missing.
    Required,
    /// A code that the engine does not evaluate.
    Code,
    /// A code system that the engine does not evaluate.
    System,
    /// A date or period that makes no sense.
    Date,
    /// A reference that is no literal reference on this server, or to a type that cannot stand here.
    Reference,
    /// An actor whom the verified directory does not know.
    Actor,
    /// An exception of the same type as the rule that it is an exception from.
    SameType,
    /// Nested more than one level deep.
    Deep,
}

impl Refusal {
    /// The text in Japanese.
    pub fn text_ja(&self) -> &'static str {
        self.reason.texts().0
    }

    /// The text in English.
    pub fn text_en(&self) -> &'static str {
        self.reason.texts().1
    }
}

impl Reason {
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Element => (
                "この要素はまだ判定できないため、有効な同意には使えません。取り除くか、下書き(draft)として保存してください。",
                "This element cannot be enforced yet, so an active Consent may not hold it. Remove it, or store the Consent as a draft.",
            ),
            Self::Required => ("有効な同意にはこの要素が必要です。", "An active Consent must have this element."),
            Self::Code => (
                "このコードは判定できないため、有効な同意には使えません。",
                "This code cannot be enforced, so an active Consent may not hold it.",
            ),
            Self::System => (
                "このコード体系は判定できないため、有効な同意には使えません。",
                "Codes of this system cannot be enforced, so an active Consent may not hold them.",
            ),
            Self::Date => ("日付または期間が正しくありません。", "This date or period makes no sense."),
            Self::Reference => (
                "ここには、このサーバー上の該当する種類のリソースへの直接の参照が必要です。",
                "This must be a literal reference to a resource of a fitting type on this server.",
            ),
            Self::Actor => (
                "この相手は、運用者が確認した名簿に見つかりません。",
                "This actor is not in the directory that the operator verified.",
            ),
            Self::SameType => (
                "例外の種類は、親の規則(policyRule)と反対でなければなりません。",
                "An exception must be of the type opposite to its policyRule.",
            ),
            Self::Deep => ("例外の入れ子は1段までです。", "Exceptions may be nested one level deep only."),
        }
    }
}
