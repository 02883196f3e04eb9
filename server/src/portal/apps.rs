//! `/apps`: connected apps and shares, each with a button that withdraws it.
//!
//! Every active Consent of the people whom someone acts for is listed, whoever
//! gave it, for either guardian may revoke. What is allowed is read from the
//! Consent itself, in the words of the approval page. A sign-in without any
//! record has no Consent and is listed by its grant.

use std::collections::HashMap;

use askama::Template;
use techo_profiles::json::Json;

use super::people::{self, Person, Tie};
use super::shell::{Here, Shell};
use super::{shown_of, words};
use crate::app::App;
use crate::auth::login::Session;
use crate::auth::scope::{Meaning, Scope, Scopes};
use crate::auth::server::AuthorizationServer;
use crate::auth::wording::{self, Language};
use crate::consent::label;
use crate::consent::policy::KIND_SYSTEM;
use crate::consent::view::{CitizenKey, CustodianKey};
use crate::interaction::filing::{self, EndedBy};
use crate::interaction::shown::{Looked, Shown};
use crate::interaction::{Call, Error, Ground, Interaction, is_id};
use crate::store::StoreError;
use crate::store::account::GrantWithConsents;
use crate::store::audit::{Filter, Kind, Party};
use crate::store::entity::client;
use crate::store::facts::Custody;

/// The page.
#[derive(Clone, Debug, Template)]
#[template(path = "apps.html")]
pub struct AppsPage {
    shell: Shell,
    shares: Vec<Share>,
    /// Something was withdrawn just now.
    done: bool,
}

/// One app or person who may use records.
#[derive(Clone, Debug)]
struct Share {
    name: String,
    is_app: bool,
    person: Option<String>,
    allowed: Vec<Right>,
    kept_back: Vec<Right>,
    lasting: bool,
    purpose: Option<String>,
    since: String,
    until: Option<String>,
    /// Who gave it, if someone else.
    by: Option<String>,
    /// Whose backend filed it, where no person did.
    filed_by: Option<String>,
    last: Option<String>,
    /// What the button sends back: the name of its field, and the id.
    field: &'static str,
    id: String,
}

/// One thing that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Right {
    title: String,
    detail: String,
}

/// Consents of one person that are listed, at most.
const MOST: u32 = 1000;
/// How far back the last use is looked for, in audit entries.
const LOOKED_BACK: u32 = 500;
/// The kinds of entry that are a use.
const USES: &[Kind] = &[Kind::Read, Kind::Vread, Kind::Search, Kind::History, Kind::Create, Kind::Update];

/// Reads what is connected.
pub async fn page(call: Call<'_>, shell: Shell, session: &Session, done: bool) -> Result<AppsPage, Error> {
    let people = people::people(&call, shell.language).await?;
    let people: Vec<&Person> = people.iter().filter(|person| person.tie != Tie::Shared).collect();
    let grants = call.accounts.grants_of(&session.user.id).await.map_err(StoreError::from)?;
    let mut disclosed = Vec::new();
    let mut consents = Vec::new();
    for person in &people {
        for consent in active(&call, person).await? {
            disclosed.push((person.key, "Consent".to_owned()));
            consents.push((*person, consent));
        }
    }
    let known = Known::of(&call, &shell, &people, consents.iter().map(|(_, consent)| consent)).await?;
    let mut shares: Vec<Share> =
        consents.iter().map(|(person, consent)| known.share(person, consent, &grants)).collect();
    shares.extend(grants.iter().filter(|one| one.consents.is_empty()).map(|one| known.sign_in(one)));
    let asked = |ids: String| {
        let query = vec![("patient".to_owned(), ids), ("status".to_owned(), "active".to_owned())];
        Interaction::Search(Ground::Type("Consent".to_owned()), query)
    };
    shown_of(&call, &people, &disclosed, asked).await?;
    Ok(AppsPage { shell: shell.at(Here::Apps), shares, done })
}

/// The active Consents of someone, newest first.
async fn active(call: &Call<'_>, person: &Person) -> Result<Vec<Shown>, Error> {
    let query = [
        ("patient".to_owned(), format!("Patient/{}", person.id)),
        ("status".to_owned(), "active".to_owned()),
        ("_sort".to_owned(), "-_lastUpdated".to_owned()),
    ];
    let (found, _) = call.found(("Consent", &query), MOST, &mut Looked::default()).await?;
    Ok(found)
}

/// What an answer of the form asks for.
#[derive(Clone, Debug)]
pub enum Withdrawal {
    /// A Consent, with every grant that hangs on it.
    Consent(String),
    /// A grant that has no Consent.
    Grant(String),
}

