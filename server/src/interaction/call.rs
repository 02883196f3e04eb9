//! From an access token to a [`Call`]: who asks, and what she may see.
//!
//! Whether everything still holds is asked anew at every request, before any
//! data is read: a request that begins after a revocation was committed sees it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use techo_profiles::json::Json;

use super::plan::{About, Draft};
use super::{Call, Error, Interaction, Issue, Location, Past, Target, filing};
use crate::app::{App, Circle, ConsentTerms};
use crate::consent::caller::{Action, Candidate, Purpose};
use crate::consent::stance::MOST_SAID;
use crate::consent::write::{self, Denied, Keeping};
use crate::consent::{View, decide, policy};
use crate::secret;
use crate::store::account::BearerRow;
use crate::store::entity::account;
use crate::store::reader::{Reader, Stored};
use crate::store::{Committed, Refused, WriteSet};

impl App {
    /// Who asks with this token, and what she may see.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] unless the token, its client, grant and user are all alive.
    pub async fn call(&self, token: &str, lenient: bool, interaction: &Interaction) -> Result<Call<'_>, Error> {
        self.called_by(secret::hash(token.as_bytes()).as_ref().into(), lenient, interaction.action()).await
    }

    /// The same.
    ///
    /// * `hash`: of the token.
    async fn called_by(&self, hash: Arc<[u8]>, lenient: bool, action: Action) -> Result<Call<'_>, Error> {
        let now = self.clock.micros();
        let known = self.circles.of(&hash);
        if let Some((bearer, circle, warrant)) = known.as_deref().and_then(|known| known.presumed(now))
            && self.store.stands(&warrant).await?
        {
            return Ok(Call { token: Some(hash), ..self.called(bearer, &circle, action, now, lenient) });
        }
        let watch = known.as_deref().map(|known| &known.watch);
        let found = self.accounts.bearer_watched(&hash, now, watch).await;
        let (bearer, mark) = found.map_err(crate::store::StoreError::from)?.ok_or(Error::Unauthorized)?;
        let bearer = Arc::new(bearer);
        let kept = known.as_deref().and_then(|known| known.circle(&bearer, &mark, now));
        let circle = match kept {
            Some(circle) => circle,
            None => {
                let circle = Arc::new(Box::pin(self.circle(&bearer, now)).await?);
                self.circles.keep(&hash, known.as_deref(), mark, &bearer, &circle, now);
                circle
            }
        };
        Ok(Call { token: Some(hash), ..self.called(bearer, &circle, action, now, lenient) })
    }

    /// The same for a read by a caller who is remembered, without asking yet: its
    /// first statement finds out whether what was decided still stands. A call
    /// whose warrant is not confirmed in the end has answered nothing, and counts
    /// as never made.
    pub fn presumed(&self, token: &str, lenient: bool, interaction: &Interaction) -> Option<Call<'_>> {
        // What is asked by GET changes nothing; an operation of one resource reads that first.
        let reads = match interaction {
            Interaction::Read(..) | Interaction::Vread(..) | Interaction::Search(..) => true,
            Interaction::Operation(asked) => !asked.post && matches!(asked.on, Target::Instance(_)),
            _ => false,
        };
        if !reads || interaction.kind() == Some("AuditEvent") {
            return None;
        }
        let now = self.clock.micros();
        let hash = secret::hash(token.as_bytes());
        let (bearer, circle, warrant) = self.circles.of(hash.as_ref())?.presumed(now)?;
        let call = self.called(bearer, &circle, interaction.action(), now, lenient);
        Some(Call { warrant: Some(Arc::new(warrant)), token: Some(hash.as_ref().into()), ..call })
    }

    fn called(&self, bearer: Arc<BearerRow>, circle: &Circle, action: Action, now: i64, lenient: bool) -> Call<'_> {
        let views = circle.views.clone();
        Call {
            app: self,
            bearer,
            token: None,
            view: views.of(action, now, || decide(&circle.caller, now, action, &circle.candidates, &circle.others)),
            caller: circle.caller.clone(),
            candidates: circle.candidates.clone(),
            standing: circle.standing.clone(),
            others: circle.others.clone(),
            views,
            warrant: None,
            now,
            action,
            lenient,
            japanese: false,
            give: None,
            looks: Arc::default(),
            base: self.config.fhir_base(),
        }
    }
}

