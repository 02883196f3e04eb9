//! What a person is asked, and what becomes of her answer.
//!
//! Nothing is granted that she did not tick, except what tells who she is and
//! for whom she acts. Her answer becomes a Consent first and a grant second, so
//! that no token exists without the Consent on which it hangs.
//!
//! Source: SMART App Launch 2.2 §Best practices; consent.md §2, §10

use super::authorize::{AuthorizationRequest, Refusal};
use super::login::Session;
use super::person::{AccountKind, ActsFor};
use super::scope::{Context, Meaning, Scope, Scopes};
use super::server::{Approval, AuthorizationServer, SECOND, ServerError};
use super::wording::Language;
use crate::secret::hash;
use crate::store::account::NewGrant;
use crate::store::entity::{app_grant, authorization_code};

/// Life of an authorization code.
const CODE: i64 = 60 * SECOND;

/// What a person can be asked to approve.
#[derive(Clone, Debug)]
pub struct Offer {
    /// For whose records: she picks one where there are several.
    pub people: Vec<Candidate>,
    /// To be ticked one by one: kinds of records, and lasting access.
    pub choices: Scopes,
    /// Granted without a tick.
    pub implied: Scopes,
}

/// A patient that may be picked.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Who, and why.
    pub acts_for: ActsFor,
    /// What she is called.
    pub name: String,
}

/// What came back from the page.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The scopes ticked.
    pub ticked: Vec<String>,
    /// "All of these" was ticked.
    pub all: bool,
    /// The patient picked.
    pub patient: Option<String>,
}

/// What becomes of an answer.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The browser goes here, with a code.
    Granted(String),
    /// The page is shown again.
    Again(Missing),
}

/// What an answer lacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No kind of record was ticked.
    Scopes,
    /// No patient was picked.
    Patient,
}

/// What `session`'s user can be asked; an error answer if nothing is left.
pub async fn offer(
    server: &AuthorizationServer,
    request: &AuthorizationRequest,
    session: &Session,
    language: Language,
) -> Result<Result<Offer, Refusal>, ServerError> {
    let mut people = Vec::new();
    for acts_for in server.acts_for(&session.user).await?.into_iter().filter(|one| one.with_apps) {
        // Nothing can be allowed of someone whose Patient is gone.
        if let Some(name) = server.files.patient_name(&acts_for.patient, language.code()).await {
            people.push(Candidate { acts_for, name });
        }
    }
    let has_people = !people.is_empty();
    let user = &session.user;
    let fits = |scope: &Scope| match scope.meaning() {
        Meaning::Resource(own) => match own.context {
            Context::Patient => has_people,
            // A person's rights are over patients; an operator has none over clinical data.
            Context::User => match user.kind {
                AccountKind::Person => has_people,
                AccountKind::Professional => true,
                AccountKind::Operator => false,
            },
            Context::System => false,
        },
        Meaning::LaunchContext(_) => has_people,
        Meaning::FhirUser => user.fhir_user.is_some(),
        Meaning::OpenId | Meaning::OfflineAccess | Meaning::OnlineAccess => true,
        Meaning::Launch | Meaning::CreateLaunch | Meaning::Introspect => false,
    };
    let fitting = request.scopes.only(fits);
    let ticked = |scope: &Scope| scope.resource().is_some() || *scope.meaning() == Meaning::OfflineAccess;
    let (choices, implied) = (fitting.only(ticked), fitting.only(|scope| !ticked(scope)));
    let anything = choices.resources().next().is_some() || implied.has(&Meaning::OpenId);
    if !anything {
        let why = "nothing of what was asked for can be granted by this user";
        return Ok(Err(request.refuse(server, "invalid_scope", why)));
    }
    Ok(Ok(Offer { people, choices, implied }))
}

impl Offer {
    /// Whether the page asks for whom.
    pub fn asks_for_whom(&self) -> bool {
        self.people.len() > 1 && self.is_about_patients()
    }

    /// Whether anything in it concerns a patient.
    pub fn is_about_patients(&self) -> bool {
        self.choices.resources().next().is_some()
            || self.implied.iter().any(|scope| matches!(scope.meaning(), Meaning::LaunchContext(_)))
    }