/// Withdraws. The next request of the app is refused.
///
/// * `call`: about to update.
///
/// # Errors
/// [`Error::NotFound`] for what is not hers to withdraw, as for an id that never was.
pub async fn withdraw(
    call: &Call<'_>,
    server: &AuthorizationServer,
    session: &Session,
    what: &Withdrawal,
) -> Result<(), Error> {
    match what {
        Withdrawal::Consent(id) => {
            if !is_id(id) {
                return Err(Error::NotFound);
            }
            let found = call.named("Consent", &[id]).await?;
            let found = found.iter().find(|one| !one.withdrawn).ok_or(Error::NotFound)?;
            let acts = call
                .candidates
                .iter()
                .find(|one| found.subjects.contains(&one.citizen) && one.under_authority(call.now))
                .ok_or(Error::NotFound)?;
            let purpose = people::looking_at(call.doing(call.action), Tie::of(acts, call.now));
            let by = EndedBy {
                client: Some(Party::new(call.caller.device(), None)),
                user: user(call, session),
                purpose: Some(purpose.caller.purpose.code().into()),
            };
            filing::end(call.app, std::slice::from_ref(id), &by).await
        }
        Withdrawal::Grant(id) => {
            let own = call.accounts.grants_of(&session.user.id).await.map_err(StoreError::from)?;
            let grant = own.iter().find(|one| one.grant.id == *id && one.consents.is_empty());
            let grant = grant.ok_or(Error::NotFound)?;
            let ended = server.end_grant(&grant.grant.id).await;
            ended.map_err(|error| Error::Internal(format!("a grant was not ended: {error}")))
        }
    }
}

fn user(call: &Call<'_>, session: &Session) -> Option<Party> {
    let user = call.caller.user.as_ref()?;
    let reference = user.fhir_user.clone().or_else(|| user.references.first().cloned())?;
    Some(Party::new(reference, Some(&session.user.name)))
}

/// What the page knows of those whom the Consents name.
struct Known<'a> {
    app: &'a App,
    language: Language,
    /// The references that are the viewer herself.
    own: Vec<Box<str>>,
    clients: HashMap<String, String>,
    names: HashMap<String, String>,
    /// References of the Organizations whose backends filed some of them.
    filers: HashMap<CustodianKey, String>,
    /// The latest use of someone's records, by her key and the reference of the app or person.
    used: HashMap<(CitizenKey, String), i64>,
}

impl<'a> Known<'a> {
    async fn of<'c>(
        call: &Call<'a>,
        shell: &Shell,
        people: &[&Person],
        consents: impl Iterator<Item = &'c Shown> + Clone,
    ) -> Result<Self, Error> {
        let filed = consents.clone().filter(|one| one.custody == Custody::Published);
        let filers = people::keepers(call, filed.map(|one| one.custodian)).await?;
        let mut mentioned: Vec<&str> = filers.values().map(String::as_str).collect();
        consents.for_each(|consent| people::references(&consent.resource, &mut mentioned));
        Ok(Self {
            app: call.app,
            language: shell.language,
            own: call.caller.user.as_ref().map(|user| user.references.clone()).unwrap_or_default(),
            clients: clients(call.app, shell.language).await?,
            names: people::directory(call, mentioned.into_iter(), shell.language).await?,
            filers,
            used: used(call, people).await?,
        })
    }

    fn share(&self, person: &Person, filed: &Shown, grants: &[GrantWithConsents]) -> Share {
        let (id, consent) = (&filed.id, &filed.resource);
        let filer = self.filers.get(&filed.custodian).filter(|_| filed.custody == Custody::Published);
        let provision = consent.get("provision");
        let actors: Vec<&Json> = provision
            .map_or(&[][..], |root| root.list("actor"))
            .iter()
            .filter_map(|actor| actor.get("reference"))
            .collect();
        let references: Vec<&str> = actors.iter().filter_map(|actor| actor.str("reference")).collect();
        let names: Vec<String> = actors.iter().map(|actor| self.name(actor)).collect();
        let grants: Vec<&GrantWithConsents> =
            grants.iter().filter(|one| one.consents.iter().any(|row| row.consent == *id)).collect();
        let performer = consent.list("performer").iter().find(|one| !self.is_own(one));
        let (allowed, kept_back) = rights(consent, self.language);
        let period = |name| provision.and_then(|root| root.get("period")?.str(name));
        Share {
            name: if names.is_empty() { words::EVERYONE.say(self.language).to_owned() } else { names.join("、") },
            is_app: references.iter().any(|one| one.starts_with("Device/")),
            person: Some(person.name.clone()),
            allowed,
            kept_back,
            lasting: grants.iter().any(|one| Scopes::known(&one.grant.scopes).has(&Meaning::OfflineAccess)),
            purpose: purposes(provision, &grants, self.language),
            since: self.date(consent.str("dateTime").or_else(|| period("start")).unwrap_or_default()),
            until: period("end").map(|end| self.date(end)),
            by: performer.map(|one| self.name(one)),
            filed_by: filer.map(|reference| self.names.get(reference).unwrap_or(reference).clone()),
            last: references
                .iter()
                .filter_map(|one| self.used.get(&(person.key, (*one).to_owned())))
                .max()
                .map(|at| self.instant(*at)),
            field: "consent",
            id: id.clone(),
        }
    }

    /// A grant that lets an app know who signs in, and nothing more.
    fn sign_in(&self, one: &GrantWithConsents) -> Share {
        let say = |words: words::Words| words.say(self.language).to_owned();
        Share {
            name: self.clients.get(&one.grant.client).cloned().unwrap_or_else(|| one.grant.client.clone()),
            is_app: true,
            person: None,
            allowed: vec![Right { title: say(words::SIGN_IN_ONLY), detail: String::new() }],
            kept_back: Vec::new(),
            lasting: false,
            purpose: None,
            since: self.instant(one.grant.created),
            until: None,
            by: None,
            filed_by: None,
            last: None,
            field: "grant",
            id: one.grant.id.clone(),
        }
    }

    fn is_own(&self, reference: &Json) -> bool {
        reference.str("reference").is_some_and(|text| self.own.iter().any(|own| **own == *text))
    }

    fn name(&self, reference: &Json) -> String {
        let text = reference.str("reference").unwrap_or_default();
        let client = text.strip_prefix("Device/").and_then(|id| self.clients.get(id));
        let known = client.or_else(|| self.names.get(text)).cloned();
        known.or_else(|| reference.str("display").map(str::to_owned)).unwrap_or_else(|| text.to_owned())
    }

    fn date(&self, text: &str) -> String {
        words::date(text, self.language, self.app.zone())
    }

    fn instant(&self, micros: i64) -> String {
        instant(micros, self.language, self.app)
    }
}

