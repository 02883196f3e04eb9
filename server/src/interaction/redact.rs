//! What goes out of a resource that only names the caller.
//!
//! A token with `fhirUser` may read the one resource it names: its id, name and
//! language, nothing else (`consent.md` §10).

use techo_profiles::json::Json;

use super::{Call, Error, Location};
use crate::consent::caller::Action;
use crate::consent::view::Reach;

/// The elements that say who someone is.
const IDENTITY: &[&str] = &["resourceType", "id", "meta", "language", "name"];

impl Call<'_> {
    /// The body as this caller may have it.
    pub(super) fn redacted(&self, at: &Location, body: Vec<u8>) -> Result<Vec<u8>, Error> {
        let identity =
            |reach: &Reach| matches!(reach, Reach::Identity { kind, id } if **kind == *at.kind && **id == *at.id);
        let named = self.view.branches().iter().any(|branch| identity(&branch.reach));
        if !named || self.action != Action::Read || self.reaches_otherwise(at) {
            return Ok(body);
        }
        let resource = Json::parse(&body).map_err(|_| Error::Internal("stored body is no JSON".into()))?;
        let kept = resource
            .members()
            .iter()
            .filter(|member| IDENTITY.contains(&&*member.name))
            .map(|member| (member.name.clone(), member.value.clone()));
        let mut kept = Json::object(kept);
        let subsetted = Json::object([
            ("system", Json::from("http://terminology.hl7.org/CodeSystem/v3-ObservationValue")),
            ("code", Json::from("SUBSETTED")),
        ]);
        if let Some(meta) = kept.get_mut("meta") {
            let mut tags = Json::array(meta.list("tag").iter().cloned());
            tags.push(subsetted);
            meta.set("tag", tags);
        }
        Ok(kept.to_string().into_bytes())
    }

    /// Whether another branch than the identity shows resources of this type.
    fn reaches_otherwise(&self, at: &Location) -> bool {
        self.view
            .branches()
            .iter()
            .any(|branch| !matches!(branch.reach, Reach::Identity { .. }) && branch.types.of(&at.kind).is_some())
    }

    /// Seals a page link for this caller alone.
    pub(super) fn seal_page(&self, bytes: &[u8]) -> String {
        self.sealer.seal_link(self.world_name().as_bytes(), bytes)
    }

    /// Opens a page link that was sealed for this caller.
    pub(super) fn open_page(&self, sealed: &str) -> Result<Vec<u8>, Error> {
        self.sealer.open_link(self.world_name().as_bytes(), sealed).map_err(|_| super::search::foreign_page())
    }
}