    /// The scopes and the patient of an answer.
    pub fn decide(&self, asked: &Scopes, answer: &Answer) -> Result<(Scopes, Option<ActsFor>), Missing> {
        let granted = asked.only(|scope| {
            let chosen = answer.all || answer.ticked.iter().any(|text| text == scope.text());
            self.implied.iter().any(|one| one == scope) || (chosen && self.choices.iter().any(|one| one == scope))
        });
        if self.choices.resources().next().is_some() && granted.resources().next().is_none() {
            return Err(Missing::Scopes);
        }
        let picked = match (self.people.as_slice(), &answer.patient) {
            ([], _) => None,
            _ if !self.is_about_patients() => None,
            ([only], None) => Some(only),
            (several, Some(id)) => {
                Some(several.iter().find(|one| one.acts_for.patient == *id).ok_or(Missing::Patient)?)
            }
            (_, None) => return Err(Missing::Patient),
        };
        Ok((granted, picked.map(|one| one.acts_for.clone())))
    }
}

/// What was approved, where, and in which words.
#[derive(Clone, Debug)]
pub struct Approved<'a> {
    /// What the application asked.
    pub request: &'a AuthorizationRequest,
    /// Who approves.
    pub session: &'a Session,
    /// What she granted.
    pub scopes: Scopes,
    /// For whose records.
    pub patient: Option<ActsFor>,
    /// The language of the page.
    pub language: Language,
    /// Its text.
    pub shown: String,
}

/// Files the Consent, opens the grant, and answers where the browser goes.
pub async fn grant(server: &AuthorizationServer, approved: Approved<'_>) -> Result<String, ServerError> {
    let Approved { request, session, scopes, patient, language, shown } = approved;
    let purposes = &request.client.purposes;
    let purpose = match &patient {
        Some(patient) => patient.relation.purpose(purposes),
        None => match session.user.kind {
            AccountKind::Professional => &purposes.professional,
            AccountKind::Person | AccountKind::Operator => &purposes.own,
        },
    };
    let now = server.clock.micros();
    let mut consents = Vec::new();
    if let Some(patient) = patient.as_ref().filter(|_| scopes.resources().next().is_some()) {
        let approval = Approval {
            client: request.client.clone(),
            approver: session.user.clone(),
            patients: vec![patient.clone()],
            scopes: scopes.clone(),
            purpose: purpose.to_owned(),
            language: language.code(),
            shown,
            at: now,
        };
        let filed = server.files.file(&approval).await?;
        consents.extend(filed.into_iter().map(|consent| (patient.patient.clone(), consent)));
    }
    let code = server.random.token();
    let grant = row(server, request, session, &scopes, patient.as_ref(), purpose);
    let code_row = authorization_code::Model {
        hash: hash(code.as_bytes()).to_vec(),
        grant_id: grant.id.clone(),
        client: request.client.id.clone(),
        redirect_uri: request.redirect.clone(),
        challenge: request.challenge.text().to_owned(),
        nonce: request.nonce.clone(),
        expires: now + CODE,
        used: 0,
    };
    let filed: Vec<String> = consents.iter().map(|(_, consent)| consent.clone()).collect();
    if let Err(error) = server.accounts.open_grant(NewGrant { grant, consents, code: code_row }).await {
        // The Consent stands alone now: take it back, or she would find an application she did not connect.
        server.files.end(&filed).await?;
        return Err(error.into());
    }
    Ok(request.answer(server, &code))
}

fn row(
    server: &AuthorizationServer,
    request: &AuthorizationRequest,
    session: &Session,
    scopes: &Scopes,
    patient: Option<&ActsFor>,
    purpose: &str,
) -> app_grant::Model {
    let in_context = scopes.speaks_of(Context::Patient) || scopes.has(&Meaning::LaunchContext("patient".into()));
    let with_session = scopes.has(&Meaning::OnlineAccess) && !scopes.has(&Meaning::OfflineAccess);
    app_grant::Model {
        id: server.random.id(),
        client: request.client.id.clone(),
        account: session.user.id.clone(),
        patient: patient.filter(|_| in_context).map(|patient| patient.patient.clone()),
        scopes: scopes.to_string(),
        purpose: purpose.to_owned(),
        session: with_session.then(|| session.hash.clone()),
        signed_in: session.signed_in,
        created: server.clock.micros(),
        ended: None,
    }
}