impl App {
    /// The holder of an account in the product's own portal, about to do `action`.
    pub async fn portal_call(&self, account: &account::Model, action: Action) -> Result<Call<'_>, Error> {
        let now = self.clock.micros();
        let circle = self.portal_circle(account, now).await?;
        let bearer = BearerRow {
            id: "portal".into(),
            grant_id: None,
            scopes: String::new(),
            patient: None,
            purpose: circle.caller.purpose.code().into(),
            with_id_token: false,
            issued: now,
            expires: now,
            client: circle.caller.client.id.to_string(),
            client_kind: "portal".into(),
            client_organization: None,
            custodial: false,
            account: Some(account.id.clone()),
            account_name: Some(account.name.clone()),
            account_kind: Some(account.kind.clone()),
            fhir_user: account.fhir_user.clone(),
            account_patient: account.patient.clone(),
            account_organization: account.organization.clone(),
            account_role: account.role.clone(),
        };
        Ok(self.called(Arc::new(bearer), &circle, action, now, false))
    }
}

impl Interaction {
    /// What it needs to be allowed.
    pub fn action(&self) -> Action {
        match self {
            Self::Read(..) | Self::Vread(..) | Self::History(Past::Instance(_), _) => Action::Read,
            Self::History(..) => Action::History,
            Self::Search(..) | Self::Bundle(_) | Self::Operation(_) | Self::Capabilities(_) => Action::Search,
            Self::Create { .. } => Action::Create,
            Self::Update { .. } | Self::Patch { .. } => Action::Update,
            Self::Delete { .. } => Action::Delete,
        }
    }
}