/// Names of all clients, by id.
pub(super) async fn clients(app: &App, language: Language) -> Result<HashMap<String, String>, Error> {
    let clients = app.accounts.clients().await.map_err(StoreError::from)?;
    let name = |client: &client::Model| language.say(&client.name_ja, &client.name_en).to_owned();
    Ok(clients.iter().map(|client| (client.id.clone(), name(client))).collect())
}

pub(super) fn instant(micros: i64, language: Language, app: &App) -> String {
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    words::instant(at, language, app.zone())
}

/// The same to the minute, as `time` in HTML has it.
pub(super) fn machine_time(micros: i64, app: &App) -> String {
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(app.zone().clone()).strftime("%Y-%m-%dT%H:%M%:z").to_string()
}

/// The latest use of these people's records by each app and person.
async fn used(call: &Call<'_>, people: &[&Person]) -> Result<HashMap<(CitizenKey, String), i64>, Error> {
    let citizens: Vec<i64> = people.iter().map(|person| person.key).collect();
    let filter = Filter {
        citizens: &citizens,
        from: None,
        until: None,
        kinds: USES,
        only: None,
        after: None,
        limit: LOOKED_BACK,
    };
    let found = call.audit.entries(&filter).await.map_err(|error| StoreError::Audit(error.to_string()))?;
    let mut used = HashMap::new();
    for one in found {
        let record = &one.record;
        for party in [&record.client, &record.user, &record.organization].into_iter().flatten() {
            // Newest first: the first one found is the latest.
            used.entry((one.citizen, party.reference.to_string())).or_insert(record.at);
        }
    }
    Ok(used)
}

fn purposes(provision: Option<&Json>, grants: &[&GrantWithConsents], language: Language) -> Option<String> {
    let coded = provision.map_or(&[][..], |root| root.list("purpose")).iter().filter_map(|one| one.str("code"));
    let mut all: Vec<String> = Vec::new();
    for code in coded.chain(grants.iter().map(|one| one.grant.purpose.as_str())) {
        let name = words::purpose(code, language);
        if !all.contains(&name) {
            all.push(name);
        }
    }
    (!all.is_empty()).then(|| all.join(" / "))
}

/// What a Consent lets through and what it keeps back, provision by provision.
fn rights(consent: &Json, language: Language) -> (Vec<Right>, Vec<Right>) {
    let (mut allowed, mut kept_back) = (Vec::new(), Vec::new());
    let Some(root) = consent.get("provision") else { return (allowed, kept_back) };
    let ruled = consent.get("policyRule").is_some_and(|rule| {
        rule.list("coding").iter().any(|coding| matches!(coding.str("code"), Some("OPTIN" | "OPTINR")))
    });
    let nodes = std::iter::once((root, ruled)).chain(root.list("provision").iter().map(|node| (node, !ruled)));
    for (node, otherwise) in nodes {
        let permits = node.str("type").map_or(otherwise, |kind| kind == "permit");
        let list = if permits { &mut allowed } else { &mut kept_back };
        for right in rights_of(node, root, language) {
            if !list.contains(&right) {
                list.push(right);
            }
        }
    }
    (allowed, kept_back)
}

