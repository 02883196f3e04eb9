//! Who calls, and who comes into question for her: a decision's ingredients,
//! gathered from the directory, the accounts and the Consents.
//!
//! To take one more thing into account: gather it here, and watch it
//! ([`crate::store::watch`]), or the kept decision outlives it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use techo_profiles::codes::{Codes, Membership as Code};
use techo_profiles::json::Json;

use super::{App, COMPILED};
use crate::auth::client::Client as Registered;
use crate::circles::Views;
use crate::consent::caller::{
    Action, Authority, AuthorityKind, Caller, Candidate, Client, Membership, Organization, Purpose, User,
};
use crate::consent::decide::{LONG, MOST_OF_ALL, length, length_by_stance};
use crate::consent::policy::{self, Policy, Terms};
use crate::consent::stance::{self, Others, StanceKey};
use crate::consent::subject::SHARED;
use crate::consent::supersede::Filed;
use crate::consent::view::{CitizenKey, CustodianKey};
use crate::consent::{View, decide};
use crate::interaction::Error;
use crate::store::StoreError;
use crate::store::account::BearerRow;
use crate::store::entity::authority;
use crate::store::people::{Citizen, StoredConsent};
use crate::store::watch::Watch;

impl App {
    /// Whether the public directory knows an actor: a registered client's Device, or one
    /// whose resource is here and of a type that hides nobody.
    pub async fn is_public_actor(&self, reference: &str) -> Result<bool, Error> {
        match reference.split_once('/') {
            Some(("Device", client)) => Ok(self.accounts.client(client).await.map_err(StoreError::from)?.is_some()),
            Some((kind, id)) if SHARED.contains(&kind) => Ok(self.store.key(kind, id).await?.is_some()),
            _ => Ok(false),
        }
    }

    /// Every reference that holds authority over a patient now, her own Patient among them.
    pub async fn holders(&self, patient: &str, now: i64) -> Result<Vec<Box<str>>, Error> {
        let holders = self.accounts.holders(patient, now).await.map_err(StoreError::from)?;
        let others = holders.iter().filter_map(|one| one.related_person.as_deref()).map(related_person);
        Ok(std::iter::once(format!("Patient/{patient}").into()).chain(others).collect())
    }

    /// Those of [`App::holders`] whose authority is their own: a delegate sees, and gives nothing on.
    pub async fn guardians(&self, patient: &str, now: i64) -> Result<Vec<Box<str>>, Error> {
        let holders = self.accounts.holders(patient, now).await.map_err(StoreError::from)?;
        let own = holders.iter().filter(|one| authority_of(one).is_some());
        let others = own.filter_map(|one| one.related_person.as_deref()).map(related_person);
        Ok(std::iter::once(format!("Patient/{patient}").into()).chain(others).collect())
    }

    /// Whether anyone's account holds authority over a patient now, her own among them.
    pub async fn is_held(&self, patient: &str, now: i64) -> Result<bool, Error> {
        Ok(!self.accounts.holders(patient, now).await.map_err(StoreError::from)?.is_empty())
    }

    /// Whether clients or accounts are registered for an Organization, or records are in its
    /// keeping beside itself.
    pub async fn is_rested_on(&self, organization: &str, key: CustodianKey) -> Result<bool, Error> {
        let is_registered = self.accounts.is_registered_for(organization).await.map_err(StoreError::from)?;
        Ok(is_registered || self.store.keeps(key).await?)
    }

    /// Who calls with this token, and the citizens who come into question.
    pub async fn circle(&self, bearer: &BearerRow, now: i64) -> Result<Circle, Error> {
        let held = match &bearer.account {
            Some(account) => self.accounts.authorities(account, now).await.map_err(StoreError::from)?,
            None => Vec::new(),
        };
        let organization = match &bearer.client_organization {
            Some(reference) => self.organization(reference).await?,
            None => None,
        };
        let caller = Caller {
            client: Client {
                id: bearer.client.as_str().into(),
                portal: false,
                organization,
                custodial: bearer.custodial,
            },
            user: match &bearer.account {
                Some(_) => Some(
                    self.user(
                        bearer.account_patient.as_deref(),
                        bearer.fhir_user.as_deref(),
                        bearer.account_organization.as_deref().map(|id| (id, bearer.account_role.as_deref())),
                        &held,
                    )
                    .await?,
                ),
                None => None,
            },
            purpose: self.purpose(&bearer.purpose),
            scopes: crate::auth::scope::Scopes::parse(&bearer.scopes).0,
            patient: bearer.patient.as_deref().map(Into::into),
        };
        let gathered = self.gathered(&caller, &held, now).await?;
        Ok(Circle::new(bearer.account.as_deref(), caller, &held, gathered))
    }

