//! Why a path could not be read or evaluated.
//!
//! The text names types, functions and the expression's own words, never a
//! value of the resource: it may be logged.

/// A fault in an expression, or in its evaluation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("FHIRPath at byte {at}: {text}")]
pub struct PathError {
    /// What kind of fault.
    pub reason: Reason,
    /// Byte offset in the expression.
    pub at: usize,
    /// What is wrong, for people.
    pub text: String,
    /// The name or address at fault, where there is one.
    pub word: Option<String>,
}

/// The kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The text is no expression.
    Syntax,
    /// It calls a function that does not exist.
    UnknownFunction,
    /// It is too long or nested too deeply.
    TooLarge,
    /// A name or type means nothing here.
    Semantic,
    /// An operand or argument is of the wrong type or number.
    Type,
    /// It needs something that the caller did not provide: a clock, a terminology.
    Missing,
    /// It took more steps than it was given.
    Fuel,
}

impl Reason {
    /// The fault in Japanese.
    pub fn japanese(self) -> &'static str {
        match self {
            Self::Syntax => "式の文法に誤りがあります",
            Self::UnknownFunction => "この関数はありません",
            Self::TooLarge => "式が長すぎるか、入れ子が深すぎます",
            Self::Semantic => "この名前または型はここでは使えません",
            Self::Type => "演算対象か引数の型または個数が合いません",
            Self::Missing => "評価に必要なものがこのサーバーにありません",
            Self::Fuel => "評価の手数が上限を超えました",
        }
    }
}

impl PathError {
    /// The fault, its place and the name at fault in Japanese; further details are in the
    /// English text alone.
    pub fn japanese(&self) -> String {
        let word = self.word.as_ref().map(|word| format!("（{word}）")).unwrap_or_default();
        format!("FHIRPath式の{}バイト目: {}{word}", self.at, self.reason.japanese())
    }

    /// With the name or address at fault.
    #[must_use]
    pub(super) fn about(self, word: impl Into<String>) -> Self {
        Self { word: Some(word.into()), ..self }
    }

    pub(super) fn new(reason: Reason, at: usize, text: impl Into<String>) -> Self {
        Self { reason, at, text: text.into(), word: None }
    }

    pub(super) fn syntax(at: usize, text: impl Into<String>) -> Self {
        Self::new(Reason::Syntax, at, text)
    }
}