/// A provision in the approval page's words; what it leaves unsaid, its root says.
fn rights_of(node: &Json, root: &Json, language: Language) -> Vec<Right> {
    let told = |name: &str| if node.list(name).is_empty() { root.list(name) } else { node.list(name) };
    let letters = letters(told("action"));
    let codes: Vec<String> = told("code")
        .iter()
        .flat_map(|concept| concept.list("coding"))
        .filter_map(|coding| {
            let code = coding.str("code")?;
            Some(coding.str("system").map_or_else(|| code.to_owned(), |system| format!("{system}|{code}")))
        })
        .collect();
    let query: Vec<String> = codes.iter().map(|code| format!("category={code}")).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let named = |kind: &str, title: Option<String>| {
        let scope = Scope::parse(&format!("patient/{kind}.{letters}{query}"));
        let words = scope.map(|scope| wording::of(&scope, language));
        let words = words.unwrap_or_else(|_| wording::Wording { title: kind.to_owned(), detail: String::new() });
        // The approval page names the type beside its words.
        let plain = words.title.replacen(&format!(" ({kind})"), "", 1);
        Right { title: title.unwrap_or(plain), detail: words.detail }
    };
    let classes = told("class");
    if classes.is_empty() {
        return vec![named("*", None)];
    }
    classes
        .iter()
        .filter_map(|class| {
            let code = class.str("code")?;
            if class.str("system") == Some(KIND_SYSTEM) {
                let known = label::KINDS.iter().find(|(number, ..)| number.to_string() == code);
                let title = known.map_or(code, |(_, japanese, english)| language.say(japanese, english));
                // A kind is no type; any type's words say what may be done.
                return Some(named("Observation", Some(title.to_owned())));
            }
            Some(named(code, None))
        })
        .collect()
}

/// Consent actions as the letters of a scope; all of them where none is named.
fn letters(actions: &[Json]) -> String {
    let codes: Vec<&str> =
        actions.iter().flat_map(|action| action.list("coding")).filter_map(|coding| coding.str("code")).collect();
    let has = |any: &[&str]| codes.is_empty() || codes.iter().any(|code| any.contains(code));
    let table: [(&[&str], char); 5] = [
        (&["collect"], 'c'),
        (&["access", "disclose", "use"], 'r'),
        (&["correct"], 'u'),
        (&["correct"], 'd'),
        (&["access", "disclose", "use"], 's'),
    ];
    table.into_iter().filter(|(any, _)| has(any)).map(|(_, letter)| letter).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::consent::filed::{Approval, consent};

    fn titles(rights: &[Right]) -> Vec<String> {
        rights.iter().map(|right| format!("{}: {}", right.title, right.detail)).collect()
    }

    #[test]
    fn a_filed_consent_is_read_back_in_the_words_it_was_given_in() {
        for (scopes, expected) in [
            ("patient/Immunization.rs", &["Vaccinations: May: read."][..]),
            (
                "patient/Observation.rs?category=laboratory patient/Immunization.cruds",
                &[
                    "Vaccinations: May: read, add, change, delete.",
                    "Measurements and test values (only: laboratory): May: read.",
                ],
            ),
        ] {
            let scopes = Scopes::known(scopes);
            let filed = consent(&Approval {
                performer: "Patient/mother",
                client: "app-a",
                client_name: "App",
                patient: "mother",
                organization: "Organization/town",
                scopes: &scopes,
                text: "text",
                language: "en",
                at: Timestamp::UNIX_EPOCH,
                until: None,
            });
            let (allowed, kept_back) = rights(&filed.expect("a Consent"), Language::English);
            assert_eq!(titles(&allowed), expected);
            assert_eq!(kept_back, []);
        }
    }

    #[test]
    fn what_a_share_keeps_back_stands_apart() {
        let shared = techo_profiles::json!({
            "policyRule": {"coding": [{"code": "OPTIN"}]},
            "provision": {
                "action": [{"coding": [{"code": "access"}]}],
                "class": [{"system": (KIND_SYSTEM), "code": "5"}, {"system": (KIND_SYSTEM), "code": "6"}],
                "provision": [{"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Media"}]}]
            }
        });
        let (allowed, kept_back) = rights(&shared, Language::Japanese);
        assert_eq!(titles(&allowed), ["予防接種: できること: 読む。", "健診: できること: 読む。"]);
        assert_eq!(titles(&kept_back), ["写真: できること: 読む。"]);
    }
}