impl<'a> Call<'a> {
    /// Reads what the caller may do this action with.
    pub fn reader(&self) -> Reader<'_> {
        self.app.store.reader(&self.view).under(self.warrant.as_deref())
    }

    /// The same caller as she is now: what is long at work asks again before each part of it
    /// whether she may still go on, and what is decided.
    ///
    /// # Errors
    /// [`Error::Unauthorized`] once her token has ended.
    pub async fn anew(&self) -> Result<Call<'a>, Error> {
        let Some(token) = &self.token else { return Ok(self.doing(self.action)) };
        let call = self.app.called_by(token.clone(), self.lenient, self.action).await?;
        Ok(Call { japanese: self.japanese, give: self.give, looks: self.looks.clone(), ..call })
    }

    /// Whether the answer rests on a decision that was found to stand.
    pub fn confirmed(&self) -> bool {
        self.warrant.as_ref().is_none_or(|warrant| warrant.confirmed())
    }

    /// The same caller, about to do something else.
    pub fn doing(&self, action: Action) -> Call<'a> {
        Call {
            app: self.app,
            bearer: self.bearer.clone(),
            token: self.token.clone(),
            caller: self.caller.clone(),
            candidates: self.candidates.clone(),
            standing: self.standing.clone(),
            others: self.others.clone(),
            views: self.views.clone(),
            warrant: self.warrant.clone(),
            now: self.now,
            action,
            view: self.view_for(action),
            lenient: self.lenient,
            japanese: self.japanese,
            give: self.give,
            looks: self.looks.clone(),
            base: self.base.clone(),
        }
    }

    /// The same under another purpose of use. Views made for the first say nothing of it.
    #[must_use]
    pub fn under(mut self, purpose: Purpose) -> Self {
        Arc::make_mut(&mut self.caller).purpose = purpose;
        self.views = Arc::default();
        self.view = self.view_for(self.action);
        self
    }

    /// What the caller may do `action` with.
    pub fn view_for(&self, action: Action) -> Arc<View> {
        self.views.of(action, self.now, || decide(&self.caller, self.now, action, &self.candidates, &self.others))
    }

    /// The world in which a condition is judged: what the caller can search.
    pub fn world(&self) -> Arc<View> {
        self.view_for(Action::Search)
    }

    /// A name for that world: equal for callers whose conditions must exclude each other.
    pub fn world_name(&self) -> String {
        match self.caller.publisher() {
            Some(key) => format!("custodian {key}"),
            None => format!(
                "client {} user {} patient {}",
                self.caller.client.id,
                self.bearer.account.as_deref().unwrap_or_default(),
                self.caller.patient.as_deref().unwrap_or_default()
            ),
        }
    }

    /// The current version that the caller may do `action` with; `None` where the
    /// id is free, or where she may choose none and someone else holds it.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for what the caller may read and not change;
    /// [`Error::Conflict`] where someone else holds an id that she may choose, alike for
    /// live, deleted and hidden.
    ///
    /// What she is told by either is on record: a version that does not fit tells of one too.
    pub async fn writable_now(&self, at: &Location, action: Action) -> Result<Option<Stored>, Error> {
        if self.publishes(at) {
            return Err(super::update::taken());
        }
        let view = self.view_for(action);
        if let Some(found) = self.store.reader(&view).current(&at.kind, &at.id).await? {
            self.looked_at(std::slice::from_ref(&found)).await?;
            return Ok(Some(found));
        }
        let chooses = self.caller.publisher().is_some();
        if chooses && !self.store.in_use(&at.kind, &at.id).await? {
            return Ok(None);
        }
        // What a search finds is known of as well as what is read.
        for known in [Action::Read, Action::Search] {
            let view = self.view_for(known);
            if let Some(found) = self.store.reader(&view).current(&at.kind, &at.id).await? {
                self.looked_at(&[found]).await?;
                return Err(untouchable());
            }
        }
        if !chooses {
            // An id in other hands is no id to her: that it is in use is not even asked,
            // or the time of the answer would tell.
            return Ok(None);
        }
        // It may have been made between the questions, and be no secret.
        self.store.reader(&view).current(&at.kind, &at.id).await?.map(Some).ok_or_else(super::update::taken)
    }

    /// Whether the draft may be written, and in whose keeping it will be.
    ///
    /// # Errors
    /// [`Error::Forbidden`], the same whether or not a patient exists.
    pub async fn writable(
        &self,
        action: Action,
        draft: &Draft,
        about: &About,
        old: Option<&Stored>,
    ) -> Result<Keeping, Error> {
        let is_consent = draft.at.kind == "Consent";
        let subjects = self.subjects(about, is_consent).await?;
        let before = old.filter(|_| is_consent).map(Stored::json).transpose()?.flatten();
        // In a block: what is asked may not live across the next await.
        let keeping = {
            let asked = write::Asked {
                caller: &self.caller,
                now: self.now,
                action,
                resource: &draft.resource,
                subjects: &subjects,
                existing: old.map(|old| Keeping { custodian: old.custodian, custody: old.custody }),
                before: before.as_ref(),
                time: &|| {
                    let extracted = self.app.extract(&draft.at.kind, &draft.resource).ok()?;
                    extracted.clinical.time.map(|span| span.low..span.high)
                },
            };
            write::decide(&asked).map_err(denied)?
        };
        if is_consent {
            self.enforceable(&draft.resource).await?;
        }
        Ok(keeping)
    }

    /// The subjects of a draft as the decision needs them.
    ///
    /// * `consent`: the draft is a Consent.
    async fn subjects(&self, about: &About, consent: bool) -> Result<Vec<write::Subject>, Error> {
        let mut subjects = Vec::new();
        for (patient, citizen) in &about.subjects {
            let candidate = match citizen {
                Some(citizen) => Some(self.candidate(citizen.key, patient).await?),
                None => None,
            };
            // Only who gives a Consent must hold authority; nothing else asks for it.
            let holders = if consent { self.app.guardians(patient, self.now).await? } else { Vec::new() };
            subjects.push(write::Subject {
                patient: patient.as_str().into(),
                custodian: citizen.as_ref().map(|citizen| citizen.custodian),
                candidate,
                holders,
            });
        }
        Ok(subjects)
    }

    /// The same caller, to whom this patient comes into question too: she may share with
    /// everyone.
    pub async fn meeting(mut self, patient: &str) -> Result<Self, Error> {
        let known = self.candidates.iter().any(|one| *one.patient == *patient);
        let citizen = if known { None } else { self.store.citizens(&[patient]).await?.remove(patient) };
        let Some(citizen) = citizen else { return Ok(self) };
        let people = [(citizen.key, patient.to_owned())];
        let (candidates, standing) = self.app.candidates(&people, &BTreeMap::new(), self.now).await?;
        Arc::make_mut(&mut self.candidates).extend(candidates);
        Arc::make_mut(&mut self.standing).extend(standing);
        // Views made without her say nothing of her.
        self.views = Arc::default();
        self.view = self.view_for(self.action);
        Ok(self)
    }

    async fn candidate(&self, key: i64, patient: &str) -> Result<Candidate, Error> {
        if let Some(known) = self.candidates.iter().find(|candidate| candidate.citizen == key) {
            return Ok(known.clone());
        }
        // A publisher writes by its custody: the citizens' Consents do not count there.
        if self.caller.publisher().is_some() {
            let patient = patient.into();
            return Ok(Candidate { citizen: key, patient, authority: None, blocked: false, consents: Vec::new() });
        }
        let (mut found, _) = self.app.candidates(&[(key, patient.to_owned())], &BTreeMap::new(), self.now).await?;
        found.pop().ok_or_else(|| Error::Internal("a citizen without a candidate".into()))
    }

    /// Rule 0: a Consent that is stored active is enforced, or it is refused. One that a
    /// custodian files permits it nothing.
    async fn enforceable(&self, consent: &Json) -> Result<(), Error> {
        let mut known = HashSet::new();
        for reference in actors(consent.get("provision")) {
            if self.knows_actor(&reference).await? {
                known.insert(reference);
            }
        }
        let terms = ConsentTerms::new(self.app, known);
        let compiled = policy::compile(consent, &terms, &self.config.zone).map_err(|refusals| {
            let issue = |refusal: &policy::Refusal| {
                Issue::error("business-rule", refusal.text_en(), refusal.text_ja()).at(refusal.expression.clone())
            };
            Error::Unprocessable(refusals.iter().map(issue).collect())
        })?;
        if compiled.as_ref().is_some_and(|policy| policy.weight() > MOST_SAID) {
            return Err(Error::Unprocessable(vec![says_too_much()]));
        }
        let own = self.caller.client.organization.as_ref().filter(|_| self.caller.publisher().is_some());
        let Some(own) = own.filter(|own| compiled.is_some_and(|policy| policy.permits(&own.reference))) else {
            return Ok(());
        };
        let (en, ja) = PERMITS_ITSELF;
        let at = named_at(consent.get("provision"), "Consent.provision", &own.reference).unwrap_or_default();
        Err(Error::Unprocessable(vec![Issue::error("business-rule", en, ja).at(at)]))
    }

    /// Whether someone may be named in a Consent: one of the public directory, or a person
    /// whose own record the caller may read. Others are answered like nobody, or whoever
    /// writes a Consent could ask with it who is here.
    async fn knows_actor(&self, reference: &str) -> Result<bool, Error> {
        if self.app.is_public_actor(reference).await? {
            return Ok(true);
        }
        let Some(at) = Location::read(reference) else { return Ok(false) };
        let view = self.view_for(Action::Read);
        let found = self.store.reader(&view).current(&at.kind, &at.id).await?;
        Ok(found.is_some_and(|found| !found.is_deleted()))
    }

    /// Writes a set: in the same transaction the Consents end that it takes the place of,
    /// and its audit records are kept.
    pub async fn commit(&self, mut set: WriteSet) -> Result<Result<Committed, Refused>, Error> {
        filing::supersede(self.app, &mut set).await?;
        set.extras.extend(self.write_records(&set.puts).await?);
        let defined = super::parameter::changes(self.app, &set.puts)?;
        let defines = !defined.is_empty();
        set.extras.extend(defined);
        let written = self.store.write(set).await?;
        if defines && written.is_ok() {
            // Its own author finds it changed at once.
            self.app.catch_up().await?;
        }
        Ok(written)
    }
}

