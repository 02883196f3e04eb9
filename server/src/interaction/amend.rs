//! A change of a resource's profiles, security labels and tags, and of nothing else:
//! what `$meta-add` and `$meta-delete` do.
//!
//! R4 lets the version stay. It is a new one here: else a reader whose `If-None-Match`
//! names the version would be told that nothing changed, and a writer whose `If-Match`
//! does would put the old labels back without knowing. All is as with an update: who
//! may do it, what is valid, the index, the audit record.
//!
//! Source: FHIR R4 resource-operation-meta-add.html, resource-operation-meta-delete.html

use std::collections::HashSet;

use techo_profiles::json::{Json, splice};

use super::follow::Pending;
use super::plan::Draft;
use super::update::next;
use super::{Call, Error, Issue, Location, Reply};
use crate::consent::caller::Action;
use crate::store::StoreError;
use crate::store::write::Method;

/// Tries this often when other writers of the same resource come between.
const TRIES: usize = 8;

/// More items than these a list neither brings nor gets: it is read with every version.
pub const MOST: usize = 1000;

/// What is to become of the lists in `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// They get what they do not have yet.
    Add,
    /// They lose what they have.
    Remove,
}

/// Changes the `meta` of what is at `at` by the lists of `by`; the answer's body is the
/// whole resource as it is now.
///
/// # Errors
/// [`Error::NotFound`] if absent *or hidden*; [`Error::Forbidden`] for what the caller
/// may read and not change.
pub async fn amend(call: &Call<'_>, at: &Location, by: &Json, change: Change) -> Result<Reply, Error> {
    for _ in 0..TRIES {
        let old = match call.writable_now(at, Action::Update).await {
            // Whoever is hidden is answered like nobody.
            Ok(None) | Err(Error::Conflict(_)) => return Err(Error::NotFound),
            found => found?.filter(|old| !old.is_deleted()).ok_or(Error::Gone)?,
        };
        let body = old.body()?.ok_or(Error::Gone)?.to_vec();
        let mut reply = Reply { about: Some(at.clone()), count: 1, ..Reply::default() };
        let Some(text) = edited(&body, by, change)? else {
            reply.version = Some((old.version, old.updated));
            reply.body = Some(body);
            return Ok(reply);
        };
        let draft = Draft::read(call, &at.kind, at.id.clone(), text)?;
        draft.whole()?;
        let mut planned = next(call, &draft, Some(&old), &Pending::default()).await?;
        planned.put.method = Method::Patch;
        // None of what decides who may see it stands in these lists.
        planned.put.facts = call.store.facts(&old).await?;
        planned.put.left.clear();
        planned.moved = None;
        if let Some(reply) = planned.committed(call).await? {
            return Ok(reply);
        }
    }
    Err(Error::Store(StoreError::Busy))
}

