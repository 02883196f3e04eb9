//! Sign-in, approval and error pages.
//!
//! A template is markup; the sentences of the approval page are made here, for
//! they are kept with the Consent as the text that was shown.

use askama::Template;

use crate::auth::approve::{Missing, Offer};
use crate::auth::authorize::AuthorizationRequest;
use crate::auth::login::Session;
use crate::auth::person::Relation;
use crate::auth::scope::Scopes;
use crate::auth::wording::{self, Language};

/// What every page has.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The page's language.
    pub language: Language,
    /// Address of the style sheet.
    pub style: String,
    /// This page in the other language.
    pub other_language: Option<String>,
}

/// The sign-in page.
#[derive(Clone, Debug, Template)]
#[template(path = "signin.html")]
pub struct SignInPage {
    /// What every page has.
    pub frame: Frame,
    /// The application that sent her here.
    pub client: Option<String>,
    /// What was wrong.
    pub error: Option<&'static str>,
    /// To be sent back.
    pub csrf: String,
    /// Where she goes afterwards.
    pub next: String,
}

/// A page that says what went wrong.
#[derive(Clone, Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// What every page has.
    pub frame: Frame,
    /// In a word.
    pub title: &'static str,
    /// What it means and what to do.
    pub text: &'static str,
}

/// The approval page.
#[derive(Clone, Debug, Template)]
#[template(path = "approve.html")]
pub struct ApprovePage {
    /// What every page has.
    pub frame: Frame,
    /// Its sentences.
    pub text: ApproveText,
    /// What was missing in the answer.
    pub error: Option<&'static str>,
    /// To be sent back.
    pub csrf: String,
    /// The application's request, to be sent back.
    pub request: String,
    /// Where to sign in as someone else.
    pub switch: String,
    /// For whose records.
    pub people: Vec<PersonLine>,
    /// To be ticked.
    pub choices: Vec<ChoiceLine>,
    /// Granted without a tick.
    pub implied: Vec<String>,
}

/// The sentences of the approval page.
#[derive(Clone, Debug)]
pub struct ApproveText {
    heading: String,
    lead: String,
    signed_in: String,
    whose: &'static str,
    what: &'static str,
    all: &'static str,
    implied: &'static str,
    purpose: String,
    withdraw: &'static str,
}

/// One person on the approval page.
#[derive(Clone, Debug)]
pub struct PersonLine {
    patient: String,
    name: String,
    relation: &'static str,
    chosen: bool,
}

/// One scope on the approval page.
#[derive(Clone, Debug)]
pub struct ChoiceLine {
    scope: String,
    title: String,
    detail: String,
    chosen: bool,
}

/// What the person had ticked before the page was shown again.
#[derive(Clone, Debug, Default)]
pub struct Before {
    /// Scopes.
    pub ticked: Vec<String>,
    /// Patient.
    pub patient: Option<String>,
}

impl ApprovePage {
    /// The page for `offer`. Nothing is ticked but what she ticked `before`.
    pub fn of(frame: Frame, asked: &Asked<'_>, before: &Before) -> Self {
        let language = frame.language;
        let offer = asked.offer;
        let people = offer.people.iter().filter(|_| offer.is_about_patients()).map(|one| PersonLine {
            chosen: before.patient.as_ref() == Some(&one.acts_for.patient),
            patient: one.acts_for.patient.clone(),
            name: one.name.clone(),
            relation: relation(one.acts_for.relation, language),
        });
        let choices = offer.choices.iter().map(|scope| {
            let words = wording::of(scope, language);
            ChoiceLine {
                chosen: before.ticked.iter().any(|ticked| ticked == scope.text()),
                scope: scope.text().to_owned(),
                title: words.title,
                detail: words.detail,
            }
        });
        Self {
            text: ApproveText::of(asked, language),
            error: None,
            csrf: asked.session.csrf.clone(),
            request: asked.query.clone(),
            switch: asked.switch.clone(),
            people: people.collect(),
            choices: choices.collect(),
            implied: offer.implied.iter().map(|scope| wording::of(scope, language).title).collect(),
            frame,
        }
    }

    /// Says what the answer lacked.
    #[must_use]
    pub fn lacking(mut self, missing: Missing) -> Self {
        let language = self.frame.language;
        self.error = Some(match missing {
            Missing::Scopes => language.say(
                "許可する記録を一つ以上選んでください。許可しない場合は「許可しない」を押してください。",
                "Tick at least one kind of record, or choose “Do not allow”.",
            ),
            Missing::Patient => language.say("どなたの記録かを選んでください。", "Choose whose records this is about."),
        });
        self
    }