    /// The citizen herself in the product's own portal.
    pub async fn portal_circle(
        &self,
        account: &crate::store::entity::account::Model,
        now: i64,
    ) -> Result<Circle, Error> {
        let held = self.accounts.authorities(&account.id, now).await.map_err(StoreError::from)?;
        let user = self
            .user(
                account.patient.as_deref(),
                account.fhir_user.as_deref(),
                account.organization.as_deref().map(|id| (id, account.role.as_deref())),
                &held,
            )
            .await?;
        let caller = Caller {
            client: Client { id: "portal".into(), portal: true, organization: None, custodial: false },
            user: Some(user),
            purpose: self.purpose("PATRQT"),
            scopes: crate::auth::scope::Scopes::default(),
            patient: None,
        };
        let gathered = self.gathered(&caller, &held, now).await?;
        Ok(Circle::new(Some(&account.id), caller, &held, gathered))
    }

    /// A backend that asks for all that it is registered for: an operator acts in its place.
    pub async fn backend(&self, client: &Registered) -> Result<Caller, Error> {
        let organization = match &client.organization {
            Some(reference) => self.organization(reference).await?,
            None => None,
        };
        Ok(Caller {
            client: Client { id: client.id.as_str().into(), portal: false, organization, custodial: client.custodial },
            user: None,
            purpose: self.purpose(&client.purposes.system),
            scopes: client.scopes.clone(),
            patient: None,
        })
    }

    async fn user(
        &self,
        patient: Option<&str>,
        fhir_user: Option<&str>,
        work: Option<(&str, Option<&str>)>,
        held: &[authority::Model],
    ) -> Result<User, Error> {
        let mut references: Vec<Box<str>> = Vec::new();
        references.extend(patient.map(|id| format!("Patient/{id}").into()));
        references.extend(fhir_user.map(Into::into));
        references.extend(held.iter().filter_map(|one| one.related_person.as_deref()).map(related_person));
        references.sort();
        references.dedup();
        let memberships = match work {
            Some((organization, role)) => self
                .organization(organization)
                .await?
                .into_iter()
                .map(|organization| Membership { organization, roles: role.iter().map(|&role| role.into()).collect() })
                .collect(),
            None => Vec::new(),
        };
        Ok(User { references, fhir_user: fhir_user.map(Into::into), memberships })
    }

    /// An Organization of the directory, with its key as a custodian.
    async fn organization(&self, reference: &str) -> Result<Option<Organization>, Error> {
        let id = reference.strip_prefix("Organization/").unwrap_or(reference);
        let Some(key) = self.store.key("Organization", id).await? else { return Ok(None) };
        let full = format!("Organization/{id}");
        let people = self.accounts.people_of(id).await.map_err(StoreError::from)?;
        Ok(Some(Organization { reference: full.into(), key, people: people.into_iter().map(Into::into).collect() }))
    }

    /// A purpose of use with the codes above it.
    pub fn purpose(&self, code: &str) -> Purpose {
        let all = self.codes.code_system(ACT_REASON).map_or(&[][..], |system| &system.facts().concepts);
        let above = all
            .iter()
            .map(|concept| &*concept.code)
            .filter(|above| *above != code && self.codes.subsumes(ACT_REASON, above, code) == Some(true));
        Purpose::new(code, &above.collect::<Vec<_>>())
    }

