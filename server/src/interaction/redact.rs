//! What goes out of a resource that only names the caller.
//!
//! A token with `fhirUser` may read the one resource it names: its id, name and
//! language, nothing else (`consent.md` §10).

use techo_profiles::json::Json;

use super::{Call, Error};
use crate::consent::caller::Action;
use crate::consent::view::Reach;
use crate::store::reader::Stored;

/// The elements that say who someone is.
const IDENTITY: &[&str] = &["resourceType", "id", "meta", "language", "name"];

impl Call<'_> {
    /// The body of a version as this caller may have it.
    pub(super) async fn redacted(&self, found: &Stored, body: Vec<u8>) -> Result<Vec<u8>, Error> {
        if self.action != Action::Read || !self.is_only_named(found).await? {
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

    /// Whether this version is visible because it is who the caller is, and for no
    /// other reason. That another reason reaches its type is not enough: it must
    /// reach this row.
    async fn is_only_named(&self, found: &Stored) -> Result<bool, Error> {
        let own = self.type_name(found.kind);
        let names = |reach: &Reach| matches!(reach, Reach::Identity { kind, id } if **kind == own && **id == *found.id);
        if !self.view.branches().iter().any(|branch| names(&branch.reach)) {
            return Ok(false);
        }
        let beside = self.view.beside_identity();
        Ok(self.store.reader(&beside).version(&own, &found.id, found.version).await?.is_none())
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