    /// The page as plain text, with what was granted: kept with the Consent.
    pub fn shown(&self, granted: &Scopes, patient: Option<&str>) -> String {
        let text = &self.text;
        let mut lines = vec![text.heading.clone(), text.lead.clone(), text.signed_in.clone()];
        for person in &self.people {
            let mark = if patient == Some(&person.patient) { "[x]" } else { "[ ]" };
            lines.push(format!("{} {mark} {} ({})", text.whose, person.name, person.relation));
        }
        lines.push(text.what.to_owned());
        for choice in &self.choices {
            let mark = if granted.iter().any(|scope| scope.text() == choice.scope) { "[x]" } else { "[ ]" };
            lines.push(format!("{mark} {} – {} <{}>", choice.title, choice.detail, choice.scope));
        }
        if !self.implied.is_empty() {
            lines.push(format!("{} {}", text.implied, self.implied.join(", ")));
        }
        lines.extend([text.purpose.clone(), text.withdraw.to_owned()]);
        lines.join("\n")
    }
}

/// What the approval page is made from.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The application's request.
    pub request: &'a AuthorizationRequest,
    /// Who is asked.
    pub session: &'a Session,
    /// What she is asked.
    pub offer: &'a Offer,
    /// The request as it came.
    pub query: String,
    /// Where to sign in as someone else.
    pub switch: String,
}

impl ApproveText {
    fn of(asked: &Asked<'_>, language: Language) -> Self {
        let client = &asked.request.client;
        let name = language.say(&client.name_ja, &client.name_en);
        let user = &asked.session.user.name;
        let say = |japanese, english| language.say(japanese, english);
        let lasting = asked.offer.choices.iter().any(|scope| scope.resource().is_none());
        let purpose = purposes(asked, language);
        let (heading, lead, signed_in, purpose) = match language {
            Language::Japanese => (
                format!("「{name}」に許可しますか"),
                format!("アプリ「{name}」が、記録を使う許可を求めています。選んだものだけが渡されます。"),
                format!("{user} としてサインインしています。"),
                format!("使う目的: {purpose}"),
            ),
            Language::English => (
                format!("Allow “{name}”?"),
                format!("The app “{name}” asks to use records. It gets only what you tick."),
                format!("You are signed in as {user}."),
                format!("Purpose: {purpose}"),
            ),
        };
        Self {
            heading,
            lead,
            signed_in,
            purpose,
            whose: say("どなたの記録ですか:", "Whose records:"),
            what: say("許可するもの", "What to allow"),
            all: if lasting {
                say("下のすべて(許可を取り消すまでの継続的なアクセスを含む)", "All of these, lasting access included")
            } else {
                say("下のすべて", "All of these")
            },
            implied: say("このほかにアプリへ伝わること:", "The app also learns:"),
            withdraw: say(
                "許可は「つながっているアプリ」のページでいつでも取り消せます。",
                "You can withdraw this at any time on the page “Connected apps”.",
            ),
        }
    }
}

/// In what relation which purpose: a guardian's differs from that of the person herself.
fn purposes(asked: &Asked<'_>, language: Language) -> String {
    let registered = &asked.request.client.purposes;
    let mut names: Vec<String> = Vec::new();
    for one in &asked.offer.people {
        let name = purpose_name(one.acts_for.relation.purpose(registered), language);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        names.push(purpose_name(&registered.professional, language));
    }
    names.join(" / ")
}

fn relation(relation: Relation, language: Language) -> &'static str {
    match relation {
        Relation::Own => language.say("ご本人", "yourself"),
        Relation::Guardian => language.say("保護者として", "as guardian"),
        Relation::Delegate => language.say("頼まれた人として", "as delegate"),
    }
}

/// v3-ActReason in plain words.
fn purpose_name(code: &str, language: Language) -> String {
    let words = match code {
        "PATRQT" => ("本人の求めによる利用", "at the person's own request"),
        "FAMRQT" | "PWATRNY" => ("家族・代理人の求めによる利用", "at the request of family or proxy"),
        "SUPNWK" => ("身近な人による支援", "support by people close to the person"),
        "TREAT" => ("診療", "treatment"),
        "PUBHLTH" => ("公衆衛生", "public health"),
        "HRESCH" => ("研究", "research"),
        _ => return code.to_owned(),
    };
    language.say(words.0, words.1).to_owned()
}