    /// Everyone who comes into question for this caller: one by one, or by stance
    /// where many share with her.
    async fn gathered(&self, caller: &Caller, held: &[authority::Model], now: i64) -> Result<Gathered, Error> {
        let authorities: BTreeMap<String, Authority> =
            held.iter().filter_map(|one| Some((one.patient.clone(), authority_of(one)?))).collect();
        let mut people: BTreeMap<CitizenKey, String> = BTreeMap::new();
        let mut patients: Vec<&str> = held.iter().map(|one| one.patient.as_str()).collect();
        patients.extend(caller.patient.as_deref());
        for (patient, citizen) in self.store.citizens(&patients).await? {
            people.insert(citizen.key, patient);
        }
        let known: HashSet<CitizenKey> = people.keys().copied().collect();
        let mut others = None;
        if caller.patient.is_none() {
            let most = self.config.one_by_one;
            let sharing = if caller.client.portal {
                // Her own portal shows her each who names her, and those who share with
                // everyone when she asks for them (`Call::meeting`).
                self.store.naming(&caller.shared_with()).await?
            } else {
                self.store.sharing_with(&caller.shared_with(), most + 1).await?
            };
            if sharing.len() > most && !caller.client.portal {
                others = Some(self.stances(caller.concerned_by()).await?);
            } else {
                people.extend(self.store.patients(&sharing).await?);
            }
        }
        let all: Vec<(CitizenKey, String)> = people.into_iter().collect();
        let (candidates, standing) = self.candidates(&all, &authorities, now).await?;
        let watched = all.iter().map(|(key, patient)| (*key, patient.as_str().into())).collect();
        let gathered = Gathered { candidates, standing, others, watched, few: false };
        if all.len() > known.len() && !caller.client.portal && gathered.others.is_none() {
            return Box::pin(self.shortened((caller, now), &known, gathered)).await;
        }
        Ok(gathered)
    }

    /// The same by stance, where those who share say more than a statement should hold for each
    /// of them, and so less, or more than is heard. What is said of each one's own days is one
    /// stance. Who has another one than those heard is spoken of one by one all the same.
    ///
    /// * `known`: who is spoken of one by one all the same.
    async fn shortened(
        &self,
        (caller, now): (&Caller, i64),
        known: &HashSet<CitizenKey>,
        mut gathered: Gathered,
    ) -> Result<Gathered, Error> {
        let length = length(caller, now, &gathered.candidates);
        if length <= LONG {
            return Ok(gathered);
        }
        let others = self.stances(caller.concerned_by()).await?;
        let sharing: Vec<CitizenKey> = gathered.candidates.iter().map(|one| one.citizen).collect();
        let heard: Vec<StanceKey> = others.said.iter().filter_map(|policy| policy.stance).collect();
        let odd = match &others.unheard {
            Some(actors) => self.store.odd(&sharing, actors, &heard).await?,
            None => HashSet::new(),
        };
        let stays = |citizen: &CitizenKey| known.contains(citizen) || odd.contains(citizen);
        let rest: Vec<Candidate> = gathered.candidates.iter().filter(|one| stays(&one.citizen)).cloned().collect();
        // Each stance is also asked whether it stands.
        let by_stance = 2 * length_by_stance(caller, now, &others) + self::length(caller, now, &rest);
        if by_stance <= length || length > MOST_OF_ALL {
            gathered.candidates = rest;
            gathered.standing.retain(|one| stays(&one.citizen));
            gathered.others = Some(others);
            gathered.few = true;
        }
        Ok(gathered)
    }

    /// What all Consents that may concern one of these say, by stance.
    async fn stances(&self, actors: Vec<String>) -> Result<Others, Error> {
        let terms = ConsentTerms::new(self, HashSet::new());
        let mut found = Vec::new();
        let (stances, all) = self.store.stances_about(&actors, stance::MOST).await?;
        for (key, said) in stances {
            let known = self.stances.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
            if let Some(policy) = known {
                found.push(policy);
                continue;
            }
            let said = Json::parse(said.as_bytes()).map_err(|_| Error::Internal("a stance is no JSON".into()))?;
            let policy = policy::compile_stance(key, &said, &policy::Stored(&terms), &self.config.zone);
            // As for a whole Consent: nothing may be answered on a guess.
            let policy = policy.ok().flatten().ok_or_else(|| Error::Internal("a stance is not enforceable".into()))?;
            let policy = Arc::new(policy);
            let mut known = self.stances.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() > COMPILED {
                known.clear();
            }
            known.insert(key, policy.clone());
            found.push(policy);
        }
        let all_of_them = found.len();
        if !Others::bears(&found) {
            let keys: Vec<StanceKey> = found.iter().filter_map(|policy| policy.stance).collect();
            let voices = self.store.voices(&keys).await?;
            found = Others::bearable(found, |key| voices.get(&key).copied().unwrap_or(0));
        }
        let all = all && found.len() == all_of_them;
        if !all {
            tracing::warn!(
                heard = found.len(),
                "the Consents that concern one caller say more different things than are decided about; \
                 citizens whose own few others have are not shown without a patient in context, where many share"
            );
        }
        Ok(Others { said: found, unheard: (!all).then_some(actors) })
    }

