//! `/access`: who looked, when, at what, why, and by which permission.
//!
//! An entry speaks of one person alone. The same record may name others whom the
//! same answer held; nothing of them is read here.

use std::collections::HashMap;

use askama::Template;

use super::apps::{clients, instant, machine_time};
use super::people::{self, Person, Tie};
use super::shell::{Here, Shell};
use super::{shown_of, words};
use crate::auth::wording::Language;
use crate::interaction::{Call, Error, Ground, Interaction};
use crate::store::StoreError;
use crate::store::audit::{Cursor, Disclosed, Filter, Found, Kind, Outcome, Party, Record};

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "access.html")]
pub struct AccessPage {
    shell: Shell,
    lines: Vec<Line>,
    /// Without the viewer's own visits.
    others: bool,
    /// This is not the newest page.
    back: bool,
    /// Link to what came before.
    older: Option<String>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    when: String,
    /// The same to the minute, for machines.
    at: String,
    who: String,
    through: Option<String>,
    /// What `through` is: the means, or the app that was allowed.
    label: &'static str,
    /// For whom an app did it.
    behalf: Option<String>,
    verb: &'static str,
    whose: String,
    what: String,
    purpose: Option<String>,
    why: Option<String>,
    /// It did not happen.
    refused: Option<&'static str>,
    /// It was the viewer herself.
    own: bool,
}

/// Beside a type of which nothing went out.
const ONLY_WHETHER: words::Words = words::Words("(有無・件数のみ)", " (only whether there is any, or how many)");

/// Entries a page.
const PAGE: usize = 50;
/// Entries looked through for a page, at most.
const LOOKED_THROUGH: usize = 2000;

/// Which page.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The sealed place to go on from.
    pub before: Option<String>,
    /// Leave out the viewer's own visits.
    pub others: bool,
}

/// Reads a page of entries.
///
/// # Errors
/// [`Error::NotFound`] for a link that was not made for this person.
pub async fn page(call: Call<'_>, shell: Shell, asked: Asked) -> Result<AccessPage, Error> {
    let people = people::people(&call, shell.language).await?;
    let people: Vec<Person> = people.into_iter().filter(|person| person.tie != Tie::Shared).collect();
    let context = format!("access {}", call.bearer.account.as_deref().unwrap_or_default());
    let after = match &asked.before {
        Some(sealed) => {
            let bytes = call.sealer.open_link(context.as_bytes(), sealed).map_err(|_| Error::NotFound)?;
            Some(Cursor::from_bytes(&bytes).ok_or(Error::NotFound)?)
        }
        None => None,
    };
    let (found, next) = entries(&call, &people, after, asked.others).await?;
    let known = Known::of(&call, &shell, &people, &found).await?;
    let lines = together(found.iter().filter_map(|one| known.line(one)), shell.language);
    let disclosed: Vec<_> = found.iter().map(|one| (one.citizen, "AuditEvent".to_owned())).collect();
    let everyone: Vec<&Person> = people.iter().collect();
    let question = |ids| Interaction::Search(Ground::Type("AuditEvent".to_owned()), vec![("patient".to_owned(), ids)]);
    shown_of(&call, &everyone, &disclosed, question).await?;
    let others = if asked.others { "&others=1" } else { "" };
    let older = next.map(|next| {
        let sealed = call.sealer.seal_link(context.as_bytes(), &next.bytes());
        shell.link(&format!("/access?before={sealed}{others}"))
    });
    Ok(AccessPage { shell: shell.at(Here::Access), lines, others: asked.others, back: asked.before.is_some(), older })
}

/// Up to a page of entries, and where to go on if there are more.
async fn entries(
    call: &Call<'_>,
    people: &[Person],
    mut after: Option<Cursor>,
    others: bool,
) -> Result<(Vec<Found>, Option<Cursor>), Error> {
    let citizens: Vec<i64> = people.iter().map(|person| person.key).collect();
    let mut kept: Vec<Found> = Vec::new();
    let mut seen = 0;
    while seen < LOOKED_THROUGH {
        let filter = Filter { citizens: &citizens, from: None, until: None, kinds: &[], only: None, after, limit: 200 };
        let found = call.audit.entries(&filter).await.map_err(|error| StoreError::Audit(error.to_string()))?;
        let last = found.len() < 200;
        seen += found.len();
        for one in found {
            after = Some(one.cursor);
            if others && is_own_visit(call, &one.record) {
                continue;
            }
            if kept.len() == PAGE {
                let next = kept.last().map(|one| one.cursor);
                return Ok((kept, next));
            }
            kept.push(one);
        }
        if last {
            return Ok((kept, None));
        }
    }
    Ok((kept, after))
}