/// What is there to be read only: the caller knows of it, so that it may be said.
pub(super) fn untouchable() -> Error {
    Error::Forbidden(Issue::error(
        "forbidden",
        "You may read this resource, and not change it.",
        "このリソースは読むことができますが、変更や削除はできません。",
    ))
}

/// 403, with its reason.
pub(super) fn denied(reason: Denied) -> Error {
    Error::Forbidden(Issue::error("forbidden", reason.text(), reason.text_ja()))
}

/// Why a custodian's backend may not file a Consent that names its own Organization.
const PERMITS_ITSELF: (&str, &str) = (
    "A custodian cannot file a Consent that permits its own Organization anything. The patient, or someone who \
     holds authority over the patient, files it, in the portal or with an app.",
    "管理者は、自分の組織に許可を与える同意を登録できません。本人または本人に代わる権限を持つ人が、ポータルまたはアプリで登録してください。",
);

fn says_too_much() -> Issue {
    Issue::error(
        "too-costly",
        format!(
            "An active Consent may hold {MOST_SAID} actors, actions, purposes, classes and codes in all, those counted \
             again that an exception inherits, and a code with all that it subsumes. Say it by classes instead of single \
             codes, or in several Consents."
        ),
        format!(
            "有効な同意に書ける相手・行為・目的・種別・コードは、例外が親から引き継ぐものや下位のコードも数えて、合わせて{MOST_SAID}個までです。\
             コードの代わりに種別で指定するか、複数の同意に分けてください。"
        ),
    )
    .at("Consent.provision")
}

/// Where a provision names this actor first.
fn named_at(provision: Option<&Json>, path: &str, reference: &str) -> Option<String> {
    let provision = provision?;
    let is_it = |actor: &Json| actor.at(&["reference", "reference"]).and_then(Json::as_str) == Some(reference);
    if let Some(at) = provision.list("actor").iter().position(is_it) {
        return Some(format!("{path}.actor[{at}].reference"));
    }
    let mut inner = provision.list("provision").iter().enumerate();
    inner.find_map(|(at, inner)| named_at(Some(inner), &format!("{path}.provision[{at}]"), reference))
}

/// Every actor that a provision names, at any depth.
fn actors(provision: Option<&Json>) -> Vec<String> {
    let Some(provision) = provision else { return Vec::new() };
    let own = provision.list("actor").iter().filter_map(|actor| actor.at(&["reference", "reference"])?.as_str());
    let nested = provision.list("provision").iter().flat_map(|inner| actors(Some(inner)));
    own.map(str::to_owned).chain(nested).collect()
}