    /// These citizens with the Consents in force for each.
    pub async fn candidates(
        &self,
        people: &[(CitizenKey, String)],
        authorities: &BTreeMap<String, Authority>,
        now: i64,
    ) -> Result<(Vec<Candidate>, Vec<Standing>), Error> {
        let keys: Vec<CitizenKey> = people.iter().map(|(key, _)| *key).collect();
        let consents = self.store.consents(&keys).await?;
        let compiled = self.compiled(&consents).await?;
        let mut by_citizen: HashMap<CitizenKey, Vec<(&StoredConsent, Arc<Policy>)>> = HashMap::new();
        for (consent, filed) in consents.iter().zip(compiled) {
            if let Some(policy) = filed.and_then(|filed| filed.policy.clone()) {
                by_citizen.entry(consent.citizen).or_default().push((consent, policy));
            }
        }
        let mut found = Vec::new();
        let mut standing = Vec::new();
        for (key, patient) in people {
            let own = by_citizen.remove(key).unwrap_or_default();
            let performers = if own.is_empty() { Vec::new() } else { self.holders(patient, now).await? };
            let mut consents = Vec::new();
            for (consent, policy) in own {
                if policy.performers.iter().any(|one| performers.contains(one)) {
                    consents.push(policy.clone());
                    let (id, version) = (consent.id.clone(), consent.version);
                    standing.push(Standing { citizen: *key, id: id.into(), version, policy });
                }
            }
            found.push(Candidate {
                citizen: *key,
                patient: patient.as_str().into(),
                authority: authorities.get(patient).cloned(),
                blocked: false,
                consents,
            });
        }
        Ok((found, standing))
    }

    /// What a backend may read of one citizen now, whoever else shares with it.
    pub async fn reads(&self, backend: &Caller, citizen: &Citizen) -> Result<View, Error> {
        let now = self.clock.micros();
        let people = [(citizen.key, citizen.patient.clone())];
        let (candidates, _) = self.candidates(&people, &BTreeMap::new(), now).await?;
        Ok(decide(backend, now, Action::Read, &candidates, &Others::default()))
    }

    /// What these Consents say, in their order, each read and compiled once; `None` for
    /// one that is not active.
    pub async fn compiled(&self, consents: &[StoredConsent]) -> Result<Vec<Option<Arc<Filed>>>, Error> {
        let place = |consent: &StoredConsent| (consent.rid, consent.version);
        let mut found: HashMap<(i64, i32), Option<Arc<Filed>>> = {
            let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
            let known = |consent| Some((place(consent), compiled.get(&place(consent))?.clone()));
            consents.iter().filter_map(known).collect()
        };
        let missing: Vec<&StoredConsent> =
            consents.iter().filter(|consent| !found.contains_key(&place(consent))).collect();
        if !missing.is_empty() {
            let rids: Vec<i64> = missing.iter().map(|consent| consent.rid).collect();
            let bodies = self.store.consent_bodies(&rids).await?;
            let mut new = Vec::new();
            for consent in missing {
                let Some(body) = bodies.get(&consent.rid) else { continue };
                let resource = Json::parse(body).map_err(|_| Error::Internal("stored Consent is no JSON".into()))?;
                new.push((place(consent), self.filed(&resource, consent.filer)?.map(Arc::new)));
            }
            found.extend(new.iter().cloned());
            let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
            if compiled.len() > COMPILED {
                compiled.clear();
            }
            compiled.extend(new);
        }
        Ok(consents.iter().map(|consent| found.get(&place(consent)).cloned().flatten()).collect())
    }

    /// What a Consent says that was found enforceable when it was filed; `None` for one
    /// that is not active.
    ///
    /// * `filer`: the Organization whose backend filed it as its custodian.
    pub fn filed(&self, consent: &Json, filer: Option<CustodianKey>) -> Result<Option<Filed>, Error> {
        let terms = ConsentTerms::new(self, HashSet::new());
        let policy = policy::compile(consent, &policy::Stored(&terms), &self.config.zone);
        // Stored active and not enforceable: nothing may be answered on a guess.
        let policy = policy.map_err(|_| Error::Internal("a stored Consent is not enforceable".into()))?;
        Ok(Filed::of(consent, filer, policy))
    }
}

/// Who comes into question for a caller.
#[derive(Debug)]
struct Gathered {
    candidates: Vec<Candidate>,
    standing: Vec<Standing>,
    /// What everyone else says, by stance, where those who share are too many.
    others: Option<Others>,
    /// Those who come into question, with their Patients, however they are spoken of; where
    /// many share, not those.
    watched: Vec<(CitizenKey, Box<str>)>,
    /// Few share: whoever joins them, or says something else, is seen at once.
    few: bool,
}