/// Lines that say the same of several people as one.
fn together(lines: impl Iterator<Item = Line>, language: Language) -> Vec<Line> {
    let mut all: Vec<Line> = Vec::new();
    for line in lines {
        match all.last_mut() {
            Some(last) if (Line { whose: last.whose.clone(), ..line.clone() }) == *last => {
                if !last.whose.split(comma(language)).any(|name| name == line.whose) {
                    last.whose = format!("{}{}{}", last.whose, comma(language), line.whose);
                }
            }
            _ => all.push(line),
        }
    }
    all
}

fn comma(language: Language) -> &'static str {
    language.say("、", ", ")
}

fn is_own(call: &Call<'_>, party: &Party) -> bool {
    let own = call.caller.user.as_ref().map_or(&[][..], |user| &user.references);
    own.iter().any(|one| **one == *party.reference)
}

/// Whether the viewer herself looked, on these pages.
fn is_own_visit(call: &Call<'_>, record: &Record) -> bool {
    let here = record.client.as_ref().is_some_and(|client| *client.reference == *PORTAL);
    here && record.user.as_ref().is_some_and(|user| is_own(call, user))
}

/// Whether an app acted for a citizen, and so is the one that looked.
fn on_behalf(record: &Record) -> bool {
    let app = record.client.as_ref().is_some_and(|client| *client.reference != *PORTAL);
    let citizen = record.user.as_ref().is_some_and(|user| !user.reference.starts_with("Practitioner"));
    app && citizen && record.organization.is_none() && !matches!(record.kind, Kind::Grant | Kind::Revoke)
}

/// The portal as a client.
const PORTAL: &str = "Device/portal";

/// What the page knows of those whom the entries name.
struct Known<'a> {
    call: &'a Call<'a>,
    language: Language,
    people: &'a [Person],
    clients: HashMap<String, String>,
    names: HashMap<String, String>,
}

impl<'a> Known<'a> {
    async fn of(call: &'a Call<'a>, shell: &Shell, people: &'a [Person], found: &[Found]) -> Result<Self, Error> {
        let mut parties: Vec<&str> = Vec::new();
        for one in found {
            parties
                .extend([&one.record.user, &one.record.organization].into_iter().flatten().map(|one| &*one.reference));
        }
        let names = people::directory(call, parties.into_iter(), shell.language).await?;
        let clients = clients(call.app, shell.language).await?;
        Ok(Self { call, language: shell.language, people, clients, names })
    }

    /// An entry in words; `None` if it is about nobody here.
    fn line(&self, found: &Found) -> Option<Line> {
        let record = &found.record;
        let disclosed = record.patients.get(found.ordinal)?;
        let whose = self.people.iter().find(|person| person.key == found.citizen)?;
        let say = |words: words::Words| words.say(self.language);
        let program = record.client.as_ref().map(|client| self.program(client));
        let person = record.user.as_ref().map(|user| self.name(user));
        let organization = record.organization.as_ref().map(|party| self.name(party));
        let permission = matches!(record.kind, Kind::Grant | Kind::Revoke);
        let (who, through, behalf) = if on_behalf(record) {
            // An app is a recipient like any other, whoever uses it.
            (program, None, person)
        } else {
            let who = match (person, organization) {
                (Some(person), Some(organization)) => Some(format!("{person} ({organization})")),
                (one, other) => one.or(other),
            };
            match who {
                Some(who) => (Some(who), program, None),
                None => (program, None, None),
            }
        };
        let own = is_own_visit(self.call, record);
        Some(Line {
            when: instant(record.at, self.language, self.call.app),
            at: machine_time(record.at, self.call.app),
            who: who.unwrap_or_else(|| say(words::SERVER).to_owned()),
            through,
            behalf,
            verb: say(verb(record.kind)),
            whose: whose.name.clone(),
            what: if permission {
                String::new()
            } else {
                self.what(record.resource.as_deref(), record.kind, disclosed).join(comma(self.language))
            },
            purpose: record.purpose.as_deref().map(|code| words::purpose(code, self.language)),
            why: if permission { None } else { self.why(record.client.as_ref(), disclosed) },
            label: say(if record.kind == Kind::Grant { words::APP } else { words::THROUGH }),
            refused: match record.outcome {
                Outcome::Success => None,
                Outcome::Refused => Some(say(words::REFUSED)),
                Outcome::Failed | Outcome::Broken => Some(say(words::FAILED)),
            },
            own,
        })
    }