/// The text with the lists of its `meta` changed; `None` where they stay.
fn edited(body: &[u8], by: &Json, change: Change) -> Result<Option<Vec<u8>>, Error> {
    let resource = Json::parse(body).map_err(|_| Error::Internal("stored body is no JSON".into()))?;
    let meta = resource.get("meta").ok_or_else(|| Error::Internal("stored body without meta".into()))?;
    let lists: Vec<(&str, Option<Vec<Item<'_>>>)> =
        LISTS.iter().map(|name| (*name, changed(meta.list(name), by.list(name), change))).collect();
    if lists.iter().all(|(_, items)| items.is_none()) {
        return Ok(None);
    }
    let is_full = |items: &Option<Vec<Item<'_>>>| items.as_ref().is_some_and(|items| items.len() > MOST);
    // Who has more of them already may take some away.
    if let Some((name, _)) = lists.iter().find(|(_, items)| change == Change::Add && is_full(items)) {
        let kind = resource.str("resourceType").unwrap_or("Resource");
        let (en, ja) = too_many();
        return Err(Error::Unprocessable(vec![Issue::error("too-costly", en, ja).at(format!("{kind}.meta.{name}"))]));
    }
    let mut members: Vec<String> = Vec::new();
    let bytes = |json: &Json| String::from_utf8_lossy(&body[json.span()]).into_owned();
    let mut beside = meta.get("_profile");
    for member in meta.members().iter().filter(|member| &*member.name != "_profile") {
        if !LISTS.contains(&&*member.name) {
            members.push(format!("\"{}\":{}", member.name, bytes(&member.value)));
        }
    }
    for (name, items) in &lists {
        let Some(items) = items else {
            members.extend(meta.get(name).map(|list| format!("\"{name}\":{}", bytes(list))));
            continue;
        };
        let texts: Vec<String> = items
            .iter()
            .map(|item| match item {
                Item::Kept(_, json) => bytes(json),
                Item::New(json) => json.to_string(),
            })
            .collect();
        if !texts.is_empty() {
            members.push(format!("\"{name}\":[{}]", texts.join(",")));
        }
        if let Some(extensions) = beside.take_if(|_| *name == "profile") {
            members.extend(companion(extensions, items, &bytes));
        }
    }
    members.extend(beside.map(|extensions| format!("\"_profile\":{}", bytes(extensions))));
    let text = format!("{{{}}}", members.join(","));
    Ok(Some(splice(body, vec![(meta.span(), text.into_bytes())])))
}

/// Why a list is refused that is too long.
pub fn too_many() -> (String, String) {
    (
        format!("A list of profiles, security labels or tags may have up to {MOST} items here."),
        format!("プロファイル、セキュリティラベル、タグの一覧は、ここではそれぞれ {MOST} 件までです。"),
    )
}

/// The extensions of profiles, item by item; none where none is left.
fn companion(extensions: &Json, items: &[Item<'_>], bytes: &impl Fn(&Json) -> String) -> Option<String> {
    let of = |item: &Item<'_>| match item {
        Item::Kept(at, _) => extensions.items().get(*at).filter(|one| !one.is_null()),
        Item::New(_) => None,
    };
    items.iter().any(|item| of(item).is_some()).then(|| {
        let texts: Vec<String> = items.iter().map(|item| of(item).map_or_else(|| "null".to_owned(), bytes)).collect();
        format!("\"_profile\":[{}]", texts.join(","))
    })
}

/// The lists that change, as `meta` names them.
pub const LISTS: [&str; 3] = ["profile", "security", "tag"];

/// An item of a changed list.
enum Item<'a> {
    /// It was there, at this place.
    Kept(usize, &'a Json),
    New(&'a Json),
}

/// The list as it will be; `None` where it stays.
fn changed<'a>(have: &'a [Json], by: &'a [Json], change: Change) -> Option<Vec<Item<'a>>> {
    let named: HashSet<Name<'_>> = by.iter().map(name).collect();
    let kept = have.iter().enumerate().filter(|(_, one)| change == Change::Add || !named.contains(&name(one)));
    let mut items: Vec<Item<'_>> = kept.map(|(at, one)| Item::Kept(at, one)).collect();
    if change == Change::Add {
        let mut known: HashSet<Name<'_>> = have.iter().map(name).collect();
        items.extend(by.iter().filter(|one| known.insert(name(one))).map(Item::New));
    }
    let stays = items.len() == have.len();
    (!stays).then_some(items)
}

/// What an item is told by: tags and labels by system and code, whatever they are displayed as.
#[derive(PartialEq, Eq, Hash)]
enum Name<'a> {
    Profile(&'a str),
    Coding(Option<&'a str>, Option<&'a str>),
}

fn name(item: &Json) -> Name<'_> {
    match item.as_str() {
        Some(profile) => Name::Profile(profile),
        None => Name::Coding(item.str("system"), item.str("code")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(body: &str, by: &str, change: Change) -> Option<String> {
        let by = Json::parse(by.as_bytes()).expect("JSON");
        edited(body.as_bytes(), &by, change).expect("a body").map(|text| String::from_utf8(text).expect("text"))
    }

    #[test]
    fn lists_change_and_all_else_stays_byte_for_byte() {
        let body = r#"{ "resourceType":"Basic","meta" : {"versionId":"1", "tag":[{"code":"a" ,"display":"A"}],"profile":["p","q"],"_profile":[null,{"id":"x"}]}, "n":1.10}"#;
        for (by, change, expected) in [
            (r#"{"tag":[{"code":"a"}]}"#, Change::Add, None),
            (r#"{"tag":[{"code":"b"}]}"#, Change::Remove, None),
            (
                r#"{"tag":[{"code":"b"},{"code":"b"}],"security":[{"system":"s","code":"R"}]}"#,
                Change::Add,
                Some(
                    r#"{"versionId":"1","profile":["p","q"],"security":[{"system":"s","code":"R"}],"tag":[{"code":"a" ,"display":"A"},{"code":"b"}],"_profile":[null,{"id":"x"}]}"#,
                ),
            ),
            (
                r#"{"tag":[{"code":"a"}],"profile":["p"]}"#,
                Change::Remove,
                Some(r#"{"versionId":"1","profile":["q"],"_profile":[{"id":"x"}]}"#),
            ),
            (
                r#"{"profile":["q","r"]}"#,
                Change::Remove,
                Some(r#"{"versionId":"1","profile":["p"],"tag":[{"code":"a" ,"display":"A"}]}"#),
            ),
            (
                r#"{"profile":["r"]}"#,
                Change::Add,
                Some(
                    r#"{"versionId":"1","profile":["p","q","r"],"_profile":[null,{"id":"x"},null],"tag":[{"code":"a" ,"display":"A"}]}"#,
                ),
            ),
        ] {
            let expected = expected.map(|meta| format!(r#"{{ "resourceType":"Basic","meta" : {meta}, "n":1.10}}"#));
            assert_eq!(after(body, by, change), expected, "{by} {change:?}");
        }
    }

    /// Each was compared with each: this would take minutes.
    #[test]
    fn a_crowd_of_tags_is_told_apart() {
        let tags = |from: usize| {
            let tags = (from..from + 60_000).map(|at| Json::object([("code", Json::from(format!("c{at}")))]));
            tags.collect::<Vec<_>>()
        };
        let (have, by) = (tags(0), tags(59_990));
        assert_eq!(changed(&have, &by, Change::Add).map(|items| items.len()), Some(119_990));
        assert_eq!(changed(&have, &by, Change::Remove).map(|items| items.len()), Some(59_990));
    }

    #[test]
    fn a_list_gets_no_longer_than_can_be_read_with_every_version() {
        let tags = |count: usize| {
            let tags: Vec<String> = (0..count).map(|at| format!(r#"{{"code":"c{at}"}}"#)).collect();
            format!(r#"{{"tag":[{}]}}"#, tags.join(","))
        };
        let edited = |have: usize, by: usize, change| {
            let body = format!(r#"{{"resourceType":"Basic","meta":{}}}"#, tags(have));
            edited(body.as_bytes(), &Json::parse(tags(by).as_bytes()).expect("JSON"), change)
        };
        assert!(edited(1, MOST, Change::Add).is_ok_and(|text| text.is_some()));
        assert!(matches!(edited(0, MOST + 1, Change::Add), Err(Error::Unprocessable(_))));
        // What has more already loses some.
        assert!(edited(MOST + 10, 1, Change::Remove).is_ok_and(|text| text.is_some()));
    }
}
