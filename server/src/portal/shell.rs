//! What every page for a signed-in person has: language, header, style.

use crate::auth::login::Session;
use crate::auth::wording::Language;

use super::words::{self, Words};

/// What every page has.
#[derive(Clone, Debug)]
pub struct Shell {
    /// The page's language.
    pub language: Language,
    /// Whether she chose it by `?lang=`, so that links must keep it.
    pub chosen: bool,
    /// Address of the style sheet.
    pub style: String,
    /// This page in the other language.
    pub other_language: String,
    /// Her sign-in name.
    pub account: String,
    /// To be sent back with every form.
    pub csrf: String,
    /// The page, for the mark in the header.
    pub here: Here,
}

/// Which page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// The first page.
    Home,
    /// Someone's records.
    Records,
    /// Connected apps and shares.
    Apps,
    /// Who looked.
    Access,
    /// None of them.
    Elsewhere,
}

impl Shell {
    /// The shell of a page for `session`.
    ///
    /// * `other`: this page in the other language.
    pub fn new(session: &Session, (language, chosen): (Language, bool), style: &str, other: String) -> Self {
        Self {
            language,
            chosen,
            style: style.to_owned(),
            other_language: other,
            account: session.user.name.clone(),
            csrf: session.csrf.clone(),
            here: Here::Elsewhere,
        }
    }

    /// The same on another page.
    #[must_use]
    pub fn at(mut self, here: Here) -> Self {
        self.here = here;
        self
    }

    /// Words in the page's language.
    pub(super) fn say(&self, words: Words) -> &'static str {
        words.say(self.language)
    }

    /// The attribute of a text of somebody's, such as a name: `lang` where it is Japanese
    /// and the page is not, so that it is read aloud as what it is.
    pub(super) fn language_of(&self, text: &str) -> &'static str {
        let japanese = |sign: char| matches!(sign, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}');
        if self.language == Language::English && text.contains(japanese) { " lang=\"ja\"" } else { "" }
    }

    /// A link to a page of ours that keeps the chosen language.
    pub fn link(&self, path: &str) -> String {
        if !self.chosen {
            return path.to_owned();
        }
        let sign = if path.contains('?') { '&' } else { '?' };
        format!("{path}{sign}lang={}", self.language.code())
    }

    /// Which page this is, for `aria-current`.
    pub(super) fn is(&self, name: &str) -> bool {
        matches!(
            (self.here, name),
            (Here::Home | Here::Records, "home") | (Here::Apps, "apps") | (Here::Access, "access")
        )
    }
}

/// A page that is not there, or that the server cannot show now.
#[derive(Clone, Debug, askama::Template)]
#[template(path = "missing.html")]
pub struct MissingPage {
    shell: Shell,
    title: &'static str,
    text: &'static str,
}

impl MissingPage {
    /// Nothing is here: absent and hidden, alike.
    pub fn nothing(shell: Shell) -> Self {
        let title = shell.say(words::NOT_FOUND);
        let text = shell.say(words::NOT_FOUND_TEXT);
        Self { shell, title, text }
    }

    /// Something failed on our side.
    pub fn failed(shell: Shell) -> Self {
        let title = shell.say(words::FAILURE);
        let text = shell.say(words::FAILURE_TEXT);
        Self { shell, title, text }
    }
}