/// Who calls, and what decides about what she may see.
#[derive(Clone, Debug)]
pub struct Circle {
    /// Who calls.
    pub caller: Arc<Caller>,
    /// The citizens who come into question.
    pub candidates: Arc<Vec<Candidate>>,
    /// Their Consents in force, as stored.
    pub standing: Arc<Vec<Standing>>,
    /// What everyone else says, by stance.
    pub others: Arc<Others>,
    /// What may be seen, by action.
    pub views: Arc<Views>,
    /// What all this was made from.
    pub watch: Watch,
}

impl Circle {
    fn new(account: Option<&str>, caller: Caller, held: &[authority::Model], gathered: Gathered) -> Self {
        let Gathered { candidates, standing, others, watched, few } = gathered;
        let mut patients: Vec<String> = held.iter().map(|one| one.patient.clone()).collect();
        patients.extend(caller.patient.as_deref().map(str::to_owned));
        patients.extend(watched.iter().map(|(_, patient)| patient.to_string()));
        patients.sort();
        patients.dedup();
        let work = caller.user.iter().flat_map(|user| &user.memberships).map(|one| &one.organization);
        let organizations = caller.client.organization.iter().chain(work).map(|one| one.reference.to_string());
        // A patient in context leaves everyone else out, whoever shares.
        let one_by_one = caller.patient.is_none() && (others.is_none() || few);
        let actors = if one_by_one { caller.shared_with() } else { Vec::new() };
        let watch = Watch {
            account: account.map(str::to_owned),
            patients,
            citizens: watched.iter().map(|(citizen, _)| *citizen).collect(),
            organizations: organizations.collect(),
            actors: actors.into_iter().map(str::to_owned).collect(),
            stances: match &others {
                Some(others) if others.unheard.is_none() => caller.concerned_by(),
                _ => Vec::new(),
            },
            // Where as many are heard as may be, another one changes nothing of what was decided.
            newest: match &others {
                Some(others) if others.unheard.is_some() && others.said.len() < stance::MOST => caller.concerned_by(),
                _ => Vec::new(),
            },
        };
        Self {
            caller: Arc::new(caller),
            candidates: Arc::new(candidates),
            standing: Arc::new(standing),
            others: Arc::new(others.unwrap_or_default()),
            views: Arc::default(),
            watch,
        }
    }
}

/// A Consent in force.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whose.
    pub citizen: CitizenKey,
    /// Its id.
    pub id: Arc<str>,
    /// Its version.
    pub version: i32,
    /// What it says.
    pub policy: Arc<Policy>,
}

/// v3-ActReason, whose codes are purposes of use.
pub const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

fn related_person(reference: &str) -> Box<str> {
    if reference.starts_with("RelatedPerson/") { reference.into() } else { format!("RelatedPerson/{reference}").into() }
}

/// A delegate has no authority of her own: she sees what a Consent names her for.
fn authority_of(row: &authority::Model) -> Option<Authority> {
    let kind = match row.kind.as_str() {
        "self" => AuthorityKind::Own,
        "guardian" => AuthorityKind::Guardian,
        _ => return None,
    };
    Some(Authority { kind, from: Some(row.valid_from), until: row.valid_until })
}

/// Terminology and directory, as the consent compiler asks them.
#[derive(Debug)]
pub struct ConsentTerms<'a> {
    app: &'a App,
    actors: HashSet<String>,
}

impl<'a> ConsentTerms<'a> {
    /// * `actors`: references that the directory knows, among those asked about.
    pub fn new(app: &'a App, actors: HashSet<String>) -> Self {
        Self { app, actors }
    }
}

impl Terms for ConsentTerms<'_> {
    fn is_purpose(&self, code: &str) -> bool {
        self.app.codes.has_code(ACT_REASON, code) == Code::Yes
    }

    fn is_type(&self, name: &str) -> bool {
        self.app.definitions.type_number(name).is_some()
    }

    fn narrower(&self, system: &str, code: &str) -> Vec<Box<str>> {
        let all = self.app.codes.code_system(system).map_or(&[][..], |system| &system.facts().concepts);
        all.iter()
            .map(|concept| &concept.code)
            .filter(|below| ***below != *code && self.app.codes.subsumes(system, code, below) == Some(true))
            .cloned()
            .collect()
    }

    fn is_actor(&self, reference: &str) -> bool {
        self.actors.contains(reference)
    }
}