    fn what(&self, resource: Option<&str>, kind: Kind, disclosed: &Disclosed) -> Vec<String> {
        let counted = disclosed.counts.iter().map(|(kind, count)| match count {
            0 => format!("{}{}", words::kind(kind, self.language), ONLY_WHETHER.say(self.language)),
            1 => words::kind(kind, self.language),
            many => format!("{} ({many})", words::kind(kind, self.language)),
        });
        let counted: Vec<String> = counted.collect();
        match (counted.is_empty(), resource.and_then(|resource| resource.split('/').next())) {
            (false, _) => counted,
            (true, Some(of)) => vec![words::kind(of, self.language)],
            (true, None) if kind == Kind::Search => vec![words::NOTHING_OF.say(self.language).to_owned()],
            (true, None) => Vec::new(),
        }
    }

    fn why(&self, client: Option<&Party>, disclosed: &Disclosed) -> Option<String> {
        let layer = disclosed.layer.and_then(|layer| words::look_up(words::LAYERS, layer.code()));
        let layer = layer.map(|words| words.say(self.language).to_owned());
        if disclosed.consents.is_empty() {
            return layer;
        }
        let permission = words::BY_CONSENT.say(self.language);
        let permission = match client.map(|client| self.program(client)) {
            Some(app) => self
                .language
                .say(&format!("「{app}」への{permission}"), &format!("{permission} for “{app}”"))
                .to_owned(),
            None => permission.to_owned(),
        };
        Some(layer.map_or(permission.clone(), |layer| format!("{layer} + {permission}")))
    }

    fn program(&self, client: &Party) -> String {
        if *client.reference == *PORTAL {
            return words::THIS_PORTAL.say(self.language).to_owned();
        }
        let id = client.reference.strip_prefix("Device/").unwrap_or(&client.reference);
        self.clients
            .get(id)
            .cloned()
            .or_else(|| client.name.as_deref().map(str::to_owned))
            .unwrap_or_else(|| words::UNKNOWN_APP.say(self.language).to_owned())
    }

    fn name(&self, party: &Party) -> String {
        if is_own(self.call, party) {
            return words::YOU.say(self.language).to_owned();
        }
        let known = self.names.get(&*party.reference).cloned();
        // An id tells a reader nothing.
        known.or_else(|| party.name.as_deref().map(str::to_owned)).unwrap_or_else(|| {
            let kind = party.reference.split('/').next().unwrap_or_default();
            words::look_up(words::NAMELESS, kind).unwrap_or(words::SOMEONE).say(self.language).to_owned()
        })
    }
}

/// What was done.
fn verb(kind: Kind) -> words::Words {
    use words::Words;
    match kind {
        Kind::Read | Kind::Vread | Kind::Search | Kind::History | Kind::Operation => Words("が見ました", "looked at"),
        Kind::Create => Words("が加えました", "added"),
        Kind::Update | Kind::Patch => Words("が変えました", "changed"),
        Kind::Delete => Words("が消しました", "deleted"),
        Kind::Import => Words("が取り込みました", "imported"),
        Kind::Export => Words("が書き出しました", "exported"),
        Kind::Grant => Words("が許可しました", "allowed access to"),
        Kind::Revoke => Words("が許可を取り消しました", "withdrew access to"),
        Kind::Refusal => Words("が見ようとしました", "tried to look at"),
        Kind::SignIn | Kind::SignInFailed | Kind::SignOut | Kind::TokenIssued | Kind::TokenRevoked => {
            Words("がサインインに関する操作をしました", "signed in or out")
        }
        Kind::Operator | Kind::Repaired => Words("が管理の操作をしました", "did upkeep"),
    }
}

impl AccessPage {
    fn first(&self) -> &'static str {
        if self.others { "/access?others=1" } else { "/access" }
    }
}
